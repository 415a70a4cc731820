/*
 * batch: up to 64 datagrams for one recvmmsg or sendmmsg, in buffers that are allocated once.
 *
 * recvmmsg overwrites name length, control length and flags of the messages that it fills: only
 * these are reset before the next call, and only the returned messages are read. Buffers are an
 * odd number of cache lines apart: at 64 KiB apart they would all map to the same cache sets.
 *
 * headless-bench has its own code here and does not use the batches of the program that it
 * measures: an error in those must not hide itself.
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
    unsigned used; /* messages that the last receive filled: reset before the next */
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

/* Receive the pending datagrams. Returns their number, 0 for none, or a negative errno. */
int batch_receive(struct batch *batch, int fd) BENCH_MUST_USE;

/* Turn the first count received messages into replies, from the address they were sent to. */
void batch_turn_around(struct batch *batch, unsigned count);

/* Make message i one of length bytes to `to` (NULL: the socket's peer). */
void batch_address(struct batch *batch, unsigned i, size_t length, struct sockaddr_storage *to,
                   socklen_t to_length);

/* Classes of errors of sendmmsg, for the first message not sent. */
enum batch_error {
    BATCH_RETRY,  /* interrupted, or a pending ICMP error was reported instead: send it again */
    BATCH_FULL,   /* no room now: send it later */
    BATCH_REFUSE, /* this message cannot be sent, the next may be */
    BATCH_FATAL,  /* a bug in this program */
};
enum batch_error batch_classify_error(int error_number);

#endif
