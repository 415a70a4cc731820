#include "window.h"

#include <stdbool.h>
#include <string.h>

void window_init(struct window *w, uint64_t *zeroed_bits, uint64_t size)
{
    *w = (struct window){.bits = zeroed_bits, .mask = size - 1};
}

static bool take_bit(struct window *w, uint64_t sequence)
{
    uint64_t *word = &w->bits[(sequence & w->mask) / 64];
    uint64_t bit = UINT64_C(1) << (sequence % 64);
    bool was_set = *word & bit;

    *word |= bit;
    return !was_set;
}

static void window_advance(struct window *w, uint64_t sequence)
{
    if (sequence - w->highest > w->mask) {
        memset(w->bits, 0, (w->mask + 1) / 8);
    } else {
        for (uint64_t s = w->highest + 1; s <= sequence; s++)
            w->bits[(s & w->mask) / 64] &= ~(UINT64_C(1) << (s % 64));
    }
    w->highest = sequence;
}

enum window_result window_record(struct window *w, uint64_t sequence)
{
    enum window_result result = WINDOW_NEW;

    if (w->unique == 0) {
        w->lowest = w->highest = sequence;
    } else if (sequence > w->highest) {
        window_advance(w, sequence);
    } else {
        if (w->highest - sequence > w->mask)
            return WINDOW_STALE;
        result = WINDOW_REORDERED;
    }
    if (!take_bit(w, sequence))
        return WINDOW_DUPLICATE;
    if (sequence < w->lowest)
        w->lowest = sequence;
    w->unique++;
    return result;
}

uint64_t window_gaps(const struct window *w)
{
    return w->unique ? w->highest - w->lowest + 1 - w->unique : 0;
}
