/*
 * replay: which counters of one sender's nonce_space have been seen, so that none is taken twice.
 *
 * A ring of words, each with 16 counters' bits and the number of the round in which they were seen.
 * A newer round overwrites a word, and what is older than its word is refused: so no counter is
 * ever accepted twice, and what comes late is accepted as long as its word has not been
 * overwritten, REPLAY_WINDOW counters later. Marked only after the message was found authentic.
 *
 * Several threads may share a window without a lock (frames of one nonce_space, spoofed from another port,
 * reach another worker): a word changes by compare-and-swap, and only one of two wins. The order is
 * relaxed: a word is complete in itself.
 *
 * Threads: look and accept by any; reset by the supervisor, before others learn of the window.
 * Technique: RFC 6479 (anti-replay without bit shifting), with the round kept in each word instead
 * of one head for all.
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
    _Atomic uint64_t floor;               /* this and what is below was before our time */
    _Atomic uint64_t words[REPLAY_WORDS]; /* round << 16 | bits */
};

/* Counters up to floor are refused, none above has been seen. */
void replay_reset(struct replay_window *window, uint64_t floor);

/* Might it be accepted? Before the costly part. */
bool replay_is_new(const struct replay_window *window, uint64_t counter);

/* Mark it. False: it has been seen, or is too old to know. */
bool replay_accept(struct replay_window *window, uint64_t counter);

#endif
