#include "headless/net/tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#define BACKLOG      128
#define KEEP_IDLE_S  15
#define KEEP_EVERY_S 5
#define KEEP_PROBES  3

static void tcp_set_option(int fd, int level, int option, int value)
{
    (void)setsockopt(fd, level, option, &value, sizeof(value));
}

/* Best effort: without it, connections to vanished hosts stay open. Accepted sockets inherit it. */
static void keep_alive(int fd)
{
    tcp_set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    tcp_set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S);
    tcp_set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_EVERY_S);
    tcp_set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_PROBES);
    tcp_set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, TCP_GONE_MS);
}

static int create_socket(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    keep_alive(fd);
    return fd;
}

static int fail(int fd, int rc)
{
    (void)close(fd);
    return rc;
}

static int bind_to(int fd, int family, const struct address *at)
{
    struct sockaddr_storage sa;
    socklen_t length = address_to_sockaddr(at, family, &sa);

    if (!length)
        return -EAFNOSUPPORT;
    return bind(fd, (struct sockaddr *)&sa, length) < 0 ? -errno : 0;
}

/* SO_REUSEADDR: closed connections of the process before must not keep this one from listening. A
 * second listener is refused all the same. */
static int tcp_listen_family(const struct address *at, int family, int *ret_fd)
{
    int fd = create_socket(family), rc;

    if (fd < 0)
        return fd;
    tcp_set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (family == AF_INET6)
        tcp_set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !address_is_any(at));
    rc = bind_to(fd, family, at);
    if (!rc && listen(fd, BACKLOG) < 0)
        rc = -errno;
    if (rc)
        return fail(fd, rc);
    *ret_fd = fd;
    return 0;
}

int tcp_listen(const struct address *at, int *ret_fd)
{
    struct address both = address_with_port(address_any(ADDRESS_V6), at->port);
    int rc;

    if (!address_is_any(at))
        return tcp_listen_family(at, at->family == ADDRESS_V6 ? AF_INET6 : AF_INET, ret_fd);
    rc = tcp_listen_family(&both, AF_INET6, ret_fd);
    if (rc == -EAFNOSUPPORT || rc == -EADDRNOTAVAIL) { /* a kernel without IPv6 */
        both = address_with_port(address_any(ADDRESS_V4), at->port);
        rc = tcp_listen_family(&both, AF_INET, ret_fd);
    }
    return rc;
}

int tcp_accept(int listener, struct address *ret_from)
{
    struct sockaddr_storage sa;
    socklen_t length = sizeof(sa);
    int fd = accept4(listener, (struct sockaddr *)&sa, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0)
        return -errno;
    address_from_sockaddr((struct sockaddr *)&sa, ret_from);
    return fd;
}

int tcp_connect(const struct address *to, const struct address *from, int *ret_fd)
{
    int family = to->family == ADDRESS_V6 ? AF_INET6 : AF_INET;
    struct sockaddr_storage sa;
    socklen_t length = address_to_sockaddr(to, family, &sa);
    int fd, rc = 0;

    if (!length)
        return -EAFNOSUPPORT;
    fd = create_socket(family);
    if (fd < 0)
        return fd;
    if (from->family == to->family && !address_is_any(from)) {
        const struct address any_port = address_with_port(*from, 0);

        rc = bind_to(fd, family, &any_port);
    }
    if (!rc && connect(fd, (struct sockaddr *)&sa, length) < 0)
        rc = -errno;
    if (rc && rc != -EINPROGRESS)
        return fail(fd, rc);
    *ret_fd = fd;
    return rc;
}

int tcp_error(int fd)
{
    int error = 0;
    socklen_t length = sizeof(error);

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
        return -errno;
    return -error;
}
