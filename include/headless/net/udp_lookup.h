/*
 * udp_lookup: asks the kernel which UDP socket of this network namespace receives a datagram.
 *
 * NETLINK_SOCK_DIAG with a source and a destination makes the same lookup as a datagram on its way
 * through lo (net/ipv4/udp_diag.c: udp_dump_one), connected sockets, wildcard binds and dual-stack
 * sockets included. So the state of a port of this machine or pod is known without a datagram, which
 * a server could take for its first client's.
 *
 * Needs no capability. Not available where the kernel lacks udp_diag or a policy forbids netlink.
 * Threads: one owner. Never blocks: the kernel makes its reply inside the send. Never allocates.
 */
#ifndef HEADLESS_NET_UDP_LOOKUP_H
#define HEADLESS_NET_UDP_LOOKUP_H

#include <stddef.h>
#include <stdint.h>

#include "headless/base/address.h"

struct udp_lookup {
    int fd; /* -1: not available */
    uint32_t sequence;
};

enum udp_receiver {
    UDP_RECEIVER_UNKNOWN, /* not available, or the kernel did not say */
    UDP_RECEIVER_NONE,    /* the datagram is refused */
    UDP_RECEIVER_FOUND
};

/* Open, and check that a socket of our own is found. Returns 0, or on failure a negative errno; fd is -1
 * then. -ENOENT: this kernel has no udp_diag. */
int udp_lookup_open(struct udp_lookup *ret_lookup) __attribute__((warn_unused_result));
void udp_lookup_close(struct udp_lookup *lookup);

/* Is there a socket for a datagram that a local process sends from one address to the other? */
enum udp_receiver udp_lookup_receiver(struct udp_lookup *lookup, const struct address *from,
                                      const struct address *to);

/* Peers of connected sockets at this address and port, at most max. Returns their number. */
size_t udp_lookup_peers(struct udp_lookup *lookup, const struct address *at, size_t max,
                        struct address ret_peers[]);

#endif
