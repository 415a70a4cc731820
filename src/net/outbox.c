#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "headless/net/batch.h"
#include "net/control_message.h"

struct outbox_entry {
    struct sockaddr_storage name;
    struct control_buffer control;
    struct iovec parts[OUTBOX_PARTS];
    uint32_t weight;
    uint8_t account;
};

int outbox_init(struct outbox *outbox, const struct udp_socket *socket, size_t capacity)
{
    struct outbox made = {.socket = socket, .capacity = capacity};

    made.headers = calloc(capacity, sizeof(*made.headers));
    made.entries = calloc(capacity, sizeof(*made.entries));
    if (!made.headers || !made.entries) {
        outbox_fini(&made);
        return -ENOMEM;
    }
    *outbox = made;
    return 0;
}

void outbox_fini(struct outbox *outbox)
{
    free(outbox->headers);
    free(outbox->entries);
    outbox->headers = NULL;
    outbox->entries = NULL;
}

void outbox_add(struct outbox *outbox, const struct outbox_message *message)
{
    struct outbox_entry *entry;
    struct msghdr *header;

    if (outbox->count == outbox->capacity)
        outbox_flush(outbox);
    entry = &outbox->entries[outbox->count];
    header = &outbox->headers[outbox->count].msg_hdr;

    for (size_t i = 0; i < message->part_count; i++)
        entry->parts[i] = message->parts[i];
    entry->weight = message->weight;
    entry->account = (uint8_t)message->account;
    *header = (struct msghdr){.msg_iov = entry->parts, .msg_iovlen = message->part_count};
    if (message->to) {
        header->msg_name = &entry->name;
        header->msg_namelen =
            address_to_sockaddr(message->to, outbox->socket->family, &entry->name);
        if (!header->msg_namelen) {
            outbox->tally[message->account].failed[UDP_ERROR_FAILED] += message->weight;
            return;
        }
    }
    if (message->from && address_is_set(message->from))
        control_put_source(header, &entry->control, outbox->socket->family, message->from);
    outbox->count++;
}

/* True when the socket took what it had in time, so that sending may go on. */
static bool wait_for_room(int fd)
{
    struct pollfd pfd = {.fd = fd, .events = POLLOUT};

    return poll(&pfd, 1, OUTBOX_WAIT_MS) > 0 && (pfd.revents & POLLOUT);
}

static void account_sent(struct outbox *outbox, size_t from, size_t count)
{
    for (size_t i = from; i < from + count; i++) {
        struct outbox_tally *tally = &outbox->tally[outbox->entries[i].account];

        tally->messages++;
        tally->sent += outbox->entries[i].weight;
    }
}

/*
 * Decide what to do with the first unsent message, whose send failed: true to try it again, false
 * when it was given up and counted. Every message is tried again at most once for each reason.
 */
static bool retry_culprit(struct outbox *outbox, size_t index, int error_number, unsigned *tried,
                          bool *may_wait)
{
    enum udp_error error = udp_classify_error(error_number);

    if (error == UDP_ERROR_INTERRUPTED)
        return true;
    if (!(*tried & (1U << error))) {
        *tried |= 1U << error;
        if (error == UDP_ERROR_REFUSED)
            return true;
        /* One wait a flush: a socket that stays full must not hold the thread for every message. */
        if (error == UDP_ERROR_FULL && *may_wait) {
            *may_wait = wait_for_room(outbox->socket->fd);
            if (*may_wait)
                return true;
        }
    }
    outbox->tally[outbox->entries[index].account].failed[error] += outbox->entries[index].weight;
    return false;
}

void outbox_flush(struct outbox *outbox)
{
    size_t next = 0;
    unsigned tried = 0;
    bool may_wait = true;

    while (next < outbox->count) {
        int n = sendmmsg(outbox->socket->fd, outbox->headers + next,
                         (unsigned)(outbox->count - next), MSG_DONTWAIT);

        if (n > 0) {
            account_sent(outbox, next, (size_t)n);
            next += (size_t)n;
            tried = 0;
        } else if (!retry_culprit(outbox, next, errno, &tried, &may_wait)) {
            next++;
            tried = 0;
        }
    }
    outbox->count = 0;
}
