/*
 * relay_link: one destination of a worker's relay: a connected socket, the frames of the current
 * batch, and an outbox. Private to data/relay/; relay.h explains the design.
 *
 * Closed frames are kept until the flush. Where records continue in the next frame, all frames but
 * the last are full, so they leave as one GSO batch; a flush has whole records only. Frames that
 * are not full, because type or term changed or members know no parts, are padded to one size if
 * they are similar: each by at most 1/FRAME_WASTE of the largest one.
 *
 * The frames of a batch are adjacent, frame_bytes apart: that is the size of a full one, by relay.mtu
 * and the path's MTU.
 *
 * Owner: its worker's thread. Blocking: as outbox_flush. Only relay_link_open allocates.
 */
#ifndef DATA_RELAY_LINK_H
#define DATA_RELAY_LINK_H

#include "data/relay/relay.h"

#define FRAME_WASTE 8 /* more than an eighth would cost more than a message of its own */

/* A frame in the buffer of the same index, closed or being packed. */
struct relay_frame {
    size_t bytes;
    uint32_t records;          /* that begin in it */
    uint16_t continued, begun; /* bytes of parts, as in its link block */
    uint8_t type, hops;        /* type: enum frame_type */
    bool has_link;
    bool is_numbered; /* a kept frame whose place is written */
    bool is_withheld; /* it is sent later (kept_next) */
    uint64_t term, first_ticket;
    uint8_t *start;         /* after relay_pack_finish: its first byte */
    const uint8_t *payload; /* NULL, or of a record too large for the buffer: sent as an iovec */
    size_t payload_bytes;
};

struct relay_link {
    struct address to;
    struct udp_socket socket;
    struct outbox outbox;
    uint8_t *buffers; /* one per message, frame_bytes each: a frame, or a PROXY v2 header */
    size_t buffers_bytes, capacity; /* of all; messages a flush, at most */
    size_t frame_bytes, frame_max;  /* of a full frame; frames a flush, at most */
    struct relay_frame *frames;     /* one per buffer */
    size_t frame_count;             /* closed frames */
    bool is_packing;                /* frames[frame_count] is being packed */
    struct frame_header header;     /* of that frame */
    union frame_body body;          /* of that frame, where its type has one */
    uint64_t sequence;              /* of the last frame sent over this link */
    uint64_t number;                /* of the last frame with a link block, to this instance */
    uint64_t path_read_ns;          /* when the path's MTU was read last */
    uint64_t used_ns, retry_ns;     /* retry: not opened again before */
    uint64_t instance;              /* of the receiving member; 0: none */
    uint64_t instance_from;         /* the first sequence sent to that instance */
    uint16_t member_index;          /* for the traffic counts */
    uint64_t leadership;            /* generation by which `instance` was looked up for replies */
    bool is_withholding;            /* one of its frames is sent later */
    uint8_t slot;                   /* its stream (kept.h): its place in the table */
};

/* Returns 0 or a negative errno, with nothing left open. */
int relay_link_open(struct relay *relay, struct relay_link *link)
    __attribute__((warn_unused_result));
void relay_link_close(struct relay_link *link);
/* Allocate only the buffers: for the link that packs copies. */
int relay_link_make_room(struct relay *relay, struct relay_link *link)
    __attribute__((warn_unused_result));

/* The n-th buffer: of a frame, or of a PROXY v2 header. */
static inline uint8_t *relay_link_buffer(const struct relay_link *link, size_t number)
{
    return link->buffers + number * link->frame_bytes;
}

/* Set the size of frames for a link without frames. path_mtu: that of the kernel; 0: not known. */
void relay_link_size_frames(struct relay *relay, struct relay_link *link, size_t path_mtu);

/* ---- pack.c ---- */

/*
 * Pack a record into the frame of the link; a frame is closed when it is full or the header
 * differs. body: NULL for types without one. record: NULL: a frame with a body only.
 */
void relay_link_pack(struct relay *relay, struct relay_link *link,
                     const struct frame_header *header, const union frame_body *body,
                     const struct record *record);

/* Begin a frame with this header, and its link block and body unwritten. */
struct relay_frame *relay_pack_prefix(struct relay *relay, struct relay_link *link,
                                      const struct frame_header *header);
/* The first byte of a frame in its buffer; the block of a sealed frame is in front of it. */
uint8_t *relay_pack_frame(const struct relay *relay, const struct relay_link *link, size_t number);
/* Of a frame, header and body included. */
size_t relay_pack_room(const struct relay *relay, const struct relay_link *link);

/* Close the last frame; returns the number of records in all frames. */
size_t relay_pack_close(struct relay_link *link);
/* Prepare the frames for sending: close the last, pad to equal sizes, assign sequences, seal. */
void relay_pack_finish(struct relay *relay, struct relay_link *link);

/* ---- link.c ---- */

/* Send the payload unchanged, or behind a PROXY v2 header. */
void relay_link_send_plain(struct relay *relay, struct relay_link *link,
                           const struct record *record);

/* Send everything, and count the results. */
void relay_link_flush(struct relay *relay, struct relay_link *link);

/* ---- keep.c ---- */

/* A record begins in this frame. */
void relay_keep_record(struct relay *relay, struct relay_frame *frame, const struct record *record);
/* Number the frames of a link that are to be kept, and keep them. */
void relay_keep_frames(struct relay *relay, struct relay_link *link);
/* Send frames again that are due. */
void relay_keep_flush(struct relay *relay);
/* Confirm what is due. */
void relay_confirm_flush(struct relay *relay);

/* ---- link_table.c ---- */

/* The open link to a destination, or NULL when no socket can be opened. */
struct relay_link *relay_link_to(struct relay *relay, const struct address *to);
struct relay_link *relay_link_to_target(struct relay *relay, const struct relay_target *target);
struct relay_link *relay_link_to_member(struct relay *relay, const struct member *member);
/* A kept frame is for one instance: that of the member with this address. */
bool relay_link_is_to_member(struct relay *relay, struct relay_link *link);

/* ---- copies ---- */

/* Send the finished frames of copies over this link, which must be flushed; count the results. */
void relay_link_send_copies(struct relay *relay, struct relay_link *link,
                            const struct relay_link *copies);
/* relay.c: finish the copies and send them to all members. */
void relay_copies_flush(struct relay *relay);
/* relay.c: make frames of copies as large as the links of all their receivers allow. */
void relay_copies_size(struct relay *relay);

#endif
