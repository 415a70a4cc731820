/*
 * reassembly: puts records together that continue in the next frame (docs/protocol.md, Records over
 * frames).
 *
 * A worker has at most one unfinished record of each nonce space of each member, and one more of its
 * kept frames, whose position is their number in the stream (header.sequence, as the owner sets it).
 * Any other frame of that nonce space, or kept frame, but the one that continues it ends it: it is
 * counted as received and dropped (incomplete). So do its age, and REASSEMBLY_UNFINISHED_MAX newer
 * ones. A record is counted when it is finished or ended, so the ledger is closed meanwhile.
 *
 * The frames of a GRO batch are adjacent in memory, so the next part is moved there, behind the part
 * before: over the end of a frame and the head of the next one, which have been read by then. Only
 * what is unfinished where the GRO batch ends is copied, into one of a fixed number of buffers. Their
 * memory is touched as far as records need it; the one used last is used first.
 *
 * Owner: its worker's thread. Only init allocates. Never blocks.
 */
#ifndef DATA_RELAY_REASSEMBLY_H
#define DATA_RELAY_REASSEMBLY_H

#include "data/relay/frame_auth.h"
#include "data/traffic.h"
#include "headless/base/clock.h"
#include "headless/wire/frame.h"

#define REASSEMBLY_UNFINISHED_MAX 256
#define REASSEMBLY_AGE_NS         NS_PER_SEC
#define REASSEMBLY_KEPT_AGE_NS    (61 * NS_PER_SEC) /* the next frame comes, within relay.keep_time */
#define REASSEMBLY_PLACES         ((size_t)2 * FRAME_AUTH_NONCE_SPACES) /* of a member */

/* An opened frame of a member, in memory that may be written. */
struct relay_part {
    const struct frame_header *header;
    union frame_body body;
    uint8_t *data;
    size_t length, records; /* records: the whole ones */
    uint16_t member_index;
};

enum unfinished_state { UNFINISHED_FREE, UNFINISHED_OPEN, UNFINISHED_DONE };

struct unfinished {
    uint8_t state;              /* enum unfinished_state; DONE: used until the flush */
    uint16_t number;            /* of its buffer */
    uint16_t member_index;      /* of its sender */
    struct frame_header header; /* of the frame that began it; its sequence: of the last part */
    union frame_body body;      /* of that frame, as if it began with this record */
    uint16_t *place;            /* that has its number */
    uint8_t *bytes;             /* in its buffer, or where they were received */
    size_t length, whole;       /* bytes so far, and in the end; whole 0: not known yet */
    uint64_t since_ns;
};

struct reassembly {
    size_t count, free_count, done_count, open_count;
    struct unfinished *list;
    uint16_t *free, *done; /* numbers */
    uint16_t *places;      /* by member index and nonce space: number + 1; 0: none */
    uint8_t *buffers;
    struct unfinished *in_place; /* its bytes are in the present GRO batch; NULL: none are */
    struct counters *counters;
    struct traffic *traffic;
    uint64_t now_ns; /* of this slice: set by the owner */
};

/* A finished record. */
struct relay_whole {
    struct frame_header header;
    union frame_body body;
    struct frame_reader reader; /* of this record alone; valid until reassembly_release */
};

/* batch: the most GRO batches between two releases. Returns 0 or -ENOMEM. */
int reassembly_init(struct reassembly *reassembly, size_t batch, struct counters *counters,
                    struct traffic *traffic) __attribute__((warn_unused_result));
void reassembly_fini(struct reassembly *reassembly);

/* Take the beginning of a frame, for every frame of a member. True: it finished a record, which
 * precedes the frame's own. False: there is none; one that it does not continue has ended. */
bool reassembly_continue(struct reassembly *reassembly, const struct relay_part *part,
                         struct relay_whole *ret_whole);
/* Take the end of a frame: the beginning of a record, after reassembly_continue. */
void reassembly_begin(struct reassembly *reassembly, const struct relay_part *part);

/* Count a record whose sender is no member by its instance: it cannot be continued. */
void reassembly_refuse(struct reassembly *reassembly, const struct relay_part *part);

/* The GRO batch ends: its memory may be used again after the flush. */
void reassembly_keep(struct reassembly *reassembly);
/* Finished records have been sent. */
void reassembly_release(struct reassembly *reassembly);
/* End records that are unfinished for longer than their age. */
void reassembly_expire(struct reassembly *reassembly);

#endif
