/*
 * liveness: idle TCP connections between followers and their leader, on the number of peer.port.
 *
 * When a process ends, for whatever reason, its kernel closes its connections at once. So a follower
 * keeps one to its leader, and learns of the death from it also when nothing else is sent. It is only
 * a hint (election_evidence.c): the caller probes the leader. After it, one more connection is tried;
 * if that is refused, the caller is told. A connection that times out is no hint, because heartbeats
 * detect a vanished host. Nothing depends on connections: without them it takes late heartbeats.
 *
 * The follower sends one PROBE and the leader replies with ALIVE: the bytes of the peer messages,
 * sealed like those, behind their length (16 bits). So both know which instance the other is. After
 * that nothing is sent. Connections are accepted from addresses of members only, a bounded number of
 * them, each for a bounded time until its PROBE has come.
 *
 * Owner: the supervisor's thread. Never blocks, allocates nothing. fd is readable when there is
 * something to do; liveness_run must also be called from time to time, for the time limits.
 */
#ifndef CONTROL_LIVENESS_H
#define CONTROL_LIVENESS_H

#include "peer_transport.h"

#define LIVENESS_BYTES        256 /* no message on a connection is longer */
#define LIVENESS_UNPROVED_MAX 16
#define LIVENESS_ACCEPTED_MAX (ELECTION_MEMBERS_MAX + LIVENESS_UNPROVED_MAX)

/* The bytes that have arrived on a connection. */
struct liveness_input {
    size_t length;
    uint8_t bytes[LIVENESS_BYTES];
};

/* Of a follower with us. */
struct liveness_accepted {
    int fd; /* -1: free */
    struct address from;
    uint64_t instance; /* 0: not proved yet */
    uint64_t since_ns;
    struct liveness_input input;
};

enum liveness_state { LIVENESS_NONE, LIVENESS_CONNECTING, LIVENESS_ASKED, LIVENESS_OPEN };

/* Ours to the leader. */
struct liveness_own {
    int fd;
    enum liveness_state state;
    uint64_t instance; /* of the leader; 0: none is wanted */
    struct address address;
    uint64_t next_ns;    /* the next attempt; while one is under way: its limit */
    uint64_t wait_ns;    /* after the next failure */
    uint64_t stamp_ns;   /* of our PROBE */
    unsigned checks;     /* attempts that are left since the connection was closed */
    uint64_t checked_ns; /* the last time that it was closed */
    unsigned failures;   /* attempts in a row */
    struct liveness_input input;
};

enum liveness_event { LIVENESS_NOTHING, LIVENESS_CLOSED, LIVENESS_REFUSED };

struct liveness {
    int fd; /* epoll; -1: not in use */
    int listener;
    struct peer_transport *transport;
    const struct election_list *list;
    struct counters *counters;
    uint64_t expire_ns;        /* the next look at the time limits of accepted connections */
    uint64_t accept_ns;        /* 0: listening; otherwise paused until then */
    uint64_t changes;          /* of what liveness_has tells */
    enum liveness_event event; /* not taken yet */
    uint64_t event_instance;
    struct liveness_own own;
    struct liveness_accepted accepted[LIVENESS_ACCEPTED_MAX];
};

/* Listen at bind:peer.port. A failure is logged, and only means that there will be no connections. */
void liveness_open(struct liveness *liveness, const struct config *config,
                   struct peer_transport *transport, const struct election_list *list);
void liveness_close(struct liveness *liveness);

/* The leader to which a connection is wanted; instance 0: none. */
void liveness_follow(struct liveness *liveness, uint64_t instance, const struct address *address);

/* Accept, connect, read, close. Returns the number of things done. */
size_t liveness_run(struct liveness *liveness, uint64_t now_ns);

/* Take one event, and its instance. */
enum liveness_event liveness_take(struct liveness *liveness, uint64_t *ret_instance);

/* There is an open connection with this instance. */
bool liveness_has(const struct liveness *liveness, uint64_t instance);

#endif
