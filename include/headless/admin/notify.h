/*
 * notify: sends the leader to app.notify as a datagram of JSON, the body of GET /leader, at each change
 * and once at the start, and wakes the streams of GET /events (events.h).
 *
 * A change is another leader, another term, or a leader that becomes invalid or valid again. Two
 * changes between two looks are sent once: the datagram is the current state. A lost datagram is not
 * sent again; an app that must be sure requests /leader. The same loop ends connections to the admin
 * port that take too long (connections.h).
 *
 * Owner: its thread, which is woken with the workers for each new leader snapshot and looks at least
 * every 100 ms, because a lease may also end without a new snapshot. Start and stop: the main thread.
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
    struct leader_event sent;
    bool has_sent;
    struct counters counters;
    struct agent agent;
};

/*
 * Before the other threads start (registers a snapshot reader). Does nothing if app.notify is none and
 * events is NULL. Logs an error and returns a negative errno.
 */
int notifier_start(struct notifier *notifier, const struct config *config,
                   struct data_plane *data_plane, const struct supervisor_report *report,
                   struct events *events) __attribute__((warn_unused_result));
void notifier_stop(struct notifier *notifier);

#endif
