/*
 * app_check: finds out whether an app that is not up takes datagrams again (app_watch.h says how).
 *
 * Only a worker that has clients can try an app that never answered, and workers judge by themselves.
 * So a worker that cannot check the app takes over what another worker of the pod found out later.
 * A pod that does not lead has no client to try: its verdict ends after STALE_NS, if the leader's
 * heartbeats do not say that no app is up. Then it may lead again; if its app is still down, the first
 * requests find out, and another pod leads.
 *
 * Owner: its worker's thread; struct app_shared: see there. Never blocks.
 */
#ifndef DATA_APP_CHECK_H
#define DATA_APP_CHECK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct app;
struct app_watch;
struct udp_app;

/* Knowledge of the app that all workers of a pod share. All fields relaxed: nothing else depends on them. */
struct app_shared {
    _Atomic uint64_t taken_ns; /* a worker knows that it took a datagram; workers */
    _Atomic bool is_no_app;    /* the heartbeats say that no pod's app is up; the supervisor */
};

/* Periodic: check an app that is not up. */
void app_check(struct app *app);

/* Each slice: let the other workers know that the app replies. */
void app_check_share(struct app *app);

/* Time between two checks. */
uint64_t app_check_period_ns(const struct app_watch *watch);

/* Send an empty datagram of the session that was answered last. False: there is none. */
bool app_check_knock(struct udp_app *udp, uint64_t now_ns);

#endif
