/*
 * Confirmed relaying: B relays to A. A frame is lost by reading it off A's socket before A does. Times
 * pass really, so the tests wait for what has to happen, and for nothing else; but no timer expires
 * because the machine runs something else.
 */
#include "plane_confirm_fixture.h"

static void open_delivered(void)
{
    setup();
    open_again(CONFIG_CONFIRM_DELIVERED, 1);
}

static void open_replied(void)
{
    setup();
    open_again(CONFIG_CONFIRM_REPLIED, 1);
}

/* The first frame that has come to this pod, in a batch of its worker that is not flushed yet; the others are lost. */
static void take_first_frame(int pod)
{
    static uint8_t bytes[65536]; /* of a GRO batch of full frames */
    struct worker *worker = &data_planes[pod]->workers[0];
    struct datagram frame = {
        .source = SOURCE_RELAY, .payload = bytes, .slot = bytes, .length = 1400 - 28};
    struct sockaddr_storage from;
    socklen_t from_length = sizeof(from);
    ssize_t n = recvfrom(data_planes[pod]->relay_sockets[0].fd, bytes, sizeof(bytes), 0,
                         (struct sockaddr *)&from, &from_length);

    cr_assert_geq(n, frame.length);
    address_from_sockaddr((struct sockaddr *)&from, &frame.peer);
    worker_begin(worker);
    worker_handle(worker, &frame);
    worker_flush(worker);
    (void)lose(pod);
}

TestSuite(plane_confirm, .init = open_delivered, .fini = teardown, .timeout = 60);
TestSuite(plane_replied, .init = open_replied, .fini = teardown, .timeout = 60);

static void expect_reply(const char *text)
{
    const char *is = "";

    until(*(is = heard()), run_both());
    cr_assert_str_eq(is, text);
}

static struct address client_address(void)
{
    struct sockaddr_storage storage;
    socklen_t length = sizeof(storage);
    struct address address;

    cr_assert_eq(getsockname(client.fd, (struct sockaddr *)&storage, &length), 0);
    address_from_sockaddr((struct sockaddr *)&storage, &address);
    return address;
}

Test(plane_confirm, request_is_kept_until_it_is_confirmed)
{
    say(B, "one");
    run(B);
    cr_assert_eq(kept(B), 1);
    cr_assert_eq(count(B, COUNTER_RELAYED), 1);
    expect_reply("one");
    settle_all();
    cr_assert_eq(kept(B), 0);
    cr_assert_eq(count(A, COUNTER_DELIVERED), 1);
    cr_assert_eq(count(B, COUNTER_UNCONFIRMED), 0);
}

Test(plane_confirm, lost_frame_is_sent_again_and_the_order_is_kept)
{
    say(B, "one");
    run(B);
    cr_assert_gt(lose(A), 0);
    say(B, "two");
    say(B, "three");
    expect_reply("one");
    expect_reply("two");
    expect_reply("three");
    settle_all();
    cr_assert_eq(count(A, COUNTER_DELIVERED), 3);
    cr_assert_gt(count(B, COUNTER_SENT_AGAIN), 0);
    cr_assert_gt(count(A, DROPPED(ahead)), 0);
}

Test(plane_confirm, last_frame_that_was_lost_is_sent_again)
{
    say(B, "one");
    run(B);
    cr_assert_gt(lose(A), 0);
    expect_reply("one");
    cr_assert_eq(count(A, COUNTER_DELIVERED), 1);
}

Test(plane_confirm, lost_reply_is_sent_again)
{
    say(B, "one");
    run(B);
    run(A);
    cr_assert_gt(lose(B), 0);
    expect_reply("one");
    settle_all();
    cr_assert_eq(count(A, COUNTER_DELIVERED), 1);
    cr_assert_gt(count(A, COUNTER_SENT_AGAIN), 0);
}

Test(plane_confirm, lost_confirmation_does_not_deliver_twice)
{
    say(B, "one");
    run(B);
    run(A);
    expect_reply("one");
    (void)lose(A);
    (void)lose(B);
    settle_all();
    cr_assert_eq(count(A, COUNTER_DELIVERED), 1);
}

Test(plane_confirm, large_requests_survive_a_loss)
{
    static char large[9000];

    memset(large, 'x', sizeof(large) - 1);
    say(B, large);
    run(B);
    cr_assert_gt(lose(A), 0);
    say(B, "end");
    until(count(A, COUNTER_DELIVERED) >= 2, run_both());
    settle_all();
    cr_assert_eq(count(A, DROPPED(incomplete)), 0);
    cr_assert_eq(count(A, COUNTER_DELIVERED), 2);
}

/* The other frames are refused, or lost, for longer than others would be waited for. */
Test(plane_confirm, large_request_is_finished_late)
{
    static char large[9000];
    struct reassembly *reassembly = &data_planes[A]->workers[0].routing.reassembly;

    memset(large, 'x', sizeof(large) - 1);
    say(B, large);
    run(B);
    take_first_frame(A);
    cr_assert_eq(reassembly->open_count, 1);
    for (size_t i = 0; i < reassembly->count; i++)
        reassembly->list[i].since_ns -= 2 * REASSEMBLY_AGE_NS;
    reassembly_expire(reassembly);
    until(count(A, COUNTER_DELIVERED) >= 1, run_both());
    settle_all();
    cr_assert_eq(count(A, DROPPED(incomplete)), 0);
}

Test(plane_confirm, unconfirmed_requests_of_a_lost_leader_go_to_the_next_one_first)
{
    say(B, "one");
    say(B, "two");
    run(B);
    (void)lose(A);
    a_is_dead = true;
    publish(B, B, 2, 0);
    run(B);
    say(B, "three");
    expect_reply("one");
    expect_reply("two");
    expect_reply("three");
    cr_assert_eq(count(B, COUNTER_REPLAYED), 2);
    cr_assert_eq(count(B, COUNTER_DELIVERED), 3);
    cr_assert_eq(kept(B), 0);
}

/* The snapshot changes within a slice, before what is packed for the former leader is sent. */
Test(plane_confirm, packed_requests_of_a_lost_leader_go_to_the_next_one)
{
    struct worker *worker = &data_planes[B]->workers[0];
    const struct request request = {.record = {.client = client_address(),
                                               .local = address_with_port(configs[B].self, 12000),
                                               .payload = (const uint8_t *)"one",
                                               .length = 3}};

    say(B, "zero");
    expect_reply("zero");
    worker_begin(worker);
    counters_add(&worker->routing.counters, COUNTER_RECEIVED_DATA, 1);
    route_request(&worker->routing, &request);
    publish(B, B, 2, 0);
    worker_begin(worker);
    worker_flush(worker);
    (void)lose(A);
    a_is_dead = true;
    expect_reply("one");
    cr_assert_eq(kept(B), 0);
}

Test(plane_confirm, large_request_of_a_lost_leader_is_put_together_again)
{
    static char large[9000];

    memset(large, 'x', sizeof(large) - 1);
    say(B, "one");
    say(B, large);
    say(B, "two");
    run(B);
    (void)lose(A);
    publish(B, B, 2, 0);
    until(count(B, COUNTER_DELIVERED) >= 3, run(B));
    cr_assert_eq(count(B, COUNTER_REPLAYED), 3);
}

/* Frames that end one record and begin another; the app's replies are sent from where the requests are. */
Test(plane_confirm, each_request_of_a_lost_leader_keeps_its_bytes)
{
    char text[601];

    for (int i = 0; i < 50; i++) {
        (void)snprintf(text, sizeof(text), "%0600d", i);
        say(B, text);
    }
    run(B);
    (void)lose(A);
    a_is_dead = true;
    publish(B, B, 2, 0);
    for (int i = 0; i < 50; i++) {
        (void)snprintf(text, sizeof(text), "%0600d", i);
        expect_reply(text);
    }
    cr_assert_eq(count(B, COUNTER_REPLAYED), 50);
    cr_assert_eq(kept(B), 0);
}

Test(plane_confirm, leader_that_returns_is_given_each_request_once)
{
    say(B, "one");
    run(B);
    (void)lose(A);
    publish(B, PODS, 1, 0); /* no leader for a moment */
    run(B);
    publish(B, A, 2, 0);
    publish(A, A, 2, 0);
    expect_reply("one");
    settle_all();
    cr_assert_eq(count(B, COUNTER_REPLAYED), 0);
    cr_assert_eq(count(A, COUNTER_DELIVERED), 1);
}

Test(plane_confirm, leader_that_stepped_down_confirms_what_it_relays)
{
    const uint64_t until_ns = clock_now_ns() + 60 * NS_PER_SEC;

    say(B, "one");
    run(B); /* it is on its way when A steps down */
    publish(A, B, 2, until_ns);
    publish(B, B, 2, until_ns);
    expect_reply("one");
    settle_all();
    cr_assert_eq(count(A, COUNTER_RELAYED), 1);
    cr_assert_eq(count(B, COUNTER_DELIVERED), 1);
}

/* It may be relayed no further: dropped and confirmed here, it would be lost, or come behind later ones. */
Test(plane_confirm, pod_that_stepped_down_takes_no_second_hop)
{
    const uint64_t until_ns = clock_now_ns() + 60 * NS_PER_SEC;

    say(B, "one");
    run(B); /* it is on its way when A steps down */
    publish(A, B, 2, until_ns);
    until(count(A, COUNTER_RELAYED) == 1, run(A));
    publish(B, B, 2, until_ns);
    publish(B, A, 3, until_ns); /* B has led, and steps down */
    until(count(B, DROPPED(unready)) + count(B, DROPPED(hops)) > 0, run(B));
    cr_assert_eq(count(B, DROPPED(hops)), 0);
    publish(A, A, 3, until_ns);
    expect_reply("one");
    settle_all();
}

Test(plane_confirm, pod_that_cannot_deliver_takes_no_kept_request)
{
    publish(A, PODS, 1, 0);
    say(B, "one");
    run_both();
    cr_assert_eq(count(A, DROPPED(unready)), 1);
    cr_assert_eq(kept(B), 1);
    publish(A, A, 1, 0);
    expect_reply("one");
    settle_all();
    cr_assert_eq(count(A, COUNTER_DELIVERED), 1);
}

/* A's process is killed, and another one at its address leads before B knows. */
Test(plane_confirm, request_of_an_earlier_process_goes_to_the_next_one_once)
{
    struct leader_snapshot *snapshot;

    say(B, "one");
    run(B);
    (void)lose(A);
    data_plane_close(data_planes[A]);
    cr_assert_eq(data_plane_open(&configs[A], &supervisor_wakers[A], &data_planes[A]), 0);
    snapshot = snapshot_draft(&data_planes[A]->publisher);
    snapshot->leader.confirms = snapshot->leader.splits_records = true;
    snapshot->leader.takes_from = 2;
    snapshot_publish(&data_planes[A]->publisher, snapshot);
    publish(A, A, 2, 0);
    until(count(A, COUNTER_RECEIVED_RELAY) > 0, run_both()); /* sent again */
    cr_assert_eq(count(A, COUNTER_DELIVERED), 0);
    cr_assert_eq(count(A, DROPPED(misdirected)), 1);
    publish(B, A, 2, 0);
    expect_reply("one");
    settle_all();
    cr_assert_eq(count(A, COUNTER_DELIVERED), 1);
    cr_assert_eq(count(B, COUNTER_REPLAYED), 1);
}

Test(plane_confirm, nothing_is_kept_while_a_member_does_not_confirm)
{
    struct leader_snapshot *snapshot = snapshot_draft(&data_planes[B]->publisher);

    snapshot->leader.confirms = false;
    snapshot_publish(&data_planes[B]->publisher, snapshot);
    say(B, "one");
    run(B);
    cr_assert_eq(kept(B), 0);
    expect_reply("one");
}

Test(plane_replied, request_without_a_reply_goes_to_the_next_leader)
{
    data_plane_close(data_planes[A]);
    configs[A].app_target.kind = CONFIG_APP_DISCARD;
    cr_assert_eq(data_plane_open(&configs[A], &supervisor_wakers[A], &data_planes[A]), 0);
    publish_both(A, 1);
    say(B, "one");
    until(count(A, COUNTER_DELIVERED) >= 1 && kept_of(B, 0)->streams[0].confirmed >= 1, run_both());
    cr_assert_eq(kept(B), 1);
    publish(B, B, 2, 0);
    expect_reply("one");
    cr_assert_eq(count(B, COUNTER_REPLAYED), 1);
}

Test(plane_replied, request_whose_reply_has_passed_is_not_relayed_again)
{
    say(B, "one");
    expect_reply("one");
    settle_all();
    say(B, "two");
    run(B);
    (void)lose(A);
    publish(B, B, 2, 0);
    expect_reply("two");
    cr_assert_eq(count(B, COUNTER_REPLAYED), 1);
    cr_assert_str_eq(heard(), "");
}

/* The frames that have come to this pod, in a batch of its worker that is not flushed yet. */
static void take_frames(int pod)
{
    static uint8_t bytes[16][2048];
    struct worker *worker = &data_planes[pod]->workers[0];
    struct datagram frame = {.source = SOURCE_RELAY};
    struct sockaddr_storage from;

    worker_begin(worker);
    for (size_t i = 0; i < 16; i++) {
        socklen_t from_length = sizeof(from);
        ssize_t n = recvfrom(data_planes[pod]->relay_sockets[0].fd, bytes[i], sizeof(bytes[i]),
                             MSG_DONTWAIT, (struct sockaddr *)&from, &from_length);

        if (n < 0)
            return;
        frame.payload = frame.slot = bytes[i];
        frame.length = (uint32_t)n;
        address_from_sockaddr((struct sockaddr *)&from, &frame.peer);
        worker_handle(worker, &frame);
    }
}

/* The thread is interrupted between the reply's arrival and the end of the batch. */
Test(plane_replied, request_whose_reply_is_fenced_at_the_end_of_its_batch_goes_to_the_next_leader)
{
    struct leader_snapshot *snapshot;

    say(B, "one");
    run(B);
    until(count(B, COUNTER_REPLIES_FROM_RELAY) == 1, (run(A), take_frames(B)));
    snapshot = snapshot_current(&data_planes[B]->publisher);
    atomic_store_explicit(&snapshot->leader.valid_until_ns, 0, memory_order_relaxed);
    worker_flush(&data_planes[B]->workers[0]);
    cr_assert_eq(count(B, COUNTER_REPLIES_FENCED), 1);
    cr_assert_eq(kept_of(B, 0)->requests, 1);
    atomic_store_explicit(&snapshot->leader.valid_until_ns, SNAPSHOT_NO_EXPIRY,
                          memory_order_relaxed);
    publish(B, B, 2, 0);
    expect_reply("one");
    cr_assert_eq(count(B, COUNTER_REPLAYED), 1);
    cr_assert_eq(kept(B), 0);
}
