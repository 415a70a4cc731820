#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "headless/base/log.h"
#include "headless/net/batch.h"
#include "net/cmsg.h"

/* A message, with part_count parts from parts[first_part] of the outbox; or a run of messages:
 * slices of one part, of `slice` bytes each, the last one may be shorter. */
struct outbox_entry {
    size_t first_part;
    uint32_t weight; /* of each message */
    uint16_t messages, slice;
    uint8_t part_count, account;
};

/* Consecutive messages that leave as one, often only one; the n-th header sends the n-th. */
struct gso_batch {
    struct sockaddr_storage name;
    struct cmsg_buffer cmsg;
    struct address to, from; /* compared with those of the next message */
    size_t bytes, segment; /* segment: bytes of every message but the last, which may be shorter */
    uint8_t tos, ttl;      /* of all messages */
    bool is_closed;        /* takes no more messages */
};

int outbox_init(struct outbox *outbox, const struct udp_socket *socket, size_t capacity,
                size_t gso_max)
{
    struct outbox made = {.socket = socket,
                          .capacity = capacity,
                          .gso_max = gso_max < GSO_BATCH_MAX ? gso_max : GSO_BATCH_MAX,
                          .segment_max = OUTBOX_SEGMENT_MAX};

    made.headers = calloc(capacity, sizeof(*made.headers));
    made.gso_batches = calloc(capacity, sizeof(*made.gso_batches));
    made.spans = calloc(capacity, sizeof(*made.spans));
    made.entries = calloc(capacity, sizeof(*made.entries));
    made.parts = calloc(capacity * OUTBOX_PARTS, sizeof(*made.parts));
    if (!made.headers || !made.gso_batches || !made.spans || !made.entries || !made.parts) {
        outbox_fini(&made);
        return -ENOMEM;
    }
    *outbox = made;
    return 0;
}

void outbox_fini(struct outbox *outbox)
{
    free(outbox->headers);
    free(outbox->gso_batches);
    free(outbox->spans);
    free(outbox->entries);
    free(outbox->parts);
    outbox->headers = NULL;
    outbox->gso_batches = NULL;
    outbox->spans = NULL;
    outbox->entries = NULL;
    outbox->parts = NULL;
}

/* ---- adding ---- */

static inline bool is_same_address(const struct address *a, const struct address *of_batch)
{
    return a ? address_equal(a, of_batch) : !address_is_set(of_batch);
}

/* True when the last GSO batch takes a message of these bytes: a shorter one closes it. */
static bool fits_last_batch(const struct outbox *outbox, const struct outbox_message *message,
                            size_t bytes)
{
    const struct gso_batch *gso_batch;

    if (outbox->gso_batch_count == 0)
        return false;
    gso_batch = &outbox->gso_batches[outbox->gso_batch_count - 1];
    return !gso_batch->is_closed && bytes <= gso_batch->segment && bytes > 0 &&
           outbox->spans[outbox->gso_batch_count - 1].count < outbox->gso_max &&
           gso_batch->bytes + bytes <= UDP_PAYLOAD_MAX && message->tos == gso_batch->tos &&
           message->ttl == gso_batch->ttl && is_same_address(message->to, &gso_batch->to) &&
           is_same_address(message->from, &gso_batch->from);
}

/* False: the socket cannot reach that address. */
static bool begin_gso_batch(struct outbox *outbox, const struct outbox_message *message,
                            size_t bytes)
{
    struct gso_batch *gso_batch = &outbox->gso_batches[outbox->gso_batch_count];
    struct msghdr *header = &outbox->headers[outbox->gso_batch_count].msg_hdr;

    gso_batch->to = message->to ? *message->to : (struct address){0};
    gso_batch->from = message->from ? *message->from : (struct address){0};
    gso_batch->bytes = 0;
    gso_batch->segment = bytes;
    gso_batch->tos = message->tos;
    gso_batch->ttl = message->ttl;
    gso_batch->is_closed = bytes == 0 || bytes > outbox->segment_max;
    outbox->spans[outbox->gso_batch_count] = (struct outbox_span){.first = outbox->count};
    *header = (struct msghdr){.msg_iov = &outbox->parts[outbox->part_count]};
    if (message->to) {
        header->msg_name = &gso_batch->name;
        header->msg_namelen =
            address_to_sockaddr(message->to, outbox->socket->family, &gso_batch->name);
        if (!header->msg_namelen)
            return false;
    }
    if (address_is_set(&gso_batch->from))
        cmsg_put_source(header, &gso_batch->cmsg, outbox->socket->family, &gso_batch->from);
    if (message->tos)
        cmsg_put_tos(header, &gso_batch->cmsg, outbox->socket->family, message->to, message->tos);
    if (message->ttl)
        cmsg_put_ttl(header, &gso_batch->cmsg, outbox->socket->family, message->ttl);
    outbox->gso_batch_count++;
    return true;
}

/* Add `count` messages to the last GSO batch; part_count and bytes are their sums. */
static void grow_gso_batch(struct outbox *outbox, size_t count, size_t part_count, size_t bytes)
{
    size_t last = outbox->gso_batch_count - 1;
    struct gso_batch *gso_batch = &outbox->gso_batches[last];
    struct msghdr *header = &outbox->headers[last].msg_hdr;
    bool was_single = outbox->spans[last].count < 2;

    header->msg_iovlen += part_count;
    gso_batch->bytes += bytes;
    gso_batch->is_closed |= bytes < count * gso_batch->segment;
    outbox->spans[last].count += count;
    if (was_single && outbox->spans[last].count > 1)
        cmsg_put_segment(header, &gso_batch->cmsg, (uint16_t)gso_batch->segment);
}

/* Append an entry to the last GSO batch; the caller appends its parts. */
static struct outbox_entry *append_entry(struct outbox *outbox,
                                         const struct outbox_message *message)
{
    struct outbox_entry *entry = &outbox->entries[outbox->count++];

    *entry = (struct outbox_entry){.first_part = outbox->part_count,
                                   .weight = message->weight,
                                   .messages = 1,
                                   .part_count = (uint8_t)message->part_count,
                                   .account = (uint8_t)message->account};
    outbox->spans[outbox->gso_batch_count - 1].entries++;
    return entry;
}

static void append_message(struct outbox *outbox, const struct outbox_message *message,
                           size_t bytes)
{
    (void)append_entry(outbox, message);
    for (size_t i = 0; i < message->part_count; i++)
        outbox->parts[outbox->part_count++] = message->parts[i];
    grow_gso_batch(outbox, 1, message->part_count, bytes);
}

void outbox_add(struct outbox *outbox, const struct outbox_message *message)
{
    size_t bytes = 0;

    if (outbox->count == outbox->capacity)
        outbox_flush(outbox);
    for (size_t i = 0; i < message->part_count; i++)
        bytes += message->parts[i].iov_len;
    if (fits_last_batch(outbox, message, bytes) || begin_gso_batch(outbox, message, bytes))
        append_message(outbox, message, bytes);
    else
        outbox->tally[message->account].failed[UDP_ERROR_FAILED] += message->weight;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Append messages of a run to the last GSO batch, which fits the first; returns their number. */
static size_t append_run(struct outbox *outbox, const struct outbox_message *message, uint8_t *run,
                         size_t length, size_t segment)
{
    const struct gso_batch *gso_batch = &outbox->gso_batches[outbox->gso_batch_count - 1];
    size_t count = (length + segment - 1) / segment, bytes;
    struct outbox_entry *entry;

    if (segment != gso_batch->segment || gso_batch->is_closed)
        count = 1; /* it closes that batch, or leaves alone */
    else
        count = smaller(count, outbox->gso_max - outbox->spans[outbox->gso_batch_count - 1].count);
    count = smaller(count, (UDP_PAYLOAD_MAX - gso_batch->bytes) / segment + 1);
    if (count > 1 && gso_batch->bytes + smaller(length, count * segment) > UDP_PAYLOAD_MAX)
        count--;
    bytes = smaller(length, count * segment);
    entry = append_entry(outbox, message);
    entry->messages = (uint16_t)count;
    entry->slice = (uint16_t)smaller(segment, bytes);
    outbox->parts[outbox->part_count++] = (struct iovec){run, bytes};
    grow_gso_batch(outbox, count, 1, bytes);
    return count;
}

void outbox_add_run(struct outbox *outbox, const struct outbox_message *message, size_t segment)
{
    uint8_t *run = message->parts[0].iov_base;
    size_t left = message->parts[0].iov_len;

    while (left > 0) {
        size_t bytes = smaller(segment, left), taken;

        if (outbox->count == outbox->capacity)
            outbox_flush(outbox);
        if (!fits_last_batch(outbox, message, bytes) && !begin_gso_batch(outbox, message, bytes)) {
            outbox->tally[message->account].failed[UDP_ERROR_FAILED] += message->weight;
            taken = bytes;
        } else {
            taken = smaller(left, segment * append_run(outbox, message, run, left, segment));
        }
        run += taken;
        left -= taken;
    }
}

/* ---- sending ---- */

/* Retries of one message. EMSGSIZE and EACCES may also be ICMP errors of earlier messages. */
static const uint8_t retries[UDP_ERROR_COUNT] = {[UDP_ERROR_REFUSED] = UDP_REFUSED_RETRIES,
                                                 [UDP_ERROR_FULL] = 1,
                                                 [UDP_ERROR_DENIED] = 1,
                                                 [UDP_ERROR_TOO_BIG] = 1};

/* State of one flush. */
struct flush_state {
    uint8_t tried[UDP_ERROR_COUNT]; /* retries of the first unsent message, for each error */
    bool may_wait; /* one wait a flush: a full socket must not block the thread for every message */
};

/* True when the socket has room again within OUTBOX_WAIT_MS. */
static bool wait_for_room(int fd)
{
    struct pollfd pfd = {.fd = fd, .events = POLLOUT};

    return poll(&pfd, 1, OUTBOX_WAIT_MS) > 0 && (pfd.revents & POLLOUT);
}

/* Messages of this entry in the span: all, unless the span is one slice of a run. */
static size_t messages_of(const struct outbox_entry *entry, struct outbox_span span)
{
    return span.entries == 1 ? span.count : entry->messages;
}

static void outbox_account_sent(struct outbox *outbox, struct outbox_span span)
{
    for (size_t i = span.first; i < span.first + span.entries; i++) {
        const struct outbox_entry *entry = &outbox->entries[i];
        struct outbox_tally *tally = &outbox->tally[entry->account];

        tally->messages += messages_of(entry, span);
        tally->sent += messages_of(entry, span) * entry->weight;
    }
    outbox->sends.gso_batches++;
    outbox->sends.datagrams += span.count;
    outbox->sends.lengths[distribution_bucket(DISTRIBUTION_SEND_GSO_BATCH, span.count)]++;
}

static void account_failed(struct outbox *outbox, struct outbox_span span, enum udp_error error)
{
    for (size_t i = span.first; i < span.first + span.entries; i++) {
        const struct outbox_entry *entry = &outbox->entries[i];

        outbox->tally[entry->account].failed[error] += messages_of(entry, span) * entry->weight;
    }
}

/* True when the first unsent message is to be sent again. */
static bool is_worth_a_retry(struct outbox *outbox, enum udp_error error, struct flush_state *state)
{
    if (error == UDP_ERROR_INTERRUPTED)
        return true;
    outbox->may_be_refused |= error == UDP_ERROR_REFUSED;
    if (state->tried[error] == retries[error])
        return false;
    state->tried[error]++;
    if (error != UDP_ERROR_FULL)
        return true;
    if (!state->may_wait)
        return false;
    state->may_wait = wait_for_room(outbox->socket->fd);
    return state->may_wait;
}

/*
 * GSO ceases to work when the route changes to a device that cannot compute the checksums: EIO or
 * EINVAL. Kernels before 6.14 also return EINVAL (newer ones EMSGSIZE) for segments larger than the
 * path takes. Any client can send those, so EINVAL counts only for segments that every path takes.
 */
static void note_gso_error(struct outbox *outbox, size_t segment, int error_number)
{
    if (outbox->gso_max == 1 ||
        (error_number != EIO && (error_number != EINVAL || segment > OUTBOX_SEGMENT_SAFE)))
        return;
    outbox->gso_max = 1;
    log_warn("gso_off",
             "the kernel refused a GSO batch (UDP_SEGMENT): %s; datagrams are sent one by one from "
             "now on",
             strerror(error_number));
}

static void send_spans(struct outbox *outbox, struct mmsghdr *headers,
                       const struct outbox_span *spans, size_t count, struct flush_state *state);

/* Fill the header with the n-th message of an entry; of a run, with its n-th slice. */
static void fill_header(struct outbox *outbox, const struct outbox_entry *entry, size_t n,
                        struct iovec *slice, struct msghdr *header)
{
    struct iovec *parts = &outbox->parts[entry->first_part];

    header->msg_iov = parts;
    header->msg_iovlen = entry->part_count;
    cmsg_drop_segment(header);
    if (entry->messages == 1)
        return;
    slice->iov_base = (uint8_t *)parts->iov_base + n * entry->slice;
    slice->iov_len = smaller(entry->slice, parts->iov_len - n * entry->slice);
    header->msg_iov = slice;
}

/* Send the messages of a GSO batch that the kernel refused one by one. */
static void send_singly(struct outbox *outbox, const struct msghdr *header, struct outbox_span span,
                        struct flush_state *state)
{
    struct mmsghdr headers[GSO_BATCH_MAX];
    struct outbox_span spans[GSO_BATCH_MAX];
    struct iovec slices[GSO_BATCH_MAX];
    size_t count = 0;

    for (size_t i = span.first; i < span.first + span.entries; i++) {
        for (size_t n = 0; n < outbox->entries[i].messages; n++, count++) {
            spans[count] = (struct outbox_span){.first = i, .entries = 1, .count = 1};
            headers[count].msg_hdr = *header;
            fill_header(outbox, &outbox->entries[i], n, &slices[count], &headers[count].msg_hdr);
        }
    }
    send_spans(outbox, headers, spans, count, state);
}

/* The n-th header sends the n-th span. */
static void send_spans(struct outbox *outbox, struct mmsghdr *headers,
                       const struct outbox_span *spans, size_t count, struct flush_state *state)
{
    size_t next = 0;

    memset(state->tried, 0, sizeof(state->tried));
    while (next < count) {
        int n =
            sendmmsg(outbox->socket->fd, headers + next, (unsigned)(count - next), MSG_DONTWAIT);
        int error_number = errno;
        enum udp_error error = udp_classify_error(error_number);

        outbox->sends.calls++;
        if (n > 0) {
            for (int i = 0; i < n; i++)
                outbox_account_sent(outbox, spans[next++]);
            memset(state->tried, 0, sizeof(state->tried));
            outbox->may_be_refused |= next < count; /* the errno of that message is lost */
            continue;
        }
        if (is_worth_a_retry(outbox, error, state))
            continue;
        if (spans[next].count > 1 && error != UDP_ERROR_REFUSED && error != UDP_ERROR_FULL) {
            note_gso_error(outbox, outbox->gso_batches[next].segment, error_number);
            send_singly(outbox, &headers[next].msg_hdr, spans[next], state);
        } else {
            outbox->error_number = error_number;
            account_failed(outbox, spans[next], error);
        }
        memset(state->tried, 0, sizeof(state->tried));
        next++;
    }
}

static void outbox_send_all(struct outbox *outbox, bool may_wait)
{
    struct flush_state state = {.may_wait = may_wait};

    send_spans(outbox, outbox->headers, outbox->spans, outbox->gso_batch_count, &state);
    outbox_discard(outbox);
}

void outbox_flush(struct outbox *outbox)
{
    outbox_send_all(outbox, true);
}

void outbox_flush_now(struct outbox *outbox)
{
    outbox_send_all(outbox, false);
}
