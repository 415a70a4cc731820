#include "headless/base/histogram.h"

#include <string.h>

static unsigned bucket_index(uint64_t value)
{
    unsigned shift;

    if (value < HISTOGRAM_SUB_BUCKETS)
        return (unsigned)value;
    shift = 63U - (unsigned)__builtin_clzll(value) - HISTOGRAM_SUB_BITS;
    return (shift << HISTOGRAM_SUB_BITS) + (unsigned)(value >> shift);
}

/* The largest value that falls into a bucket: the inverse of bucket_index. */
static uint64_t bucket_upper(unsigned index)
{
    unsigned shift;
    uint64_t top;

    if (index < HISTOGRAM_SUB_BUCKETS)
        return index;
    shift = (index >> HISTOGRAM_SUB_BITS) - 1;
    top = HISTOGRAM_SUB_BUCKETS + (index & (HISTOGRAM_SUB_BUCKETS - 1));
    return (top << shift) + ((UINT64_C(1) << shift) - 1);
}

void histogram_init(struct histogram *h)
{
    memset(h, 0, sizeof(*h));
    h->min = UINT64_MAX;
}

static void add_to_sum(struct histogram *h, uint64_t low, uint64_t high)
{
    h->sum_low += low;
    h->sum_high += high + (h->sum_low < low);
}

void histogram_record(struct histogram *h, uint64_t value)
{
    h->count++;
    h->buckets[bucket_index(value)]++;
    if (value < h->min)
        h->min = value;
    if (value > h->max)
        h->max = value;
    add_to_sum(h, value, 0);
}

void histogram_merge(struct histogram *h, const struct histogram *from)
{
    h->count += from->count;
    if (from->min < h->min)
        h->min = from->min;
    if (from->max > h->max)
        h->max = from->max;
    add_to_sum(h, from->sum_low, from->sum_high);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        h->buckets[i] += from->buckets[i];
}

uint64_t histogram_percentile(const struct histogram *h, double percent)
{
    uint64_t seen = 0;
    double rank;

    if (h->count == 0)
        return 0;
    if (percent <= 0)
        return h->min;
    /* 99.9 % of 1,000 computes as slightly more than 999, which must not select the next value. */
    rank = percent / 100 * (double)h->count * (1 - 1e-12);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if ((double)seen >= rank && h->buckets[i]) {
            uint64_t upper = bucket_upper(i);

            return upper < h->max ? upper : h->max;
        }
    }
    return h->max;
}

double histogram_mean(const struct histogram *h)
{
    if (h->count == 0)
        return 0;
    return ((double)h->sum_high * 0x1p64 + (double)h->sum_low) / (double)h->count;
}

uint64_t histogram_min(const struct histogram *h)
{
    return h->count ? h->min : 0;
}
