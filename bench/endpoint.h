/*
 * endpoint: HOST:PORT as users write it, and the sockets of headless-bench.
 *
 * Hosts are numeric (10.0.0.1:53, [fd00::1]:53) or names for getaddrinfo, which may block; of
 * several addresses the first is taken. Sockets are non-blocking and close-on-exec.
 */
#ifndef BENCH_ENDPOINT_H
#define BENCH_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "bench.h"
#include "headless/base/address.h"

#define ENDPOINT_TEXT_MAX 320 /* a DNS name of 253, and a port */

/* Resolve one HOST:PORT. Returns NULL, or the error, with *ret_address untouched. */
const char *endpoint_resolve(const char *text, struct address *ret_address) BENCH_MUST_USE;

/* Resolve HOST:PORT,HOST:PORT,...; *bad gets the invalid one. Returns NULL or the error. */
const char *endpoint_resolve_list(const char *text, unsigned max, struct address *ret_addresses,
                                  unsigned *ret_count,
                                  char bad[static ENDPOINT_TEXT_MAX]) BENCH_MUST_USE;

/*
 * A client's socket with its own source port: bound to from (IP, unset: the kernel's choice),
 * connected to `to` unless unconnected. Returns the descriptor or a negative errno.
 */
int endpoint_open_client(const struct address *to, const struct address *from,
                         bool connected) BENCH_MUST_USE;

/*
 * A server's socket. A wildcard one (0.0.0.0, or [::] for both families) receives the address that
 * a datagram was sent to. Returns the descriptor or a negative errno.
 */
int endpoint_open_server(const struct address *at) BENCH_MUST_USE;

/* The local address of a socket. */
struct address endpoint_local(int fd);

/* Set the receive buffer (0: as large as is granted). Returns SO_RCVBUF as the kernel set it. */
uint64_t endpoint_grow_rcvbuf(int fd, uint64_t bytes);

/* Datagrams dropped at this socket since it was opened: its buffer was full, or a bad checksum. */
uint64_t endpoint_drops(int fd);

#endif
