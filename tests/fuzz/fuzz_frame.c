/*
 * Any datagram on the relay port. frame_open refuses it with its outputs untouched, or accepts it:
 * then its records and parts lie within it, the records are valid, and written again they give the
 * same bytes. A frame has one encoding, except for padding.
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

/* The same for link block and body between header and records; returns the bytes so far. */
static size_t rewrite_body(const uint8_t *data, const struct frame_header *header, uint8_t *copy)
{
    const size_t prefix = frame_prefix_bytes(header);
    uint8_t *out = copy + prefix - frame_body_bytes(header->type);
    union frame_body body;

    if (header->has_link)
        frame_put_link(copy + FRAME_HEADER_BYTES, &header->link);
    frame_get_body(data, header, &body);
    if (header->type == FRAME_ENTRIES)
        entry_put_range(out, &body.range);
    else if (header->type == FRAME_ACK)
        entry_put_ack(out, &body.ack);
    else if (frame_is_kept(header->type))
        frame_put_place(out, &body.place);
    else if (header->type == FRAME_CONFIRM)
        confirmation_put(out, &body.confirmation);
    return prefix;
}

/* Bytes of a part: a record that begins so may be measured, and read once it is whole. */
static void check_part(const uint8_t *data, size_t length)
{
    struct record record = {.ttl = 77};
    size_t bytes = 77;

    if (record_measure(data, length, &bytes))
        FUZZ_CHECK(bytes == 0 ? length < 3 : bytes <= RECORD_MAX);
    else
        FUZZ_CHECK(bytes == 77);
    if (record_read(data, length, &record))
        FUZZ_CHECK(bytes == length && record.payload + record.length == data + length);
    else
        FUZZ_CHECK(record.ttl == 77);
}

static bool has_parts(const struct frame_header *header)
{
    return header->link.continued || header->link.begun;
}

/* Read all records and write them behind the header; returns the bytes of the copy. */
static size_t rewrite(const uint8_t *data, size_t size, const struct frame_header *header,
                      struct frame_reader reader, size_t records, uint8_t *copy)
{
    size_t length = rewrite_body(data, header, copy), found = 0;
    const size_t begun = header->link.begun;
    struct record record;

    FUZZ_CHECK(length + header->link.continued + begun <= size);
    memcpy(copy + length, data + length, header->link.continued);
    check_part(data + length, header->link.continued);
    length += header->link.continued;
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
    FUZZ_CHECK(found == records);
    FUZZ_CHECK(found > 0 || has_parts(header) || frame_body_bytes(header->type) > 0);
    FUZZ_CHECK(!frame_next(&reader, &record));
    FUZZ_CHECK(!begun || length + begun == size);
    memcpy(copy + length, data + size - begun, begun);
    check_part(data + size - begun, begun);
    return length + begun;
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
