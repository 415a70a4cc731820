#include <criterion/criterion.h>
#include <math.h>

#include "compare.h"
#include "payload.h"

TestSuite(stats, .timeout = 60);
TestSuite(compare, .timeout = 60);

/* ---- statistics ---- */

Test(stats, median_of_odd_even_and_empty_sets)
{
    double odd[] = {9, 1, 5};
    double even[] = {4, 1, 3, 2};
    double one[] = {7};

    cr_assert_float_eq(stats_median(odd, 3), 5, 1e-9);
    cr_assert_float_eq(stats_median(even, 4), 2.5, 1e-9);
    cr_assert_float_eq(stats_median(one, 1), 7, 1e-9);
    cr_assert(isnan(stats_median(one, 0)));
}

Test(stats, interval_of_few_values)
{
    const double one[] = {7};
    const double same[] = {2, 2, 2, 2};
    const double three[] = {3, 1, 2};
    double low;
    double high;

    stats_interval(one, 1, &low, &high);
    cr_assert(low == 7 && high == 7);
    stats_interval(same, 4, &low, &high);
    cr_assert(low == 2 && high == 2);
    stats_interval(three, 3, &low, &high);
    cr_assert(low == 1 && high == 3, "of three values it is their range");
}

/* Numbers around 1, each the mean of six uniform ones. */
static double draw(uint64_t *draws)
{
    double sum = 0;

    for (unsigned i = 0; i < 6; i++)
        sum += (double)(payload_mix((*draws)++) >> 11) / 0x1p53;
    return 1 + (sum - 3) / 10;
}

Test(stats, nineteen_of_twenty_intervals_contain_the_true_median)
{
    unsigned inside = 0;
    uint64_t draws = 1000;

    for (unsigned round = 0; round < 200; round++) {
        double values[15];
        double low;
        double high;

        for (unsigned i = 0; i < 15; i++)
            values[i] = draw(&draws);
        stats_interval(values, 15, &low, &high);
        inside += low <= 1 && high >= 1;
    }
    cr_assert(inside >= 180 && inside <= 199, "%u of 200", inside);
}

/* ---- verdicts ---- */

static struct compare_metric metrics[COMPARE_METRICS_MAX];

static enum compare_verdict judge(bool more_is_better, const double *ratios, size_t count,
                                  double allowed)
{
    struct compare_metric *m = &metrics[0];

    *m = (struct compare_metric){.more_is_better = more_is_better, .count = count};
    for (size_t i = 0; i < count; i++) {
        m->a[i] = 1000 + 100 * (double)i; /* drift of the machine does not affect pairs */
        m->b[i] = m->a[i] * ratios[i];
    }
    compare_judge(m, allowed);
    return m->verdict;
}

Test(compare, verdict_needs_significance_and_exceeds_the_allowed_ratio)
{
    static const double noise[] = {0.97, 1.04, 1.01, 0.99, 1.02};
    static const double less[] = {0.90, 0.92, 0.91, 0.89, 0.93};
    static const double more[] = {1.10, 1.08, 1.09, 1.11, 1.07};
    static const double doubt[] = {0.70, 0.80, 0.75, 1.20, 1.30};

    cr_assert_eq(judge(true, noise, 5, 0), COMPARE_SAME);
    cr_assert_eq(judge(false, noise, 5, 0), COMPARE_SAME);
    cr_assert_eq(judge(true, less, 5, 0.05), COMPARE_REGRESSION);
    cr_assert_eq(judge(true, less, 5, 0.10), COMPARE_WORSE, "it is allowed");
    cr_assert_eq(judge(true, less, 5, -1), COMPARE_WORSE, "any regression is allowed");
    cr_assert_eq(judge(false, less, 5, 0.05), COMPARE_BETTER);
    cr_assert_eq(judge(false, more, 5, 0.05), COMPARE_REGRESSION);
    cr_assert_eq(judge(true, more, 5, 0.05), COMPARE_BETTER);
    cr_assert_eq(judge(true, doubt, 5, 0.05), COMPARE_SAME, "a bad median, but not significant");
}

Test(compare, one_pair_is_judged_by_its_ratio)
{
    static const double less[] = {0.90};

    cr_assert_eq(judge(true, less, 1, 0.05), COMPARE_REGRESSION);
    cr_assert_eq(judge(true, less, 1, 0.20), COMPARE_WORSE);
}

/* ---- metrics ---- */

static struct compare_side side_of(const char *json)
{
    struct compare_side side = {.count = 1};

    side.objects[0] = json_tokener_parse(json);
    cr_assert_not_null(side.objects[0], "%s", json);
    return side;
}

static size_t pair(const char *a, const char *b, const char **ret_wrong)
{
    struct compare_side x = side_of(a);
    struct compare_side y = side_of(b);
    size_t count = compare_metrics(&x, &y, metrics, ret_wrong);

    (void)json_object_put(x.objects[0]);
    (void)json_object_put(y.objects[0]);
    return count;
}

#define SEND   "{\"command\":\"send\",\"valid\":true,\"rate\":10,"
#define SEARCH "{\"command\":\"search\",\"goals\":["

Test(compare, only_metrics_of_both_sides_are_compared)
{
    const char *wrong;

    cr_assert_eq(pair(SEND "\"answered_per_second\":10,\"round_trip_ns\":{\"p50\":5}}",
                      SEND "\"answered_per_second\":20,\"round_trip_ns\":{\"p99\":5}}", &wrong),
                 1);
    cr_assert_null(wrong);
    cr_assert_str_eq(metrics[0].name, "throughput, 1/s");
    cr_assert(metrics[0].a[0] == 10 && metrics[0].b[0] == 20);
    cr_assert_eq(pair(SEARCH "{\"loss_percent\":0,\"throughput\":7},{\"loss_percent\":0.5,"
                             "\"throughput\":9}]}",
                      SEARCH "{\"loss_percent\":0,\"throughput\":8},{\"loss_percent\":0.5,"
                             "\"throughput\":9}]}",
                      &wrong),
                 2);
    cr_assert_str_eq(metrics[1].name, "throughput, 1/s, loss 0.5 %");
}

Test(compare, mismatched_pairs_are_refused)
{
    static const char *const wrongs[][2] = {
        {SEND "\"answered_per_second\":1}", "{\"command\":\"sink\",\"received_per_second\":1}"},
        {"{\"command\":\"smoke\"}", "{\"command\":\"smoke\"}"},
        {SEND "\"answered_per_second\":1}",
         "{\"command\":\"send\",\"rate\":20,\"answered_per_second\":1}"},
        {SEND "\"answered_per_second\":1}",
         "{\"command\":\"send\",\"rate\":10,\"valid\":false,\"answered_per_second\":1}"},
        {SEARCH "{\"loss_percent\":0,\"throughput\":7}]}",
         SEARCH "{\"loss_percent\":1,\"throughput\":7}]}"},
        {SEARCH "{\"loss_percent\":0,\"throughput\":7}]}", SEARCH "]}"},
        {SEND "\"seed\":1}", SEND "\"seed\":1}"},
    };

    for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
        const char *wrong;

        cr_assert_eq(pair(wrongs[i][0], wrongs[i][1], &wrong), 0, "%s", wrongs[i][0]);
        cr_assert_not_null(wrong);
    }
}
