/*
 * limit: what udp-limit's loops share: the options, the counts, and one function a mode.
 *
 * udp-limit is the floor under headlessd's figures: each loop does one way of forwarding UDP with
 * as little code as somebody would write who needs nothing else. No peers, no ledger, no hold, no
 * fence: what headlessd costs above it is what headlessd's features cost. IPv4 only, one
 * destination, or a row of them.
 *
 *   main.c    modes, sockets, JSON                 options.c  the command line
 *   loops.c   one, fanout, receive-gso, gro-gso    reader.c   recvmmsg into 64 buffers
 *   pack.c    receive-pack-gso                     gso_batches.c   sendmmsg of GSO gso_batches
 *   sink.c    receive                              send.c     a cheap paced sender
 *
 * A loop goes on until limit_is_stopping, which it asks once a batch; SIGINT and SIGTERM end a wait
 * of at most 100 ms. An error in sending costs the gso_batch it happened to and is counted.
 *
 * Owner: one thread, all of it. Only the start of a loop allocates.
 */
#ifndef LIMIT_LIMIT_H
#define LIMIT_LIMIT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define LIMIT_MUST_USE    __attribute__((warn_unused_result))

#define LIMIT_BATCH       64
#define LIMIT_FLOWS_MAX   4096
#define LIMIT_PAYLOAD_MAX 65507

struct limit_options {
    struct sockaddr_in listen, to;
    uint64_t rcvbuf_bytes; /* as it is asked for; 0: as much as is granted */
    /* of receive: */
    uint64_t pause_us; /* between looks, without waiting in the socket; 0: wait */
    bool gro;          /* take gso_batches as they are, and count what is in them */
    const char *tell;  /* a file that always has the number received; NULL: none */
    uint64_t members;  /* of fanout: destinations, from `to` upwards */
    /* of send: */
    uint64_t rate; /* datagrams a second, all flows together */
    uint64_t flows, gso,
        burst; /* gso: datagrams in one send, 1: none; burst: in a row, of one flow */
    uint64_t size_low, size_high;
    uint64_t duration_s, count; /* 0: no limit */
};

struct limit_counts {
    uint64_t received, received_bytes; /* datagrams, as their sender sent them */
    uint64_t batches;                  /* system calls that received any */
    uint64_t sent;                     /* client datagrams handed to the kernel */
    uint64_t frames;                   /* datagrams that carry them: fewer when packed */
    uint64_t gso_batches;              /* what was handed over at once: one datagram or more */
    uint64_t unsent;                   /* refused by the kernel */
    uint64_t skipped;                  /* by the sender: too late to be sent */
};

struct rate_limiter {
    struct limit_options options;
    struct limit_counts counts;
    int in, out; /* in: bound to listen; out: connected to `to`; -1 where a mode has none */
};

bool limit_is_stopping(void);

/* A socket connected to `to`. Returns the descriptor or a negative errno. */
int limit_open_connected(const struct sockaddr_in *to) LIMIT_MUST_USE;

/* The modes. Each returns 0 when it was stopped, or a negative errno. */
int limit_receive(struct rate_limiter *l) LIMIT_MUST_USE;
int limit_one(struct rate_limiter *l) LIMIT_MUST_USE;
int limit_fanout(struct rate_limiter *l) LIMIT_MUST_USE;
int limit_receive_gso(struct rate_limiter *l) LIMIT_MUST_USE;
int limit_gro_gso(struct rate_limiter *l) LIMIT_MUST_USE;
int limit_receive_pack_gso(struct rate_limiter *l) LIMIT_MUST_USE;
int limit_send(struct rate_limiter *l) LIMIT_MUST_USE;

#endif
