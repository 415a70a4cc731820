/* The search against simulated devices: clean, noisy, with hysteresis, and at the limits. */
#include <criterion/criterion.h>
#include <math.h>

#include "headless/base/clock.h"
#include "mlr.h"
#include "payload.h"

TestSuite(mlr, .timeout = 60);

static struct mlr m;

static const struct mlr_settings usual = {
    .losses = {0, 0.005},
    .goal_count = 2,
    .min_load = 100,
    .max_load = 1000000,
    .first_trial_ns = 200 * NS_PER_MS,
    .trial_ns = NS_PER_SEC,
    .sum_ns = 5 * NS_PER_SEC,
    .width = 0.01,
};

/* A device with a capacity: loses the datagrams above it. */
struct device {
    double capacity;
    double noise;            /* maximum fraction of the capacity that a trial lacks */
    double false_loss_every; /* one in this number of trials loses 5 % at any load; 0: none */
    double hysteresis;       /* fraction of capacity lacking after a trial with losses */
    bool was_overloaded;     /* state */
    uint64_t draws;
    double measured_s; /* duration of all trials */
    unsigned trials;
};

static double draw(struct device *d)
{
    return (double)(payload_mix(++d->draws) >> 11) / 0x1p53;
}

static double measure(struct device *d, uint64_t load, uint64_t duration_ns)
{
    double capacity = d->capacity * (1 - d->noise * draw(d));
    double loss;

    if (d->was_overloaded)
        capacity *= 1 - d->hysteresis;
    loss = (double)load > capacity ? 1 - capacity / (double)load : 0;
    if (d->false_loss_every > 0 && draw(d) * d->false_loss_every < 1)
        loss = fmax(loss, 0.05);
    d->was_overloaded = loss > 0;
    d->measured_s += (double)duration_ns / (double)NS_PER_SEC;
    d->trials++;
    return loss;
}

static void search(struct device *d, const struct mlr_settings *settings)
{
    uint64_t duration_ns;
    uint64_t load;

    mlr_init(&m, settings);
    while (mlr_next(&m, &load, &duration_ns)) {
        cr_assert(load >= settings->min_load && load <= settings->max_load);
        cr_assert(duration_ns >= settings->first_trial_ns && duration_ns <= settings->trial_ns);
        mlr_record(&m, load, duration_ns, measure(d, load, duration_ns));
        cr_assert_lt(d->trials, 1000U, "the search does not end");
    }
}

static void expect_found(unsigned goal, double low, double high)
{
    struct mlr_result r = mlr_get_result(&m, goal);

    cr_assert_eq(r.status, MLR_FOUND, "goal %u: status %d", goal, (int)r.status);
    cr_assert(r.throughput >= low && r.throughput <= high, "goal %u: %.0f, not %.0f to %.0f", goal,
              r.throughput, low, high);
    cr_assert_leq((double)(r.upper - r.lower), 0.01 * (double)r.upper);
}

Test(mlr, capacity_of_a_clean_device_is_found)
{
    for (double capacity = 300; capacity < 900000; capacity *= 1.37) {
        struct device d = {.capacity = capacity};

        search(&d, &usual);
        expect_found(0, capacity * 0.99 - 1, capacity);
        /* At 0.5 % loss the load is higher, and the device forwards its capacity. */
        expect_found(1, capacity * 0.985 - 1, capacity + 1);
        cr_assert_geq(mlr_get_result(&m, 1).upper, mlr_get_result(&m, 0).upper);
        cr_assert_lt(d.measured_s, 90, "%.0f s", d.measured_s);
    }
}

Test(mlr, false_losses_in_one_of_five_trials_do_not_decide)
{
    unsigned right = 0;

    for (uint64_t seed = 0; seed < 50; seed++) {
        struct device d = {.capacity = 80000, .false_loss_every = 5, .draws = seed << 32};

        search(&d, &usual);
        right += mlr_get_result(&m, 0).throughput > 80000 * 0.9;
    }
    /* A binary search that trusts each trial is right in one of ten runs. */
    cr_assert_geq(right, 40, "%u of 50", right);
}

Test(mlr, median_capacity_of_a_noisy_device_is_found)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct device d = {.capacity = 80000, .noise = 0.1, .draws = seed << 32};

        search(&d, &usual);
        cr_assert_eq(mlr_get_result(&m, 0).status, MLR_FOUND);
        cr_assert(mlr_get_result(&m, 0).throughput > 80000 * 0.88);
        cr_assert(mlr_get_result(&m, 0).throughput < 80000 * 1.001);
    }
}

Test(mlr, search_with_hysteresis_ends_between_both_capacities)
{
    struct device d = {.capacity = 80000, .hysteresis = 0.2};

    search(&d, &usual);
    cr_assert(mlr_get_result(&m, 0).throughput > 80000 * 0.79);
    cr_assert(mlr_get_result(&m, 0).throughput <= 80000);
}

Test(mlr, device_faster_than_the_largest_load_is_at_max)
{
    struct device d = {.capacity = 5000000};

    search(&d, &usual);
    for (unsigned goal = 0; goal < 2; goal++) {
        cr_assert_eq(mlr_get_result(&m, goal).status, MLR_AT_MAX);
        cr_assert_eq(mlr_get_result(&m, goal).lower, 1000000);
        cr_assert_eq(mlr_get_result(&m, goal).upper, 0);
    }
    cr_assert_lt(d.measured_s, 10);
}

Test(mlr, device_without_capacity_is_below_min)
{
    struct device d = {.capacity = 0};

    search(&d, &usual);
    cr_assert_eq(mlr_get_result(&m, 0).status, MLR_BELOW_MIN);
    cr_assert_eq(mlr_get_result(&m, 0).lower, 0);
    cr_assert_eq((int)mlr_get_result(&m, 0).throughput, 0);
}

Test(mlr, sum_of_one_trial_makes_a_binary_search)
{
    struct device d = {.capacity = 77777};
    struct mlr_settings settings = usual;

    settings.goal_count = 1;
    settings.first_trial_ns = settings.sum_ns = settings.trial_ns;
    search(&d, &settings);
    expect_found(0, 77777 * 0.99, 77777);
    cr_assert_leq(d.trials, 20U);
}

Test(mlr, trials_above_the_generators_limit_are_discarded)
{
    struct device d = {.capacity = 500000};
    uint64_t duration_ns;
    uint64_t load;

    mlr_init(&m, &usual);
    cr_assert(mlr_next(&m, &load, &duration_ns));
    cr_assert_eq(load, 1000000);
    mlr_record(&m, load, duration_ns, 0.9);
    mlr_limit(&m, 50000);
    while (mlr_next(&m, &load, &duration_ns)) {
        cr_assert_leq(load, 50000);
        mlr_record(&m, load, duration_ns, measure(&d, load, duration_ns));
        cr_assert_lt(d.trials, 100U);
    }
    cr_assert_eq(mlr_get_result(&m, 0).status, MLR_AT_MAX);
    cr_assert_eq(mlr_get_result(&m, 0).lower, 50000);
}

Test(mlr, early_stop_leaves_bounds_of_an_earlier_phase_for_each_goal)
{
    struct device d = {.capacity = 80000};
    uint64_t duration_ns;
    uint64_t load;

    mlr_init(&m, &usual);
    for (unsigned i = 0; i < 15 && mlr_next(&m, &load, &duration_ns); i++)
        mlr_record(&m, load, duration_ns, measure(&d, load, duration_ns));
    for (unsigned goal = 0; goal < 2; goal++) {
        struct mlr_result r = mlr_get_result(&m, goal);

        cr_assert_eq(r.status, MLR_UNFINISHED);
        cr_assert(r.lower > 0 && r.lower <= 81000);
        cr_assert(r.upper >= 80000);
    }
}

Test(mlr, load_is_classified_once_further_trials_cannot_change_it)
{
    const uint64_t s = NS_PER_SEC;

    mlr_init(&m, &usual);
    cr_assert_eq(mlr_classify(&m, 1000, 0, s, 5 * s), MLR_UNDECIDED, "no trial yet");
    mlr_record(&m, 1000, s, 0);
    mlr_record(&m, 1000, s, 0);
    mlr_record(&m, 1000, s, 0.1);
    mlr_record(&m, 1000, s, 0.1);
    cr_assert_eq(mlr_classify(&m, 1000, 0, s, 5 * s), MLR_UNDECIDED, "2 to 2 of 5");
    mlr_record(&m, 1000, s, 0);
    cr_assert_eq(mlr_classify(&m, 1000, 0, s, 5 * s), MLR_LOWER);
    cr_assert_eq(mlr_classify(&m, 1000, 0.2, s, 5 * s), MLR_LOWER, "no trial is bad for that goal");
    mlr_record(&m, 1000, s, 0.1);
    mlr_record(&m, 1000, s, 0.1);
    cr_assert_eq(mlr_classify(&m, 1000, 0, s, 5 * s), MLR_UPPER, "4 of 7");
}

Test(mlr, short_trials_prove_a_load_bad_but_not_good)
{
    const uint64_t s = NS_PER_SEC;

    mlr_init(&m, &usual);
    for (unsigned i = 0; i < 60; i++)
        mlr_record(&m, 1000, s / 10, 0);
    cr_assert_eq(mlr_classify(&m, 1000, 0, s, 5 * s), MLR_UNDECIDED);
    for (unsigned i = 0; i < 60; i++)
        mlr_record(&m, 2000, s / 10, 0.5);
    cr_assert_eq(mlr_classify(&m, 2000, 0, s, 5 * s), MLR_UPPER);
}

Test(mlr, full_trial_table_ends_the_search)
{
    uint64_t duration_ns;
    uint64_t load;

    mlr_init(&m, &usual);
    for (unsigned i = 0; i < MLR_TRIALS_MAX + 5; i++)
        mlr_record(&m, 7, 1, 0);
    cr_assert_not(mlr_next(&m, &load, &duration_ns));
    cr_assert_eq(mlr_get_result(&m, 0).status, MLR_UNFINISHED);
}
