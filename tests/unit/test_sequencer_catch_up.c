/* sequencer: entries that the leader no longer has come from other members. */
#include "sequencer_checks.h"

static void restart(size_t pod)
{
    pod_kill(&w, pod);
    pod_start(&w, pod);
}

static void drop_before(size_t pod, uint64_t index)
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
        pod_learns_leader(&w, i, 0, w.term);
    pass(&w, 200);
    send_many(0, 10);
    pass(&w, 50);
    cr_assert_eq(delivered(3), 100);
    cr_assert_eq(w.pods[4].app.first_index, 151);
    isolate(3, false);
}

static void late_joiner_leads(bool commits)
{
    one_lags_and_one_is_new(commits);
    pod_kill(&w, 0);
    all_learn(&w, 4);
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

Test(sequencer_catch_up, leader_that_joined_late_lacks_entries_of_others)
{
    late_joiner_leads(false);
}

Test(sequencer_catch_up, leader_that_joined_late_with_commit)
{
    late_joiner_leads(true);
}

/* Its log is empty; it knows the next index only. */
Test(sequencer_catch_up, leader_with_an_empty_log)
{
    begin_world(false);
    send_many(0, 100);
    pass(&w, 20);
    isolate(3, true);
    send_many(0, 500); /* more than one reply takes */
    pass(&w, 20);
    restart(4);
    isolate(3, false);
    pod_kill(&w, 0);
    all_learn(&w, 4);
    pass(&w, 30);
    cr_assert(sequencer_is_leading(&w.pods[4].sequencer));
    send_many(4, 10);
    pass(&w, 100);
    cr_assert_eq(w.pods[3].app.given, 610);
    cr_assert_eq(w.pods[3].app.missing, 0);
    check_agreement();
    world_end(&w);
}

/* Requests to other members than its source do not delay the leader. */
Test(sequencer_catch_up, leader_that_lags)
{
    one_lags_and_one_is_new(false);
    drop_before(1, 140);
    drop_before(2, 120);
    pod_kill(&w, 0);
    all_learn(&w, 3);
    pass(&w, 60);
    cr_assert(sequencer_is_leading(&w.pods[3].sequencer));
    cr_assert_eq(w.pods[3].app.missing, 19, "only entries that no member has");
    cr_assert_eq(w.pods[3].app.given, 141);
    send_many(3, 10);
    pass(&w, 50);
    check_agreement();
    world_end(&w);
}

/* The member whose log reaches back furthest is neither the first nor the last that is asked. */
Test(sequencer_catch_up, entries_that_no_member_has_are_missing)
{
    one_lags_and_one_is_new(false);
    drop_before(0, 140);
    drop_before(1, 110);
    drop_before(2, 130);
    all_learn(&w, 4);
    pass(&w, 100);
    cr_assert_eq(w.pods[3].app.missing, 9);
    cr_assert_eq(w.pods[3].app.given, 151);
    check_agreement();
    world_end(&w);
}

/* All others count as alive and do not reply: the log continues without the missing entries. */
Test(sequencer_catch_up, silent_members_do_not_stop_the_log)
{
    one_lags_and_one_is_new(false);
    for (size_t i = 0; i < 3; i++)
        w.cuts[3][i] = true;
    all_learn(&w, 4);
    pass(&w, 50);
    send_many(4, 10);
    pass(&w, 300);
    cr_assert_eq(w.pods[3].app.missing, 0, "a slow member is asked again");
    pass(&w, 300);
    cr_assert_eq(w.pods[3].app.missing, 50);
    check_agreement();
    world_end(&w);
}

/* A member that replied that it lacks the entries is not asked again; a silent one is. */
Test(sequencer_catch_up, slow_member_donates_late)
{
    one_lags_and_one_is_new(false);
    drop_before(0, 140);
    pod_kill(&w, 1);
    w.cuts[3][2] = true;
    all_learn(&w, 4);
    pass(&w, 200);
    cr_assert_eq(w.pods[3].app.missing, 0);
    w.cuts[3][2] = false;
    pass(&w, 100);
    cr_assert_eq(w.pods[3].app.missing, 0);
    cr_assert_eq(delivered(3), 160);
    check_agreement();
    world_end(&w);
}

/* The donor goes silent in the middle: another continues. */
Test(sequencer_catch_up, donor_that_dies)
{
    begin_world(false);
    isolate(3, true);
    send_many(0, 2000);
    pass(&w, 20);
    restart(4);
    isolate(3, false);
    all_learn(&w, 4);
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

/* The leader's log drops more entries meanwhile. */
Test(sequencer_catch_up, gap_grows_while_it_is_filled)
{
    world_begin(&w, 3, false, 256 * KIB);
    all_learn(&w, 0);
    pass(&w, 10);
    isolate(3, true);
    send_many(0, 400);
    pass(&w, 20);
    for (size_t i = 0; i < PODS; i++)
        cr_assert(i == 3 || w.pods[i].sequencer.log.first == 1);
    isolate(3, false);
    drop_before(0, 300);
    send_many(0, 300);
    pass(&w, 200);
    cr_assert_eq(w.pods[3].app.missing, 0);
    check_agreement();
    world_end(&w);
}

/* Only a member whose log is known to be the leader's may send entries to others. */
Test(sequencer_catch_up, member_whose_log_is_not_the_leaders_does_not_donate)
{
    const struct entry_ack ack = {.request = 1};
    uint64_t sum[COUNTER_COUNT] = {0};
    struct sequencer *s = &w.pods[1].sequencer;

    begin_world(false);
    send_many(0, 20);
    pass(&w, 20);
    isolate(1, true);
    all_learn(&w, 0);
    pass(&w, 20);
    cr_assert_lt(s->normal_term, w.term);
    take_ack(&w.pods[1], w.pods[2].instance, w.term, &ack);
    flush(&w.pods[1]);
    counters_collect(&w.pods[1].counters, sum);
    cr_assert_eq(sum[COUNTER_ORDER_REFUSED], 1);
    cr_assert_eq(sum[COUNTER_ORDER_RESENT], 0);
    isolate(1, false);
    pass(&w, 150);
    cr_assert_eq(s->normal_term, w.term);
    take_ack(&w.pods[1], w.pods[2].instance, w.term, &ack);
    take_ack(&w.pods[1], w.pods[2].instance, w.term - 1, &ack);
    take_ack(&w.pods[1], 4711, w.term, &ack);
    flush(&w.pods[1]);
    counters_collect(&w.pods[1].counters, sum);
    cr_assert_eq(sum[COUNTER_ORDER_REFUSED], 4, "1, and 3 by now");
    cr_assert_eq(sum[COUNTER_ORDER_RESENT], 20);
    world_end(&w);
}

/* Acknowledgements to a follower count for no majority. */
Test(sequencer_catch_up, follower_counts_no_acknowledgements)
{
    const struct entry_ack ack = {.normal_term = 1, .last = 900, .committed = 900};
    struct sequencer *s = &w.pods[1].sequencer;

    begin_world(true);
    send_many(0, 20);
    pass(&w, 50);
    take_ack(&w.pods[1], w.pods[2].instance, w.term, &ack);
    flush(&w.pods[1]);
    for (size_t i = 0; i < s->peer_count; i++)
        cr_assert_eq(s->peers[i].last, 0);
    cr_assert_eq(delivered(1), 20);
    world_end(&w);
}

/* The leader's log drops entries faster than silent donors are given up. */
Test(sequencer_catch_up, short_log_is_not_chased)
{
    begin_short_world();
    isolate(4, true);
    send_many(0, 500);
    isolate(4, false);
    for (size_t i = 1; i < 4; i++)
        w.cuts[4][i] = true;
    for (unsigned i = 0; i < 2000; i++) {
        client_sends(&w, 0);
        pass(&w, 1);
    }
    cr_assert_gt(w.pods[4].app.given, 1000);
    pass(&w, 50);
    cr_assert_eq(delivered(4), 2510);
    check_agreement();
    world_end(&w);
}
