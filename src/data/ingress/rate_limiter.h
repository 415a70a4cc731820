/*
 * rate_limiter: how many datagrams one source may send: a token bucket for each, in a table of fixed
 * size.
 *
 * A source is an address range of which one party rarely has many: an IPv4 address; of IPv6 the /64,
 * within which a host takes any address. Link-local addresses count one by one, since all hosts of a
 * link share one /64. Ports do not count.
 *
 * A bucket is one number, the time at which it will be full again (as in base/budget.h): the time
 * until then, in nanoseconds, is what its source has used. A full bucket therefore equals a missing
 * one, and its entry is free. A change of the rate keeps what was used, but never more than the new
 * bucket holds.
 *
 * The table is set-associative: a keyed hash of the source picks a set of RATE_LIMITER_WAYS buckets,
 * all of which are compared. The key is drawn at start, so that a sender cannot choose its set. The
 * hash stands for the source; two sources have one hash once in 2^64 pairs.
 *
 * In a set without a free entry, the fullest bucket is replaced, that of the source which has used
 * least. That source gets its few tokens back early, and this is counted. So
 *   - a source within its rate is never refused, however many others there are, spoofed or not: a new
 *     source always gets a bucket, and a replaced one gains
 *   - a flood of spoofed sources, of few datagrams each, replaces its own buckets. A source far above
 *     the rate has used most and keeps its bucket
 *   - a party with as many addresses as the table has entries can empty it. A limit per source does
 *     not stop such a party anyway
 *
 * Owner: one worker thread. Each has a table of its own, so that nothing is shared or locked. A
 * client (address and port) stays with one worker, but a source with several ports may be dealt out
 * to several workers and then has a bucket in each. The rate is not divided among them: a source with
 * one port would get only its share. All tables together let through at most the number of workers
 * times the rate.
 *
 * Nothing here blocks; only init allocates, memory that is not touched before it is used.
 * Technique: generic cell rate algorithm (ITU-T I.371), as a virtual schedule.
 */
#ifndef DATA_INGRESS_RATE_LIMITER_H
#define DATA_INGRESS_RATE_LIMITER_H

#include <stdint.h>

#include "headless/base/address.h"
#include "headless/base/counters.h"
#include "headless/data/ingress_filter.h"

#define RATE_LIMITER_WAYS 8    /* two cache lines */
#define RATE_LIMITER_SETS 2048 /* a power of two; with the ways 16,384 sources, 256 KiB */

struct token_bucket {
    uint64_t source;     /* hash of it; 0: free */
    uint64_t full_at_ns; /* when it will be full, or has been */
};

struct rate_limiter {
    struct token_bucket *buckets; /* set after set */
    uint8_t key[16];
    struct counters *counters;
};

/* rate: datagrams a second, 1 to 10^9, or 0: no limit. burst: at once, 1 to 10^6. The period is
 * rounded up, so the limit is below the rate by at most rate / 10^9 of it. */
struct rate_limit rate_limit_make(uint32_t rate, uint32_t burst);

/* Returns 0 or -ENOMEM. counters: of the owner. */
int rate_limiter_init(struct rate_limiter *limiter, struct counters *counters)
    __attribute__((warn_unused_result));
void rate_limiter_fini(struct rate_limiter *limiter);

/* Returns how many of n datagrams of this source pass: only these use tokens. The rule has a limit. */
uint32_t rate_limiter_take(struct rate_limiter *limiter, const struct rate_limit *rule,
                           const struct address *source, uint32_t n, uint64_t now_ns);

#endif
