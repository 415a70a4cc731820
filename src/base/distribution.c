#include "headless/base/distribution.h"

#define DISTRIBUTION_ROW(id, metric, is_time, help, ...) {metric, help, is_time, {__VA_ARGS__}},
const struct distribution_info distribution_table[DISTRIBUTION_COUNT] = {
    DISTRIBUTIONS(DISTRIBUTION_ROW)};
#undef DISTRIBUTION_ROW

size_t distribution_bound_count(enum distribution_id id)
{
    const uint64_t *bounds = distribution_table[id].bounds;
    size_t count = 0;

    while (count < DISTRIBUTION_BOUNDS && bounds[count])
        count++;
    return count;
}

/* A linear search: most values are small. */
size_t distribution_bucket(enum distribution_id id, uint64_t value)
{
    const uint64_t *bounds = distribution_table[id].bounds;
    size_t bucket = 0;

    while (bucket < DISTRIBUTION_BOUNDS && bounds[bucket] && value > bounds[bucket])
        bucket++;
    return bucket;
}

void distributions_collect(const struct distribution threads[static DISTRIBUTION_COUNT],
                           struct distribution_sum ret_sums[static DISTRIBUTION_COUNT])
{
    for (size_t id = 0; id < DISTRIBUTION_COUNT; id++) {
        for (size_t i = 0; i < DISTRIBUTION_BUCKETS; i++)
            ret_sums[id].buckets[i] +=
                atomic_load_explicit(&threads[id].buckets[i], memory_order_relaxed);
        ret_sums[id].sum += atomic_load_explicit(&threads[id].sum, memory_order_relaxed);
    }
}

uint64_t distribution_count(const struct distribution_sum *sum)
{
    uint64_t count = 0;

    for (size_t i = 0; i < DISTRIBUTION_BUCKETS; i++)
        count += sum->buckets[i];
    return count;
}
