/*
 * Records over frames: a relay packs requests of any sizes, the test carries its frames to the leader
 * as the network might, and the leader's app is a socket of the test.
 */
#include "plane_fixture.h"

#include "data/relay/relay.h"

#define FRAMES_MAX   512
#define REQUESTS_MAX 400

static struct config sender_config;
static struct counters sender_counters;
static struct traffic sender_traffic;
static struct relay sender;
static struct relay_target target;
static struct key key;
static struct udp_socket tap, network, app;
static uint8_t frames[FRAMES_MAX][UDP_PAYLOAD_MAX];
static size_t lengths[FRAMES_MAX], frame_count;
static uint8_t payloads[REQUESTS_MAX][RECORD_PAYLOAD_MAX];
static uint32_t sequence_of_random = 1;

static uint32_t chance(uint32_t below)
{
    sequence_of_random = sequence_of_random * 1664525 + 1013904223;
    return (sequence_of_random >> 8) % below;
}

static void open_sender(uint32_t mtu, uint32_t batch)
{
    sender_config = configs[B];
    sender_config.relay_mtu = mtu;
    sender_config.batch = batch;
    sender_config.gso = 1; /* the tap gets each frame by itself */
    cr_assert_eq(relay_init(&sender, &sender_config, &data_planes[B]->identity, 0, &sender_counters,
                            &sender_traffic),
                 0);
    cr_assert(key_parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", &key));
    relay_seal_with(&sender, &key, SEAL_CHACHA20_POLY1305);
    sender.carries_tos = true;
    sender.splits_records = true;
    relay_begin(&sender, 1);
    target = (struct relay_target){
        .to = tap.local, .instance = instance_of(A), .term = 1, .member_index = 10};
}

static void open_all(void)
{
    const struct udp_options options = {.rcvbuf_bytes = 4 << 20};
    struct address here = ip("127.0.0.1"), of_b = ip("127.0.77.2");

    setup();
    cr_assert_eq(udp_open(&here, &options, &tap), 0);
    cr_assert_eq(udp_open(&of_b, &options, &network), 0);
    cr_assert_eq(udp_open(&here, &options, &app), 0);
    configs[A].app_target = (struct config_app_target){CONFIG_APP_UDP, app.local};
    configs[A].rcvbuf_bytes = 4 << 20;
    use_route(CONFIG_ROUTE_LEADER);
    publish_both(A, 1);
    open_sender(1400, 64);
}

static void close_all(void)
{
    relay_fini(&sender);
    udp_close(&tap);
    udp_close(&network);
    udp_close(&app);
    teardown();
}

TestSuite(plane_parts, .init = open_all, .fini = close_all, .timeout = 60);

/* ---- requests and their frames ---- */

static void fill(uint32_t number, size_t size)
{
    for (size_t i = 0; i < size; i++)
        payloads[number][i] = (uint8_t)(i < 4 ? number >> (8 * i) : number * 31 + i * 7 + i / 256);
}

static void pack(uint32_t number, size_t size)
{
    struct request request = {.record = {.client = address_with_port(ip("127.0.0.1"), 4711),
                                         .local = address_with_port(ip("127.0.77.2"), 12000),
                                         .payload = payloads[number],
                                         .length = (uint16_t)size}};

    fill(number, size);
    relay_request(&sender, &target, &request);
}

static void take_frames(void)
{
    ssize_t n;

    while (frame_count < FRAMES_MAX &&
           (n = recv(tap.fd, frames[frame_count], UDP_PAYLOAD_MAX, MSG_DONTWAIT)) > 0)
        lengths[frame_count++] = (size_t)n;
}

static void flush(void)
{
    relay_flush(&sender);
    take_frames();
}

/* Carry these frames to A, as one GSO batch as far as they fit. */
static void carry(size_t first, size_t count, size_t gso_max)
{
    struct address to = address_with_port(configs[A].self, configs[A].relay_port);
    struct outbox outbox;

    cr_assert_eq(outbox_init(&outbox, &network, FRAMES_MAX, gso_max), 0);
    outbox.segment_max = 9000;
    for (size_t i = first; i < first + count; i++) {
        outbox_add(&outbox, &(struct outbox_message){.to = &to,
                                                     .parts = {outbox_part(frames[i], lengths[i])},
                                                     .part_count = 1});
        if (outbox.count == 64) {
            outbox_flush(&outbox);
            run(A);
        }
    }
    outbox_flush(&outbox);
    run(A);
    outbox_fini(&outbox);
}

/* ---- what the app gets ---- */

static uint8_t got[RECORD_PAYLOAD_MAX + 1];

static ssize_t hear(void)
{
    return recv(app.fd, got, sizeof(got), MSG_DONTWAIT);
}

static void expect_next(uint32_t number, size_t size)
{
    cr_assert_eq(hear(), (ssize_t)size, "request %u", number);
    cr_assert_eq(memcmp(got, payloads[number], size), 0, "request %u of %zu bytes", number, size);
}

static void expect_nothing(void)
{
    cr_assert_eq(hear(), -1);
}

static void expect_dropped(size_t counter, uint64_t n)
{
    cr_assert_eq(count(A, counter), n);
    cr_assert_eq(count(A, COUNTER_RECEIVED_RELAY), count(A, COUNTER_DELIVERED) + n);
}

/* ---- frames ---- */

/* 20 of 1,400 bytes are 28,480 bytes of records: 22 frames, of which all but the last are full. */
Test(plane_parts, frames_of_a_batch_are_full)
{
    const size_t full = 1372;

    for (uint32_t i = 0; i < 20; i++)
        pack(i, 1400);
    flush();
    cr_assert_eq(frame_count, sender.is_sealing ? 23 : 22);
    for (size_t i = 0; i + 1 < frame_count; i++)
        cr_assert_eq(lengths[i], full);
    cr_assert_lt(lengths[frame_count - 1], full);
    carry(0, frame_count, 64);
    for (uint32_t i = 0; i < 20; i++)
        expect_next(i, 1400);
    expect_nothing();
    cr_assert_eq(atomic_load(&sender_counters.value[COUNTER_RELAYED]), 20);
}

/* Numbers are without gaps over one link, and begin anew with another instance; sequences count the
 * frames to all. */
Test(plane_parts, frames_of_a_link_are_numbered)
{
    struct frame_header header;
    struct frame_reader reader;
    size_t records;

    if (sender.is_sealing)
        return; /* the number is sealed */
    for (uint32_t round = 0; round < 4; round++) {
        target.instance = round < 3 ? instance_of(A) : 77;
        pack(0, 2000);
        flush();
    }
    cr_assert_eq(frame_count, 8);
    for (size_t i = 0; i < frame_count; i++) {
        cr_assert_eq(frame_open(frames[i], lengths[i], data_planes[B]->identity.cluster, &header,
                                &records, &reader),
                     FRAME_OK);
        cr_assert_eq(header.sequence, i + 1);
        cr_assert_eq(header.link.number, i < 6 ? i + 1 : i - 5);
    }
}

Test(plane_parts, largest_datagram_is_delivered)
{
    for (uint32_t i = 0; i < 3; i++) {
        frame_count = 0;
        pack(i, RECORD_PAYLOAD_MAX - i);
        flush();
        cr_assert_gt(frame_count, 40);
        carry(0, frame_count, i == 0 ? 1 : 64);
        expect_next(i, RECORD_PAYLOAD_MAX - i);
    }
    expect_dropped(DROPPED(incomplete), 0);
}

/* IPv6 clients can send up to 65,527 bytes. */
Test(plane_parts, larger_datagram_is_dropped_by_the_sender)
{
    struct request request = {.record = {.client = address_with_port(ip("127.0.0.1"), 4711),
                                         .local = address_with_port(ip("127.0.77.2"), 12000),
                                         .payload = got,
                                         .length = RECORD_PAYLOAD_MAX}};

    request.record.length++;
    relay_request(&sender, &target, &request);
    flush();
    cr_assert_eq(frame_count, 0);
    cr_assert_eq(atomic_load(&sender_counters.value[DROPPED(oversize)]), 1);
}

/* ---- any sequence of sizes ---- */

static size_t random_size(void)
{
    switch (chance(8)) {
    case 0:
        return chance(4);
    case 1:
        return 1200 + chance(300);
    case 2:
        return chance(4000);
    case 3:
        return chance(16) ? chance(200) : chance(RECORD_PAYLOAD_MAX + 1);
    default:
        return chance(1500);
    }
}

static void exchange(void)
{
    static size_t sizes[REQUESTS_MAX];
    uint32_t requests = 1 + chance(60);
    size_t gso_max = 1 + chance(64), bytes = 0;

    frame_count = 0;
    for (uint32_t i = 0; i < requests && bytes < 100000; i++) {
        sizes[i] = random_size();
        bytes += sizes[i] + 100;
        pack(i, sizes[i]);
        requests = bytes < 100000 ? requests : i + 1;
        if (chance(20) == 0)
            flush();
    }
    flush();
    cr_assert_lt(frame_count, FRAMES_MAX);
    for (size_t next = 0, some; next < frame_count; next += some) {
        some = 1 + chance(40);
        some = some < frame_count - next ? some : frame_count - next;
        carry(next, some, gso_max);
    }
    for (uint32_t i = 0; i < requests; i++)
        expect_next(i, sizes[i]);
    expect_nothing();
}

Test(plane_parts, any_sizes_arrive_in_order_and_unchanged)
{
    for (uint32_t round = 0; round < 60; round++) {
        relay_fini(&sender);
        sequence_of_random = round * 7919 + 1;
        open_sender(576 + chance(round % 3 ? 1500 : 8000), 1 + chance(64));
        /* A nonce space of its own: the sequence begins again. */
        sender.nonce_space.nonce_space = (uint16_t)(round % FRAME_AUTH_NONCE_SPACES);
        if (sender.is_sealing && round >= FRAME_AUTH_NONCE_SPACES)
            return;
        exchange();
    }
    expect_dropped(DROPPED(incomplete), 0);
    expect_dropped(DROPPED(malformed), 0);
}

/* Each frame may be lost, come twice or change places with the next; none is changed. */
static void carry_badly(void)
{
    for (size_t i = 0; i < frame_count; i++) {
        uint32_t fate = chance(10);

        if (fate == 0)
            continue;
        if (fate == 1 && i + 1 < frame_count)
            carry(i + 1, 1, 1);
        carry(i, fate == 2 && i + 1 < frame_count ? 2 : 1, 64);
        if (fate == 3)
            carry(i, 1, 1);
    }
}

Test(plane_parts, lost_repeated_and_exchanged_frames_change_no_datagram)
{
    size_t delivered = 0;
    ssize_t size;

    for (uint32_t round = 0; round < 20; round++) {
        sequence_of_random = round;
        frame_count = 0;
        for (uint32_t i = 0; i < 40; i++)
            pack(i, 4 + chance(round % 2 ? 3000 : 400));
        flush();
        carry_badly();
        while ((size = hear()) >= 0) {
            uint32_t number = got[0] | (uint32_t)got[1] << 8;

            cr_assert_lt(number, 40);
            cr_assert_eq(memcmp(got, payloads[number], (size_t)size), 0);
            delivered++;
        }
    }
    cr_assert_gt(delivered, 200);
    cr_assert_eq(count(A, COUNTER_DELIVERED), delivered);
    cr_assert_gt(count(A, DROPPED(incomplete)), 20);
    cr_assert_eq(count(A, COUNTER_RECEIVED_RELAY),
                 delivered + count(A, DROPPED(incomplete)) + count(A, DROPPED(replay)));
}

/* ---- one fault at a time ---- */

/* Three of 1,000 bytes: the second begins in frame 0 and ends in frame 1, the third in 1 and 2. */
static void pack_three(void)
{
    for (uint32_t i = 0; i < 3; i++)
        pack(i, 1000);
    flush();
    cr_assert_eq(frame_count, 3);
}

Test(plane_parts, lost_frame_ends_the_record_that_it_continues)
{
    pack_three();
    carry(0, 1, 1);
    carry(2, 1, 1);
    expect_next(0, 1000);
    expect_nothing();
    expect_dropped(DROPPED(incomplete), 1);
}

Test(plane_parts, continuation_without_a_beginning_is_skipped)
{
    pack_three();
    carry(1, 2, 1);
    expect_next(2, 1000);
    expect_nothing();
    expect_dropped(DROPPED(incomplete), 0);
}

Test(plane_parts, reordered_frame_ends_it)
{
    pack_three();
    carry(1, 1, 1);
    carry(0, 1, 1);
    carry(2, 1, 1);
    expect_next(0, 1000);
    expect_nothing();
    expect_dropped(DROPPED(incomplete), 2);
}

/* With keys the second is a replay, and changes nothing. */
Test(plane_parts, repeated_frame_delivers_no_part_twice)
{
    pack_three();
    carry(0, 1, 1);
    carry(0, 1, 1);
    carry(1, 1, 1);
    carry(1, 1, 1);
    carry(2, 1, 1);
    expect_next(0, 1000);
    if (!sender.is_sealing)
        expect_next(0, 1000); /* as without parts: nothing tells it from a new one */
    expect_next(1, 1000);
    expect_next(2, 1000);
    expect_nothing();
    cr_assert_eq(count(A, DROPPED(incomplete)), sender.is_sealing ? 0 : 2);
    cr_assert_eq(count(A, DROPPED(replay)), sender.is_sealing ? 2 : 0);
}

/* The last frames of its sender: nothing continues the record. */
Test(plane_parts, unfinished_record_ends_after_a_second)
{
    struct worker *worker = &data_planes[A]->workers[0];

    pack_three();
    carry(0, 2, 64);
    expect_next(0, 1000);
    expect_next(1, 1000);
    expect_dropped(DROPPED(incomplete), 0);
    worker->routing.reassembly.now_ns = clock_now_ns() + REASSEMBLY_AGE_NS - NS_PER_SEC / 2;
    reassembly_expire(&worker->routing.reassembly);
    expect_dropped(DROPPED(incomplete), 0);
    worker->routing.reassembly.now_ns = clock_now_ns() + REASSEMBLY_AGE_NS;
    reassembly_expire(&worker->routing.reassembly);
    expect_dropped(DROPPED(incomplete), 1);
    carry(2, 1, 1);
    expect_nothing();
    expect_dropped(DROPPED(incomplete), 1);
}

/* Its successor at the same member index and nonce space has another instance. */
Test(plane_parts, restart_of_the_sender_ends_it)
{
    pack_three();
    carry(0, 1, 1);
    relay_fini(&sender);
    data_plane_close(data_planes[B]);
    cr_assert_eq(data_plane_open(&configs[B], &supervisor_wakers[B], &data_planes[B]), 0);
    if (data_planes[A]->windows)
        frame_auth_reset_windows(data_planes[A]->windows, 10 + B,
                                 (const uint64_t[FRAME_AUTH_NONCE_SPACES]){0});
    publish_both(A, 1);
    frame_count = 0;
    open_sender(1400, 64);
    pack(7, 1000);
    pack(8, 1000); /* one frame, and the beginning of the next in it */
    flush();
    carry(0, frame_count, 1);
    expect_next(0, 1000);
    expect_next(7, 1000);
    expect_next(8, 1000);
    expect_nothing();
    expect_dropped(DROPPED(incomplete), 1);
}

/* The leader gets a second key between two frames of a record, and the sender seals with that next. */
Test(plane_parts, key_rotation_loses_no_part)
{
    struct leader_snapshot *snapshot;
    struct key second;

    if (!sender.is_sealing)
        return;
    cr_assert(key_parse("HwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", &second));
    pack_three();
    carry(0, 1, 1);
    publish(A, A, 1, 0);
    snapshot = snapshot_draft(&data_planes[A]->publisher);
    cr_assert_not_null(snapshot);
    snapshot->keys.keyring.keys[snapshot->keys.keyring.count++] = second;
    snapshot_publish(&data_planes[A]->publisher, snapshot);
    carry(1, 2, 64);
    frame_count = 0;
    relay_seal_with(&sender, &second, SEAL_CHACHA20_POLY1305);
    pack(3, 5000);
    flush();
    carry(0, frame_count, 64);
    for (uint32_t i = 0; i < 3; i++)
        expect_next(i, 1000);
    expect_next(3, 5000);
    expect_dropped(DROPPED(incomplete), 0);
}

/* A sender whose instance is no member's has no place for an unfinished record. */
Test(plane_parts, record_of_an_unknown_instance_is_not_kept)
{
    if (sender.is_sealing)
        return; /* such frames are refused before */
    pack_three();
    for (size_t i = 0; i < frame_count; i++)
        frames[i][23] ^= 1;
    carry(0, frame_count, 64);
    expect_next(0, 1000);
    expect_nothing();
    expect_dropped(DROPPED(incomplete), 2);
}

/* Parts of two nonce spaces in one GRO batch are not mixed up. */
Test(plane_parts, other_nonce_space_between_does_not_matter)
{
    static uint8_t first[3][1400];

    if (sender.is_sealing)
        return; /* its sequences were used */
    pack_three();
    for (size_t i = 0; i < 3; i++)
        memcpy(first[i], frames[i], lengths[i]);
    for (size_t i = 5; i > 0; i--) { /* 0 0' 1 1' 2 2' */
        memcpy(frames[i], first[i / 2], 1400);
        lengths[i] = lengths[i / 2];
        if (i % 2)
            frames[i][7] = 3;
    }
    carry(0, 6, 64);
    for (uint32_t i = 0; i < 6; i++)
        expect_next(i / 2, 1000);
    expect_nothing();
    expect_dropped(DROPPED(incomplete), 0);
}

/* Forged: 300 senders' unfinished records at once, of which one ring of buffers has room for 256. */
Test(plane_parts, memory_for_unfinished_records_is_fixed)
{
    struct reassembly *reassembly = &data_planes[A]->workers[0].routing.reassembly;
    const struct frame_header header = {.type = FRAME_DATA, .hops = 1, .has_link = true};
    struct frame_header begun = header;
    struct relay_part part = {.header = &begun, .data = frames[0], .length = 400};
    struct relay_whole whole;

    frames[0][302] = 1; /* a record of at least 256 bytes, whose first 98 are here */
    frames[0][300 + 2] = 1;
    frames[0][300] = 1;
    for (uint16_t i = 0; i < 300; i++) {
        part.member_index = i % 100;
        begun.nonce_space = i / 100;
        begun.instance = i;
        begun.sequence = 1;
        begun.link = (struct frame_link){.begun = 100};
        cr_assert_not(reassembly_continue(reassembly, &part, &whole));
        reassembly_begin(reassembly, &part);
        reassembly_keep(reassembly);
    }
    cr_assert_eq(reassembly->open_count, REASSEMBLY_UNFINISHED_MAX);
    expect_dropped(DROPPED(incomplete), 300 - REASSEMBLY_UNFINISHED_MAX);
    reassembly->now_ns = UINT64_MAX;
    reassembly_expire(reassembly);
    cr_assert_eq(reassembly->open_count, 0);
    expect_dropped(DROPPED(incomplete), 300);
}

/* Without the addition: a large frame, without link block, that IP fragments. */
Test(plane_parts, member_of_the_version_before_gets_large_frames)
{
    sender.splits_records = false;
    pack(0, 100);
    pack(1, 3000);
    pack(2, RECORD_PAYLOAD_MAX - 100);
    pack(3, RECORD_PAYLOAD_MAX);
    flush();
    cr_assert_eq(frame_count, 3);
    cr_assert_eq(frames[1][4] & 2, 0);
    cr_assert_gt(lengths[1], 3000);
    carry(0, 3, 1);
    expect_next(0, 100);
    expect_next(1, 3000);
    expect_next(2, RECORD_PAYLOAD_MAX - 100);
    cr_assert_eq(atomic_load(&sender_counters.value[DROPPED(oversize)]), 1);
}
