#include "net/netlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ATTRIBUTE_HEADER sizeof(struct nlattr) /* NLA_HDRLEN is signed */
#define REPLY_BYTES      32768                 /* the kernel makes no part of a dump longer */

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

/* State of one reply. */
struct netlink_reply {
    netlink_each_fn each; /* NULL: only acknowledgements are expected */
    void *context;
    unsigned acks; /* still to come */
    int error;
};

static void netlink_take_message(struct netlink_reply *reply, const struct nlmsghdr *message)
{
    struct nlmsgerr error = {0};

    if (message->nlmsg_type == NLMSG_DONE) {
        reply->acks = 0;
    } else if (message->nlmsg_type != NLMSG_ERROR) {
        if (reply->each)
            reply->each(reply->context, message);
    } else if (message->nlmsg_len >= NLMSG_LENGTH(sizeof(error))) {
        memcpy(&error, (const uint8_t *)message + NLMSG_HDRLEN, sizeof(error));
        if (error.error && !reply->error)
            reply->error = error.error;
        reply->acks -= reply->acks > 0;
    }
}

static int netlink_read_reply(int fd, struct netlink_reply *reply)
{
    _Alignas(struct nlmsghdr) uint8_t bytes[REPLY_BYTES];
    int64_t n; /* may fall below 0 in NLMSG_NEXT */

    while (reply->acks > 0) {
        n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (n <= 0) /* a batch that fails as a whole has a single reply */
            return reply->error ? reply->error : n < 0 ? -errno : -EPROTO;
        for (struct nlmsghdr *at = (struct nlmsghdr *)bytes; NLMSG_OK(at, n);
             at = NLMSG_NEXT(at, n))
            netlink_take_message(reply, at);
    }
    return reply->error;
}

static int netlink_exchange(int fd, const struct netlink_request *request,
                            struct netlink_reply *reply)
{
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

    if (request->is_full)
        return -ENOBUFS;
    if (sendto(fd, request->bytes, request->used, 0, (const struct sockaddr *)&kernel,
               sizeof(kernel)) < 0)
        return -errno;
    return netlink_read_reply(fd, reply);
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
