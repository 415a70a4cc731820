/*
 * lease_driver: the requests of lease_step and the watch of the Lease, by the API server's client (platform/api.h).
 *
 * The platform thread keeps the newest document, which an update changes, so that labels, owners and
 * annotations of others stay. A PUT names the uid and the resourceVersion of the record that it
 * replaces: if the newest document is another one, the outcome is a conflict without asking the API server.
 *
 * Of the watch only the newest record is kept. There is at most one request, and each has one outcome.
 *
 * Threads: the main thread opens, starts and closes; the platform thread writes; the supervisor calls
 * the rest, and waits for nothing.
 */
#ifndef CONTROL_LEASE_DRIVER_H
#define CONTROL_LEASE_DRIVER_H

#include "headless/base/waker.h"
#include "headless/config/config.h"
#include "headless/control/lease.h"
#include "headless/control/supervisor.h"
#include "headless/platform/api.h"
#include "lease_wanted.h"

struct lease_driver_shared;
struct lease_driver {
    struct lease_driver_shared *shared;
};

/* Before platform_start. reader_waker is woken for each event. Returns 0 or a negative errno. */
int lease_driver_open(struct lease_driver *driver, const struct config *config,
                      struct platform *platform, struct waker *reader_waker)
    __attribute__((warn_unused_result));
/* After platform_stop. */
void lease_driver_close(struct lease_driver *driver);

/* lease_driver_take would return an event. */
bool lease_driver_has_news(const struct lease_driver *driver);
/* The next event; its record is valid until the next call. False: there is none. */
bool lease_driver_take(struct lease_driver *driver, struct lease_event *ret_event);

/* The request of these actions, which have one. */
void lease_driver_send(struct lease_driver *driver, const struct lease_actions *actions);

/* The annotation headlessd.io/wanted; its news are not among those above. */
struct lease_wanted *lease_driver_wanted(struct lease_driver *driver);

/* Any thread. */
enum supervisor_lease_state lease_driver_state(const struct lease_driver *driver);

#endif
