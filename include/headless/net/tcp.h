/*
 * tcp: stream sockets, for the idle connections between pods. All are nonblocking.
 *
 * A connection whose peer's host vanishes ends with ETIMEDOUT after TCP_GONE_MS; nobody waits for that.
 */
#ifndef HEADLESS_NET_TCP_H
#define HEADLESS_NET_TCP_H

#include "headless/base/address.h"

#define TCP_GONE_MS 30000

/* Listen at this IP and port; a wildcard means both families. Returns 0 or a negative errno. */
int tcp_listen(const struct address *at, int *ret_fd) __attribute__((warn_unused_result));

/* Returns the descriptor, or a negative errno. */
int tcp_accept(int listener, struct address *ret_from);

/*
 * Connect from this IP. Returns 0: connected; -EINPROGRESS: begun, and writable when tcp_error tells
 * the result. Both set *ret_fd. Otherwise another negative errno.
 */
int tcp_connect(const struct address *to, const struct address *from, int *ret_fd)
    __attribute__((warn_unused_result));

/* The pending error, as a negative errno, or 0. */
int tcp_error(int fd);

#endif
