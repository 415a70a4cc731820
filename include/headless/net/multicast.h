/*
 * multicast: a socket for a multicast group, and the interface on which it is joined.
 *
 * The kernel delivers each datagram of a group to every socket bound to its address and port, from
 * every interface on which any process has joined. So there is one socket a group, never several
 * that share a port, and IP_MULTICAST_ALL is off (net/udp.h), which leaves the datagrams of the
 * joined interface. Other processes of the host may have sockets for the same group (SO_REUSEADDR).
 *
 * Source: RFC 3678 for MCAST_JOIN_GROUP, one call for both families; ip(7), ipv6(7).
 * Threads: as in net/udp.h. Finding an interface asks the kernel, which may take milliseconds.
 */
#ifndef HEADLESS_NET_MULTICAST_H
#define HEADLESS_NET_MULTICAST_H

#include "headless/net/udp.h"

#define MULTICAST_ANY_INTERFACE 0 /* the kernel chooses, by its routes */

/* Find an interface by name, or by number. MULTICAST_ANY_INTERFACE: not found. */
uint32_t multicast_find_interface(const char *name);

/* The interface with this address, lo for loopback addresses. MULTICAST_ANY_INTERFACE: none. Returns 0, or
 * a negative errno where the kernel does not say. */
int multicast_interface_of(const struct address *address, uint32_t *ret_interface)
    __attribute__((warn_unused_result));

/*
 * Open, bind to group (IP and port) and join it on the interface. Returns 0 or a negative errno,
 * with *ret_socket untouched: -ENODEV where no route selects the interface, -EOPNOTSUPP where the
 * interface has no multicast, -EINVAL for a link-local group without an interface.
 */
int multicast_open(const struct address *group, uint32_t interface,
                   const struct udp_options *options, struct udp_socket *ret_socket)
    __attribute__((warn_unused_result));

/*
 * The same in three steps, so that a group can be joined later, and again: the socket exists from
 * the start, and receives nothing before it has joined. Binding to a link-local group also binds to
 * the interface, for the life of the socket.
 */
int multicast_create(const struct address *group, const struct udp_options *options,
                     struct udp_socket *ret_socket) __attribute__((warn_unused_result));
int multicast_bind(const struct udp_socket *socket, const struct address *group, uint32_t interface)
    __attribute__((warn_unused_result));
int multicast_join(const struct udp_socket *socket, const struct address *group, uint32_t interface)
    __attribute__((warn_unused_result));

/* True for IPv6 groups of link-local or interface-local scope; IPv4 binds without an interface. */
bool multicast_is_of_one_link(const struct address *group);
/* True when an interface of this number exists. */
bool multicast_has_interface(uint32_t interface);

/* Leave the group; received datagrams can still be read. group and interface as in
 * multicast_open. */
void multicast_leave(const struct udp_socket *socket, const struct address *group,
                     uint32_t interface);

/* Send multicast by this interface, with this TTL. Returns 0 or a negative errno. */
int multicast_send_by(const struct udp_socket *socket, uint32_t interface, int hops)
    __attribute__((warn_unused_result));

#endif
