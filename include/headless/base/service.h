/*
 * service: reports the state of the daemon to a service manager such as systemd.
 *
 * The protocol of sd_notify(3): one datagram of text to the UNIX socket that NOTIFY_SOCKET names.
 * sd_notify(3) guarantees that it stays and prints code to copy, so libsystemd and its dependencies
 * are not needed. The socket is opened at the start, because confinement may forbid UNIX sockets
 * later. Without a manager the calls do nothing.
 *
 * Threads: the main thread. Nothing blocks. The kernel's queue of the manager's socket is shared by all
 * services and may be full: then changes of state are kept, in order, and sent by service_retry
 * (without READY=1 the manager ends the service); a sign of life is dropped.
 */
#ifndef HEADLESS_BASE_SERVICE_H
#define HEADLESS_BASE_SERVICE_H

#include <stdint.h>

#define SERVICE_KEPT_MAX 4U
#define SERVICE_TEXT_MAX 64

struct service {
    int fd;                                        /* negative: no service manager */
    uint64_t watchdog_ns;                          /* the manager's WATCHDOG_USEC; 0: no watchdog */
    char kept[SERVICE_KEPT_MAX][SERVICE_TEXT_MAX]; /* not sent yet, the oldest first */
    unsigned kept_count;
};

/*
 * Read NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, and unset them: child processes are not the
 * service. Returns 0, also without a manager; -EINVAL when NOTIFY_SOCKET is neither a path nor an
 * abstract name, or another negative errno. *ret_service can be used in any case.
 */
int service_open(struct service *ret_service) __attribute__((warn_unused_result));
void service_close(struct service *service);

/* The daemon serves; also at the end of a reload. */
void service_ready(struct service *service);
void service_reloading(struct service *service);
void service_stopping(struct service *service);
/* Call it at least once every watchdog_ns while the daemon works. */
void service_is_well(struct service *service);
/* Send what the manager's queue did not take before. Call it now and then. */
void service_retry(struct service *service);

#endif
