/*
 * admin: the HTTP port for operators and probes; and what the app is told (notify.h).
 *
 *   /           all of it as a page for people (page.h)
 *   /livez      200 while the threads make progress
 *   /readyz     200 when bound and joined; never "is leader"; 503 before, and while stopping; with
 *               what is wrong and what to change, in one line
 *   /leader     who leads, as JSON;  /leader/me  200 if this pod leads, else 503
 *   /events     the same at every change, as a stream (events.h)
 *   /status     everything as JSON;  /metrics    everything for Prometheus
 *   /sessions   which clients the app's newest sessions are of, as JSON
 *
 * One thread of libmicrohttpd's. It reads counters and the leader leadership as any reader does, asks the
 * workers for their sessions (session_report.h), and can change nothing. Bounded: connections
 * (connections.h), their time and the request size; each connection serves one request.
 * Streams have places of their own, beside those of all other requests.
 *
 * Threads: start and stop, and the setters, by the main thread. The setters also work when
 * there is no server.
 */
#ifndef HEADLESS_ADMIN_ADMIN_H
#define HEADLESS_ADMIN_ADMIN_H

#include <pthread.h>
#include <stdatomic.h>

#include "headless/admin/connections.h"
#include "headless/admin/events.h"
#include "headless/admin/notify.h"
#include "headless/control/supervisor.h"
#include "headless/data/progress.h"

struct MHD_Daemon;
struct json_object;

#define ADMIN_WHY_MAX 512 /* bytes, with NUL; what is longer is cut */

/* Why what the main thread read last is not used; "" when it is. */
struct admin_why {
    char reload[ADMIN_WHY_MAX]; /* the configuration: one line */
    char keys[ADMIN_WHY_MAX];
};

struct admin {
    const struct config *config;
    struct data_plane *data_plane;
    const struct supervisor *supervisor;
    struct snapshot_reader reader; /* of the HTTP thread */
    struct progress progress;      /* of the HTTP thread */
    struct MHD_Daemon *daemon;     /* NULL: admin.listen is none */
    struct notifier notifier;
    struct events events;
    struct connections connections;
    uint64_t started_ns, started_s; /* clock_now_ns, clock_real_s */
    _Atomic bool stopping;          /* readyz says no */
    _Atomic bool last_reload_succeeded;
    _Atomic uint64_t config_loaded_s; /* when the present configuration was read: clock_real_s */
    _Atomic uint64_t reloads, reloads_refused; /* of the configuration; the first has all */
    pthread_mutex_t why_lock;                  /* of why */
    struct admin_why why;
    pthread_mutex_t options_lock; /* of the object below and what refers to it */
    struct json_object *options;  /* that differ from the default, by name; NULL: not known */
};

/* Before the data threads start (registers a leadership reader). Logs what failed; a negative errno. */
int admin_start(struct admin *admin, const struct config *config, struct data_plane *data_plane,
                const struct supervisor *supervisor) __attribute__((warn_unused_result));
void admin_stop(struct admin *admin);

/* Main thread: from now on not ready. */
void admin_set_stopping(struct admin *admin);
/* The configuration was read again, and taken (why is NULL), or refused: a line for each error. */
void admin_set_reload_result(struct admin *admin, const char *why);
/* Why the keys cannot be read; "" when they are, or there are to be none. */
void admin_set_keys_result(struct admin *admin, const char *why);
/* Which options /status and the page show: those of these sets that differ from the default. Waits
 * while a page is rendered. */
void admin_set_options(struct admin *admin, const struct config_set *started,
                       const struct config_set *newest);

#endif
