#include "headless/net/udp_lookup.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "headless/net/udp.h"
#include "net/sock_diag.h"

#define LOOPBACK_INDEX 1 /* of lo, in every network namespace (LOOPBACK_IFINDEX) */

static bool note_found(void *context, struct nlmsghdr *message)
{
    enum udp_receiver *receiver = context;

    (void)message;
    *receiver = UDP_RECEIVER_FOUND;
    return false;
}

enum udp_receiver udp_lookup_receiver(struct udp_lookup *lookup, const struct address *from,
                                      const struct address *to)
{
    bool is_ipv6 = to->family == ADDRESS_V6;
    enum udp_receiver receiver = UDP_RECEIVER_UNKNOWN;
    struct sock_diag_request request;
    size_t bytes = is_ipv6 ? 16 : 4;

    if (lookup->fd < 0 || from->family != to->family)
        return UDP_RECEIVER_UNKNOWN;
    request = sock_diag_prepare(is_ipv6 ? AF_INET6 : AF_INET, 0, ++lookup->sequence);
    /* Here, other than in a dump, src is the source of the datagram. */
    memcpy(request.body.id.idiag_src, from->ip, bytes);
    memcpy(request.body.id.idiag_dst, to->ip, bytes);
    request.body.id.idiag_sport = htons(from->port);
    request.body.id.idiag_dport = htons(to->port);
    request.body.id.idiag_if = LOOPBACK_INDEX;
    if (sock_diag_ask(lookup->fd, &request, note_found, &receiver) == -ENOENT)
        return UDP_RECEIVER_NONE;
    return receiver;
}

/* ---- connected sockets ---- */

struct peer_list {
    const struct address *at;
    size_t count, max;
    struct address *peers;
};

static bool lookup_add_peer(void *context, struct nlmsghdr *message)
{
    const struct inet_diag_msg *socket = NLMSG_DATA(message);
    const struct inet_diag_sockid *id = &socket->id;
    struct peer_list *list = context;
    struct address at = sock_diag_address(socket->idiag_family, id->idiag_src, id->idiag_sport);

    if (list->count < list->max && address_equal(&at, list->at))
        list->peers[list->count++] =
            sock_diag_address(socket->idiag_family, id->idiag_dst, id->idiag_dport);
    return true;
}

/* Best effort: what cannot be read is not listed. */
static void list_peers(struct udp_lookup *lookup, int family, struct peer_list *list)
{
    struct sock_diag_request request = sock_diag_prepare(family, NLM_F_DUMP, ++lookup->sequence);

    request.body.idiag_states = UINT32_C(1) << TCP_ESTABLISHED;
    request.body.id.idiag_sport = htons(list->at->port);
    if (lookup->fd >= 0)
        (void)sock_diag_ask(lookup->fd, &request, lookup_add_peer, list);
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

/* ENOENT also means that the kernel lacks udp_diag: so only a socket that is found proves it. Where the
 * kernel does not say, the lookups will tell. */
static int find_own_socket(struct udp_lookup *lookup)
{
    const struct address at = {.family = ADDRESS_V4, .ip = {127, 0, 0, 1}};
    const struct udp_options options = {.rcvbuf_bytes = 1};
    struct udp_socket socket;
    int rc = udp_open_ipv4(&at, &options, &socket);

    if (rc)
        return rc;
    if (udp_lookup_receiver(lookup, &socket.local, &socket.local) == UDP_RECEIVER_NONE)
        rc = -ENOENT;
    udp_close(&socket);
    return rc;
}

int udp_lookup_open(struct udp_lookup *ret_lookup)
{
    int fd = sock_diag_open(), rc;

    *ret_lookup = (struct udp_lookup){.fd = fd < 0 ? -1 : fd};
    if (fd < 0)
        return fd;
    rc = find_own_socket(ret_lookup);
    if (rc)
        udp_lookup_close(ret_lookup);
    return rc;
}

void udp_lookup_close(struct udp_lookup *lookup)
{
    if (lookup->fd >= 0)
        (void)close(lookup->fd);
    lookup->fd = -1;
}
