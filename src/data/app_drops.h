/*
 * app_drops: datagrams that the kernel dropped at the app's own socket, because its receive buffer was
 * full. Known only where the app is in the network namespace of this pod: at a loopback address, or
 * at one of the pod's own. The sum is a counter: it goes on when the app is restarted, whose new
 * socket counts from 0. Drops before the first look do not count; nor do those of a socket that the
 * look before may have left out, because there were too many.
 *
 * Owner: the main thread, which looks once a second, apart from the data path. Any thread may read
 * the total. The socket is opened before the seccomp filter is installed, which forbids new ones.
 */
#ifndef DATA_APP_DROPS_H
#define DATA_APP_DROPS_H

#include <stdatomic.h>

#include "headless/base/log.h"
#include "headless/config/config.h"
#include "headless/net/udp_diag.h"

#define APP_DROPS_SOCKETS 64 /* of the app's port (SO_REUSEPORT); drops of more are not counted */

struct app_drops {
    struct udp_diag diag; /* closed: not watched */
    struct address app;
    size_t count; /* sockets at the last look */
    struct udp_diag_entry sockets[APP_DROPS_SOCKETS];
    bool had_all;    /* a socket that is not among them did not exist then */
    bool has_failed; /* at the last look */
    uint64_t looked_ns, unlogged;
    struct log_limit limit;
    _Atomic uint64_t total;
};

/* Best effort: if it is not possible, the total stays 0. */
void app_drops_open(struct app_drops *drops, const struct config *config);
void app_drops_close(struct app_drops *drops);

/* Look, if the last look was a second ago. Logs drops, at most once a minute. */
void app_drops_poll(struct app_drops *drops, uint64_t now_ns);

/* Evaluate one look: the sockets at the app's port; more than APP_DROPS_SOCKETS: there may be still
 * more. Returns the new drops. */
uint64_t app_drops_take(struct app_drops *drops, const struct udp_diag_entry *found, size_t count);

/* Any thread. */
static inline uint64_t app_drops_total(const struct app_drops *drops)
{
    return atomic_load_explicit(&drops->total, memory_order_relaxed);
}

#endif
