/*
 * worker: takes datagrams from the receivers and sends each on its way.
 *
 *   take (worker.c) ─► classify (classify.c) ─► route (route.c) ─┬─ app.c, app_udp.c
 *                                                                ├─ relay.c
 *                                            answers ─► reply.c  └─ hold.c
 *
 * One slice: load the view, release what was held if there is a leader; for each input load the
 * view again, take up to a batch, route each, flush every outbox, give the slots back. Nothing is
 * allocated or locked in it.
 *
 * Everything in struct worker belongs to the worker's thread, except counters, traffic, hold count
 * and session count, which anyone may read, and what goes to the supervisor: the mailbox's other
 * end, and refused_instance.
 */
#ifndef HEADLESS_DATA_WORKER_H
#define HEADLESS_DATA_WORKER_H

#include "headless/base/budget.h"
#include "headless/data/app.h"
#include "headless/data/gate.h"
#include "headless/data/hold.h"
#include "headless/data/mailbox.h"
#include "headless/data/sequence.h"

/* Data, relay and group receivers, one app reader. */
#define WORKER_INPUTS_MAX (2 * WORKERS_MAX + CONFIG_GROUPS_MAX + 1)

/* One receiver's rings to this worker. */
struct worker_input {
    struct receiver_lane *lane;
    struct waker *receiver_waker;
};

struct worker {
    size_t index;
    const struct config *config;
    const struct identity *identity;
    struct view_board *board;
    struct view_reader reader;
    const struct udp_socket *data_socket;

    size_t input_count; /* 0: run to completion */
    struct worker_input inputs[WORKER_INPUTS_MAX];
    struct waker waker;

    struct gate gate;
    struct relay relay;
    struct traffic traffic;
    struct replier replier;
    struct hold hold;
    struct app app;
    struct sequence *sequence; /* NULL: the route is not ordered */
    struct mailbox mailbox;
    struct budget bad_json_answers;
    struct limit limit;     /* what each source has used up */
    struct budget refusals; /* of commands: so many go to the supervisor, who tells */
    struct sign_seen seen;

    const struct view *view;    /* of this slice */
    uint64_t generation;        /* of that view */
    uint64_t now_ns;            /* of this slice */
    uint64_t until_ns;          /* asleep: until then */
    bool is_ending;             /* no slice may come after this one */
    struct relay_target leader; /* of this view */
    enum view_way way;          /* of this slice: what is done with requests */
    struct relay_target
        members[VIEW_MEMBERS_MAX]; /* to whom copies go: the live ones but us, of this view */
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
    struct view_board *board;
    const struct udp_socket *data_socket;
    struct waker *supervisor_waker; /* woken for a command */
    struct replay_window *windows;  /* gate.h */
    size_t index, worker_count;
    size_t rcvbuf_bytes; /* what a socket is granted: paces the release of held ones */
};

int worker_init(struct worker *worker, const struct worker_setup *setup)
    __attribute__((warn_unused_result));
void worker_fini(struct worker *worker);

/* Before the threads start: take from this lane. */
void worker_attach(struct worker *worker, struct receiver_lane *lane, struct waker *receiver_waker);

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
 * classify.c: what came from the data port or a group in one piece, a datagram or a train. Each
 * datagram ends here, as a control message or a loop, or goes on to route.
 */
void classify_piece(struct worker *worker, const struct datagram *piece);

/* route.c: where requests go by the present view: to the leader's relay port in frames, else to its
 * data port. */
struct relay_target route_find_leader(const struct worker *worker);
/* route.c: to our app, or as a probe. */
void route_deliver(struct worker *worker, const struct request *request);
/* route.c: tells the relay to whom copies go by the present view. */
void route_find_members(struct worker *worker);
/* route.c: a request goes to an app, to the leader, or into hold. */
void route_request(struct worker *worker, const struct request *request);
/* route.c: the same for one that comes out of hold. */
void route_now(struct worker *worker, const struct request *request);
/* route.c: a frame from another pod: requests to route, or answers to send. What was sealed is
 * opened in its place. */
void route_frame(struct worker *worker, struct datagram *datagram);

#endif
