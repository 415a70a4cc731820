/*
 * Packs records into frames, pads frames of similar size to one size, and seals them when there are
 * keys.
 */
#include "data/relay/link.h"

/* The first byte of a frame in its buffer; the block of a sealed frame is in front of it. */
static uint8_t *frame_of(const struct relay *relay, const struct relay_link *link, size_t number)
{
    return relay_link_buffer(link, number) + (relay->is_sealing ? SEAL_BLOCK_BYTES : 0);
}

static size_t seal_bytes(const struct relay *relay)
{
    return relay->is_sealing ? SEAL_BYTES : 0;
}

static size_t frame_room(const struct relay *relay, const struct relay_link *link)
{
    return link->buffer_bytes - seal_bytes(relay);
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
}

static struct relay_frame *relay_pack_begin(struct relay *relay, struct relay_link *link,
                                            const struct frame_header *header,
                                            const union frame_body *body)
{
    struct relay_frame *frame;
    uint8_t *out;

    if (link->frame_count == relay->batch && link == relay->copies)
        relay_copies_flush(relay);
    else if (link->frame_count == relay->batch)
        relay_link_flush(relay, link);
    frame = &link->frames[link->frame_count];
    out = frame_of(relay, link, link->frame_count);
    link->header = *header;
    link->header.nonce_space = relay->nonce_space.nonce_space;
    link->header.cluster = relay->identity->cluster;
    link->header.instance = relay->identity->instance;
    frame_put_header(out, &link->header);
    frame_put_sealed(out, relay->is_sealing);
    relay_pack_put_body(link, out + FRAME_HEADER_BYTES, header->type, body);
    *frame = (struct relay_frame){.bytes = FRAME_HEADER_BYTES + frame_body_bytes(header->type),
                                  .type = header->type};
    link->is_packing = true;
    return frame;
}

/* The records of a range have consecutive indices and one entry id. */
static bool continues_range(const struct relay_link *link, const union frame_body *body)
{
    const struct entry_range *begun = &link->body.range, *range = &body->range;

    return begun->first + link->frames[link->frame_count].records == range->first &&
           begun->reply_end == range->reply_end && entry_id_equal(begun->id, range->id);
}

static bool relay_pack_fits(const struct relay *relay, const struct relay_link *link,
                            const struct frame_header *header, const union frame_body *body,
                            size_t bytes)
{
    const struct relay_frame *frame = &link->frames[link->frame_count];

    return frame->bytes + bytes <= frame_room(relay, link) && link->header.type == header->type &&
           link->header.hops == header->hops && link->header.term == header->term &&
           (!body || continues_range(link, body));
}

/* A record for one member was counted as a copy before. */
static void drop_record(struct relay *relay, const struct relay_link *link, uint8_t type,
                        enum drop_reason reason)
{
    if (type == FRAME_DATA) {
        counters_drop(relay->counters, reason, 1);
    } else if (type == FRAME_REPLY) {
        counters_drop_reply(relay->counters, reason, 1);
    } else if (link != relay->copies) {
        counters_drop_copies(relay->counters, reason, 1);
    } else {
        counters_add(relay->counters, COUNTER_COPIES_MADE, relay->member_count);
        counters_drop_copies(relay->counters, reason, relay->member_count);
    }
}

static void put_record(const struct relay *relay, struct relay_link *link,
                       struct relay_frame *frame, const struct record *record)
{
    uint8_t *out = frame_of(relay, link, link->frame_count) + frame->bytes;
    size_t header_bytes = record_put_header(out, record);

    if (!relay->carries_tos)
        record_put_tos(out, 0);
    frame->records++;
    frame->bytes += header_bytes;
    if (frame->bytes + record->length > frame_room(relay, link)) { /* alone, payload as an iovec */
        frame->payload = record->payload;
        frame->payload_bytes = record->length;
        relay_pack_end(link);
        return;
    }
    memcpy(out + header_bytes, record->payload, record->length);
    frame->bytes += record->length;
}

/* Send a frame with a large payload at once: relay->large holds one sealed frame, and the payload
 * of a copy does not stay until delayed copies are sent. */
static void send_large(struct relay *relay, struct relay_link *link)
{
    if (link == relay->copies)
        relay_copies_flush(relay);
    else
        relay_link_flush(relay, link);
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
    if (FRAME_HEADER_BYTES + frame_body_bytes(header->type) + bytes + seal_bytes(relay) >
        UDP_PAYLOAD_MAX) {
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
    frame = link->is_packing ? &link->frames[link->frame_count]
                             : relay_pack_begin(relay, link, header, body);
    if (record)
        put_record(relay, link, frame, record);
    else
        relay_pack_end(link);
    if (frame->payload && (relay->is_sealing || link == relay->copies))
        send_large(relay, link);
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
        memset(frame_of(relay, link, i) + link->frames[i].bytes, 0,
               largest - link->frames[i].bytes);
        link->frames[i].bytes = largest;
    }
    return end;
}

/* Pad the frames so that as few messages as possible are sent. */
static void coalesce_all(const struct relay *relay, struct relay_link *link)
{
    for (size_t i = 0; relay->gso_max > 1 && i < link->frame_count;)
        i = coalesce(relay, link, i);
}

/* ---- sealing ---- */

/* The instance that may open the frame; 0: any. Copies are for all, a reply is bound by its tag. */
static uint64_t receiver_of(const struct relay_link *link, const struct relay_frame *frame)
{
    return frame->type == FRAME_REPLY ? 0 : link->instance;
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

/* Assign the sequence at flush: a frame delayed by relay.linger must not fall behind the receiver's
 * replay window. */
void relay_pack_finish(struct relay *relay, struct relay_link *link)
{
    relay_pack_end(link);
    coalesce_all(relay, link);
    for (size_t i = 0; i < link->frame_count; i++) {
        link->sequence = nonce_space_next(&relay->nonce_space);
        frame_put_sequence(frame_of(relay, link, i), link->sequence);
        link->frames[i].start = relay_link_buffer(link, i);
        if (relay->is_sealing)
            seal_frame(relay, link, &link->frames[i]);
    }
}
