/*
 * multicast: a socket for a multicast group, and the interface on which it is joined.
 *
 * Every socket that is bound to a group's address and port is given each of its datagrams, on every
 * interface where somebody has joined, so: one socket a group, never one of several that share a
 * port, and IP_MULTICAST_ALL off (net/udp.h), which leaves what came by the joined interface. Other
 * processes of the host may have sockets of their own for the same group (SO_REUSEADDR).
 *
 * Source: RFC 3678 for MCAST_JOIN_GROUP, one call for both families; ip(7), ipv6(7).
 * Threads: those of net/udp.h. Finding an interface asks the kernel, and may take a while.
 */
#ifndef HEADLESS_NET_MULTICAST_H
#define HEADLESS_NET_MULTICAST_H

#include "headless/net/udp.h"

#define MULTICAST_ANY_INTERFACE 0 /* the kernel chooses, by its routes */

/* By name, else by number. MULTICAST_ANY_INTERFACE: there is none. */
uint32_t multicast_find_interface(const char *name);

/* The one that has this address, for loopback addresses lo. MULTICAST_ANY_INTERFACE: none has. */
uint32_t multicast_interface_of(const struct address *address);

/*
 * Open, bind to group (IP and port) and join it there. Returns 0 or a negative errno, with
 * *ret_socket untouched: -ENODEV where no route tells the interface, -EOPNOTSUPP where the
 * interface has no multicast, -EINVAL where the group is of one link and there is no interface.
 */
int multicast_open(const struct address *group, uint32_t interface,
                   const struct udp_options *options, struct udp_socket *ret_socket)
    __attribute__((warn_unused_result));

/*
 * The same in three steps, so that a group can be joined later, and again: the socket is there from
 * the start, and nothing comes before it has joined. What binds to a group of one link binds to its
 * interface, for good.
 */
int multicast_create(const struct address *group, const struct udp_options *options,
                     struct udp_socket *ret_socket) __attribute__((warn_unused_result));
int multicast_bind(const struct udp_socket *socket, const struct address *group, uint32_t interface)
    __attribute__((warn_unused_result));
int multicast_join(const struct udp_socket *socket, const struct address *group, uint32_t interface)
    __attribute__((warn_unused_result));

/* Is the group of one link, or of this host alone? IPv6; IPv4's are bound without an interface. */
bool multicast_is_of_one_link(const struct address *group);
/* Is there still an interface of this number? */
bool multicast_has_interface(uint32_t interface);

/* Nothing comes any more; what has come can still be read. group and interface as in open. */
void multicast_leave(const struct udp_socket *socket, const struct address *group,
                     uint32_t interface);

/* What this socket sends to groups leaves here, for so many hops. Returns 0 or a negative errno. */
int multicast_send_by(const struct udp_socket *socket, uint32_t interface, int hops)
    __attribute__((warn_unused_result));

#endif
