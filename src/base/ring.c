#include "headless/base/ring.h"

#include <errno.h>
#include <stdlib.h>

int ring_init(struct ring *ring, uint32_t capacity, uint32_t start)
{
    void **slots;

    if (capacity < 2 || capacity > (UINT32_C(1) << 30) || (capacity & (capacity - 1)))
        return -EINVAL;
    slots = calloc(capacity, sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    *ring = (struct ring){
        .slots = slots,
        .mask = capacity - 1,
        .staged = start,
        .head_seen = start,
        .taken = start,
        .tail_seen = start,
    };
    atomic_init(&ring->tail, start);
    atomic_init(&ring->head, start);
    return 0;
}

void ring_fini(struct ring *ring)
{
    free(ring->slots);
    ring->slots = NULL;
}
