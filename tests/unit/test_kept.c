/* kept: frames until their confirmation, going back, orphans, memory. */
#include <criterion/criterion.h>

#include "data/relay/kept_replies.h"
#include "headless/base/clock.h"

#define RING   (64 * 1024)
#define BYTES  1000
#define KEEP   NS_PER_SEC
#define LEADER 3 /* slots */
#define CLIENT 5

static struct kept kept;

static void setup(void)
{
    cr_assert_eq(kept_init(&kept, RING), 0);
    kept.pace_bytes = 4 * BYTES;
    kept.now_ns = 10 * NS_PER_SEC;
}

static void teardown(void)
{
    kept_fini(&kept);
}

TestSuite(kept, .init = setup, .fini = teardown, .timeout = 30);

static struct kept_frame *put_type(uint8_t slot, uint8_t type, uint16_t begun)
{
    const struct kept_frame like = {
        .type = type, .hops = 1, .records = 10, .bytes = BYTES, .begun = begun};
    struct frame_place place;

    return kept_put(&kept, slot, &like, &place);
}

static struct kept_frame *put(uint8_t slot)
{
    return put_type(slot, FRAME_DATA, 0);
}

/* The number of the next frame that is to be sent; 0: none. */
static uint64_t next(uint8_t slot)
{
    const struct kept_frame *frame = kept_next(&kept, slot);

    return frame ? frame->number : 0;
}

Test(kept, frame_is_kept_until_it_is_confirmed)
{
    const struct kept_frame like = {.type = FRAME_DATA, .hops = 1, .records = 2, .bytes = 20};
    struct frame_place place;

    cr_assert_not_null(kept_put(&kept, LEADER, &like, &place));
    cr_assert_eq(place.number, 1);
    cr_assert_eq(place.oldest, 1);
    cr_assert_not_null(kept_put(&kept, LEADER, &like, &place));
    cr_assert_eq(place.number, 2);
    cr_assert_eq(place.oldest, 1);
    cr_assert_eq(kept.requests, 4);
    kept_confirm(&kept, LEADER, 2, 1);
    cr_assert_eq(kept.requests, 2);
    cr_assert_not_null(kept_put(&kept, LEADER, &like, &place));
    cr_assert_eq(place.oldest, 2);
    kept_confirm(&kept, LEADER, 3, 3);
    cr_assert_eq(kept.requests, 0);
    cr_assert_eq(kept.ring.used, 0);
    cr_assert_eq(kept.lost_requests, 0);
}

Test(kept, confirmation_of_what_was_not_sent_is_ignored)
{
    (void)put(LEADER);
    kept_confirm(&kept, LEADER, 2, 2);
    cr_assert_eq(kept.requests, 10);
    kept_confirm(&kept, CLIENT, 1, 1);
    cr_assert_eq(kept.requests, 10);
}

Test(kept, gap_sends_the_missing_frame_and_those_behind_it_in_order)
{
    for (int i = 0; i < 4; i++)
        (void)put(LEADER);
    kept_confirm(&kept, LEADER, 1, 1);
    kept_report_gap(&kept, LEADER);
    cr_assert(kept_goes_back(&kept, LEADER));
    (void)put(LEADER); /* waits behind them */
    for (uint64_t number = 2; number <= 5; number++)
        cr_assert_eq(next(LEADER), number);
    cr_assert_eq(next(LEADER), 0);
    cr_assert_not(kept_goes_back(&kept, LEADER));
    cr_assert_eq(kept.sent_again, 30, "the fifth was sent for the first time");
}

Test(kept, window_bounds_what_is_sent_again_before_a_confirmation)
{
    for (int i = 0; i < 10; i++)
        (void)put(LEADER);
    kept_report_gap(&kept, LEADER);
    for (uint64_t number = 1; number <= 4; number++)
        cr_assert_eq(next(LEADER), number);
    cr_assert_eq(next(LEADER), 0);
    kept_confirm(&kept, LEADER, 2, 0);
    for (uint64_t number = 5; number <= 8; number++)
        cr_assert_eq(next(LEADER), number);
    cr_assert_eq(next(LEADER), 0);
}

/* Behind a frame that is lost again, all others are sent in vain. */
Test(kept, window_shrinks_with_losses_and_grows_with_confirmations)
{
    size_t shrunk;

    kept.pace_bytes = 60 * BYTES;
    for (int i = 0; i < 50; i++)
        (void)put(LEADER);
    kept_confirm(&kept, LEADER, 10, 0);
    kept_report_gap(&kept, LEADER);
    shrunk = kept.streams[LEADER].window_bytes;
    cr_assert_eq(shrunk, 16 * 1024 + 20 * BYTES, "twice what has passed, and some frames");
    kept_confirm(&kept, LEADER, 30, 0);
    cr_assert_eq(kept.streams[LEADER].window_bytes, shrunk + 20 * BYTES);
}

Test(kept, one_gap_is_repaired_once_a_round_trip)
{
    (void)put(LEADER);
    (void)put(LEADER);
    kept_report_gap(&kept, LEADER);
    cr_assert_eq(next(LEADER), 1);
    cr_assert_eq(next(LEADER), 2);
    kept_report_gap(&kept, LEADER);
    cr_assert_eq(next(LEADER), 0);
    kept.now_ns += 2 * NS_PER_MS;
    kept_report_gap(&kept, LEADER);
    cr_assert_eq(next(LEADER), 1);
    kept_confirm(&kept, LEADER, 1, 1); /* another gap, at once */
    kept_report_gap(&kept, LEADER);
    cr_assert_eq(next(LEADER), 2);
}

Test(kept, lost_tail_is_sent_again_after_a_time_that_doubles)
{
    uint64_t pause_ns, before_ns = 0;

    (void)put(LEADER);
    for (int i = 0; i < 3; i++) {
        pause_ns = kept_sleep_ns(&kept);
        cr_assert_gt(pause_ns, before_ns);
        kept.now_ns += pause_ns - 1;
        kept_tick(&kept, KEEP);
        cr_assert_eq(next(LEADER), 0);
        kept.now_ns++;
        kept_tick(&kept, KEEP);
        cr_assert_eq(next(LEADER), 1);
        cr_assert_eq(next(LEADER), 0);
        before_ns = pause_ns;
    }
    kept_confirm(&kept, LEADER, 1, 0); /* received: the last one is sent again to be told more */
    kept.now_ns += kept_sleep_ns(&kept);
    kept_tick(&kept, KEEP);
    cr_assert_eq(next(LEADER), 1);
    kept_confirm(&kept, LEADER, 1, 1);
    kept.now_ns += kept_sleep_ns(&kept);
    kept_tick(&kept, KEEP);
    cr_assert_eq(kept_sleep_ns(&kept), UINT64_MAX, "nothing is waited for");
}

Test(kept, record_over_frames_is_kept_with_its_beginning)
{
    (void)put(LEADER);
    (void)put_type(LEADER, FRAME_DATA, 100);
    (void)put_type(LEADER, FRAME_DATA, 100);
    (void)put(LEADER);
    kept_confirm(&kept, LEADER, 3, 3);
    cr_assert_eq(kept.requests, 30);
    kept_confirm(&kept, LEADER, 4, 4);
    cr_assert_eq(kept.requests, 0);
}

Test(kept, full_ring_forgets_the_oldest_and_counts_it_as_lost)
{
    struct frame_place place;
    const struct kept_frame like = {.type = FRAME_DATA, .hops = 1, .records = 10, .bytes = BYTES};
    uint64_t fits = RING / arena_queue_bytes(sizeof(like) + BYTES);

    for (uint64_t i = 0; i < fits; i++)
        cr_assert_not_null(put(LEADER));
    cr_assert_eq(kept.lost_requests, 0);
    cr_assert_not_null(kept_put(&kept, LEADER, &like, &place));
    cr_assert_eq(kept.lost_requests, 10);
    cr_assert_eq(place.oldest, 2);
    cr_assert_eq(kept.requests, fits * 10);
}

Test(kept, frame_larger_than_the_ring_is_numbered_and_lost)
{
    struct frame_place place;
    const struct kept_frame like = {.type = FRAME_DATA, .hops = 1, .records = 1, .bytes = 2 * RING};

    cr_assert_null(kept_put(&kept, LEADER, &like, &place));
    cr_assert_eq(place.number, 1);
    cr_assert_eq(place.oldest, 1);
    cr_assert_eq(kept.lost_requests, 1);
    (void)put(LEADER);
    cr_assert_eq(kept.streams[LEADER].next, 3);
}

Test(kept, unconfirmed_frame_is_forgotten_after_its_time)
{
    (void)put(LEADER);
    kept.now_ns += KEEP - 1;
    (void)put(LEADER);
    kept_tick(&kept, KEEP);
    cr_assert_eq(kept.lost_requests, 0);
    kept.now_ns++;
    kept_tick(&kept, KEEP);
    cr_assert_eq(kept.lost_requests, 10);
    cr_assert_eq(kept.requests, 10);
    cr_assert_eq(kept.streams[LEADER].oldest->number, 2);
}

Test(kept, requests_of_a_lost_receiver_are_orphans_in_their_order)
{
    struct kept_frame *first, *second;

    (void)put(LEADER);
    (void)put_type(CLIENT, FRAME_REPLY, 0);
    (void)put(LEADER);
    kept_lose(&kept, LEADER, true);
    first = kept_orphan(&kept, NULL);
    cr_assert_eq(first->number, 1);
    second = kept_orphan(&kept, first);
    cr_assert_eq(second->number, 2);
    cr_assert_null(kept_orphan(&kept, second));
    kept_move(&kept, first);
    cr_assert_eq(kept_orphan(&kept, NULL), second);
    kept_move(&kept, second);
    kept_end_moves(&kept);
    cr_assert_eq(kept.orphans, 0);
    cr_assert_eq(kept.requests, 0);
    cr_assert_eq(kept.lost_requests, 0);
    cr_assert_not_null(kept.streams[CLIENT].oldest);
}

Test(kept, next_stream_of_a_slot_goes_on_with_the_numbers)
{
    const struct kept_frame like = {.type = FRAME_DATA, .hops = 1, .records = 1, .bytes = 20};
    struct frame_place before, after;

    (void)kept_put(&kept, LEADER, &like, &before);
    kept_lose(&kept, LEADER, true);
    (void)kept_put(&kept, LEADER, &like, &after);
    cr_assert_gt(after.stream, before.stream);
    cr_assert_eq(after.number, before.number + 1);
    cr_assert_eq(after.oldest, after.number);
    kept_confirm(&kept, LEADER, before.number, before.number); /* late, of the stream before */
    cr_assert_eq(kept.streams[LEADER].oldest->number, after.number);
}

Test(kept, replies_to_a_lost_pod_are_lost)
{
    (void)put_type(CLIENT, FRAME_REPLY, 0);
    kept_lose(&kept, CLIENT, true);
    cr_assert_eq(kept.lost_replies, 10);
    cr_assert_eq(kept.orphans, 0);
    cr_assert_eq(kept.ring.used, 0);
}

Test(kept, held_request_waits_for_its_reply)
{
    struct kept_frame *frame;

    kept.needs_replies = true;
    frame = put(LEADER);
    (void)put_type(LEADER, FRAME_REPLY, 0);
    kept_confirm(&kept, LEADER, 2, 2);
    cr_assert_eq(frame->state, KEPT_HELD);
    kept_finish(&kept, frame);
    cr_assert_eq(kept.ring.used, 0);
    frame = put(LEADER);
    kept_confirm(&kept, LEADER, 3, 3);
    kept_lose(&kept, LEADER, true);
    cr_assert_eq(kept_orphan(&kept, NULL), frame);
}

Test(kept, held_request_that_is_forgotten_is_not_lost)
{
    kept.needs_replies = true;
    (void)put(LEADER);
    kept_confirm(&kept, LEADER, 1, 1);
    kept.now_ns += KEEP;
    kept_tick(&kept, KEEP);
    cr_assert_eq(kept.lost_requests, 0);
    cr_assert_eq(kept.ring.used, 0);
}

/* ---- leader changes ---- */

/* In the next term. */
static void follow(uint8_t slot, bool stepped_down)
{
    kept_follow(&kept, slot, kept.leader_term + 1, stepped_down ? kept.leader_term : 0);
}

/* The leader before this one stepped down. */
static void hear_late(void)
{
    kept_follow(&kept, kept.leader_slot, kept.leader_term, kept.ending_term);
}

Test(kept, lost_leader_leaves_orphans_at_once)
{
    follow(LEADER, false);
    (void)put(LEADER);
    kept_refuse(&kept, LEADER);
    cr_assert(kept_is_settled(&kept), "the election decides about a leader");
    follow(CLIENT, false);
    cr_assert_not(kept_is_settled(&kept));
    cr_assert_eq(kept.orphans, 1);
    kept_move(&kept, kept_orphan(&kept, NULL));
    kept_end_moves(&kept);
    cr_assert(kept_is_settled(&kept));
}

Test(kept, leader_that_stepped_down_is_given_time_to_confirm)
{
    follow(LEADER, false);
    (void)put(LEADER);
    follow(CLIENT, true);
    cr_assert_not(kept_is_settled(&kept));
    cr_assert_eq(kept.orphans, 0);
    kept_confirm(&kept, LEADER, 1, 1);
    cr_assert(kept_is_settled(&kept));
}

Test(kept, leader_that_stepped_down_and_does_not_confirm_is_lost)
{
    follow(LEADER, false);
    (void)put(LEADER);
    follow(KEPT_SLOT_NONE, true);
    kept.now_ns += NS_PER_SEC / 2;
    cr_assert_not(kept_is_settled(&kept));
    cr_assert_eq(kept.orphans, 1);
}

Test(kept, leader_that_seems_lost_is_given_time_to_confirm)
{
    follow(LEADER, false);
    (void)put(LEADER);
    follow(CLIENT, false);
    cr_assert_not(kept_is_settled(&kept));
    cr_assert_eq(kept.orphans, 0);
    kept_confirm(&kept, LEADER, 1, 1);
    cr_assert(kept_is_settled(&kept));
}

Test(kept, requests_without_a_reply_stay_with_a_leader_that_stepped_down)
{
    kept.needs_replies = true;
    follow(LEADER, false);
    (void)put(LEADER);
    follow(CLIENT, false);
    hear_late();
    kept_confirm(&kept, LEADER, 1, 1);
    cr_assert(kept_is_settled(&kept));
    follow(LEADER, true);
    (void)put(LEADER);
    kept_confirm(&kept, LEADER, 2, 2);
    kept_refuse(&kept, LEADER);
    follow(CLIENT, false);
    cr_assert_eq(kept.orphans, 1);
}

/* The leader was lost, and this pod has not seen the next one, which stepped down. */
Test(kept, step_down_of_another_leader_says_nothing_of_the_one_before)
{
    kept.needs_replies = true;
    kept_follow(&kept, LEADER, 1, 0);
    (void)put(LEADER);
    kept_follow(&kept, CLIENT, 3, 2);
    kept_follow(&kept, CLIENT, 3, 2);
    kept_confirm(&kept, LEADER, 1, 1);
    cr_assert_not(kept_is_settled(&kept));
    cr_assert_eq(kept.orphans, 1, "it has no reply, and goes to the next leader");
}

Test(kept, refusal_ends_the_time_of_a_leader_that_stepped_down)
{
    follow(LEADER, false);
    (void)put(LEADER);
    follow(CLIENT, true);
    kept_refuse(&kept, LEADER);
    cr_assert_eq(kept.orphans, 1);
}

/* ---- replies ---- */

static struct kept_replies replies;

static void on_end(void *context, const struct kept_frame *frame, bool is_lost)
{
    (void)is_lost;
    kept_replies_end(context, frame);
}

static void setup_replies(void)
{
    setup();
    kept.needs_replies = true;
    kept.on_end = on_end;
    kept.context = &replies;
    cr_assert_eq(kept_replies_init(&replies, 8), 0);
}

static void teardown_replies(void)
{
    kept_replies_fini(&replies);
    teardown();
}

TestSuite(kept_replies, .init = setup_replies, .fini = teardown_replies, .timeout = 30);

/* A frame of two requests. */
static struct kept_frame *put_two(uint64_t tag, uint64_t other)
{
    struct kept_frame like = {.type = FRAME_DATA, .hops = 1, .records = 2, .bytes = 20}, *frame;
    struct frame_place place;

    like.first_ticket = kept_replies_issue(&replies, &kept, tag);
    (void)kept_replies_issue(&replies, &kept, other);
    frame = kept_put(&kept, LEADER, &like, &place);
    kept_replies_bind(&replies, frame, like.first_ticket, 2);
    return frame;
}

Test(kept_replies, each_reply_is_of_the_oldest_request_of_its_client)
{
    const struct kept_frame *first = put_two(8, 16), *second = put_two(8, 8);

    kept_replies_pass(&replies, &kept, 8);
    cr_assert_not(kept_replies_wants(&replies, first, 0));
    cr_assert(kept_replies_wants(&replies, first, 1));
    cr_assert(kept_replies_wants(&replies, second, 0));
    kept_replies_pass(&replies, &kept, 8);
    cr_assert_not(kept_replies_wants(&replies, second, 0));
    cr_assert(kept_replies_wants(&replies, second, 1));
    kept_replies_pass(&replies, &kept, 24);
    cr_assert(kept_replies_wants(&replies, first, 1), "one of the same list");
}

Test(kept_replies, frame_ends_with_its_last_reply_or_its_confirmation)
{
    (void)put_two(1, 2);
    kept_confirm(&kept, LEADER, 1, 0);
    kept_replies_pass(&replies, &kept, 1);
    kept_confirm(&kept, LEADER, 1, 1);
    cr_assert_eq(kept.requests, 2);
    kept_replies_pass(&replies, &kept, 2);
    cr_assert_eq(kept.requests, 0);
    (void)put_two(1, 2);
    kept_confirm(&kept, LEADER, 2, 1);
    kept_replies_pass(&replies, &kept, 2);
    kept_replies_pass(&replies, &kept, 1);
    cr_assert_eq(kept.requests, 2);
    kept_confirm(&kept, LEADER, 2, 2);
    cr_assert_eq(kept.requests, 0);
    cr_assert_eq(replies.oldest, replies.next);
}

Test(kept_replies, tickets_of_forgotten_frames_are_over)
{
    (void)put_two(1, 1);
    kept_confirm(&kept, LEADER, 1, 1);
    kept.now_ns += KEEP;
    kept_tick(&kept, KEEP);
    cr_assert_eq(replies.oldest, replies.next);
    (void)put_two(1, 1);
    kept_confirm(&kept, LEADER, 2, 1);
    kept_replies_pass(&replies, &kept, 1);
    kept_replies_pass(&replies, &kept, 1);
    kept_confirm(&kept, LEADER, 2, 2);
    cr_assert_eq(kept.requests, 0);
}

Test(kept_replies, oldest_tickets_give_way_when_all_are_in_use)
{
    const struct kept_frame *frames[6];

    for (size_t i = 0; i < 6; i++)
        frames[i] = put_two(i, i);
    cr_assert_not(kept_replies_wants(&replies, frames[1], 1));
    cr_assert(kept_replies_wants(&replies, frames[2], 0));
    kept_confirm(&kept, LEADER, 6, 6);
    cr_assert_eq(kept.requests, 8);
}

Test(kept_replies, reply_counts_for_no_request_that_was_not_received)
{
    const struct kept_frame *first = put_two(8, 16), *second = put_two(8, 16);

    kept_confirm(&kept, LEADER, 1, 0);
    kept_replies_pass(&replies, &kept, 8);
    kept_replies_pass(&replies, &kept, 8);
    kept_lose(&kept, LEADER, true);
    cr_assert_not(kept_replies_wants(&replies, first, 0));
    cr_assert(kept_replies_wants(&replies, second, 0));
}
