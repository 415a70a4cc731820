/*
 * window: which sequence numbers of one flow have arrived, in bounded memory.
 *
 * A ring of bits behind the highest number seen, as anti-replay windows have it (RFC 6479): a
 * number above the highest moves the window on, one inside it is new or a duplicate, one that fell
 * out behind can no longer be told apart and is stale. A new number below the highest is
 * reordered (RFC 4737). Owner: one thread. Nothing blocks or fails; the caller owns the bits.
 */
#ifndef BENCH_WINDOW_H
#define BENCH_WINDOW_H

#include <stdint.h>

enum window_result { WINDOW_NEW, WINDOW_REORDERED, WINDOW_DUPLICATE, WINDOW_STALE };

struct window {
    uint64_t *bits; /* size / 64 words, zeroed by the caller at the start */
    uint64_t mask;  /* size - 1 */
    uint64_t lowest, highest;
    uint64_t unique; /* 0: nothing has arrived, lowest and highest mean nothing */
};

/* size: a power of two, 64 or more. */
void window_init(struct window *w, uint64_t *zeroed_bits, uint64_t size);

/* Numbers must be below UINT64_MAX / 2. */
enum window_result window_record(struct window *w, uint64_t sequence);

/* How many between the lowest and the highest have not arrived: losses seen from this end only. */
uint64_t window_gaps(const struct window *w);

#endif
