#include <criterion/criterion.h>
#include <stdlib.h>

#include "headless/base/histogram.h"

/* Static: 58 KiB each, too large for a stack. */
static struct histogram h, other, whole;

static uint64_t random_state;

/* xorshift64: the same values in every run. */
static uint64_t draw(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void setup(void)
{
    random_state = 42;
    histogram_init(&h);
    histogram_init(&other);
    histogram_init(&whole);
}

TestSuite(histogram, .init = setup, .timeout = 60);

Test(histogram, empty_has_only_zeros)
{
    cr_assert_eq(histogram_percentile(&h, 0), 0);
    cr_assert_eq(histogram_percentile(&h, 50), 0);
    cr_assert_eq(histogram_percentile(&h, 100), 0);
    cr_assert_eq(histogram_mean(&h), 0);
    cr_assert_eq(histogram_min(&h), 0);
    cr_assert_eq(h.max, 0);
}

Test(histogram, small_values_are_exact)
{
    for (uint64_t v = 1; v <= 100; v++)
        histogram_record(&h, v);
    cr_assert_eq(h.count, 100);
    cr_assert_eq(histogram_min(&h), 1);
    cr_assert_eq(h.max, 100);
    cr_assert_float_eq(histogram_mean(&h), 50.5, 1e-9);
    for (unsigned percent = 1; percent <= 100; percent++)
        cr_assert_eq(histogram_percentile(&h, percent), percent);
    cr_assert_eq(histogram_percentile(&h, 0.5), 1);
    cr_assert_eq(histogram_percentile(&h, 99.01), 100);
}

Test(histogram, one_value_is_every_percentile)
{
    histogram_record(&h, 123456789);
    cr_assert_eq(histogram_percentile(&h, 0), 123456789);
    cr_assert_eq(histogram_percentile(&h, 50), 123456789, "cut to the maximum");
    cr_assert_eq(histogram_percentile(&h, 100), 123456789);
}

Test(histogram, thousandths_do_not_slip_to_the_next_value)
{
    for (uint64_t i = 0; i < 999; i++)
        histogram_record(&h, 10);
    histogram_record(&h, 100);
    cr_assert_eq(histogram_percentile(&h, 99.9), 10);
    cr_assert_eq(histogram_percentile(&h, 99.91), 100);
}

/* Every power of two and its neighbours: where one group of buckets ends and the next begins. */
Test(histogram, error_is_bounded_over_the_whole_range)
{
    for (unsigned bit = 0; bit < 64; bit++) {
        for (int off = -1; off <= 1; off++) {
            uint64_t value = (UINT64_C(1) << bit) + (uint64_t)(int64_t)off;
            uint64_t reported;

            histogram_init(&h);
            histogram_record(&h, value);
            histogram_record(&h, UINT64_MAX); /* so that the maximum does not cut it */
            reported = histogram_percentile(&h, 50);
            cr_assert_geq(reported, value);
            cr_assert_leq(reported - value, value / 128, "%lu reported as %lu", value, reported);
        }
    }
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

#define VALUES 20000

Test(histogram, percentiles_are_the_exact_ones_within_the_error)
{
    static uint64_t values[VALUES];

    for (unsigned i = 0; i < VALUES; i++) {
        values[i] = draw() >> (draw() % 60); /* all magnitudes */
        histogram_record(&h, values[i]);
    }
    qsort(values, VALUES, sizeof(values[0]), compare);
    for (unsigned permille = 1; permille <= 1000; permille++) {
        uint64_t exact = values[permille * (VALUES / 1000) - 1];
        uint64_t reported = histogram_percentile(&h, permille / 10.0);

        cr_assert_geq(reported, exact, "p%g", permille / 10.0);
        cr_assert_leq(reported - exact, exact / 128, "p%g", permille / 10.0);
    }
}

Test(histogram, merge_is_as_if_recorded_together)
{
    for (unsigned i = 0; i < VALUES; i++) {
        uint64_t value = draw() >> (draw() % 64);

        histogram_record(i % 3 ? &h : &other, value);
        histogram_record(&whole, value);
    }
    histogram_merge(&h, &other);
    cr_assert_arr_eq(&h, &whole, sizeof(h));
}

Test(histogram, merge_with_an_empty_one_changes_nothing)
{
    histogram_record(&h, 7);
    histogram_record(&whole, 7);
    histogram_merge(&h, &other);
    cr_assert_arr_eq(&h, &whole, sizeof(h));
    histogram_merge(&other, &h);
    cr_assert_arr_eq(&other, &whole, sizeof(h));
}

Test(histogram, extremes_neither_overflow_nor_leave_the_array)
{
    for (unsigned i = 0; i < 3; i++)
        histogram_record(&h, UINT64_MAX);
    histogram_record(&h, 0);
    cr_assert_eq(histogram_min(&h), 0);
    cr_assert_eq(h.max, UINT64_MAX);
    cr_assert_eq(histogram_percentile(&h, 25), 0);
    cr_assert_eq(histogram_percentile(&h, 50), UINT64_MAX);
    cr_assert_float_eq(histogram_mean(&h) / 0x1p64, 0.75, 1e-9, "a 64-bit sum would have wrapped");
    cr_assert_eq(histogram_percentile(&h, -1), 0);
    cr_assert_eq(histogram_percentile(&h, 200), UINT64_MAX);
}
