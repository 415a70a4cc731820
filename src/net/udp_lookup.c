#include "headless/net/udp_lookup.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "headless/net/udp.h"

#define LOOPBACK_INDEX 1 /* of lo, in every network namespace (LOOPBACK_IFINDEX) */
#define REPLY_BYTES    8192

struct lookup_request {
    struct nlmsghdr header;
    struct inet_diag_req_v2 body;
};

static uint8_t family_of(const struct address *address)
{
    return address->family == ADDRESS_V6 ? AF_INET6 : AF_INET;
}

static struct lookup_request request_for(struct udp_lookup *lookup, uint8_t family, uint16_t flags)
{
    return (struct lookup_request){
        .header = {.nlmsg_len = sizeof(struct lookup_request),
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
                   .nlmsg_seq = ++lookup->sequence},
        .body = {.sdiag_family = family,
                 .sdiag_protocol = IPPROTO_UDP,
                 .id.idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}};
}

static bool lookup_send(struct udp_lookup *lookup, const struct lookup_request *request)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

    return lookup->fd >= 0 &&
           sendto(lookup->fd, request, sizeof(*request), MSG_DONTWAIT, (struct sockaddr *)&kernel,
                  sizeof(kernel)) == (ssize_t)sizeof(*request);
}

/* Calls each() for the messages of the reply, until it returns false. False: there is no reply. */
static bool lookup_read(struct udp_lookup *lookup,
                        bool (*each)(void *context, struct nlmsghdr *message), void *context)
{
    _Alignas(struct nlmsghdr) uint8_t bytes[REPLY_BYTES];
    bool goes_on = true;

    while (goes_on) {
        ssize_t n = recv(lookup->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        struct nlmsghdr *message = (struct nlmsghdr *)(void *)bytes;

        if (n <= 0)
            return false;
        for (size_t left = (size_t)n; goes_on && NLMSG_OK(message, left);
             message = NLMSG_NEXT(message, left)) {
            if (message->nlmsg_seq == lookup->sequence) /* else: of a request that was given up */
                goes_on = message->nlmsg_type != NLMSG_DONE && each(context, message);
        }
    }
    return true;
}

static bool parse_receiver(void *context, struct nlmsghdr *message)
{
    enum udp_receiver *receiver = context;
    struct nlmsgerr error;

    if (message->nlmsg_type == SOCK_DIAG_BY_FAMILY) {
        *receiver = UDP_RECEIVER_FOUND;
    } else if (message->nlmsg_type == NLMSG_ERROR &&
               message->nlmsg_len >= NLMSG_LENGTH(sizeof(error))) {
        memcpy(&error, NLMSG_DATA(message), sizeof(error));
        if (error.error == -ENOENT)
            *receiver = UDP_RECEIVER_NONE;
    }
    return false;
}

enum udp_receiver udp_lookup_receiver(struct udp_lookup *lookup, const struct address *from,
                                      const struct address *to)
{
    struct lookup_request request = request_for(lookup, family_of(to), 0);
    enum udp_receiver receiver = UDP_RECEIVER_UNKNOWN;
    size_t bytes = to->family == ADDRESS_V6 ? 16 : 4;

    if (from->family != to->family)
        return UDP_RECEIVER_UNKNOWN;
    /* Here, other than in a dump, src is the source of the datagram. */
    memcpy(request.body.id.idiag_src, from->ip, bytes);
    memcpy(request.body.id.idiag_dst, to->ip, bytes);
    request.body.id.idiag_sport = htons(from->port);
    request.body.id.idiag_dport = htons(to->port);
    request.body.id.idiag_if = LOOPBACK_INDEX;
    if (!lookup_send(lookup, &request) || !lookup_read(lookup, parse_receiver, &receiver))
        return UDP_RECEIVER_UNKNOWN;
    return receiver;
}

/* ---- connected sockets ---- */

struct peer_list {
    const struct address *at;
    size_t count, max;
    struct address *peers;
};

static struct address diag_address(uint8_t family, const void *ip, uint16_t network_port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = network_port};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = network_port};
    struct address address = {0};

    memcpy(&in.sin_addr, ip, sizeof(in.sin_addr));
    memcpy(&in6.sin6_addr, ip, sizeof(in6.sin6_addr));
    address_from_sockaddr(family == AF_INET6 ? (struct sockaddr *)&in6 : (struct sockaddr *)&in,
                          &address);
    return address;
}

static bool parse_socket(void *context, struct nlmsghdr *message)
{
    struct peer_list *list = context;
    struct inet_diag_msg socket;
    struct address at;

    if (message->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
        message->nlmsg_len < NLMSG_LENGTH(sizeof(socket)))
        return message->nlmsg_type != NLMSG_ERROR;
    memcpy(&socket, NLMSG_DATA(message), sizeof(socket));
    at = diag_address(socket.idiag_family, socket.id.idiag_src, socket.id.idiag_sport);
    if (list->count < list->max && address_equal(&at, list->at))
        list->peers[list->count++] =
            diag_address(socket.idiag_family, socket.id.idiag_dst, socket.id.idiag_dport);
    return true;
}

static void list_peers(struct udp_lookup *lookup, uint8_t family, struct peer_list *list)
{
    struct lookup_request request = request_for(lookup, family, NLM_F_DUMP);

    request.body.idiag_states = UINT32_C(1) << TCP_ESTABLISHED;
    request.body.id.idiag_sport = htons(list->at->port);
    if (lookup_send(lookup, &request))
        (void)lookup_read(lookup, parse_socket, list);
}

size_t udp_lookup_peers(struct udp_lookup *lookup, const struct address *at, size_t max,
                        struct address ret_peers[])
{
    struct peer_list list = {.at = at, .max = max, .peers = ret_peers};

    list_peers(lookup, AF_INET6, &list); /* a dual-stack socket is an IPv6 one */
    if (at->family == ADDRESS_V4)
        list_peers(lookup, AF_INET, &list);
    return list.count;
}

/* ---- opening ---- */

/* ENOENT also means that the kernel lacks udp_diag: so only a socket that is found proves it. */
static bool finds_own_socket(struct udp_lookup *lookup)
{
    const struct address at = {.family = ADDRESS_V4, .ip = {127, 0, 0, 1}};
    const struct udp_options options = {.rcvbuf_bytes = 1};
    struct udp_socket socket;
    bool is_found;

    if (udp_open_ipv4(&at, &options, &socket) != 0)
        return false;
    is_found = udp_lookup_receiver(lookup, &socket.local, &socket.local) == UDP_RECEIVER_FOUND;
    udp_close(&socket);
    return is_found;
}

void udp_lookup_open(struct udp_lookup *ret_lookup)
{
    *ret_lookup =
        (struct udp_lookup){.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG)};
    if (ret_lookup->fd >= 0 && !finds_own_socket(ret_lookup))
        udp_lookup_close(ret_lookup);
}

void udp_lookup_close(struct udp_lookup *lookup)
{
    if (lookup->fd >= 0)
        (void)close(lookup->fd);
    lookup->fd = -1;
}
