/*
 * entry: the bodies of frames of types ENTRIES and ACK (route: ordered).
 *
 * The leader appends each message to its log under the next index, with an entry id: its term and
 * its instance. Indices continue across terms; one index with two ids means that two logs diverged.
 *
 *   ENTRIES   frame header, range, record*      consecutive indices and one id; maybe no record
 *     range =   0 first      8 id (term, leader)      24 previous (term, leader)   40 term first
 *              48 oldest    56 reply end              64 last                      72 committed
 *   ACK       frame header, acknowledgement
 *     ack   =   0 flags(16), zero(48)   8 request   16 normal term   24 last   32 committed
 *
 * Fields without a width have 64 bits; big endian. Indices begin at 1 and end at ENTRY_INDEX_MAX,
 * so that no sum of two overflows.
 *
 * Bytes only. Any thread, never blocks.
 */
#ifndef HEADLESS_WIRE_ENTRY_H
#define HEADLESS_WIRE_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENTRY_INDEX_MAX   ((uint64_t)1 << 62)
#define ENTRY_RANGE_BYTES 80
#define ENTRY_ACK_BYTES   40

/* The leader that appended an entry, and its term. Zeros: the position before the first entry. */
struct entry_id {
    uint64_t term, leader;
};

struct entry_range {
    uint64_t first;           /* index of the first record; without records: of the next entry */
    struct entry_id id;       /* of the records */
    struct entry_id previous; /* of entry first - 1 */
    uint64_t term_first;      /* first index of the sender's own term; 0: it does not lead */
    uint64_t oldest;          /* in the sender's log; equal to the next index: its log is empty */
    uint64_t reply_end;       /* a reply to a request: it ends before this index; 0: no reply */
    uint64_t last;            /* the sender's last index; 0: none yet */
    uint64_t committed;       /* the highest index that a majority has, as far as it knows */
};

/* A new leader that adopts a log: acknowledge your last index. */
#define ENTRY_ACK_QUERY 1

struct entry_ack {
    uint16_t flags;
    uint64_t request;     /* send entries from this index on; 0: nothing is requested */
    uint64_t normal_term; /* the last term in which the log agreed with a leader's; 0: none */
    uint64_t last;        /* the sender's last index */
    uint64_t committed;   /* the highest index that it knows a majority to have */
};

static inline bool entry_id_equal(struct entry_id a, struct entry_id b)
{
    return a.term == b.term && a.leader == b.leader;
}

void entry_put_range(uint8_t out[static ENTRY_RANGE_BYTES], const struct entry_range *range);
/* False: too short, or an index out of bounds. */
bool entry_get_range(const uint8_t *in, size_t length, struct entry_range *ret_range);

void entry_put_ack(uint8_t out[static ENTRY_ACK_BYTES], const struct entry_ack *ack);
bool entry_get_ack(const uint8_t *in, size_t length, struct entry_ack *ret_ack);

#endif
