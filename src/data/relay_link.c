#include "data/relay_link.h"

#include <errno.h>
#include <stdlib.h>

#include "headless/wire/proxy.h"

#define UNREAD_RCVBUF 4096 /* nobody answers to a relay link */
#define EVIDENCE_AGE  4096 /* frames: what is refused was sent lately */
#define ERRORS_MAX    16   /* taken off an error queue at once */

int relay_link_make_room(const struct relay *relay, struct relay_link *link)
{
    size_t room = address_payload_max(&link->to, relay->mtu);
    size_t smallest = FRAME_HEADER_BYTES + ORDER_RUN_BYTES + RECORD_HEADER_MAX + SEAL_BYTES;

    link->buffer_bytes = room > smallest ? room : smallest;
    link->buffers = malloc(relay->batch * link->buffer_bytes);
    link->frames = calloc(relay->batch, sizeof(*link->frames));
    if (link->buffers && link->frames)
        return 0;
    relay_link_close(link);
    return -ENOMEM;
}

int relay_link_open(const struct relay *relay, struct relay_link *link)
{
    int rc = relay_link_make_room(relay, link);

    if (rc)
        return rc;
    rc = udp_open_connected(&link->to, &relay->identity->self, UNREAD_RCVBUF, &link->socket);
    if (!rc)
        rc = outbox_init(&link->outbox, &link->socket, relay->batch, relay->train_max);
    if (!rc && relay->format == CONFIG_RELAY_FRAMED)
        rc = udp_keep_errors(&link->socket);
    if (rc)
        relay_link_close(link);
    else
        link->outbox.segment_max = address_payload_max(&link->to, relay->mtu);
    return rc;
}

void relay_link_close(struct relay_link *link)
{
    udp_close(&link->socket);
    outbox_fini(&link->outbox);
    free(link->buffers);
    free(link->frames);
    link->buffers = NULL;
    link->frames = NULL;
    link->frame_count = 0;
    link->is_packing = false;
}

/* ---- packing ---- */

static uint8_t *buffer_of(const struct relay_link *link, size_t number)
{
    return link->buffers + number * link->buffer_bytes;
}

/* A frame that will be sealed leaves room for it: the block in front, the tag behind. */
static uint8_t *frame_of(const struct relay *relay, const struct relay_link *link, size_t number)
{
    return buffer_of(link, number) + (relay->is_sealing ? SEAL_BLOCK_BYTES : 0);
}

static size_t seal_bytes(const struct relay *relay)
{
    return relay->is_sealing ? SEAL_BYTES : 0;
}

static size_t frame_room(const struct relay *relay, const struct relay_link *link)
{
    return link->buffer_bytes - seal_bytes(relay);
}

static void frame_close(struct relay_link *link)
{
    link->frame_count += link->is_packing;
    link->is_packing = false;
}

static void put_body(struct relay_link *link, uint8_t *out, uint8_t type,
                     const union frame_body *body)
{
    if (body)
        link->body = *body;
    if (type == FRAME_ORDER)
        order_put_run(out, &link->body.run);
    else if (type == FRAME_POSITION)
        order_put_position(out, &link->body.position);
}

static struct relay_frame *frame_begin(struct relay *relay, struct relay_link *link,
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
    link->header.lane = relay->lane.lane;
    link->header.cluster = relay->identity->cluster;
    link->header.instance = relay->identity->instance;
    link->header.sequence = seal_lane_count(&relay->lane);
    link->sequence = link->header.sequence;
    frame_put_header(out, &link->header);
    frame_put_sealed(out, relay->is_sealing);
    put_body(link, out + FRAME_HEADER_BYTES, header->type, body);
    *frame = (struct relay_frame){.bytes = FRAME_HEADER_BYTES + frame_body_bytes(header->type),
                                  .type = header->type,
                                  .sequence = link->sequence};
    link->is_packing = true;
    return frame;
}

/* A run's records have consecutive numbers of one mark. */
static bool goes_on(const struct relay_link *link, const union frame_body *body)
{
    const struct order_run *begun = &link->body.run, *run = &body->run;

    return begun->first + link->frames[link->frame_count].records == run->first &&
           begun->until == run->until && order_mark_equal(begun->mark, run->mark);
}

static bool fits(const struct relay *relay, const struct relay_link *link,
                 const struct frame_header *header, const union frame_body *body, size_t bytes)
{
    const struct relay_frame *frame = &link->frames[link->frame_count];

    return frame->bytes + bytes <= frame_room(relay, link) && link->header.type == header->type &&
           link->header.hops == header->hops && link->header.term == header->term &&
           (!body || goes_on(link, body));
}

static void drop_record(struct relay *relay, uint8_t type, enum drop_reason reason)
{
    if (type == FRAME_DATA) {
        counters_drop(relay->counters, reason, 1);
    } else if (type == FRAME_REPLY) {
        counters_drop_reply(relay->counters, reason, 1);
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

    frame->records++;
    frame->bytes += header_bytes;
    if (frame->bytes + record->length > frame_room(relay, link)) { /* alone, payload by iovec */
        frame->payload = record->payload;
        frame->payload_bytes = record->length;
        frame_close(link);
        return;
    }
    memcpy(out + header_bytes, record->payload, record->length);
    frame->bytes += record->length;
}

/* There is room for one of them in one piece. */
static void send_large(struct relay *relay, struct relay_link *link)
{
    if (link == relay->copies)
        relay_copies_flush(relay);
    else
        relay_link_flush(relay, link);
}

void relay_link_pack(struct relay *relay, struct relay_link *link,
                     const struct frame_header *header, const union frame_body *body,
                     const struct record *record)
{
    size_t bytes = record ? record_header_bytes(record) + record->length : 0;
    struct relay_frame *frame;

    if (FRAME_HEADER_BYTES + frame_body_bytes(header->type) + bytes + seal_bytes(relay) >
        UDP_PAYLOAD_MAX) {
        drop_record(relay, header->type, DROP_oversize);
        return;
    }
    if (relay->is_sealing && !relay->key) {
        if (record)
            drop_record(relay, header->type, DROP_key);
        return;
    }
    if (link->is_packing && (!record || !fits(relay, link, header, body, bytes)))
        frame_close(link);
    frame = link->is_packing ? &link->frames[link->frame_count]
                             : frame_begin(relay, link, header, body);
    if (record)
        put_record(relay, link, frame, record);
    else
        frame_close(link);
    if (relay->is_sealing && frame->payload)
        send_large(relay, link);
}

void relay_link_send_plain(struct relay *relay, struct relay_link *link,
                           const struct record *record)
{
    struct outbox_message message = {.weight = 1, .account = OUTBOX_REQUESTS};
    uint8_t *buffer;

    if (link->outbox.count == link->outbox.capacity)
        relay_link_flush(relay, link);
    buffer = buffer_of(link, link->outbox.count);
    if (relay->format == CONFIG_RELAY_PROXY_V2) {
        size_t bytes = proxy_put_header(buffer, &record->client, &record->local);

        if (bytes + record->length > UDP_PAYLOAD_MAX) {
            counters_drop(relay->counters, DROP_oversize, 1);
            return;
        }
        message.parts[message.part_count++] = (struct iovec){buffer, bytes};
    }
    message.parts[message.part_count++] = outbox_part(record->payload, record->length);
    outbox_add(&link->outbox, &message);
}

/* ---- trains ---- */

/* How many frames from `first` on make a train; pads all but its last to its largest one. */
static size_t couple(const struct relay *relay, struct relay_link *link, size_t first)
{
    size_t largest = link->frames[first].bytes, smallest = largest, end = first + 1;

    for (; end < link->frame_count && !link->frames[end - 1].payload; end++) {
        size_t bytes = link->frames[end].bytes;

        if (link->frames[end].payload ||
            (bytes > largest && bytes - smallest > bytes / FRAME_WASTE))
            break;
        largest = bytes > largest ? bytes : largest;
        if (largest - bytes > largest / FRAME_WASTE) { /* short: a train's last may be */
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

/* Pads the frames so that as many as possible leave as trains. */
static void couple_all(const struct relay *relay, struct relay_link *link)
{
    for (size_t i = 0; relay->train_max > 1 && i < link->frame_count;)
        i = couple(relay, link, i);
}

/* ---- sealing ---- */

/* Who may open it: copies and answers are for whoever gets them, an answer by its tag. */
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
    frame->bytes = seal_wrap(&relay->lane, relay->key, relay->suite, frame->sequence,
                             receiver_of(link, frame), frame->start, frame->bytes);
}

/* Ready to leave: of a size with their neighbours, and sealed. */
static void finish_frames(struct relay *relay, struct relay_link *link)
{
    couple_all(relay, link);
    for (size_t i = 0; i < link->frame_count; i++) {
        link->frames[i].start = buffer_of(link, i);
        if (relay->is_sealing)
            seal_frame(relay, link, &link->frames[i]);
    }
}

static void post(struct relay_link *link, const struct relay_frame *frame)
{
    static const enum outbox_account account_of_type[] = {[FRAME_DATA] = OUTBOX_REQUESTS,
                                                          [FRAME_REPLY] = OUTBOX_REPLIES,
                                                          [FRAME_COPY] = OUTBOX_COPIES,
                                                          [FRAME_ORDER] = OUTBOX_COPIES,
                                                          [FRAME_POSITION] = OUTBOX_COPIES};
    struct outbox_message message = {
        .parts = {outbox_part(frame->start, frame->bytes)},
        .part_count = 1,
        .weight = frame->records,
        .account = account_of_type[frame->type],
    };

    if (frame->payload)
        message.parts[message.part_count++] = outbox_part(frame->payload, frame->payload_bytes);
    outbox_add(&link->outbox, &message);
}

/* Those of this link, or of the copies that go this way as well. */
static void post_frames(struct relay *relay, struct relay_link *link,
                        const struct relay_link *frames)
{
    for (size_t i = 0; i < frames->frame_count; i++)
        post(link, &frames->frames[i]);
    counters_add(relay->counters, COUNTER_FRAMES_SENT, frames->frame_count);
}

/* ---- sending ---- */

/*
 * Does this give back a frame that we sent over this link not long ago, to whom it serves now? What
 * was refused to a predecessor at this address may still wait in the queue.
 */
static bool is_our_frame(const struct relay *relay, const struct relay_link *link,
                         const struct udp_failure *failure)
{
    struct frame_header header;

    return failure->error == ECONNREFUSED && failure->is_remote &&
           frame_read_header(failure->quoted, failure->length, &header) &&
           header.cluster == relay->identity->cluster &&
           header.instance == relay->identity->instance && header.lane == relay->lane.lane &&
           header.sequence >= link->instance_from && header.sequence <= link->sequence &&
           header.sequence + EVIDENCE_AGE > link->sequence;
}

static void take_refusals(struct relay *relay, struct relay_link *link)
{
    struct udp_failure failure;

    link->outbox.may_be_refused = false;
    for (unsigned i = 0; i < ERRORS_MAX && udp_take_error(link->socket.fd, &failure); i++) {
        if (!is_our_frame(relay, link, &failure))
            counters_add(relay->counters, COUNTER_REFUSALS_IGNORED, 1);
        else if (link->instance && link->instance == relay->leader_instance)
            relay->refused_instance = link->instance;
    }
}

/* What became of it; the leader confirms requests, nobody confirms copies. */
static void account(struct relay *relay, struct relay_link *link)
{
    if (link->outbox.may_be_refused && relay->format == CONFIG_RELAY_FRAMED)
        take_refusals(relay, link);
    traffic_add(relay->traffic->relayed, link->slot, link->outbox.tally[OUTBOX_REQUESTS].sent);
    relay_account(&link->outbox, relay->counters, COUNTER_RELAYED, COUNTER_REPLIES_RELAYED);
}

void relay_link_flush(struct relay *relay, struct relay_link *link)
{
    if (link->socket.fd < 0)
        return;
    frame_close(link);
    if (link->frame_count) {
        finish_frames(relay, link);
        post_frames(relay, link, link);
        link->frame_count = 0;
    }
    if (link->outbox.count == 0)
        return;
    outbox_flush(&link->outbox);
    account(relay, link);
}

/* ---- copies ---- */

uint64_t relay_link_finish(struct relay *relay, struct relay_link *copies)
{
    uint64_t records = 0;

    frame_close(copies);
    finish_frames(relay, copies);
    for (size_t i = 0; i < copies->frame_count; i++)
        records += copies->frames[i].records;
    return records;
}

void relay_link_send_copies(struct relay *relay, struct relay_link *link,
                            const struct relay_link *copies)
{
    relay_link_flush(relay, link);
    link->sequence = copies->sequence;
    post_frames(relay, link, copies);
    outbox_flush_now(&link->outbox); /* one that is full must not cost the others their time */
    account(relay, link);
}
