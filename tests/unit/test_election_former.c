/* election_former: sessions that stay with a leader that stepped down; tests/sim has the rest. */
#include "election_fixture.h"

#define STAY_NS (30 * NS_PER_SEC)

/* 2 led term 4, 3 leads term 5. */
enum { FORMER = 2, LEADER = 3 };

static void step(const struct election_event *event)
{
    now_ns += MS;
    election_step(&e, event, now_ns, &actions);
}

static void hear(uint64_t from, uint64_t term, uint16_t flags)
{
    const struct election_message m = {.type = ELECTION_HEARTBEAT,
                                       .from = from,
                                       .to = SELF,
                                       .term = term,
                                       .flags = flags,
                                       .interval_ns = 200 * MS,
                                       .misses = 4,
                                       .list = e.list.id,
                                       .stamp_ns = now_ns,
                                       .count = 3};

    step(&(struct election_event){
        .type = ELECTION_MESSAGE, .message = &m, .from = member(from).address});
}

static void set_sessions(uint64_t stay_ns, bool has)
{
    step(&(struct election_event){.type = ELECTION_SESSIONS, .stay_ns = stay_ns, .is_up = has});
}

/* A follower of instance 2 in term 4. */
static void setup(void)
{
    join_three();
    set_sessions(STAY_NS, false);
    hear(FORMER, 4, 0);
}

TestSuite(election_former, .init = setup);

#define BOTH (ELECTION_FLAG_STEPPED_DOWN | ELECTION_FLAG_FORMER)

Test(election_former, leader_of_the_claim_before_serves_until_the_time_of_this_member)
{
    hear(LEADER, 5, BOTH);
    cr_assert_eq(e.published.former.instance, FORMER);
    cr_assert_eq(e.published.former.term, 4);
    cr_assert_eq(e.published.former.until_ns, now_ns + STAY_NS);
    cr_assert_eq(e.published.former.address.ip[3], FORMER);
    hear(LEADER, 5, BOTH);
    cr_assert_leq(e.published.former.until_ns, now_ns + STAY_NS - MS, "it is not prolonged");
}

Test(election_former, first_heartbeat_without_the_flag_ends_it_for_good)
{
    hear(LEADER, 5, BOTH);
    hear(LEADER, 5, ELECTION_FLAG_STEPPED_DOWN);
    cr_assert_eq(e.published.former.instance, 0);
    hear(LEADER, 5, BOTH);
    cr_assert_eq(e.published.former.instance, 0, "an older one, delayed");
}

Test(election_former, leader_that_did_not_step_down_does_not_serve)
{
    hear(LEADER, 5, ELECTION_FLAG_FORMER);
    cr_assert_eq(e.published.former.instance, 0);
}

Test(election_former, another_leader_may_have_been_between)
{
    hear(LEADER, 6, BOTH);
    cr_assert_eq(e.published.former.instance, 0);
}

/* Of the leader before this one, as this member followed it. */
Test(election_former, step_down_of_a_leader_that_this_member_missed_says_nothing)
{
    hear(LEADER, 5, ELECTION_FLAG_STEPPED_DOWN);
    cr_assert_eq(e.published.stepped_down_term, 4);
    hear(FORMER, 7, ELECTION_FLAG_STEPPED_DOWN);
    cr_assert_eq(e.published.stepped_down_term, 0, "that of term 6 did");
    hear(FORMER, 9, ELECTION_FLAG_STEPPED_DOWN);
    cr_assert_eq(e.published.stepped_down_term, 7, "it is the same one");
}

Test(election_former, step_down_that_this_member_heard_of_counts_in_any_later_term)
{
    const struct election_message m = {
        .type = ELECTION_STEP_DOWN, .from = FORMER, .to = SELF, .term = 4, .leader = LEADER};

    step(&(struct election_event){
        .type = ELECTION_MESSAGE, .message = &m, .from = member(FORMER).address});
    hear(LEADER, 6, 0);
    cr_assert_eq(e.published.stepped_down_term, 4);
}

Test(election_former, instance_takes_kept_requests_of_the_terms_that_it_may_lead)
{
    cr_assert_eq(e.published.takes_from, 5);
    hear(LEADER, 6, 0);
    cr_assert_eq(e.published.takes_from, 7);
}

Test(election_former, next_claim_ends_it)
{
    hear(LEADER, 5, BOTH);
    hear(FORMER, 6, 0);
    cr_assert_eq(e.published.former.instance, 0);
    hear(LEADER, 8, BOTH);
    cr_assert_eq(e.published.former.instance, 0);
}

Test(election_former, refused_former_leader_is_dead)
{
    hear(LEADER, 5, BOTH);
    step(&(struct election_event){.type = ELECTION_REFUSED, .instance = FORMER});
    cr_assert_eq(e.published.former.instance, 0);
    cr_assert_eq(e.published.leader, LEADER);
}

Test(election_former, its_time_ends)
{
    hear(LEADER, 5, BOTH);
    now_ns += STAY_NS;
    step(&(struct election_event){.type = ELECTION_TICK});
    cr_assert_eq(e.published.former.instance, 0);
}

Test(election_former, member_whose_option_is_move_does_not_take_part)
{
    set_sessions(0, false);
    hear(LEADER, 5, BOTH);
    cr_assert_eq(e.published.former.instance, 0);
    set_sessions(STAY_NS, false);
    hear(LEADER, 5, BOTH);
    cr_assert_eq(e.published.former.instance, 0, "not in this term");
}

/* We led term 4, and step down now. */
static void step_down(void)
{
    set_sessions(STAY_NS, true);
    e.previous =
        (struct election_former){.instance = SELF, .term = 4, .until_ns = now_ns + STAY_NS};
    e.stepping_down_until_ns = now_ns + 1600 * MS;
}

/* The leader may have ended it meanwhile: this heartbeat may be one that waited for a paused process. */
Test(election_former, former_leader_that_heard_nothing_for_a_detection_time_does_not_go_on)
{
    step_down();
    hear(LEADER, 5, BOTH);
    now_ns += 798 * MS;
    hear(LEADER, 5, BOTH);
    cr_assert_eq(e.published.former.instance, SELF);
    now_ns += 799 * MS;
    hear(LEADER, 5, BOTH);
    cr_assert_eq(e.published.former.instance, 0);
    hear(LEADER, 5, BOTH);
    cr_assert_eq(e.published.former.instance, 0, "for good");
}

Test(election_former, former_leader_that_is_asked_after_a_detection_time_does_not_begin)
{
    step_down();
    now_ns += 798 * MS;
    hear(LEADER, 5, BOTH);
    cr_assert_eq(e.published.former.instance, SELF, "within the detection time");
    setup();
    step_down();
    now_ns += 799 * MS;
    hear(LEADER, 5, BOTH);
    cr_assert_eq(e.published.former.instance, 0);
    hear(LEADER, 5, BOTH);
    cr_assert_eq(e.published.former.instance, 0, "for good");
}
