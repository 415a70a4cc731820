/*
 * Records over frames. The input is a script: records of any sizes are written over frames of a
 * sender, which then come, are lost, come twice or late, with their link block or their bytes
 * changed, in one GRO batch or several.
 *
 * A record is put together only if each of its frames came once, in turn and unchanged, or if the
 * input made it: then it is valid. Each record counted as received is finished or dropped, and the
 * memory is bounded.
 */
#include <string.h>

#include "data/relay/reassembly.h"
#include "fuzz.h"

#define CLUSTER    UINT64_C(0x0102030405060708)
#define FRAME_MAX  160
#define FRAMES_MAX 64
#define MEMBERS    2

struct input {
    const uint8_t *next, *end;
};

struct sent_frame {
    uint8_t bytes[FRAME_MAX];
    size_t length;
};

static struct counters counters;
static struct traffic traffic;
static struct reassembly reassembly;
static struct sent_frame sent[FRAMES_MAX];
static size_t sent_count;
static uint64_t sequence, begun_count, finished;
static bool is_clean; /* nothing was changed: every finished record is one that was written */

static uint8_t take(struct input *in)
{
    return in->next < in->end ? *in->next++ : 0;
}

/* ---- the sender ---- */

/* The bytes of a record whose payload is determined by its size. */
static size_t write_record(uint8_t *out, size_t size)
{
    struct record record = {.length = (uint16_t)size, .tag = size};
    size_t bytes;

    FUZZ_CHECK(address_parse("10.0.0.1:4711", 0, &record.client) == 0);
    FUZZ_CHECK(address_parse("10.0.0.2:12000", 0, &record.local) == 0);
    bytes = record_put_header(out, &record);
    for (size_t i = 0; i < size; i++)
        out[bytes + i] = (uint8_t)(size + i);
    return bytes + size;
}

static size_t begin_frame(uint8_t *out, uint8_t type, uint8_t nonce_space)
{
    const struct frame_header header = {.type = type,
                                        .hops = 1,
                                        .nonce_space = nonce_space,
                                        .cluster = CLUSTER,
                                        .instance = 1,
                                        .sequence = ++sequence,
                                        .has_link = true};

    frame_put_header(out, &header);
    return frame_prefix_bytes(&header);
}

/* Records in frames of this size, as relay/pack.c cuts them. */
static void write_frames(struct input *in)
{
    static uint8_t stream[8 * 1024];
    static size_t ends[9];
    const uint8_t records = 1 + take(in) % 8, type = take(in) % 3 + 1, space = take(in) % 3;
    const size_t room = 60 + take(in) % (FRAME_MAX - 60);
    size_t length = 0, at = 0;

    for (size_t i = 0; i < records; i++) {
        length += write_record(stream + length, (size_t)take(in) * (take(in) % 4));
        ends[i] = length;
    }
    for (size_t record = 0; at < length && sent_count < FRAMES_MAX; sent_count++) {
        struct sent_frame *frame = &sent[sent_count];
        struct frame_link link = {.number = sequence + 1};
        size_t prefix = begin_frame(frame->bytes, type, space);
        size_t part = length - at < room - prefix ? length - at : room - prefix;
        size_t first = record ? ends[record - 1] : 0;

        if (first < at)
            link.continued = (uint16_t)(ends[record] - at < part ? ends[record] - at : part);
        while (record < records && ends[record] <= at + part)
            record++;
        first = record ? ends[record - 1] : 0;
        if (first < at + part && first >= at)
            link.begun = (uint16_t)(at + part - first);
        frame_put_link(frame->bytes + FRAME_HEADER_BYTES, &link);
        memcpy(frame->bytes + prefix, stream + at, part);
        frame->length = prefix + part;
        at += part;
    }
}

/* ---- the recipient ---- */

static void check_record(const struct record *record)
{
    FUZZ_CHECK(record_is_valid(record));
    if (!is_clean)
        return;
    FUZZ_CHECK(record->tag == record->length);
    for (size_t i = 0; i < record->length; i++)
        FUZZ_CHECK(record->payload[i] == (uint8_t)(record->length + i));
}

static void receive(uint8_t *data, size_t length, uint16_t member_index)
{
    struct frame_header header;
    struct relay_part part = {
        .header = &header, .data = data, .length = length, .member_index = member_index};
    struct frame_reader reader;
    struct relay_whole whole;
    struct record record;

    if (frame_open(data, length, CLUSTER, &header, &part.records, &reader) != FRAME_OK)
        return;
    if (reassembly_continue(&reassembly, &part, &whole)) {
        FUZZ_CHECK(frame_next(&whole.reader, &record));
        check_record(&record);
        FUZZ_CHECK(!frame_next(&whole.reader, &record));
        finished++;
    }
    while (frame_next(&reader, &record))
        check_record(&record);
    begun_count += header.link.begun > 0;
    reassembly_begin(&reassembly, &part);
}

/* Frames from `first` on, adjacent in memory, as one GRO batch. */
static void receive_batch(size_t first, size_t count, uint16_t member_index)
{
    static uint8_t memory[FRAMES_MAX * FRAME_MAX];
    size_t at = 0;

    for (size_t i = first; i < first + count && i < sent_count; i++) {
        memcpy(memory + at, sent[i].bytes, sent[i].length);
        receive(memory + at, sent[i].length, member_index);
        at += sent[i].length;
    }
    reassembly_keep(&reassembly);
    memset(memory, 0xaa, sizeof(memory)); /* it belongs to the receiver again */
}

static void step(struct input *in)
{
    const uint8_t what = take(in) % 8;
    const size_t frame = sent_count ? take(in) % sent_count : 0;

    if (what == 0) {
        sent_count = 0;
        write_frames(in);
    } else if (what == 1 && sent_count) {
        is_clean = false;
        sent[frame].bytes[FRAME_HEADER_BYTES + take(in) % (FRAME_MAX - FRAME_HEADER_BYTES)] ^=
            take(in);
    } else if (what == 2 && sent_count) {
        is_clean = false;
        sent[frame].bytes[39] = take(in); /* the sequence */
    } else if (what == 3) {
        reassembly_release(&reassembly);
    } else if (what == 4) {
        reassembly.now_ns += (uint64_t)take(in) * 10 * NS_PER_MS;
        reassembly_expire(&reassembly);
    } else {
        receive_batch(frame, 1 + take(in) % FRAMES_MAX, take(in) % MEMBERS);
    }
}

static uint64_t total(size_t counter)
{
    return atomic_load_explicit(&counters.value[counter], memory_order_relaxed);
}

static uint64_t dropped(enum drop_reason reason)
{
    return total(COUNTER_DROPPED + (size_t)reason) +
           total(COUNTER_REPLIES_DROPPED + (size_t)reason);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};

    memset(&counters, 0, sizeof(counters));
    sent_count = 0;
    sequence = begun_count = finished = 0;
    is_clean = true;
    FUZZ_CHECK(reassembly.list || reassembly_init(&reassembly, 8, &counters, &traffic) == 0);
    while (in.next < in.end) {
        step(&in);
        FUZZ_CHECK(reassembly.open_count <= MEMBERS * FRAME_AUTH_NONCE_SPACES);
        FUZZ_CHECK(reassembly.free_count + reassembly.done_count + reassembly.open_count ==
                   reassembly.count);
    }
    reassembly_keep(&reassembly);
    reassembly.now_ns += 2 * REASSEMBLY_AGE_NS;
    reassembly_expire(&reassembly);
    FUZZ_CHECK(reassembly.open_count == 0);
    FUZZ_CHECK(begun_count == finished + dropped(DROP_incomplete) + dropped(DROP_malformed));
    FUZZ_CHECK(total(COUNTER_RECEIVED_RELAY) + total(COUNTER_REPLIES_FROM_RELAY) ==
               dropped(DROP_incomplete) + dropped(DROP_malformed));
    reassembly_release(&reassembly);
    FUZZ_CHECK(reassembly.free_count == reassembly.count);
    return 0;
}
