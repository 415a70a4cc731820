/*
 * frame_auth with sealed frames. The input acts as all senders to the relay port: members, a former
 * member, a sender with an unknown key, and one without a key that alters, cuts and replays frames.
 *
 * Each verdict is known beforehand and must be exactly that. An accepted frame has the bytes that
 * were sealed, and is accepted once. Frames that the input makes up are never accepted.
 */
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "headless/data/frame_auth.h"
#include "headless/wire/frame.h"

#define SELF         UINT64_C(0x5555000011112222)
#define OTHER        UINT64_C(0x6666000011112222) /* a member, to whom frames may be addressed */
#define CLUSTER      UINT64_C(0x0102030405060708)
#define SENDERS      4
#define NONCE_SPACES 3
#define SENT_MAX     24
#define BYTES_MAX    256
#define STEPS_MAX    200
#define BODY_BYTES   64
#define PASSES       DROP_REASON_COUNT

/* The first two have completed the handshake, the third has not, the fourth is no member. */
static const uint64_t senders[SENDERS] = {0x7777000011112222, 0x8888000011112222, OTHER, 0x9999};
static const uint16_t nonce_spaces[NONCE_SPACES] = {
    0, 5, FRAME_AUTH_NONCE_SPACES}; /* the last is invalid */

struct sent {
    uint8_t bytes[BYTES_MAX], plain[BYTES_MAX];
    size_t length, plain_length;
    enum drop_reason verdict; /* expected the first time */
    bool is_in;
};

static struct identity identity;
static struct leader_snapshot snapshot;
static struct frame_auth frame_auth;
static struct replay_window *windows;
static struct key keys[3]; /* the third is of another cluster */
static struct nonce_space nonce_space_of[SENDERS][NONCE_SPACES];
static struct sent sent[SENT_MAX];
static size_t sent_count;

struct input {
    const uint8_t *next, *end;
};

static uint8_t take(struct input *in)
{
    return in->next < in->end ? *in->next++ : 0;
}

static void make_keys(void)
{
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char text[2 * KEY_BYTES + 1];

        for (size_t k = 0; k < KEY_BYTES; k++)
            (void)snprintf(text + 2 * k, 3, "%02x", (unsigned)(k + 16 * i));
        FUZZ_CHECK(key_parse(text, &keys[i]));
    }
}

static void open_frame_auth(void)
{
    static struct config config = {.keys = "/nonexistent", .keys_mode = CONFIG_KEYS_ENFORCE};

    if (frame_auth.cache) {
        seal_cache_init(frame_auth.cache, KEY_FOR_FRAMES);
        return;
    }
    FUZZ_CHECK(sodium_init() >= 0);
    make_keys();
    identity = (struct identity){.instance = SELF, .cluster = CLUSTER};
    windows = frame_auth_create_windows();
    FUZZ_CHECK(windows && frame_auth_init(&frame_auth, &config, &identity, windows) == 0);
    snapshot.member_count = SENDERS;
    snapshot.members[0] = (struct member){.instance = SELF, .is_authenticated = true};
    for (uint16_t i = 0; i < SENDERS - 1; i++)
        snapshot.members[i + 1] = (struct member){
            .instance = senders[i], .member_index = (uint16_t)(i + 1), .is_authenticated = i < 2};
    snapshot.keyring = (struct keyring){.count = 2, .keys = {keys[0], keys[1]}};
}

static void begin(void)
{
    static const uint64_t counters[FRAME_AUTH_NONCE_SPACES] = {0};

    open_frame_auth();
    for (uint16_t slot = 0; slot < SENDERS; slot++)
        frame_auth_reset_windows(windows, slot, counters);
    for (size_t i = 0; i < SENDERS; i++) {
        for (size_t k = 0; k < NONCE_SPACES; k++)
            nonce_space_init(&nonce_space_of[i][k], KEY_FOR_FRAMES, senders[i], nonce_spaces[k]);
    }
    sent_count = 0;
}

/* ---- sealing ---- */

static size_t put_plain(struct input *in, uint8_t *out, const struct frame_header *header)
{
    static const uint8_t zeros[BODY_BYTES];
    struct record record = {.payload = zeros, .length = take(in) % BODY_BYTES};
    size_t length = FRAME_HEADER_BYTES;

    record.client = (struct address){.family = ADDRESS_V4, .ip = {10, 0, 0, 1}, .port = 4711};
    record.local = (struct address){.family = ADDRESS_V4, .ip = {10, 0, 0, 2}, .port = 12000};
    frame_put_header(out, header);
    length += record_put_header(out + length, &record);
    memcpy(out + length, zeros, record.length);
    return length + record.length;
}

static enum drop_reason verdict_on(size_t sender, size_t nonce_space, const struct key *key,
                                   uint64_t receiver, uint8_t type)
{
    bool is_for_all = type == FRAME_REPLY || type == FRAME_COPY;

    if (nonce_spaces[nonce_space] >= FRAME_AUTH_NONCE_SPACES)
        return DROP_malformed;
    if (key == &keys[2])
        return DROP_key;
    if (sender >= 2)
        return DROP_introduction;
    if (receiver == OTHER || (receiver == 0 && !is_for_all))
        return DROP_misdirected;
    return PASSES;
}

static void seal(struct input *in)
{
    static const uint64_t receivers[] = {SELF, SELF, SELF, 0, OTHER};
    struct sent *one = &sent[sent_count % SENT_MAX];
    size_t sender = take(in) % SENDERS, nonce_space = take(in) % NONCE_SPACES;
    const struct key *key = &keys[take(in) % 3];
    uint64_t receiver = receivers[take(in) % 5];
    uint8_t code = take(in);
    enum seal_suite suite =
        code & 1 && seal_suites() >> SEAL_AES256_GCM & 1 ? SEAL_AES256_GCM : SEAL_CHACHA20_POLY1305;
    struct frame_header header = {.type = (uint8_t)(FRAME_DATA + code / 2 % 3),
                                  .hops = 1,
                                  .nonce_space = nonce_spaces[nonce_space],
                                  .cluster = CLUSTER,
                                  .instance = senders[sender],
                                  .term = take(in)};

    if (code & 0x80) /* counters of frames to others */
        (void)nonce_space_next(&nonce_space_of[sender][nonce_space]);
    header.sequence = nonce_space_next(&nonce_space_of[sender][nonce_space]);
    one->plain_length = put_plain(in, one->plain, &header);
    memcpy(one->bytes + SEAL_BLOCK_BYTES, one->plain, one->plain_length);
    frame_put_sealed(one->bytes + SEAL_BLOCK_BYTES, true);
    one->length = seal_wrap(&nonce_space_of[sender][nonce_space], key, suite, header.sequence,
                            receiver, one->bytes, one->plain_length);
    FUZZ_CHECK(one->length == one->plain_length + SEAL_BYTES);
    one->verdict = verdict_on(sender, nonce_space, key, receiver, header.type);
    one->is_in = false;
    sent_count++;
}

static struct sent *pick(struct input *in)
{
    size_t kept = sent_count < SENT_MAX ? sent_count : SENT_MAX;

    return kept ? &sent[take(in) % kept] : NULL;
}

/* ---- checking ---- */

/* Exact size, so that AddressSanitizer sees reads beyond it. */
static enum drop_reason offer(const uint8_t *bytes, size_t length, struct datagram *datagram,
                              uint8_t **ret_memory)
{
    *ret_memory = malloc(length + !length);
    FUZZ_CHECK(*ret_memory);
    memcpy(*ret_memory, bytes, length);
    *datagram = (struct datagram){.payload = *ret_memory, .length = (uint32_t)length};
    return frame_auth_check(&frame_auth, &snapshot, datagram);
}

static void deliver(struct sent *one)
{
    enum drop_reason expected = one->is_in ? DROP_replay : one->verdict;
    struct datagram datagram;
    uint8_t *memory;

    FUZZ_CHECK(offer(one->bytes, one->length, &datagram, &memory) == expected);
    if (expected == PASSES) {
        FUZZ_CHECK(datagram.length == one->plain_length);
        FUZZ_CHECK(memcmp(datagram.payload, one->plain, one->plain_length) == 0);
        one->is_in = true;
    }
    free(memory);
}

/* A datagram that passes without being opened is no frame of this cluster: frame_open refuses
 * it. */
static void deliver_false(const uint8_t *bytes, size_t length)
{
    struct datagram datagram;
    struct frame_header header;
    struct frame_reader reader;
    uint8_t *memory;
    size_t records;

    if (offer(bytes, length, &datagram, &memory) == PASSES) {
        FUZZ_CHECK(datagram.payload == memory && datagram.length == length);
        FUZZ_CHECK(frame_open(memory, length, CLUSTER, &header, &records, &reader) != FRAME_OK);
    }
    free(memory);
}

static void alter(struct input *in, const struct sent *one)
{
    uint8_t bytes[BYTES_MAX], difference;
    size_t at = take(in) % one->length;

    difference = take(in);
    memcpy(bytes, one->bytes, one->length);
    bytes[at] ^= difference ? difference : 1;
    deliver_false(bytes, one->length);
}

static void cut(struct input *in, const struct sent *one)
{
    deliver_false(one->bytes, take(in) % one->length);
}

/* Header and block of one frame, body and tag of another. */
static void splice(struct input *in, const struct sent *one)
{
    const struct sent *other = pick(in);
    uint8_t bytes[BYTES_MAX];
    size_t at = take(in) % (SEAL_HEADER_BYTES + SEAL_BLOCK_BYTES + 1);

    if (memcmp(one->bytes, other->bytes, SEAL_HEADER_BYTES) == 0 || at == 0)
        return;
    memcpy(bytes, other->bytes, other->length);
    memcpy(bytes, one->bytes, at);
    if (memcmp(bytes, other->bytes, other->length) != 0 &&
        (one->length != other->length || memcmp(bytes, one->bytes, one->length) != 0))
        deliver_false(bytes, other->length);
}

static void take_step(struct input *in, uint8_t op)
{
    struct sent *one;

    if (op % 8 < 2) {
        seal(in);
        return;
    }
    one = pick(in);
    if (!one)
        return;
    if (op % 8 < 5)
        deliver(one);
    else if (op % 8 == 5)
        alter(in, one);
    else if (op % 8 == 6)
        cut(in, one);
    else
        splice(in, one);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};

    begin();
    deliver_false(data, size);
    for (unsigned i = 0; i < STEPS_MAX && in.next < in.end; i++)
        take_step(&in, take(&in));
    return 0;
}
