/*
 * control_message: the ancillary data of UDP sockets, read and written in one place.
 *
 * Private to net/. The local address of a datagram (IP_PKTINFO, IPV6_PKTINFO) is the address it was
 * sent to when receiving, and the address it shall come from when sending. A dual-stack socket
 * tells and takes IPv4 as IPv4-mapped IPv6 (net/ipv4/ip_sockglue.c: ip_cmsg_send).
 */
#ifndef HEADLESS_NET_CONTROL_MESSAGE_H
#define HEADLESS_NET_CONTROL_MESSAGE_H

#include <sys/socket.h>

#include "headless/base/address.h"

/* Room for one PKTINFO, or for one extended error with its offender. */
struct control_buffer {
    _Alignas(struct cmsghdr) unsigned char bytes[CMSG_SPACE(16 + sizeof(struct sockaddr_in6)) +
                                                 CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

/* Fill control with a PKTINFO that names the source, and point header to it. */
void control_put_source(struct msghdr *header, struct control_buffer *control, int socket_family,
                        const struct address *source);

/* The address a received datagram was sent to (port 0), unset when the kernel did not tell. */
void control_get_local(struct msghdr *header, struct address *ret_local);

#endif
