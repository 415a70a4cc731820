#include "stats.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "payload.h"

#define RESAMPLES 4000

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

double stats_median(double *values, size_t count)
{
    if (count == 0)
        return NAN;
    qsort(values, count, sizeof(*values), compare_doubles);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

void stats_interval(const double *values, size_t count, double *ret_low, double *ret_high)
{
    double medians[RESAMPLES];
    double sample[STATS_MAX] = {0};
    uint64_t draws = 0;

    if (count > STATS_MAX)
        count = STATS_MAX;
    *ret_low = *ret_high = NAN;
    if (count == 0)
        return;
    for (size_t i = 0; i < RESAMPLES; i++) {
        for (size_t k = 0; k < count; k++)
            sample[k] = values[payload_mix(draws++) % count];
        medians[i] = stats_median(sample, count);
    }
    qsort(medians, RESAMPLES, sizeof(medians[0]), compare_doubles);
    *ret_low = medians[RESAMPLES / 40];
    *ret_high = medians[RESAMPLES - 1 - RESAMPLES / 40];
}
