/*
 * Any datagram on the relay port. frame_open refuses it with its outputs untouched, or accepts it:
 * then its records lie within it and are valid, and written again they give the same bytes. A frame
 * has one encoding, except for padding.
 */
#include <string.h>

#include "fuzz.h"
#include "headless/wire/frame.h"

/* The cluster of the input, so that the fuzzer need not guess 64 bits. */
static uint64_t cluster_of(const uint8_t *data, size_t size)
{
    uint64_t cluster = 0;

    for (size_t i = 8; size >= 16 && i < 16; i++)
        cluster = cluster << 8 | data[i];
    return cluster;
}

static void check_refused(const uint8_t *data, size_t size, uint64_t cluster)
{
    struct frame_header header = {.type = 77};
    struct frame_reader reader = {0};
    size_t records = 77;

    FUZZ_CHECK(frame_open(data, size, cluster, &header, &records, &reader) != FRAME_OK);
    FUZZ_CHECK(header.type == 77 && records == 77 && !reader.next && !reader.end);
}

/* The same for the body between header and records; returns the bytes so far. */
static size_t rewrite_body(const uint8_t *data, const struct frame_header *header, uint8_t *copy)
{
    union frame_body body;

    frame_get_body(data, header, &body);
    if (header->type == FRAME_ENTRIES)
        entry_put_range(copy + FRAME_HEADER_BYTES, &body.range);
    else if (header->type == FRAME_ACK)
        entry_put_ack(copy + FRAME_HEADER_BYTES, &body.ack);
    return FRAME_HEADER_BYTES + frame_body_bytes(header->type);
}

/* Read all records and write them behind the header; returns the bytes of the copy. */
static size_t rewrite(const uint8_t *data, size_t size, const struct frame_header *header,
                      struct frame_reader reader, size_t records, uint8_t *copy)
{
    size_t length = rewrite_body(data, header, copy), found = 0;
    struct record record;

    for (; frame_next(&reader, &record); found++) {
        size_t header_bytes = record_header_bytes(&record);

        FUZZ_CHECK(record_is_valid(&record));
        FUZZ_CHECK(header_bytes <= RECORD_HEADER_MAX);
        FUZZ_CHECK(record.payload == data + length + header_bytes);
        FUZZ_CHECK(length + header_bytes + record.length <= size);
        FUZZ_CHECK(record_put_header(copy + length, &record) == header_bytes);
        memcpy(copy + length + header_bytes, record.payload, record.length);
        length += header_bytes + record.length;
    }
    FUZZ_CHECK(found == records && (found > 0 || frame_body_bytes(header->type) > 0));
    FUZZ_CHECK(!frame_next(&reader, &record));
    return length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t cluster = cluster_of(data, size);
    struct frame_header header, again;
    struct frame_reader reader;
    size_t records, records_again, length;
    uint8_t *copy;

    check_refused(data, size, ~cluster);
    if (frame_open(data, size, cluster, &header, &records, &reader) != FRAME_OK) {
        check_refused(data, size, cluster);
        return 0;
    }
    FUZZ_CHECK(header.cluster == cluster);
    FUZZ_CHECK(header.hops >= 1 && header.hops <= FRAME_HOPS_MAX);
    copy = malloc(size + RECORD_HEADER_MAX);
    FUZZ_CHECK(copy);
    frame_put_header(copy, &header);
    length = rewrite(data, size, &header, reader, records, copy);
    FUZZ_CHECK(memcmp(copy, data, length) == 0);
    FUZZ_CHECK(frame_open(copy, length, cluster, &again, &records_again, &reader) == FRAME_OK);
    FUZZ_CHECK(records_again == records);
    FUZZ_CHECK(again.type == header.type && again.sequence == header.sequence);
    free(copy);
    return 0;
}
