/*
 * Three pods with keys authenticate each other over a network that the input controls: messages are
 * delivered late, twice, to another pod, altered, or never; pods restart or change keys meanwhile.
 *
 * Checked: a pod is authenticated only by answering an outstanding nonce; a message that none of the
 * three has sealed authenticates nobody and changes nothing; a message is opened once, and only by
 * its recipient; a reply is never longer than its request.
 */
#include <stdio.h>
#include <string.h>

#include "control/handshake.h"
#include "fuzz.h"
#include "headless/base/clock.h"

#define CLUSTER   UINT64_C(0x0102030405060708)
#define PODS      3
#define SENT_MAX  32
#define STEPS_MAX 200
#define BYTES_MAX (PEER_BYTES_MAX + SEAL_BYTES)

/* A message under way. */
struct sent {
    uint8_t bytes[BYTES_MAX];
    size_t length;
    struct address source;
    uint64_t from, to; /* instances; to 0: any at the address */
    uint64_t echo;     /* of a handshake message */
    bool is_handshake;
    bool is_opened; /* by its recipient */
};

static struct handshake pods[PODS];
static struct key keys[4];
static struct seal_cache cache; /* of an observer that has all keys */
static struct nonce_space data_pair;
static const struct nonce_space *const data_pairs[] = {&data_pair};
static struct sent sent[SENT_MAX];
static size_t sent_count;
static uint64_t now_ns, instances, random_state;

/* ---- deterministic keys and random bytes ---- */

static const char *random_name(void)
{
    return "counting";
}

static uint32_t random_next(void)
{
    random_state = random_state * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(random_state >> 32);
}

static void random_fill(void *out, size_t size)
{
    uint8_t *bytes = out;

    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)random_next();
}

static void prepare(void)
{
    static struct randombytes_implementation counting = {
        .implementation_name = random_name, .random = random_next, .buf = random_fill};

    if (keys[0].id)
        return;
    FUZZ_CHECK(randombytes_set_implementation(&counting) == 0 && sodium_init() >= 0);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char text[2 * KEY_BYTES + 1];

        for (size_t k = 0; k < KEY_BYTES; k++)
            (void)snprintf(text + 2 * k, 3, "%02x", (unsigned)(k + 16 * i));
        FUZZ_CHECK(key_parse(text, &keys[i]));
    }
}

/* ---- the input ---- */

struct input {
    const uint8_t *next, *end;
};

static uint8_t take(struct input *in)
{
    return in->next < in->end ? *in->next++ : 0;
}

static struct address address_of(size_t pod)
{
    return (struct address){.family = ADDRESS_V4, .ip = {10, 0, 0, (uint8_t)(pod + 1)}};
}

/* The keys of these bits, the newest first; at least one. */
static void set_keys(size_t pod, uint8_t bits)
{
    struct keyring ring = {0};

    for (size_t i = sizeof(keys) / sizeof(keys[0]); i-- > 0;) {
        if (bits >> i & 1)
            ring.keys[ring.count++] = keys[i];
    }
    if (ring.count == 0)
        ring.keys[ring.count++] = keys[0];
    handshake_set_keys(&pods[pod], &ring);
}

static void start(size_t pod, uint8_t key_bits)
{
    const struct address self = address_of(pod);

    handshake_init(&pods[pod], CLUSTER, ++instances, &self);
    handshake_set_nonce_spaces(&pods[pod], data_pairs, 1);
    set_keys(pod, key_bits);
}

/* ---- sending ---- */

static const struct key *key_of(uint32_t id)
{
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (keys[i].id == id)
            return &keys[i];
    }
    return NULL;
}

/* The nonce that this handshake message echoes; 0: none. */
static uint64_t read_echo(const struct sent *one)
{
    struct handshake_message handshake_message;
    uint8_t bytes[BYTES_MAX];
    struct seal_sender sender = {.instance = one->from};
    struct seal_block block;

    memcpy(bytes, one->bytes, one->length);
    FUZZ_CHECK(seal_read_block(bytes, one->length, &block) && key_of(block.key));
    sender.counter = block.value;
    FUZZ_CHECK(seal_unwrap(&cache, key_of(block.key), &sender, &block, bytes, one->length));
    peer_put_sealed(bytes + SEAL_BLOCK_BYTES, false);
    FUZZ_CHECK(handshake_message_open(bytes + SEAL_BLOCK_BYTES, one->length - SEAL_BYTES, CLUSTER,
                                      &handshake_message) == PEER_OK);
    FUZZ_CHECK(handshake_message.nonce || handshake_message.echo);
    return handshake_message.echo;
}

static void keep(size_t from, uint64_t to, const uint8_t *bytes, size_t length, bool is_handshake)
{
    struct sent *one = &sent[sent_count++ % SENT_MAX];

    *one = (struct sent){.length = length,
                         .source = address_of(from),
                         .from = pods[from].instance,
                         .to = to,
                         .is_handshake = is_handshake};
    memcpy(one->bytes, bytes, length);
    if (is_handshake)
        one->echo = read_echo(one);
}

static void ask(struct input *in)
{
    uint8_t bytes[HANDSHAKE_SEALED], code = take(in);
    size_t from = code % PODS, to = code / 4 % PODS, length;
    const struct address address = address_of(to);

    length = handshake_request(&pods[from], &address, now_ns, bytes);
    FUZZ_CHECK(length == 0 || length == HANDSHAKE_SEALED);
    if (length)
        keep(from, 0, bytes, length, true);
    FUZZ_CHECK(handshake_request(&pods[from], &address, now_ns, bytes) == 0);
}

static void say(struct input *in)
{
    uint8_t bytes[BYTES_MAX], code = take(in);
    size_t from = code % PODS, to = code / 4 % PODS, length;
    struct handshake_peer *peer = handshake_find(&pods[from], pods[to].instance);
    struct election_message message = {
        .type = ELECTION_PROBE, .from = pods[from].instance, .to = pods[to].instance};

    if (!peer)
        return;
    message.term = code;
    length = peer_put(bytes + SEAL_BLOCK_BYTES, CLUSTER, &message, NULL);
    length = handshake_seal(&pods[from], peer, bytes, length);
    if (length)
        keep(from, message.to, bytes, length, false);
}

/* ---- receiving ---- */

static bool is_outstanding(const struct handshake *pod, uint64_t echo)
{
    for (size_t i = 0; echo && i < sizeof(pod->peers) / sizeof(pod->peers[0]); i++) {
        if (pod->peers[i].nonce == echo)
            return true;
    }
    return false;
}

static void hear(size_t to, const struct sent *one, const struct address *from, uint8_t *bytes)
{
    struct handshake *pod = &pods[to];
    uint8_t reply[HANDSHAKE_SEALED];
    bool was_known = handshake_find(pod, one->from);
    bool was_outstanding = is_outstanding(pod, one->echo);
    uint64_t changes = pod->changes;
    enum handshake_verdict verdict;
    size_t length = SIZE_MAX;
    struct seal_block block;

    FUZZ_CHECK(seal_read_block(one->bytes, one->length, &block));
    verdict = handshake_receive(pod, from, bytes, one->length, now_ns, reply, &length);
    if (verdict != HANDSHAKE_OK) {
        FUZZ_CHECK((verdict == HANDSHAKE_KEY) == !keyring_find(&pod->ring, block.key));
        FUZZ_CHECK(verdict == HANDSHAKE_KEY || verdict == HANDSHAKE_MISDIRECTED ||
                   verdict == HANDSHAKE_REPLAY);
        return;
    }
    FUZZ_CHECK(address_equal_ip(from, &one->source) && (!one->to || one->to == pod->instance));
    FUZZ_CHECK(one->from != pod->instance && keyring_find(&pod->ring, block.key));
    FUZZ_CHECK(!handshake_find(pod, one->from) || was_known || was_outstanding);
    FUZZ_CHECK(pod->changes == changes || was_outstanding);
    FUZZ_CHECK(!is_outstanding(pod, one->echo));
    FUZZ_CHECK(length == 0 || length == one->length);
    if (length)
        keep(to, one->from, reply, length, true);
}

static enum handshake_verdict expected_of(struct handshake *pod, const struct sent *one,
                                          const struct address *from)
{
    struct handshake_peer *peer = handshake_find(pod, one->from);
    struct seal_block block;

    FUZZ_CHECK(seal_read_block(one->bytes, one->length, &block));
    if (!keyring_find(&pod->ring, block.key))
        return HANDSHAKE_KEY;
    if (!peer)
        return HANDSHAKE_UNKNOWN;
    if (one->to != pod->instance)
        return HANDSHAKE_MISDIRECTED;
    if (one->is_opened || !replay_is_new(&peer->window, block.value))
        return HANDSHAKE_REPLAY;
    return address_equal_ip(&peer->address, from) ? HANDSHAKE_OK : HANDSHAKE_MISDIRECTED;
}

static void open_message(size_t to, struct sent *one, const struct address *from, uint8_t *bytes)
{
    enum handshake_verdict expected = expected_of(&pods[to], one, from);
    struct election_member members[ELECTION_PAGE];
    struct election_message message;

    FUZZ_CHECK(handshake_open(&pods[to], from, bytes, one->length, now_ns) == expected);
    if (expected != HANDSHAKE_OK)
        return;
    one->is_opened = true;
    FUZZ_CHECK(peer_open(bytes + SEAL_BLOCK_BYTES, one->length - SEAL_BYTES, CLUSTER, &message,
                         members) == PEER_OK);
    FUZZ_CHECK(message.from == one->from && message.type == ELECTION_PROBE);
}

static struct sent *pick(struct input *in)
{
    size_t kept = sent_count < SENT_MAX ? sent_count : SENT_MAX;

    return kept ? &sent[(sent_count - 1 - take(in) % kept) % SENT_MAX] : NULL;
}

/* From a source address that the input chooses. */
static void deliver(struct input *in, struct sent *one)
{
    uint8_t bytes[BYTES_MAX], code = take(in);
    size_t to = code % PODS;
    struct address from = address_of(code / 4 % (PODS + 1));
    struct sent copy = *one; /* a reply may overwrite it */

    memcpy(bytes, one->bytes, one->length);
    if (one->is_handshake)
        hear(to, &copy, &from, bytes);
    else
        open_message(to, one, &from, bytes);
}

/* Bytes that no pod sealed: they authenticate nobody and change nothing. */
static void deliver_false(size_t to, uint8_t *bytes, size_t length)
{
    const struct address from = address_of(PODS);
    struct handshake *pod = &pods[to];
    uint32_t count = handshake_count(pod);
    uint8_t reply[HANDSHAKE_SEALED], *copy = malloc(length + !length);
    uint64_t changes = pod->changes;
    size_t reply_length = 0;

    FUZZ_CHECK(copy);
    memcpy(copy, bytes, length);
    FUZZ_CHECK(handshake_receive(pod, &from, copy, length, now_ns, reply, &reply_length) !=
               HANDSHAKE_OK);
    memcpy(copy, bytes, length);
    FUZZ_CHECK(handshake_open(pod, &from, copy, length, now_ns) != HANDSHAKE_OK);
    FUZZ_CHECK(handshake_count(pod) == count && pod->changes == changes);
    free(copy);
}

static void deliver_altered(struct input *in, const struct sent *one)
{
    uint8_t bytes[BYTES_MAX], difference, to = take(in) % PODS;
    size_t at = (size_t)((unsigned)take(in) << 8 | take(in)) % one->length;

    difference = take(in);
    memcpy(bytes, one->bytes, one->length);
    if (difference == 0) {
        deliver_false(to, bytes, at);
        return;
    }
    bytes[at] ^= difference;
    deliver_false(to, bytes, one->length);
}

static void happen(struct input *in, uint8_t op)
{
    struct sent *one = op % 8 >= 4 ? pick(in) : NULL;

    if (op % 8 == 0)
        ask(in);
    else if (op % 8 == 1)
        say(in);
    else if (op % 8 == 2)
        now_ns += ((uint64_t)take(in) + 1) * 10 * NS_PER_MS;
    else if (op % 8 == 3 && op & 0x40)
        start(op / 8 % PODS, take(in));
    else if (op % 8 == 3)
        set_keys(op / 8 % PODS, take(in));
    else if (one && op % 8 == 7)
        deliver_altered(in, one);
    else if (one)
        deliver(in, one);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    uint8_t bytes[BYTES_MAX];

    prepare();
    random_state = instances = sent_count = 0;
    now_ns = NS_PER_SEC;
    seal_cache_init(&cache, KEY_FOR_PEER);
    nonce_space_init(&data_pair, KEY_FOR_FRAMES, 1, 1);
    for (size_t pod = 0; pod < PODS; pod++)
        start(pod, 0x3);
    memcpy(bytes, data, size < sizeof(bytes) ? size : sizeof(bytes));
    deliver_false(0, bytes, size < sizeof(bytes) ? size : sizeof(bytes));
    for (unsigned i = 0; i < STEPS_MAX && in.next < in.end; i++)
        happen(&in, take(&in));
    return 0;
}
