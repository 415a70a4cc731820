/*
 * histogram: counts of durations in fixed memory, with a bounded error.
 *
 * Log-linear buckets: below 128 every value has its own bucket, above that each power of two is cut
 * into 128 equal ones. So the whole range of uint64_t fits into 7,424 counters (58 KiB), a bucket
 * is never wider than 1/128 of its values, and recording is one shift and one addition. A
 * percentile is reported as the upper end of its bucket, cut to the largest value seen: never below
 * the exact value, and above it by less than 0.79 %. Count, minimum, maximum and mean are exact.
 *
 * Owner: one thread. To combine threads, give each its own and merge them after the threads have
 * ended. Nothing here blocks, allocates or fails.
 * Units: any, the project uses nanoseconds. A zeroed struct is NOT an empty histogram: init it.
 *
 * Technique: Gil Tene's HdrHistogram, with the precision fixed at compile time.
 */
#ifndef HEADLESS_BASE_HISTOGRAM_H
#define HEADLESS_BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS    7
#define HISTOGRAM_SUB_BUCKETS (UINT64_C(1) << HISTOGRAM_SUB_BITS)
#define HISTOGRAM_BUCKETS     ((64 - HISTOGRAM_SUB_BITS + 1) * HISTOGRAM_SUB_BUCKETS)

struct histogram {
    uint64_t count;
    uint64_t min;      /* UINT64_MAX while empty */
    uint64_t max;      /* 0 while empty */
    uint64_t sum_low;  /* the sum of all values has 128 bits: */
    uint64_t sum_high; /* 10^9 values of 18 s exceed 2^64 ns */
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_init(struct histogram *h);

void histogram_record(struct histogram *h, uint64_t value);

/* Add all values of `from`: the result is the same as if h had recorded them. */
void histogram_merge(struct histogram *h, const struct histogram *from);

/*
 * The smallest reported value that at least `percent` of all values do not exceed. 0 (and less)
 * gives the exact minimum, 100 (and more) the exact maximum; 0 while empty.
 */
uint64_t histogram_percentile(const struct histogram *h, double percent);

/* The exact mean, 0 while empty. */
double histogram_mean(const struct histogram *h);

/* The exact minimum, 0 while empty (the field is UINT64_MAX then). */
uint64_t histogram_min(const struct histogram *h);

#endif
