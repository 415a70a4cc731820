/*
 * cmsg: the ancillary data of UDP sockets, read and written in one place.
 *
 * Private to net/. The local address of a datagram (IP_PKTINFO, IPV6_PKTINFO) is the address it was
 * sent to when receiving, and the address it shall come from when sending. A dual-stack socket
 * tells and takes IPv4 as IPv4-mapped IPv6 (net/ipv4/ip_sockglue.c: ip_cmsg_send). Several
 * datagrams of one size travel as one message, with that size beside it: UDP_SEGMENT when sending,
 * UDP_GRO when receiving (net/ipv4/udp.c: udp_cmsg_send, udp_cmsg_recv).
 */
#ifndef HEADLESS_NET_CMSG_H
#define HEADLESS_NET_CMSG_H

#include <sys/socket.h>

#include "headless/base/address.h"

/* Room for one PKTINFO and one segment size, or for one extended error with its offender. */
struct cmsg_buffer {
    _Alignas(struct cmsghdr) unsigned char bytes[CMSG_SPACE(16 + sizeof(struct sockaddr_in6)) +
                                                 CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

/* Fill cmsg with a PKTINFO that names the source, and point header to it. */
void cmsg_put_source(struct msghdr *header, struct cmsg_buffer *cmsg, int socket_family,
                     const struct address *source);

/* Behind what is there: cut the message into datagrams of this size (UDP_SEGMENT). */
void cmsg_put_segment(struct msghdr *header, struct cmsg_buffer *cmsg, uint16_t bytes);

/* Take it away again; the message goes as one. */
void cmsg_drop_segment(struct msghdr *header);

/*
 * What the kernel tells of a received message: the address it was sent to (port 0; unset when it
 * did not tell), and of how many bytes each are the datagrams that it merged (UDP_GRO; 0: it is
 * one).
 */
void cmsg_read(struct msghdr *header, struct address *ret_local, uint32_t *ret_segment);

#endif
