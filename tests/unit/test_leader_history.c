/* leader_history: the last leaders, newest first. */
#include <criterion/criterion.h>
#include <string.h>

#include "headless/control/leader_history.h"

TestSuite(leader_history, .timeout = 30);

static struct leadership led_by(uint64_t term, const char *name, const char *cause)
{
    struct leadership leadership = {.kind = LEADER_MEMBER, .term = term, .cause = cause};

    (void)strcpy(leadership.name, name);
    return leadership;
}

Test(leader_history, newest_leader_comes_first)
{
    struct leader_history history = {0};
    struct leadership leadership;

    leader_history_begin(&history, 100, 5, 1);
    leadership = led_by(1, "", "bootstrap");
    leader_history_put(&history, &leadership);
    (void)strcpy(leadership.name, "pod-1"); /* learned late */
    leader_history_put(&history, &leadership);
    leader_history_begin(&history, 200, 35, 2);
    leadership = led_by(2, "pod-2", "verdict");
    leader_history_put(&history, &leadership);
    cr_assert_eq(history.count, 2);
    cr_assert_str_eq(history.changes[0].leader_name, "pod-2");
    cr_assert_str_eq(history.changes[0].cause, "verdict");
    cr_assert_eq(history.changes[0].since_ns, 200);
    cr_assert_eq(history.changes[0].gap_ns, 35);
    cr_assert_eq(history.changes[0].term, 2);
    cr_assert_str_eq(history.changes[1].leader_name, "pod-1");
    cr_assert_str_eq(history.changes[1].cause, "bootstrap");
}

Test(leader_history, leadership_without_a_leader_changes_nothing)
{
    struct leader_history history = {0};
    struct leadership leadership = led_by(1, "pod-1", "bootstrap");

    leader_history_begin(&history, 100, 0, 1);
    leader_history_put(&history, &leadership);
    leadership.kind = LEADER_NONE;
    leadership.name[0] = '\0';
    leadership.cause = "silence";
    leader_history_put(&history, &leadership);
    cr_assert_eq(history.count, 1);
    cr_assert_str_eq(history.changes[0].leader_name, "pod-1");
    cr_assert_str_eq(history.changes[0].cause, "bootstrap");
}

Test(leader_history, full_history_drops_the_oldest)
{
    struct leader_history history = {0};

    for (uint64_t term = 1; term <= 3 * LEADER_CHANGES_MAX; term++)
        leader_history_begin(&history, 10 * term, 0, term);
    cr_assert_eq(history.count, LEADER_CHANGES_MAX);
    for (size_t i = 0; i < LEADER_CHANGES_MAX; i++)
        cr_assert_eq(history.changes[i].term, 3 * LEADER_CHANGES_MAX - i);
}
