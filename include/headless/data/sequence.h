/*
 * sequence: the sequencer of a worker (route: ordered), and its actions carried out: frames through
 * the relay, entries to the app, reports to app.notify and into the log.
 *
 * Owner: its worker's thread, except the numbers, which anyone may read.
 */
#ifndef HEADLESS_DATA_SEQUENCE_H
#define HEADLESS_DATA_SEQUENCE_H

#include "headless/net/udp.h"
#include "headless/sequencer/sequencer.h"

struct worker;
struct request;

struct sequence {
    struct sequencer sequencer;
    struct sequencer_actions actions;
    struct udp_socket notify; /* connected to app.notify, for reports; fd -1: there is none */
    uint64_t generation;      /* of the snapshot that the sequencer knows */
    bool needs_flush;         /* actions were carried out since the last batch ended */

    /* Published with each flush. */
    _Atomic uint64_t waiting; /* entries that were not delivered yet */
    _Atomic uint64_t last;    /* index */
    _Atomic bool is_leading;
};

/* Allocates worker->sequence if the route is ordered. Returns 0 or a negative errno. */
int sequence_init(struct worker *worker) __attribute__((warn_unused_result));
void sequence_fini(struct worker *worker);

/* The worker's snapshot is a new one. */
void sequence_take_view(struct worker *worker);
/* A client's request, at the leader. */
void sequence_append(struct worker *worker, const struct request *request);
/* A frame of type ENTRIES or ACK. */
void sequence_take_frame(struct worker *worker, const struct frame_header *header,
                         const union frame_body *body, size_t records, struct frame_reader *reader);
/* First in worker_flush. */
void sequence_flush(struct worker *worker);
/* What is due by time. True: flush then. */
bool sequence_tick(struct worker *worker);

#endif
