/* order: what the leader no longer has, other members are asked for. */
#include "sequencer_checks.h"

static void restart(size_t pod)
{
    pod_kill(&w, pod);
    pod_start(&w, pod);
}

static void forget_before(size_t pod, uint64_t index)
{
    while (w.pods[pod].sequencer.log.first < index)
        entry_log_drop_oldest(&w.pods[pod].sequencer.log);
}

/* Pod 3 has 100 messages of 150; pod 4 has joined behind them, and all but pod 3 have 160. */
static void one_lags_and_one_is_new(bool commits)
{
    begin_world(commits);
    pod_kill(&w, 4);
    send_many(0, 100);
    pass(&w, 50);
    isolate(3, true);
    send_many(0, 50);
    pass(&w, 50);
    pod_start(&w, 4);
    for (size_t i = 0; i < PODS; i++)
        pod_hears(&w, i, 0, w.term);
    pass(&w, 200);
    send_many(0, 10);
    pass(&w, 50);
    cr_assert_eq(delivered(3), 100);
    cr_assert_eq(w.pods[4].app.run_from, 151);
    isolate(3, false);
}

static void late_joiner_leads(bool commits)
{
    one_lags_and_one_is_new(commits);
    pod_kill(&w, 0);
    all_hear(&w, 4);
    pass(&w, 30);
    cr_assert(sequencer_is_leading(&w.pods[4].sequencer));
    send_many(4, 10);
    pass(&w, 100);
    cr_assert_eq(delivered(3), 170);
    cr_assert_eq(w.pods[3].app.given, 170);
    cr_assert_eq(w.pods[3].app.missing, 0);
    check_agreement();
    world_end(&w);
}

Test(sequencer_help, a_leader_that_joined_late_need_not_have_what_others_have)
{
    late_joiner_leads(false);
}

Test(sequencer_help, the_same_with_commit)
{
    late_joiner_leads(true);
}

/* It has nothing but the number that comes next. */
Test(sequencer_help, a_leader_that_has_just_started)
{
    begin_world(false);
    send_many(0, 100);
    pass(&w, 20);
    isolate(3, true);
    send_many(0, 500); /* more than one answer takes */
    pass(&w, 20);
    restart(4);
    isolate(3, false);
    pod_kill(&w, 0);
    all_hear(&w, 4);
    pass(&w, 30);
    cr_assert(sequencer_is_leading(&w.pods[4].sequencer));
    send_many(4, 10);
    pass(&w, 100);
    cr_assert_eq(w.pods[3].app.given, 610);
    cr_assert_eq(w.pods[3].app.missing, 0);
    check_agreement();
    world_end(&w);
}

/* The leader is not delayed by what it asks others than its source. */
Test(sequencer_help, a_leader_that_lags_itself)
{
    one_lags_and_one_is_new(false);
    forget_before(1, 140);
    forget_before(2, 120);
    pod_kill(&w, 0);
    all_hear(&w, 3);
    pass(&w, 60);
    cr_assert(sequencer_is_leading(&w.pods[3].sequencer));
    cr_assert_eq(w.pods[3].app.missing, 19, "what nobody has, and no more");
    cr_assert_eq(w.pods[3].app.given, 141);
    send_many(3, 10);
    pass(&w, 50);
    check_agreement();
    world_end(&w);
}

/* Who reaches back furthest is not the first that is asked, nor the last. */
Test(sequencer_help, what_nobody_has_is_missing)
{
    one_lags_and_one_is_new(false);
    forget_before(0, 140);
    forget_before(1, 110);
    forget_before(2, 130);
    all_hear(&w, 4);
    pass(&w, 100);
    cr_assert_eq(w.pods[3].app.missing, 9);
    cr_assert_eq(w.pods[3].app.given, 151);
    check_agreement();
    world_end(&w);
}

/* All others are thought to live, and say nothing: the order goes on without what is missing. */
Test(sequencer_help, the_silent_are_not_waited_for)
{
    one_lags_and_one_is_new(false);
    for (size_t i = 0; i < 3; i++)
        w.cuts[3][i] = true;
    all_hear(&w, 4);
    pass(&w, 50);
    send_many(4, 10);
    pass(&w, 300);
    cr_assert_eq(w.pods[3].app.missing, 0, "who is slow is asked again");
    pass(&w, 300);
    cr_assert_eq(w.pods[3].app.missing, 50);
    check_agreement();
    world_end(&w);
}

/* One that has answered once that it has less is not asked again, but the silent one is. */
Test(sequencer_help, who_is_slow_helps_late)
{
    one_lags_and_one_is_new(false);
    forget_before(0, 140);
    pod_kill(&w, 1);
    w.cuts[3][2] = true;
    all_hear(&w, 4);
    pass(&w, 200);
    cr_assert_eq(w.pods[3].app.missing, 0);
    w.cuts[3][2] = false;
    pass(&w, 100);
    cr_assert_eq(w.pods[3].app.missing, 0);
    cr_assert_eq(delivered(3), 160);
    check_agreement();
    world_end(&w);
}

/* The one that helps goes silent in the middle of it: another goes on. */
Test(sequencer_help, a_helper_that_dies)
{
    begin_world(false);
    isolate(3, true);
    send_many(0, 2000);
    pass(&w, 20);
    restart(4);
    isolate(3, false);
    all_hear(&w, 4);
    while (delivered(3) < 500)
        pass(&w, 1);
    cr_assert_lt(delivered(3), 1500);
    pod_kill(&w, w.pods[3].sequencer.catch_up.donor == w.pods[0].instance ? 0 : 1);
    pass(&w, 200);
    cr_assert_eq(w.pods[3].app.missing, 0);
    cr_assert_eq(delivered(3), 2000);
    check_agreement();
    world_end(&w);
}

/* The leader's history goes on growing away meanwhile. */
Test(sequencer_help, the_gap_grows_while_it_is_filled)
{
    world_begin(&w, 3, false, 256 * KIB);
    all_hear(&w, 0);
    pass(&w, 10);
    isolate(3, true);
    send_many(0, 400);
    pass(&w, 20);
    for (size_t i = 0; i < PODS; i++)
        cr_assert(i == 3 || w.pods[i].sequencer.log.first == 1);
    isolate(3, false);
    forget_before(0, 300);
    send_many(0, 300);
    pass(&w, 200);
    cr_assert_eq(w.pods[3].app.missing, 0);
    check_agreement();
    world_end(&w);
}

/* Only who is known to have the leader's order may tell others what it is. */
Test(sequencer_help, who_does_not_agree_with_the_leader_does_not_help)
{
    const struct entry_ack ack = {.request = 1};
    uint64_t sum[COUNTER_COUNT] = {0};
    struct sequencer *s = &w.pods[1].sequencer;

    begin_world(false);
    send_many(0, 20);
    pass(&w, 20);
    isolate(1, true);
    all_hear(&w, 0);
    pass(&w, 20);
    cr_assert_lt(s->normal_term, w.term);
    sequencer_take_ack(s, w.pods[2].instance, w.term, &ack);
    sequencer_flush(s);
    counters_collect(&w.pods[1].counters, sum);
    cr_assert_eq(sum[COUNTER_ORDER_REFUSED], 1);
    cr_assert_eq(sum[COUNTER_ORDER_RESENT], 0);
    isolate(1, false);
    pass(&w, 150);
    cr_assert_eq(s->normal_term, w.term);
    sequencer_take_ack(s, w.pods[2].instance, w.term, &ack);
    sequencer_take_ack(s, w.pods[2].instance, w.term - 1, &ack);
    sequencer_take_ack(s, 4711, w.term, &ack);
    sequencer_flush(s);
    counters_collect(&w.pods[1].counters, sum);
    cr_assert_eq(sum[COUNTER_ORDER_REFUSED], 4, "1, and 3 by now");
    cr_assert_eq(sum[COUNTER_ORDER_RESENT], 20);
    world_end(&w);
}

/* What it says of itself counts for no majority. */
Test(sequencer_help, a_member_is_no_leader)
{
    const struct entry_ack ack = {.normal_term = 1, .last = 900, .committed = 900};
    struct sequencer *s = &w.pods[1].sequencer;

    begin_world(true);
    send_many(0, 20);
    pass(&w, 50);
    sequencer_take_ack(s, w.pods[2].instance, w.term, &ack);
    sequencer_flush(s);
    for (size_t i = 0; i < s->peer_count; i++)
        cr_assert_eq(s->peers[i].last, 0);
    cr_assert_eq(delivered(1), 20);
    world_end(&w);
}
