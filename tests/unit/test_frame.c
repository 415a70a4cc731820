/* frame: the bytes on the wire, round trips, and every refusal. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "headless/wire/frame.h"

#define CLUSTER  UINT64_C(0xa77b2ed1c2164d6e) /* "headless" */
#define SENTINEL 0xee                         /* fills outputs that must stay untouched */

/* Hop 1, IPv4 only, one record "hi", then the end record and one byte of padding. */
static const uint8_t frame_v4[] = {'h', 'd', 1, 1, 0, 1, 0x02, 0x03, 0xa7, 0x7b, 0x2e, 0xd1, 0xc2,
                                   0x16, 0x4d, 0x6e, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
                                   0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0x11, 0x22,
                                   /* length, kind, TOS; client; local; tag; payload */
                                   0, 2, 0x01, 0xb9, 10, 0, 0, 1, 0x9c, 0x40, 10, 0, 0, 2, 0x2e,
                                   0xe0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 'h', 'i',
                                   /* end record, padding */
                                   0, 0, 0, 0, 0x77};
#define FRAME_V4_RECORD 40 /* where the record begins */
#define FRAME_V4_END    66

static const struct frame_header header_v4 = {.type = FRAME_DATA,
                                              .hops = 1,
                                              .nonce_space = 0x0203,
                                              .cluster = CLUSTER,
                                              .instance = 0x0102030405060708,
                                              .term = 7,
                                              .sequence = 0x1122};

/* Hop 2, a REPLY, IPv6 link-local client, IPv6 local, IPv6 ingress, empty payload, exact end. */
static const uint8_t frame_v6[] = {
    'h', 'd', 1, 2, 0, 2, 0, 0, 0xa7, 0x7b, 0x2e, 0xd1, 0xc2, 0x16, 0x4d, 0x6e, 0, 0, 0, 0, 0, 0, 0,
    1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3,
    /* length, kind, TOS */
    0, 0, 0x1f, 0,
    /* client fe80::1 port 5000 scope 3 */
    0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x13, 0x88, 0, 0, 0, 3,
    /* local fd00::2 port 12000 */
    0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x2e, 0xe0,
    /* tag, ingress fd00::9 */
    0, 0, 0, 0, 0, 0, 0, 9, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};

static struct address address_of(const char *text)
{
    struct address a;

    cr_assert_eq(address_parse(text, 0, &a), 0, "%s", text);
    return a;
}

static struct record record_of(const char *client, const char *local, const char *ingress,
                               const void *payload, size_t length)
{
    struct record record = {.client = address_of(client),
                            .local = address_of(local),
                            .tag = 0xa1a2a3a4a5a6a7a8,
                            .payload = payload,
                            .length = (uint16_t)length};

    if (ingress)
        record.ingress = address_of(ingress);
    return record;
}

static size_t put_record(uint8_t *out, const struct record *record)
{
    size_t bytes = record_put_header(out, record);

    cr_assert_eq(bytes, record_header_bytes(record));
    cr_assert_leq(bytes, RECORD_HEADER_MAX);
    if (record->length)
        memcpy(out + bytes, record->payload, record->length);
    return bytes + record->length;
}

static enum frame_verdict verdict_of(const uint8_t *data, size_t length)
{
    struct frame_header header;
    struct frame_reader reader;
    size_t records;

    return frame_open(data, length, CLUSTER, &header, &records, &reader);
}

static void assert_same_record(const struct record *got, const struct record *want)
{
    cr_assert(address_equal(&got->client, &want->client));
    cr_assert(address_equal(&got->local, &want->local));
    cr_assert(address_equal(&got->ingress, &want->ingress));
    cr_assert_eq(got->tag, want->tag);
    cr_assert_eq(got->length, want->length);
    cr_assert_eq(got->tos, want->tos);
    cr_assert_eq(got->ttl, want->ttl);
    cr_assert(want->length == 0 || memcmp(got->payload, want->payload, want->length) == 0);
}

/* Write one frame of these records, padded with zeros, into memory of its exact size; read it. */
static void assert_round_trip(const struct record *records, size_t count, size_t padding)
{
    static uint8_t buffer[3 * (RECORD_PAYLOAD_MAX + RECORD_HEADER_MAX)];
    struct frame_header header;
    struct frame_reader reader;
    struct record got;
    size_t length = FRAME_HEADER_BYTES, found;
    uint8_t *exact;

    frame_put_header(buffer, &header_v4);
    for (size_t i = 0; i < count; i++)
        length += put_record(buffer + length, &records[i]);
    memset(buffer + length, 0, padding);
    length += padding;
    exact = malloc(length);
    cr_assert_not_null(exact);
    memcpy(exact, buffer, length);
    cr_assert_eq(frame_open(exact, length, CLUSTER, &header, &found, &reader), FRAME_OK);
    cr_assert_eq(found, count);
    for (size_t i = 0; i < count; i++) {
        cr_assert(frame_next(&reader, &got));
        assert_same_record(&got, &records[i]);
    }
    cr_assert_not(frame_next(&reader, &got));
    cr_assert_not(frame_next(&reader, &got), "it stays at its end");
    free(exact);
}

Test(frame, cluster_id_is_blake2b_of_the_name)
{
    cr_assert_eq(frame_cluster_id("headless"), CLUSTER);
    cr_assert_eq(frame_cluster_id("blue"), UINT64_C(0x6c7503bf86f4eb35));
    cr_assert_eq(frame_cluster_id(""), UINT64_C(0xcae66941d9efbd40));
}

Test(frame, writes_exactly_these_bytes_for_ipv4)
{
    struct record record = record_of("10.0.0.1:40000", "10.0.0.2:12000", NULL, "hi", 2);
    uint8_t out[128];

    record.tos = 0xb9;
    frame_put_header(out, &header_v4);
    cr_assert_eq(put_record(out + FRAME_HEADER_BYTES, &record), 26);
    cr_assert_arr_eq(out, frame_v4, FRAME_V4_END);
}

Test(frame, writes_exactly_these_bytes_for_ipv6_second_hop)
{
    static const struct frame_header header = {.type = FRAME_REPLY,
                                               .hops = 2,
                                               .cluster = CLUSTER,
                                               .instance = 1,
                                               .term = 2,
                                               .sequence = 3};
    struct record record = record_of("[fe80::1%3]:5000", "[fd00::2]:12000", "fd00::9", "", 0);
    uint8_t out[128];

    record.tag = 9;
    frame_put_header(out, &header);
    cr_assert_eq(put_record(out + FRAME_HEADER_BYTES, &record), RECORD_HEADER_MAX - 1); /* no TTL */
    cr_assert_arr_eq(out, frame_v6, sizeof(frame_v6));
}

Test(frame, reads_the_known_bytes)
{
    struct record want_v4 = record_of("10.0.0.1:40000", "10.0.0.2:12000", NULL, "hi", 2);
    struct record want_v6 = record_of("[fe80::1%3]:5000", "[fd00::2]:12000", "fd00::9", "", 0);
    struct frame_header header;
    struct frame_reader reader;
    struct record got;
    size_t records;

    want_v4.tos = 0xb9;
    cr_assert_eq(frame_open(frame_v4, sizeof(frame_v4), CLUSTER, &header, &records, &reader),
                 FRAME_OK);
    cr_assert_eq(records, 1);
    cr_assert_eq(header.type, FRAME_DATA);
    cr_assert_eq(header.hops, 1);
    cr_assert_eq(header.nonce_space, 0x0203);
    cr_assert_eq(header.cluster, CLUSTER);
    cr_assert_eq(header.instance, 0x0102030405060708);
    cr_assert_eq(header.term, 7);
    cr_assert_eq(header.sequence, 0x1122);
    cr_assert(frame_next(&reader, &got));
    assert_same_record(&got, &want_v4);
    cr_assert_eq(got.payload, frame_v4 + FRAME_V4_END - 2, "inside the frame, not copied");
    cr_assert_not(frame_next(&reader, &got));

    want_v6.tag = 9;
    cr_assert_eq(frame_open(frame_v6, sizeof(frame_v6), CLUSTER, &header, &records, &reader),
                 FRAME_OK);
    cr_assert_eq(header.type, FRAME_REPLY);
    cr_assert_eq(header.hops, 2);
    cr_assert(frame_next(&reader, &got));
    assert_same_record(&got, &want_v6);
}

Test(frame, records_of_all_families_round_trip)
{
    static const char *const clients[] = {"10.0.0.1:1", "[2001:db8::1]:65535", "[fe80::1%7]:99"};
    static const char *const locals[] = {"10.0.0.2:12000", "[fd00::2]:12000", "0.0.0.0:0"};
    static const char *const ingresses[] = {NULL, "10.0.0.3", "fd00::3"};
    struct record records[27];
    size_t count = 0;

    for (size_t i = 0; i < 27; i++) {
        records[count++] =
            record_of(clients[i / 9], locals[i / 3 % 3], ingresses[i % 3], "payload", i % 8);
        assert_round_trip(&records[i], 1, 0);
    }
    assert_round_trip(records, count, 0);
    assert_round_trip(records, count, 1000);
}

Test(frame, payload_sizes_from_empty_to_largest)
{
    static uint8_t payload[RECORD_PAYLOAD_MAX];
    size_t largest_v4 = RECORD_PAYLOAD_MAX - FRAME_HEADER_BYTES - 24;
    size_t sizes[] = {0, 1, 2, 255, 256, 1372, 65400, largest_v4, RECORD_PAYLOAD_MAX};

    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = (uint8_t)(i * 31 + 1);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct record records[2] = {
            record_of("10.0.0.1:1", "10.0.0.2:12000", NULL, payload, sizes[i]),
            record_of("[fd00::1]:1", "[fd00::2]:12000", "10.0.0.9", payload, 3)};

        assert_round_trip(records, 2, 4);
    }
}

Test(frame, padding_of_any_length_is_ignored)
{
    struct record record = record_of("10.0.0.1:1", "10.0.0.2:12000", NULL, "x", 1);
    uint8_t padded[sizeof(frame_v4) + 2000];

    for (size_t padding = 0; padding < 64; padding++)
        assert_round_trip(&record, 1, padding);
    memset(padded, 0xff, sizeof(padded));
    memcpy(padded, frame_v4, FRAME_V4_END + 4);
    for (size_t length = FRAME_V4_END + 4; length <= sizeof(padded); length++)
        cr_assert_eq(verdict_of(padded, length), FRAME_OK, "%zu", length);
}

Test(frame, remainder_too_short_for_an_end_record_must_be_zero)
{
    uint8_t frame[FRAME_V4_END + 4];

    for (size_t left = 1; left <= 4; left++) {
        for (size_t bad = 0; bad < left; bad++) {
            memcpy(frame, frame_v4, sizeof(frame));
            frame[FRAME_V4_END + bad] = 1;
            cr_assert_eq(verdict_of(frame, FRAME_V4_END + left), FRAME_MALFORMED, "%zu", left);
        }
    }
}

Test(frame, truncated_at_every_byte_is_refused)
{
    for (size_t length = 0; length < sizeof(frame_v6); length++) {
        uint8_t *exact = malloc(length + 1); /* exact: the sanitizer sees reads behind it */

        cr_assert_not_null(exact);
        memcpy(exact + 1, frame_v6, length);
        cr_assert_eq(verdict_of(exact + 1, length), FRAME_MALFORMED, "%zu", length);
        if (length < FRAME_V4_END) {
            memcpy(exact + 1, frame_v4, length);
            cr_assert_eq(verdict_of(exact + 1, length), FRAME_MALFORMED, "%zu", length);
        }
        free(exact);
    }
}

/* One byte of a valid frame replaced. */
static const struct {
    const char *what;
    size_t offset;
    uint8_t value;
    enum frame_verdict verdict;
} broken[] = {
    {"magic", 0, 'H', FRAME_MALFORMED},
    {"magic", 1, 'D', FRAME_MALFORMED},
    {"version 0", 2, 0, FRAME_BAD_VERSION},
    {"version 2", 2, 2, FRAME_BAD_VERSION},
    {"type 0", 3, 0, FRAME_MALFORMED},
    {"type 4", 3, 4, FRAME_MALFORMED},
    {"flags", 4, 1, FRAME_MALFORMED},
    {"flags", 4, 0x80, FRAME_MALFORMED},
    {"hops 0", 5, 0, FRAME_MALFORMED},
    {"hops 3", 5, 3, FRAME_MALFORMED},
    {"hops 2", 5, 2, FRAME_OK},
    {"cluster", 8, 0, FRAME_BAD_CLUSTER},
    {"cluster", 15, 0, FRAME_BAD_CLUSTER},
    {"length one over", FRAME_V4_RECORD + 1, 8, FRAME_MALFORMED},
    {"length high byte", FRAME_V4_RECORD, 1, FRAME_MALFORMED},
    {"length with kind 0", FRAME_V4_RECORD + 2, 0, FRAME_MALFORMED},
    {"kind without PRESENT", FRAME_V4_RECORD + 2, 2, FRAME_MALFORMED},
    {"kind 32", FRAME_V4_RECORD + 2, 1 | 32, FRAME_MALFORMED},
    {"kind 64", FRAME_V4_RECORD + 2, 1 | 64, FRAME_MALFORMED},
    {"kind 128", FRAME_V4_RECORD + 2, 1 | 128, FRAME_MALFORMED},
    {"INGRESS_V6 without INGRESS", FRAME_V4_RECORD + 2, 1 | 16, FRAME_MALFORMED},
    {"IPv6 client does not fit", FRAME_V4_RECORD + 2, 1 | 2, FRAME_MALFORMED},
};

Test(frame, each_invalid_field_has_its_verdict)
{
    uint8_t frame[sizeof(frame_v4)];

    for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
        memcpy(frame, frame_v4, sizeof(frame));
        frame[broken[i].offset] = broken[i].value;
        cr_assert_eq(verdict_of(frame, sizeof(frame)), broken[i].verdict, "%s", broken[i].what);
    }
}

/* The end record is four zero bytes: a record of kind 0 with a TOS byte is malformed. */
Test(frame, every_tos_byte_is_carried)
{
    struct record record = record_of("10.0.0.1:40000", "10.0.0.2:12000", NULL, "hi", 2);
    uint8_t frame[sizeof(frame_v4)];

    for (unsigned tos = 0; tos < 256; tos++) {
        record.tos = (uint8_t)tos;
        assert_round_trip(&record, 1, tos % 5);
        memcpy(frame, frame_v4, sizeof(frame));
        record_put_tos(frame + FRAME_V4_RECORD, (uint8_t)tos);
        cr_assert_eq(frame[FRAME_V4_RECORD + 3], tos);
        cr_assert_eq(verdict_of(frame, sizeof(frame)), FRAME_OK);
        frame[FRAME_V4_END + 3] = (uint8_t)tos;
        cr_assert_eq(verdict_of(frame, sizeof(frame)), tos ? FRAME_MALFORMED : FRAME_OK);
    }
}

/* It follows the ingress IP, if there is one; 0 has no encoding of its own. */
Test(frame, every_ttl_is_carried)
{
    static const struct frame_header header = {
        .type = FRAME_DATA, .hops = 2, .cluster = CLUSTER, .instance = 1, .term = 2, .sequence = 3};
    struct record record = record_of("10.0.0.1:40000", "10.0.0.2:12000", NULL, "hi", 2);
    size_t without = record_header_bytes(&record);
    uint8_t frame[128] = {0};

    for (unsigned ttl = 0; ttl < 256; ttl++) {
        record.ttl = (uint8_t)ttl;
        cr_assert_eq(record_header_bytes(&record), without + (ttl > 0));
        assert_round_trip(&record, 1, ttl % 5);
    }
    record = record_of("[fe80::1%3]:5000", "[fd00::2]:12000", "fd00::9", "hi", 2);
    record.ttl = 17;
    cr_assert_eq(record_header_bytes(&record), RECORD_HEADER_MAX);
    assert_round_trip(&record, 1, 0);
    frame_put_header(frame, &header);
    (void)put_record(frame + FRAME_HEADER_BYTES, &record);
    cr_assert_eq(frame[FRAME_HEADER_BYTES + RECORD_HEADER_MAX - 1], 17);
    cr_assert_eq(verdict_of(frame, sizeof(frame)), FRAME_OK);
    frame[FRAME_HEADER_BYTES + RECORD_HEADER_MAX - 1] = 0;
    cr_assert_eq(verdict_of(frame, sizeof(frame)), FRAME_MALFORMED);
}

Test(frame, version_is_checked_before_cluster_and_cluster_before_the_rest)
{
    uint8_t frame[sizeof(frame_v4)];

    memcpy(frame, frame_v4, sizeof(frame));
    frame[3] = frame[4] = frame[8] = 99;
    cr_assert_eq(verdict_of(frame, sizeof(frame)), FRAME_BAD_CLUSTER);
    frame[2] = 2;
    cr_assert_eq(verdict_of(frame, sizeof(frame)), FRAME_BAD_VERSION);
    cr_assert_eq(verdict_of(frame, 3), FRAME_BAD_VERSION, "its length may be another, too");
}

Test(frame, every_bit_flip_in_the_header_has_its_verdict)
{
    uint8_t frame[sizeof(frame_v4)];

    for (size_t bit = 0; bit < FRAME_HEADER_BYTES * 8; bit++) {
        size_t at = bit / 8;
        enum frame_verdict want = FRAME_OK; /* nonce_space, instance, term, sequence: any value */

        if (bit == 3 * 8 + 1)
            want = FRAME_OK; /* DATA becomes COPY */
        else if (at < 2 || at == 3 || at == 4 || at == 5)
            want = FRAME_MALFORMED;
        else if (at == 2)
            want = FRAME_BAD_VERSION;
        else if (at >= 8 && at < 16)
            want = FRAME_BAD_CLUSTER;
        memcpy(frame, frame_v4, sizeof(frame));
        frame[at] ^= (uint8_t)(1U << bit % 8);
        cr_assert_eq(verdict_of(frame, sizeof(frame)), want, "bit %zu of byte %zu", bit % 8, at);
    }
}

Test(frame, one_invalid_record_invalidates_the_frame)
{
    struct record good = record_of("10.0.0.1:1", "10.0.0.2:12000", NULL, "x", 1);
    struct record portless = record_of("10.0.0.1:0", "10.0.0.2:12000", NULL, "y", 1);
    struct frame_header header = {.type = SENTINEL};
    struct frame_reader reader = {0};
    size_t length = FRAME_HEADER_BYTES, records = SENTINEL;
    uint8_t frame[256];

    frame_put_header(frame, &header_v4);
    length += put_record(frame + length, &good);
    length += put_record(frame + length, &portless);
    cr_assert_eq(frame_open(frame, length, CLUSTER, &header, &records, &reader), FRAME_MALFORMED);
    cr_assert(header.type == SENTINEL && records == SENTINEL && !reader.next, "untouched");
}

Test(frame, frame_without_records_is_malformed)
{
    uint8_t frame[FRAME_HEADER_BYTES + 100] = {0};

    frame_put_header(frame, &header_v4);
    for (size_t length = FRAME_HEADER_BYTES; length <= sizeof(frame); length++)
        cr_assert_eq(verdict_of(frame, length), FRAME_MALFORMED, "%zu", length);
}

static enum frame_verdict verdict_of_record(const struct record *record)
{
    uint8_t frame[FRAME_HEADER_BYTES + RECORD_HEADER_MAX + 8];

    frame_put_header(frame, &header_v4);
    return verdict_of(frame, FRAME_HEADER_BYTES + put_record(frame + FRAME_HEADER_BYTES, record));
}

Test(frame, record_is_valid_agrees_with_the_reader)
{
    static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1};
    struct record good = record_of("[fd00::1]:1", "[fd00::2]:12000", "fd00::3", "x", 1);
    struct record bad[6] = {good, good, good, good, good, good};

    bad[0].client.port = 0;
    memcpy(bad[1].client.ip, mapped, 16);
    memcpy(bad[2].local.ip, mapped, 16);
    memcpy(bad[3].ingress.ip, mapped, 16);
    memset(bad[4].ingress.ip, 0, 16);
    bad[5].ingress = address_any(ADDRESS_V4);
    cr_assert(record_is_valid(&good));
    cr_assert_eq(verdict_of_record(&good), FRAME_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        cr_assert_not(record_is_valid(&bad[i]), "%zu", i);
        cr_assert_eq(verdict_of_record(&bad[i]), FRAME_MALFORMED, "%zu", i);
    }
}

Test(frame, record_that_cannot_be_encoded_is_invalid)
{
    struct record good = record_of("10.0.0.1:1", "10.0.0.2:12000", NULL, "x", 1);
    struct record bad[4] = {good, good, good, good};

    bad[0].local = (struct address){0};
    bad[1].client.family = ADDRESS_NONE;
    bad[2].client.ip[15] = 1; /* IPv4 with bytes behind it: not the canonical form */
    bad[3].length = RECORD_PAYLOAD_MAX + 1;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        cr_assert_not(record_is_valid(&bad[i]), "%zu", i);
}
