/*
 * worker: takes datagrams from the receivers and sends each on its way.
 *
 *   take (worker.c) ─► classify (classify.c) ─► route (route.c) ─┬─ app.c, udp_app.c
 *                                                                ├─ relay.c
 *                                            replies ─► reply.c  └─ hold.c
 *
 * One slice: load the snapshot, release what was held if there is a leader; for each input load the
 * snapshot again, take up to a batch, route each, flush every outbox, give the slots back. Nothing
 * is allocated or locked in it.
 *
 * Everything in struct worker belongs to the worker's thread, except counters, traffic, hold count
 * and session count, which anyone may read, and what goes to the supervisor: the command_queue's
 * other end, and refused_instance.
 */
#ifndef DATA_WORKER_H
#define DATA_WORKER_H

#include "data/app/app.h"
#include "data/hold.h"
#include "headless/base/budget.h"
#include "headless/data/command_queue.h"
#include "headless/data/frame_auth.h"
#include "headless/data/sequence.h"

/* Data, relay and group receivers, one app reader. */
#define WORKER_INPUTS_MAX (2 * WORKERS_MAX + CONFIG_GROUPS_MAX + 1)

/* One receiver's rings to this worker. */
struct worker_input {
    struct ring_pair *pair;
    struct waker *receiver_waker;
};

struct worker {
    size_t index;
    const struct config *config;
    const struct identity *identity;
    struct snapshot_publisher *publisher;
    struct snapshot_reader reader;
    const struct udp_socket *data_socket;

    size_t input_count; /* 0: run to completion */
    struct worker_input inputs[WORKER_INPUTS_MAX];
    struct waker waker;

    struct frame_auth frame_auth;
    struct relay relay;
    struct traffic traffic;
    struct replier replier;
    struct hold hold;
    struct app app;
    struct sequence *sequence; /* NULL: the route is not ordered */
    struct command_queue command_queue;
    struct budget bad_json_replies;
    struct rate_limiter limiter; /* what each source has used up */
    struct budget refusals;      /* of commands: so many go to the supervisor, who tells */
    struct sign_seen seen;

    const struct leader_snapshot *snapshot; /* of this slice */
    uint64_t generation;                    /* of that snapshot */
    uint64_t now_ns;                        /* of this slice */
    uint64_t until_ns;                      /* asleep: until then */
    bool is_ending;                         /* no slice may come after this one */
    struct relay_target leader;             /* of this snapshot */
    enum leader_snapshot_decide way;        /* of this slice: what is done with requests */
    struct relay_target
        members[MEMBERS_MAX]; /* to whom copies go: the live ones but us, of this snapshot */
    uint64_t next_tick_ns;
    size_t own_pace_bytes; /* released per period where the leader's buffer is not known */
    size_t worker_count;
    struct counters counters;
    /* For the supervisor, who takes it by writing 0: a leader's host has refused our frames. */
    _Atomic uint64_t refused_instance;
    struct agent agent;
};

struct worker_setup {
    const struct config *config;
    const struct identity *identity;
    struct snapshot_publisher *publisher;
    const struct udp_socket *data_socket;
    struct waker *supervisor_waker; /* woken for a command */
    struct replay_window *windows;  /* frame_auth.h */
    size_t index, worker_count;
    size_t rcvbuf_bytes; /* what a socket is granted: paces the release of held ones */
};

int worker_init(struct worker *worker, const struct worker_setup *setup)
    __attribute__((warn_unused_result));
void worker_fini(struct worker *worker);

/* Before the threads start: take from this pair. */
void worker_attach(struct worker *worker, struct ring_pair *pair, struct waker *receiver_waker);

/* A slice: begin, upkeep (held ones and timers; returns how much it did), handle up to a batch of
 * datagrams, flush. Their memory is free after the flush. Begin again before each batch: sending
 * may have waited, and the leader's time may be over. */
void worker_begin(struct worker *worker);
size_t worker_upkeep(struct worker *worker);
void worker_handle(struct worker *worker, const struct datagram *piece);
void worker_flush(struct worker *worker);

/* Before a slice: it may be the last, so nothing waits for a later one. */
void worker_end(struct worker *worker);

/* How long the worker may sleep, when nothing comes. */
uint64_t worker_sleep_ns(const struct worker *worker);

/*
 * A receiver's thread has published input for it. Few messages for a worker that sleeps are handled
 * here and now, in the caller's thread (waker_borrow): at a low rate a datagram costs one wake-up
 * less on each of its ways. Otherwise the worker is woken. May block as the worker would.
 */
void worker_call(struct worker *worker, size_t received);

/* The agent with rings. */
extern const struct agent_ops worker_agent_ops;
void worker_wake(void *self);

/* ---- between the worker's own files ---- */

/*
 * classify.c: what came from the data port or a group in one piece, a datagram or a gro_batch. Each
 * datagram ends here, as a control message or a loop, or goes on to route.
 */
void classify_piece(struct worker *worker, const struct datagram *piece);

/* route.c: where requests go by the present snapshot: to the leader's relay port in frames, else
 * to its data port. */
struct relay_target route_find_leader(const struct worker *worker);
/* route.c: to our app, or as a probe. */
void route_deliver(struct worker *worker, const struct request *request);
/* route.c: tells the relay to whom copies go by the present snapshot. */
void route_find_members(struct worker *worker);
/* route.c: a request goes to an app, to the leader, or into hold. */
void route_request(struct worker *worker, const struct request *request);
/* route.c: the same for one that comes out of hold. */
void route_now(struct worker *worker, const struct request *request);
/* route.c: a frame from another pod: requests to route, or replies to send. What was sealed is
 * opened in its place. */
void route_frame(struct worker *worker, struct datagram *datagram);

#endif
