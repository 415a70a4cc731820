#include "net/sock_diag.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "net/netlink.h"

#define REPLY_BYTES 8192 /* the kernel makes no part of a reply longer */

/* State of one reply. */
struct sock_diag_reply {
    uint32_t sequence;
    sock_diag_each_fn each;
    void *context;
    bool is_done;
    int error;
};

int sock_diag_open(void)
{
    return netlink_open(NETLINK_SOCK_DIAG);
}

struct sock_diag_request sock_diag_prepare(int family, uint16_t flags, uint32_t sequence)
{
    return (struct sock_diag_request){
        .header = {.nlmsg_len = sizeof(struct sock_diag_request),
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
                   .nlmsg_seq = sequence},
        .body = {.sdiag_family = (uint8_t)family,
                 .sdiag_protocol = IPPROTO_UDP,
                 .id.idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}};
}

static int sock_diag_error(struct nlmsghdr *message)
{
    struct nlmsgerr error;

    if (!sock_diag_has(message, sizeof(error)))
        return -EIO;
    memcpy(&error, NLMSG_DATA(message), sizeof(error));
    return error.error;
}

static void take_message(struct sock_diag_reply *reply, struct nlmsghdr *message)
{
    if (message->nlmsg_seq != reply->sequence) /* the rest of an earlier reply */
        return;
    if (message->nlmsg_type == NLMSG_DONE) {
        reply->is_done = true;
    } else if (message->nlmsg_type == NLMSG_ERROR) {
        reply->is_done = true;
        reply->error = sock_diag_error(message);
    } else if (sock_diag_has(message, sizeof(struct inet_diag_msg))) {
        reply->is_done = !reply->each(reply->context, message);
    }
}

static int read_reply(int fd, struct sock_diag_reply *reply)
{
    _Alignas(struct nlmsghdr) uint8_t bytes[REPLY_BYTES];
    struct sockaddr_nl from = {0};
    socklen_t from_bytes;
    int64_t n; /* may fall below 0 in NLMSG_NEXT */

    while (!reply->is_done) {
        from_bytes = sizeof(from);
        n = recvfrom(fd, bytes, sizeof(bytes), MSG_DONTWAIT, (struct sockaddr *)&from, &from_bytes);
        if (n <= 0)
            return n < 0 ? -errno : -EPROTO;
        if (from.nl_pid != 0) /* not from the kernel */
            continue;
        for (struct nlmsghdr *at = (struct nlmsghdr *)bytes; !reply->is_done && NLMSG_OK(at, n);
             at = NLMSG_NEXT(at, n))
            take_message(reply, at);
    }
    return reply->error;
}

/* The rest of a reply that was not read to its end: the kernel refuses a new list before (EBUSY). */
static void discard_rest(int fd)
{
    uint8_t byte;

    while (recv(fd, &byte, sizeof(byte), MSG_DONTWAIT) >= 0)
        ;
}

int sock_diag_ask(int fd, const struct sock_diag_request *request, sock_diag_each_fn each,
                  void *context)
{
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    struct sock_diag_reply reply = {
        .sequence = request->header.nlmsg_seq, .each = each, .context = context};

    discard_rest(fd);
    if (sendto(fd, request, sizeof(*request), MSG_DONTWAIT, (const struct sockaddr *)&kernel,
               sizeof(kernel)) < 0)
        return -errno;
    return read_reply(fd, &reply);
}

struct address sock_diag_address(int family, const void *ip, uint16_t network_port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = network_port};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = network_port};
    struct address address = {0};

    memcpy(&in.sin_addr, ip, sizeof(in.sin_addr));
    memcpy(&in6.sin6_addr, ip, sizeof(in6.sin6_addr));
    address_from_sockaddr(family == AF_INET6 ? (const struct sockaddr *)&in6
                                             : (const struct sockaddr *)&in,
                          &address);
    return address;
}
