/*
 * stats: the median of a few numbers, and how sure one can be of it.
 *
 * The interval is a percentile bootstrap: the numbers are drawn again with replacement, thousands
 * of times, and between the 2.5th and the 97.5th of the 100 parts of all medians lies the interval.
 * It assumes nothing about how noise is distributed; of three numbers it is from the least to the
 * largest. The draws are the same in each run. Pure functions; nothing allocates.
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
