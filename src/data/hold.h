/*
 * hold: keeps requests while no leader is valid.
 *
 * One arena of fixed size a worker (base/arena_queue.h): requests come out in order. When it is
 * full, the oldest are dropped (hold_overflow); so are those older than hold.time (hold_expired).
 * The release is paced, since a new leader's socket cannot take seconds of traffic at once: at most
 * a quarter of a receive buffer per HOLD_RELEASE_PERIOD_NS, so that four pods may release at once.
 *
 * Owner: its worker's thread. Never blocks; only init allocates, and arena memory that was never
 * used is never touched.
 */
#ifndef DATA_HOLD_H
#define DATA_HOLD_H

#include "headless/base/arena_queue.h"
#include "headless/base/clock.h"
#include "headless/base/counters.h"
#include "headless/data/request.h"

#define HOLD_RELEASE_PERIOD_NS (2 * NS_PER_MS)
#define HOLD_RELEASE_MAX       64 /* at once: the leader's time may be over meanwhile */

struct hold {
    struct arena_queue queue;   /* of 0 bytes: every request is dropped at once */
    size_t release_bytes;       /* per period, at first */
    size_t pace_bytes;          /* per period now: doubled while more arrives than is released */
    size_t used_before_release; /* bytes held before the last release; 0: none since it was empty */
    size_t left_bytes;          /* of this period */
    uint64_t next_release_ns;
    _Atomic uint64_t count; /* requests held; written by the owner, read by anyone */
    struct counters *counters;
};

int hold_init(struct hold *hold, size_t arena_bytes, size_t release_bytes,
              struct counters *counters) __attribute__((warn_unused_result));
void hold_fini(struct hold *hold);

/* Bytes per period at first, from now on: a quarter of the buffer that receives them. */
void hold_set_pace(struct hold *hold, size_t release_bytes);

/* Copies a request in. It, or older ones, may be dropped instead, each counted. */
void hold_put(struct hold *hold, const struct request *request, uint64_t now_ns);

/* Drops requests older than limit_ns. */
void hold_expire(struct hold *hold, uint64_t limit_ns, uint64_t now_ns);

/*
 * Passes the oldest to each(), in order, within the pace, at most HOLD_RELEASE_MAX. each() must not
 * call hold functions. The requests' payloads stay valid until the next hold_put. Returns
 * how many.
 */
size_t hold_release(struct hold *hold, uint64_t now_ns,
                    void (*each)(void *context, const struct request *request), void *context);

/* The same for one request, whatever the pace. */
size_t hold_release_one(struct hold *hold, uint64_t now_ns,
                        void (*each)(void *context, const struct request *request), void *context);

/* Drops all, under this reason. */
void hold_clear(struct hold *hold, enum drop_reason reason, uint64_t now_ns);

static inline bool hold_is_empty(const struct hold *hold)
{
    return hold->queue.used == 0;
}

/* Any thread. */
static inline uint64_t hold_count(const struct hold *hold)
{
    return atomic_load_explicit(&hold->count, memory_order_relaxed);
}

#endif
