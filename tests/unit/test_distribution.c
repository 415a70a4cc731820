/* distribution: values in a few fixed buckets. */
#include <criterion/criterion.h>
#include <string.h>

#include "headless/base/counters.h"

static struct counters counters, others;
static struct distribution_sum sums[DISTRIBUTION_COUNT];

static const struct distribution_sum *collect(enum distribution_id id)
{
    memset(sums, 0, sizeof(sums));
    distributions_collect(counters.distributions, sums);
    distributions_collect(others.distributions, sums);
    return &sums[id];
}

TestSuite(distribution, .timeout = 30);

Test(distribution, bounds_rise_and_every_metric_has_some)
{
    for (size_t id = 0; id < DISTRIBUTION_COUNT; id++) {
        const struct distribution_info *info = &distribution_table[id];
        size_t count = distribution_bound_count((enum distribution_id)id);

        cr_assert_geq(count, 2, "%s", info->metric);
        cr_assert(info->help[0]);
        for (size_t i = 1; i < count; i++)
            cr_assert_lt(info->bounds[i - 1], info->bounds[i], "%s", info->metric);
        cr_assert_eq(info->is_time, strstr(info->metric, "_seconds") != NULL, "%s", info->metric);
    }
}

Test(distribution, value_equal_to_a_bound_is_in_its_bucket)
{
    for (size_t id = 0; id < DISTRIBUTION_COUNT; id++) {
        const uint64_t *bounds = distribution_table[id].bounds;
        size_t count = distribution_bound_count((enum distribution_id)id);

        cr_assert_eq(distribution_bucket((enum distribution_id)id, 0), 0);
        for (size_t i = 0; i < count; i++) {
            cr_assert_eq(distribution_bucket((enum distribution_id)id, bounds[i]), i);
            cr_assert_eq(distribution_bucket((enum distribution_id)id, bounds[i] + 1), i + 1);
        }
        cr_assert_eq(distribution_bucket((enum distribution_id)id, UINT64_MAX), count);
        cr_assert_lt(count, DISTRIBUTION_BUCKETS);
    }
}

Test(distribution, threads_are_summed)
{
    const struct distribution_sum *hold;

    counters_observe(&counters, DISTRIBUTION_HOLD, 3 * DISTRIBUTION_MS);
    counters_observe(&counters, DISTRIBUTION_HOLD, 4 * DISTRIBUTION_MS);
    counters_observe(&others, DISTRIBUTION_HOLD, 5 * DISTRIBUTION_MS);
    counters_observe(&others, DISTRIBUTION_HOLD, 3600 * 1000 * DISTRIBUTION_MS);
    hold = collect(DISTRIBUTION_HOLD);
    cr_assert_eq(hold->buckets[0], 0);
    cr_assert_eq(hold->buckets[1], 3);
    cr_assert_eq(hold->buckets[distribution_bound_count(DISTRIBUTION_HOLD)], 1);
    cr_assert_eq(distribution_count(hold), 4);
    cr_assert_eq(hold->sum, (3 + 4 + 5 + 3600 * 1000) * DISTRIBUTION_MS);
    cr_assert_eq(distribution_count(&sums[DISTRIBUTION_SEND_GSO_BATCH]), 0);
}
