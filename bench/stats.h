/*
 * stats: the median of a few numbers, and its confidence interval.
 *
 * The interval is a percentile bootstrap: the numbers are drawn with replacement thousands of
 * times; the interval is from the 2.5th to the 97.5th percentile of the medians. It assumes nothing
 * about the distribution of the noise; of three numbers it is from the smallest to the largest. The
 * draws are the same in each run. Pure functions; nothing allocates.
 */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <stddef.h>

#define STATS_MAX 256

/* Sorts the values. NaN when there are none. */
double stats_median(double *values, size_t count);

/* The 95 % interval of the median of up to STATS_MAX values; of one it is that value, of none NaN.
 */
void stats_interval(const double *values, size_t count, double *ret_low, double *ret_high);

#endif
