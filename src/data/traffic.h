/*
 * traffic: how many requests went to each member and came from each.
 *
 * By member index, which the supervisor assigns (control/peers.h). The numbers only grow; the
 * traffic of the member at an index is the difference between two readings, and so are the requests
 * that were relayed to a leader that died.
 *
 * Single writer, its worker's thread; any thread reads.
 */
#ifndef DATA_TRAFFIC_H
#define DATA_TRAFFIC_H

#include "headless/data/leader_snapshot.h"

struct traffic {
    _Atomic uint64_t relayed[MEMBERS_MAX];
    _Atomic uint64_t received[MEMBERS_MAX];
};

/* counts: one of the two arrays. A member without a slot is not counted. */
static inline void traffic_add(_Atomic uint64_t *counts, uint16_t slot, uint64_t n)
{
    if (slot >= MEMBERS_MAX)
        return;
    atomic_store_explicit(&counts[slot],
                          atomic_load_explicit(&counts[slot], memory_order_relaxed) + n,
                          memory_order_relaxed);
}

#endif
