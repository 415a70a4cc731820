/* Pending errors of a UDP socket, and the entries of its error queue. */
#include "headless/net/udp.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>

#include "net/cmsg.h"

bool udp_has_error(int fd)
{
    int error = 0;
    socklen_t length = sizeof(error);

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0 || error != 0;
}

/* The kernel reports it as EHOSTUNREACH. */
static bool is_time_exceeded(const struct sock_extended_err *extended)
{
    return (extended->ee_origin == SO_EE_ORIGIN_ICMP && extended->ee_type == ICMP_TIME_EXCEEDED) ||
           (extended->ee_origin == SO_EE_ORIGIN_ICMP6 && extended->ee_type == ICMPV6_TIME_EXCEED);
}

bool udp_take_error(int fd, struct udp_failure *ret_failure)
{
    struct cmsg_buffer cmsg;
    struct sockaddr_storage name = {0};
    struct iovec part = {ret_failure->quoted, sizeof(ret_failure->quoted)};
    struct msghdr header = {.msg_name = &name,
                            .msg_namelen = sizeof(name),
                            .msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = cmsg.bytes,
                            .msg_controllen = sizeof(cmsg.bytes)};
    struct sock_extended_err extended;
    uint32_t segment;
    uint8_t tos, ttl;
    ssize_t n = recvmsg(fd, &header, MSG_ERRQUEUE | MSG_DONTWAIT);

    if (n < 0)
        return false;
    ret_failure->error = EIO;
    ret_failure->is_remote = ret_failure->is_expired = false;
    ret_failure->length = (size_t)n;
    address_from_sockaddr((struct sockaddr *)&name, &ret_failure->to);
    /* The ICMP message was sent to the source of the datagram. */
    cmsg_read(&header, &ret_failure->from, &segment, &tos, &ttl);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
        if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
            (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR)) {
            memcpy(&extended, CMSG_DATA(c), sizeof(extended));
            ret_failure->error = (int)extended.ee_errno;
            ret_failure->is_remote =
                extended.ee_origin == SO_EE_ORIGIN_ICMP || extended.ee_origin == SO_EE_ORIGIN_ICMP6;
            ret_failure->is_expired = is_time_exceeded(&extended);
        }
    }
    return true;
}
