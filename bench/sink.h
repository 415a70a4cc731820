/*
 * sink: the server side of a trial: receives, checks, counts, and with --echo replies.
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
    uint64_t received;   /* datagrams of any kind */
    uint64_t unique;     /* intact, and the first with their number */
    uint64_t duplicate;  /* seen before */
    uint64_t stale;      /* too old to tell unique from duplicate */
    uint64_t reordered;  /* of unique: overtaken by a later one of the flow */
    uint64_t missing;    /* gaps between the first and the last of each flow */
    uint64_t corrupt;    /* a sender's, but altered */
    uint64_t foreign;    /* not from headless-bench send */
    uint64_t untracked;  /* intact, but of more flows than the table holds */
    uint64_t asked;      /* requests for the count of a run (count_request.h), replied to */
    uint64_t echoed;     /* replies handed to the kernel */
    uint64_t unanswered; /* with --echo: refused by the kernel or by the loop guard */
    uint64_t own_drops;  /* dropped at our socket */
    uint64_t received_bytes;
};

struct sink {
    const struct sink_options *options;
    int fd, stop_fd;
    struct address local;
    uint64_t rcvbuf_bytes;
    uint32_t clock;
    uint64_t last_run; /* run of the last good datagram, to recognize altered ones */
    struct batch batch;
    uint64_t
        count_replies; /* a bit for each message of the batch that is a reply to a count request */
    struct tracker tracker;

    uint64_t now_ns, start_ns;
    uint64_t first_ns, last_ns; /* of receiving; 0: none yet */
    uint64_t look_ns;           /* next check for signals under continuous load */
    bool stopped;
    struct sink_counts counts;
    struct histogram one_way; /* from intended to received, if the sender uses the same clock */
    struct progress progress;
    struct watch watch;
    uint64_t watched_ns; /* the last datagram whose CPU time has been read */
};

/* Open the socket and all memory; *s zeroed. Returns 0 or a negative errno. */
int sink_open(struct sink *s, const struct sink_options *options) BENCH_MUST_USE;
void sink_close(struct sink *s);

/* Run until signal, count, duration or idle time. Returns 0 or a negative errno. */
int sink_loop_run(struct sink *s) BENCH_MUST_USE;

void sink_report_print(const struct sink *s);
void sink_report_json(const struct sink *s);

#endif
