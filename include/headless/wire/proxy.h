/*
 * proxy: the PROXY protocol, version 2, for datagrams (HAProxy's proxy-protocol.txt, section 2.2).
 *
 *    0 signature (12 bytes)   12 version 2 and command   13 family and transport   14 length (16)
 *   16 source IP, destination IP, source port, destination port, then TLVs
 *
 * A header in front of the payload of each datagram tells the receiver the true client and the
 * address to which the client sent. Bytes only; any thread; never blocks.
 */
#ifndef HEADLESS_WIRE_PROXY_H
#define HEADLESS_WIRE_PROXY_H

#include <stddef.h>
#include <stdint.h>

#include "headless/base/address.h"

#define PROXY_HEADER_MAX 52 /* 16 + IPv6 addresses and ports */

/*
 * Write a header for a datagram from client to local; returns 28 or 52 bytes. A client and local of
 * different families are both written as IPv6 (IPv4 mapped). An unset local is written as zeros.
 */
size_t proxy_put_header(uint8_t out[static PROXY_HEADER_MAX], const struct address *client,
                        const struct address *local);

/*
 * Read a header. Returns its bytes (to skip), or -EBADMSG with the outputs untouched: no signature,
 * another version, a command, family or transport that the specification does not have, a length
 * beyond the datagram or too short for the addresses. STREAM is taken like DGRAM. LOCAL, and PROXY
 * with an unspecified or a UNIX family, give unset addresses. TLVs are skipped within the announced
 * length. A mapped IPv4 address comes out as IPv4. Ports are as announced, 0 included.
 */
int proxy_parse_header(const uint8_t *data, size_t length, struct address *ret_client,
                       struct address *ret_local);

#endif
