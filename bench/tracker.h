/*
 * tracker: the flows that send to the sink: each flow of each run with its sequence numbers.
 *
 * A hash table of fixed size: at most TRACKER_FLOWS flows, each with a window of 8,192 numbers (4
 * MiB of bits in all, touched as flows appear). Datagrams of further flows are counted as
 * untracked only. Owner: one thread. Only init allocates.
 */
#ifndef BENCH_TRACKER_H
#define BENCH_TRACKER_H

#include <stdbool.h>
#include <stdint.h>

#include "bench.h"
#include "payload.h"
#include "window.h"

#define TRACKER_FLOWS  UINT64_C(4096)
#define TRACKER_SLOTS  (2 * TRACKER_FLOWS)
#define TRACKER_WINDOW UINT64_C(8192)

struct tracked_flow {
    uint64_t run; /* 0: free */
    uint16_t flow;
    struct window window;
};

struct tracker {
    struct tracked_flow *slots; /* TRACKER_SLOTS, open addressing */
    uint64_t *bits;
    struct tracked_flow *last; /* datagrams of a flow come in bursts */
    unsigned flows;
};

/* Returns 0 or -ENOMEM. */
int tracker_init(struct tracker *t) BENCH_MUST_USE;
void tracker_fini(struct tracker *t);

/* The flow of a good datagram, new or known; NULL when the table is full. */
struct tracked_flow *tracker_find(struct tracker *t, const struct payload *p);

/* The unique datagrams of a run; false when it is unknown, with *ret_unique untouched. */
bool tracker_count(const struct tracker *t, uint64_t run, uint64_t *ret_unique);

/* Missing numbers of all flows together. */
uint64_t tracker_gaps(const struct tracker *t);

#endif
