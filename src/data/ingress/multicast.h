/*
 * multicast_groups: the sockets of multicast.groups, and their receivers.
 *
 * One socket and one receiver for each group, however many the data port has: the kernel gives every
 * datagram to each socket of a group. The receivers deal out to all workers, or are read by the
 * inline_workers. Replies leave through the data socket, from self, never from the group's address.
 *
 * A group that cannot be joined is logged and tried again (multicast_groups_retry); unicast goes on.
 * Its socket and receiver exist all the same and receive nothing. So the data threads see no
 * difference when the main thread joins: only the kernel's state changes.
 *
 * Owner: the data plane. Threads: those of data_plane.h.
 */
#ifndef DATA_INGRESS_MULTICAST_H
#define DATA_INGRESS_MULTICAST_H

#include "data/ingress/receiver.h"
#include "headless/config/config.h"

struct multicast_group {
    const struct config_group *wanted;
    struct address address; /* IP and port */
    struct udp_socket socket;
    struct receiver receiver;
    /* The main thread's; any thread may read is_joined. */
    uint32_t interface;       /* its index, when it is joined or was; 0: the kernel's choice */
    uint32_t bound_interface; /* what a socket of one link is bound to; 0: to none */
    bool is_bound, was_joined;
    int logged_errno; /* why it cannot be joined, as last logged; 0: nothing */
    _Atomic bool is_joined;
};

struct multicast_groups {
    const struct config *config;
    const struct udp_socket *data_sockets;
    size_t data_socket_count;
    size_t count;                 /* groups that have a socket */
    struct multicast_group *list; /* room for all of multicast.groups; NULL: none */
};

/*
 * Joins, and makes the receivers, each with a pair for every worker (workers: 0: none). The data
 * sockets are bound already and stay; while a group is bound, they share their address. Returns 0 or
 * -ENOMEM and the like: a network error is logged and is no failure.
 */
int multicast_groups_open(struct multicast_groups *groups, const struct config *config,
                          const struct udp_socket *data_sockets, size_t data_socket_count)
    __attribute__((warn_unused_result));
void multicast_groups_close(struct multicast_groups *groups);

/* Joins groups that are not joined, and those whose interface has gone. Asks the kernel, and may take
 * a while. The main thread, now and then, between multicast_groups_open and _leave. */
void multicast_groups_retry(struct multicast_groups *groups);

/* Any thread: groups joined. */
size_t multicast_groups_joined(const struct multicast_groups *groups);

/* One thread a group, if the workers have threads. Stop after multicast_groups_leave. */
int multicast_groups_start(struct multicast_groups *groups) __attribute__((warn_unused_result));
void multicast_groups_stop(struct multicast_groups *groups);

/* Nothing arrives any more; received datagrams can still be read. */
void multicast_groups_leave(struct multicast_groups *groups);

/* Any thread: datagrams that the kernel dropped at their sockets. */
uint64_t multicast_groups_kernel_drops(const struct multicast_groups *groups);

#endif
