/* frame: the link block, and records that are not whole in a frame. */
#include <criterion/criterion.h>

#include "headless/wire/frame.h"

#define CLUSTER UINT64_C(0xa77b2ed1c2164d6e)

static uint8_t data[512];

/* A frame of this type and link block, with the body and the bytes behind them; its length. */
static size_t make(uint8_t type, struct frame_link link, const void *bytes, size_t count)
{
    const struct frame_header header = {.type = type,
                                        .hops = 1,
                                        .cluster = CLUSTER,
                                        .instance = 5,
                                        .sequence = 9,
                                        .has_link = true,
                                        .link = link};
    const size_t prefix = frame_prefix_bytes(&header);

    memset(data, 0xee, sizeof(data));
    frame_put_header(data, &header);
    frame_put_link(data + FRAME_HEADER_BYTES, &link);
    if (type == FRAME_ENTRIES)
        entry_put_range(data + prefix - ENTRY_RANGE_BYTES,
                        &(struct entry_range){.first = 7, .oldest = 1});
    else if (type == FRAME_ACK)
        entry_put_ack(data + prefix - ENTRY_ACK_BYTES, &(struct entry_ack){.last = 3});
    memcpy(data + prefix, bytes, count);
    return prefix + count;
}

/* "hi" of an IPv4 client: 26 bytes. */
static const uint8_t record[] = {0,    2,    1,    0,    10,   0,    0,    1,    0x9c,
                                 0x40, 10,   0,    0,    2,    0x2e, 0xe0, 0xa1, 0xa2,
                                 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 'h',  'i'};
#define WHOLE sizeof(record)

static enum frame_verdict open_frame(size_t length, struct frame_header *ret_header,
                                     size_t *ret_records)
{
    struct frame_reader reader;

    return frame_open(data, length, CLUSTER, ret_header, ret_records, &reader);
}

static void expect_refused(size_t length)
{
    struct frame_header header;
    size_t records;

    cr_expect_eq(open_frame(length, &header, &records), FRAME_MALFORMED);
}

Test(frame_parts, link_block_is_these_bytes)
{
    static const uint8_t block[] = {0, 0, 0, 0, 0, 1, 2, 3, 0x04, 0x05, 0x06, 0x07};

    (void)make(FRAME_DATA, (struct frame_link){0x010203, 0x0405, 0x0607}, record, WHOLE);
    cr_assert_eq(data[4], 2);
    cr_assert_eq(memcmp(data + FRAME_HEADER_BYTES, block, sizeof(block)), 0);
    frame_put_sealed(data, true);
    cr_assert_eq(data[4], 3);
    cr_assert(frame_is_sealed(data));
    frame_put_sealed(data, false);
    cr_assert_eq(data[4], 2);
}

Test(frame_parts, whole_records_stand_between_the_parts)
{
    uint8_t bytes[3 * WHOLE];
    struct frame_header header;
    struct frame_reader reader;
    struct record read;
    size_t records, length;

    memset(bytes, 0x55, sizeof(bytes));
    memcpy(bytes + 10, record, WHOLE);
    length = make(FRAME_DATA, (struct frame_link){4, 10, 16}, bytes, 10 + WHOLE + 16);
    cr_assert_eq(frame_open(data, length, CLUSTER, &header, &records, &reader), FRAME_OK);
    cr_assert_eq(records, 1);
    cr_assert(header.has_link);
    cr_assert_eq(header.link.number, 4);
    cr_assert_eq(header.link.continued, 10);
    cr_assert_eq(header.link.begun, 16);
    cr_assert(frame_next(&reader, &read));
    cr_assert_eq(read.length, 2);
    cr_assert_eq(memcmp(read.payload, "hi", 2), 0);
    cr_assert_not(frame_next(&reader, &read));
}

Test(frame_parts, frame_may_have_parts_alone_or_padding_behind_records)
{
    static const struct frame_link links[] = {{0, WHOLE, 0}, {0, 0, WHOLE}, {0, 20, 6}, {0, 1, 25}};
    uint8_t padded[WHOLE + 40] = {0};
    struct frame_header header;
    size_t records;

    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        cr_expect_eq(open_frame(make(FRAME_DATA, links[i], record, WHOLE), &header, &records),
                     FRAME_OK);
        cr_expect_eq(records, 0);
    }
    memcpy(padded + 4, record, WHOLE);
    cr_expect_eq(open_frame(make(FRAME_REPLY, (struct frame_link){1, 4, 0}, padded, sizeof(padded)),
                            &header, &records),
                 FRAME_OK);
    cr_expect_eq(records, 1);
}

Test(frame_parts, parts_that_do_not_fit_are_malformed)
{
    static const struct frame_link links[] = {
        {0, WHOLE + 1, 0}, {0, 0, WHOLE + 1}, {0, WHOLE, 1}, {0, 65535, 65535}, {0, 14, 13}};

    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
        expect_refused(make(FRAME_DATA, links[i], record, WHOLE));
    expect_refused(make(FRAME_DATA, (struct frame_link){0, 0, 0}, record, 0));
    expect_refused(make(FRAME_DATA, (struct frame_link){0, 2, 0}, record, WHOLE)); /* no record */
    expect_refused(make(FRAME_ACK, (struct frame_link){0, 4, 0}, record, 4));
    for (size_t length = 0; length < FRAME_HEADER_BYTES + FRAME_LINK_BYTES; length++) {
        (void)make(FRAME_DATA, (struct frame_link){0, 0, 0}, record, WHOLE);
        expect_refused(length);
    }
}

/* It would be ambiguous where the beginning of the next record is. */
Test(frame_parts, padding_in_front_of_a_beginning_is_malformed)
{
    uint8_t bytes[WHOLE + 8] = {0};

    memcpy(bytes, record, WHOLE);
    expect_refused(make(FRAME_DATA, (struct frame_link){0, 0, 3}, bytes, sizeof(bytes)));
    expect_refused(make(FRAME_DATA, (struct frame_link){0, WHOLE, 3}, bytes, sizeof(bytes)));
}

Test(frame_parts, bodies_stand_behind_the_link_block)
{
    struct frame_header header;
    union frame_body body;
    size_t records;

    cr_assert_eq(
        open_frame(make(FRAME_ENTRIES, (struct frame_link){0, 3, 5}, record, 8), &header, &records),
        FRAME_OK);
    frame_get_body(data, &header, &body);
    cr_assert_eq(body.range.first, 7);
    cr_assert_eq(
        open_frame(make(FRAME_ACK, (struct frame_link){8, 0, 0}, record, 0), &header, &records),
        FRAME_OK);
    frame_get_body(data, &header, &body);
    cr_assert_eq(body.ack.last, 3);
}

Test(frame_parts, record_is_measured_by_its_first_three_bytes)
{
    static const uint8_t unknown_kind[] = {0, 2, 0x41, 0}, too_long[] = {0xff, 0xff, 1, 0};
    struct record read;
    size_t bytes = 77;

    for (size_t length = 0; length <= WHOLE; length++) {
        cr_assert(record_measure(record, length, &bytes));
        cr_assert_eq(bytes, length < 3 ? 0 : WHOLE);
        cr_assert_eq(record_read(record, length, &read), length == WHOLE);
    }
    cr_assert_not(record_measure(unknown_kind, 4, &bytes));
    cr_assert_not(record_measure(too_long, 4, &bytes));
}
