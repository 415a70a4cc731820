/*
 * sock_diag: asks the kernel about UDP sockets of this network namespace (NETLINK_SOCK_DIAG).
 *
 * Private to net/. Needs no privilege; a kernel without udp_diag replies -ENOENT. Threads: one at a
 * time for one descriptor. Never blocks: the kernel makes its reply, or the next part of it, within
 * the call that asks for it. Source: sock_diag(7), net/ipv4/udp_diag.c.
 */
#ifndef HEADLESS_NET_SOCK_DIAG_H
#define HEADLESS_NET_SOCK_DIAG_H

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdint.h>

#include "headless/base/address.h"

struct sock_diag_request {
    struct nlmsghdr header;
    struct inet_diag_req_v2 body;
};

/* Returns a descriptor, or a negative errno. */
int sock_diag_open(void) __attribute__((warn_unused_result));

/* For UDP sockets of a family (AF_INET, AF_INET6). flags: NLM_F_DUMP for a list, 0 for one socket.
 * sequence: tells its reply from the rest of an earlier one. The caller completes the body. */
struct sock_diag_request sock_diag_prepare(int family, uint16_t flags, uint32_t sequence);

/* Handle one socket of a reply; false: no more are wanted. */
typedef bool (*sock_diag_each_fn)(void *context, struct nlmsghdr *message);

/* Send a request, and handle its reply. Returns 0 or a negative errno, of the socket or as the kernel
 * replied: -ENOENT, no such socket. */
int sock_diag_ask(int fd, const struct sock_diag_request *request, sock_diag_each_fn each,
                  void *context);

/* True when the message has room for this much behind its header. */
static inline bool sock_diag_has(const struct nlmsghdr *message, size_t bytes)
{
    return message->nlmsg_len >= NLMSG_LENGTH(bytes);
}

/* ip and port as in a struct inet_diag_sockid. */
struct address sock_diag_address(int family, const void *ip, uint16_t network_port);

#endif
