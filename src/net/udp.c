#include "headless/net/udp.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/udp.h>
#include <sys/time.h>
#include <unistd.h>

#include "headless/base/clock.h"
#include "net/cmsg.h"

enum udp_error udp_classify_error(int error_number)
{
    switch (error_number) {
    case EINTR:
        return UDP_ERROR_INTERRUPTED;
    case ECONNREFUSED:
    case EHOSTUNREACH: /* of this send, or a pending ICMP error: sending again tells them apart */
    case EHOSTDOWN:
    case ENONET:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case EPROTO:
    case ENOPROTOOPT:
        return UDP_ERROR_REFUSED;
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
        return UDP_ERROR_FULL;
    case EPERM:
    case EACCES:
        return UDP_ERROR_DENIED;
    case EMSGSIZE:
        return UDP_ERROR_TOO_BIG;
    case EBADF:
    case ENOTSOCK:
    case EFAULT:
        return UDP_ERROR_FATAL;
    default:
        return UDP_ERROR_FAILED;
    }
}

bool udp_is_read_failure(int error_number)
{
    enum udp_error error = udp_classify_error(error_number);

    return error_number != EAGAIN && error != UDP_ERROR_INTERRUPTED && error != UDP_ERROR_REFUSED;
}

static int set_int(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* Returns the granted bytes, which may be fewer than wanted; that is no failure. */
static uint64_t set_rcvbuf(int fd, uint64_t wanted)
{
    const uint64_t most = UINT64_C(256) << 20;
    int granted = 0;
    socklen_t length = sizeof(granted);
    int value = (int)(wanted && wanted < most ? wanted : most);

    (void)set_int(fd, SOL_SOCKET, SO_RCVBUF, value);
    (void)getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &granted, &length);
    return (uint64_t)granted / 2; /* the kernel doubles the value set */
}

/* Errors of IPv4 peers of an IPv6 socket are reported by IPv4, so both are enabled. */
static int keep_errors(int fd, int family)
{
    int rc = 0;

    if (family == AF_INET6)
        rc = set_int(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
    return rc ? rc : set_int(fd, IPPROTO_IP, IP_RECVERR, 1);
}

int udp_keep_errors(const struct udp_socket *socket)
{
    return keep_errors(socket->fd, socket->family);
}

/* An IPv6 socket reports the TOS byte of IPv4 datagrams only with IP_RECVTOS. */
static int report_tos(int fd, int family)
{
    int rc = 0;

    if (family == AF_INET6)
        rc = set_int(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
    return rc ? rc : set_int(fd, IPPROTO_IP, IP_RECVTOS, 1);
}

/* An IPv6 socket reports the TTL of IPv4 datagrams only with IP_RECVTTL. */
static int report_ttl(int fd, int family)
{
    int rc = 0;

    if (family == AF_INET6)
        rc = set_int(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
    return rc ? rc : set_int(fd, IPPROTO_IP, IP_RECVTTL, 1);
}

size_t udp_path_mtu(const struct udp_socket *socket)
{
    const bool is_v6 = socket->family == AF_INET6;
    int mtu = 0;
    socklen_t length = sizeof(mtu);

    if (getsockopt(socket->fd, is_v6 ? IPPROTO_IPV6 : IPPROTO_IP, is_v6 ? IPV6_MTU : IP_MTU, &mtu,
                   &length) < 0 ||
        mtu < 0)
        return 0;
    return (size_t)mtu;
}

int udp_set_ttl(const struct udp_socket *socket, uint8_t ttl)
{
    return socket->family == AF_INET6 ? set_int(socket->fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl)
                                      : set_int(socket->fd, IPPROTO_IP, IP_TTL, ttl);
}

int udp_report_tos(const struct udp_socket *socket)
{
    return report_tos(socket->fd, socket->family);
}

/* With IP_MULTICAST_ALL on, every wildcard socket receives each group that any process of the host
 * has joined. Kernels before 4.20 do not have the option for IPv6. */
static void disable_foreign_multicast(int fd, int family)
{
    (void)set_int(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
    if (family == AF_INET6)
        (void)set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);
}

static int udp_set_options(int fd, int family, bool dual_stack, const struct udp_options *options)
{
    int rc = 0;

    disable_foreign_multicast(fd, family);
    if (family == AF_INET6)
        rc = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, !dual_stack);
    if (!rc && options->reuse_port)
        rc = set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (!rc && options->reuse_address)
        rc = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (!rc && options->local_address)
        rc = family == AF_INET6 ? set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
                                : set_int(fd, IPPROTO_IP, IP_PKTINFO, 1);
    if (!rc && options->error_queue)
        rc = keep_errors(fd, family);
    if (!rc && options->tos)
        rc = report_tos(fd, family);
    if (!rc && options->ttl)
        rc = report_ttl(fd, family);
    if (!rc && options->merged) /* best effort: without it datagrams arrive one by one */
        (void)set_int(fd, IPPROTO_UDP, UDP_GRO, 1);
    if (!rc && options->loopback_only &&
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", sizeof("lo")) < 0)
        rc = -errno;
    if (!rc && options->receive_timeout_ns) {
        struct timespec ts = clock_to_timespec(options->receive_timeout_ns);
        struct timeval tv = {.tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / 1000};

        if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) < 0)
            rc = -errno;
    }
    return rc;
}

static int bind_and_name(int fd, int family, const struct address *at, struct address *ret_local)
{
    struct sockaddr_storage sa;
    socklen_t length = address_to_sockaddr(at, family, &sa);

    if (!length)
        return -EAFNOSUPPORT;
    if (bind(fd, (struct sockaddr *)&sa, length) < 0)
        return -errno;
    length = sizeof(sa);
    if (getsockname(fd, (struct sockaddr *)&sa, &length) < 0)
        return -errno;
    address_from_sockaddr((struct sockaddr *)&sa, ret_local);
    return 0;
}

static int create_family(int family, bool wildcard, const struct udp_options *options,
                         struct udp_socket *ret_socket)
{
    struct udp_socket s = {.family = family, .wildcard = wildcard};
    int rc;

    s.fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (s.fd < 0)
        return -errno;
    rc = udp_set_options(s.fd, family, wildcard, options);
    if (rc) {
        (void)close(s.fd);
        return rc;
    }
    s.rcvbuf_bytes = set_rcvbuf(s.fd, options->rcvbuf_bytes);
    *ret_socket = s;
    return 0;
}

int udp_create(enum address_family family, const struct udp_options *options,
               struct udp_socket *ret_socket)
{
    return create_family(family == ADDRESS_V6 ? AF_INET6 : AF_INET, false, options, ret_socket);
}

int udp_bind(const struct udp_socket *socket, const struct address *at)
{
    struct address local;

    return bind_and_name(socket->fd, socket->family, at, &local);
}

static int open_family(const struct address *at, int family, const struct udp_options *options,
                       struct udp_socket *ret_socket)
{
    struct udp_socket s = {.fd = -1};
    int rc = create_family(family, address_is_any(at), options, &s);

    if (rc)
        return rc;
    rc = bind_and_name(s.fd, family, at, &s.local);
    if (rc)
        udp_close(&s);
    else
        *ret_socket = s;
    return rc;
}

int udp_open(const struct address *at, const struct udp_options *options,
             struct udp_socket *ret_socket)
{
    struct address both = address_with_port(address_any(ADDRESS_V6), at->port);
    int rc;

    if (!address_is_any(at))
        return open_family(at, at->family == ADDRESS_V6 ? AF_INET6 : AF_INET, options, ret_socket);
    rc = open_family(&both, AF_INET6, options, ret_socket);
    if (rc == -EAFNOSUPPORT || rc == -EADDRNOTAVAIL) { /* a kernel without IPv6 */
        both = address_with_port(address_any(ADDRESS_V4), at->port);
        rc = open_family(&both, AF_INET, options, ret_socket);
    }
    return rc;
}

int udp_open_ipv4(const struct address *at, const struct udp_options *options,
                  struct udp_socket *ret_socket)
{
    return open_family(at, AF_INET, options, ret_socket);
}

int udp_open_connected(const struct address *to, const struct address *source,
                       uint64_t rcvbuf_bytes, struct udp_socket *ret_socket)
{
    const struct udp_options options = {.rcvbuf_bytes = rcvbuf_bytes};
    struct address from = address_any(to->family);
    struct sockaddr_storage sa;
    struct udp_socket s = {.fd = -1};
    socklen_t length;
    int rc;

    if (address_is_set(source) && source->family == to->family)
        from = address_with_port(*source, 0);
    rc = open_family(&from, to->family == ADDRESS_V6 ? AF_INET6 : AF_INET, &options, &s);
    if (rc)
        return rc;
    length = address_to_sockaddr(to, s.family, &sa);
    if (connect(s.fd, (struct sockaddr *)&sa, length) < 0) {
        rc = -errno;
        udp_close(&s);
        return rc;
    }
    *ret_socket = s;
    return 0;
}

bool udp_is_here(const struct address *ip)
{
    const struct address at = address_with_port(*ip, 0);
    struct sockaddr_storage sa;
    socklen_t length = address_to_sockaddr(&at, ip->family == ADDRESS_V6 ? AF_INET6 : AF_INET, &sa);
    int fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool is_foreign =
        fd >= 0 && bind(fd, (struct sockaddr *)&sa, length) < 0 && errno == EADDRNOTAVAIL;

    if (fd >= 0)
        (void)close(fd);
    return !is_foreign;
}

bool udp_is_local(const struct address *ip)
{
    return address_is_loopback(ip) || udp_is_here(ip);
}

void udp_close(struct udp_socket *socket)
{
    if (socket->fd >= 0)
        (void)close(socket->fd);
    socket->fd = -1;
}

void udp_share_address(const struct udp_socket *socket, bool is_shared)
{
    (void)set_int(socket->fd, SOL_SOCKET, SO_REUSEADDR, is_shared);
}

uint64_t udp_kernel_drops(int fd)
{
    uint32_t meminfo[SK_MEMINFO_VARS] = {0};
    socklen_t length = sizeof(meminfo);

    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, meminfo, &length) < 0)
        return 0;
    return meminfo[SK_MEMINFO_DROPS];
}

/* Send again while the kernel reports ICMP errors of earlier datagrams. 0 or a negative errno. */
static int send_message(int fd, const struct msghdr *header)
{
    int error = 0;

    for (unsigned i = 0; i <= UDP_REFUSED_RETRIES; i++) {
        if (sendmsg(fd, header, MSG_DONTWAIT) >= 0)
            return 0;
        error = errno;
        if (udp_classify_error(error) != UDP_ERROR_REFUSED)
            break;
    }
    return -error;
}

int udp_send_one(const struct udp_socket *socket, const struct address *to,
                 const struct address *from, const void *payload, size_t length)
{
    struct sockaddr_storage name;
    struct cmsg_buffer cmsg;
    struct iovec part = {.iov_len = length};
    struct msghdr header = {.msg_name = &name, .msg_iov = &part, .msg_iovlen = 1};

    memcpy(&part.iov_base, &payload, sizeof(payload)); /* iovec is not const, sendmsg is */
    header.msg_namelen = address_to_sockaddr(to, socket->family, &name);
    if (!header.msg_namelen)
        return -EAFNOSUPPORT;
    if (socket->wildcard && address_is_set(from))
        cmsg_put_source(&header, &cmsg, socket->family, from);
    return send_message(socket->fd, &header);
}

int udp_tell(const struct udp_socket *socket, const void *payload, size_t length)
{
    struct iovec part = {.iov_len = length};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};

    memcpy(&part.iov_base, &payload, sizeof(payload)); /* iovec is not const, sendmsg is */
    return send_message(socket->fd, &header);
}

void udp_refuse_new(const struct udp_socket *socket)
{
    static const uint16_t discard_port = 9;
    const struct address v6 = {.family = ADDRESS_V6, .port = discard_port, .ip = {[15] = 1}};
    const struct address v4 = {.family = ADDRESS_V4, .port = discard_port, .ip = {127, 0, 0, 1}};
    struct address self = address_with_port(socket->local, discard_port);
    struct sockaddr_storage sa;
    socklen_t length;

    /* A bound address reaches itself; a wildcard reaches loopback: IPv4 where IPv6 is off. */
    if (socket->wildcard)
        self = socket->family == AF_INET6 ? v6 : v4;
    length = address_to_sockaddr(&self, socket->family, &sa);
    if (connect(socket->fd, (struct sockaddr *)&sa, length) == 0 || !socket->wildcard)
        return;
    length = address_to_sockaddr(&v4, socket->family, &sa);
    (void)connect(socket->fd, (struct sockaddr *)&sa, length);
}

int udp_accept_new(const struct udp_socket *socket)
{
    const struct sockaddr none = {.sa_family = AF_UNSPEC};

    return connect(socket->fd, &none, sizeof(none)) < 0 ? -errno : 0;
}
