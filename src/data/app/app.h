/*
 * app: what consumes requests at the leader, behind five operations.
 *
 * Built in: echo, whoami, discard; they reply from within deliver. udp://HOST:PORT is a UDP server
 * beside us (app_udp.c): its replies are read by an app reader and come back through reply.
 *
 * With route local and all a pod's app is also given requests while the pod does not lead. Their
 * replies are suppressed, whoever leads when they come: the client has the reply of the leader of
 * that time. app_may_reply says whether the reply to this request may leave.
 *
 * Every request given to deliver ends as delivered or dropped; every reply goes to reply_send or
 * is dropped. Owner: its worker's thread.
 */
#ifndef DATA_APP_APP_H
#define DATA_APP_APP_H

#include "data/app/reply.h"
#include "data/ingress/receiver.h"

struct app;
struct app_udp;
struct session_report;

struct app_ops {
    void (*deliver)(struct app *app, const struct request *request);
    void (*reply)(struct app *app, const struct datagram *datagram);
    /* NULL: nothing to do. */
    void (*flush)(struct app *app);
    void (*tick)(struct app *app); /* now and then: expire sessions */
    void (*close)(struct app *app);
};

struct app {
    const struct app_ops *ops;
    const struct config *config;
    const struct identity *identity;
    struct replier *replier; /* its snapshot and now_ns are those of this slice */
    struct counters *counters;
    uint8_t *scratch; /* replies of this batch that are not parts of a request (whoami) */
    size_t scratch_used;
    struct app_udp *udp; /* only with CONFIG_APP_UDP */
};

/*
 * workers: among how many the sessions are divided. Returns 0 or a negative errno; -ENODEV and
 * others from the app's socket.
 */
int app_init(struct app *app, const struct config *config, const struct identity *identity,
             struct replier *replier, struct counters *counters, size_t workers)
    __attribute__((warn_unused_result));
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

/* A copy has to be of our own term: else its sender took another for the leader. */
static inline bool app_may_reply(const struct app *app, const struct request *request)
{
    return app->replier->leads &&
           (!request->is_copy || request->term == app->replier->snapshot->leader.term);
}

/* Answer to a probe, on behalf of any app: leader, via, term, never longer than the question. */
void app_reply_to_probe(struct app *app, const struct request *request, const char *nonce);

/* ---- app_udp.c ---- */

extern const struct app_ops app_udp_ops;
int app_udp_init(struct app *app, size_t workers) __attribute__((warn_unused_result));

/*
 * A refusal makes an app doubted: its worker holds what comes, and the reader knocks. It is down
 * when it refused often or for long, which makes the leader hand over; and up when it
 * does not refuse a knock. An reply proves nothing: it may be the last that a dead one gave.
 */
enum app_health { APP_UP, APP_DOUBTED, APP_DOWN };

/*
 * The reader of a UDP app's replies: the one socket of all sessions, or one socket a session,
 * behind one epoll descriptor. An agent of its own with workers, polled by its thread in run to
 * completion.
 */
struct app_reader {
    struct receiver receiver; /* one pair, to its worker */
    int epoll_fd;
    struct address app_address;
    struct ring closing; /* descriptors of ended sessions: closed here, where they are read */

    /* Health. */
    uint64_t fail_ns;          /* app.fail */
    uint64_t refused_since_ns; /* 0: has answered since, or never refused */
    uint32_t refused;          /* in a row */
    struct udp_socket knock;   /* while it is not up: to see whether it refuses */
    uint64_t knock_ns;         /* when to look again; 0: not knocking */
    _Atomic uint32_t health;   /* enum app_health; by the reader, and by its worker UP -> DOUBTED */
    _Atomic uint64_t ended_drops; /* of the kernel, at sockets of sessions that have ended */
};
extern const struct agent_ops app_reader_agent_ops;

/* The reader of this app, to start as an agent or to poll; NULL for built-in apps. */
struct app_reader *app_reader(struct app *app);

/* Run to completion: read once without blocking; datagrams in receiver.received. */
size_t app_reader_read(struct app_reader *reader, int timeout_ms);

/* Health: once in a while. Knocks at an app that is doubted or down, by an empty datagram. */
void app_reader_tick(struct app_reader *reader, uint64_t now_ns);

/* Its worker: a socket of its own was refused, which the reader may not see. */
void app_reader_doubt(struct app_reader *reader);

/* Any thread: is it not down? */
bool app_is_up(const struct app *app);

/* Its worker, before a batch: does it take what it is given, as far as we know? */
bool app_is_taking(struct app *app);

/* Its worker, between two batches: reports the sessions, if they are asked for (session_report.h). */
void app_udp_report_sessions(struct app *app);
static inline void app_report_sessions(struct app *app)
{
    if (app->udp)
        app_udp_report_sessions(app);
}
/* Where to ask; NULL for built-in apps, which have none. */
struct session_report *app_session_report(struct app *app);

/* Any thread: sessions alive now. */
uint64_t app_session_count(const struct app *app);

/* Any thread: the one socket of all sessions; NULL where there is none, or each has its own. */
const struct udp_socket *app_socket(const struct app *app);

#endif
