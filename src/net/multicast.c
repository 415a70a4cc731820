#include "headless/net/multicast.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/ioctl.h>

uint32_t multicast_find_interface(const char *name)
{
    char known[IF_NAMESIZE];
    uint32_t number = if_nametoindex(name);
    char *end;

    if (number != 0 || *name < '0' || *name > '9')
        return number;
    number = (uint32_t)strtoul(name, &end, 10);
    return *end == '\0' && if_indextoname(number, known) ? number : MULTICAST_ANY_INTERFACE;
}

/* The kernel lists one loopback address, and has the whole network. */
static bool has_address(const struct ifaddrs *entry, const struct address *address)
{
    struct address listed;

    if (!entry->ifa_addr)
        return false;
    if (entry->ifa_flags & IFF_LOOPBACK && address_is_loopback(address))
        return true;
    address_from_sockaddr(entry->ifa_addr, &listed);
    return address_is_set(&listed) && address_equal_ip(&listed, address);
}

int multicast_interface_of(const struct address *address, uint32_t *ret_interface)
{
    const struct ifaddrs *found;
    struct ifaddrs *list;
    int rc = 0;

    if (getifaddrs(&list) != 0)
        return -errno;
    for (found = list; found && !has_address(found, address); found = found->ifa_next)
        ;
    *ret_interface = found ? if_nametoindex(found->ifa_name) : MULTICAST_ANY_INTERFACE;
    if (found && *ret_interface == MULTICAST_ANY_INTERFACE)
        rc = -errno;
    freeifaddrs(list);
    return rc;
}

static unsigned interface_flags(int fd, uint32_t interface)
{
    struct ifreq request = {0};

    if (!if_indextoname(interface, request.ifr_name) || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
        return 0;
    return (unsigned short)request.ifr_flags;
}

static int change_membership(const struct udp_socket *socket, const struct address *group,
                             uint32_t interface, int change)
{
    int level = socket->family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
    struct group_req request = {.gr_interface = interface};

    if (!address_to_sockaddr(group, socket->family, &request.gr_group))
        return -EAFNOSUPPORT;
    return setsockopt(socket->fd, level, change, &request, sizeof(request)) < 0 ? -errno : 0;
}

/* The kernel also accepts a membership on an interface without multicast, and delivers nothing. */
int multicast_join(const struct udp_socket *socket, const struct address *group, uint32_t interface)
{
    if (interface != MULTICAST_ANY_INTERFACE &&
        !(interface_flags(socket->fd, interface) & (IFF_MULTICAST | IFF_LOOPBACK)))
        return -EOPNOTSUPP;
    return change_membership(socket, group, interface, MCAST_JOIN_GROUP);
}

int multicast_create(const struct address *group, const struct udp_options *options,
                     struct udp_socket *ret_socket)
{
    struct udp_options shared = *options;

    shared.reuse_address = true;
    shared.reuse_port = false;
    return udp_create((enum address_family)group->family, &shared, ret_socket);
}

int multicast_bind(const struct udp_socket *socket, const struct address *group, uint32_t interface)
{
    struct address at = *group;

    if (at.family == ADDRESS_V6)
        at.scope = interface; /* required for a link-local group */
    return udp_bind(socket, &at);
}

bool multicast_is_of_one_link(const struct address *group)
{
    return group->family == ADDRESS_V6 && ((group->ip[1] & 0xf) == 1 || (group->ip[1] & 0xf) == 2);
}

bool multicast_has_interface(uint32_t interface)
{
    char name[IF_NAMESIZE];

    return if_indextoname(interface, name) != NULL;
}

int multicast_open(const struct address *group, uint32_t interface,
                   const struct udp_options *options, struct udp_socket *ret_socket)
{
    struct udp_socket socket;
    int rc = multicast_create(group, options, &socket);

    if (rc)
        return rc;
    rc = multicast_bind(&socket, group, interface);
    if (!rc)
        rc = multicast_join(&socket, group, interface);
    if (rc)
        udp_close(&socket);
    else
        *ret_socket = socket;
    return rc;
}

void multicast_leave(const struct udp_socket *socket, const struct address *group,
                     uint32_t interface)
{
    (void)change_membership(socket, group, interface, MCAST_LEAVE_GROUP);
}

static int send_by_ipv4(int fd, uint32_t interface, int hops)
{
    struct ip_mreqn request = {.imr_ifindex = (int)interface};

    if (setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &hops, sizeof(hops)) < 0)
        return -errno;
    /* The loopback address has host scope, so the kernel would send from 0.0.0.0. */
    if (interface_flags(fd, interface) & IFF_LOOPBACK)
        request.imr_address.s_addr = htonl(INADDR_LOOPBACK);
    if (interface != MULTICAST_ANY_INTERFACE &&
        setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof(request)) < 0)
        return -errno;
    return 0;
}

static int send_by_ipv6(int fd, uint32_t interface, int hops)
{
    if (setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops)) < 0)
        return -errno;
    if (interface != MULTICAST_ANY_INTERFACE &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &interface, sizeof(interface)) < 0)
        return -errno;
    return 0;
}

int multicast_send_by(const struct udp_socket *socket, uint32_t interface, int hops)
{
    return socket->family == AF_INET6 ? send_by_ipv6(socket->fd, interface, hops)
                                      : send_by_ipv4(socket->fd, interface, hops);
}
