/*
 * limit: options, counts and modes of udp-limit.
 *
 * udp-limit is the lower bound for headlessd's figures: each loop forwards UDP in one way with as
 * little code as possible. No peers, no ledger, no hold, no fence: the difference to headlessd is
 * the cost of headlessd's features. IPv4 only, one destination, or a range of them.
 *
 *   main.c    modes, sockets, JSON                 options.c      the command line
 *   loops.c   one, fanout, receive-gso, gro-gso    reader.c       recvmmsg into 64 buffers
 *   pack.c    receive-pack-gso                     gso_batches.c  sendmmsg of GSO batches
 *   sink.c    receive                              send.c         a cheap paced sender
 *
 * A loop runs until limit_is_stopping, which it checks once a batch; SIGINT and SIGTERM end a wait
 * of at most 100 ms. An error in sending loses the GSO batch concerned and is counted.
 *
 * Owner: one thread. Only the start of a loop allocates.
 */
#ifndef LIMIT_LIMIT_H
#define LIMIT_LIMIT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define LIMIT_MUST_USE    __attribute__((warn_unused_result))

#define LIMIT_BATCH       64
#define LIMIT_FLOWS_MAX   16384
#define LIMIT_PAYLOAD_MAX 65507

struct limit_options {
    struct sockaddr_in listen, to;
    uint64_t rcvbuf_bytes; /* requested; 0: as much as is granted */
    /* of receive: */
    uint64_t pause_us; /* sleep between reads, instead of waiting in the socket; 0: wait */
    bool gro;          /* receive GRO batches whole, and count their datagrams */
    const char *tell;  /* a file with the current number received; NULL: none */
    uint64_t members;  /* of fanout: destinations, consecutive addresses from `to` on */
    /* of send: */
    uint64_t rate; /* datagrams a second, all flows together */
    uint64_t flows, gso,
        burst; /* gso: datagrams in one send, 1: none; burst: in a row, of one flow */
    uint64_t size_low, size_high;
    uint64_t duration_s, count; /* 0: no limit */
};

struct limit_counts {
    uint64_t received, received_bytes; /* datagrams, as their sender sent them */
    uint64_t batches;                  /* system calls that received at least one */
    uint64_t sent;                     /* client datagrams handed to the kernel */
    uint64_t frames;                   /* datagrams that carry them: fewer when packed */
    uint64_t gso_batches;              /* messages handed over: one datagram or more each */
    uint64_t unsent;                   /* refused by the kernel */
    uint64_t skipped;                  /* by the sender: too late to be sent */
};

struct limit_loop {
    struct limit_options options;
    struct limit_counts counts;
    int in, out; /* in: bound to listen; out: connected to `to`; -1 where a mode has none */
};

bool limit_is_stopping(void);

/* A socket connected to `to`. Returns the descriptor or a negative errno. */
int limit_open_connected(const struct sockaddr_in *to) LIMIT_MUST_USE;

/* The modes. Each returns 0 when it was stopped, or a negative errno. */
int limit_receive(struct limit_loop *l) LIMIT_MUST_USE;
int limit_one(struct limit_loop *l) LIMIT_MUST_USE;
int limit_fanout(struct limit_loop *l) LIMIT_MUST_USE;
int limit_receive_gso(struct limit_loop *l) LIMIT_MUST_USE;
int limit_gro_gso(struct limit_loop *l) LIMIT_MUST_USE;
int limit_receive_pack_gso(struct limit_loop *l) LIMIT_MUST_USE;
int limit_send(struct limit_loop *l) LIMIT_MUST_USE;

#endif
