/*
 * distribution: how values spread over a few fixed buckets, as Prometheus' histograms do.
 *
 * Declared once, in the table: one row is one metric, with the upper bounds of its buckets. For
 * what runs all the time beside the counters (counters.h), under the same rules: each thread has
 * its own, a value costs a few comparisons and two plain additions, readers sum. For exact
 * percentiles there is histogram.h, which takes 58 KiB each.
 *
 * The number of values is the sum of the buckets, so a reader never sees the two differ; the sum of
 * the values may be of a moment later.
 *
 * Owner: one thread observes, any reads. Nothing blocks, allocates or fails. A zeroed struct is
 * empty.
 */
#ifndef HEADLESS_BASE_DISTRIBUTION_H
#define HEADLESS_BASE_DISTRIBUTION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISTRIBUTION_BOUNDS 13
#define DISTRIBUTION_BUCKETS \
    (DISTRIBUTION_BOUNDS + 1) /* the last one is for all that is larger \
                               */

#define DISTRIBUTION_US UINT64_C(1000)
#define DISTRIBUTION_MS UINT64_C(1000000)

/*
 * X(id, metric without "headlessd_", is_time, help, upper bounds in rising order). Times are
 * nanoseconds, and seconds where they are shown; else the metric's name says what is counted.
 */
#define DISTRIBUTIONS(X)                                                                          \
    X(RECEIVE_BATCH, "receive_batch_datagrams", false,                                            \
      "Datagrams that one system call received; merged ones count each", 1, 2, 4, 8, 16, 32, 64,  \
      128, 256, 512, 1024, 4096)                                                                  \
    X(SEND_GSO_BATCH, "send_gso_batch_datagrams", false,                                          \
      "Datagrams that the kernel was given in one piece, to be cut up", 1, 2, 4, 8, 16, 32, 64)   \
    X(HEARTBEAT, "heartbeat_round_trip_seconds", true,                                            \
      "From a heartbeat of this pod, while it leads, to its answer", 50 * DISTRIBUTION_US,        \
      100 * DISTRIBUTION_US, 250 * DISTRIBUTION_US, 500 * DISTRIBUTION_US, 1 * DISTRIBUTION_MS,   \
      2500 * DISTRIBUTION_US, 5 * DISTRIBUTION_MS, 10 * DISTRIBUTION_MS, 25 * DISTRIBUTION_MS,    \
      50 * DISTRIBUTION_MS, 100 * DISTRIBUTION_MS, 250 * DISTRIBUTION_MS, 1000 * DISTRIBUTION_MS) \
    X(HOLD, "time_in_hold_seconds", true,                                                         \
      "How long requests were held for want of a leader, whatever became of them",                \
      1 * DISTRIBUTION_MS, 5 * DISTRIBUTION_MS, 10 * DISTRIBUTION_MS, 25 * DISTRIBUTION_MS,       \
      50 * DISTRIBUTION_MS, 100 * DISTRIBUTION_MS, 250 * DISTRIBUTION_MS, 500 * DISTRIBUTION_MS,  \
      1000 * DISTRIBUTION_MS, 2000 * DISTRIBUTION_MS, 5000 * DISTRIBUTION_MS,                     \
      10000 * DISTRIBUTION_MS)

#define DISTRIBUTION_ENUM(id, metric, is_time, help, ...) DISTRIBUTION_##id,
enum distribution_id { DISTRIBUTIONS(DISTRIBUTION_ENUM) DISTRIBUTION_COUNT };
#undef DISTRIBUTION_ENUM

/* As it is exposed. */
struct distribution_info {
    const char *metric, *help;
    bool is_time;
    uint64_t bounds[DISTRIBUTION_BOUNDS]; /* 0: there are no more */
};
extern const struct distribution_info distribution_table[DISTRIBUTION_COUNT];

/* One thread's. */
struct distribution {
    _Atomic uint64_t buckets[DISTRIBUTION_BUCKETS], sum;
};

/* What a reader makes of all threads'. */
struct distribution_sum {
    uint64_t buckets[DISTRIBUTION_BUCKETS], sum;
};

/* Bounds of this metric; the bucket for what is larger than all is the one of this number. */
size_t distribution_bound_count(enum distribution_id id);

/* The bucket of a value. */
size_t distribution_bucket(enum distribution_id id, uint64_t value);

/* Owner thread only: n values, in this bucket, of this sum. Plain adds, visible to readers. */
static inline void distribution_add(struct distribution *one, size_t bucket, uint64_t n,
                                    uint64_t sum)
{
    _Atomic uint64_t *count = &one->buckets[bucket];

    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + n,
                          memory_order_relaxed);
    atomic_store_explicit(&one->sum, atomic_load_explicit(&one->sum, memory_order_relaxed) + sum,
                          memory_order_relaxed);
}

/* Any thread: add all distributions of one thread to those of ret_sums. */
void distributions_collect(const struct distribution threads[static DISTRIBUTION_COUNT],
                           struct distribution_sum ret_sums[static DISTRIBUTION_COUNT]);

/* How many values that are. */
uint64_t distribution_count(const struct distribution_sum *sum);

#endif
