/* tos: send and receive the TOS byte (IPv4) or traffic class (IPv6) of datagrams in test programs. */
#ifndef TESTS_CLUSTER_TOS_H
#define TESTS_CLUSTER_TOS_H

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Report the TOS byte of each datagram, and set the one of those that are sent. family: of fd. */
static inline int tos_prepare(int fd, int family, int tos)
{
    int on = 1;

    if (family == AF_INET6)
        return setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof(on)) ||
               setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
    return setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof(on)) ||
           setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
}

/* As recvfrom; *ret_tos is -1 where the socket does not report it. */
static inline ssize_t tos_receive(int fd, void *bytes, size_t size, int flags,
                                  struct sockaddr_storage *ret_from, int *ret_tos)
{
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))];
    struct iovec part = {bytes, size};
    struct msghdr header = {.msg_name = ret_from,
                            .msg_namelen = sizeof(*ret_from),
                            .msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = room,
                            .msg_controllen = sizeof(room)};
    ssize_t n = recvmsg(fd, &header, flags);
    const struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&header);

    *ret_tos = -1;
    if (c && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS)
        *ret_tos = *CMSG_DATA(c);
    else if (c && c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS)
        memcpy(ret_tos, CMSG_DATA(c), sizeof(*ret_tos));
    return n;
}

#endif
