#include "data/relay/link.h"

#include <errno.h>
#include <stdlib.h>

#include "data/loop_guard.h"
#include "headless/base/clock.h"
#include "headless/wire/proxy.h"

#define UNREAD_RCVBUF  4096 /* nothing is received on a relay link */
#define EVIDENCE_AGE   4096 /* frames: a refused one must be among the last sent */
#define ERRORS_MAX     16   /* entries taken off an error queue at once */
#define PATH_MTU_MIN   1280 /* a lower one is not followed: frames would be too many and too small */
#define PATH_NS        NS_PER_SEC /* between two looks at the path's MTU */

/* Bytes of a frame that are not of records, at most. */
#define FRAME_OVERHEAD (FRAME_HEADER_BYTES + FRAME_LINK_BYTES + ENTRY_RANGE_BYTES + SEAL_BYTES)

static size_t larger_of(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t frame_bytes_at(const struct relay_link *link, size_t mtu)
{
    return larger_of(address_payload_max(&link->to, mtu), FRAME_OVERHEAD + RECORD_HEADER_MAX);
}

/* Frames that hold the largest record, one of them begun by another record. */
static size_t frames_of_largest(size_t frame_bytes)
{
    return RECORD_MAX / (frame_bytes - FRAME_OVERHEAD) + 2;
}

/* The frames of a batch of datagrams that fill one each, and of a record of any size, have room. */
int relay_link_make_room(struct relay *relay, struct relay_link *link)
{
    const size_t largest = frame_bytes_at(link, relay->mtu);
    const size_t path_min = frame_bytes_at(link, PATH_MTU_MIN);
    const size_t smallest = largest < path_min ? largest : path_min;

    link->capacity = relay->batch;
    if (relay->format == CONFIG_RELAY_FRAMED)
        link->capacity = larger_of(relay->batch + relay->batch / 2, frames_of_largest(smallest));
    link->buffers_bytes = larger_of(larger_of(relay->batch, frames_of_largest(largest)) * largest,
                                    link->capacity * smallest);
    link->buffers = malloc(link->buffers_bytes);
    link->frames = calloc(link->capacity, sizeof(*link->frames));
    relay_link_size_frames(relay, link, 0);
    if (link->buffers && link->frames)
        return 0;
    relay_link_close(link);
    return -ENOMEM;
}

void relay_link_size_frames(struct relay *relay, struct relay_link *link, size_t path_mtu)
{
    size_t mtu = relay->mtu;

    if (path_mtu && path_mtu < mtu)
        mtu = larger_of(path_mtu, mtu < PATH_MTU_MIN ? mtu : PATH_MTU_MIN);
    link->frame_bytes = frame_bytes_at(link, mtu);
    link->frame_max = link->buffers_bytes / link->frame_bytes;
    if (link->frame_max > link->capacity)
        link->frame_max = link->capacity;
    link->outbox.segment_max = link->frame_bytes;
    relay->copies_are_sized = false;
}

/* The link has no frames. */
static void read_path(struct relay *relay, struct relay_link *link)
{
    if (relay->format == CONFIG_RELAY_FRAMED)
        relay_link_size_frames(relay, link, udp_path_mtu(&link->socket));
    link->path_read_ns = relay->now_ns;
}

int relay_link_open(struct relay *relay, struct relay_link *link)
{
    int rc = relay_link_make_room(relay, link);

    if (rc)
        return rc;
    rc = udp_open_connected(&link->to, &relay->identity->self, UNREAD_RCVBUF, &link->socket);
    if (!rc)
        rc = outbox_init(&link->outbox, &link->socket, link->capacity, relay->gso_max);
    if (!rc && relay->format == CONFIG_RELAY_FRAMED)
        rc = udp_keep_errors(&link->socket);
    else if (!rc)
        rc = udp_set_ttl(&link->socket, LOOP_GUARD_TTL);
    if (rc) {
        relay_link_close(link);
        return rc;
    }
    link->outbox.segment_max = address_payload_max(&link->to, relay->mtu);
    read_path(relay, link);
    return 0;
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

/* ---- sending ---- */

void relay_link_send_plain(struct relay *relay, struct relay_link *link,
                           const struct record *record)
{
    struct outbox_message message = {.weight = 1, .account = OUTBOX_REQUESTS, .tos = record->tos};
    uint8_t *buffer;

    if (record->ttl && !loop_guard_pass(record, &link->to, &message.ttl)) {
        counters_drop(relay->counters, DROP_ttl, 1);
        return;
    }
    if (link->outbox.count == link->outbox.capacity)
        relay_link_flush(relay, link);
    buffer = relay_link_buffer(link, link->outbox.count);
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

static void relay_link_post(struct relay_link *link, const struct relay_frame *frame)
{
    static const enum outbox_account account_of_type[FRAME_TYPES_END] = {
        [FRAME_DATA] = OUTBOX_REQUESTS,      [FRAME_REPLY] = OUTBOX_REPLIES,
        [FRAME_COPY] = OUTBOX_COPIES,        [FRAME_ENTRIES] = OUTBOX_COPIES,
        [FRAME_ACK] = OUTBOX_COPIES,         [FRAME_KEPT_DATA] = OUTBOX_REQUESTS,
        [FRAME_KEPT_REPLY] = OUTBOX_REPLIES, [FRAME_CONFIRM] = OUTBOX_COPIES};
    struct outbox_message message = {
        .parts = {outbox_part(frame->start, frame->bytes)},
        .part_count = 1,
        .weight = frame_is_kept(frame->type) ? 0 : frame->records, /* counted when it was kept */
        .account = account_of_type[frame->type],
    };

    if (frame->payload)
        message.parts[message.part_count++] = outbox_part(frame->payload, frame->payload_bytes);
    outbox_add(&link->outbox, &message);
}

/* Post the frames of this link, or the copies. */
static void post_frames(struct relay *relay, struct relay_link *link,
                        const struct relay_link *frames)
{
    size_t posted = 0;

    for (size_t i = 0; i < frames->frame_count; i++) {
        if (frames->frames[i].is_withheld)
            continue;
        relay_link_post(link, &frames->frames[i]);
        posted++;
    }
    counters_add(relay->counters, COUNTER_FRAMES_SENT, posted);
}

/* ---- evidence ---- */

/*
 * True when the ICMP error quotes a frame that this link sent lately to its present receiver.
 * Errors about a predecessor at this address may still be in the queue.
 */
static bool is_our_frame(const struct relay *relay, const struct relay_link *link,
                         const struct udp_failure *failure)
{
    struct frame_header header;

    return failure->error == ECONNREFUSED && failure->is_remote &&
           frame_read_header(failure->quoted, failure->length, &header) &&
           header.cluster == relay->identity->cluster &&
           header.instance == relay->identity->instance &&
           header.nonce_space == relay->nonce_space.nonce_space &&
           header.sequence >= link->instance_from && header.sequence <= link->sequence &&
           header.sequence + EVIDENCE_AGE > link->sequence;
}

static void relay_link_take_errors(struct relay *relay, struct relay_link *link)
{
    struct udp_failure failure;

    link->path_read_ns = 0;
    link->outbox.may_be_refused = false;
    for (unsigned i = 0; i < ERRORS_MAX && udp_take_error(link->socket.fd, &failure); i++) {
        bool is_ours = is_our_frame(relay, link, &failure);

        if (!is_ours)
            counters_add(relay->counters, COUNTER_REFUSALS_IGNORED, 1);
        else if (link->instance && (link->instance == relay->leader_instance ||
                                    link->instance == relay->former_instance))
            relay->refused_instance = link->instance;
        if (is_ours)
            kept_refuse(&relay->kept, link->slot);
    }
}

/* Count the results. traffic: requests only, since the leader confirms no others. */
static void account(struct relay *relay, struct relay_link *link)
{
    if (link->outbox.may_be_refused && relay->format == CONFIG_RELAY_FRAMED)
        relay_link_take_errors(relay, link);
    traffic_add(relay->traffic->relayed, link->member_index,
                link->outbox.tally[OUTBOX_REQUESTS].sent);
    relay_account(&link->outbox, relay->counters, COUNTER_RELAYED, COUNTER_REPLIES_RELAYED);
    if (relay->now_ns >= link->path_read_ns + PATH_NS)
        read_path(relay, link);
}

void relay_link_flush(struct relay *relay, struct relay_link *link)
{
    if (link->socket.fd < 0)
        return;
    relay_pack_finish(relay, link);
    if (link->frame_count) {
        post_frames(relay, link, link);
        link->frame_count = 0;
    }
    if (link->outbox.count == 0)
        return;
    outbox_flush(&link->outbox);
    account(relay, link);
}

/* ---- copies ---- */

void relay_link_send_copies(struct relay *relay, struct relay_link *link,
                            const struct relay_link *copies)
{
    link->sequence = copies->sequence;
    post_frames(relay, link, copies);
    outbox_flush_now(&link->outbox); /* a full socket must not delay the other members */
    account(relay, link);
}
