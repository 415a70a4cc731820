/*
 * order: what the frames of types ORDER and POSITION hold (route: ordered).
 *
 * The leader gives each message the next number and a mark: its term and instance. Numbers go on
 * across terms; one number under two marks is two orders that grew apart.
 *
 *   ORDER     frame header, run, record*        a run: consecutive numbers of one mark, maybe none
 *     run =      0 first      8 mark (term, leader)     24 before (term, leader)   40 base
 *               48 oldest    56 until                   64 tail                    72 committed
 *   POSITION  frame header, position
 *     position = 0 flags(16), zero(48)   8 want   16 epoch   24 last   32 committed
 *
 * 64 bits each where nothing is said; big endian. Numbers begin at 1 and end at ORDER_NUMBER_MAX,
 * so that no sum of two overflows.
 *
 * Bytes only. Any thread, never blocks.
 */
#ifndef HEADLESS_WIRE_ORDER_H
#define HEADLESS_WIRE_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ORDER_NUMBER_MAX     ((uint64_t)1 << 62)
#define ORDER_RUN_BYTES      80
#define ORDER_POSITION_BYTES 40

/* Who numbered a message, and when. Zeros: nobody, before the first. */
struct order_mark {
    uint64_t term, leader;
};

struct order_run {
    uint64_t first;           /* the number of the first record; of none: the next that will be */
    struct order_mark mark;   /* of the records */
    struct order_mark before; /* of the message first - 1 */
    uint64_t base;            /* the first of the sender's own term; 0: it does not lead */
    uint64_t oldest;          /* in the sender's history; first that it does not have: none */
    uint64_t until;           /* an reply: it ends before this number; 0: it is none */
    uint64_t tail;            /* the highest that the sender has; 0: none yet */
    uint64_t committed;       /* the highest that a majority has, as far as the sender knows */
};

/* A leader that learns: say where you are. */
#define ORDER_POSITION_QUERY 1

struct order_position {
    uint16_t flags;
    uint64_t want;      /* send from this number on; 0: nothing */
    uint64_t epoch;     /* the term in which the sender last agreed with a leader; 0: never */
    uint64_t last;      /* the highest that it has */
    uint64_t committed; /* the highest that it knows a majority to have */
};

static inline bool order_mark_equal(struct order_mark a, struct order_mark b)
{
    return a.term == b.term && a.leader == b.leader;
}

void order_put_run(uint8_t out[static ORDER_RUN_BYTES], const struct order_run *run);
/* False: too short, or numbers that cannot be. */
bool order_get_run(const uint8_t *in, size_t length, struct order_run *ret_run);

void order_put_position(uint8_t out[static ORDER_POSITION_BYTES],
                        const struct order_position *position);
bool order_get_position(const uint8_t *in, size_t length, struct order_position *ret_position);

#endif
