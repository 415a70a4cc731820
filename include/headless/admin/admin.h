/*
 * admin: the HTTP port for operators and probes, and the notifications to the app (notify.h).
 *
 *   /           the status as an HTML page (page.h)
 *   /livez      200 while the threads make progress
 *   /readyz     200 when bound and joined, leader or not; 503 before, and while stopping, with one
 *               line that says what is wrong and what to change
 *   /leader     the leader, as JSON
 *   /leader/me  the same; 200 if this pod leads, otherwise 503
 *   /events     the same at every change, as a stream (events.h)
 *   /status     everything, as JSON
 *   /metrics    every number, for Prometheus
 *   /sessions   the newest sessions and their clients, as JSON
 *
 * One thread of libmicrohttpd. It reads counters and the leader snapshot like any reader, requests
 * the workers' sessions (session_report.h), and changes nothing. Bounded: connections
 * (connections.h), their time and the request size; each connection serves one request.
 * Streams do not count against the limits of other requests.
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
#include "headless/platform/api.h"

struct MHD_Daemon;
struct json_object;

#define ADMIN_WHY_MAX 512 /* bytes, with NUL; a longer text is cut */

/* Why the configuration or keys that were read last are not in use; "" if they are. */
struct admin_why {
    char reload[ADMIN_WHY_MAX]; /* the configuration: one line */
    char keys[ADMIN_WHY_MAX];
};

struct admin {
    const struct config *config;
    struct data_plane *data_plane;
    struct supervisor *supervisor;
    const struct platform *platform; /* or NULL */
    struct snapshot_reader reader;   /* of the HTTP thread */
    struct progress progress;        /* of the HTTP thread */
    bool has_logged_renames;         /* of the HTTP thread: metrics_renamed */
    struct MHD_Daemon *daemon;       /* NULL: admin.listen is none */
    struct notifier notifier;
    struct events events;
    struct connections connections;
    uint64_t started_ns, started_s; /* clock_now_ns, clock_real_s */
    _Atomic bool serving, stopping; /* of the data threads; otherwise readyz says no */
    _Atomic bool last_reload_succeeded;
    _Atomic uint64_t server_failures; /* of the HTTP server, for want of descriptors or memory */
    _Atomic uint64_t config_loaded_s; /* when the present configuration was read: clock_real_s */
    _Atomic uint64_t reloads,
        reloads_refused;      /* of the configuration; reloads includes refused ones */
    pthread_mutex_t why_lock; /* of why */
    struct admin_why why;
    pthread_mutex_t options_lock; /* of the object below and what refers to it */
    struct json_object *options;  /* that differ from the default, by name; NULL: unknown */
};

/* Before the data threads start (registers a snapshot reader). Logs an error and returns a negative
 * errno. */
int admin_start(struct admin *admin, const struct config *config, struct data_plane *data_plane,
                struct supervisor *supervisor, const struct platform *platform)
    __attribute__((warn_unused_result));
void admin_stop(struct admin *admin);

/* Main thread: the data threads have started; /readyz returns 503 before. */
void admin_set_serving(struct admin *admin);
/* Main thread: /readyz returns 503 from now on. */
void admin_set_stopping(struct admin *admin);
/* The configuration was reloaded (why is NULL), or refused: why has a line for each error. */
void admin_set_reload_result(struct admin *admin, const char *why);
/* Why the keys cannot be read; "": they were read, or none are configured. */
void admin_set_keys_result(struct admin *admin, const char *why);
/* The options that /status and the page show: those of these sets that differ from the default.
 * Blocks while a document is rendered. */
void admin_set_options(struct admin *admin, const struct config_set *started,
                       const struct config_set *newest);

#endif
