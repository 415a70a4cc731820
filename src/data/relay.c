#include "headless/data/relay.h"

#include <errno.h>
#include <stdlib.h>

#include "headless/base/clock.h"
#include "headless/base/log.h"
#include "headless/wire/proxy.h"

#define REOPEN_NS     NS_PER_SEC
#define UNREAD_RCVBUF 4096 /* nobody answers to a relay link */

/* A message's own bytes: a frame with its records, or the header in front of an iovec payload. */
struct relay_link {
    struct address to;
    struct udp_socket socket;
    struct outbox outbox;
    uint8_t *buffers; /* one per message of the outbox, buffer_bytes each */
    size_t buffer_bytes;
    uint64_t used_ns, retry_ns; /* retry: not to be opened again before */
    uint64_t sequence;

    /* The frame that is being packed, in the buffer of the outbox's next message. */
    size_t frame_bytes; /* 0: none */
    uint32_t frame_records;
    struct frame_header frame;
};

void relay_init(struct relay *relay, const struct config *config, const struct identity *identity,
                uint16_t lane, struct counters *counters)
{
    *relay = (struct relay){.identity = identity,
                            .format = config->relay_format,
                            .mtu = config->relay_mtu,
                            .batch = config->batch,
                            .lane = lane,
                            .counters = counters};
}

static void link_close(struct relay_link *link)
{
    udp_close(&link->socket);
    outbox_fini(&link->outbox);
    free(link->buffers);
    link->buffers = NULL;
}

void relay_fini(struct relay *relay)
{
    for (size_t i = 0; i < relay->link_count; i++) {
        link_close(relay->links[i]);
        free(relay->links[i]);
    }
    relay->link_count = 0;
}

void relay_begin(struct relay *relay, uint64_t now_ns)
{
    relay->now_ns = now_ns;
}

static int link_open(struct relay *relay, struct relay_link *link)
{
    size_t room = address_payload_max(&link->to, relay->mtu);
    size_t smallest = FRAME_HEADER_BYTES + RECORD_HEADER_MAX;
    int rc;

    link->buffer_bytes = room > smallest ? room : smallest;
    link->buffers = malloc(relay->batch * link->buffer_bytes);
    if (!link->buffers)
        return -ENOMEM;
    rc = udp_open_connected(&link->to, &relay->identity->self, UNREAD_RCVBUF, &link->socket);
    if (!rc)
        rc = outbox_init(&link->outbox, &link->socket, relay->batch);
    if (rc)
        link_close(link);
    return rc;
}

static struct relay_link *link_find(const struct relay *relay, const struct address *to)
{
    for (size_t i = 0; i < relay->link_count; i++) {
        if (address_equal(&relay->links[i]->to, to))
            return relay->links[i];
    }
    return NULL;
}

static void link_flush(struct relay *relay, struct relay_link *link);

/* A place in the table: a new one, or that of the link that was idle for longest. */
static struct relay_link *link_place(struct relay *relay, const struct address *to)
{
    struct relay_link *link = relay->links[0];

    if (relay->link_count < RELAY_LINKS_MAX) {
        link = calloc(1, sizeof(*link));
        if (!link)
            return NULL;
        relay->links[relay->link_count++] = link;
    } else {
        for (size_t i = 1; i < relay->link_count; i++) {
            if (relay->links[i]->used_ns < link->used_ns)
                link = relay->links[i];
        }
        link_flush(relay, link);
        link_close(link);
    }
    *link = (struct relay_link){.to = *to, .socket.fd = -1};
    return link;
}

/* The open link to a destination, or NULL when there is no way there at the moment. */
static struct relay_link *link_to(struct relay *relay, const struct address *to)
{
    struct relay_link *link = link_find(relay, to);
    char text[ADDRESS_TEXT_MAX];
    int rc;

    if (!link)
        link = link_place(relay, to);
    if (!link)
        return NULL;
    link->used_ns = relay->now_ns;
    if (link->socket.fd >= 0)
        return link;
    if (relay->now_ns < link->retry_ns)
        return NULL;
    rc = link_open(relay, link);
    if (!rc)
        return link;
    link->retry_ns = relay->now_ns + REOPEN_NS;
    log_warn("relay_unreachable", "cannot open a relay socket to %s: %s; trying again in a second",
             address_format(to, text), strerror(-rc));
    return NULL;
}

static uint8_t *next_buffer(const struct relay_link *link)
{
    return link->buffers + link->outbox.count * link->buffer_bytes;
}

/* The packed frame becomes a message. */
static void frame_close(struct relay *relay, struct relay_link *link)
{
    struct outbox_message message = {
        .parts = {{next_buffer(link), link->frame_bytes}},
        .part_count = 1,
        .weight = link->frame_records,
        .account = link->frame.type == FRAME_DATA ? OUTBOX_REQUESTS : OUTBOX_REPLIES,
    };

    if (link->frame_bytes == 0)
        return;
    outbox_add(&link->outbox, &message);
    link->frame_bytes = 0;
    link->frame_records = 0;
    counters_add(relay->counters, COUNTER_FRAMES_SENT, 1);
}

static void frame_begin(struct relay *relay, struct relay_link *link,
                        const struct frame_header *header)
{
    if (link->outbox.count == link->outbox.capacity)
        link_flush(relay, link);
    link->frame = *header;
    link->frame.lane = relay->lane;
    link->frame.cluster = relay->identity->cluster;
    link->frame.instance = relay->identity->instance;
    link->frame.sequence = ++link->sequence;
    frame_put_header(next_buffer(link), &link->frame);
    link->frame_bytes = FRAME_HEADER_BYTES;
}

/* A record too large for a frame's room: alone, payload by iovec. */
static void send_large(struct relay *relay, struct relay_link *link, const struct record *record,
                       size_t header_bytes)
{
    uint8_t *buffer = next_buffer(link);

    (void)record_put_header(buffer + FRAME_HEADER_BYTES, record);
    outbox_add(&link->outbox,
               &(struct outbox_message){
                   .parts = {{buffer, FRAME_HEADER_BYTES + header_bytes},
                             outbox_part(record->payload, record->length)},
                   .part_count = 2,
                   .weight = 1,
                   .account = link->frame.type == FRAME_DATA ? OUTBOX_REQUESTS : OUTBOX_REPLIES});
    link->frame_bytes = 0;
    counters_add(relay->counters, COUNTER_FRAMES_SENT, 1);
}

/* Put a record into the link's frame, opening and closing frames as its room and header demand. */
static void pack(struct relay *relay, struct relay_link *link, const struct frame_header *header,
                 const struct record *record)
{
    size_t header_bytes = record_header_bytes(record);
    size_t bytes = header_bytes + record->length;
    uint8_t *out;

    if (FRAME_HEADER_BYTES + bytes > UDP_PAYLOAD_MAX) {
        if (header->type == FRAME_DATA)
            counters_drop(relay->counters, DROP_oversize, 1);
        else
            counters_drop_reply(relay->counters, DROP_oversize, 1);
        return;
    }
    if (link->frame_bytes &&
        (link->frame_bytes + bytes > link->buffer_bytes || link->frame.type != header->type ||
         link->frame.hops != header->hops || link->frame.term != header->term))
        frame_close(relay, link);
    if (!link->frame_bytes)
        frame_begin(relay, link, header);
    if (link->frame_bytes + bytes > link->buffer_bytes) {
        send_large(relay, link, record, header_bytes);
        return;
    }
    out = next_buffer(link) + link->frame_bytes;
    out += record_put_header(out, record);
    memcpy(out, record->payload, record->length);
    link->frame_bytes += bytes;
    link->frame_records++;
}

/* The payload as it came, or behind a PROXY v2 header. */
static void send_plain(struct relay *relay, struct relay_link *link, const struct record *record)
{
    struct outbox_message message = {.weight = 1, .account = OUTBOX_REQUESTS};
    uint8_t *buffer;

    if (link->outbox.count == link->outbox.capacity)
        link_flush(relay, link);
    buffer = next_buffer(link);
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

void relay_request(struct relay *relay, const struct address *to, const struct request *request,
                   uint64_t term)
{
    struct relay_link *link = link_to(relay, to);

    if (!link) {
        counters_drop(relay->counters, DROP_send_failed, 1);
        return;
    }
    if (relay->format != CONFIG_RELAY_FRAMED)
        send_plain(relay, link, &request->record);
    else
        pack(relay, link,
             &(struct frame_header){
                 .type = FRAME_DATA, .hops = (uint8_t)(request->hops + 1), .term = term},
             &request->record);
}

void relay_answer(struct relay *relay, const struct address *to, const struct origin *origin,
                  uint64_t term, const uint8_t *payload, size_t length)
{
    struct relay_link *link = link_to(relay, to);
    const struct record record = {.client = origin->client,
                                  .local = origin->local,
                                  .tag = origin->tag,
                                  .payload = payload,
                                  .length = (uint16_t)length};

    if (!link) {
        counters_drop_reply(relay->counters, DROP_send_failed, 1);
        return;
    }
    pack(relay, link, &(struct frame_header){.type = FRAME_REPLY, .hops = 1, .term = term},
         &record);
}

static void link_flush(struct relay *relay, struct relay_link *link)
{
    if (link->socket.fd < 0)
        return;
    frame_close(relay, link);
    if (link->outbox.count == 0)
        return;
    outbox_flush(&link->outbox);
    relay_account(&link->outbox, relay->counters, COUNTER_RELAYED, COUNTER_REPLIES_RELAYED);
}

void relay_flush(struct relay *relay)
{
    for (size_t i = 0; i < relay->link_count; i++)
        link_flush(relay, relay->links[i]);
}

static const enum drop_reason reason_of_error[UDP_ERROR_COUNT] = {
    [UDP_ERROR_INTERRUPTED] = DROP_send_failed, [UDP_ERROR_REFUSED] = DROP_send_refused,
    [UDP_ERROR_FULL] = DROP_send_full,          [UDP_ERROR_DENIED] = DROP_send_denied,
    [UDP_ERROR_TOO_BIG] = DROP_send_too_big,    [UDP_ERROR_FAILED] = DROP_send_failed,
    [UDP_ERROR_FATAL] = DROP_send_failed,
};

void relay_account(struct outbox *outbox, struct counters *counters, size_t requests_counter,
                   size_t answers_counter)
{
    static const size_t drops[OUTBOX_ACCOUNTS] = {COUNTER_DROPPED, COUNTER_REPLIES_DROPPED};
    const size_t sent[OUTBOX_ACCOUNTS] = {requests_counter, answers_counter};

    for (size_t account = 0; account < OUTBOX_ACCOUNTS; account++) {
        struct outbox_tally *tally = &outbox->tally[account];

        if (tally->sent)
            counters_add(counters, sent[account], tally->sent);
        for (size_t error = 0; error < UDP_ERROR_COUNT; error++) {
            if (tally->failed[error])
                counters_add(counters, drops[account] + (size_t)reason_of_error[error],
                             tally->failed[error]);
        }
        *tally = (struct outbox_tally){0};
    }
}
