#include "net/netlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ATTRIBUTE_HEADER sizeof(struct nlattr) /* NLA_HDRLEN is signed */
#define REPLY_BYTES      32768                 /* the kernel makes no part of a reply longer */

int netlink_open(int protocol)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

    return fd < 0 ? -errno : fd;
}

/* ---- building ---- */

/* Append zeros, and padding up to the alignment. NULL: no room. */
static uint8_t *append(struct netlink_request *request, size_t bytes)
{
    uint8_t *at = request->bytes + request->used;
    size_t aligned = NLMSG_ALIGN(bytes);
    uint32_t length;

    if (sizeof(request->bytes) - request->used < aligned) {
        request->is_full = true;
        return NULL;
    }
    memset(at, 0, aligned);
    request->used += aligned;
    length = (uint32_t)(request->used - request->message);
    memcpy(request->bytes + request->message, &length, sizeof(length)); /* nlmsg_len */
    return at;
}

void netlink_begin(struct netlink_request *request, uint16_t type, uint16_t flags, const void *body,
                   size_t bytes)
{
    struct nlmsghdr header = {.nlmsg_len = (uint32_t)(NLMSG_HDRLEN + NLMSG_ALIGN(bytes)),
                              .nlmsg_type = type,
                              .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags)};
    uint8_t *at;

    request->message = request->used;
    at = append(request, NLMSG_HDRLEN + bytes);
    if (!at)
        return;
    memcpy(at, &header, sizeof(header));
    memcpy(at + NLMSG_HDRLEN, body, bytes);
    request->acks += (flags & NLM_F_ACK) != 0;
}

void netlink_put(struct netlink_request *request, uint16_t type, const void *value, size_t bytes)
{
    const struct nlattr header = {.nla_len = (uint16_t)(ATTRIBUTE_HEADER + bytes),
                                  .nla_type = type};
    uint8_t *at = append(request, ATTRIBUTE_HEADER + bytes);

    if (!at)
        return;
    memcpy(at, &header, sizeof(header));
    memcpy(at + ATTRIBUTE_HEADER, value, bytes);
}

void netlink_put_u32(struct netlink_request *request, uint16_t type, uint32_t value)
{
    netlink_put(request, type, &value, sizeof(value));
}

void netlink_put_text(struct netlink_request *request, uint16_t type, const char *text)
{
    netlink_put(request, type, text, strlen(text) + 1);
}

size_t netlink_nest(struct netlink_request *request, uint16_t type)
{
    size_t nest = request->used;

    netlink_put(request, (uint16_t)(type | NLA_F_NESTED), "", 0);
    return nest;
}

void netlink_unnest(struct netlink_request *request, size_t nest)
{
    uint16_t length = (uint16_t)(request->used - nest);

    if (!request->is_full)
        memcpy(request->bytes + nest, &length, sizeof(length)); /* nla_len */
}

/* ---- replies ---- */

int netlink_error(const struct nlmsghdr *message)
{
    struct nlmsgerr error;

    if (message->nlmsg_len < NLMSG_LENGTH(sizeof(error)))
        return -EIO;
    memcpy(&error, (const uint8_t *)message + NLMSG_HDRLEN, sizeof(error));
    return error.error;
}

/* Other processes can send to this socket, too: their messages are ignored. */
int netlink_read(int fd, netlink_take_fn take, void *context)
{
    _Alignas(struct nlmsghdr) uint8_t bytes[REPLY_BYTES];
    struct sockaddr_nl from = {0};
    socklen_t from_bytes;
    int64_t n; /* may fall below 0 in NLMSG_NEXT */

    for (;;) {
        from_bytes = sizeof(from);
        n = recvfrom(fd, bytes, sizeof(bytes), MSG_DONTWAIT, (struct sockaddr *)&from, &from_bytes);
        if (n <= 0)
            return n < 0 ? -errno : -EPROTO;
        if (from.nl_pid != 0)
            continue;
        for (struct nlmsghdr *at = (struct nlmsghdr *)bytes; NLMSG_OK(at, n);
             at = NLMSG_NEXT(at, n)) {
            if (!take(context, at))
                return 0;
        }
    }
}

/* State of one reply. */
struct netlink_reply {
    netlink_each_fn each; /* NULL: only acknowledgements are expected */
    void *context;
    unsigned acks; /* still to come */
    int error;
};

static bool netlink_take_message(void *context, struct nlmsghdr *message)
{
    struct netlink_reply *reply = context;
    int error;

    if (message->nlmsg_type == NLMSG_DONE) {
        reply->acks = 0;
    } else if (message->nlmsg_type != NLMSG_ERROR) {
        if (reply->each)
            reply->each(reply->context, message);
    } else {
        error = netlink_error(message);
        if (error && !reply->error)
            reply->error = error;
        reply->acks -= reply->acks > 0;
    }
    return reply->acks > 0;
}

static int netlink_exchange(int fd, const struct netlink_request *request,
                            struct netlink_reply *reply)
{
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    int rc;

    if (request->is_full)
        return -ENOBUFS;
    if (sendto(fd, request->bytes, request->used, 0, (const struct sockaddr *)&kernel,
               sizeof(kernel)) < 0)
        return -errno;
    rc = reply->acks > 0 ? netlink_read(fd, netlink_take_message, reply) : 0;
    return reply->error ? reply->error : rc; /* a batch that fails as a whole has a single reply */
}

int netlink_ask(int fd, struct netlink_request *request)
{
    struct netlink_reply reply = {.acks = request->acks};

    return netlink_exchange(fd, request, &reply);
}

int netlink_dump(int fd, struct netlink_request *request, netlink_each_fn each, void *context)
{
    struct netlink_reply reply = {.each = each, .context = context, .acks = 1};

    return netlink_exchange(fd, request, &reply);
}

const void *netlink_find(const struct nlmsghdr *message, size_t body, uint16_t type, size_t bytes)
{
    const uint8_t *at = (const uint8_t *)message + NLMSG_HDRLEN + NLMSG_ALIGN(body);
    const uint8_t *end = (const uint8_t *)message + message->nlmsg_len;
    struct nlattr header;

    while (end - at >= (ptrdiff_t)sizeof(header)) {
        memcpy(&header, at, sizeof(header));
        if (header.nla_len < ATTRIBUTE_HEADER || header.nla_len > end - at)
            return NULL;
        if ((header.nla_type & NLA_TYPE_MASK) == type)
            return header.nla_len == ATTRIBUTE_HEADER + bytes ? at + ATTRIBUTE_HEADER : NULL;
        at += NLMSG_ALIGN(header.nla_len);
    }
    return NULL;
}
