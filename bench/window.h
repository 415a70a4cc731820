/*
 * window: the sequence numbers of one flow that have arrived, in bounded memory.
 *
 * A ring of bits behind the highest number seen, like an anti-replay window (RFC 6479): a number
 * above the highest advances the window, one inside it is new or a duplicate, one behind it is
 * stale (new or duplicate). A new number below the highest is reordered (RFC 4737).
 * Owner: one thread. Nothing blocks or fails; the caller owns the bits.
 */
#ifndef BENCH_WINDOW_H
#define BENCH_WINDOW_H

#include <stdint.h>

enum window_result { WINDOW_NEW, WINDOW_REORDERED, WINDOW_DUPLICATE, WINDOW_STALE };

struct window {
    uint64_t *bits; /* size / 64 words, zeroed by the caller */
    uint64_t mask;  /* size - 1 */
    uint64_t lowest, highest;
    uint64_t unique; /* 0: none has arrived, lowest and highest are unset */
};

/* size: a power of two, 64 or more. */
void window_init(struct window *w, uint64_t *zeroed_bits, uint64_t size);

/* Numbers must be below UINT64_MAX / 2. */
enum window_result window_record(struct window *w, uint64_t sequence);

/* Numbers between the lowest and the highest that have not arrived: losses seen from this end. */
uint64_t window_gaps(const struct window *w);

#endif
