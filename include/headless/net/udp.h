/*
 * udp: UDP sockets as headlessd needs them, and the one classification of their errors.
 *
 * A wildcard bind is one dual-stack IPv6 socket (IPv4 alone where the kernel has no IPv6); peers
 * and local addresses are canonical struct address either way. Sockets are close-on-exec and
 * blocking with a receive timeout, so that a reader sees a stop without being interrupted. What
 * came to a multicast group is given only to the sockets that joined it (net/multicast.h).
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
    bool reuse_port;       /* several sockets on one port, spread by the 4-tuple */
    bool reuse_address;    /* others may be bound to the same, which have it too: multicast */
    bool local_address;    /* tell to which of our addresses a datagram was sent (PKTINFO) */
    bool loopback_only;    /* SO_BINDTODEVICE lo */
    bool error_queue;      /* IP_RECVERR: refusals on an unconnected socket */
    bool merged;           /* UDP_GRO, where the kernel has it: several datagrams in one piece */
    uint64_t rcvbuf_bytes; /* 0: as much as is granted */
    uint64_t receive_timeout_ns; /* 0: none */
};

struct udp_socket {
    int fd;                /* -1: closed */
    int family;            /* AF_INET or AF_INET6 */
    bool wildcard;         /* bound to any: replies must name their source */
    struct address local;  /* as bound, with the port that the kernel gave */
    uint64_t rcvbuf_bytes; /* as granted: SO_RCVBUF halved, what was asked in the kernel's words */
};

/* What an errno of a UDP socket means for the datagram at hand. */
enum udp_error {
    UDP_ERROR_INTERRUPTED, /* EINTR: do it again */
    UDP_ERROR_REFUSED,     /* a pending ICMP error, reported in place of our send: send again */
    UDP_ERROR_FULL,        /* EAGAIN, ENOBUFS, ENOMEM */
    UDP_ERROR_DENIED,      /* EPERM, EACCES: a local firewall */
    UDP_ERROR_TOO_BIG,     /* EMSGSIZE */
    UDP_ERROR_FAILED,      /* no route and the like: this datagram is lost, the next may pass */
    UDP_ERROR_FATAL,       /* EBADF, ENOTSOCK, EFAULT: a bug of ours */
    UDP_ERROR_COUNT
};
enum udp_error udp_classify_error(int error_number);

/*
 * How often one datagram is tried again while refusals are reported in its place. There is one
 * report a message of ICMP, whoever sent it: those that come as fast as we try again must not cost
 * a datagram for somebody else, and are more than a burst only in a flood.
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

/* Only open, for IPv4 or for IPv6 alone: nothing comes before udp_bind. */
int udp_create(enum address_family family, const struct udp_options *options,
               struct udp_socket *ret_socket) __attribute__((warn_unused_result));
/* Once. The socket's local address is the caller's to set. */
int udp_bind(const struct udp_socket *socket, const struct address *at)
    __attribute__((warn_unused_result));

/* Open a socket that talks to one destination, from source (IP; unset: the kernel's choice). */
int udp_open_connected(const struct address *to, const struct address *source,
                       uint64_t rcvbuf_bytes, struct udp_socket *ret_socket)
    __attribute__((warn_unused_result));

/* Is this an address of this machine, or pod: can a socket be bound to it? True also where that
 * cannot be found out. */
bool udp_is_here(const struct address *ip);

void udp_close(struct udp_socket *socket);

/* From now on others may be bound to a part of what this one is bound to, if they say so too; or no
 * longer. Those that are bound stay. */
void udp_share_address(const struct udp_socket *socket, bool is_shared);

/* Datagrams that the kernel dropped at this socket since it was opened (SO_MEMINFO); any thread. */
uint64_t udp_kernel_drops(int fd);

/* Is an error pending, such as a refusal? It is no longer after this; the error queue stays. */
bool udp_has_error(int fd);

#define UDP_QUOTED_MAX 128

/* What the error queue gives back: why a datagram of ours failed, and how it began. */
struct udp_failure {
    int error;      /* errno */
    bool is_remote; /* a host said so, by ICMP */
    size_t length;  /* bytes of quoted; 0: the host quoted nothing of it */
    uint8_t quoted[UDP_QUOTED_MAX];
};

/* Keep what fails in an error queue: IP_RECVERR, for both families where the socket has both. */
int udp_keep_errors(const struct udp_socket *socket);

/* Take one entry off the error queue. False: there is none. */
bool udp_take_error(int fd, struct udp_failure *ret_failure);

/*
 * From now on the kernel refuses new datagrams (their senders learn it by ICMP), and what has come
 * already can still be read: the socket is connected to a port of ours where nobody is. Sending to
 * an address goes on as before. Best effort: where it fails, datagrams go on coming.
 */
void udp_refuse_new(const struct udp_socket *socket);

/*
 * Send one datagram, for what is not a data path (control replies); again where refusals of earlier
 * ones are reported in its place. from unset: kernel's choice. Returns 0, or a negative errno: the
 * kernel did not take it.
 */
int udp_send_one(const struct udp_socket *socket, const struct address *to,
                 const struct address *from, const void *payload, size_t length);

/* The same over a connected socket. */
int udp_tell(const struct udp_socket *socket, const void *payload, size_t length);

#endif
