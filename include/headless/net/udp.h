/*
 * udp: UDP sockets as headlessd needs them, and the one classification of their errors.
 *
 * A wildcard bind is one dual-stack IPv6 socket (IPv4 alone where the kernel has no IPv6); peers
 * and local addresses are canonical struct address either way. Sockets are close-on-exec and
 * blocking with a receive timeout, so that a reader notices a stop. Multicast is delivered only to
 * sockets that joined the group (net/multicast.h).
 *
 * Threads: opening and closing by the thread that owns the socket; sending from any thread.
 */
#ifndef HEADLESS_NET_UDP_H
#define HEADLESS_NET_UDP_H

#include <stdbool.h>
#include <stdint.h>

#include "headless/base/address.h"

#define UDP_PAYLOAD_MAX 65507

struct udp_options {
    bool reuse_port;       /* SO_REUSEPORT: the kernel spreads by the 4-tuple */
    bool reuse_address;    /* SO_REUSEADDR: other sockets with it may bind the same (multicast) */
    bool local_address;    /* PKTINFO: report the destination address of a datagram */
    bool tos;              /* report the TOS byte, or traffic class, of a datagram */
    bool ttl;              /* report the TTL, or hop limit, of a datagram */
    bool loopback_only;    /* SO_BINDTODEVICE lo */
    bool error_queue;      /* IP_RECVERR: ICMP errors on an unconnected socket */
    bool merged;           /* UDP_GRO, where the kernel has it: several datagrams a message */
    uint64_t rcvbuf_bytes; /* 0: the most that the kernel grants */
    uint64_t receive_timeout_ns; /* 0: none */
};

struct udp_socket {
    int fd;                /* -1: closed */
    int family;            /* AF_INET or AF_INET6 */
    bool wildcard;         /* bound to any: replies must name their source */
    struct address local;  /* as bound, with the port that the kernel chose */
    uint64_t rcvbuf_bytes; /* granted: half of SO_RCVBUF, which the kernel doubles */
};

/* The meaning of an errno for the datagram that was sent. */
enum udp_error {
    UDP_ERROR_INTERRUPTED, /* EINTR: send again */
    UDP_ERROR_REFUSED,     /* a pending ICMP error, reported in place of the send: send again */
    UDP_ERROR_FULL,        /* EAGAIN, ENOBUFS, ENOMEM */
    UDP_ERROR_DENIED,      /* EPERM, EACCES: a local firewall */
    UDP_ERROR_TOO_BIG,     /* EMSGSIZE */
    UDP_ERROR_FAILED,      /* no route and others: this datagram is lost, the next may pass */
    UDP_ERROR_FATAL,       /* EBADF, ENOTSOCK, EFAULT: a bug in headlessd */
    UDP_ERROR_COUNT
};
enum udp_error udp_classify_error(int error_number);

/* A read that failed: not because nothing has arrived (EAGAIN), because of a signal, or because of an ICMP
 * error of an earlier datagram. */
bool udp_is_read_failure(int error_number);

/*
 * Retries of one datagram while ICMP errors are reported in its place. Each ICMP message is
 * reported once, from any sender: a burst of them must not cost a datagram to another destination.
 * Only a flood exceeds this number.
 */
#define UDP_REFUSED_RETRIES 16

/*
 * Open and bind. at: IP and port; the wildcard of either family means both families. Returns 0 or a
 * negative errno (-EADDRINUSE, -EADDRNOTAVAIL, -EPERM, ...) with *ret_socket untouched.
 */
int udp_open(const struct address *at, const struct udp_options *options,
             struct udp_socket *ret_socket) __attribute__((warn_unused_result));

/* The same, but an IPv4 wildcard stays IPv4. */
int udp_open_ipv4(const struct address *at, const struct udp_options *options,
                  struct udp_socket *ret_socket) __attribute__((warn_unused_result));

/* Only create, for IPv4 or IPv6 alone: it receives nothing before udp_bind. */
int udp_create(enum address_family family, const struct udp_options *options,
               struct udp_socket *ret_socket) __attribute__((warn_unused_result));
/* Once. The caller sets the socket's local address. */
int udp_bind(const struct udp_socket *socket, const struct address *at)
    __attribute__((warn_unused_result));

/* Open a connected socket, bound to source (IP; unset: the kernel's choice). */
int udp_open_connected(const struct address *to, const struct address *source,
                       uint64_t rcvbuf_bytes, struct udp_socket *ret_socket)
    __attribute__((warn_unused_result));

/* True when a socket can be bound to this address, so it is one of this machine or pod; also when
 * that cannot be determined. */
bool udp_is_here(const struct address *ip);
/* The same, and loopback addresses always are. */
bool udp_is_local(const struct address *ip);

void udp_close(struct udp_socket *socket);

/* Set SO_REUSEADDR: other sockets with it may bind to a part of this one's address. Bound sockets
 * stay bound. */
void udp_share_address(const struct udp_socket *socket, bool is_shared);

/* Datagrams that the kernel dropped at this socket since it was opened (SO_MEMINFO). Any thread. */
uint64_t udp_kernel_drops(int fd);

/* Read and clear the pending error (SO_ERROR). True: there was one. The error queue stays. */
bool udp_has_error(int fd);

#define UDP_QUOTED_MAX 128

/* An entry of the error queue: why a datagram failed, and its first bytes. */
struct udp_failure {
    int error;           /* errno */
    bool is_remote;      /* reported by ICMP */
    bool is_expired;     /* by ICMP: its TTL was used up */
    struct address to;   /* its destination */
    struct address from; /* its source IP; unset without PKTINFO */
    size_t length;       /* bytes of quoted; 0: the ICMP message quoted no payload */
    uint8_t quoted[UDP_QUOTED_MAX];
};

/* Enable the error queue (IP_RECVERR), for both families on a dual-stack socket. */
int udp_keep_errors(const struct udp_socket *socket);

/* Report the TOS byte of each datagram (IP_RECVTOS, IPV6_RECVTCLASS), as the option tos does. */
int udp_report_tos(const struct udp_socket *socket);

/* The MTU of the path to the other end of a connected socket, as the kernel knows it: of the
 * interface, the route, or what a router has reported. 0: not known. */
size_t udp_path_mtu(const struct udp_socket *socket);

/* Set the TTL, or hop limit, of datagrams to unicast addresses that name none themselves. */
int udp_set_ttl(const struct udp_socket *socket, uint8_t ttl);

/* Does the network, or the host at the other end, report that the destination is not reached? */
static inline bool udp_is_verdict(const struct udp_failure *failure)
{
    return failure->is_remote && !failure->is_expired;
}

/* Take one entry off the error queue. False: it is empty. */
bool udp_take_error(int fd, struct udp_failure *ret_failure);

/*
 * From now on the kernel refuses new datagrams (their senders get an ICMP port unreachable), while
 * received ones can still be read: the socket is connected to an unused local port. Sending to an
 * address works as before. Best effort: if it fails, datagrams are still received.
 */
void udp_refuse_new(const struct udp_socket *socket);

/*
 * Undo udp_refuse_new: port and address stay as bound. The port must have been given to bind, not
 * chosen by the kernel, which takes that back here; a binding to a device ends as well. Not with
 * reuse_port: the kernel would give all datagrams to one socket of the group from now on (measured,
 * Linux 6.18). Returns 0 or a negative errno.
 */
int udp_accept_new(const struct udp_socket *socket) __attribute__((warn_unused_result));

/*
 * Send one datagram outside the data path (replies to commands, peer messages); again where an ICMP
 * error of an earlier one is reported in its place. from unset: the kernel's choice. Returns 0, or
 * a negative errno when the kernel did not take it.
 */
int udp_send_one(const struct udp_socket *socket, const struct address *to,
                 const struct address *from, const void *payload, size_t length);

/* The same over a connected socket. */
int udp_tell(const struct udp_socket *socket, const void *payload, size_t length);

#endif
