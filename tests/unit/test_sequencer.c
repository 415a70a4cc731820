/* sequencer: one order for all apps, through loss, leader changes, and pods that were cut off. */
#include "sequencer_checks.h"

Test(sequencer, all_apps_get_all_messages)
{
    begin_world(false);
    send_many(0, 1000);
    pass(&w, 20);
    cr_assert_eq(delivered(4), 1000);
    check_agreement();
    for (size_t i = 0; i < PODS; i++)
        cr_assert_eq(w.pods[i].app.joined, 1);
    world_end(&w);
}

Test(sequencer, lost_entries_are_requested)
{
    begin_world(false);
    w.loss = 10;
    send_many(0, 2000);
    w.loss = 0;
    pass(&w, 500);
    cr_assert_eq(delivered(0), 2000);
    check_agreement();
    world_end(&w);
}

Test(sequencer, late_and_duplicate_entries_change_nothing)
{
    begin_world(false);
    w.twice = 50;
    w.late = 2;
    send_many(0, 2000);
    pass(&w, 300);
    cr_assert_eq(w.pods[3].app.given, 2000);
    cr_assert_gt(drops(&w.pods[3], DROP_duplicate), 100);
    check_agreement();
    world_end(&w);
}

/* The last entry before a pause is announced, so that its loss is noticed. */
Test(sequencer, loss_of_the_last_entry_is_noticed)
{
    begin_world(false);
    send_many(0, 10);
    pass(&w, 5);
    w.loss = 100;
    client_sends(&w, 0);
    pass(&w, 2);
    w.loss = 0;
    cr_assert_eq(delivered(1), 10);
    pass(&w, 30);
    cr_assert_eq(delivered(1), 11);
    world_end(&w);
}

Test(sequencer, with_commit_only_entries_of_a_majority_are_delivered)
{
    begin_world(true);
    send_many(0, 100);
    pass(&w, 20);
    cr_assert_eq(delivered(0), 100);
    check_agreement();
    for (size_t i = 1; i < 4; i++) /* with 3 of 5 others away, 2 are left */
        w.cuts[0][i] = w.cuts[i][0] = true;
    send_many(0, 10);
    pass(&w, 50);
    cr_assert_eq(delivered(0), 100);
    cr_assert_eq(delivered(4), 100);
    w.cuts[0][1] = w.cuts[1][0] = false;
    pass(&w, 300);
    cr_assert_eq(delivered(0), 110);
    cr_assert_eq(delivered(1), 110);
    world_end(&w);
}

Test(sequencer, new_leader_adopts_a_log_before_it_appends)
{
    begin_world(false);
    w.cuts[0][2] = true; /* 2 misses the end, and leads then */
    send_many(0, 50);
    pass(&w, 3);
    cr_assert_lt(delivered(2), 50);
    pod_kill(&w, 0);
    all_learn(&w, 2);
    pass(&w, 50);
    cr_assert(sequencer_is_leading(&w.pods[2].sequencer));
    cr_assert_eq(delivered(2), 50);
    send_many(2, 10);
    pass(&w, 30);
    cr_assert_eq(delivered(1), 60);
    check_agreement();
    world_end(&w);
}

/* It appended for itself and one other; the rest continued without them. */
static void diverge(bool commits)
{
    begin_world(commits);
    send_many(0, 100);
    pass(&w, 20);
    for (size_t i = 0; i < PODS; i++) {
        for (size_t k = 0; k < PODS; k++)
            w.cuts[i][k] = (i < 2) != (k < 2);
    }
    w.term++;
    for (size_t i = 2; i < PODS; i++)
        pod_learns_leader(&w, i, 2, w.term);
    send_many(0, 30);
    pass(&w, 200);
    send_many(2, 20);
    pass(&w, 50);
    cr_assert_eq(delivered(2), 120);
    memset(w.cuts, 0, sizeof(w.cuts));
    pod_learns_leader(&w, 0, 2, w.term);
    pod_learns_leader(&w, 1, 2, w.term);
    send_many(2, 5);
    pass(&w, 300);
    cr_assert_eq(delivered(2), 125);
    check_agreement();
}

/* They diverged further back than one reply reaches. */
Test(sequencer, divergence_is_searched_reply_by_reply)
{
    begin_world(false);
    send_many(0, 500);
    pass(&w, 20);
    go_on_without_0();
    pass(&w, 150);
    send_many(0, 700);
    send_many(1, 600);
    memset(w.cuts, 0, sizeof(w.cuts));
    pod_learns_leader(&w, 0, 1, w.term);
    send_many(1, 400); /* entries that come meanwhile do not restart the search */
    pass(&w, 20);
    cr_assert_eq(delivered(0), 1500);
    cr_assert_eq(w.pods[0].app.diverged, 700);
    check_agreement();
    world_end(&w);
}

Test(sequencer, divergence_is_reported_to_pods_that_were_cut_off)
{
    diverge(false);
    cr_assert_eq(w.pods[0].app.diverged, 30);
    cr_assert_eq(w.pods[1].app.diverged, 30);
    cr_assert_eq(w.pods[3].app.diverged, 0);
    world_end(&w);
}

Test(sequencer, with_commit_nothing_diverges)
{
    diverge(true);
    for (size_t i = 0; i < PODS; i++)
        cr_assert_eq(w.pods[i].app.diverged, 0);
    cr_assert_eq(drops(&w.pods[0], DROP_diverged), 30, "no app was given what it appended");
    world_end(&w);
}

/* Away for longer than the log reaches back. */
Test(sequencer, gap_that_cannot_be_filled_is_reported)
{
    begin_short_world();
    isolate(4, true);
    send_many(0, 1000);
    memset(w.cuts, 0, sizeof(w.cuts));
    send_many(0, 10);
    pass(&w, 300);
    cr_assert_eq(delivered(4), 1020);
    cr_assert_gt(w.pods[4].app.missing, 500);
    cr_assert_eq(w.pods[4].app.given + w.pods[4].app.missing, 1020);
    check_agreement();
    world_end(&w);
}

/* Both: its entries are not the leader's, and the leader's log no longer reaches back to where they
 * diverged. */
Test(sequencer, cut_off_for_longer_than_the_log)
{
    begin_short_world();
    go_on_without_0();
    pass(&w, 150);
    send_many(0, 2000);
    send_many(1, 1000);
    memset(w.cuts, 0, sizeof(w.cuts));
    pod_learns_leader(&w, 0, 1, w.term);
    send_many(1, 10);
    pass(&w, 300);
    cr_assert_eq(delivered(0), 1020);
    cr_assert_gt(w.pods[0].app.diverged, 0);
    check_agreement();
    world_end(&w);
}

Test(sequencer, joining_pod_begins_at_the_present_index)
{
    begin_world(false);
    pod_kill(&w, 4);
    send_many(0, 100);
    pass(&w, 200);
    pod_start(&w, 4);
    for (size_t i = 0; i < PODS; i++)
        pod_learns_leader(&w, i, 0, w.term);
    pass(&w, 200);
    send_many(0, 10);
    pass(&w, 20);
    cr_assert_eq(w.pods[4].app.given, 10);
    cr_assert_eq(w.pods[4].app.first_index, 101);
    check_agreement();
    world_end(&w);
}
