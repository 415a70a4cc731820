#include <criterion/criterion.h>

#include "headless/base/budget.h"

#define START_NS UINT64_C(1000000000000)

static unsigned take_all(struct budget *budget, uint64_t now_ns)
{
    unsigned taken = 0;

    while (budget_take(budget, now_ns))
        taken++;
    return taken;
}

TestSuite(budget, .timeout = 60);

Test(budget, starts_full_and_runs_out)
{
    struct budget budget = budget_make(100, 5);

    cr_assert_eq(take_all(&budget, START_NS), 5);
    cr_assert_not(budget_take(&budget, START_NS + 99));
    cr_assert(budget_take(&budget, START_NS + 100), "one period, one token");
    cr_assert_not(budget_take(&budget, START_NS + 100));
}

Test(budget, never_accumulates_more_than_its_burst)
{
    struct budget budget = budget_make(100, 5);

    (void)take_all(&budget, START_NS);
    cr_assert_eq(take_all(&budget, START_NS + 250), 2);
    cr_assert_eq(take_all(&budget, START_NS + 1000 * 100), 5);
    cr_assert_eq(take_all(&budget, START_NS * 1000), 5);
}

Test(budget, works_from_time_zero)
{
    struct budget budget = budget_make(10, 1);

    cr_assert_eq(take_all(&budget, 0), 1);
    cr_assert_eq(take_all(&budget, 9), 0);
    cr_assert_eq(take_all(&budget, 10), 1);
}

Test(budget, burst_of_zero_refuses_all)
{
    struct budget budget = budget_make(10, 0);

    cr_assert_not(budget_take(&budget, START_NS));
}

/* At random times of asking: no window has more than burst + elapsed time / period. */
Test(budget, rate_is_bounded_in_every_window)
{
    struct budget budget = budget_make(1000, 7);
    uint64_t now_ns = START_NS, random = 42, taken = 0;

    for (unsigned i = 0; i < 100000; i++) {
        random = random * 6364136223846793005U + 1442695040888963407U;
        now_ns += (random >> 33) % 1500;
        taken += budget_take(&budget, now_ns);
        cr_assert_leq(taken, 7 + (now_ns - START_NS) / 1000);
    }
    cr_assert_gt(taken, 50000);
}
