/*
 * sender: the client side of a trial: flows that send checked datagrams and account the replies.
 *
 *   send_options.c  the command line          sender.c        sockets and memory
 *   send_loop.c     the pace of sending       sender_io.c     sending, receiving, accounting
 *   send.c          the command               send_report.c   the result
 *
 * Datagram number k of the run belongs to flow (k / burst) % flows and has the next sequence of
 * that flow; flow f sends to target f % targets from its own source port.
 *
 * A run is one trial or several over the same flows; sequences continue from one to the next.
 *
 * Two ledgers add up: sent = answered + late + missing, and
 * received = answered + late + duplicate + stale + corrupt + misrouted + foreign.
 *
 * Owner: one thread, all of it. Only sender_open allocates. The loops block in ppoll alone.
 */
#ifndef BENCH_SENDER_H
#define BENCH_SENDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "batch.h"
#include "bench.h"
#include "gso_batches.h"
#include "headless/base/address.h"
#include "headless/base/histogram.h"
#include "places.h"
#include "progress.h"
#include "samples.h"
#include "sizes.h"
#include "watch.h"
#include "window.h"

#define SEND_TARGETS_MAX    16
#define SEND_FLOWS_MAX      4096
#define SEND_STEPS_MAX      64
#define SEND_RATE_MAX       1000000000
#define SEND_MICROBURST_MAX 65536

struct send_options {
    /* as given */
    const char *to_text, *from_text, *size_text, *watch_text, *rate_text, *csv_text;
    uint64_t flows, count, duration_ns, step_ns, outstanding, burst, microburst;
    uint64_t timeout_ns, max_lateness_ns, interval_ns, rcvbuf_bytes, seed;
    bool closed_loop, one_way, unconnected, gso, expect_all, json;
    /* derived */
    struct address targets[SEND_TARGETS_MAX], from;
    unsigned target_count;
    struct sizes sizes;
    uint64_t rates[SEND_STEPS_MAX]; /* open loop: one trial each */
    unsigned rate_count;
};

/* One trial of a run. */
struct send_trial {
    uint64_t rate;  /* 0: the closed loop */
    uint64_t count; /* 0: unlimited */
    uint64_t duration_ns;
};

struct send_counts {
    uint64_t planned;   /* open loop: by rate and duration; closed: attempts */
    uint64_t sent;      /* handed to the kernel */
    uint64_t unsent;    /* refused by the kernel for good (firewall, size, no route) */
    uint64_t unpaced;   /* open loop: not sent when the time was over */
    uint64_t refused;   /* ICMP errors returned (no socket there) */
    uint64_t ungrouped; /* GSO batches that the kernel refused: sent singly */
    uint64_t full;      /* waits for room in the kernel's send buffer */
    uint64_t received;  /* datagrams of any kind */
    uint64_t answered;  /* first replies, intact and in time */
    uint64_t late;      /* first replies after the timeout */
    uint64_t missing;   /* sent and never answered */
    uint64_t duplicate; /* answered or late before */
    uint64_t stale;     /* too old to tell late from duplicate, or of an earlier trial */
    uint64_t reordered; /* of answered and late: overtaken by a later one of the flow */
    uint64_t corrupt;   /* ours, but altered */
    uint64_t misrouted; /* intact, but of another flow */
    uint64_t foreign;   /* not of this run, or (unconnected) from another address */
    uint64_t own_drops; /* dropped at our sockets: neither lost in the network nor received */
    uint64_t sent_bytes, received_bytes;
};

struct flow {
    int fd;
    unsigned target;
    uint64_t next_sequence;
    uint64_t first_sequence; /* of this trial */
    struct window answered;
};

struct sender {
    const struct send_options *options;
    uint64_t run;
    uint32_t clock;
    struct flow *flows;
    uint64_t *window_bits;
    struct sockaddr_storage targets[SEND_TARGETS_MAX]; /* for unconnected flows */
    socklen_t target_lengths[SEND_TARGETS_MAX];
    struct batch in, out;
    uint16_t tags[BATCH_SIZE];      /* of the messages in out */
    struct gso_batches gso_batches; /* the same messages, as GSO batches */
    bool gso;                       /* until the kernel refuses */
    struct places places;           /* closed loop only */
    int epoll_fd, stop_fd;
    struct samples *samples;         /* NULL: no samples */
    uint64_t run_sent, run_answered; /* of all trials, late ones included */

    struct send_trial trial;
    uint64_t now_ns;   /* current time of this slice */
    uint64_t start_ns; /* the first datagram's intended time */
    uint64_t end_ns;   /* end of sending; UINT64_MAX: unlimited */
    uint64_t total;    /* datagrams to send; UINT64_MAX: unlimited */
    uint64_t next;     /* number of the next one */
    uint64_t last_sent_ns, last_reply_ns;
    uint64_t last_received_ns; /* any datagram */
    uint64_t silence_ns;       /* the longest time between two replies */
    unsigned stops;            /* signals: the first ends sending, the second the trial */

    struct send_counts counts;
    struct histogram round_trip; /* from the intended time: no coordinated omission */
    struct histogram lateness;   /* open loop: actual minus intended sending time */
    uint64_t own_drops_before;   /* of earlier trials */
    uint64_t rcvbuf_bytes;       /* the smallest that any flow was granted */
    bool quiet;                  /* no progress line: the calling command has its own */
    struct progress progress;
    struct watch watch;
};

/* Read the command line, resolve names. Ends the process on usage errors and unknown names. */
void send_options_read(int argc, char **argv, struct send_options *ret_options);

/* Defaults for commands that run trials of their own. */
struct send_options send_options_default(void);
const char *send_options_check_flows(struct send_options *o); /* NULL, or the error */
void send_options_resolve(struct send_options *o, const char *command);

/* Open all flows. Returns 0 or a negative errno with nothing left open. */
int sender_open(struct sender *s, const struct send_options *options) BENCH_MUST_USE;
void sender_close(struct sender *s);

/* Prepare a trial: counts from 0, the same flows. Replies of earlier trials will be stale. */
void sender_begin(struct sender *s, const struct send_trial *trial);

/* Kernel drops at our sockets so far, in all trials. */
uint64_t sender_own_drops(const struct sender *s);

/* Intended sending time of a datagram; only for the open loop. */
uint64_t sender_due_ns(const struct sender *s, uint64_t number);

/*
 * Send up to limit datagrams, all of one flow, from number `next` on. Returns the number done,
 * sent or refused (0: the kernel has no room now), or a negative errno that ends the trial.
 */
int sender_transmit(struct sender *s, uint64_t limit) BENCH_MUST_USE;

/* Account received datagrams; if there are none, wait until a time. Returns 0 or -errno. */
int sender_receive(struct sender *s, uint64_t until_ns) BENCH_MUST_USE;

/* Run the trial that sender_begin prepared. Returns 0 or a negative errno. */
int send_loop_run(struct sender *s) BENCH_MUST_USE;

/* Why the trial is invalid; NULL: it is valid. */
const char *send_report_invalid(const struct sender *s);
void send_report_add_flows(struct json_object *object, const struct send_options *o);
void send_report_print_flows(const struct send_options *o); /* ends its line */
void send_report_print(const struct sender *s);
void send_report_json(const struct sender *s);

#endif
