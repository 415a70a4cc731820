/*
 * app: what consumes requests at the leader, behind five operations.
 *
 * Built in: echo, whoami, discard; they answer from within deliver. udp://HOST:PORT is a UDP server
 * beside us (app_udp.c): its answers are read by an app reader and come back through answer.
 *
 * Every request given to deliver ends as delivered or dropped; every answer goes to reply_send or
 * is dropped. Owner: its worker's thread.
 */
#ifndef HEADLESS_DATA_APP_H
#define HEADLESS_DATA_APP_H

#include "headless/data/receiver.h"
#include "headless/data/reply.h"

struct app;
struct app_udp;

struct app_ops {
    void (*deliver)(struct app *app, const struct request *request);
    void (*answer)(struct app *app, const struct datagram *datagram);
    void (*flush)(struct app *app);
    void (*tick)(struct app *app); /* now and then: expire sessions */
    void (*close)(struct app *app);
};

struct app {
    const struct app_ops *ops;
    const struct config *config;
    const struct identity *identity;
    struct replier *replier; /* its view and now_ns are those of this slice */
    struct counters *counters;
    uint8_t *scratch; /* answers of this batch that are not parts of a request (whoami) */
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

/* Answer to a probe, on behalf of any app: leader, via, term, never longer than the question. */
void app_answer_probe(struct app *app, const struct request *request, const char *nonce);

/* ---- app_udp.c ---- */

extern const struct app_ops app_udp_ops;
int app_udp_init(struct app *app, size_t workers) __attribute__((warn_unused_result));

/*
 * The reader of a UDP app's answers: the one socket of all sessions, or one socket a session,
 * behind one epoll descriptor. An agent of its own with workers, polled by its thread in run to
 * completion.
 */
struct app_reader {
    struct receiver receiver; /* one lane, to its worker */
    int epoll_fd;
    struct address app_address;
    struct ring closing; /* descriptors of ended sessions: closed here, where they are read */
};
extern const struct agent_ops app_reader_agent_ops;

/* The reader of this app, to start as an agent or to poll; NULL for built-in apps. */
struct app_reader *app_reader(struct app *app);

/* Run to completion: read once without blocking; datagrams in receiver.received. */
size_t app_reader_read(struct app_reader *reader, int timeout_ms);

/* Any thread: sessions alive now. */
uint64_t app_session_count(const struct app *app);

#endif
