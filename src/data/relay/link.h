/*
 * relay_link: one destination of a worker's relay: a connected socket, the frames that wait for the
 * end of the batch, and the outbox. Private to data/; include/headless/data/relay.h has the why.
 *
 * A frame waits for its fellows: closed frames are kept until the flush, and there those of about
 * one size are padded to one size, so that they leave as one gro_batch. What a gro_batch may waste is
 * bounded: FRAME_WASTE of its largest frame for each other one.
 *
 * Owner: its worker's thread. Only open allocates.
 */
#ifndef DATA_RELAY_LINK_H
#define DATA_RELAY_LINK_H

#include "data/relay/relay.h"

#define FRAME_WASTE 8 /* an eighth: what costs more than a send of its own is not worth it */

/* A frame in the buffer of its number, closed or being packed. */
struct relay_frame {
    size_t bytes;
    uint32_t records;
    uint8_t type;           /* enum frame_type */
    uint8_t *start;         /* finished: its first byte */
    const uint8_t *payload; /* of one record too large for the buffer, by iovec; else NULL */
    size_t payload_bytes;
};

struct relay_link {
    struct address to;
    struct udp_socket socket;
    struct outbox outbox;
    uint8_t *buffers; /* one per message, buffer_bytes each: a frame, or a PROXY v2 header */
    size_t buffer_bytes;
    struct relay_frame *frames; /* one per buffer */
    size_t frame_count;         /* closed */
    bool is_packing;            /* the frame after those */
    struct frame_header header; /* of that one */
    union frame_body body;      /* of that one, where its type has one */
    uint64_t sequence;          /* of the last frame that went this way */
    uint64_t used_ns, retry_ns; /* retry: not to be opened again before */
    uint64_t instance;          /* of the leader that it serves; 0: none */
    uint64_t instance_from;     /* the first sequence that went to it */
    uint16_t member_index;
};

/* Returns 0 or a negative errno, with nothing left open. */
int relay_link_open(const struct relay *relay, struct relay_link *link)
    __attribute__((warn_unused_result));
void relay_link_close(struct relay_link *link);
/* Only the buffers: for the link that packs copies. */
int relay_link_make_room(const struct relay *relay, struct relay_link *link)
    __attribute__((warn_unused_result));

/* The n-th buffer: of a frame, or of a PROXY v2 header. */
static inline uint8_t *relay_link_buffer(const struct relay_link *link, size_t number)
{
    return link->buffers + number * link->buffer_bytes;
}

/* ---- relay_pack.c ---- */

/*
 * Put a record into the link's frame, opening and closing frames as its room and header demand.
 * body: NULL for types without one. record: NULL: a frame that only has a body.
 */
void relay_link_pack(struct relay *relay, struct relay_link *link,
                     const struct frame_header *header, const union frame_body *body,
                     const struct record *record);

/* Close the last frame; returns how many records are in all of them. */
size_t relay_pack_close(struct relay_link *link);
/* Ready to leave: the last frame closed, each of a size with its neighbours, numbered and sealed.
 */
void relay_pack_finish(struct relay *relay, struct relay_link *link);

/* ---- relay_link.c ---- */

/* The payload as it came, or behind a PROXY v2 header. */
void relay_link_send_plain(struct relay *relay, struct relay_link *link,
                           const struct record *record);

/* Send everything, and account it. */
void relay_link_flush(struct relay *relay, struct relay_link *link);

/* ---- copies ---- */

/* Sends the finished frames of copies over this link, where nothing waits, and accounts them. */
void relay_link_send_copies(struct relay *relay, struct relay_link *link,
                            const struct relay_link *copies);
/* relay.c: finish and send to all members. */
void relay_copies_flush(struct relay *relay);

#endif
