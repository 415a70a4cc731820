/*
 * sequencer_runner: steps the sequencer of a worker (route: ordered) and executes its actions:
 * frames through the relay, entries to the app, reports to app.notify and the log.
 *
 * Owner: its worker's thread, except the numbers, which anyone may read.
 */
#ifndef DATA_SEQUENCER_RUNNER_H
#define DATA_SEQUENCER_RUNNER_H

#include "headless/net/udp.h"
#include "headless/sequencer/sequencer.h"

struct worker;
struct routing;
struct request;

struct sequencer_runner {
    struct sequencer sequencer;
    struct sequencer_actions actions;
    struct worker *worker;    /* its outboxes are flushed when the log needs room */
    struct udp_socket notify; /* connected to app.notify, for reports; fd -1: there is none */
    uint64_t generation;      /* of the snapshot that the sequencer knows */
    bool needs_flush;         /* actions were carried out since the last batch ended */

    /* Published with each flush. */
    _Atomic uint64_t waiting; /* entries that were not delivered yet */
    _Atomic uint64_t last;    /* index */
    _Atomic bool is_leading;
};

/* Allocates routing->runner if the route is ordered. Returns 0 or a negative errno. */
int sequencer_runner_init(struct routing *routing, struct worker *worker)
    __attribute__((warn_unused_result));
void sequencer_runner_fini(struct routing *routing);

/* The slice's snapshot is a new one. */
void sequencer_runner_take_snapshot(struct routing *routing);
/* A client's request, at the leader. */
void sequencer_runner_append(struct routing *routing, const struct request *request);
/* A frame of type ENTRIES or ACK. */
void sequencer_runner_take_frame(struct routing *routing, const struct frame_header *header,
                                 const union frame_body *body, size_t records,
                                 struct frame_reader *reader);
/* First in worker_flush. */
void sequencer_runner_flush(struct routing *routing);
/* A new leader has to adopt a log before it appends to it. */
bool sequencer_runner_must_adopt(const struct routing *routing);
/* Steps the sequencer if it is due by time. True: flush then. */
bool sequencer_runner_tick(struct routing *routing);

#endif
