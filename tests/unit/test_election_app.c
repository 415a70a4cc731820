/* election_has_no_app: neither this instance's app nor one that the leader knows of is up. */
#include "election_fixture.h"

enum { SECOND = 2, THIRD = 3 };

static void step(const struct election_event *event)
{
    election_step(&e, event, now_ns, &actions);
}

static void set_app(bool is_up)
{
    step(&(struct election_event){.type = ELECTION_APP, .is_up = is_up});
}

/* A follower of SECOND in term 1. */
static void setup(void)
{
    join_three();
    for (uint16_t i = 0; i < 3; i++)
        e.peers[i] = (struct election_peer){.heard_ns = now_ns};
    e.state = ELECTION_FOLLOWER;
    e.leader = SECOND;
    e.term = e.seen_term = 1;
    e.heard_ns = now_ns;
    e.is_app_up = false;
}

TestSuite(election_app, .init = setup);

static void hear_heartbeat(uint64_t term, uint16_t flags)
{
    struct election_message m = {.type = ELECTION_HEARTBEAT,
                                 .from = SECOND,
                                 .to = SELF,
                                 .term = term,
                                 .seen = term,
                                 .stamp_ns = now_ns,
                                 .interval_ns = 200 * MS,
                                 .misses = 4,
                                 .count = 3,
                                 .list = e.list.id,
                                 .flags = flags};

    step(&(struct election_event){
        .type = ELECTION_MESSAGE, .message = &m, .from = member(SECOND).address});
}

Test(election_app, follower_needs_the_leaders_word)
{
    cr_assert_not(election_has_no_app(&e));
    hear_heartbeat(1, 0); /* that of an earlier version, too */
    cr_assert_not(election_has_no_app(&e));
    hear_heartbeat(1, ELECTION_FLAG_NO_APP);
    cr_assert(election_has_no_app(&e));
    hear_heartbeat(1, 0);
    cr_assert_not(election_has_no_app(&e));
}

Test(election_app, own_app_counts_at_once)
{
    hear_heartbeat(1, ELECTION_FLAG_NO_APP);
    set_app(true);
    cr_assert_not(election_has_no_app(&e));
    set_app(false);
    cr_assert(election_has_no_app(&e), "the leader has not heard of it");
}

Test(election_app, late_heartbeat_ends_it)
{
    hear_heartbeat(1, ELECTION_FLAG_NO_APP);
    now_ns += 600 * MS;
    step(&(struct election_event){.type = ELECTION_TICK});
    cr_assert_eq(e.state, ELECTION_SUSPECT);
    cr_assert_not(election_has_no_app(&e));
}

Test(election_app, word_of_a_former_leader_does_not_count)
{
    hear_heartbeat(1, ELECTION_FLAG_NO_APP);
    e.term = 2; /* learned from another member's report */
    cr_assert_not(election_has_no_app(&e));
}

static void lead(void)
{
    e.state = ELECTION_LEADER;
    e.leader = SELF;
    e.led_since_ns = now_ns - 10 * NS_PER_SEC;
    e.valid_until_ns = e.fenced_ns = now_ns + 500 * MS;
    e.heartbeat_ns = now_ns;
    e.is_list_committed = true;
}

/* The flags of the heartbeats that the next step sends. */
static uint16_t flags_in_heartbeat(void)
{
    e.heartbeat_ns = now_ns;
    step(&(struct election_event){.type = ELECTION_TICK});
    for (size_t i = 0; i < actions.count; i++) {
        if (actions.list[i].message.type == ELECTION_HEARTBEAT)
            return actions.list[i].message.flags;
    }
    cr_assert_fail("no heartbeat");
    return 0;
}

Test(election_app, leader_knows_of_no_app)
{
    lead();
    cr_assert(flags_in_heartbeat() & ELECTION_FLAG_NO_APP);
    cr_assert(election_has_no_app(&e));
    e.valid_until_ns = now_ns;
    cr_assert_not(election_has_no_app(&e), "it is not valid");
}

Test(election_app, leader_counts_each_live_eligible_member)
{
    lead();
    e.peers[2].is_app_up = true;
    cr_assert_not(flags_in_heartbeat() & ELECTION_FLAG_NO_APP);
    cr_assert_not(election_has_no_app(&e));
    e.list.members[2].is_eligible = false;
    cr_assert(election_has_no_app(&e));
    e.list.members[2].is_eligible = true;
    e.peers[2].heard_ns = now_ns - 9 * NS_PER_SEC;
    cr_assert(election_has_no_app(&e), "it is dead");
}

/* It is not ready to lead again, but it serves to its end. */
Test(election_app, stopping_leaders_app_counts)
{
    lead();
    set_app(true);
    step(&(struct election_event){.type = ELECTION_STOP});
    cr_assert_eq(e.state, ELECTION_LEADER, "there is no successor with an app");
    cr_assert_not(flags_in_heartbeat() & ELECTION_FLAG_NO_APP);
    cr_assert_not(election_has_no_app(&e));
}
