/*
 * distribution: a histogram with a few fixed buckets, as Prometheus has them.
 *
 * Declared once, in the table: one row is one metric, with the upper bounds of its buckets. The
 * rules are those of the counters (counters.h): each thread has its own, a value costs a few
 * comparisons and two plain additions, readers sum. histogram.h has exact percentiles, and takes
 * 58 KiB each.
 *
 * The number of values is the sum of the buckets, so a reader never sees the two differ; the sum of
 * the values may be slightly newer than the buckets.
 *
 * Threads: one adds, any reads. Nothing blocks, allocates or fails. A zeroed struct is empty.
 */
#ifndef HEADLESS_BASE_DISTRIBUTION_H
#define HEADLESS_BASE_DISTRIBUTION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISTRIBUTION_BOUNDS  13
/* One more than bounds: the last bucket takes all larger values. */
#define DISTRIBUTION_BUCKETS (DISTRIBUTION_BOUNDS + 1)

#define DISTRIBUTION_US      UINT64_C(1000)
#define DISTRIBUTION_MS      UINT64_C(1000000)

/*
 * X(id, metric without "headlessd_", is_time, help, upper bounds in rising order). Times are
 * recorded in nanoseconds and shown in seconds.
 */
#define DISTRIBUTIONS(X)                                                                         \
    X(RECEIVE_BATCH, "receive_batch_datagrams", false,                                           \
      "Datagrams received by one system call; each datagram of a GRO batch counts", 1, 2, 4, 8,  \
      16, 32, 64, 128, 256, 512, 1024, 4096)                                                     \
    X(SEND_GSO_BATCH, "send_gso_batch_datagrams", false,                                         \
      "Datagrams in one message handed to the kernel (GSO batch; 1: a single one)", 1, 2, 4, 8,  \
      16, 32, 64)                                                                                \
    X(HEARTBEAT, "heartbeat_round_trip_seconds", true,                                           \
      "Time from a heartbeat of this pod as leader to the member's acknowledgement",             \
      50 * DISTRIBUTION_US, 100 * DISTRIBUTION_US, 250 * DISTRIBUTION_US, 500 * DISTRIBUTION_US, \
      1 * DISTRIBUTION_MS, 2500 * DISTRIBUTION_US, 5 * DISTRIBUTION_MS, 10 * DISTRIBUTION_MS,    \
      25 * DISTRIBUTION_MS, 50 * DISTRIBUTION_MS, 100 * DISTRIBUTION_MS, 250 * DISTRIBUTION_MS,  \
      1000 * DISTRIBUTION_MS)                                                                    \
    X(HOLD, "time_in_hold_seconds", true,                                                        \
      "Time that requests spent in the hold queue, whether released or dropped",                 \
      1 * DISTRIBUTION_MS, 5 * DISTRIBUTION_MS, 10 * DISTRIBUTION_MS, 25 * DISTRIBUTION_MS,      \
      50 * DISTRIBUTION_MS, 100 * DISTRIBUTION_MS, 250 * DISTRIBUTION_MS, 500 * DISTRIBUTION_MS, \
      1000 * DISTRIBUTION_MS, 2000 * DISTRIBUTION_MS, 5000 * DISTRIBUTION_MS,                    \
      10000 * DISTRIBUTION_MS)                                                                   \
    X(LEASE, "lease_renew_seconds", true,                                                        \
      "Time from a write of the Lease by this pod to its reply (election lease)",                \
      1 * DISTRIBUTION_MS, 2500 * DISTRIBUTION_US, 5 * DISTRIBUTION_MS, 10 * DISTRIBUTION_MS,    \
      25 * DISTRIBUTION_MS, 50 * DISTRIBUTION_MS, 100 * DISTRIBUTION_MS, 250 * DISTRIBUTION_MS,  \
      500 * DISTRIBUTION_MS, 1000 * DISTRIBUTION_MS, 2500 * DISTRIBUTION_MS,                     \
      10000 * DISTRIBUTION_MS)

#define DISTRIBUTION_ENUM(id, metric, is_time, help, ...) DISTRIBUTION_##id,
enum distribution_id { DISTRIBUTIONS(DISTRIBUTION_ENUM) DISTRIBUTION_COUNT };
#undef DISTRIBUTION_ENUM

/* One row of the table. */
struct distribution_info {
    const char *metric, *help;
    bool is_time;
    uint64_t bounds[DISTRIBUTION_BOUNDS]; /* 0 after the last */
};
extern const struct distribution_info distribution_table[DISTRIBUTION_COUNT];

/* The values of one thread; its owner adds, any thread reads. */
struct distribution {
    _Atomic uint64_t buckets[DISTRIBUTION_BUCKETS], sum;
};

/* The sum over all threads. */
struct distribution_sum {
    uint64_t buckets[DISTRIBUTION_BUCKETS], sum;
};

/* Number of bounds, which is also the index of the bucket for larger values. */
size_t distribution_bound_count(enum distribution_id id);

/* The index of the bucket of a value. */
size_t distribution_bucket(enum distribution_id id, uint64_t value);

/* Owner thread only: add n values of this bucket, with this sum. Plain adds, visible to readers. */
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

/* Number of values. */
uint64_t distribution_count(const struct distribution_sum *sum);

#endif
