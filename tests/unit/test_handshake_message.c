/* A handshake message as bytes: reading restores what was written; each value has one encoding. */
#include <criterion/criterion.h>
#include <string.h>

#include "headless/wire/handshake_message.h"

#define CLUSTER UINT64_C(0x0123456789abcdef)

static const struct handshake_message original = {
    .from = 1,
    .to = 2,
    .nonce = 3,
    .echo = 4,
    .known = 5,
    .suites = 6,
    .key_count = 2,
    .nonce_space_count = 3,
    .keys = {11, 12},
    .address = {.family = ADDRESS_V4, .ip = {10, 0, 0, 1}},
    .counters = {21, 0, 23},
};
static uint8_t bytes[HANDSHAKE_MESSAGE_BYTES];

static void setup(void)
{
    handshake_message_put(bytes, CLUSTER, &original);
}

TestSuite(handshake_message, .init = setup, .timeout = 30);

static enum peer_verdict open_bytes(struct handshake_message *ret_message)
{
    return handshake_message_open(bytes, sizeof(bytes), CLUSTER, ret_message);
}

Test(handshake_message, reading_restores_what_was_written)
{
    struct handshake_message read;

    cr_assert_eq(open_bytes(&read), PEER_OK);
    cr_assert_eq(read.from, 1);
    cr_assert_eq(read.to, 2);
    cr_assert_eq(read.nonce, 3);
    cr_assert_eq(read.echo, 4);
    cr_assert_eq(read.known, 5);
    cr_assert_eq(read.suites, 6);
    cr_assert_eq(read.key_count, 2);
    cr_assert_eq(read.nonce_space_count, 3);
    cr_assert(address_equal(&read.address, &original.address));
    cr_assert_arr_eq(read.keys, original.keys, sizeof(read.keys));
    cr_assert_arr_eq(read.counters, original.counters, sizeof(read.counters));
}

Test(handshake_message, any_readable_message_is_written_the_same)
{
    uint8_t again[HANDSHAKE_MESSAGE_BYTES];
    struct handshake_message read;

    for (size_t i = 0; i < sizeof(bytes); i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            setup();
            bytes[i] ^= (uint8_t)(1U << bit);
            if (open_bytes(&read) != PEER_OK)
                continue;
            handshake_message_put(again, CLUSTER, &read);
            memcpy(again + PEER_TOKEN_OFFSET, bytes + PEER_TOKEN_OFFSET,
                   8); /* the token is not part of the message */
            cr_assert_arr_eq(again, bytes, sizeof(bytes), "byte %zu", i);
        }
    }
}

Test(handshake_message, an_address_has_one_encoding)
{
    struct handshake_message other = original, read;

    cr_assert_eq(address_parse_ip("fd00::1", &other.address), 0);
    handshake_message_put(bytes, CLUSTER, &other);
    cr_assert_eq(open_bytes(&read), PEER_OK);
    cr_assert(address_equal(&read.address, &other.address));
    /* IPv4 mapped into IPv6; and IPv4 with a nonzero byte after it */
    other.address = (struct address){.family = ADDRESS_V6, .ip = {[10] = 0xff, 0xff, 10, 0, 0, 1}};
    handshake_message_put(bytes, CLUSTER, &other);
    cr_assert_eq(open_bytes(&read), PEER_MALFORMED);
    other.address = (struct address){.family = ADDRESS_V4, .ip = {10, 0, 0, 1, 1}};
    handshake_message_put(bytes, CLUSTER, &other);
    cr_assert_eq(open_bytes(&read), PEER_MALFORMED);
}

Test(handshake_message, another_length_is_malformed)
{
    struct handshake_message read;
    uint8_t longer[HANDSHAKE_MESSAGE_BYTES + 1] = {0};

    memcpy(longer, bytes, sizeof(bytes));
    cr_assert_eq(handshake_message_open(longer, sizeof(longer), CLUSTER, &read), PEER_MALFORMED);
    for (size_t length = 0; length < sizeof(bytes); length++)
        cr_assert_eq(handshake_message_open(bytes, length, CLUSTER, &read), PEER_MALFORMED);
}

Test(handshake_message, version_and_cluster_have_verdicts)
{
    struct handshake_message read;

    cr_assert_eq(handshake_message_open(bytes, sizeof(bytes), CLUSTER + 1, &read),
                 PEER_BAD_CLUSTER);
    bytes[2]++;
    cr_assert_eq(open_bytes(&read), PEER_BAD_VERSION);
}

Test(handshake_message, an_election_message_is_malformed)
{
    struct handshake_message read;

    for (uint8_t type = 0; type < ELECTION_MESSAGE_COUNT; type++) {
        bytes[3] = type;
        cr_assert_eq(open_bytes(&read), PEER_MALFORMED);
    }
}

Test(handshake_message, a_message_without_keys_or_suites_is_malformed)
{
    struct handshake_message none = original, read;

    none.key_count = 0;
    memset(none.keys, 0, sizeof(none.keys));
    handshake_message_put(bytes, CLUSTER, &none);
    cr_assert_eq(open_bytes(&read), PEER_MALFORMED);
    none = original;
    none.suites = 0;
    handshake_message_put(bytes, CLUSTER, &none);
    cr_assert_eq(open_bytes(&read), PEER_MALFORMED);
}

Test(handshake_message, the_digest_depends_on_keys_and_suites)
{
    struct handshake_message other = original;

    cr_assert_neq(handshake_message_digest(&original), 0);
    other.nonce = other.known = 99;
    cr_assert_eq(handshake_message_digest(&original), handshake_message_digest(&other));
    other.keys[1]++;
    cr_assert_neq(handshake_message_digest(&original), handshake_message_digest(&other));
    other = original;
    other.suites = 2;
    cr_assert_neq(handshake_message_digest(&original), handshake_message_digest(&other));
    other = original;
    other.key_count = 1;
    cr_assert_neq(handshake_message_digest(&original), handshake_message_digest(&other));
}
