/*
 * slab: a receiver's fixed memory for datagrams on their way through the process.
 *
 * A slot holds SLOT_BYTES, which is nearly every datagram. Behind each armed slot waits a spill
 * buffer for the rest of a large one (up to 65,507 bytes); a large datagram is then moved together
 * in its spill buffer, so that its payload is contiguous like every other. Spill memory that was
 * never needed is never touched, so it costs address space only. A gro_batch that arrives in one piece
 * (UDP_GRO) stays together: one slot, one spill buffer, one descriptor.
 *
 * Owner: the receiver's thread takes and gives back; a datagram in flight belongs to whoever has
 * the pointer. Free slots are a stack: the most recently used, warm in cache, goes first. Nothing
 * here blocks; only init allocates.
 */
#ifndef DATA_INGRESS_SLAB_H
#define DATA_INGRESS_SLAB_H

#include <stddef.h>
#include <stdint.h>

#include "headless/base/address.h"

#define SLOT_BYTES  2048
#define SPILL_BYTES (SLOT_BYTES + 65536) /* headroom for the slot's part, then the rest */

enum datagram_source { SOURCE_DATA, SOURCE_RELAY, SOURCE_APP, SOURCE_GROUP };

/* A received datagram: the descriptor that travels through the rings. */
struct datagram {
    const uint8_t *payload; /* contiguous, in slot or in spill */
    uint32_t length;
    uint32_t
        segment; /* a gro_batch: datagrams of so many bytes, the last may be shorter; 0: it is one */
    uint8_t source;       /* enum datagram_source */
    struct address peer;  /* who sent it */
    struct address local; /* the address and port of ours that it was sent to; SOURCE_GROUP: from
                             which it is answered, unset: the kernel's choice */
    uint64_t session;     /* SOURCE_APP on a connected socket: the session's id, else 0 */
    uint8_t *slot;        /* its memory, fixed for life */
    uint8_t *spill;       /* a spill buffer, while armed or in use, else NULL */
};

struct slab {
    size_t slot_count, spill_count;
    struct datagram *datagrams; /* one per slot */
    uint8_t *slot_memory, *spill_memory;
    struct datagram **free_slots; /* stack */
    uint8_t **free_spills;        /* stack */
    size_t free_slot_count, free_spill_count;
};

int slab_init(struct slab *slab, size_t slot_count, size_t spill_count)
    __attribute__((warn_unused_result));
void slab_fini(struct slab *slab);

/* How many datagrams came in this piece. */
static inline uint32_t datagram_count(const struct datagram *datagram)
{
    return datagram->segment ? (datagram->length + datagram->segment - 1) / datagram->segment : 1;
}

/* The i-th of these: payload and length into *ret_one, a copy of the piece otherwise. */
static inline void datagram_part(const struct datagram *piece, uint32_t i, struct datagram *ret_one)
{
    uint32_t left = piece->length - i * piece->segment;

    ret_one->segment = 0;
    ret_one->payload = piece->payload + (size_t)i * piece->segment;
    ret_one->length = piece->segment && piece->segment < left ? piece->segment : left;
}

/* The first count datagrams of a gro_batch of more: these alone into *ret_head. */
static inline void datagram_head(const struct datagram *piece, uint32_t count,
                                 struct datagram *ret_head)
{
    *ret_head = *piece;
    ret_head->length = count * piece->segment;
    if (count == 1)
        ret_head->segment = 0;
}

/* A free slot with a spill buffer, or NULL when either has run out. */
struct datagram *slab_take(struct slab *slab);

/* Back again, spill included. */
void slab_give(struct slab *slab, struct datagram *datagram);

/* Give back the spill buffer alone, of a datagram that did not need it. */
void slab_give_spill(struct slab *slab, struct datagram *datagram);

#endif
