/*
 * transparent: a UDP socket that sends from clients' addresses (IP_TRANSPARENT, IPV6_TRANSPARENT).
 *
 * One socket serves all clients of a worker: it names the client's address as the source of each
 * datagram (PKTINFO), and sends it to the client's port at the app's address. The return path
 * (return_path.h) exchanges ports: the app gets the datagram from the client's address and port. The
 * reply arrives at the client's address, and from the client's port at the app's address.
 *
 * Opening it needs CAP_NET_ADMIN or CAP_NET_RAW; afterwards no capability is needed.
 *
 * Threads: the owner of the socket. Never blocks.
 */
#ifndef HEADLESS_NET_TRANSPARENT_H
#define HEADLESS_NET_TRANSPARENT_H

#include "headless/net/udp.h"

/* Open the socket for an app at this address. Reports destination, TOS byte, and errors. Returns 0 or a
 * negative errno; -EPERM: no capability. */
int udp_open_transparent(const struct address *app, uint64_t rcvbuf_bytes,
                         struct udp_socket *ret_socket) __attribute__((warn_unused_result));

/* Add a client to those of the return path, or remove it, by a datagram that the return path drops. The
 * last socket that added a client gets its replies, and that one alone can remove it. */
void udp_transparent_announce(const struct udp_socket *socket, const struct address *client,
                              const struct address *app, bool is_open);

/*
 * May datagrams be sent from this address? No: it is one of this machine or pod, loopback, multicast or
 * broadcast. The kernel binds a socket without IP_TRANSPARENT to just these
 * (inet_addr_valid_or_nonlocal), so one is bound on trial; that includes addresses that were added
 * later. *probe: the socket for it, -1 at first; close it in the end. Returns 0 if they may, -EADDRINUSE if
 * they may not, or another negative errno: it cannot be determined, for want of a descriptor for instance.
 */
int udp_check_source(int *probe, const struct address *ip) __attribute__((warn_unused_result));

/* NULL, or the sysctl that makes udp_check_source impossible. */
const char *udp_transparent_obstacle(void);

#endif
