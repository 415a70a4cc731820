/*
 * compare: two sets of results, pair by pair: which metrics became better or worse, and whether
 * that is significant.
 *
 *   compare.c  the command, and its report     compare_metrics.c  numbers out of results
 *
 * The i-th result of A and the i-th of B are a pair, measured one after the other, so that other
 * load on the machine affects both. For each metric the ratios B / A are taken, their median, and
 * its interval. A regression is a median worse than allowed, where the interval (of at least two
 * pairs) excludes that it is not worse at all.
 */
#ifndef BENCH_COMPARE_H
#define BENCH_COMPARE_H

#include <stdbool.h>
#include <stddef.h>

#include "bench.h"
#include "results.h"
#include "stats.h"

#define COMPARE_METRICS_MAX 64
#define COMPARE_NAME_MAX    48

enum compare_verdict { COMPARE_SAME, COMPARE_BETTER, COMPARE_WORSE, COMPARE_REGRESSION };

struct compare_metric {
    char name[COMPARE_NAME_MAX];
    bool more_is_better;
    size_t count; /* pairs that have the metric */
    double a[STATS_MAX], b[STATS_MAX];
    /* set by compare_judge: */
    double a_median, b_median, ratio, low, high;
    enum compare_verdict verdict;
};

struct compare_side {
    struct json_object *objects[STATS_MAX];
    size_t count;
};

/*
 * The metrics of all pairs; those that no pair has are left out. Returns their number, or 0 with
 * the error in *ret_wrong.
 */
size_t compare_metrics(const struct compare_side *a, const struct compare_side *b,
                       struct compare_metric ret_metrics[static COMPARE_METRICS_MAX],
                       const char **ret_wrong);

/* allowed: tolerated worsening as a fraction (0.05); negative: any. */
void compare_judge(struct compare_metric *m, double allowed);

#endif
