/*
 * receiver: reads one kind of socket into its slab and deals the datagrams out to the workers.
 *
 *   socket ── recvmmsg ──► slab ── ring per worker ──► worker ── return ring per worker ──► slab
 *
 * The worker of a datagram is known only after the read: a keyed hash of the sender's address picks
 * one of the receiver's workers, so that a client (for relay frames: a sending thread of a pod) stays
 * with one worker and in order. So the rings carry pointers, and return rings bring the slots back.
 * Both are as large as the slab and can never be full. While the slab is empty the receiver waits for
 * a return and does not read: the kernel drops then, and its counter says so.
 *
 * GRO batches travel through the rings in one piece, as the kernel gave them; the worker splits them.
 *
 * One receiver each reads the data, multicast, relay and app sockets. Run to completion (workers: 0)
 * uses receiver_read and receiver_recycle without the rings.
 *
 * Owner: the receiver's thread. Other threads reach it only through the return rings.
 */
#ifndef DATA_INGRESS_RECEIVER_H
#define DATA_INGRESS_RECEIVER_H

#include "data/ingress/slab.h"
#include "headless/base/agent.h"
#include "headless/base/counters.h"
#include "headless/base/ring.h"
#include "headless/base/waker.h"
#include "headless/net/batch.h"

struct worker;

/* The pair of rings between one receiver and one worker. */
struct ring_pair {
    struct ring out;  /* receiver to worker: datagrams */
    struct ring back; /* worker to receiver: slots */
    struct worker *worker;
    /* Datagrams put into out (staged, dealt: the receiver's) and taken out of it (taken: the
     * worker's); each datagram of a GRO batch counts. */
    uint64_t staged;
    _Atomic uint64_t dealt;
    _Alignas(CACHE_LINE_BYTES) _Atomic uint64_t taken;
};

struct receiver {
    enum datagram_source source;
    const struct udp_socket *socket; /* NULL: SOURCE_APP */
    size_t batch;
    struct slab slab;
    struct inbox inbox;
    struct datagram *armed[BATCH_MAX];
    size_t armed_count;                   /* positions 0..armed_count-1 have buffers, except the */
    size_t used_count;                    /* first used_count, which the last read filled */
    struct datagram *received[BATCH_MAX]; /* of the last read */
    size_t pair_count;                    /* 0: run to completion */
    struct ring_pair *pairs;
    struct waker waker; /* sleeps here when the slab is empty */
    uint8_t hash_key[16];
    struct counters counters;
    struct agent agent;
};

/*
 * slots: slab size, a power of two, at least 2 * batch. workers: pairs to make, 0 for none.
 * Returns 0 or a negative errno; on failure nothing is left behind.
 */
int receiver_init(struct receiver *receiver, enum datagram_source source, size_t slots,
                  size_t batch, size_t workers) __attribute__((warn_unused_result));
void receiver_fini(struct receiver *receiver);

/*
 * One recvmmsg on fd with these flags (MSG_WAITFORONE, MSG_DONTWAIT). Returns the number of
 * datagrams in receiver->received, or a negative errno; -ENOBUFS when the slab is empty. session
 * goes into each.
 */
int receiver_read(struct receiver *receiver, int fd, const struct address *local, uint64_t session,
                  int flags);

/* Deals the last n received datagrams out to the pairs; publishes and calls each worker once. */
void receiver_dispatch(struct receiver *receiver, size_t n);

/* Gives slots back to the slab: from the return rings, or directly in run to completion. */
void receiver_reclaim(struct receiver *receiver);
void receiver_recycle(struct receiver *receiver, struct datagram *const *datagrams, size_t n);

/* Waits until a worker has given slots back, at most AGENT_IDLE_MAX_NS. */
void receiver_wait_for_slots(struct receiver *receiver);

/* The agent of a data, multicast or relay receiver: reads, deals out; blocks in recvmmsg when idle. */
extern const struct agent_ops receiver_agent_ops;

/* Any thread: datagrams read and not yet taken by a worker. */
uint64_t receiver_queued(const struct receiver *receiver);

#endif
