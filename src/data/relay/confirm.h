/*
 * confirm: what a worker has taken of the streams of other pods' threads, and what it confirms.
 *
 * Frames of a stream are taken in the order of their numbers, each once. One that was taken is a
 * duplicate; one behind a missing frame is dropped, and the gap is reported (kept.h). So a record
 * may continue in the next frame, and nothing has to be kept here.
 *
 * A frame is confirmed when its requests have left this worker: given to the app, relayed and
 * confirmed by the next pod, or dropped and counted. Requests that wait somewhere pass a gate: for
 * each place of waiting the owner has two numbers, how many were put there and how many have left,
 * in order. A frame taken before a mark of the first is confirmed when the second has reached it.
 *
 * A confirmation is in each kept frame to that pod, or leaves alone: at once for a gap or a duplicate,
 * after CONFIRM_FRAMES frames, or after CONFIRM_DELAY_NS; with other frames to that pod earlier; never
 * twice within CONFIRM_PAUSE_NS.
 *
 * Pure: no socket, no clock. Owner: its worker's thread. Only init allocates.
 */
#ifndef DATA_RELAY_CONFIRM_H
#define DATA_RELAY_CONFIRM_H

#include "headless/base/clock.h"
#include "headless/wire/confirmation.h"

#define CONFIRM_DELAY_NS (5 * NS_PER_MS)
#define CONFIRM_PAUSE_NS NS_PER_MS
#define CONFIRM_FRAMES   32
#define CONFIRM_GATES    2

enum confirm_verdict { CONFIRM_TAKEN, CONFIRM_DUPLICATE, CONFIRM_AHEAD };

struct confirm_stream {
    uint64_t instance; /* of the sender; 0: none */
    uint64_t next;     /* number of the next frame */
    uint64_t gated;    /* below it, frames were taken before the gate's mark */
    uint64_t settled;  /* below it, they are confirmed */
    uint64_t told_next, told_settled;
    uint64_t due_ns, told_ns;
    uint32_t id;
    uint16_t frames; /* taken since it was last told */
    bool is_listed, has_gap, is_asked, is_refused;
};

struct confirm {
    struct confirm_stream *streams;
    uint32_t count;
    uint32_t *list; /* indices of those with something to settle or to tell */
    uint32_t listed;
    uint64_t now_ns;
    uint64_t mark[CONFIRM_GATES];
    bool is_gated;    /* marks are set */
    bool has_refused; /* since confirm_resume */
};

/* count: streams, known by an index of the owner's. Returns 0 or -ENOMEM. */
int confirm_init(struct confirm *confirm, uint32_t count) __attribute__((warn_unused_result));
void confirm_fini(struct confirm *confirm);

/* A frame of this instance's stream. index: of a pair of member and nonce space. */
enum confirm_verdict confirm_take(struct confirm *confirm, uint32_t index, uint64_t instance,
                                  const struct frame_place *place);

/* A frame that cannot be taken now, because its records would have to wait here: its sender keeps
 * them, and sends them again. */
void confirm_refuse(struct confirm *confirm, uint32_t index, uint64_t instance,
                    const struct frame_place *place);
/* Frames can be taken again: ask for those that were refused. */
void confirm_resume(struct confirm *confirm);

/* The batch is flushed. put, left: of each place of waiting. */
void confirm_settle(struct confirm *confirm, const uint64_t put[static CONFIRM_GATES],
                    const uint64_t left[static CONFIRM_GATES]);

/* Is there something to be told now by itself? goes_along: there are frames to that pod. */
bool confirm_is_due(const struct confirm *confirm, uint32_t index, bool goes_along);
/* The confirmation to send; it counts as told. Without the nonce space. */
struct confirmation confirm_tell(struct confirm *confirm, uint32_t index);
/* After a round: those that have nothing left leave the list. */
void confirm_tidy(struct confirm *confirm);

uint64_t confirm_sleep_ns(const struct confirm *confirm);

#endif
