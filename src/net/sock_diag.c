#include "net/sock_diag.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "net/netlink.h"

/* State of one reply. */
struct sock_diag_reply {
    uint32_t sequence;
    sock_diag_each_fn each;
    void *context;
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

static bool sock_diag_take_message(void *context, struct nlmsghdr *message)
{
    struct sock_diag_reply *reply = context;

    if (message->nlmsg_seq != reply->sequence) /* the rest of an earlier reply */
        return true;
    if (message->nlmsg_type == NLMSG_DONE)
        return false;
    if (message->nlmsg_type == NLMSG_ERROR) {
        reply->error = netlink_error(message);
        return false;
    }
    return !sock_diag_has(message, sizeof(struct inet_diag_msg)) ||
           reply->each(reply->context, message);
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
    int rc;

    discard_rest(fd);
    if (sendto(fd, request, sizeof(*request), MSG_DONTWAIT, (const struct sockaddr *)&kernel,
               sizeof(kernel)) < 0)
        return -errno;
    rc = netlink_read(fd, sock_diag_take_message, &reply);
    return rc ? rc : reply.error;
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
