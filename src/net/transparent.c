#include "headless/net/transparent.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/in6.h>
#include <netinet/in.h>
#include <unistd.h>

#include "net/cmsg.h"
#include "net/nft_clients.h"

static int set_transparent(const struct udp_socket *socket)
{
    const int on = 1;
    int rc = socket->family == AF_INET6
                 ? setsockopt(socket->fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &on, sizeof(on))
                 : setsockopt(socket->fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof(on));

    return rc < 0 ? -errno : 0;
}

static int read_name(struct udp_socket *socket)
{
    struct sockaddr_storage sa;
    socklen_t length = sizeof(sa);

    if (getsockname(socket->fd, (struct sockaddr *)&sa, &length) < 0)
        return -errno;
    address_from_sockaddr((struct sockaddr *)&sa, &socket->local);
    return 0;
}

int udp_open_transparent(const struct address *app, uint64_t rcvbuf_bytes,
                         struct udp_socket *ret_socket)
{
    /* Replies come over lo. To a pod's address, which belongs to another device, a socket that is bound
     * to lo cannot send. */
    const struct udp_options options = {.local_address = true,
                                        .tos = true,
                                        .loopback_only = address_is_loopback(app),
                                        .error_queue = true,
                                        .rcvbuf_bytes = rcvbuf_bytes};
    const struct address any = address_any((enum address_family)app->family);
    struct udp_socket socket;
    int rc = udp_create((enum address_family)app->family, &options, &socket);

    if (rc)
        return rc;
    socket.wildcard = true;
    rc = set_transparent(&socket);
    if (!rc)
        rc = udp_bind(&socket, &any);
    if (!rc)
        rc = read_name(&socket);
    if (rc)
        udp_close(&socket);
    else
        *ret_socket = socket;
    return rc;
}

void udp_transparent_announce(const struct udp_socket *socket, const struct address *client,
                              const struct address *app, bool is_open)
{
    const struct address to = address_with_port(*app, client->port);
    struct sockaddr_storage name;
    struct cmsg_buffer cmsg;
    struct msghdr header = {.msg_name = &name};

    header.msg_namelen = address_to_sockaddr(&to, socket->family, &name);
    cmsg_put_source(&header, &cmsg, socket->family, client);
    cmsg_put_ttl(&header, &cmsg, socket->family, is_open ? NFT_SIGNAL_ADD : NFT_SIGNAL_DELETE);
    /* EPERM: a rule has dropped it. A refusal of an earlier datagram may be reported in its place. */
    for (unsigned i = 0; i <= UDP_REFUSED_RETRIES; i++) {
        if (sendmsg(socket->fd, &header, MSG_DONTWAIT) >= 0 ||
            udp_classify_error(errno) != UDP_ERROR_REFUSED)
            return;
    }
}

/* Errors of bind about the address, or the port at it: inet_bind and inet6_bind check the address first. */
static bool is_about_the_address(int error_number)
{
    return error_number == EADDRINUSE || error_number == EINVAL || error_number == ENODEV;
}

int udp_check_source(int *probe, const struct address *ip)
{
    const struct address at = address_with_port(*ip, 0);
    int family = ip->family == ADDRESS_V6 ? AF_INET6 : AF_INET;
    struct sockaddr_storage sa;
    socklen_t length = address_to_sockaddr(&at, family, &sa);

    if (*probe < 0)
        *probe = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (*probe < 0)
        return -errno;
    if (bind(*probe, (struct sockaddr *)&sa, length) < 0) {
        if (errno == EADDRNOTAVAIL)
            return 0;
        return is_about_the_address(errno) ? -EADDRINUSE : -errno;
    }
    (void)close(*probe); /* it may be bound no second time */
    *probe = -1;
    return -EADDRINUSE;
}

static bool is_on(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char value = '0';

    if (fd < 0)
        return false;
    if (read(fd, &value, 1) != 1)
        value = '0';
    (void)close(fd);
    return value != '0';
}

const char *udp_transparent_obstacle(void)
{
    if (is_on("/proc/sys/net/ipv4/ip_nonlocal_bind"))
        return "net.ipv4.ip_nonlocal_bind";
    if (is_on("/proc/sys/net/ipv6/ip_nonlocal_bind"))
        return "net.ipv6.ip_nonlocal_bind";
    return NULL;
}
