/*
 * worker: takes datagrams from the receivers and sends each on its way.
 *
 *   worker.c ─► classify.c ─► route.c ─┬─► app.c, udp_app.c
 *                                      ├─► relay.c
 *               replies ──► reply.c    └─► hold.c
 *
 * One slice: load the snapshot, release held requests if there is a leader; for each input load the
 * snapshot again, take up to a batch, route each, flush every outbox, give the slots back. Nothing
 * is allocated or locked in a slice.
 *
 * struct worker has threads, rings, snapshot reader and timers; struct routing (route.h) and struct
 * classifier (classify.h) have the rest. All belongs to the worker's thread, except what those
 * headers name, and refused_instance.
 */
#ifndef DATA_WORKER_H
#define DATA_WORKER_H

#include "data/ingress/classify.h"
#include "data/ingress/receiver.h"
#include "data/sequencer_runner.h"
#include "headless/data/data_plane.h"

/* Data, relay and group receivers, one app reader. */
#define WORKER_INPUTS_MAX (2 * WORKERS_MAX + CONFIG_GROUPS_MAX + 1)

/* One receiver's rings to this worker. */
struct worker_input {
    struct ring_pair *pair;
    struct waker *receiver_waker;
    bool is_app; /* of the app's reader */
};

struct worker {
    size_t index, worker_count;
    const struct config *config;
    struct snapshot_publisher *publisher;
    struct snapshot_reader reader;

    size_t input_count; /* 0: run to completion */
    struct worker_input inputs[WORKER_INPUTS_MAX];
    struct waker waker;

    struct routing routing;
    struct classifier classifier;

    uint64_t generation; /* of the slice's snapshot */
    bool is_ending;      /* no slice may come after this one */
    bool withholds_app;  /* in this slice, the app's replies are not read: see worker_begin */
    uint64_t followed;   /* the generation by which the kept frames' leader was set */
    bool had_former;     /* routing.has_former of the slice before */
    uint64_t until_ns;   /* asleep: until then */
    uint64_t next_tick_ns;
    uint64_t again_ns;     /* requests of a lost leader: the next portion to the own app */
    size_t own_pace_bytes; /* released per period where the leader's buffer is not known */
    /* A leader whose host refused our frames; the supervisor takes it by writing 0. */
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
    struct app_shared *app_shared;
    struct kept_mail *mails; /* of all workers; NULL: nothing is kept */
    size_t index, worker_count;
    size_t rcvbuf_bytes; /* what a socket is granted: paces the release of held requests */
};

int worker_init(struct worker *worker, const struct worker_setup *setup)
    __attribute__((warn_unused_result));
void worker_fini(struct worker *worker);

/* Before the threads start: take from this pair. */
void worker_attach(struct worker *worker, struct ring_pair *pair, struct waker *receiver_waker);

/*
 * A slice: begin, upkeep (held requests and timers; returns how much it did), handle up to a batch
 * of datagrams, flush. Their memory is free after the flush. Begin again before each batch: sending
 * may have waited, and the leader's time may be over.
 *
 * While this pod leads without a valid lease, what its app sends stays unread: it would be fenced. The
 * lease may be valid again, if no other leader was elected, and then the replies leave.
 */
void worker_begin(struct worker *worker);
size_t worker_upkeep(struct worker *worker);
void worker_handle(struct worker *worker, const struct datagram *piece);
void worker_flush(struct worker *worker);

/* Before a slice that may be the last: from now on nothing waits for a later slice. */
void worker_end(struct worker *worker);

/* The longest sleep while nothing arrives. */
uint64_t worker_sleep_ns(const struct worker *worker);

/*
 * A receiver's thread has published input for this worker. A few messages for a worker that sleeps
 * are handled in the caller's thread (waker_borrow): at a low rate this saves a datagram one wake-up
 * at each pod. Otherwise the worker is woken. May block as the worker would.
 */
void worker_call(struct worker *worker, size_t received);

/* The agent with rings. */
extern const struct agent_ops worker_agent_ops;
void worker_wake(void *self);

#endif
