#include <criterion/criterion.h>

#include "headless/data/progress.h"

#define SEC UINT64_C(1000000000)

TestSuite(progress, .timeout = 30);

static struct progress progress;
static struct agent agent = {.name = "worker-0"};

static bool is_stalled(const struct agent *of, uint64_t now_ns)
{
    return progress_is_stalled(&progress, 0, of, PROGRESS_STALL_NS, now_ns);
}

static void turn(void)
{
    (void)atomic_fetch_add_explicit(&agent.duty_cycles, 1, memory_order_relaxed);
}

Test(progress, agent_stalls_a_second_after_its_count_was_first_seen)
{
    turn();
    cr_assert_not(is_stalled(&agent, 50 * SEC), "first look, however late");
    cr_assert_not(is_stalled(&agent, 51 * SEC));
    cr_assert(is_stalled(&agent, 51 * SEC + 1));
    turn();
    cr_assert_not(is_stalled(&agent, 60 * SEC));
    cr_assert(is_stalled(&agent, 63 * SEC));
}

Test(progress, agent_that_moves_is_no_longer_stalled)
{
    cr_assert_not(is_stalled(&agent, 1 * SEC));
    progress.stalled = &agent;
    cr_assert(is_stalled(&agent, 9 * SEC));
    cr_assert_eq(progress.stalled, &agent);
    turn();
    cr_assert_not(is_stalled(&agent, 9 * SEC));
    cr_assert_null(progress.stalled);
}

Test(progress, other_agent_at_the_same_index_is_watched_from_the_start)
{
    static struct agent next;

    cr_assert_not(is_stalled(&agent, 1 * SEC));
    cr_assert_not(is_stalled(&next, 9 * SEC));
}
