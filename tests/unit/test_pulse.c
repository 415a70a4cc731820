/* pulse: how well members are heard. */
#include <criterion/criterion.h>

#include "headless/control/pulse.h"

#define US UINT64_C(1000)
#define MS (1000 * US)
#define A  0xa1

static struct pulse pulse;

static void setup(void)
{
    pulse = (struct pulse){0};
}

TestSuite(pulse, .init = setup, .timeout = 30);

static bool beat(uint64_t to, uint64_t at_ns)
{
    const struct election_message message = {
        .type = ELECTION_HEARTBEAT, .to = to, .stamp_ns = at_ns};

    return pulse_send(&pulse, 3, &message);
}

static bool hear(enum election_message_type type, uint64_t from, uint64_t stamp_ns, uint64_t now_ns,
                 uint64_t *ret_rtt_ns)
{
    const struct election_message message = {
        .type = (uint8_t)type, .from = from, .stamp_ns = stamp_ns};

    return pulse_hear(&pulse, 3, &message, now_ns, ret_rtt_ns);
}

Test(pulse, the_round_trip_is_from_the_heartbeat_to_its_ack)
{
    uint64_t rtt_ns = 0;

    cr_assert_not(beat(A, 100 * MS));
    cr_assert(hear(ELECTION_ACK, A, 100 * MS, 100 * MS + 80 * US, &rtt_ns));
    cr_assert_eq(rtt_ns, 80 * US);
    cr_assert_eq(pulse_read(&pulse, 3, A).rtt_ns, 80 * US, "the first one is taken as it is");
    cr_assert_eq(pulse_read(&pulse, 3, A).heard_ns, 100 * MS + 80 * US);
    cr_assert_not(beat(A, 300 * MS));
    cr_assert(hear(ELECTION_ACK, A, 300 * MS, 300 * MS + 160 * US, &rtt_ns));
    cr_assert_eq(rtt_ns, 160 * US);
    cr_assert_eq(pulse_read(&pulse, 3, A).rtt_ns, 90 * US, "then an eighth of each");
}

Test(pulse, acks_may_come_late_and_out_of_order)
{
    uint64_t rtt_ns = 0;

    (void)beat(A, 100 * MS);
    (void)beat(A, 300 * MS);
    cr_assert(hear(ELECTION_ACK, A, 300 * MS, 301 * MS, &rtt_ns));
    cr_assert(hear(ELECTION_ACK, A, 100 * MS, 302 * MS, &rtt_ns));
    cr_assert_eq(rtt_ns, 202 * MS);
    cr_assert_eq(pulse_read(&pulse, 3, A).lost, 0);
}

Test(pulse, an_ack_counts_once_and_only_for_what_was_sent)
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
    cr_assert_eq(pulse_read(&pulse, 3, A).rtt_ns, 1 * MS);
}

Test(pulse, whatever_a_member_says_it_is_heard)
{
    uint64_t rtt_ns;

    cr_assert_not(hear(ELECTION_HEARTBEAT, A, 5 * MS, 400 * MS, &rtt_ns), "stamped by its clock");
    cr_assert_eq(pulse_read(&pulse, 3, A).heard_ns, 400 * MS);
    cr_assert_eq(pulse_read(&pulse, 3, A).rtt_ns, 0);
    cr_assert_eq(pulse_read(&pulse, 3, A).sent, 0);
}

Test(pulse, a_heartbeat_without_an_answer_is_lost_when_it_leaves_the_window)
{
    uint64_t rtt_ns;

    for (uint64_t i = 1; i <= PULSE_WINDOW; i++)
        cr_assert_not(beat(A, i * MS));
    cr_assert(hear(ELECTION_ACK, A, 2 * MS, 9 * MS, &rtt_ns));
    cr_assert_eq(pulse_read(&pulse, 3, A).lost, 0);
    cr_assert(beat(A, 10 * MS), "the first");
    cr_assert_not(beat(A, 11 * MS), "the second was answered");
    cr_assert(beat(A, 12 * MS));
    cr_assert_eq(pulse_read(&pulse, 3, A).lost, 2);
    cr_assert_eq(pulse_read(&pulse, 3, A).sent, PULSE_WINDOW + 3);
    cr_assert_not(hear(ELECTION_ACK, A, 1 * MS, 13 * MS, &rtt_ns), "too late: it is lost");
    cr_assert_eq(pulse_read(&pulse, 3, A).lost, 2);
}

Test(pulse, another_instance_in_the_slot_begins_anew)
{
    uint64_t rtt_ns;

    for (uint64_t i = 1; i <= 2 * PULSE_WINDOW; i++)
        (void)beat(A, i * MS);
    cr_assert_eq(pulse_read(&pulse, 3, A).lost, PULSE_WINDOW);
    cr_assert_eq(pulse_read(&pulse, 3, 0xb2).lost, 0);
    cr_assert_not(beat(0xb2, 100 * MS), "what was sent to its predecessor is not lost by it");
    cr_assert_eq(pulse_read(&pulse, 3, A).lost, 0);
    cr_assert_not(hear(ELECTION_ACK, 0xb2, 16 * MS, 101 * MS, &rtt_ns), "the predecessor's");
    cr_assert(hear(ELECTION_ACK, 0xb2, 100 * MS, 101 * MS, &rtt_ns));
}

Test(pulse, who_has_no_slot_is_no_member)
{
    const struct election_message beat_to = {
        .type = ELECTION_HEARTBEAT, .to = A, .stamp_ns = 1 * MS};
    const struct election_message ack_from = {.type = ELECTION_ACK, .from = A, .stamp_ns = 1 * MS};
    uint64_t rtt_ns;

    cr_assert_not(pulse_send(&pulse, MEMBER_INDEX_NONE, &beat_to));
    cr_assert_not(pulse_hear(&pulse, MEMBER_INDEX_NONE, &ack_from, 2 * MS, &rtt_ns));
    cr_assert_eq(pulse_read(&pulse, MEMBER_INDEX_NONE, A).heard_ns, 0);
}
