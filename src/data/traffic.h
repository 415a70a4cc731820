/*
 * traffic: how many requests went to each member and came from each, by member index.
 *
 * The supervisor assigns the indices (control/peers.h). The numbers only grow: the requests of one
 * member are the difference of two values, and so are the requests that were relayed to a leader
 * that died.
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

/* counts: one of the two arrays. A member without an index is not counted. */
static inline void traffic_add(_Atomic uint64_t *counts, uint16_t member_index, uint64_t n)
{
    if (member_index >= MEMBERS_MAX)
        return;
    atomic_store_explicit(&counts[member_index],
                          atomic_load_explicit(&counts[member_index], memory_order_relaxed) + n,
                          memory_order_relaxed);
}

#endif
