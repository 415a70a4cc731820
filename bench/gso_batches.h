/*
 * gso_batches: the messages of a batch as sendmmsg gets them: each alone, or neighbours of one
 * size in one send with UDP_SEGMENT, so that the kernel carries them as one and the receiver may
 * get them merged. The last of a GSO batch may be shorter (the kernel splits from the front).
 *
 * A GSO batch must not exceed 64 datagrams and 65,507 bytes, and its datagrams not the path's MTU:
 * with EMSGSIZE the kernel wants them singly, with EIO or EINVAL it has no UDP_SEGMENT.
 *
 * Owner: one thread. The buffers, iovecs and names stay the batch's. Nothing allocates or fails.
 */
#ifndef BENCH_GSO_BATCHES_H
#define BENCH_GSO_BATCHES_H

#include <stdbool.h>

#include "batch.h"

struct gso_batches {
    unsigned count;
    unsigned datagrams[BATCH_SIZE]; /* of each GSO batch, 1 or more */
    struct mmsghdr headers[BATCH_SIZE];
    _Alignas(16) uint8_t controls[BATCH_SIZE][CMSG_SPACE(sizeof(uint16_t))];
};

/* Make GSO batches of the messages first to end, merged or each alone. */
void gso_batches_build(struct gso_batches *t, struct batch *batch, unsigned first, unsigned end,
                       bool merge);

/* Number of datagrams in count GSO batches from number `from` on. */
unsigned gso_batches_datagrams(const struct gso_batches *t, unsigned from, unsigned count);

#endif
