/* order: what a member asks for and is told, how a leader learns, what counts for a majority. */
#include "sequencer_checks.h"

/* ---- asking and learning ---- */

static void take_range(size_t pod, const struct entry_range *range)
{
    struct frame_reader reader = {0};

    sequencer_take_entries(&w.pods[pod].sequencer, w.pods[0].instance, w.term, range, 0, &reader);
}

/* Later frames of an answer do not turn the search round. */
Test(s, the_search_goes_back_whatever_comes_behind)
{
    const struct entry_id other = {.term = 99, .leader = 99};
    struct sequencer *s = &w.pods[1].sequencer;
    struct entry_range range = {
        .oldest = 1, .last = 40, .term_first = 41, .id = other, .previous = other};

    begin_world(false);
    send_many(0, 20);
    pass(&w, 50);
    all_hear(&w, 0); /* another mark from here on */
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

/* Its own numbers were others' all along, and the history no longer tells. */
Test(s, cut_off_and_left_behind)
{
    begin_short_world();
    go_on_without_0();
    pass(&w, 150);
    send_many(0, 30);
    send_many(1, 2000);
    isolate(0, false);
    pod_hears(&w, 0, 1, w.term);
    send_many(1, 10);
    pass(&w, 300);
    cr_assert_eq(delivered(0), 2020);
    cr_assert_geq(w.pods[0].app.diverged, 30);
    check_agreement();
    world_end(&w);
}

/* Nobody has numbered anything in the latest term; whoever missed it leads next. */
static void empty_term(unsigned messages)
{
    begin_world(false);
    isolate(2, true);
    all_hear(&w, 1);
    pass(&w, 200);
    cr_assert(sequencer_is_leading(&w.pods[1].sequencer));
    isolate(2, false);
    isolate(0, true);
    send_many(0, messages);
    isolate(0, false);
    all_hear(&w, 2);
    pass(&w, 50);
    cr_assert(sequencer_is_leading(&w.pods[2].sequencer));
    send_many(2, 10);
    pass(&w, 50);
    cr_assert_eq(delivered(0), 10);
    check_agreement();
    world_end(&w);
}

Test(s, an_empty_history_is_learned)
{
    empty_term(0);
}

/* Not in every slice. */
Test(s, a_leader_asks_around_every_few_milliseconds)
{
    world_begin(&w, 3, true, MIB);
    for (size_t i = 0; i < PODS; i++)
        isolate(i, true);
    all_hear(&w, 0);
    cr_assert_eq(w.pods[0].sequencer.role, SEQUENCER_ADOPTING);
    for (unsigned i = 0; i < 3000; i++) {
        begin(&w, &w.pods[0]);
        (void)sequencer_tick(&w.pods[0].sequencer);
        cr_assert_gt(sequencer_sleep_ns(&w.pods[0].sequencer), 100000);
        w.now_ns += NS_PER_MS;
        begin(&w, &w.pods[0]);
        (void)sequencer_tick(&w.pods[0].sequencer);
    }
    world_end(&w);
}

Test(s, nobody_is_not_the_one_to_learn_from)
{
    const struct entry_range range = {.first = 1, .oldest = 1};
    struct frame_reader reader = {0};

    world_begin(&w, 3, false, MIB);
    for (size_t i = 0; i < PODS; i++)
        isolate(i, true);
    all_hear(&w, 0);
    sequencer_take_entries(&w.pods[0].sequencer, 0, w.term, &range, 0, &reader);
    cr_assert_eq(w.pods[0].sequencer.role, SEQUENCER_ADOPTING);
    world_end(&w);
}

/* What a majority has, the app gets, also when what comes behind is gone. */
Test(s, with_commit_what_waits_before_a_gap_is_given)
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
        s->peers[i].is_alive = false; /* nobody is left to ask */
    take_range(4, &range);
    cr_assert_eq(w.pods[4].app.given, 15);
    cr_assert_eq(w.pods[4].app.missing, 100 - 16);
    world_end(&w);
}

/* It had less than we, and more than nothing. */
Test(s, what_the_leader_still_has_is_not_missing)
{
    world_begin(&w, 3, false, MIB);
    all_hear(&w, 0);
    pass(&w, 10);
    send_many(0, 100);
    pass(&w, 20);
    go_on_without_0();
    pass(&w, 200);
    send_many(0, 100);
    for (unsigned i = 0; i < 150; i++)
        entry_log_drop_oldest(&w.pods[0].sequencer.log); /* its history is shorter */
    send_many(1, 50);
    isolate(0, false);
    pod_hears(&w, 0, 1, w.term);
    pass(&w, 300);
    cr_assert_eq(delivered(0), 150);
    cr_assert_eq(w.pods[0].app.missing, 0);
    check_agreement();
    world_end(&w);
}

/* What it was given is of the same history, though it was never compared with this leader's. */
Test(s, a_gap_is_no_divergence)
{
    begin_world(false);
    send_many(0, 100);
    pass(&w, 20);
    isolate(4, true);
    send_many(0, 10);
    pass(&w, 20);
    all_hear(&w, 1);
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

/* A late frame is the first that it hears: until it has what was there by then, it has forgotten.
 */
Test(s, who_joins_does_not_count_before_it_has_caught_up)
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
        pod_hears(&w, i, 0, w.term);
    take_range(4, &range);
    cr_assert_eq(s->normal_term, 0);
    isolate(4, false);
    pass(&w, 300);
    cr_assert_eq(s->normal_term, w.term);
    cr_assert_eq(delivered(4), 10);
    world_end(&w);
}

/* What a majority does not take in time fills the history, but for what others need more. */
Test(s, with_commit_the_leader_does_not_fill_its_history)
{
    world_begin(&w, 3, true, MIB);
    all_hear(&w, 0);
    pass(&w, 10);
    for (size_t i = 1; i < 4; i++)
        w.cuts[0][i] = true;
    send_many(0, 5000);
    cr_assert_gt(drops(&w.pods[0], DROP_order_full), 100);
    cr_assert_leq(w.pods[0].sequencer.log.queue.used, MIB - 128 * KIB);
    memset(w.cuts, 0, sizeof(w.cuts));
    all_hear(&w, 1);
    pass(&w, 300);
    cr_assert(sequencer_is_leading(&w.pods[1].sequencer));
    check_agreement();
    world_end(&w);
}

/* ---- what counts ---- */

static void take_ack(size_t pod, size_t from, uint64_t normal_term, uint64_t last)
{
    const struct entry_ack ack = {.normal_term = normal_term, .last = last};

    sequencer_take_ack(&w.pods[pod].sequencer, w.pods[from].instance, w.term, &ack);
    sequencer_flush(&w.pods[pod].sequencer);
}

Test(s, only_what_members_have_in_this_term_counts)
{
    begin_world(true);
    all_hear(&w, 0); /* term 2 */
    pass(&w, 200);
    isolate(0, true);
    send_many(0, 5);
    take_ack(0, 1, 1, 5);
    take_ack(0, 2, 1, 5);
    cr_assert_eq(delivered(0), 0, "that was another leader's");
    take_ack(0, 1, 2, 3);
    take_ack(0, 2, 2, 4);
    cr_assert_eq(delivered(0), 3, "not what they had before");
    take_ack(0, 1, 2, 2);
    take_ack(0, 1, 2, 900);
    cr_assert_eq(delivered(0), 4);
    world_end(&w);
}

/* Before it says that it is of one mind with the leader. */
Test(s, what_the_leader_does_not_have_goes)
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
    all_hear(&w, 2);
    pass(&w, 200);
    cr_assert(sequencer_is_leading(&w.pods[2].sequencer));
    isolate(1, false);
    pass(&w, 200);
    cr_assert_eq(w.pods[1].sequencer.normal_term, w.term);
    cr_assert_eq(w.pods[1].sequencer.log.next, 11);
    cr_assert_eq(drops(&w.pods[1], DROP_diverged), 3);
    world_end(&w);
}

/* What it was given nobody else has, and an empty term came after. */
Test(s, a_new_leader_gives_up_what_came_too_late)
{
    begin_world(false);
    send_many(0, 100);
    pass(&w, 20);
    go_on_without_0();
    pass(&w, 200);
    send_many(0, 30);
    isolate(0, false);
    all_hear(&w, 0);
    pass(&w, 50);
    cr_assert(sequencer_is_leading(&w.pods[0].sequencer));
    cr_assert_eq(delivered(0), 100);
    cr_assert_eq(w.pods[0].app.diverged, 30);
    send_many(0, 10);
    pass(&w, 50);
    check_agreement();
    world_end(&w);
}

/* What a majority had is known to nobody who answers: those that were restarted have forgotten. */
Test(s, those_that_have_forgotten_do_not_count)
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
    all_hear(&w, 3);
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
