/*
 * kept_mail: confirmations on their way to the worker whose frames they confirm.
 *
 * A confirmation arrives at any worker, by the hash of its sender's socket; the frames belong to the
 * worker that sent them. Numbers of a slot never fall (kept.h), so each is a maximum, which any
 * thread raises, and no order among threads is needed.
 *
 *   field      written                                    read
 *   numbers    relaxed, any worker: raised                relaxed, its owner, after news
 *   gaps       relaxed, any worker: one more for each     relaxed, its owner, after news
 *   news       seq_cst, any worker, after the others;     acquire, its owner: taken
 *              before the look at the owner's waker
 */
#ifndef DATA_RELAY_KEPT_MAIL_H
#define DATA_RELAY_KEPT_MAIL_H

#include <stdatomic.h>

#include "data/relay/kept.h"
#include "headless/base/waker.h"

#define KEPT_MAIL_WORDS (KEPT_STREAMS_MAX / 64)

struct kept_mail_slot {
    _Atomic uint64_t received, confirmed;
    _Atomic uint32_t gaps;
    uint32_t gaps_seen; /* the owner's */
};

struct kept_mail {
    _Alignas(64) _Atomic uint64_t news[KEPT_MAIL_WORDS]; /* a bit for each slot */
    struct kept_mail_slot slots[KEPT_STREAMS_MAX];
    struct waker *waker; /* the owner's */
};

static inline void kept_mail_raise(_Atomic uint64_t *number, uint64_t to)
{
    uint64_t seen = atomic_load_explicit(number, memory_order_relaxed);

    while (seen < to && !atomic_compare_exchange_weak_explicit(
                            number, &seen, to, memory_order_relaxed, memory_order_relaxed)) {
    }
}

/* Any worker. */
static inline void kept_mail_put(struct kept_mail *mail, const struct confirmation *confirmation)
{
    uint8_t slot = (uint8_t)(confirmation->stream & (KEPT_STREAMS_MAX - 1));
    struct kept_mail_slot *to = &mail->slots[slot];

    kept_mail_raise(&to->received, confirmation->received);
    kept_mail_raise(&to->confirmed, confirmation->confirmed);
    if (confirmation->flags & CONFIRMATION_GAP)
        (void)atomic_fetch_add_explicit(&to->gaps, 1, memory_order_relaxed);
    (void)atomic_fetch_or_explicit(&mail->news[slot / 64], UINT64_C(1) << slot % 64,
                                   memory_order_seq_cst);
}

/* Its owner: carry out what has come. */
static inline void kept_mail_take(struct kept_mail *mail, struct kept *kept)
{
    for (unsigned word = 0; word < KEPT_MAIL_WORDS; word++) {
        uint64_t news = atomic_load_explicit(&mail->news[word], memory_order_relaxed);

        if (news)
            news = atomic_exchange_explicit(&mail->news[word], 0, memory_order_acquire);
        for (; news; news &= news - 1) {
            uint8_t slot = (uint8_t)(word * 64 + (unsigned)__builtin_ctzll(news));
            struct kept_mail_slot *from = &mail->slots[slot];
            uint32_t gaps = atomic_load_explicit(&from->gaps, memory_order_relaxed);
            uint64_t confirmed = atomic_load_explicit(&from->confirmed, memory_order_relaxed);

            kept_confirm(kept, slot, atomic_load_explicit(&from->received, memory_order_relaxed),
                         confirmed);
            if (gaps != from->gaps_seen)
                kept_report_gap(kept, slot);
            from->gaps_seen = gaps;
        }
    }
}

#endif
