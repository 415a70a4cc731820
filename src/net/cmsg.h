/*
 * cmsg: the ancillary data of UDP sockets, read and written in one place.
 *
 * Private to net/. Any thread; never blocks. PKTINFO (IP_PKTINFO, IPV6_PKTINFO) holds the
 * destination address of a received datagram, and sets the source address of a sent one. A
 * dual-stack socket uses IPv4-mapped IPv6 for IPv4 (net/ipv4/ip_sockglue.c: ip_cmsg_send), but it
 * reports and takes the TOS byte of an IPv4 datagram as IP_TOS, and that of an IPv6 one, its traffic
 * class, as IPV6_TCLASS (ip(7), ipv6(7); tried on Linux 6.18). The same is true of the TTL: IP_TTL, and
 * IPV6_HOPLIMIT. Several datagrams of one size are one
 * message with that size as cmsg: UDP_SEGMENT when sending, UDP_GRO when receiving (net/ipv4/udp.c:
 * udp_cmsg_send, udp_cmsg_recv).
 */
#ifndef HEADLESS_NET_CMSG_H
#define HEADLESS_NET_CMSG_H

#include <sys/socket.h>

#include "headless/base/address.h"

/* Room for one PKTINFO, one TOS byte, one TTL and one segment size; or for PKTINFO, TOS byte and an extended
 * error with its offender, which the kernel writes last. */
struct cmsg_buffer {
    _Alignas(struct cmsghdr) unsigned char bytes[CMSG_SPACE(16 + sizeof(struct sockaddr_in6)) +
                                                 CMSG_SPACE(sizeof(struct in6_pktinfo)) +
                                                 CMSG_SPACE(sizeof(int))];
};

/* Fill cmsg with a PKTINFO that names the source, and point header to it. */
void cmsg_put_source(struct msghdr *header, struct cmsg_buffer *cmsg, int socket_family,
                     const struct address *source);

/* Append the TOS byte. to: the destination, which decides on a dual-stack socket; NULL: a connected
 * socket, whose destination is of its own family. */
void cmsg_put_tos(struct msghdr *header, struct cmsg_buffer *cmsg, int socket_family,
                  const struct address *to, uint8_t tos);

/* Append the TTL, or hop limit, for a socket that sends to addresses of its own family. */
void cmsg_put_ttl(struct msghdr *header, struct cmsg_buffer *cmsg, int socket_family, uint8_t ttl);

/* Append UDP_SEGMENT: the kernel cuts the message into datagrams of this size. */
void cmsg_put_segment(struct msghdr *header, struct cmsg_buffer *cmsg, uint16_t bytes);

/* Remove UDP_SEGMENT, which must be the last cmsg. */
void cmsg_drop_segment(struct msghdr *header);

/*
 * Read the cmsgs of a received message: its destination address (port 0; unset without PKTINFO),
 * the size of the datagrams that the kernel merged (UDP_GRO; 0: one datagram), its TOS byte and its
 * TTL (0 where the socket does not report it).
 */
void cmsg_read(struct msghdr *header, struct address *ret_local, uint32_t *ret_segment,
               uint8_t *ret_tos, uint8_t *ret_ttl);

#endif
