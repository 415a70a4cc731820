/*
 * transparent: UDP sockets that send from a client's address (IP_TRANSPARENT, IPV6_TRANSPARENT).
 *
 * Opening one needs CAP_NET_RAW or CAP_NET_ADMIN, and CAP_NET_BIND_SERVICE for a client's port below
 * net.ipv4.ip_unprivileged_port_start. It never sends from an address of this machine or pod, nor
 * from a multicast, broadcast or loopback address: the kernel binds a socket without IP_TRANSPARENT
 * to just these (inet_addr_valid_or_nonlocal), so a bind that succeeds refuses the client. That
 * includes addresses that were added later. It needs net.ipv4.ip_nonlocal_bind and
 * net.ipv6.ip_nonlocal_bind to be 0.
 *
 * Threads: the owner of the socket. Never blocks.
 */
#ifndef HEADLESS_NET_TRANSPARENT_H
#define HEADLESS_NET_TRANSPARENT_H

#include "headless/net/udp.h"

/*
 * Open a socket bound to the client's address and port, and connected to the app, whose family it
 * has. Returns 0 or a negative errno. -EADDRNOTAVAIL: no source may be this address. -EADDRINUSE:
 * another socket is bound to its port at the wildcard, without SO_REUSEADDR. -EACCES: the port is
 * privileged. -EPERM: no capability.
 */
int udp_open_transparent(const struct address *client, const struct address *app,
                         uint64_t rcvbuf_bytes, struct udp_socket *ret_socket)
    __attribute__((warn_unused_result));

/*
 * Add the client of this socket to the clients of the return path (return_path.h), or remove it, by a
 * datagram to signal_port of the app's address. Returns 0, or -ENOSPC: it was not added.
 */
int udp_transparent_announce(int fd, const struct address *app, uint16_t signal_port, bool is_open);

/*
 * Before a socket is closed by another thread: it takes no more replies, so that a new one of the same
 * client gets them. Those already received can be read.
 */
void udp_transparent_release(int fd);

/* 0, or the sysctl that makes this module's check of addresses impossible. */
const char *udp_transparent_obstacle(void);

#endif
