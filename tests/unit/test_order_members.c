/* order: what a member asks for and is told, how a leader learns, what counts for a majority. */
#include "order_checks.h"

/* ---- asking and learning ---- */

static void hear_run(size_t pod, const struct order_run *run)
{
    struct frame_reader reader = {0};

    order_hear_run(&w.pods[pod].order, w.pods[0].instance, w.term, run, 0, &reader);
}

/* Later frames of an reply do not turn the search round. */
Test(order, the_search_goes_back_whatever_comes_behind)
{
    const struct order_mark other = {.term = 99, .leader = 99};
    struct order *order = &w.pods[1].order;
    struct order_run run = {.oldest = 1, .tail = 40, .base = 41, .mark = other, .before = other};

    begin_world(false);
    send_many(0, 20);
    pass(&w, 50);
    all_hear(&w, 0); /* another mark from here on */
    pass(&w, 50);
    send_many(0, 20);
    pass(&w, 50);
    cr_assert_eq(delivered(1), 40);
    run.first = 41;
    order->matched = 0;
    hear_run(1, &run);
    cr_assert_eq(order->back, 21);
    run.until = 41;
    run.first = 21;
    hear_run(1, &run);
    cr_assert_eq(order->back, 1);
    run.first = 31;
    hear_run(1, &run);
    cr_assert_eq(order->back, 1);
    world_end(&w);
}

/* Its own numbers were others' all along, and the history no longer tells. */
Test(order, cut_off_and_left_behind)
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
    cr_assert(order_is_leading(&w.pods[1].order));
    isolate(2, false);
    isolate(0, true);
    send_many(0, messages);
    isolate(0, false);
    all_hear(&w, 2);
    pass(&w, 50);
    cr_assert(order_is_leading(&w.pods[2].order));
    send_many(2, 10);
    pass(&w, 50);
    cr_assert_eq(delivered(0), 10);
    check_agreement();
    world_end(&w);
}

Test(order, an_empty_history_is_learned)
{
    empty_term(0);
}

/* Not in every slice. */
Test(order, a_leader_asks_around_every_few_milliseconds)
{
    world_begin(&w, 3, true, MIB);
    for (size_t i = 0; i < PODS; i++)
        isolate(i, true);
    all_hear(&w, 0);
    cr_assert_eq(w.pods[0].order.role, ORDER_LEARNING);
    for (unsigned i = 0; i < 3000; i++) {
        begin(&w, &w.pods[0]);
        (void)order_tick(&w.pods[0].order);
        cr_assert_gt(order_sleep_ns(&w.pods[0].order), 100000);
        w.now_ns += NS_PER_MS;
        begin(&w, &w.pods[0]);
        (void)order_tick(&w.pods[0].order);
    }
    world_end(&w);
}

Test(order, nobody_is_not_the_one_to_learn_from)
{
    const struct order_run run = {.first = 1, .oldest = 1};
    struct frame_reader reader = {0};

    world_begin(&w, 3, false, MIB);
    for (size_t i = 0; i < PODS; i++)
        isolate(i, true);
    all_hear(&w, 0);
    order_hear_run(&w.pods[0].order, 0, w.term, &run, 0, &reader);
    cr_assert_eq(w.pods[0].order.role, ORDER_LEARNING);
    world_end(&w);
}

/* What a majority has, the app gets, also when what comes behind is gone. */
Test(order, with_commit_what_waits_before_a_gap_is_given)
{
    struct order_run run = {.base = 1};
    struct order *order = &w.pods[4].order;

    begin_world(true);
    send_many(0, 10);
    pass(&w, 5);
    for (size_t i = 1; i < PODS - 1; i++)
        isolate(i, true);
    send_many(0, 5);
    pass(&w, 20);
    cr_assert_eq(order->log.next, 16);
    cr_assert_eq(delivered(4), 10);
    run.first = run.oldest = 100;
    run.until = 101;
    run.tail = 100;
    for (size_t i = 0; i < order->peer_count; i++)
        order->peers[i].is_alive = false; /* nobody is left to ask */
    hear_run(4, &run);
    cr_assert_eq(w.pods[4].app.given, 15);
    cr_assert_eq(w.pods[4].app.missing, 100 - 16);
    world_end(&w);
}

/* It had less than we, and more than nothing. */
Test(order, what_the_leader_still_has_is_not_missing)
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
        order_log_drop_oldest(&w.pods[0].order.log); /* its history is shorter */
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
Test(order, a_gap_is_no_divergence)
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
        while (w.pods[i].order.log.first < w.pods[i].order.log.next)
            order_log_drop_oldest(&w.pods[i].order.log); /* as if it had just joined */
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
Test(order, who_joins_does_not_count_before_it_has_caught_up)
{
    struct order_run run = {.first = 3, .oldest = 1, .base = 1, .tail = 10, .committed = 2};
    struct order *order = &w.pods[4].order;

    begin_world(true);
    send_many(0, 10);
    pass(&w, 50);
    pod_kill(&w, 4);
    pod_start(&w, 4);
    isolate(4, true);
    for (size_t i = 0; i < PODS; i++)
        pod_hears(&w, i, 0, w.term);
    hear_run(4, &run);
    cr_assert_eq(order->epoch, 0);
    isolate(4, false);
    pass(&w, 300);
    cr_assert_eq(order->epoch, w.term);
    cr_assert_eq(delivered(4), 10);
    world_end(&w);
}

/* What a majority does not take in time fills the history, but for what others need more. */
Test(order, with_commit_the_leader_does_not_fill_its_history)
{
    world_begin(&w, 3, true, MIB);
    all_hear(&w, 0);
    pass(&w, 10);
    for (size_t i = 1; i < 4; i++)
        w.cuts[0][i] = true;
    send_many(0, 5000);
    cr_assert_gt(drops(&w.pods[0], DROP_order_full), 100);
    cr_assert_leq(w.pods[0].order.log.queue.used, MIB - 128 * KIB);
    memset(w.cuts, 0, sizeof(w.cuts));
    all_hear(&w, 1);
    pass(&w, 300);
    cr_assert(order_is_leading(&w.pods[1].order));
    check_agreement();
    world_end(&w);
}

/* ---- what counts ---- */

static void hear_position(size_t pod, size_t from, uint64_t epoch, uint64_t last)
{
    const struct order_position position = {.epoch = epoch, .last = last};

    order_hear_position(&w.pods[pod].order, w.pods[from].instance, w.term, &position);
    order_flush(&w.pods[pod].order);
}

Test(order, only_what_members_have_in_this_term_counts)
{
    begin_world(true);
    all_hear(&w, 0); /* term 2 */
    pass(&w, 200);
    isolate(0, true);
    send_many(0, 5);
    hear_position(0, 1, 1, 5);
    hear_position(0, 2, 1, 5);
    cr_assert_eq(delivered(0), 0, "that was another leader's");
    hear_position(0, 1, 2, 3);
    hear_position(0, 2, 2, 4);
    cr_assert_eq(delivered(0), 3, "not what they had before");
    hear_position(0, 1, 2, 2);
    hear_position(0, 1, 2, 900);
    cr_assert_eq(delivered(0), 4);
    world_end(&w);
}

/* Before it says that it is of one mind with the leader. */
Test(order, what_the_leader_does_not_have_goes)
{
    begin_world(true);
    send_many(0, 10);
    pass(&w, 50);
    for (size_t i = 2; i < PODS; i++)
        w.cuts[0][i] = true;
    send_many(0, 3);
    pass(&w, 5);
    cr_assert_eq(w.pods[1].order.log.next, 14);
    isolate(0, true);
    isolate(1, true);
    all_hear(&w, 2);
    pass(&w, 200);
    cr_assert(order_is_leading(&w.pods[2].order));
    isolate(1, false);
    pass(&w, 200);
    cr_assert_eq(w.pods[1].order.epoch, w.term);
    cr_assert_eq(w.pods[1].order.log.next, 11);
    cr_assert_eq(drops(&w.pods[1], DROP_diverged), 3);
    world_end(&w);
}

/* What it was given nobody else has, and an empty term came after. */
Test(order, a_new_leader_gives_up_what_came_too_late)
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
    cr_assert(order_is_leading(&w.pods[0].order));
    cr_assert_eq(delivered(0), 100);
    cr_assert_eq(w.pods[0].app.diverged, 30);
    send_many(0, 10);
    pass(&w, 50);
    check_agreement();
    world_end(&w);
}

/* What a majority had is known to nobody who replies: those that were restarted have forgotten. */
Test(order, those_that_have_forgotten_do_not_count)
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
    cr_assert_eq(w.pods[3].order.role, ORDER_LEARNING);
    isolate(1, false);
    isolate(2, false);
    pass(&w, 300);
    cr_assert(order_is_leading(&w.pods[3].order));
    cr_assert_eq(delivered(3), 10);
    check_agreement();
    world_end(&w);
}
