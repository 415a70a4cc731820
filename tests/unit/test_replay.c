/* replay: each counter is accepted once, late or in any order. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "headless/secure/replay.h"

static struct replay_window window;

static void setup(void)
{
    replay_reset(&window, 0);
}

TestSuite(replay, .init = setup, .timeout = 60);

Test(replay, each_counter_is_accepted_once)
{
    for (uint64_t c = 1; c < 10000; c++) {
        cr_assert(replay_is_new(&window, c));
        cr_assert(replay_accept(&window, c));
        cr_assert_not(replay_is_new(&window, c));
        cr_assert_not(replay_accept(&window, c));
    }
}

Test(replay, zero_and_counters_above_the_maximum_are_refused)
{
    cr_assert_not(replay_accept(&window, 0));
    cr_assert_not(replay_accept(&window, REPLAY_COUNTER_MAX + 1));
    cr_assert_not(replay_accept(&window, UINT64_MAX));
    cr_assert(replay_accept(&window, REPLAY_COUNTER_MAX));
    cr_assert_not(replay_accept(&window, REPLAY_COUNTER_MAX));
}

Test(replay, late_counters_are_accepted_within_the_window)
{
    cr_assert(replay_accept(&window, 5000));
    cr_assert(replay_accept(&window, 5000 - REPLAY_WINDOW + 16));
    cr_assert_not(replay_accept(&window, 5000 - REPLAY_WINDOW + 16));
    cr_assert_not(replay_accept(&window, 5000 - REPLAY_WINDOW), "its word is the newer one's");
    cr_assert(replay_accept(&window, 4999));
}

Test(replay, jump_ahead_does_not_reopen_old_counters)
{
    for (uint64_t c = 1; c <= 3000; c++)
        cr_assert(replay_accept(&window, c));
    cr_assert(replay_accept(&window, UINT64_C(1) << 40));
    for (uint64_t c = 1; c <= 3000; c++)
        cr_assert_not(replay_accept(&window, c), "%lu", (unsigned long)c);
}

Test(replay, counters_up_to_the_floor_are_refused)
{
    replay_reset(&window, 100000);
    cr_assert_not(replay_accept(&window, 1));
    cr_assert_not(replay_accept(&window, 100000));
    cr_assert(replay_accept(&window, 100001));
    cr_assert(replay_accept(&window, 200000));
}

Test(replay, reset_clears_the_window)
{
    cr_assert(replay_accept(&window, 7));
    replay_reset(&window, 0);
    cr_assert(replay_accept(&window, 7));
}

/* Against a model that keeps all counters: none is accepted twice, no recent one is refused. */
Test(replay, random_orders_agree_with_a_model)
{
    enum { TOP = 60000, STEPS = 400000 };
    static bool seen[TOP + 1];
    uint64_t highest = 0;

    srandom(4711);
    for (int i = 0; i < STEPS; i++) {
        uint64_t ahead = (uint64_t)i * TOP / STEPS;
        uint64_t spread = (uint64_t)random() % 3000;
        uint64_t c = ahead + 1 > spread ? ahead + 1 - spread : 1;
        bool is_young = c + REPLAY_WINDOW > highest + 16;

        if (replay_accept(&window, c)) {
            cr_assert_not(seen[c], "%lu twice", (unsigned long)c);
            seen[c] = true;
            highest = c > highest ? c : highest;
        } else {
            cr_assert(seen[c] || !is_young, "%lu lost, highest %lu", (unsigned long)c,
                      (unsigned long)highest);
        }
    }
    cr_assert_gt(highest, TOP - 3000);
}
