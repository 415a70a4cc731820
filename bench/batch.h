/*
 * batch: up to 64 datagrams for one recvmmsg or sendmmsg, in buffers that are allocated once.
 *
 * recvmmsg overwrites name length, control length and flags of the messages that it fills: only
 * those are set again before the next call, and only what it returned is looked at. Buffers lie an
 * odd number of cache lines apart: at 64 KiB apart they would all fight for the same cache sets.
 *
 * headless-bench keeps to its own few lines here instead of using the batches of the program that
 * it measures: a fault in those must not hide itself.
 *
 * Owner: one thread. Only init allocates. Sockets are non-blocking, so nothing blocks.
 */
#ifndef BENCH_BATCH_H
#define BENCH_BATCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "bench.h"

#define BATCH_SIZE    64
#define BATCH_STRIDE  (65536 + 192)
#define BATCH_CONTROL 64 /* room for one in6_pktinfo */

struct batch {
    uint8_t *buffers;
    unsigned used; /* messages that the last receive filled: to be armed again */
    struct mmsghdr messages[BATCH_SIZE];
    struct iovec vectors[BATCH_SIZE];
    struct sockaddr_storage names[BATCH_SIZE];
    _Alignas(16) uint8_t controls[BATCH_SIZE][BATCH_CONTROL];
};

/* Returns 0 or -ENOMEM. */
int batch_init(struct batch *batch) BENCH_MUST_USE;
void batch_fini(struct batch *batch);

static inline uint8_t *batch_buffer(const struct batch *batch, unsigned i)
{
    return batch->buffers + (size_t)i * BATCH_STRIDE;
}

/* Receive what is there. Returns how many, 0 for none, or a negative errno. */
int batch_receive(struct batch *batch, int fd) BENCH_MUST_USE;

/* Turn the first count received messages into answers to their senders, from where they came to. */
void batch_turn_around(struct batch *batch, unsigned count);

/* Make message i one of length bytes to `to` (NULL: where the socket is connected to). */
void batch_address(struct batch *batch, unsigned i, size_t length, struct sockaddr_storage *to,
                   socklen_t to_length);

/* What an errno of sending means for the message at hand. */
enum batch_error {
    BATCH_RETRY,  /* interrupted, or a pending ICMP error came in its place: send it once more */
    BATCH_FULL,   /* no room now: later */
    BATCH_REFUSE, /* this one cannot be sent, the next may be */
    BATCH_FATAL,  /* a bug of ours */
};
enum batch_error batch_classify_error(int error_number);

#endif
