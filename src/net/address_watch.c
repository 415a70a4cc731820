#include "headless/net/address_watch.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/netlink.h"

#define MESSAGES_MAX  64  /* a call: less than 0.1 ms */
#define MESSAGE_BYTES 512 /* a longer one is cut: its beginning is enough */

int address_watch_open(enum address_family family)
{
    const struct sockaddr_nl groups = {.nl_family = AF_NETLINK,
                                       .nl_groups = family == ADDRESS_V6 ? RTMGRP_IPV6_IFADDR
                                                                         : RTMGRP_IPV4_ROUTE};
    int fd = netlink_open(NETLINK_ROUTE), rc;

    if (fd < 0)
        return fd;
    if (bind(fd, (const struct sockaddr *)&groups, sizeof(groups)) == 0)
        return fd;
    rc = -errno;
    (void)close(fd);
    return rc;
}

/* Routes of a router change often. Those that are local or broadcast follow addresses. */
static bool address_watch_is_other_route(const uint8_t *bytes, size_t length)
{
    struct nlmsghdr header;
    struct rtmsg route;

    if (length < NLMSG_HDRLEN + sizeof(route))
        return false;
    memcpy(&header, bytes, sizeof(header));
    memcpy(&route, bytes + NLMSG_HDRLEN, sizeof(route));
    return header.nlmsg_type == RTM_DELROUTE ||
           (header.nlmsg_type == RTM_NEWROUTE && route.rtm_type == RTN_UNICAST);
}

bool address_watch_take(int fd)
{
    uint8_t bytes[MESSAGE_BYTES];
    bool has_changed = false;
    ssize_t n;

    for (unsigned i = 0; i < MESSAGES_MAX; i++) {
        n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (n < 0 && errno != ENOBUFS) /* that one: messages were lost */
            break;
        if (n < 0 || !address_watch_is_other_route(bytes, (size_t)n))
            has_changed = true;
    }
    return has_changed;
}
