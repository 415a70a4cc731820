/* Round trips and lost heartbeats of members. */
#include "peers_fixture.h"

#define US UINT64_C(1000)

static void setup_member(void)
{
    setup();
    only_member_is(A);
}

TestSuite(peers_heartbeat, .init = setup_member, .fini = teardown, .timeout = 30);

static bool beat(uint64_t to, uint64_t at_ns)
{
    const struct election_message message = {
        .type = ELECTION_HEARTBEAT, .to = to, .stamp_ns = at_ns};

    return peers_note_sent(&peers, &message);
}

static bool hear(enum election_message_type type, uint64_t from, uint64_t stamp_ns, uint64_t now_ns,
                 uint64_t *ret_rtt_ns)
{
    const struct election_message message = {
        .type = (uint8_t)type, .from = from, .stamp_ns = stamp_ns};

    return peers_note_received(&peers, &message, now_ns, ret_rtt_ns);
}

Test(peers_heartbeat, the_round_trip_is_from_the_heartbeat_to_its_ack)
{
    uint64_t rtt_ns = 0;

    cr_assert_not(beat(A, 100 * MS));
    cr_assert(hear(ELECTION_ACK, A, 100 * MS, 100 * MS + 80 * US, &rtt_ns));
    cr_assert_eq(rtt_ns, 80 * US);
    cr_assert_eq(peers_find(&peers, A)->rtt_ns, 80 * US, "the first one is taken as it is");
    cr_assert_eq(peers_find(&peers, A)->heard_ns, 100 * MS + 80 * US);
    cr_assert_not(beat(A, 300 * MS));
    cr_assert(hear(ELECTION_ACK, A, 300 * MS, 300 * MS + 160 * US, &rtt_ns));
    cr_assert_eq(rtt_ns, 160 * US);
    cr_assert_eq(peers_find(&peers, A)->rtt_ns, 90 * US, "then an eighth of each");
}

Test(peers_heartbeat, acks_may_come_late_and_out_of_order)
{
    uint64_t rtt_ns = 0;

    (void)beat(A, 100 * MS);
    (void)beat(A, 300 * MS);
    cr_assert(hear(ELECTION_ACK, A, 300 * MS, 301 * MS, &rtt_ns));
    cr_assert(hear(ELECTION_ACK, A, 100 * MS, 302 * MS, &rtt_ns));
    cr_assert_eq(rtt_ns, 202 * MS);
    cr_assert_eq(peers_find(&peers, A)->heartbeats_lost, 0);
}

Test(peers_heartbeat, an_ack_counts_once_and_only_for_what_was_sent)
{
    uint64_t rtt_ns = 7;

    (void)beat(A, 100 * MS);
    cr_assert_not(hear(ELECTION_ACK, A, 90 * MS, 101 * MS, &rtt_ns), "nothing was sent then");
    cr_assert_not(hear(ELECTION_ACK, A, 0, 101 * MS, &rtt_ns));
    cr_assert_not(hear(ELECTION_ACK, A, 200 * MS, 101 * MS, &rtt_ns), "of the future");
    cr_assert_not(hear(ELECTION_ALIVE, A, 100 * MS, 101 * MS, &rtt_ns));
    cr_assert_eq(rtt_ns, 7);
    cr_assert(hear(ELECTION_ACK, A, 100 * MS, 101 * MS, &rtt_ns));
    cr_assert_not(hear(ELECTION_ACK, A, 100 * MS, 102 * MS, &rtt_ns), "twice");
    cr_assert_eq(peers_find(&peers, A)->rtt_ns, 1 * MS);
}

Test(peers_heartbeat, any_message_of_a_member_counts_as_heard)
{
    uint64_t rtt_ns;

    cr_assert_not(hear(ELECTION_HEARTBEAT, A, 5 * MS, 400 * MS, &rtt_ns), "stamped by its clock");
    cr_assert_eq(peers_find(&peers, A)->heard_ns, 400 * MS);
    cr_assert_eq(peers_find(&peers, A)->rtt_ns, 0);
    cr_assert_eq(peers_find(&peers, A)->heartbeats_sent, 0);
}

Test(peers_heartbeat, a_heartbeat_without_an_ack_is_lost_when_it_leaves_the_window)
{
    uint64_t rtt_ns;

    for (uint64_t i = 1; i <= PEERS_HEARTBEAT_WINDOW; i++)
        cr_assert_not(beat(A, i * MS));
    cr_assert(hear(ELECTION_ACK, A, 2 * MS, 9 * MS, &rtt_ns));
    cr_assert_eq(peers_find(&peers, A)->heartbeats_lost, 0);
    cr_assert(beat(A, 10 * MS), "the first");
    cr_assert_not(beat(A, 11 * MS), "the second was answered");
    cr_assert(beat(A, 12 * MS));
    cr_assert_eq(peers_find(&peers, A)->heartbeats_lost, 2);
    cr_assert_eq(peers_find(&peers, A)->heartbeats_sent, PEERS_HEARTBEAT_WINDOW + 3);
    cr_assert_not(hear(ELECTION_ACK, A, 1 * MS, 13 * MS, &rtt_ns), "too late: it is lost");
    cr_assert_eq(peers_find(&peers, A)->heartbeats_lost, 2);
}

Test(peers_heartbeat, another_instance_at_the_index_starts_at_zero)
{
    uint64_t rtt_ns;

    for (uint64_t i = 1; i <= 2 * PEERS_HEARTBEAT_WINDOW; i++)
        (void)beat(A, i * MS);
    cr_assert_eq(peers_find(&peers, A)->heartbeats_lost, PEERS_HEARTBEAT_WINDOW);
    cr_assert_null(peers_find(&peers, B));
    replace_at_same_index(A, B);
    cr_assert_eq(peers_find(&peers, B)->heartbeats_lost, 0);
    cr_assert_not(beat(B, 100 * MS), "heartbeats to the predecessor are not lost by B");
    cr_assert_eq(peers_find(&peers, B)->heartbeats_lost, 0);
    cr_assert_null(peers_find(&peers, A));
    cr_assert_not(hear(ELECTION_ACK, B, 16 * MS, 101 * MS, &rtt_ns), "the predecessor's");
    cr_assert(hear(ELECTION_ACK, B, 100 * MS, 101 * MS, &rtt_ns));
}

Test(peers_heartbeat, an_instance_outside_the_list_is_ignored)
{
    uint64_t rtt_ns;

    cr_assert_not(beat(B, 1 * MS));
    cr_assert_not(hear(ELECTION_ACK, B, 1 * MS, 2 * MS, &rtt_ns));
    cr_assert_null(peers_find(&peers, B));
    only_member_is(B);
    cr_assert_eq(peers_find(&peers, B)->heard_ns, 0);
    cr_assert_eq(peers_find(&peers, B)->heartbeats_sent, 0);
}
