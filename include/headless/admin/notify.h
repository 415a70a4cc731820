/*
 * notify: tells who leads. On each change, and once at the start, a datagram of JSON goes to
 * app.notify, the same that GET /leader answers; and the streams of GET /events (events.h) are
 * woken.
 *
 * A change is another leader, another term, or that the leader may no longer be used or may be
 * again. What changes twice between two looks is told once: the datagram is the state, not the
 * event. On its way it ends connections to the admin port that take too long (connections.h).
 * A datagram that is lost is not sent again; who must be sure asks /leader.
 *
 * Owner: its thread, which is woken with the workers for each new leadership and looks at least every 100
 * ms, since a leader's time also ends without a new leadership. Start and stop: the main thread.
 */
#ifndef HEADLESS_ADMIN_NOTIFY_H
#define HEADLESS_ADMIN_NOTIFY_H

#include "headless/admin/events.h"
#include "headless/control/supervisor.h"

struct notifier {
    const struct config *config;
    struct data_plane *data_plane;
    const struct supervisor_report *report;
    struct snapshot_reader reader;
    struct waker waker;
    struct udp_socket socket; /* connected to app.notify; fd -1: none */
    struct events *events;    /* NULL: none */
    struct notice told;
    bool has_told;
    struct counters counters;
    struct agent agent;
};

/*
 * Before the other threads start (registers a leadership reader). Does nothing when app.notify is none
 * and events is NULL. Logs what failed; returns a negative errno.
 */
int notifier_start(struct notifier *notifier, const struct config *config,
                   struct data_plane *data_plane, const struct supervisor_report *report,
                   struct events *events) __attribute__((warn_unused_result));
void notifier_stop(struct notifier *notifier);

#endif
