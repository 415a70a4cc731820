/*
 * trains: the messages of a batch as sendmmsg gets them: each alone, or neighbours of one size in
 * one send with UDP_SEGMENT, so that the kernel carries them as one and the receiver may get them
 * merged. The last of a train may be shorter (the kernel cuts from the front).
 *
 * A train must not exceed 64 datagrams and 65,507 bytes, and its datagrams not the path's MTU: a
 * kernel that says EMSGSIZE wants them singly, one that says EIO or EINVAL has no UDP_SEGMENT.
 *
 * Owner: one thread. The buffers, iovecs and names stay the batch's. Nothing allocates or fails.
 */
#ifndef BENCH_TRAINS_H
#define BENCH_TRAINS_H

#include <stdbool.h>

#include "batch.h"

struct trains {
    unsigned count;
    unsigned datagrams[BATCH_SIZE]; /* of each train, 1 or more */
    struct mmsghdr headers[BATCH_SIZE];
    _Alignas(16) uint8_t controls[BATCH_SIZE][CMSG_SPACE(sizeof(uint16_t))];
};

/* Make trains of the messages first to end, merged or each alone. */
void trains_build(struct trains *t, struct batch *batch, unsigned first, unsigned end, bool merge);

/* How many datagrams the first count trains from number `from` on have. */
unsigned trains_datagrams(const struct trains *t, unsigned from, unsigned count);

#endif
