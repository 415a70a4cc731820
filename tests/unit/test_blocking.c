/* blocking: the owner of a thread whose call blocks goes on, and looks later. */
#include <criterion/criterion.h>
#include <sched.h>

#include "headless/base/blocking.h"
#include "headless/base/clock.h"

static struct blocking blocking;
static _Atomic bool is_hanging;
static int calls; /* the thread's, and the owner's when it is not busy */

static void count(void *context)
{
    while (atomic_load(&is_hanging))
        (void)sched_yield();
    calls += *(int *)context;
}

Test(blocking, a_call_that_hangs_delays_its_owner_once, .timeout = 60)
{
    int one = 1;

    cr_assert_eq(blocking_start(&blocking, "test"), 0);
    cr_expect_not(blocking_is_busy(&blocking));
    cr_assert(blocking_call(&blocking, count, &one, 60 * NS_PER_SEC));
    cr_expect_eq(calls, 1);

    atomic_store(&is_hanging, true);
    cr_expect_not(blocking_call(&blocking, count, &one, NS_PER_MS));
    cr_expect(blocking_is_busy(&blocking));
    cr_expect_not(blocking_stop(&blocking), "a thread that hangs cannot be joined");

    atomic_store(&is_hanging, false);
    while (blocking_is_busy(&blocking))
        (void)sched_yield();
    cr_expect_eq(calls, 2);
    cr_assert(blocking_call(&blocking, count, &one, 60 * NS_PER_SEC));
    cr_expect_eq(calls, 3);
    cr_expect(blocking_stop(&blocking));
}
