/* The result of a leader command says why its target cannot lead. */
#include "election_fixture.h"

enum { SECOND = 2, THIRD = 3, UNKNOWN = 9 };

/* SELF leads in term 1, and has heard the others. */
static void setup(void)
{
    join_three();
    for (uint16_t i = 0; i < 3; i++)
        e.peers[i] = (struct election_peer){.heard_ns = now_ns, .is_app_up = true};
    e.state = ELECTION_LEADER;
    e.leader = SELF;
    e.term = e.seen_term = 1;
    e.valid_until_ns = e.fenced_ns = now_ns + NS_PER_SEC;
    e.heartbeat_ns = now_ns + 200 * MS;
    e.is_list_committed = true;
}

TestSuite(election_command, .init = setup);

static enum election_result command(uint64_t target)
{
    const struct election_event event = {.type = ELECTION_COMMAND, .instance = target, .token = 7};

    election_step(&e, &event, now_ns, &actions);
    cr_assert_eq(actions.count, 1);
    cr_assert_eq(actions.list[0].type, ELECTION_RESULT);
    cr_assert_eq(actions.list[0].token, 7);
    return actions.list[0].reply;
}

Test(election_command, an_unknown_instance_is_no_member)
{
    cr_assert_eq(command(UNKNOWN), ELECTION_NO_MEMBER);
    cr_assert_eq(command(SELF), ELECTION_OK);
}

/* It keeps its row for member.forget. */
Test(election_command, a_member_that_died_is_not_alive)
{
    e.peers[2].heard_ns = now_ns - 10 * NS_PER_SEC;
    e.led_since_ns = now_ns - 10 * NS_PER_SEC;
    cr_assert_eq(command(THIRD), ELECTION_NOT_ALIVE);
}

Test(election_command, an_ineligible_member_is_named_as_such)
{
    e.list.members[1].is_eligible = false;
    cr_assert_eq(command(SECOND), ELECTION_NOT_ELIGIBLE);
}
