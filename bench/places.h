/*
 * places: the datagrams of a closed loop that have no reply yet, at most capacity.
 *
 * A doubly linked list in order of sending: its head is the oldest, and any entry can be removed.
 * A place's number travels in the payload (tag), so that a reply finds its place without a search.
 * Owner: one thread. Only init allocates; nothing blocks.
 */
#ifndef BENCH_PLACES_H
#define BENCH_PLACES_H

#include <stdbool.h>
#include <stdint.h>

#include "bench.h"

#define PLACES_MAX 65534 /* the tag has 16 bits; 0 is the list's head */

struct place;
struct places {
    struct place *places; /* [0] is the head of the list of places in use */
    uint16_t first_free;  /* 0: none */
    unsigned capacity, used;
};

/* capacity: 1..PLACES_MAX. Returns 0 or -ENOMEM. */
int places_init(struct places *ps, unsigned capacity) BENCH_MUST_USE;
void places_fini(struct places *ps);

/* Take a place for a datagram sent now; one must be free. Returns its tag. */
uint16_t places_take(struct places *ps, uint16_t flow, uint64_t sequence, uint64_t sent_ns);

/* Free the place of this datagram; false when it has none (any more). */
bool places_release(struct places *ps, uint16_t tag, uint16_t flow, uint64_t sequence);

/* Free the places of all datagrams sent before a time. Returns their number. */
unsigned places_expire(struct places *ps, uint64_t sent_before_ns);

/* Sending time of the oldest; UINT64_MAX when no place is in use. */
uint64_t places_oldest_ns(const struct places *ps);

#endif
