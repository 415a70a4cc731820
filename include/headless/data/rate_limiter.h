/*
 * limiter: how many datagrams one source may send: a token bucket for each, in a table of fixed size.
 *
 * A source is what one party can hardly have many of: an IPv4 address; of IPv6 the /64, within
 * which a host takes any address it likes. Link-local addresses count one by one, since all hosts
 * of a link share one /64. Ports do not count.
 *
 * A bucket is one number, the moment at which it will be full again (base/budget.h has the same):
 * the time until then, in nanoseconds, is what its source has used up. A full bucket therefore says
 * the same as none, and its place is free. A change of the rule keeps what was used up, but never
 * more than the new bucket holds.
 *
 * The table is set-associative: a keyed hash of the source picks a set of RATE_LIMITER_WAYS buckets, all
 * of which are looked at. The key is drawn at start, so nobody can aim at a set; the hash stands
 * for the source, of which two are taken for one once in 2^64 pairs.
 *
 * A set without a free place: the fullest bucket makes room, that of the source which has used up
 * least. It gets its few tokens back early, and is counted. So
 *   - a source within its rate is never refused, however many others there are, spoofed or not: no
 *     newcomer is turned away, and who is forgotten gains;
 *   - a flood of spoofed sources, of few datagrams each, pushes out its own kind. Who sends far
 *     above the rate has used up most, and stays known;
 *   - who has as many addresses as there are places can make us forget. A limiter per source does not
 *     hold such a one anyway.
 *
 * Owner: one working thread. Others have tables of their own, so that nothing is shared or locked;
 * a client (address and port) stays with one of them, but a source with several ports may be dealt
 * out to several and then has a bucket in each. The rate is not divided among them: a source of one
 * port would get only its share. What the tables of all let through together is at most the number
 * of working threads times the rate.
 *
 * Nothing here blocks; only init allocates, memory that is not touched before it is used.
 * Technique: generic cell rate algorithm (ITU-T I.371), as a virtual schedule.
 */
#ifndef HEADLESS_DATA_RATE_LIMITER_H
#define HEADLESS_DATA_RATE_LIMITER_H

#include <stdint.h>

#include "headless/base/address.h"
#include "headless/base/counters.h"

#define RATE_LIMITER_WAYS 8    /* two cache lines */
#define RATE_LIMITER_SETS 2048 /* a power of two; with the ways 16,384 sources, 256 KiB */

/* Of all sources. */
struct rate_limit {
    uint64_t period_ns; /* in which one token comes back; 0: no limiter */
    uint64_t depth_ns;  /* in which an empty bucket is full: burst times period */
};

struct token_bucket {
    uint64_t source;     /* hash of it; 0: free */
    uint64_t full_at_ns; /* when it will be full, or has been */
};

struct rate_limiter {
    struct token_bucket *buckets; /* set after set */
    uint8_t key[16];
    struct counters *counters;
};

/* rate: datagrams a second, 1 to 10^9, or 0: no limiter. burst: at once, 1 to 10^6. The period is
 * rounded up, so the limiter is below the rate by at most rate / 10^9 of it. */
struct rate_limit rate_limit_make(uint32_t rate, uint32_t burst);

/* Returns 0 or -ENOMEM. counters: of the owner. */
int rate_limiter_init(struct rate_limiter *limiter, struct counters *counters)
    __attribute__((warn_unused_result));
void rate_limiter_fini(struct rate_limiter *limiter);

/* n datagrams have come from source: how many of them may pass? Those are paid for, the others cost
 * nothing. The rule has a limiter. */
uint32_t rate_limiter_take(struct rate_limiter *limiter, const struct rate_limit *rule,
                           const struct address *source, uint32_t n, uint64_t now_ns);

#endif
