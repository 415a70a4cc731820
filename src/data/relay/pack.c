/*
 * Packs records into frames, in which they continue from one to the next; pads frames of similar
 * size to one size, and seals them when there are keys.
 */
#include "data/relay/link.h"

uint8_t *relay_pack_frame(const struct relay *relay, const struct relay_link *link, size_t number)
{
    return relay_link_buffer(link, number) + (relay->is_sealing ? SEAL_BLOCK_BYTES : 0);
}

static size_t seal_bytes(const struct relay *relay)
{
    return relay->is_sealing ? SEAL_BYTES : 0;
}

size_t relay_pack_room(const struct relay *relay, const struct relay_link *link)
{
    return link->frame_bytes - seal_bytes(relay);
}

static void relay_pack_end(struct relay_link *link)
{
    link->frame_count += link->is_packing;
    link->is_packing = false;
}

static void relay_pack_put_body(struct relay_link *link, uint8_t *out, uint8_t type,
                                const union frame_body *body)
{
    if (body)
        link->body = *body;
    if (type == FRAME_ENTRIES)
        entry_put_range(out, &link->body.range);
    else if (type == FRAME_ACK)
        entry_put_ack(out, &link->body.ack);
    else if (type == FRAME_CONFIRM)
        confirmation_put(out, &link->body.confirmation);
}

static void flush_frames(struct relay *relay, struct relay_link *link)
{
    if (link == relay->copies)
        relay_copies_flush(relay);
    else
        relay_link_flush(relay, link);
}

static struct relay_frame *relay_pack_begin(struct relay *relay, struct relay_link *link,
                                            const struct frame_header *header,
                                            const union frame_body *body)
{
    struct relay_frame *frame;
    uint8_t *out;

    if (link->frame_count == link->frame_max)
        flush_frames(relay, link);
    if (link == relay->copies && !relay->copies_are_sized && link->frame_count == 0)
        relay_copies_size(relay);
    frame = &link->frames[link->frame_count];
    out = relay_pack_frame(relay, link, link->frame_count);
    link->header = *header;
    link->header.nonce_space = relay->nonce_space.nonce_space;
    link->header.cluster = relay->identity->cluster;
    link->header.instance = relay->identity->instance;
    link->header.has_link = relay->splits_records || frame_is_kept(header->type);
    frame_put_header(out, &link->header);
    frame_put_sealed(out, relay->is_sealing);
    *frame = (struct relay_frame){.bytes = frame_prefix_bytes(&link->header),
                                  .type = header->type,
                                  .hops = header->hops,
                                  .term = header->term,
                                  .has_link = link->header.has_link};
    relay_pack_put_body(link, out + frame->bytes - frame_body_bytes(header->type), header->type,
                        body);
    link->is_packing = true;
    return frame;
}

struct relay_frame *relay_pack_prefix(struct relay *relay, struct relay_link *link,
                                      const struct frame_header *header)
{
    return relay_pack_begin(relay, link, header, NULL);
}

/* The records of a range have consecutive indices and one entry id. */
static bool continues_range(const struct relay_link *link, const union frame_body *body)
{
    const struct entry_range *begun = &link->body.range, *range = &body->range;

    return begun->first + link->frames[link->frame_count].records == range->first &&
           begun->reply_end == range->reply_end && entry_id_equal(begun->id, range->id);
}

/* Has the frame being packed this header and, as far as it is packed, this range? */
static bool is_same_frame(const struct relay *relay, const struct relay_link *link,
                          const struct frame_header *header, const union frame_body *body)
{
    return link->header.type == header->type && link->header.hops == header->hops &&
           link->header.term == header->term && link->header.has_link == relay->splits_records &&
           (header->type != FRAME_ENTRIES || continues_range(link, body));
}

static size_t room_left(const struct relay *relay, const struct relay_link *link)
{
    return relay_pack_room(relay, link) - link->frames[link->frame_count].bytes;
}

/* May the frame being packed take a record of these bytes, or the beginning of it? */
static bool relay_pack_fits(const struct relay *relay, const struct relay_link *link,
                            const struct frame_header *header, const union frame_body *body,
                            size_t bytes)
{
    size_t needed = relay->splits_records && bytes > 0 ? 1 : bytes;

    return needed <= room_left(relay, link) && is_same_frame(relay, link, header, body);
}

/* A record for one member was counted as a copy before. */
static void drop_record(struct relay *relay, const struct relay_link *link, uint8_t type,
                        enum drop_reason reason)
{
    if (frame_plain_type(type) == FRAME_DATA) {
        counters_drop(relay->counters, reason, 1);
    } else if (frame_plain_type(type) == FRAME_REPLY) {
        counters_drop_reply(relay->counters, reason, 1);
    } else if (link != relay->copies) {
        counters_drop_copies(relay->counters, reason, 1);
    } else {
        counters_add(relay->counters, COUNTER_COPIES_MADE, relay->member_count);
        counters_drop_copies(relay->counters, reason, relay->member_count);
    }
}

static void put_record(struct relay *relay, struct relay_link *link, struct relay_frame *frame,
                       const struct record *record)
{
    uint8_t *out = relay_pack_frame(relay, link, link->frame_count) + frame->bytes;
    size_t header_bytes = record_put_header(out, record);

    if (!relay->carries_tos)
        record_put_tos(out, 0);
    frame->records++;
    relay_keep_record(relay, frame, record);
    frame->bytes += header_bytes;
    if (frame->bytes + record->length >
        relay_pack_room(relay, link)) { /* alone, payload as an iovec */
        frame->payload = record->payload;
        frame->payload_bytes = record->length;
        relay_pack_end(link);
        return;
    }
    memcpy(out + header_bytes, record->payload, record->length);
    frame->bytes += record->length;
}

/* ---- records over frames ---- */

/* A record as a sequence of bytes: its header, then its payload. */
struct record_bytes {
    uint8_t header[RECORD_HEADER_MAX];
    size_t header_bytes, whole, next; /* next: the first that is in no frame yet */
    const uint8_t *payload;
};

/* The next bytes of a record, to the end of the frame being packed. */
static void put_part(const struct relay *relay, struct relay_link *link, struct relay_frame *frame,
                     struct record_bytes *record)
{
    uint8_t *out = relay_pack_frame(relay, link, link->frame_count) + frame->bytes;
    size_t left = record->whole - record->next, room = room_left(relay, link);
    size_t part = left < room ? left : room, of_header = 0;

    if (record->next < record->header_bytes) {
        of_header = record->header_bytes - record->next;
        of_header = of_header < part ? of_header : part;
        memcpy(out, record->header + record->next, of_header);
    }
    if (part > of_header)
        memcpy(out + of_header, record->payload + record->next + of_header - record->header_bytes,
               part - of_header);
    if (record->next > 0)
        frame->continued = (uint16_t)part;
    else if (part < record->whole)
        frame->begun = (uint16_t)part;
    frame->bytes += part;
    record->next += part;
}

/* The body of the frames in which a record continues: that of the record after it. */
static void body_after(uint8_t type, union frame_body *body)
{
    if (type != FRAME_ENTRIES)
        return;
    body->range.previous = body->range.id;
    body->range.first++;
}

/* A flush has whole records: send the frames before this one if there is no room for all of it. */
static void make_room(struct relay *relay, struct relay_link *link,
                      const struct frame_header *header, size_t bytes)
{
    struct frame_header with_link = *header;
    size_t room, left = link->is_packing ? room_left(relay, link) : 0, more;

    with_link.has_link = true;
    room = relay_pack_room(relay, link) - frame_prefix_bytes(&with_link);
    more = bytes > left ? (bytes - left + room - 1) / room : 0;
    if (link->frame_count + link->is_packing + more > link->frame_max)
        flush_frames(relay, link);
}

static void pack_over_frames(struct relay *relay, struct relay_link *link,
                             const struct frame_header *header, const union frame_body *body,
                             const struct record *record)
{
    struct record_bytes bytes = {.payload = record->payload};
    union frame_body next = body ? *body : (union frame_body){0};
    struct relay_frame *frame;

    bytes.header_bytes = record_put_header(bytes.header, record);
    bytes.whole = bytes.header_bytes + record->length;
    if (!relay->carries_tos)
        record_put_tos(bytes.header, 0);
    make_room(relay, link, header, bytes.whole);
    frame = link->is_packing ? &link->frames[link->frame_count]
                             : relay_pack_begin(relay, link, header, body);
    frame->records++;
    relay_keep_record(relay, frame, record);
    put_part(relay, link, frame, &bytes);
    body_after(header->type, &next);
    while (bytes.next < bytes.whole) {
        relay_pack_end(link);
        frame = relay_pack_begin(relay, link, header, body ? &next : NULL);
        put_part(relay, link, frame, &bytes);
    }
}

/* ---- packing ---- */

static bool is_oversize(const struct relay *relay, const struct frame_header *header,
                        const struct record *record, size_t bytes)
{
    if (relay->splits_records)
        return record && record->length > RECORD_PAYLOAD_MAX;
    return FRAME_HEADER_BYTES + frame_body_bytes(header->type) + bytes + seal_bytes(relay) >
           UDP_PAYLOAD_MAX;
}

/* For members that do not read the TTL. */
static __attribute__((noinline)) void pack_without_ttl(struct relay *relay, struct relay_link *link,
                                                       const struct frame_header *header,
                                                       const union frame_body *body,
                                                       const struct record *record)
{
    struct record plain = *record;

    plain.ttl = 0;
    relay_link_pack(relay, link, header, body, &plain);
}

void relay_link_pack(struct relay *relay, struct relay_link *link,
                     const struct frame_header *header, const union frame_body *body,
                     const struct record *record)
{
    size_t bytes = record ? record_header_bytes(record) + record->length : 0;
    struct relay_frame *frame;

    if (record && record->ttl && !relay->carries_tos) {
        pack_without_ttl(relay, link, header, body, record);
        return;
    }
    if (is_oversize(relay, header, record, bytes)) {
        drop_record(relay, link, header->type, DROP_oversize);
        return;
    }
    if (relay->is_sealing && !relay->key) {
        if (record)
            drop_record(relay, link, header->type, DROP_key);
        return;
    }
    if (link->is_packing && (!record || !relay_pack_fits(relay, link, header, body, bytes)))
        relay_pack_end(link);
    if (relay->splits_records && record && !(link->is_packing && bytes <= room_left(relay, link))) {
        pack_over_frames(relay, link, header, body, record);
        return;
    }
    frame = link->is_packing ? &link->frames[link->frame_count]
                             : relay_pack_begin(relay, link, header, body);
    if (record)
        put_record(relay, link, frame, record);
    else
        relay_pack_end(link);
    /* relay->large holds one sealed frame, and the payload of a copy does not stay until delayed
     * copies are sent. */
    if (frame->payload && (relay->is_sealing || link == relay->copies))
        flush_frames(relay, link);
}

/* ---- GSO batches ---- */

/* Find the frames from `first` on that make a GSO batch, and pad all but the last to the largest.
 * Returns the index behind the batch. */
static size_t coalesce(const struct relay *relay, struct relay_link *link, size_t first)
{
    size_t largest = link->frames[first].bytes, smallest = largest, end = first + 1;

    for (; end < link->frame_count && !link->frames[end - 1].payload; end++) {
        size_t bytes = link->frames[end].bytes;

        if (link->frames[end].payload ||
            (bytes > largest && bytes - smallest > bytes / FRAME_WASTE))
            break;
        largest = bytes > largest ? bytes : largest;
        if (largest - bytes > largest / FRAME_WASTE) { /* only the last may be shorter */
            end++;
            break;
        }
        smallest = bytes < smallest ? bytes : smallest;
    }
    for (size_t i = first; i + 1 < end; i++) {
        memset(relay_pack_frame(relay, link, i) + link->frames[i].bytes, 0,
               largest - link->frames[i].bytes);
        link->frames[i].bytes = largest;
    }
    return end;
}

/* Pad the frames so that as few messages as possible are sent. */
static void coalesce_all(const struct relay *relay, struct relay_link *link)
{
    if (link->is_withholding) /* frames that are sent with others later */
        return;
    for (size_t i = 0; relay->gso_max > 1 && i < link->frame_count;)
        i = coalesce(relay, link, i);
}

/* ---- sealing ---- */

/* The instance that may open the frame; 0: any. Copies are for all, a reply is bound by its tag. */
static uint64_t receiver_of(const struct relay_link *link, const struct relay_frame *frame)
{
    return frame->type == FRAME_REPLY || frame->type == FRAME_CONFIRM ? 0 : link->instance;
}

static void seal_frame(struct relay *relay, const struct relay_link *link,
                       struct relay_frame *frame)
{
    if (frame->payload) {
        memcpy(relay->large, frame->start, SEAL_BLOCK_BYTES + frame->bytes);
        memcpy(relay->large + SEAL_BLOCK_BYTES + frame->bytes, frame->payload,
               frame->payload_bytes);
        frame->start = relay->large;
        frame->bytes += frame->payload_bytes;
        frame->payload = NULL;
    }
    frame->bytes = seal_wrap(&relay->nonce_space, relay->key, relay->suite, link->sequence,
                             receiver_of(link, frame), frame->start, frame->bytes);
}

size_t relay_pack_close(struct relay_link *link)
{
    size_t records = 0;

    relay_pack_end(link);
    for (size_t i = 0; i < link->frame_count; i++)
        records += link->frames[i].records;
    return records;
}

/* No link counts the copies, which are the same for all members. */
static void put_link(const struct relay *relay, struct relay_link *link, size_t number)
{
    const struct relay_frame *frame = &link->frames[number];
    const struct frame_link block = {.number = link == relay->copies ? 0 : ++link->number,
                                     .continued = frame->continued,
                                     .begun = frame->begun};

    frame_put_link(relay_pack_frame(relay, link, number) + FRAME_HEADER_BYTES, &block);
}

/* Assign the sequence at flush: a frame delayed by relay.linger must not fall behind the receiver's
 * replay window. */
void relay_pack_finish(struct relay *relay, struct relay_link *link)
{
    relay_pack_end(link);
    relay_keep_frames(relay, link);
    coalesce_all(relay, link);
    for (size_t i = 0; i < link->frame_count; i++) {
        if (link->frames[i].is_withheld)
            continue;
        link->sequence = nonce_space_next(&relay->nonce_space);
        frame_put_sequence(relay_pack_frame(relay, link, i), link->sequence);
        if (link->frames[i].has_link)
            put_link(relay, link, i);
        link->frames[i].start = relay_link_buffer(link, i);
        if (relay->is_sealing)
            seal_frame(relay, link, &link->frames[i]);
    }
}
