#include "secure/confine_sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* ---- kinds ---- */

#define SOCKET_TYPES 16 /* the kernel's SOCK_TYPE_MASK; above it are SOCK_CLOEXEC and the like */

static const struct socket_kind {
    int domain, type;
    bool is_always, is_resolvers, is_groups, is_connections; /* always, or only with that need */
} sockets[] = {
    {AF_INET, SOCK_DGRAM, .is_always = true},
    {AF_INET6, SOCK_DGRAM, .is_always = true},
    /* A truncated reply is asked for again; a follower connects to its leader, and libcurl to the API
     * server. */
    {AF_INET, SOCK_STREAM, .is_resolvers = true, .is_connections = true},
    {AF_INET6, SOCK_STREAM, .is_resolvers = true, .is_connections = true},
    {AF_UNIX, SOCK_STREAM, .is_resolvers = true}, /* nscd, resolved */
    {AF_UNIX, SOCK_DGRAM, .is_groups = true},     /* for the name of an interface */
    /* The list of addresses; netlink sockets are always SOCK_RAW. */
    {AF_NETLINK, SOCK_RAW, .is_resolvers = true, .is_groups = true},
};

#define ANY_TYPE (-1)

static bool is_socket_allowed(int domain, int type, const struct confine_needs *needs)
{
    for (size_t i = 0; i < COUNT(sockets); i++) {
        if (sockets[i].domain == domain && (sockets[i].type == type || type == ANY_TYPE) &&
            (sockets[i].is_always || (needs->resolver && sockets[i].is_resolvers) ||
             (needs->groups && sockets[i].is_groups) ||
             ((needs->connections || needs->platform) && sockets[i].is_connections)))
            return true;
    }
    return false;
}

static int add_socket(scmp_filter_ctx filter, uint32_t action, int domain, int type)
{
    const struct scmp_arg_cmp are[] = {
        {0, SCMP_CMP_MASKED_EQ, INT_BITS, (uint64_t)domain},
        {1, SCMP_CMP_MASKED_EQ, SOCKET_TYPES - 1, (uint64_t)type},
    };

    return seccomp_rule_add_array(filter, action, SCMP_SYS(socket), type == ANY_TYPE ? 1 : 2, are);
}

/* Forbidden sockets have rules too, for EPERM: the error of raw sockets without the privilege. */
int confine_add_sockets(scmp_filter_ctx filter, const struct confine_needs *needs)
{
    int rc = 0;

    for (int domain = 0; !rc && domain < AF_MAX; domain++) {
        if (!is_socket_allowed(domain, ANY_TYPE, needs)) {
            rc = add_socket(filter, SCMP_ACT_ERRNO(EPERM), domain, ANY_TYPE);
            continue;
        }
        for (int type = 0; !rc && type < SOCKET_TYPES; type++)
            rc = add_socket(filter,
                            is_socket_allowed(domain, type, needs) ? SCMP_ACT_ALLOW
                                                                   : SCMP_ACT_ERRNO(EPERM),
                            domain, type);
    }
    return rc;
}

/* ---- options ---- */

enum option_use { OPTION_SET, OPTION_GET };
enum option_need { FOR_ALL, FOR_RESOLVER, FOR_GROUPS, FOR_CONNECTIONS };

/*
 * The options of the sockets that are opened after the start, of the admin port's connections, and of the
 * libraries. Options that only sockets opened before need (SO_REUSEPORT, SO_BINDTODEVICE, IP_TRANSPARENT,
 * UDP_GRO, ...) are not here.
 */
static const struct socket_option {
    enum option_use use;
    int level, name;
    enum option_need need;
} options[] = {
    /* UDP sockets to new members, to the app for new sessions, and to app.notify (net/udp.c) */
    {OPTION_SET, SOL_SOCKET, SO_RCVBUF, FOR_ALL},
    {OPTION_GET, SOL_SOCKET, SO_RCVBUF, FOR_ALL},
    {OPTION_SET, IPPROTO_IP, IP_MULTICAST_ALL, FOR_ALL},
    {OPTION_SET, IPPROTO_IP, IP_RECVERR, FOR_ALL}, /* also the resolver of glibc */
    {OPTION_SET, IPPROTO_IP, IP_RECVTOS, FOR_ALL},
    {OPTION_SET, IPPROTO_IP, IP_TTL, FOR_ALL},
    {OPTION_SET, IPPROTO_IPV6, IPV6_MULTICAST_ALL, FOR_ALL},
    {OPTION_SET, IPPROTO_IPV6, IPV6_RECVERR, FOR_ALL},
    {OPTION_SET, IPPROTO_IPV6, IPV6_RECVTCLASS, FOR_ALL},
    {OPTION_SET, IPPROTO_IPV6, IPV6_UNICAST_HOPS, FOR_ALL},
    {OPTION_SET, IPPROTO_IPV6, IPV6_V6ONLY, FOR_ALL},
    {OPTION_GET, IPPROTO_IP, IP_MTU, FOR_ALL}, /* the size of frames on a link */
    {OPTION_GET, IPPROTO_IPV6, IPV6_MTU, FOR_ALL},
    {OPTION_GET, SOL_SOCKET, SO_ERROR, FOR_ALL},   /* pending ICMP errors (net/udp_error.c) */
    {OPTION_GET, SOL_SOCKET, SO_MEMINFO, FOR_ALL}, /* datagrams that the kernel dropped */
    /* groups that are joined again, because their interface was lost (net/multicast.c) */
    {OPTION_SET, SOL_SOCKET, SO_REUSEADDR, FOR_GROUPS},
    {OPTION_SET, IPPROTO_IP, MCAST_JOIN_GROUP, FOR_GROUPS},
    {OPTION_SET, IPPROTO_IP, MCAST_LEAVE_GROUP, FOR_GROUPS},
    {OPTION_SET, IPPROTO_IPV6, MCAST_JOIN_GROUP, FOR_GROUPS},
    {OPTION_SET, IPPROTO_IPV6, MCAST_LEAVE_GROUP, FOR_GROUPS},
    /* connections of the admin port: event streams (admin/events.c), libmicrohttpd */
    {OPTION_SET, SOL_SOCKET, SO_SNDBUF, FOR_ALL},
    {OPTION_SET, IPPROTO_TCP, TCP_USER_TIMEOUT, FOR_ALL},
    {OPTION_SET, IPPROTO_TCP, TCP_NODELAY, FOR_ALL},
    {OPTION_SET, IPPROTO_TCP, TCP_CORK, FOR_ALL},
    /* a follower's connection to its leader (net/tcp.c); the API server's (platform/transfer.c) */
    {OPTION_SET, SOL_SOCKET, SO_KEEPALIVE, FOR_CONNECTIONS},
    {OPTION_SET, IPPROTO_TCP, TCP_KEEPIDLE, FOR_CONNECTIONS},
    {OPTION_SET, IPPROTO_TCP, TCP_KEEPINTVL, FOR_CONNECTIONS},
    {OPTION_SET, IPPROTO_TCP, TCP_KEEPCNT, FOR_CONNECTIONS},
    /* NSS modules (sss, resolve): who serves their unix socket */
    {OPTION_GET, SOL_SOCKET, SO_PEERCRED, FOR_RESOLVER},
};

static bool is_option_needed(const struct socket_option *option, const struct confine_needs *needs)
{
    switch (option->need) {
    case FOR_ALL:
        return true;
    case FOR_RESOLVER:
        return needs->resolver;
    case FOR_GROUPS:
        return needs->groups;
    case FOR_CONNECTIONS:
        return needs->connections || needs->platform;
    }
    return false;
}

/*
 * All others get the filter's default, ENOSYS, which libraries take like ENOPROTOOPT, the error of a
 * kernel without the option. Rules for EPERM would need one for each number of each level.
 */
int confine_add_socket_options(scmp_filter_ctx filter, const struct confine_needs *needs)
{
    int rc = 0;

    for (size_t i = 0; !rc && i < COUNT(options); i++) {
        const struct socket_option *option = &options[i];
        const struct scmp_arg_cmp are[] = {
            {1, SCMP_CMP_MASKED_EQ, INT_BITS, (uint64_t)option->level},
            {2, SCMP_CMP_MASKED_EQ, INT_BITS, (uint64_t)option->name},
        };
        int call = option->use == OPTION_SET ? SCMP_SYS(setsockopt) : SCMP_SYS(getsockopt);

        if (is_option_needed(option, needs))
            rc = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, COUNT(are), are);
    }
    return rc;
}
