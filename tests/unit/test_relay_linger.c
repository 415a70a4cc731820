/* relay: copies are delayed and coalesced, up to relay.linger after the last ones; others are
 * not. */
#include <sys/socket.h>

#include "headless/base/clock.h"
#include "relay_fixture.h"

#include "data/relay/link.h"

#define MEMBERS 2
#define LINGER  NS_PER_MS
#define BEGIN   (100 * NS_PER_MS) /* now_ns of the first batch */

static struct udp_socket inboxes[MEMBERS];
static struct relay_target members[MEMBERS];

static void setup(void)
{
    const struct udp_options options = {0};

    config.route = CONFIG_ROUTE_ALL;
    open_relay();
    for (uint16_t i = 0; i < MEMBERS; i++) {
        cr_assert_eq(udp_open(&config.self, &options, &inboxes[i]), 0);
        members[i] = (struct relay_target){
            .to = inboxes[i].local, .instance = 100 + i, .term = 7, .member_index = i};
    }
    relay_copies_to(&relay, members, MEMBERS);
    relay_linger(&relay, LINGER);
}

static void teardown(void)
{
    relay_fini(&relay);
    for (size_t i = 0; i < MEMBERS; i++)
        udp_close(&inboxes[i]);
}

TestSuite(relay_linger, .init = setup, .fini = teardown, .timeout = 30);

/* A batch in which one request of these bytes is copied. */
static void copy_at(uint64_t now_ns, uint16_t length)
{
    const struct request request = make_request(length);

    relay_begin(&relay, now_ns);
    relay_copy(&relay, 7, &request);
    relay_flush(&relay);
}

/* The next frame that a member has received: its records, 0 when there is none; its sequence. */
static size_t frame_at(size_t member, uint64_t *ret_sequence)
{
    static uint8_t bytes[UDP_PAYLOAD_MAX];
    ssize_t n = recv(inboxes[member].fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    struct frame_header header;
    struct frame_reader reader;
    size_t records;

    if (n < 0)
        return 0;
    cr_assert_eq(frame_open(bytes, (size_t)n, identity.cluster, &header, &records, &reader),
                 FRAME_OK);
    *ret_sequence = header.sequence;
    return records;
}

static void expect_frame(size_t records, uint64_t sequence)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        uint64_t is = 0;

        cr_expect_eq(frame_at(i, &is), records);
        cr_expect_eq(is, sequence);
    }
}

static void expect_silence(void)
{
    uint64_t sequence;

    for (size_t i = 0; i < MEMBERS; i++)
        cr_expect_eq(frame_at(i, &sequence), 0);
}

Test(relay_linger, first_copy_is_sent_at_once)
{
    copy_at(BEGIN, 100);
    expect_frame(1, 1);
    cr_expect_eq(relay_sleep_ns(&relay), UINT64_MAX);
    cr_expect_eq(relay_rest_ns(&relay), LINGER);
}

Test(relay_linger, later_copies_are_sent_together_when_due)
{
    copy_at(BEGIN, 100);
    expect_frame(1, 1);
    copy_at(BEGIN + LINGER / 4, 100);
    copy_at(BEGIN + LINGER / 2, 100);
    expect_silence();
    cr_expect_eq(count(COUNTER_COPIES_MADE), MEMBERS);
    cr_expect_eq(relay_sleep_ns(&relay), LINGER / 2);
    relay_begin(&relay, BEGIN + LINGER - 1);
    relay_flush(&relay);
    expect_silence();
    relay_begin(&relay, BEGIN + LINGER);
    relay_flush(&relay);
    expect_frame(2, 2);
    cr_expect_eq(count(COUNTER_COPIES_SENT), 3 * MEMBERS);
    cr_expect_eq(relay_sleep_ns(&relay), UINT64_MAX);
}

Test(relay_linger, copy_after_a_pause_is_not_delayed)
{
    copy_at(BEGIN, 100);
    copy_at(BEGIN + LINGER, 100);
    expect_frame(1, 1);
    expect_frame(1, 2);
    relay_begin(&relay, BEGIN + 2 * LINGER);
    cr_expect_eq(relay_rest_ns(&relay), 0);
}

Test(relay_linger, full_frames_are_not_delayed)
{
    const size_t frames = relay.copies->frame_max;

    copy_at(BEGIN, 100);
    expect_frame(1, 1);
    for (size_t i = 0; i <= frames; i++) /* a frame each */
        copy_at(BEGIN + 1, 1000);
    for (uint64_t i = 0; i < frames; i++)
        expect_frame(1, 2 + i);
    expect_silence();
}

/* Its payload does not stay beyond the batch. */
Test(relay_linger, large_copy_flushes_the_delayed_ones)
{
    copy_at(BEGIN, 100);
    copy_at(BEGIN + 1, 100);
    copy_at(BEGIN + 2, 5000);
    expect_frame(1, 1);
    expect_frame(1, 2);
    expect_frame(1, 3);
    copy_at(BEGIN + 3, 100);
    expect_silence();
    cr_expect_eq(relay_sleep_ns(&relay), LINGER - 1);
}

Test(relay_linger, requests_are_not_delayed_and_sequences_rise)
{
    const struct request request = make_request(100);

    copy_at(BEGIN, 100);
    copy_at(BEGIN + 1, 100);
    relay_request(&relay, &members[0], &request);
    relay_linger(&relay, 0);
    relay_flush(&relay);
    for (size_t i = 0; i < MEMBERS; i++) {
        uint64_t sequence, last = 0;
        size_t frames = 0;

        for (; frame_at(i, &sequence); frames++) {
            cr_expect_gt(sequence, last);
            last = sequence;
        }
        cr_expect_eq(frames, i == 0 ? 3 : 2);
        cr_expect_eq(last, 3);
    }
}

/* Otherwise the member would request the delayed copies. */
Test(relay_linger, range_for_one_member_follows_delayed_copies)
{
    const struct request request = make_request(100);
    const union frame_body body = {
        .range = {
            .first = 1, .id = {7, identity.instance}, .oldest = 1, .reply_end = 2, .last = 2}};
    uint64_t sequence = 0;

    copy_at(BEGIN, 100);
    expect_frame(1, 1);
    copy_at(BEGIN + 1, 100);
    relay_entries(&relay, &members[0], &body, &request.record);
    expect_frame(1, 2);
    relay_flush(&relay);
    cr_expect_eq(frame_at(0, &sequence), 1);
    cr_expect_eq(sequence, 3);
}

Test(relay_linger, delayed_copies_go_to_the_former_members)
{
    copy_at(BEGIN, 100);
    expect_frame(1, 1);
    copy_at(BEGIN + 1, 100);
    relay_copies_to(&relay, members, 0);
    expect_frame(1, 2);
    copy_at(BEGIN + 2, 100);
    expect_silence();
    cr_expect_eq(count(COUNTER_COPIES_MADE), 2 * MEMBERS);
}

Test(relay_linger, delayed_copies_without_a_key_are_dropped)
{
    struct key key;

    teardown();
    have_keys();
    setup();
    cr_assert(key_parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", &key));
    relay_seal_with(&relay, &key, SEAL_CHACHA20_POLY1305);
    copy_at(BEGIN, 100);
    copy_at(BEGIN + 1, 100);
    cr_expect_eq(count(COUNTER_COPIES_SENT), MEMBERS);
    relay_seal_with(&relay, NULL, SEAL_CHACHA20_POLY1305);
    relay_copies_to(&relay, members, 0);
    cr_expect_eq(count(COUNTER_COPIES_MADE), 2 * MEMBERS);
    cr_expect_eq(count(COUNTER_COPIES_SENT), MEMBERS);
    cr_expect_eq(count(COUNTER_COPIES_DROPPED + DROP_key), MEMBERS);
}
