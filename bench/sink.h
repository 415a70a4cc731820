/*
 * sink: the server side of a trial: receives, checks, counts, and answers if asked to.
 *
 *   sink.c  options and command        sink_loop.c  the loop        sink_report.c  the result
 *
 * Ledger: received = unique + duplicate + stale + corrupt + foreign + untracked + asked.
 * Owner: one thread, all of it. Only opening allocates. The loop blocks in ppoll alone.
 */
#ifndef BENCH_SINK_H
#define BENCH_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "batch.h"
#include "bench.h"
#include "headless/base/address.h"
#include "headless/base/histogram.h"
#include "progress.h"
#include "tracker.h"
#include "watch.h"

struct sink_options {
    const char *listen_text, *watch_text;
    uint64_t count, duration_ns, idle_ns, rcvbuf_bytes;
    bool echo, expect_all, json;
    struct address listen;
};

struct sink_counts {
    uint64_t received;   /* whatever came in */
    uint64_t unique;     /* whole, and first of their number */
    uint64_t duplicate;  /* seen before */
    uint64_t stale;      /* so old that they may be either */
    uint64_t reordered;  /* of unique: overtaken by a later one of the flow */
    uint64_t missing;    /* gaps between the first and the last of each flow */
    uint64_t corrupt;    /* a sender's, but damaged */
    uint64_t foreign;    /* no sender's */
    uint64_t untracked;  /* whole, but of more flows than can be told apart */
    uint64_t asked;      /* questions about a run (question.h), answered */
    uint64_t echoed;     /* answers handed to the kernel */
    uint64_t unanswered; /* with --echo: not echoed, refused by the kernel or by our loop guard */
    uint64_t own_drops;  /* dropped at our own socket */
    uint64_t received_bytes;
};

struct sink {
    const struct sink_options *options;
    int fd, stop_fd;
    struct address local;
    uint64_t rcvbuf_bytes;
    uint32_t clock;
    uint64_t last_run; /* of the last good datagram: damaged ones are known by it */
    struct batch batch;
    uint64_t questions; /* a bit for each message of the batch that has become an answer */
    struct tracker tracker;

    uint64_t now_ns, start_ns;
    uint64_t first_ns, last_ns; /* of receiving; 0: nothing yet */
    uint64_t look_ns;           /* when to look for signals although datagrams keep coming */
    bool stopped;
    struct sink_counts counts;
    struct histogram one_way; /* intended to received, where the clock is the same machine's */
    struct progress progress;
    struct watch watch;
    uint64_t watched_ns; /* the last datagram whose cost has been read */
};

/* Open the socket and all memory; *s zeroed. Returns 0 or a negative errno. */
int sink_open(struct sink *s, const struct sink_options *options) BENCH_MUST_USE;
void sink_close(struct sink *s);

/* Until signal, count, duration or idle time. Returns 0 or a negative errno. */
int sink_loop_run(struct sink *s) BENCH_MUST_USE;

void sink_report_print(const struct sink *s);
void sink_report_json(const struct sink *s);

#endif
