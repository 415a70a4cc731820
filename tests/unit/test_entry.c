/* entry, frame: ranges and acknowledgements on the wire, and everything that is refused. */
#include <criterion/criterion.h>

#include "headless/wire/frame.h"

#define CLUSTER UINT64_C(0xa77b2ed1c2164d6e)

static const struct entry_range sample_range = {.first = 7,
                                                .id = {.term = 3, .leader = 0x1122334455667788},
                                                .previous = {.term = 2, .leader = 0x99},
                                                .term_first = 5,
                                                .oldest = 1,
                                                .reply_end = 9,
                                                .last = 8,
                                                .committed = 6};
static const struct entry_ack sample_ack = {
    .flags = ENTRY_ACK_QUERY, .request = 4, .normal_term = 3, .last = 9, .committed = 8};

static const char payload[] = "hi";

static size_t put_frame(uint8_t *out, uint8_t type, unsigned records)
{
    const struct frame_header header = {
        .type = type, .hops = 1, .cluster = CLUSTER, .instance = 1, .term = 3, .sequence = 1};
    struct record record = {.payload = (const uint8_t *)payload, .length = 2};
    size_t length = FRAME_HEADER_BYTES + frame_body_bytes(type);

    cr_assert_eq(address_parse("10.0.0.1:5000", 0, &record.client), 0);
    cr_assert_eq(address_parse("10.0.0.2:12000", 0, &record.local), 0);
    frame_put_header(out, &header);
    if (type == FRAME_ENTRIES)
        entry_put_range(out + FRAME_HEADER_BYTES, &sample_range);
    else if (type == FRAME_ACK)
        entry_put_ack(out + FRAME_HEADER_BYTES, &sample_ack);
    for (; records > 0; records--) {
        length += record_put_header(out + length, &record);
        memcpy(out + length, payload, record.length);
        length += record.length;
    }
    return length;
}

static enum frame_verdict verdict_of(const uint8_t *data, size_t length)
{
    struct frame_header header;
    struct frame_reader reader;
    size_t records;

    return frame_open(data, length, CLUSTER, &header, &records, &reader);
}

/* Opens it, and reads its body. */
static size_t opened(const uint8_t *data, size_t length, union frame_body *ret_body,
                     struct frame_reader *ret_reader)
{
    struct frame_header header;
    size_t records;

    cr_assert_eq(frame_open(data, length, CLUSTER, &header, &records, ret_reader), FRAME_OK);
    frame_get_body(data, &header, ret_body);
    return records;
}

Test(entry, range_with_records_round_trip)
{
    uint8_t data[512];
    size_t length = put_frame(data, FRAME_ENTRIES, 3);
    struct frame_reader reader;
    struct record record;
    union frame_body body;

    cr_assert_eq(opened(data, length, &body, &reader), 3);
    cr_assert_eq(body.range.first, 7);
    cr_assert(entry_id_equal(body.range.id, sample_range.id));
    cr_assert(entry_id_equal(body.range.previous, sample_range.previous));
    cr_assert_eq(body.range.term_first, 5);
    cr_assert_eq(body.range.oldest, 1);
    cr_assert_eq(body.range.reply_end, 9);
    cr_assert_eq(body.range.last, 8);
    cr_assert_eq(body.range.committed, 6);
    for (unsigned i = 0; i < 3; i++) {
        cr_assert(frame_next(&reader, &record));
        cr_assert_eq(record.length, 2);
        cr_assert_eq(memcmp(record.payload, payload, 2), 0);
    }
    cr_assert_not(frame_next(&reader, &record));
}

Test(entry, range_may_be_without_records_and_padded)
{
    uint8_t data[1024] = {0};
    size_t length = put_frame(data, FRAME_ENTRIES, 0);
    struct frame_reader reader;
    struct record record;
    union frame_body body;

    cr_assert_eq(opened(data, length, &body, &reader), 0);
    cr_assert_not(frame_next(&reader, &record));
    cr_assert_eq(opened(data, length + 100, &body, &reader), 0);
    cr_assert_eq(body.range.last, 8);
}

Test(entry, acknowledgement_round_trip)
{
    uint8_t data[1024] = {0};
    size_t length = put_frame(data, FRAME_ACK, 0);
    struct frame_reader reader;
    union frame_body body;

    cr_assert_eq(opened(data, length + 7, &body, &reader), 0);
    cr_assert_eq(body.ack.flags, ENTRY_ACK_QUERY);
    cr_assert_eq(body.ack.request, 4);
    cr_assert_eq(body.ack.normal_term, 3);
    cr_assert_eq(body.ack.last, 9);
    cr_assert_eq(body.ack.committed, 8);
    length = put_frame(data, FRAME_ACK, 1);
    cr_assert_eq(verdict_of(data, length), FRAME_MALFORMED, "an acknowledgement has no records");
}

Test(entry, truncated_bodies_are_refused)
{
    uint8_t data[512];

    for (uint8_t type = FRAME_ENTRIES; type <= FRAME_ACK; type++) {
        size_t length = put_frame(data, type, 0);

        for (size_t cut = FRAME_HEADER_BYTES; cut < length; cut++) {
            uint8_t *exact = malloc(cut); /* so that reading past the end is seen */

            memcpy(exact, data, cut);
            cr_assert_eq(verdict_of(exact, cut), FRAME_MALFORMED, "type %u, %zu bytes", type, cut);
            free(exact);
        }
    }
}

/* Offsets in the frame; with the top bit set each is an index out of bounds. */
Test(entry, indices_out_of_bounds_are_refused)
{
    static const size_t index[] = {0, 40, 48, 56, 64, 72};
    uint8_t data[512];
    size_t length;

    for (size_t i = 0; i < sizeof(index) / sizeof(index[0]); i++) {
        length = put_frame(data, FRAME_ENTRIES, 1);
        data[FRAME_HEADER_BYTES + index[i]] = 0x80;
        cr_assert_eq(verdict_of(data, length), FRAME_MALFORMED, "at %zu", index[i]);
    }
    length = put_frame(data, FRAME_ENTRIES, 1);
    memset(data + FRAME_HEADER_BYTES, 0, 8);
    cr_assert_eq(verdict_of(data, length), FRAME_MALFORMED, "indices begin at 1");
    length = put_frame(data, FRAME_ENTRIES, 1);
    memset(data + FRAME_HEADER_BYTES + 48, 0, 8);
    cr_assert_eq(verdict_of(data, length), FRAME_MALFORMED, "so does a log");
}

Test(entry, invalid_acknowledgements_are_refused)
{
    static const size_t index[] = {8, 24, 32};
    uint8_t data[512];
    size_t length;

    for (size_t i = 0; i < sizeof(index) / sizeof(index[0]); i++) {
        length = put_frame(data, FRAME_ACK, 0);
        data[FRAME_HEADER_BYTES + index[i]] = 0x80;
        cr_assert_eq(verdict_of(data, length), FRAME_MALFORMED, "at %zu", index[i]);
    }
    length = put_frame(data, FRAME_ACK, 0);
    data[FRAME_HEADER_BYTES + 1] = 2;
    cr_assert_eq(verdict_of(data, length), FRAME_MALFORMED, "an unknown flag");
    length = put_frame(data, FRAME_ACK, 0);
    data[FRAME_HEADER_BYTES + 5] = 1;
    cr_assert_eq(verdict_of(data, length), FRAME_MALFORMED, "must be zero");
}
