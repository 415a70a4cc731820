/* data_plane: leaders whose lease ends, traffic counted by member, and frames that a leader's host
 * refuses. */
#include "plane_fixture.h"

TestSuite(plane_leader, .init = setup, .fini = teardown, .timeout = 30);

static void set_valid_until(int pod, uint64_t until_ns)
{
    atomic_store_explicit(&snapshot_current(&data_planes[pod]->publisher)->leader.valid_until_ns,
                          until_ns, memory_order_relaxed);
}

Test(plane_leader, follower_holds_while_its_leader_is_late_and_relays_when_it_is_heard)
{
    publish(A, A, 1, 0);
    publish(B, A, 1, 0);
    set_valid_until(B, 1);
    say(B, "wait");
    run(B);
    cr_assert_eq(count(B, COUNTER_RELAYED), 0);
    cr_assert_eq(hold_count(&data_planes[B]->workers[0].routing.hold), 1);
    set_valid_until(B, SNAPSHOT_NO_EXPIRY);
    run(B);
    run(A);
    run(B);
    cr_assert_str_eq(heard(), "wait");
}

Test(plane_leader, replies_of_a_late_leader_are_fenced)
{
    publish(A, A, 1, 0);
    publish(B, A, 1, 0);
    say(B, "asked in time");
    run(B);
    run(A);
    set_valid_until(B, 1);
    run(B);
    cr_assert_str_eq(heard(), "");
    cr_assert_eq(count(B, COUNTER_REPLIES_FENCED), 1);
}

/* It stepped down: its snapshot names no leader, and the replies of its own term still pass. */
Test(plane_leader, leader_that_stepped_down_still_sends_its_last_replies)
{
    struct leader_snapshot *snapshot;

    publish(A, A, 1, 0);
    publish(B, A, 1, 0);
    say(B, "last");
    run(B);
    run(A);
    publish(B, PODS, 1, 0);
    snapshot = snapshot_draft(&data_planes[B]->publisher);
    snapshot->leader.previous_term = 1;
    snapshot->leader.previous_until_ns = SNAPSHOT_NO_EXPIRY;
    snapshot_publish(&data_planes[B]->publisher, snapshot);
    set_valid_until(B, 0);
    run(B);
    cr_assert_str_eq(heard(), "last");
}

Test(plane_leader, traffic_is_counted_by_member)
{
    uint64_t relayed, received;

    publish(A, A, 1, 0);
    publish(B, A, 1, 0);
    for (int i = 0; i < 5; i++)
        say(B, "counted");
    run(B);
    run(A);
    run(B);
    data_plane_read_traffic(data_planes[B], 10, &relayed, &received);
    cr_assert_eq(relayed, 5);
    cr_assert_eq(received, 0, "answers are no requests");
    data_plane_read_traffic(data_planes[A], 11, &relayed, &received);
    cr_assert_eq(relayed, 0);
    cr_assert_eq(received, 5);
    for (int i = 0; i < 5; i++)
        cr_assert_str_eq(heard(), "counted");
}

#ifndef PLANE_SEALED /* there it does not come in at all */
Test(plane_leader, traffic_of_another_instance_is_not_counted_for_the_member)
{
    uint64_t relayed, received;

    publish(A, A, 1, 0);
    publish(B, A, 1, 0);
    snapshot_current(&data_planes[A]->publisher)->leader.members[B].instance ^=
        1; /* A knows its predecessor */
    say(B, "new");
    run(B);
    run(A);
    data_plane_read_traffic(data_planes[A], 11, &relayed, &received);
    cr_assert_eq(received, 0);
    run(B);
    cr_assert_str_eq(heard(), "new", "it is served all the same");
}
#endif

/* The relay port of A is closed: its host refuses the first frame, and the second send reports it. */
static void close_relay_port_of_a(void)
{
    udp_close(&data_planes[A]->relay_sockets[0]);
}

static void open_relay_port_of_a(void)
{
    struct address at = data_planes[A]->relay_sockets[0].local;

    cr_assert_eq(udp_open(&at, &(struct udp_options){0}, &data_planes[A]->relay_sockets[0]), 0);
}

Test(plane_leader, a_refusal_is_evidence_against_the_leader)
{
    uint64_t instance = 0;

    publish(B, A, 1, 0);
    close_relay_port_of_a();
    say(B, "one");
    run(B);
    cr_assert_not(data_plane_has_refusal(data_planes[B]), "no send has reported it yet");
    say(B, "two");
    run(B);
    cr_assert(data_plane_has_refusal(data_planes[B]));
    cr_assert(data_plane_take_refusal(data_planes[B], &instance));
    cr_assert_eq(instance, data_planes[A]->identity.instance);
    cr_assert_not(data_plane_take_refusal(data_planes[B], &instance), "taken");
    cr_assert_eq(count(B, COUNTER_REFUSALS_IGNORED), 0);
}

/* Two refusals come back: one of a frame of another instance, and one of our frame. */
Test(plane_leader, a_refusal_of_another_instances_frame_is_ignored)
{
    uint64_t instance;

    publish(B, A, 1, 0);
    close_relay_port_of_a();
    say(B, "one");
    run(B);
    data_planes[B]->identity.instance ^= 1;
    say(B, "two");
    run(B);
    cr_assert_eq(count(B, COUNTER_REFUSALS_IGNORED), 1);
    cr_assert(data_plane_take_refusal(data_planes[B], &instance));
}

Test(plane_leader, held_requests_are_released_as_the_leader_has_room)
{
    struct leader_snapshot *snapshot;

    publish(B, A, 1, 0);
    run(B);
    cr_assert_eq(data_planes[B]->workers[0].routing.hold.release_bytes,
                 data_planes[B]->relay_sockets[0].rcvbuf_bytes / 4);
    snapshot = snapshot_draft(&data_planes[B]->publisher);
    snapshot->leader.rcvbuf_bytes = 4096;
    snapshot_publish(&data_planes[B]->publisher, snapshot);
    run(B);
    cr_assert_eq(data_planes[B]->workers[0].routing.hold.release_bytes, 1024);
}

/*
 * A's process has gone, and a new one is at its address. The refusal of a frame to the old one
 * is reported when the first frame goes to the new one, and is no evidence against it.
 */
Test(plane_leader, refusal_to_a_predecessor_is_no_evidence)
{
    publish(B, A, 1, 0);
    close_relay_port_of_a();
    say(B, "to the old one");
    run(B);
    open_relay_port_of_a();
    data_planes[A]->identity.instance ^= 1;
    publish(B, A, 2, 0);
    say(B, "to the new one");
    run(B);
    cr_assert_not(data_plane_has_refusal(data_planes[B]), "the new one has refused nothing yet");
    cr_assert_eq(count(B, COUNTER_REFUSALS_IGNORED), 1);
    close_relay_port_of_a();
    say(B, "one more");
    run(B);
    say(B, "again");
    run(B);
    cr_assert(data_plane_has_refusal(data_planes[B]), "but now it has");
}

/* While a data thread sleeps, snapshots may come and go in the very place of the one that it knew. */
Test(plane_leader, new_snapshot_in_the_buffer_of_the_old_one_is_seen)
{
    const struct leader_snapshot *known;

    publish(B, B, 1, 0);
    run(B);
    known = data_planes[B]->workers[0].routing.snapshot;
    snapshot_release(&data_planes[B]->workers[0].reader);
    for (uint64_t term = 2; term == 2 || snapshot_current(&data_planes[B]->publisher) != known;
         term++)
        publish(B, A, term, 0);
    publish(A, A, 1000, 0); /* its replies are not older than what B knows */
    say(B, "to A");
    run(B);
    run(A);
    run(B);
    cr_assert_str_eq(heard(), "to A");
}

static void send_reply(struct worker *worker, const struct origin *origin, const char *text)
{
    reply_send(&worker->routing.replier, &(struct reply){.origin = origin,
                                                         .term = 1,
                                                         .payload = (const uint8_t *)text,
                                                         .length = strlen(text)});
}

/* An app's reply to a request of B's client, which comes when A's time is over. */
Test(plane_leader, leader_whose_time_is_over_relays_no_replies)
{
    struct worker *worker = &data_planes[A]->workers[0];
    const struct origin origin = {
        .client = ip("127.0.0.1"), .local = configs[B].self, .ingress = configs[B].self};

    publish(A, A, 1, 0);
    worker_begin(worker);
    counters_add(&worker->routing.counters, COUNTER_REPLIES_FROM_APP, 2);
    send_reply(worker, &origin, "in time");
    worker_flush(worker);
    set_valid_until(A, 1);
    worker_begin(worker);
    send_reply(worker, &origin, "late");
    worker_flush(worker);
    cr_assert_eq(count(A, COUNTER_REPLIES_RELAYED), 1);
    cr_assert_eq(count(A, COUNTER_REPLIES_FENCED), 1);
}

/* The slice began in time, but waited before it sent. */
Test(plane_leader, replies_that_waited_are_fenced_again)
{
    struct worker *worker = &data_planes[A]->workers[0];
    struct origin origin = {.client = client.local, .local = configs[A].self};

    publish(A, A, 1, 0);
    worker_begin(worker);
    counters_add(&worker->routing.counters, COUNTER_REPLIES_FROM_APP, 1);
    send_reply(worker, &origin, "waited");
    set_valid_until(A, 1);
    worker_flush(worker);
    cr_assert_str_eq(heard(), "");
    cr_assert_eq(count(A, COUNTER_REPLIES_FENCED), 1);
}
