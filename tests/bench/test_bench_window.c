#include <criterion/criterion.h>
#include <string.h>

#include "window.h"

#define SIZE 128

static uint64_t bits[SIZE / 64];
static struct window w;

static void setup(void)
{
    memset(bits, 0, sizeof(bits));
    window_init(&w, bits, SIZE);
}

TestSuite(window, .init = setup, .timeout = 60);

static void record_range(uint64_t first, uint64_t last)
{
    for (uint64_t s = first; s <= last; s++)
        cr_assert_eq(window_record(&w, s), WINDOW_NEW);
}

Test(window, empty_window_has_no_gaps)
{
    cr_assert_eq(window_gaps(&w), 0);
}

Test(window, numbers_in_order_are_new_over_many_turns_of_the_ring)
{
    record_range(0, 10 * SIZE);
    cr_assert_eq(w.unique, 10 * SIZE + 1);
    cr_assert_eq(window_gaps(&w), 0);
}

Test(window, repeated_number_is_duplicate)
{
    record_range(0, 9);
    for (uint64_t s = 0; s <= 9; s++)
        cr_assert_eq(window_record(&w, s), WINDOW_DUPLICATE);
    cr_assert_eq(w.unique, 10);
}

Test(window, overtaken_number_is_reordered_once_and_then_duplicate)
{
    cr_assert_eq(window_record(&w, 5), WINDOW_NEW);
    cr_assert_eq(window_record(&w, 7), WINDOW_NEW);
    cr_assert_eq(window_gaps(&w), 1);
    cr_assert_eq(window_record(&w, 6), WINDOW_REORDERED);
    cr_assert_eq(window_gaps(&w), 0);
    cr_assert_eq(window_record(&w, 6), WINDOW_DUPLICATE);
}

Test(window, number_below_the_first_is_reordered_and_extends_the_range)
{
    cr_assert_eq(window_record(&w, 100), WINDOW_NEW);
    cr_assert_eq(window_record(&w, 90), WINDOW_REORDERED);
    cr_assert_eq(window_gaps(&w), 9);
}

Test(window, oldest_number_inside_counts_and_an_older_one_is_stale)
{
    cr_assert_eq(window_record(&w, 0), WINDOW_NEW);
    cr_assert_eq(window_record(&w, SIZE), WINDOW_NEW);
    cr_assert_eq(window_record(&w, 1), WINDOW_REORDERED);
    cr_assert_eq(window_record(&w, 0), WINDOW_STALE);
}

Test(window, jump_clears_the_skipped_bits)
{
    record_range(0, SIZE - 1);
    cr_assert_eq(window_record(&w, SIZE + 9), WINDOW_NEW);
    for (uint64_t s = SIZE; s < SIZE + 9; s++)
        cr_assert_eq(window_record(&w, s), WINDOW_REORDERED, "%lu", s);
    cr_assert_eq(window_gaps(&w), 0);
}

Test(window, jump_beyond_the_ring_clears_all_bits)
{
    record_range(0, SIZE - 1);
    cr_assert_eq(window_record(&w, 50 * SIZE), WINDOW_NEW);
    cr_assert_eq(window_record(&w, 49 * SIZE + 1), WINDOW_REORDERED);
    cr_assert_eq(window_gaps(&w), 50 * SIZE + 1 - SIZE - 2);
}
