/*
 * receiver: reads one kind of socket into its slab and deals the datagrams out to the workers.
 *
 *   socket ── recvmmsg ──► slab ── ring per worker ──► worker ── return ring per worker ──► slab
 *
 * The worker of a datagram is known only after the read: among the receiver's, by a keyed hash of
 * the sender's address, so one client (for relay frames: one sending thread of a pod) stays with
 * one worker and in order. So the rings carry pointers, and return rings bring the slots back; both
 * are as large as the slab and can never be full. When the slab is empty the receiver waits for a
 * return and does not read: the kernel drops then, and its counter says so.
 *
 * Trains travel through the rings in one piece, as the kernel gave them; the worker takes them
 * apart.
 *
 * The data, group, relay and app's sockets are all read by this one piece of code.
 * Run to completion (workers: 0) uses receiver_read and receiver_recycle without the rings.
 *
 * Owner: the receiver's thread. The return rings are the only way in from other threads.
 */
#ifndef DATA_INGRESS_RECEIVER_H
#define DATA_INGRESS_RECEIVER_H

#include "data/ingress/slab.h"
#include "headless/base/agent.h"
#include "headless/base/counters.h"
#include "headless/base/ring.h"
#include "headless/base/waker.h"
#include "headless/net/batch.h"

#define WORKERS_MAX 16

struct worker;

/* The pair of rings between one receiver and one worker. */
struct ring_pair {
    struct ring out;  /* receiver to worker: datagrams */
    struct ring back; /* worker to receiver: slots */
    struct worker *worker;
    /* Datagrams, those of gso_batches included, into out and out of it: by the receiver, by the worker.
     */
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
    size_t armed_count;                   /* positions 0..armed_count-1 have buffers, but for the */
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

/* Deal the last n received out to the pairs; publish and call the worker, once each. */
void receiver_dispatch(struct receiver *receiver, size_t n);

/* Slots back into the slab: from the return rings, or directly in run to completion. */
void receiver_reclaim(struct receiver *receiver);
void receiver_recycle(struct receiver *receiver, struct datagram *const *datagrams, size_t n);

/* Wait until a worker gave slots back, at most AGENT_IDLE_MAX_NS. */
void receiver_wait_for_slots(struct receiver *receiver);

/* The agent of a data, group or relay receiver: reads, deals out; blocks in recvmmsg when idle. */
extern const struct agent_ops receiver_agent_ops;

/* Any thread: datagrams read and not yet taken by a worker. */
uint64_t receiver_queued(const struct receiver *receiver);

#endif
