/* frame_auth: accepted frames, and the drop reasons of the others. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/relay/frame_auth.h"
#include "headless/wire/frame.h"

#define THEM UINT64_C(0x7777000011112222)
#define US   UINT64_C(0x5555000011112222)
#define SLOT 3
#define IN   DROP_REASON_COUNT

static struct config config;
static struct identity identity;
static struct frame_auth frame_auth;
static struct leader_snapshot snapshot;
static struct replay_window *windows;
static struct nonce_space nonce_space;
static uint8_t buffer[256];
static struct datagram datagram;
static struct frame_header header;

static void open_frame_auth(enum config_keys mode)
{
    static const uint64_t counters[FRAME_AUTH_NONCE_SPACES] = {100, 0};

    frame_auth_fini(&frame_auth);
    config.keys_mode = mode;
    cr_assert_eq(frame_auth_init(&frame_auth, &config, &identity, windows), 0);
    frame_auth_reset_windows(windows, SLOT, counters);
}

static void setup(void)
{
    cr_assert_geq(sodium_init(), 0);
    (void)snprintf(config.keys, sizeof(config.keys), "/nonexistent");
    identity = (struct identity){.instance = US, .cluster = frame_cluster_id("blue")};
    windows = frame_auth_create_windows();
    cr_assert_not_null(windows);
    memset(&snapshot, 0, sizeof(snapshot));
    snapshot.leader.member_count = 2;
    snapshot.leader.members[0] =
        (struct member){.instance = US, .member_index = SLOT + 1, .is_authenticated = true};
    snapshot.leader.members[1] =
        (struct member){.instance = THEM, .member_index = SLOT, .is_authenticated = true};
    snapshot.keys.keyring.count = 1;
    cr_assert(
        key_parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", &snapshot.keys.keyring.keys[0]));
    nonce_space_init(&nonce_space, KEY_FOR_FRAMES, THEM, 1);
    header = (struct frame_header){.type = FRAME_DATA,
                                   .hops = 1,
                                   .nonce_space = 1,
                                   .cluster = identity.cluster,
                                   .instance = THEM,
                                   .term = 7};
    open_frame_auth(CONFIG_KEYS_ENFORCE);
}

static void teardown(void)
{
    frame_auth_fini(&frame_auth);
    free(windows);
}

TestSuite(frame_auth, .init = setup, .fini = teardown, .timeout = 30);

/* Write a plain frame with one record to out. */
static size_t put_frame(uint8_t *out)
{
    struct record record = {.payload = (const uint8_t *)"hello", .length = 5};
    size_t bytes = FRAME_HEADER_BYTES;

    cr_assert_eq(address_parse("10.0.0.1:4711", 0, &record.client), 0);
    cr_assert_eq(address_parse("10.0.0.2:12000", 0, &record.local), 0);
    frame_put_header(out, &header);
    bytes += record_put_header(out + bytes, &record);
    memcpy(out + bytes, record.payload, record.length);
    return bytes + record.length;
}

static void open_frame(void)
{
    datagram = (struct datagram){.payload = buffer, .length = (uint32_t)put_frame(buffer)};
}

static void sealed_frame(const struct key *key, uint64_t receiver)
{
    size_t length;

    header.sequence = nonce_space_next(&nonce_space);
    length = put_frame(buffer + SEAL_BLOCK_BYTES);
    frame_put_sealed(buffer + SEAL_BLOCK_BYTES, true);
    length = seal_wrap(&nonce_space, key, SEAL_CHACHA20_POLY1305, header.sequence, receiver, buffer,
                       length);
    datagram = (struct datagram){.payload = buffer, .length = (uint32_t)length};
}

static void our_frame(void)
{
    sealed_frame(&snapshot.keys.keyring.keys[0], US);
}

static void assert_in(void)
{
    struct frame_header read;
    struct frame_reader reader;
    struct record record;
    size_t records;

    cr_assert_eq(frame_auth_check(&frame_auth, &snapshot, &datagram), IN);
    cr_assert_eq(
        frame_open(datagram.payload, datagram.length, identity.cluster, &read, &records, &reader),
        FRAME_OK);
    cr_assert_eq(records, 1);
    cr_assert(frame_next(&reader, &record));
    cr_assert_eq(record.length, 5);
    cr_assert_eq(memcmp(record.payload, "hello", 5), 0);
}

static void assert_dropped(enum drop_reason reason)
{
    cr_assert_eq(frame_auth_check(&frame_auth, &snapshot, &datagram), reason);
}

Test(frame_auth, sealed_frame_is_accepted)
{
    for (int i = 0; i < 5000; i++) {
        our_frame();
        assert_in();
    }
}

Test(frame_auth, replayed_frame_is_dropped)
{
    uint8_t kept[sizeof(buffer)];
    struct datagram kept_datagram;

    our_frame();
    memcpy(kept, buffer, sizeof(kept));
    kept_datagram = datagram;
    assert_in();
    memcpy(buffer, kept, sizeof(kept));
    datagram = kept_datagram;
    assert_dropped(DROP_replay);
}

Test(frame_auth, frame_of_before_the_handshake_is_dropped)
{
    header.nonce_space = 0; /* by then nonce space 0 had used 100 counters */
    nonce_space_init(&nonce_space, KEY_FOR_FRAMES, THEM, 0);
    for (int i = 0; i < 100; i++) {
        our_frame();
        assert_dropped(DROP_replay);
    }
    our_frame();
    assert_in();
}

Test(frame_auth, plain_frame_is_dropped)
{
    open_frame();
    assert_dropped(DROP_auth);
}

Test(frame_auth, plain_frame_is_accepted_during_the_roll_out)
{
    open_frame_auth(CONFIG_KEYS_PERMISSIVE);
    open_frame();
    assert_in();
    our_frame();
    assert_in();
    open_frame_auth(CONFIG_KEYS_NONE);
    open_frame();
    assert_in();
    our_frame();
    assert_in();
}

Test(frame_auth, sealed_frame_is_dropped_without_keys)
{
    config.keys[0] = '\0';
    open_frame_auth(CONFIG_KEYS_ENFORCE);
    our_frame();
    assert_dropped(DROP_key);
    open_frame();
    assert_in();
}

Test(frame_auth, frame_with_another_key_is_dropped)
{
    char text[KEY_TEXT_BYTES];
    struct key other;

    key_draw(text);
    cr_assert(key_parse(text, &other));
    sealed_frame(&other, US);
    assert_dropped(DROP_key);
    other.id = snapshot.keys.keyring.keys[0].id; /* it claims the id of a known key */
    memset(&nonce_space.subkey, 0, sizeof(nonce_space.subkey));
    sealed_frame(&other, US);
    assert_dropped(DROP_auth);
}

Test(frame_auth, altered_frame_is_dropped)
{
    our_frame();
    for (size_t i = 0; i < datagram.length; i++) {
        uint8_t kept[sizeof(buffer)];
        enum drop_reason reason;

        memcpy(kept, buffer, sizeof(kept));
        buffer[i] ^= 1;
        datagram.payload = buffer;
        reason = frame_auth_check(&frame_auth, &snapshot, &datagram);
        /* Without its magic, version or cluster it is no frame: frame_open refuses it. */
        cr_assert(i < 3 || (i >= 8 && i < 16) ? reason == IN : reason != IN, "byte %zu: %d", i,
                  (int)reason);
        memcpy(buffer, kept, sizeof(kept));
    }
    datagram.payload = buffer;
    assert_in(); /* the altered ones did not use up its counter */
}

Test(frame_auth, frame_of_a_member_before_its_handshake_is_dropped)
{
    snapshot.leader.members[1].is_authenticated = false;
    our_frame();
    assert_dropped(DROP_introduction);
    snapshot.leader.members[1].is_authenticated = true;
    assert_in();
}

Test(frame_auth, frame_of_an_unlisted_instance_is_dropped)
{
    snapshot.leader.member_count = 1;
    our_frame();
    assert_dropped(DROP_introduction);
}

Test(frame_auth, frame_for_another_instance_is_dropped)
{
    sealed_frame(&snapshot.keys.keyring.keys[0], US + 1);
    assert_dropped(DROP_misdirected);
    sealed_frame(&snapshot.keys.keyring.keys[0], 0);
    assert_dropped(DROP_misdirected);
}

/* Replies would be sent to the address from which a frame is replayed. */
Test(frame_auth, frame_from_another_address_is_dropped)
{
    uint8_t kept[sizeof(buffer)];

    our_frame();
    memcpy(kept, buffer, sizeof(kept));
    cr_assert_eq(address_parse("10.0.0.66:12001", 0, &datagram.peer), 0);
    assert_dropped(DROP_misdirected);
    cr_assert_eq(memcmp(buffer, kept, sizeof(kept)), 0, "it is not even opened: that costs more");
    datagram.peer = (struct address){0}; /* the address of the member in this test */
    assert_in();
}

Test(frame_auth, copies_runs_and_replies_may_be_for_all)
{
    static const uint8_t for_all[] = {FRAME_COPY, FRAME_REPLY};

    for (size_t i = 0; i < sizeof(for_all); i++) {
        header.type = for_all[i];
        sealed_frame(&snapshot.keys.keyring.keys[0], 0);
        assert_in();
    }
    header.type = FRAME_ENTRIES; /* the record is in place of the range, which frame_open checks */
    sealed_frame(&snapshot.keys.keyring.keys[0], 0);
    cr_assert_eq(frame_auth_check(&frame_auth, &snapshot, &datagram), IN);
    header.type = FRAME_ACK;
    sealed_frame(&snapshot.keys.keyring.keys[0], 0);
    assert_dropped(DROP_misdirected);
}

Test(frame_auth, frame_of_an_invalid_nonce_space_is_dropped)
{
    header.nonce_space = FRAME_AUTH_NONCE_SPACES;
    nonce_space_init(&nonce_space, KEY_FOR_FRAMES, THEM, FRAME_AUTH_NONCE_SPACES);
    our_frame();
    assert_dropped(DROP_malformed);
}

Test(frame_auth, nonce_spaces_are_independent)
{
    our_frame();
    assert_in();
    header.nonce_space = 2; /* the same counter in another nonce space */
    nonce_space_init(&nonce_space, KEY_FOR_FRAMES, THEM, 2);
    our_frame();
    assert_in();
}
