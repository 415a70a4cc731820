/*
 * replay: a sliding window over the counters of a nonce space; accepts each counter at most once.
 *
 * A ring of words, each with the bits of 16 counters and the number of the round in which they were
 * seen. A newer round overwrites a word, and a counter of an older round is refused: so no counter
 * is accepted twice, and a late one is accepted until its word is overwritten, which happens
 * REPLAY_WINDOW counters later. Counters are marked only after the message was found authentic.
 *
 * Several threads may share a window without a lock (frames of one nonce space reach another worker
 * when they are spoofed from another port): a word changes by compare-and-swap, and one of two
 * threads fails. Memory order is relaxed, because a word is complete in itself.
 *
 * Threads: replay_is_new and replay_accept any; replay_reset the supervisor, before it publishes
 * the window to others. Never blocks. Technique: RFC 6479 (anti-replay without bit shifting), with
 * the round kept in each word instead of one head for all.
 */
#ifndef HEADLESS_SECURE_REPLAY_H
#define HEADLESS_SECURE_REPLAY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define REPLAY_WORDS       128 /* a power of two */
#define REPLAY_WINDOW      (REPLAY_WORDS * 16)
#define REPLAY_COUNTER_MAX ((UINT64_C(1) << 59) - 1) /* a round has 48 bits */

struct replay_window {
    _Atomic uint64_t floor;               /* counters up to this one are refused */
    _Atomic uint64_t words[REPLAY_WORDS]; /* round << 16 | bits */
};

/* Refuse counters up to floor; none above has been seen. */
void replay_reset(struct replay_window *window, uint64_t floor);

/* True when it may be accepted: a cheap test before authentication. */
bool replay_is_new(const struct replay_window *window, uint64_t counter);

/* Mark a counter. False: it has been seen, or is older than the window. */
bool replay_accept(struct replay_window *window, uint64_t counter);

#endif
