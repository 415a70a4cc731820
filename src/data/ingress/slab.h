/*
 * slab: a receiver's fixed memory for datagrams on their way through the process.
 *
 * A slot holds SLOT_BYTES, enough for nearly every datagram. Each armed slot has a spill buffer for
 * the rest of a large datagram (up to 65,507 bytes), which is then moved into its spill buffer as a
 * whole, so that every payload is contiguous. Spill memory that was never needed is never touched and
 * costs address space only. A batch that the kernel delivers in one piece (UDP_GRO) stays together:
 * one slot, one spill buffer, one descriptor.
 *
 * Owner: the receiver's thread takes and gives back; a datagram in flight belongs to the thread that
 * has the pointer. Free slots are a stack: the most recently used one, warm in cache, is taken first.
 * Nothing here blocks; only init allocates.
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
    uint32_t segment;    /* GRO batch: bytes of each datagram but a shorter last; 0: one datagram */
    uint8_t source;      /* enum datagram_source */
    uint8_t tos;         /* TOS byte or traffic class; SOURCE_RELAY: 0, a frame has its own */
    uint8_t ttl;         /* TTL or hop limit; 0: not known (loop_guard.h) */
    struct address peer; /* its sender */
    struct address local; /* our address and port that it was sent to; SOURCE_GROUP: the source of
                             replies, unset: the kernel's choice */
    uint64_t session;     /* SOURCE_APP on a connected socket: the session's id, otherwise 0 */
    uint8_t *slot;        /* its memory, for the life of the slab */
    uint8_t *spill;       /* a spill buffer, while armed or in use, otherwise NULL */
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

/* Datagrams in this piece. */
static inline uint32_t datagram_count(const struct datagram *datagram)
{
    return datagram->segment ? (datagram->length + datagram->segment - 1) / datagram->segment : 1;
}

/* The i-th of them: payload and length into *ret_one, which is a copy of the piece otherwise. */
static inline void datagram_part(const struct datagram *piece, uint32_t i, struct datagram *ret_one)
{
    uint32_t left = piece->length - i * piece->segment;

    ret_one->segment = 0;
    ret_one->payload = piece->payload + (size_t)i * piece->segment;
    ret_one->length = piece->segment && piece->segment < left ? piece->segment : left;
}

/* The first count datagrams of a larger GRO batch into *ret_head. */
static inline void datagram_head(const struct datagram *piece, uint32_t count,
                                 struct datagram *ret_head)
{
    *ret_head = *piece;
    ret_head->length = count * piece->segment;
    if (count == 1)
        ret_head->segment = 0;
}

/* Its bytes are in a slot of this process: the datagram is const for later readers only. */
static inline uint8_t *datagram_bytes(const struct datagram *datagram)
{
    return (uint8_t *)(uintptr_t)datagram->payload;
}

/* A free slot with a spill buffer, or NULL when either has run out. */
struct datagram *slab_take(struct slab *slab);

/* Gives slot and spill buffer back. */
void slab_give(struct slab *slab, struct datagram *datagram);

/* Gives only the spill buffer back, of a datagram that did not need it. */
void slab_give_spill(struct slab *slab, struct datagram *datagram);

#endif
