/* reply_grace: how long replies of an earlier term leave, and when the next leader's app pushes. */
#include <criterion/criterion.h>

#include "control/reply_grace.h"
#include "headless/base/clock.h"

#define MS NS_PER_MS

enum { A = 1, B = 2, C = 3, SELF = A }; /* A led term 4, B leads term 5 */

static struct reply_grace grace;
static struct reply_grace_leader leader;
static struct reply_grace_times times;

/* This pod is A, and leads. */
static void setup(void)
{
    grace = (struct reply_grace){0};
    times = (struct reply_grace_times){
        .now_ns = 1000 * MS, .grace_ns = 100 * MS, .interval_ns = 10 * MS, .detection_ns = 40 * MS};
    leader = (struct reply_grace_leader){
        .has_leader = true, .is_self = true, .instance = A, .term = 4, .valid_until_ns = 1020 * MS};
}

TestSuite(reply_grace, .init = setup);

static const struct election_former nobody;

static void step(const struct reply_grace_leader *after, const struct election_former *former)
{
    reply_grace_step(&grace, &leader, after, former, &times);
    leader = *after;
}

static void step_down(void)
{
    step(&(struct reply_grace_leader){.is_stepping_down = true, .term = 4}, &nobody);
}

static void follow(uint64_t instance, uint64_t term, bool gave_way,
                   const struct election_former *former)
{
    step(&(struct reply_grace_leader){.has_leader = true,
                                      .gave_way_term = gave_way ? term - 1 : 0,
                                      .instance = instance,
                                      .term = term,
                                      .valid_until_ns = times.now_ns + 20 * MS},
         former);
}

static bool accepts(uint64_t term, uint64_t now_ns)
{
    static struct leadership leadership;

    leadership.term = leader.term;
    atomic_store(&leadership.valid_until_ns, leader.valid_until_ns);
    reply_grace_put(&grace, &leadership);
    return leadership_accepts_reply(&leadership, term, now_ns);
}

static void expect_until(uint64_t term, uint64_t until_ns)
{
    if (leader.has_leader)
        leader.valid_until_ns = UINT64_MAX;
    cr_assert(accepts(term, until_ns - 1));
    cr_assert_not(accepts(term, until_ns), "term %d", (int)term);
}

Test(reply_grace, own_replies_pass_for_the_grace_after_stepping_down)
{
    step_down();
    expect_until(4, 1100 * MS);
    times.now_ns = 1050 * MS;
    follow(B, 5, true, &nobody);
    expect_until(4, 1100 * MS);
    cr_assert_eq(grace.settled_ns, 1200 * MS, "3/2 of it");
}

/* Another one may lead by then. */
Test(reply_grace, grace_begins_at_the_end_of_the_lease_when_that_was_before)
{
    times.now_ns = 1060 * MS;
    step_down();
    expect_until(4, 1120 * MS);
}

Test(reply_grace, leader_that_was_deposed_sends_nothing_when_a_later_one_stepped_down)
{
    times.now_ns = 5000 * MS;
    follow(C, 6, true, &nobody);
    leader.valid_until_ns = UINT64_MAX;
    cr_assert_not(accepts(4, 5000 * MS), "its lease ended long ago");
    follow(C, 7, false, &nobody);
    cr_assert_not(accepts(4, 5000 * MS));
}

/* C led term 6, and stepped down; this pod has missed it. */
Test(reply_grace, leader_that_was_lost_sends_nothing_when_a_later_one_stepped_down)
{
    step_down();
    follow(B, 5, true, &nobody);
    leader.valid_until_ns = UINT64_MAX;
    follow(A, 7, true, &nobody);
    cr_assert_not(accepts(5, times.now_ns), "B led term 5");
}

static const struct election_former stays = {.instance = A, .term = 4, .until_ns = 2000 * MS};

static void stay(void)
{
    step_down();
    follow(B, 5, true, &stays);
}

Test(reply_grace, replies_to_sessions_that_stayed_pass_for_the_grace_after_their_end)
{
    stay();
    expect_until(4, 2100 * MS);
    times.now_ns = 1500 * MS;
    leader.valid_until_ns = 1510 * MS;
    follow(B, 5, true, &nobody);
    expect_until(4, 1600 * MS);
    cr_assert_eq(grace.settled_ns, (1500 + 3 * 10 + 20 + 150) * MS);
}

Test(reply_grace, end_of_drain_time_counts_when_the_news_are_late)
{
    stay();
    times.now_ns = 2005 * MS;
    leader.valid_until_ns = 2010 * MS;
    follow(B, 5, true, &nobody);
    expect_until(4, 2100 * MS);
}

/* The leader ended the time while this pod did not hear it. */
Test(reply_grace, replies_after_a_silence_of_the_leader_pass_for_the_grace_after_its_validity)
{
    stay();
    leader.valid_until_ns = 1020 * MS;
    times.now_ns = 1110 * MS;
    follow(B, 5, true, &nobody);
    expect_until(4, 1120 * MS);
}

Test(reply_grace, replies_to_sessions_that_stayed_need_a_valid_leader)
{
    stay();
    times.now_ns = 1500 * MS;
    leader.valid_until_ns = 1510 * MS;
    follow(B, 5, true, &nobody);
    leader.valid_until_ns = 1520 * MS;
    cr_assert(accepts(4, 1519 * MS));
    cr_assert_not(accepts(4, 1520 * MS));
}

Test(reply_grace, next_change_of_the_leader_ends_them_at_once)
{
    stay();
    times.now_ns = 1500 * MS;
    follow(C, 6, true, &nobody);
    leader.valid_until_ns = UINT64_MAX;
    cr_assert_not(accepts(4, 1500 * MS));
    cr_assert(accepts(5, 1599 * MS), "of the leader that stepped down");
}

/* A former leader that this pod does not know of may serve until then. */
Test(reply_grace, pushes_wait_for_three_intervals_when_the_grace_is_short)
{
    times.grace_ns = MS;
    follow(B, 5, true, &nobody);
    cr_assert_eq(grace.settled_ns, 1030 * MS);
}
