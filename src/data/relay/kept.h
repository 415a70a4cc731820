/*
 * kept: the frames that a worker has sent and that their receivers have not confirmed.
 *
 * A ring of bytes of fixed size (base/arena_queue.h) has them in the order in which they were sent.
 * Each link of the worker is a stream: its frames are numbered without gaps. The receiver takes
 * them in this order only (confirm.h), so records reach it in order; behind a missing frame it
 * drops them and reports the gap. Then the stream goes back: the missing frame and those behind it
 * are sent again, at most a window before each confirmation, and new frames wait in the ring
 * behind them. A frame that nothing is heard of is sent again alone, after a time that doubles.
 *
 *   sent ──► WAITING ──► confirmed ──► (replied: until the replies have passed) ──► DONE
 *               └── its receiver is lost ──► ORPHAN ──► MOVED: routed again ──► DONE
 *
 * A frame in which a record begins that the next one continues is kept as long as that one, since
 * the record is of no use without its beginning.
 *
 * A full ring forgets the oldest frame, and every frame is forgotten after a time: counted as lost
 * if it was not confirmed.
 *
 * Pure: no socket, no clock. Owner: its worker's thread. Only init allocates; memory of the ring
 * that was never used is never touched.
 */
#ifndef DATA_RELAY_KEPT_H
#define DATA_RELAY_KEPT_H

#include "headless/base/arena_queue.h"
#include "headless/wire/confirmation.h"
#include "headless/wire/frame.h"

#define KEPT_STREAMS_MAX 256 /* a stream's number ends in its slot */
#define KEPT_SLOT_BITS   8
#define KEPT_SLOT_NONE   (KEPT_STREAMS_MAX - 1)

enum kept_state {
    KEPT_WAITING, /* for its confirmation */
    KEPT_HELD,    /* confirmed; its replies have not passed */
    KEPT_ORPHAN,  /* to be routed again */
    KEPT_MOVED,   /* routed again; its bytes are in use until the flush */
    KEPT_DONE
};

struct kept_frame {
    struct kept_frame *next;            /* of its stream */
    uint64_t number;                    /* in its stream */
    uint64_t since_ns, sent_ns;         /* sent for the first time; for the last, 0: not yet */
    uint64_t end;                       /* bytes of its stream up to its end */
    uint64_t term;                      /* of its header */
    uint64_t first_ticket;              /* of its records (kept_replies.h) */
    uint32_t records, unreplied, bytes; /* records: that begin in it */
    uint16_t continued, begun; /* of its bytes: parts of records that the frames around it have */
    uint8_t slot, type, hops;  /* type: DATA or REPLY */
    uint8_t state;             /* enum kept_state */
    bool is_again;             /* sent more than once */
    bool is_replayed;          /* its records were sent to another pod before */
    bool is_unseen;            /* an orphan that its receiver has not said to have received */
    bool is_begun_left; /* an orphan that was routed again but for the record that begins in it */
    /* Its records follow, as in a frame. */
};

struct kept_stream {
    uint32_t id;   /* on the wire; 0: none yet */
    uint64_t next; /* the number of the next frame; later streams go on from it */
    uint64_t received, confirmed;
    uint64_t end;               /* bytes put so far */
    struct kept_frame *oldest;  /* not confirmed; NULL: none */
    struct kept_frame *missing; /* the first that may not have arrived; NULL: none */
    struct kept_frame *newest;
    struct kept_frame *again; /* going back: the next to be sent; NULL: all are sent */
    size_t window_bytes;      /* that may go before the next confirmation */
    size_t window_max;        /* of it; 0: pace_bytes */
    size_t passed_bytes;      /* received since the last gap */
    bool is_probing;          /* send one frame without going back */
    bool is_paced;            /* new frames wait for the window */
    bool is_silent;           /* nothing is sent again */
    bool is_refused;          /* its host refused a frame, and it has confirmed nothing since */
    uint64_t past;    /* it stepped down after this number: requests up to it have their replies,
                        or none */
    uint8_t timeouts; /* in a row */
    uint64_t due_ns;  /* of the next timeout; UINT64_MAX: nothing is waited for */
    uint64_t back_ns, back_to; /* when it last went back, and to which number */
    uint64_t round_trip_ns;
};

struct kept {
    struct arena_queue ring;
    size_t pace_bytes;  /* the window */
    bool needs_replies; /* requests of own clients are held until their replies have passed */
    uint32_t ids;       /* streams so far */
    uint64_t now_ns;
    uint64_t due_ns;   /* no stream is due earlier */
    size_t orphans;    /* frames */
    uint64_t requests; /* records of requests in the ring */
    /* Requests on their second hop: packed, as the owner counts, and ended here. Another pod keeps them
     * meanwhile. */
    uint64_t relayed_put, relayed_done;
    /* Since the owner last took them: records. */
    uint64_t lost_requests, lost_replies, sent_again;
    struct kept_stream streams[KEPT_STREAMS_MAX];
    void (*on_end)(void *context, const struct kept_frame *frame, bool is_lost); /* NULL: none */
    void *context;
    uint8_t leader_slot; /* requests go there; KEPT_SLOT_NONE: to no pod */
    uint8_t ending_slot; /* the leader before, while its confirmations are waited for */
    bool ending_stepped_down;
    uint64_t leader_term, ending_term;
    uint64_t ending_until_ns;
};

/* Returns 0 or -ENOMEM. bytes 0: nothing is kept. */
int kept_init(struct kept *kept, size_t bytes) __attribute__((warn_unused_result));
void kept_fini(struct kept *kept);

static inline bool kept_is_on(const struct kept *kept)
{
    return kept->ring.arena_bytes > 0;
}

static inline uint8_t *kept_records(const struct kept_frame *frame)
{
    return (uint8_t *)(uintptr_t)(frame + 1);
}

/*
 * Number a frame of this slot and keep it; its records are to be written to kept_records(). like:
 * type, hops, term, records, bytes, continued, begun, is_replayed. ret_place: what its header says. NULL: it cannot be
 * kept, is numbered, and has to be sent.
 */
struct kept_frame *kept_put(struct kept *kept, uint8_t slot, const struct kept_frame *like,
                            struct frame_place *ret_place);
/* True: new frames of this stream are sent by kept_next, behind those that are sent again. */
static inline bool kept_goes_back(const struct kept *kept, uint8_t slot)
{
    return kept->streams[slot].again != NULL;
}

/* While it is set, new frames of this slot are sent by kept_next within the window. */
static inline void kept_pace(struct kept *kept, uint8_t slot, bool is_paced)
{
    kept->streams[slot].is_paced = is_paced;
}

/* Is there a frame for kept_next? */
static inline bool kept_has_due(const struct kept *kept, uint8_t slot)
{
    const struct kept_stream *stream = &kept->streams[slot];

    return !stream->is_silent &&
           (stream->is_probing || (stream->again && stream->window_bytes > 0));
}

/* A confirmation of this slot's stream. */
void kept_confirm(struct kept *kept, uint8_t slot, uint64_t received, uint64_t confirmed);
/* The receiver lacks the frame behind those received. */
void kept_report_gap(struct kept *kept, uint8_t slot);

/* The same, as it came; of an earlier stream of its slot it is ignored. */
static inline void kept_take(struct kept *kept, const struct confirmation *confirmation)
{
    uint8_t slot = (uint8_t)(confirmation->stream & (KEPT_STREAMS_MAX - 1));

    if (kept->streams[slot].id != confirmation->stream)
        return;
    kept_confirm(kept, slot, confirmation->received, confirmation->confirmed);
    if (confirmation->flags & CONFIRMATION_GAP)
        kept_report_gap(kept, slot);
}

/* Timeouts, and frames kept for longer than keep_ns. */
void kept_tick(struct kept *kept, uint64_t keep_ns);
/* The next frame of this slot to be sent now, for the first time or again; NULL: none. */
struct kept_frame *kept_next(struct kept *kept, uint8_t slot);
struct frame_place kept_place(const struct kept *kept, const struct kept_frame *frame);

/* Bytes of this stream that may not have arrived. */
size_t kept_in_flight(const struct kept *kept, uint8_t slot);
/* Requests of this stream that are not confirmed: is there one? */
bool kept_has_requests(const struct kept *kept, uint8_t slot);

/* A held frame has its last reply. */
void kept_finish(struct kept *kept, struct kept_frame *frame);

/* For kept_handover.c: the end of a frame; and the oldest frames that have ended leave the ring. */
void kept_end(struct kept *kept, struct kept_frame *frame, bool is_lost);
void kept_pop_done(struct kept *kept);

/* ---- kept_handover.c ---- */

/*
 * The receiver of this slot is gone: its requests become orphans, also those held for replies that
 * it cannot send any more (with_held); replies to it are lost. The next frame of the slot begins
 * another stream.
 */
void kept_lose(struct kept *kept, uint8_t slot, bool with_held);
/* The oldest orphan behind this frame (NULL: of all); NULL: none. */
struct kept_frame *kept_orphan(struct kept *kept, const struct kept_frame *behind);
/* It is routed again. */
void kept_move(struct kept *kept, struct kept_frame *orphan);
/* After the flush: moved frames are done. */
void kept_end_moves(struct kept *kept);

/*
 * Requests go to this slot from now on (KEPT_SLOT_NONE: to this pod itself), whose pod leads this term.
 * Call it for each leader, not while there is none, and again when it becomes known that one before
 * stepped down, which led gave_way_term (0: none). The owner may have missed that leader: of another
 * one it says nothing.
 */
void kept_follow(struct kept *kept, uint8_t slot, uint64_t term, uint64_t gave_way_term);
/* This slot's host has refused a frame: its process has ended. */
void kept_refuse(struct kept *kept, uint8_t slot);
/* False: earlier requests have to be confirmed, or routed again, before new ones are sent. */
bool kept_is_settled(struct kept *kept);

/* Time until kept_tick has something to do. */
static inline uint64_t kept_sleep_ns(const struct kept *kept)
{
    if (kept->due_ns == UINT64_MAX)
        return UINT64_MAX;
    return kept->due_ns > kept->now_ns ? kept->due_ns - kept->now_ns : 0;
}

#endif
