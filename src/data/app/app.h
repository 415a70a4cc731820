/*
 * app: the consumer of requests, behind five operations.
 *
 * Built-in apps are echo, whoami and discard, which reply within deliver. udp://HOST:PORT is a UDP
 * server (udp_app.c): an app reader reads its replies, which are passed to the operation reply.
 *
 * With the routes local and all the app also gets requests while its pod does not lead. Replies to
 * these are suppressed, independent of who leads when they arrive: the client gets the reply of the
 * pod that led at the time of the request. app_may_reply decides it for a request.
 *
 * Every request given to deliver ends as delivered or dropped; every reply goes to reply_send or is
 * suppressed or dropped. Owner: its worker's thread. Blocking: as outbox_flush.
 */
#ifndef DATA_APP_APP_H
#define DATA_APP_APP_H

#include "data/app/app_check.h"
#include "data/app/reply.h"
#include "data/ingress/receiver.h"

struct app;
struct udp_app;
struct session_report;

struct app_ops {
    void (*deliver)(struct app *app, const struct request *request);
    void (*reply)(struct app *app, const struct datagram *datagram);
    /* NULL: nothing to do. */
    void (*flush)(struct app *app);
    void (*tick)(struct app *app); /* periodic: expire sessions */
    void (*close)(struct app *app);
};

struct app {
    const struct app_ops *ops;
    const struct config *config;
    const struct identity *identity;
    struct replier *replier; /* has snapshot and now_ns of this slice */
    struct counters *counters;
    uint8_t *scratch; /* replies of this batch whose bytes are not in a request (whoami) */
    size_t scratch_used;
    struct app_shared *shared; /* of all workers of the pod */
    struct udp_app *udp;       /* only with CONFIG_APP_UDP */
};

struct app_setup {
    const struct config *config;
    const struct identity *identity;
    struct replier *replier;
    struct counters *counters;
    size_t workers; /* that share app.max_sessions */
};

/* Returns 0 or a negative errno; -ENODEV and others are from the app's socket. */
int app_init(struct app *app, const struct app_setup *setup) __attribute__((warn_unused_result));
void app_fini(struct app *app);

static inline void app_flush(struct app *app)
{
    if (app->ops->flush)
        app->ops->flush(app);
}

static inline void app_tick(struct app *app)
{
    if (app->ops->tick)
        app->ops->tick(app);
}

/* The term in which a request is delivered, that of its replies. */
static inline uint64_t app_term_of(const struct app *app, const struct request *request)
{
    const struct leadership *leadership = &app->replier->snapshot->leader;

    return request->is_former ? leadership->former.term : leadership->term;
}

/* True when the reply may be sent. A copy must have the present term: a sender with another term
 * follows another leader. */
static inline bool app_may_reply(const struct app *app, const struct request *request)
{
    if (request->is_former)
        return true;
    return app->replier->leads &&
           (!request->is_copy || request->term == app->replier->snapshot->leader.term);
}

/* Reply to a probe, for any app: leader, via, term; never longer than the probe. */
void app_reply_to_probe(struct app *app, const struct request *request, const char *nonce);

/* ---- udp_app.c ---- */

extern const struct app_ops udp_app_ops;
int udp_app_init(struct app *app, const struct app_setup *setup)
    __attribute__((warn_unused_result));

/* This pod is the former leader: has the client a session of that term? Built-in apps have none. */
bool udp_app_knows(const struct app *app, const struct request *request);
static inline bool app_knows(const struct app *app, const struct request *request)
{
    return app->udp && udp_app_knows(app, request);
}

/*
 * The reader of a UDP app's replies: from the one socket of all sessions, or from one socket a
 * session, by one epoll descriptor. It is an agent when there are workers; in run to completion the
 * worker's thread polls it.
 */
struct app_reader {
    struct receiver receiver; /* one pair, to its worker */
    int epoll_fd;
    bool is_mux;         /* as in struct udp_app */
    struct ring closing; /* descriptors of ended sessions, for this thread to close */

    /* ICMP errors, for its worker: the error queue of the mux socket has entries; those of sessions
     * with own sockets, each a number and an errno (APP_ERROR_SHIFT). */
    _Atomic bool has_errors;
    struct ring refused;
    _Atomic uint64_t ended_drops; /* drops of the kernel at sockets of ended sessions */
};
extern const struct agent_ops app_reader_agent_ops;

/* The reader of this app, to be started as an agent or polled; NULL for built-in apps. */
struct app_reader *app_reader(struct app *app);

/* Run to completion: read one socket, waiting up to timeout_ms; datagrams in receiver.received. */
size_t app_reader_read(struct app_reader *reader, int timeout_ms);

/* Any thread: true unless the app is down. */
bool app_is_up(const struct app *app);

/* Any thread: the app is not up, and only a request can find out whether it is again. */
bool app_needs_request(const struct app *app);

/* Its worker, before a batch: true when the app is up and no refusal is pending. */
bool app_is_taking(struct app *app);

/* Its worker, in each slice: take refusals, and check an app that is not up (app_watch.h). */
void udp_app_watch(struct app *app);
static inline void app_watch_health(struct app *app)
{
    if (app->udp)
        udp_app_watch(app);
}

/* Its worker: the app is not up, and a held request is the only check that is possible. */
bool app_wants_trial(const struct app *app);

/* Its worker: refusals wait for udp_app_watch. */
bool app_has_refusals(struct app *app);

/* Its worker: the longest sleep before the next check. */
uint64_t app_sleep_ns(const struct app *app);

/* Its worker, between two batches: make the session report if one is wanted (session_report.h). */
void udp_app_report_sessions(struct app *app);
static inline void app_report_sessions(struct app *app)
{
    if (app->udp)
        udp_app_report_sessions(app);
}
/* The report to ask for; NULL for built-in apps, which have no sessions. */
struct session_report *app_session_report(struct app *app);

/* Any thread: number of open sessions. */
uint64_t app_session_count(const struct app *app);

/* Any thread: the one socket of all sessions; NULL where each session has its own. */
const struct udp_socket *app_socket(const struct app *app);

#endif
