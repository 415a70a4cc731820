/* sequencer: requests of a member, log adoption, and what counts for a majority. */
#include "sequencer_checks.h"

/* ---- requests and adoption ---- */

static void take_range(size_t pod, const struct entry_range *range)
{
    struct frame_reader reader = {0};

    take_entries(&w.pods[pod], w.pods[0].instance, w.term, range, 0, &reader);
}

/* Later frames of a reply do not move the search forward again. */
Test(sequencer, search_goes_back_whatever_follows)
{
    const struct entry_id other = {.term = 99, .leader = 99};
    struct sequencer *s = &w.pods[1].sequencer;
    struct entry_range range = {
        .oldest = 1, .last = 40, .term_first = 41, .id = other, .previous = other};

    begin_world(false);
    send_many(0, 20);
    pass(&w, 50);
    all_learn(&w, 0); /* another id from here on */
    pass(&w, 50);
    send_many(0, 20);
    pass(&w, 50);
    cr_assert_eq(delivered(1), 40);
    range.first = 41;
    s->match_index = 0;
    take_range(1, &range);
    cr_assert_eq(s->backtrack, 21);
    range.reply_end = 41;
    range.first = 21;
    take_range(1, &range);
    cr_assert_eq(s->backtrack, 1);
    range.first = 31;
    take_range(1, &range);
    cr_assert_eq(s->backtrack, 1);
    world_end(&w);
}

/* Its entries diverged, and the leader's log no longer reaches back to where. */
Test(sequencer, cut_off_and_left_behind)
{
    begin_short_world();
    go_on_without_0();
    pass(&w, 150);
    send_many(0, 30);
    send_many(1, 2000);
    isolate(0, false);
    pod_learns_leader(&w, 0, 1, w.term);
    send_many(1, 10);
    pass(&w, 300);
    cr_assert_eq(delivered(0), 2020);
    cr_assert_geq(w.pods[0].app.diverged, 30);
    check_agreement();
    world_end(&w);
}

/* No entry was appended in the latest term; a pod that missed that term leads next. */
static void empty_term(unsigned messages)
{
    begin_world(false);
    isolate(2, true);
    all_learn(&w, 1);
    pass(&w, 200);
    cr_assert(sequencer_is_leading(&w.pods[1].sequencer));
    isolate(2, false);
    isolate(0, true);
    send_many(0, messages);
    isolate(0, false);
    all_learn(&w, 2);
    pass(&w, 50);
    cr_assert(sequencer_is_leading(&w.pods[2].sequencer));
    send_many(2, 10);
    pass(&w, 50);
    cr_assert_eq(delivered(0), 10);
    check_agreement();
    world_end(&w);
}

Test(sequencer, empty_log_is_adopted)
{
    empty_term(0);
}

/* Not in every slice. */
Test(sequencer, new_leader_queries_every_few_milliseconds)
{
    world_begin(&w, 3, true, MIB);
    for (size_t i = 0; i < PODS; i++)
        isolate(i, true);
    all_learn(&w, 0);
    cr_assert_eq(w.pods[0].sequencer.role, SEQUENCER_ADOPTING);
    for (unsigned i = 0; i < 3000; i++) {
        tick(&w.pods[0]);
        cr_assert_gt(sequencer_sleep_ns(&w.pods[0].sequencer, w.now_ns), 100000);
        w.now_ns += NS_PER_MS;
        tick(&w.pods[0]);
    }
    world_end(&w);
}

Test(sequencer, instance_0_is_no_source)
{
    const struct entry_range range = {.first = 1, .oldest = 1};
    struct frame_reader reader = {0};

    world_begin(&w, 3, false, MIB);
    for (size_t i = 0; i < PODS; i++)
        isolate(i, true);
    all_learn(&w, 0);
    take_entries(&w.pods[0], 0, w.term, &range, 0, &reader);
    cr_assert_eq(w.pods[0].sequencer.role, SEQUENCER_ADOPTING);
    world_end(&w);
}

/* Entries of a majority are delivered, also when those behind them are gone. */
Test(sequencer, with_commit_entries_before_a_gap_are_delivered)
{
    struct entry_range range = {.term_first = 1};
    struct sequencer *s = &w.pods[4].sequencer;

    begin_world(true);
    send_many(0, 10);
    pass(&w, 5);
    for (size_t i = 1; i < PODS - 1; i++)
        isolate(i, true);
    send_many(0, 5);
    pass(&w, 20);
    cr_assert_eq(s->log.next, 16);
    cr_assert_eq(delivered(4), 10);
    range.first = range.oldest = 100;
    range.reply_end = 101;
    range.last = 100;
    for (size_t i = 0; i < s->peer_count; i++)
        s->peers[i].is_alive = false; /* no donor is left */
    take_range(4, &range);
    cr_assert_eq(w.pods[4].app.given, 15);
    cr_assert_eq(w.pods[4].app.missing, 100 - 16);
    world_end(&w);
}

/* Its log is shorter than ours, and not empty. */
Test(sequencer, entries_that_the_leader_still_has_are_not_missing)
{
    world_begin(&w, 3, false, MIB);
    all_learn(&w, 0);
    pass(&w, 10);
    send_many(0, 100);
    pass(&w, 20);
    go_on_without_0();
    pass(&w, 200);
    send_many(0, 100);
    for (unsigned i = 0; i < 150; i++)
        entry_log_drop_oldest(&w.pods[0].sequencer.log); /* its log begins later */
    send_many(1, 50);
    isolate(0, false);
    pod_learns_leader(&w, 0, 1, w.term);
    pass(&w, 300);
    cr_assert_eq(delivered(0), 150);
    cr_assert_eq(w.pods[0].app.missing, 0);
    check_agreement();
    world_end(&w);
}

/* Its entries are of the same log, though they were never compared with this leader's. */
Test(sequencer, gap_is_no_divergence)
{
    begin_world(false);
    send_many(0, 100);
    pass(&w, 20);
    isolate(4, true);
    send_many(0, 10);
    pass(&w, 20);
    all_learn(&w, 1);
    pass(&w, 200);
    for (size_t i = 0; i < PODS - 1; i++) {
        while (w.pods[i].sequencer.log.first < w.pods[i].sequencer.log.next)
            entry_log_drop_oldest(&w.pods[i].sequencer.log); /* as if it had just joined */
    }
    isolate(4, false);
    send_many(1, 10);
    pass(&w, 200);
    cr_assert_eq(delivered(4), 120);
    cr_assert_eq(w.pods[4].app.missing, 10);
    cr_assert_eq(w.pods[4].app.diverged, 0);
    check_agreement();
    world_end(&w);
}

/* A delayed frame is the first that it takes: it does not count before it has the entries that were
 * there by then. */
Test(sequencer, joining_pod_does_not_count_before_it_has_caught_up)
{
    struct entry_range range = {
        .first = 3, .oldest = 1, .term_first = 1, .last = 10, .committed = 2};
    struct sequencer *s = &w.pods[4].sequencer;

    begin_world(true);
    send_many(0, 10);
    pass(&w, 50);
    pod_kill(&w, 4);
    pod_start(&w, 4);
    isolate(4, true);
    for (size_t i = 0; i < PODS; i++)
        pod_learns_leader(&w, i, 0, w.term);
    take_range(4, &range);
    cr_assert_eq(s->normal_term, 0);
    isolate(4, false);
    pass(&w, 300);
    cr_assert_eq(s->normal_term, w.term);
    cr_assert_eq(delivered(4), 10);
    world_end(&w);
}

/* Entries that a majority does not take in time fill the log, except the headroom. */
Test(sequencer, with_commit_the_leader_keeps_headroom_in_its_log)
{
    world_begin(&w, 3, true, MIB);
    all_learn(&w, 0);
    pass(&w, 10);
    for (size_t i = 1; i < 4; i++)
        w.cuts[0][i] = true;
    send_many(0, 5000);
    cr_assert_gt(drops(&w.pods[0], DROP_order_full), 100);
    cr_assert_leq(w.pods[0].sequencer.log.queue.used, MIB - 128 * KIB);
    memset(w.cuts, 0, sizeof(w.cuts));
    all_learn(&w, 1);
    pass(&w, 300);
    cr_assert(sequencer_is_leading(&w.pods[1].sequencer));
    check_agreement();
    world_end(&w);
}

/* ---- what counts ---- */

static void ack_from(size_t pod, size_t from, uint64_t normal_term, uint64_t last)
{
    const struct entry_ack ack = {.normal_term = normal_term, .last = last};

    take_ack(&w.pods[pod], w.pods[from].instance, w.term, &ack);
    flush(&w.pods[pod]);
}

Test(sequencer, only_acknowledgements_of_this_term_count)
{
    begin_world(true);
    all_learn(&w, 0); /* term 2 */
    pass(&w, 200);
    isolate(0, true);
    send_many(0, 5);
    ack_from(0, 1, 1, 5);
    ack_from(0, 2, 1, 5);
    cr_assert_eq(delivered(0), 0, "acknowledged to another leader");
    ack_from(0, 1, 2, 3);
    ack_from(0, 2, 2, 4);
    cr_assert_eq(delivered(0), 3, "not the acknowledgements of the term before");
    ack_from(0, 1, 2, 2);
    ack_from(0, 1, 2, 900);
    cr_assert_eq(delivered(0), 4);
    world_end(&w);
}

/* Before it acknowledges in the leader's term. */
Test(sequencer, entries_that_the_leader_lacks_are_removed)
{
    begin_world(true);
    send_many(0, 10);
    pass(&w, 50);
    for (size_t i = 2; i < PODS; i++)
        w.cuts[0][i] = true;
    send_many(0, 3);
    pass(&w, 5);
    cr_assert_eq(w.pods[1].sequencer.log.next, 14);
    isolate(0, true);
    isolate(1, true);
    all_learn(&w, 2);
    pass(&w, 200);
    cr_assert(sequencer_is_leading(&w.pods[2].sequencer));
    isolate(1, false);
    pass(&w, 200);
    cr_assert_eq(w.pods[1].sequencer.normal_term, w.term);
    cr_assert_eq(w.pods[1].sequencer.log.next, 11);
    cr_assert_eq(drops(&w.pods[1], DROP_diverged), 3);
    world_end(&w);
}

/* No other pod has its last entries, and a term without entries came after. */
Test(sequencer, new_leader_removes_entries_outside_the_adopted_log)
{
    begin_world(false);
    send_many(0, 100);
    pass(&w, 20);
    go_on_without_0();
    pass(&w, 200);
    send_many(0, 30);
    isolate(0, false);
    all_learn(&w, 0);
    pass(&w, 50);
    cr_assert(sequencer_is_leading(&w.pods[0].sequencer));
    cr_assert_eq(delivered(0), 100);
    cr_assert_eq(w.pods[0].app.diverged, 30);
    send_many(0, 10);
    pass(&w, 50);
    check_agreement();
    world_end(&w);
}

/* No replying member has the entries of the majority: those that restarted have lost them. */
Test(sequencer, restarted_members_do_not_count)
{
    begin_world(true);
    isolate(3, true);
    isolate(4, true);
    send_many(0, 10);
    pass(&w, 50);
    cr_assert_eq(delivered(1), 10);
    isolate(1, true);
    isolate(2, true);
    isolate(3, false);
    isolate(4, false);
    for (size_t i = 0; i < PODS; i += 4) {
        pod_kill(&w, i);
        pod_start(&w, i);
    }
    for (size_t i = 1; i < 3; i++)
        isolate(i, true);
    all_learn(&w, 3);
    pass(&w, 1000);
    cr_assert_eq(w.pods[3].sequencer.role, SEQUENCER_ADOPTING);
    isolate(1, false);
    isolate(2, false);
    pass(&w, 300);
    cr_assert(sequencer_is_leading(&w.pods[3].sequencer));
    cr_assert_eq(delivered(3), 10);
    check_agreement();
    world_end(&w);
}
