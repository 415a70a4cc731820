/* agent: a thread of bounded slices starts, sleeps and ends. */
#include <criterion/criterion.h>

#include "headless/base/agent.h"
#include "headless/base/clock.h"

TestSuite(agent, .timeout = 20);

static _Atomic size_t slices;
static _Atomic size_t left;

static size_t endless(void *self)
{
    (void)self;
    (void)atomic_fetch_add(&slices, 1);
    return 1;
}

static size_t countdown(void *self)
{
    struct agent *agent = self;

    (void)atomic_fetch_add(&slices, 1);
    if (!agent_is_stopping(agent) || atomic_load(&left) == 0)
        return 0;
    (void)atomic_fetch_sub(&left, 1);
    return 1;
}

static void no_idle(void *self)
{
    (void)self;
}

Test(agent, stop_ends_a_thread_whose_work_never_ends)
{
    static const struct agent_ops ops = {.do_work = endless};
    static struct agent agent;
    uint64_t before_ns = clock_now_ns();

    cr_assert_eq(agent_start(&agent, "endless", &ops, NULL), 0);
    agent_stop(&agent, NULL);
    cr_assert_lt(clock_now_ns() - before_ns, 20 * AGENT_DRAIN_MAX_NS);
    cr_assert_gt(atomic_load(&slices), 0);
    cr_assert_not(agent_is_started(&agent));
}

Test(agent, stop_drains_the_inputs)
{
    static const struct agent_ops ops = {.do_work = countdown, .idle = no_idle};
    static struct agent agent;

    atomic_store(&left, 1000);
    cr_assert_eq(agent_start(&agent, "countdown", &ops, &agent), 0);
    agent_stop(&agent, NULL);
    cr_assert_eq(atomic_load(&left), 0);
    agent_stop(&agent, NULL); /* again: nothing to do */
}
