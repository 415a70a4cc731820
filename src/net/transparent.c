#include "headless/net/transparent.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/in6.h>
#include <netinet/in.h>
#include <unistd.h>

#include "net/nft_clients.h"

static int set_transparent(const struct udp_socket *socket)
{
    const int on = 1;
    int rc = socket->family == AF_INET6
                 ? setsockopt(socket->fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &on, sizeof(on))
                 : setsockopt(socket->fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof(on));

    return rc < 0 ? -errno : 0;
}

static int connect_to_app(const struct udp_socket *socket, const struct address *app)
{
    struct sockaddr_storage sa;
    socklen_t length = address_to_sockaddr(app, socket->family, &sa);

    return connect(socket->fd, (struct sockaddr *)&sa, length) < 0 ? -errno : 0;
}

/* Bind to the client's address, unless a socket without IP_TRANSPARENT may do so as well. */
static int bind_transparent(const struct udp_socket *socket, const struct address *client)
{
    int rc = udp_bind(socket, client);

    if (rc != -EADDRNOTAVAIL)
        return rc == -EMFILE || rc == -ENOMEM ? rc : -EADDRNOTAVAIL;
    rc = set_transparent(socket);
    if (!rc)
        rc = udp_bind(socket, client);
    return rc;
}

int udp_open_transparent(const struct address *client, const struct address *app,
                         uint64_t rcvbuf_bytes, struct udp_socket *ret_socket)
{
    /* SO_REUSEADDR: the socket of the client's previous session may not be closed yet. */
    const struct udp_options options = {
        .reuse_address = true, .tos = true, .rcvbuf_bytes = rcvbuf_bytes};
    struct udp_socket socket;
    int rc;

    if (client->family != app->family)
        return -EADDRNOTAVAIL;
    rc = udp_create((enum address_family)app->family, &options, &socket);
    if (rc)
        return rc;
    socket.local = *client;
    rc = bind_transparent(&socket, client);
    if (!rc)
        rc = connect_to_app(&socket, app);
    if (rc)
        udp_close(&socket);
    else
        *ret_socket = socket;
    return rc;
}

int udp_transparent_announce(int fd, const struct address *app, uint16_t signal_port, bool is_open)
{
    const struct address to = address_with_port(*app, signal_port);
    int family = app->family == ADDRESS_V6 ? AF_INET6 : AF_INET;
    struct sockaddr_storage sa;
    socklen_t length = address_to_sockaddr(&to, family, &sa);

    /* The rule drops it, if it could change the set: EPERM. */
    if (sendto(fd, "\0", is_open ? NFT_SIGNAL_ADD : NFT_SIGNAL_DELETE, MSG_DONTWAIT,
               (struct sockaddr *)&sa, length) < 0 &&
        errno == EPERM)
        return 0;
    return -ENOSPC;
}

void udp_transparent_release(int fd)
{
    const struct sockaddr none = {.sa_family = AF_UNSPEC};

    (void)connect(fd, &none, sizeof(none));
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
