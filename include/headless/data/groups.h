/*
 * groups: the sockets of multicast.groups, and their receivers.
 *
 * One socket and one receiver for each group, however many the data port has: each socket of a
 * group is given every datagram. They deal out to all workers, or are read by the completions. What
 * comes is answered through the data socket, from self, never from the group's address.
 *
 * A group that cannot be joined is logged and left out; unicast goes on.
 *
 * Owner: the plane. Threads: those of plane.h.
 */
#ifndef HEADLESS_DATA_GROUPS_H
#define HEADLESS_DATA_GROUPS_H

#include "headless/config/config.h"
#include "headless/data/receiver.h"

struct group {
    struct address address; /* IP and port */
    uint32_t interface;     /* its index; 0: the kernel's choice */
    struct udp_socket socket;
    struct receiver receiver;
};

struct groups {
    size_t count;       /* of those that are joined */
    struct group *list; /* room for all of multicast.groups; NULL: none */
};

/*
 * Join, and make the receivers, each with a lane for every worker (workers: 0: none). The data
 * sockets are bound already, and may have to make room. Returns 0 or -ENOMEM and the like; only
 * what is no matter of the network fails.
 */
int groups_open(struct groups *groups, const struct config *config,
                const struct udp_socket *data_sockets, size_t data_socket_count)
    __attribute__((warn_unused_result));
void groups_close(struct groups *groups);

/* One thread a group, for workers that have threads; and their end, after groups_leave. */
int groups_start(struct groups *groups) __attribute__((warn_unused_result));
void groups_stop(struct groups *groups);

/* Nothing comes any more; what has come can still be read. */
void groups_leave(const struct groups *groups);

/* Any thread: datagrams that the kernel dropped at their sockets. */
uint64_t groups_kernel_drops(const struct groups *groups);

#endif
