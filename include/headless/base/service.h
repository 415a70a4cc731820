/*
 * service: tell a service manager such as systemd how we are.
 *
 * The protocol of sd_notify(3): one datagram of text to the UNIX socket that NOTIFY_SOCKET names.
 * It is guaranteed to stay, and its authors show it as code to copy, so that daemons need not link
 * libsystemd with all that it draws in. The socket is opened once, at the start: later the process
 * may have shut itself off from opening any. Without a manager nothing happens.
 *
 * Threads: the main thread. Nothing blocks: when the manager does not read, the word is lost, which
 * it gets over (READY=1 comes first, into an empty queue).
 */
#ifndef HEADLESS_BASE_SERVICE_H
#define HEADLESS_BASE_SERVICE_H

#include <stdint.h>

struct service {
    int fd;               /* negative: nobody wants to know */
    uint64_t watchdog_ns; /* how often to show that we are well; 0: never */
};

/*
 * Look into the environment, and take what is there out of it: what we start is not the service.
 * Returns 0, also without a manager; -EINVAL when NOTIFY_SOCKET names no socket, or another
 * negative errno. *ret_service can be used in any case.
 */
int service_open(struct service *ret_service) __attribute__((warn_unused_result));
void service_close(struct service *service);

/* From now on it serves. Also the end of a reload. */
void service_ready(const struct service *service);
void service_reloading(const struct service *service);
void service_stopping(const struct service *service);
/* To be called at least each watchdog_ns while all is well. */
void service_is_well(const struct service *service);

#endif
