/*
 * gso_batches: the messages of a batch as sendmmsg gets them: each alone, or neighbours of one size in
 * one send with UDP_SEGMENT, so that the kernel carries them as one and the receiver may get them
 * merged. The last of a gso_batch may be shorter (the kernel cuts from the front).
 *
 * A gso_batch must not exceed 64 datagrams and 65,507 bytes, and its datagrams not the path's MTU: a
 * kernel that says EMSGSIZE wants them singly, one that says EIO or EINVAL has no UDP_SEGMENT.
 *
 * Owner: one thread. The buffers, iovecs and names stay the batch's. Nothing allocates or fails.
 */
#ifndef BENCH_GSO_BATCHES_H
#define BENCH_GSO_BATCHES_H

#include <stdbool.h>

#include "batch.h"

struct gso_batches {
    unsigned count;
    unsigned datagrams[BATCH_SIZE]; /* of each gso_batch, 1 or more */
    struct mmsghdr headers[BATCH_SIZE];
    _Alignas(16) uint8_t controls[BATCH_SIZE][CMSG_SPACE(sizeof(uint16_t))];
};

/* Make gso_batches of the messages first to end, merged or each alone. */
void gso_batches_build(struct gso_batches *t, struct batch *batch, unsigned first, unsigned end,
                       bool merge);

/* How many datagrams the first count gso_batches from number `from` on have. */
unsigned gso_batches_datagrams(const struct gso_batches *t, unsigned from, unsigned count);

#endif
