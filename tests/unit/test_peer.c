/* peer: known bytes, round trips, and every malformed message. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "headless/wire/peer.h"

#define CLUSTER UINT64_C(0x1122334455667788)

static struct election_message message, read_back;
static struct election_member members[ELECTION_PAGE], members_back[ELECTION_PAGE];
static uint8_t bytes[PEER_BYTES_MAX + 64];
static size_t length;

TestSuite(peer, .timeout = 30);

static struct election_member make_member(uint64_t instance, const char *ip, const char *name)
{
    struct election_member member = {.instance = instance, .is_eligible = instance % 2};

    cr_assert_eq(address_parse_ip(ip, &member.address), 0);
    (void)snprintf(member.name.text, sizeof(member.name.text), "%s", name);
    return member;
}

/* A message of this type in which every field has a value, even if the type does not have it. */
static void fill(uint8_t type)
{
    message = (struct election_message){
        .type = type,
        .misses = 4,
        .cause = 5,
        .flags = ELECTION_FLAG_GRANTED | ELECTION_FLAG_FORCED,
        .count = 70,
        .floor = 3,
        .first = 4,
        .from = 0xa1,
        .to = 0xa2,
        .term = 7,
        .seen = 9,
        .leader = 0xa3,
        .deposed_term = 6,
        .stamp_ns = 123456789,
        .lease_grant_ns = 800000000,
        .wait_ns = 400000000,
        .interval_ns = 200000000,
        .received = 1000000,
        .rcvbuf_bytes = 212992,
        .generation = 6,
        .command_nonce = UINT64_C(0x00112233aabbccdd),
        .command_time_s = 1764085000,
        .list = {.term = 7, .version = 2},
        .live = {0xffffffffffffffff, 0x21},
        .ready = {1, 0x20},
    };
    cr_assert_eq(address_parse_ip("10.0.0.3", &message.leader_address), 0);
    members[0] = make_member(0xa1, "10.0.0.1", "pod-1");
    members[1] = make_member(0xa2, "fd00::2", "");
    members[2] = make_member(0xa3, "10.0.0.3", "c");
    members[3] = make_member(0xa4, "10.0.0.4", "A.b_c:d%e-0");
    if (type == ELECTION_DISCOVER || type == ELECTION_HELLO)
        message.member_count = 1;
    if (type == ELECTION_LIST_PAGE)
        message.member_count = 4;
}

static void put(uint8_t type)
{
    fill(type);
    length = peer_put(bytes, CLUSTER, &message, members);
}

static enum peer_verdict open_it(void)
{
    return peer_open(bytes, length, CLUSTER, &read_back, members_back);
}

/* A version that does not know them reads these messages all the same. */
Test(peer, flags_without_a_meaning_are_read)
{
    static const uint8_t types[] = {ELECTION_HEARTBEAT, ELECTION_ACK, ELECTION_STEP_DOWN};

    for (size_t i = 0; i < sizeof(types); i++) {
        fill(types[i]);
        message.flags = ELECTION_FLAG_FORMER | ELECTION_FLAG_SERVES | ELECTION_FLAG_FORCED;
        length = peer_put(bytes, CLUSTER, &message, members);
        cr_assert_eq(open_it(), PEER_OK);
        cr_assert_eq(read_back.flags, message.flags);
    }
}

static void assert_refused(const char *what)
{
    memset(&read_back, 0x77, sizeof(read_back));
    memset(members_back, 0x77, sizeof(members_back));
    cr_assert_eq(open_it(), PEER_MALFORMED, "%s", what);
    cr_assert_eq(read_back.type, 0x77, "output touched: %s", what);
    cr_assert_eq(members_back[0].instance, UINT64_C(0x7777777777777777), "touched: %s", what);
}

static void assert_bytes(const char *hex)
{
    char text[2 * PEER_BYTES_MAX + 1];

    for (size_t i = 0; i < length; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    cr_assert_str_eq(text, hex);
}

#define HEADER(type, flags) \
    "6870"                  \
    "01" type flags "0000"  \
    "1122334455667788"      \
    "00000000000000a1"      \
    "00000000000000a2"      \
    "0000000000000000"
#define COMMON         \
    "0000000000000007" \
    "0000000000000009" \
    "0000000000000007" \
    "00000002"

/* ---- known bytes ---- */

Test(peer, bytes_of_leave)
{
    put(ELECTION_LEAVE);
    assert_bytes(HEADER("10", "2001") COMMON);
}

Test(peer, bytes_of_nominate)
{
    put(ELECTION_NOMINATE);
    assert_bytes(HEADER("12", "2001") COMMON "00112233aabbccdd"
                                             "000000006925cd08");
}

Test(peer, bytes_of_vote)
{
    put(ELECTION_VOTE);
    assert_bytes(HEADER("0d", "2001") COMMON "00000000075bcd15"
                                             "000000000bebc200"
                                             "04"
                                             "00000000000000a3"
                                             "0000000000000006");
}

Test(peer, bytes_of_heartbeat)
{
    put(ELECTION_HEARTBEAT);
    assert_bytes(HEADER("03", "2001") COMMON "00000000075bcd15"
                                             "000000000bebc200"
                                             "04"
                                             "05"
                                             "00000000000f4240"
                                             "0000000000034000"
                                             "0000000000000006"
                                             "0046"
                                             "ffffffffffffffff21"
                                             "010000000000000020");
}

Test(peer, bytes_of_hello)
{
    put(ELECTION_HELLO);
    assert_bytes(HEADER("02", "2001") COMMON "00000000075bcd15"
                                             "00000000000000a3"
                                             "040a000003"
                                             "01"
                                             "00000000000000a1"
                                             "01"
                                             "040a000001"
                                             "05"
                                             "706f642d31");
}

Test(peer, bytes_of_list_page)
{
    put(ELECTION_LIST_PAGE);
    assert_bytes(HEADER("06", "2001") COMMON "0046"
                                             "0003"
                                             "0004"
                                             "04"
                                             "00000000000000a1"
                                             "01"
                                             "040a000001"
                                             "05"
                                             "706f642d31"
                                             "00000000000000a2"
                                             "00"
                                             "06fd000000000000000000000000000002"
                                             "00"
                                             "00000000000000a3"
                                             "01"
                                             "040a000003"
                                             "01"
                                             "63"
                                             "00000000000000a4"
                                             "00"
                                             "040a000004"
                                             "0b"
                                             "412e625f633a6425652d30");
}

/* ---- round trips ---- */

Test(peer, every_type_round_trips)
{
    for (uint8_t type = 1; type < ELECTION_MESSAGE_COUNT; type++) {
        uint8_t again[PEER_BYTES_MAX];

        put(type);
        cr_assert_eq(open_it(), PEER_OK, "type %u", type);
        cr_assert_eq(read_back.type, type);
        cr_assert_eq(read_back.from, 0xa1);
        cr_assert_eq(read_back.to, 0xa2);
        cr_assert_eq(read_back.term, 7);
        cr_assert_eq(read_back.seen, 9);
        cr_assert_eq(read_back.list.version, 2);
        cr_assert_eq(peer_put(again, CLUSTER, &read_back, members_back), length);
        cr_assert_eq(memcmp(again, bytes, length), 0, "type %u", type);
    }
}

Test(peer, fields_that_a_type_lacks_are_zero)
{
    put(ELECTION_ACK);
    cr_assert_eq(open_it(), PEER_OK);
    cr_assert_eq(read_back.lease_grant_ns, 800000000);
    cr_assert_eq(read_back.stamp_ns, 123456789);
    cr_assert_eq(read_back.leader, 0);
    cr_assert_eq(read_back.wait_ns, 0);
    cr_assert_eq(read_back.count, 0);
    cr_assert_eq(read_back.member_count, 0);
    cr_assert_not(address_is_set(&read_back.leader_address));
    put(ELECTION_HEARTBEAT);
    cr_assert_eq(open_it(), PEER_OK);
    cr_assert_eq(read_back.live[1], 0x21);
    cr_assert_eq(read_back.ready[0], 1);
    cr_assert_eq(read_back.received, 1000000);
    cr_assert_eq(read_back.generation, 6);
    cr_assert_eq(read_back.cause, 5);
}

Test(peer, every_count_of_members_has_its_bitmaps)
{
    for (uint16_t count = 0; count <= ELECTION_MEMBERS_MAX; count++) {
        fill(ELECTION_HEARTBEAT);
        message.count = count;
        memset(message.live, 0, sizeof(message.live));
        memset(message.ready, 0, sizeof(message.ready));
        if (count)
            message.live[(count - 1) / 64] = UINT64_C(1) << ((count - 1) % 64);
        length = peer_put(bytes, CLUSTER, &message, members);
        cr_assert_eq(open_it(), PEER_OK, "count %u", count);
        cr_assert_eq(memcmp(read_back.live, message.live, sizeof(message.live)), 0);
    }
}

Test(peer, reply_is_never_longer_than_its_request)
{
    char longest[ELECTION_NAME_MAX];
    size_t discover, hello;

    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    put(ELECTION_DISCOVER);
    discover = length;
    fill(ELECTION_HELLO);
    members[0] = make_member(1, "fd00::1", longest);
    cr_assert_eq(address_parse_ip("fd00::2", &message.leader_address), 0);
    hello = peer_put(bytes, CLUSTER, &message, members);
    cr_assert_leq(hello, discover);
    cr_assert_eq(discover, PEER_DISCOVER_BYTES);
}

Test(peer, token_does_not_change_the_message)
{
    struct peer_header header;

    put(ELECTION_PROBE);
    peer_put_token(bytes, UINT64_C(0xfeedfacecafebeef));
    cr_assert_eq(open_it(), PEER_OK);
    cr_assert(peer_read_header(bytes, PEER_HEADER_BYTES, &header));
    cr_assert_eq(header.token, UINT64_C(0xfeedfacecafebeef));
    cr_assert_eq(header.cluster, CLUSTER);
    cr_assert_eq(header.from, 0xa1);
    cr_assert_eq(header.to, 0xa2);
    cr_assert_eq(header.type, ELECTION_PROBE);
    cr_assert_not(peer_read_header(bytes, PEER_HEADER_BYTES - 1, &header));
    bytes[2] = 9;
    cr_assert_not(peer_read_header(bytes, PEER_HEADER_BYTES, &header));
}

/* ---- refusals ---- */

Test(peer, another_length_is_malformed)
{
    for (uint8_t type = 1; type < ELECTION_MESSAGE_COUNT; type++) {
        size_t whole;

        put(type);
        whole = length;
        for (length = 0; length < whole; length++)
            assert_refused("cut short");
        length = whole + 1;
        bytes[whole] = 0;
        assert_refused("one byte more");
    }
}

Test(peer, version_and_cluster_have_their_verdicts)
{
    put(ELECTION_PROBE);
    bytes[2] = 2;
    cr_assert_eq(open_it(), PEER_BAD_VERSION);
    put(ELECTION_PROBE);
    cr_assert_eq(peer_open(bytes, length, CLUSTER + 1, &read_back, members_back), PEER_BAD_CLUSTER);
    put(ELECTION_PROBE);
    bytes[1] = 'd'; /* a relay frame */
    assert_refused("magic");
}

Test(peer, only_heartbeats_and_acks_have_the_flags_of_the_order)
{
    const uint8_t types[] = {ELECTION_HEARTBEAT, ELECTION_ACK};

    for (size_t i = 0; i < sizeof(types); i++) {
        fill(types[i]);
        message.flags |= ELECTION_FLAG_ORDERED | ELECTION_FLAG_COMMIT;
        length = peer_put(bytes, CLUSTER, &message, members);
        cr_assert_eq(open_it(), PEER_OK);
        cr_assert_eq(read_back.flags, message.flags);
    }
}

/* Set bytes[at] to value: the message must be malformed. */
static void refuse(const char *what, uint8_t type, size_t at, uint8_t value)
{
    put(type);
    cr_assert_neq(bytes[at], value, "%s: no change", what);
    bytes[at] = value;
    assert_refused(what);
}

Test(peer, impossible_values_are_malformed)
{
    const size_t body = PEER_HEADER_BYTES + PEER_COMMON_BYTES;

    refuse("type 0", ELECTION_PROBE, 3, 0);
    refuse("type too high", ELECTION_PROBE, 3, ELECTION_MESSAGE_COUNT);
    refuse("a flag of heartbeats and ACKs", ELECTION_PROBE, 4, 0x40);
    refuse("the other one", ELECTION_VOTE_REPLY, 4, 0x80);
    refuse("reserved", ELECTION_PROBE, 7, 1);
    refuse("from no instance", ELECTION_PROBE, 23, 0);
    refuse("no misses", ELECTION_VOTE, body + 16, 0);
    refuse("an interval of centuries", ELECTION_VOTE, body + 8, 1);
    refuse("a cause beyond all", ELECTION_HEARTBEAT, body + 17, 64);
    refuse("a count beyond all", ELECTION_HEARTBEAT, body + 42, 1);
    refuse("a bit above the count", ELECTION_HEARTBEAT, body + 44 + 8, 0x61);
    refuse("no card", ELECTION_HELLO, body + 21, 0);
    refuse("two cards", ELECTION_HELLO, body + 21, 2);
    refuse("a family that is none", ELECTION_HELLO, body + 16, 5);
    refuse("another encoding of eligible", ELECTION_HELLO, body + 22 + 8, 2);
    refuse("an instance of 0", ELECTION_HELLO, body + 22 + 7, 0);
    refuse("a space in a name", ELECTION_HELLO, body + 22 + 15, ' ');
    refuse("a NUL in a name", ELECTION_HELLO, body + 22 + 16, 0);
    refuse("a name too long", ELECTION_HELLO, body + 22 + 14, 64);
    refuse("five members", ELECTION_LIST_PAGE, body + 6, 5);
    refuse("no members", ELECTION_LIST_PAGE, body + 6, 0);
    refuse("members beyond the count", ELECTION_LIST_PAGE, body + 1, 7);
    refuse("a floor beyond all", ELECTION_LIST_PAGE, body + 2, 1);
    refuse("a first beyond all", ELECTION_LIST_REQUEST, body, 1);
    refuse("padding that is not zero", ELECTION_DISCOVER, PEER_DISCOVER_BYTES - 1, 1);
}

/* Pages of four of an endless list: each is refused, at any claimed beginning. */
Test(peer, list_of_a_thousand_is_malformed)
{
    for (uint16_t first = 0; first < 1000; first += ELECTION_PAGE) {
        fill(ELECTION_LIST_PAGE);
        message.count = 1000;
        message.first = first;
        length = peer_put(bytes, CLUSTER, &message, members);
        assert_refused("a thousand");
    }
    fill(ELECTION_LIST_PAGE);
    message.count = ELECTION_MEMBERS_MAX;
    message.first = ELECTION_MEMBERS_MAX - 4;
    length = peer_put(bytes, CLUSTER, &message, members);
    cr_assert_eq(open_it(), PEER_OK, "the last page of the longest list");
    message.count++;
    length = peer_put(bytes, CLUSTER, &message, members);
    assert_refused("one more");
}

Test(peer, ipv4_mapped_into_ipv6_is_malformed)
{
    fill(ELECTION_HELLO);
    members[0] = make_member(1, "fd00::1", "x");
    memset(members[0].address.ip, 0, 10);
    memset(members[0].address.ip + 10, 0xff, 2);
    length = peer_put(bytes, CLUSTER, &message, members);
    assert_refused("mapped");
}
