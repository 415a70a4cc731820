#include "headless/secure/replay.h"

#define BITS_SHIFT  4
#define BITS        (1 << BITS_SHIFT)
#define ROUND_SHIFT 11 /* of a counter: 4 bits within a word, 7 for the word */

_Static_assert(REPLAY_WORDS << BITS_SHIFT == 1 << ROUND_SHIFT, "a round is once through the ring");

void replay_reset(struct replay_window *window, uint64_t floor)
{
    atomic_store_explicit(&window->floor, floor, memory_order_relaxed);
    for (uint32_t i = 0; i < REPLAY_WORDS; i++)
        atomic_store_explicit(&window->words[i], 0, memory_order_relaxed);
}

static uint32_t word_of(uint64_t counter)
{
    return (uint32_t)(counter >> BITS_SHIFT) & (REPLAY_WORDS - 1);
}

static uint64_t bit_of(uint64_t counter)
{
    return UINT64_C(1) << (counter & (BITS - 1));
}

/* The word with this counter marked, or 0 when it must be refused: a word with a bit is never 0. */
static uint64_t marked(uint64_t word, uint64_t counter)
{
    uint64_t round = counter >> ROUND_SHIFT;

    if (word >> BITS > round)
        return 0;
    if (word >> BITS < round)
        return round << BITS | bit_of(counter);
    return word & bit_of(counter) ? 0 : word | bit_of(counter);
}

static bool is_in_range(const struct replay_window *window, uint64_t counter)
{
    return counter > atomic_load_explicit(&window->floor, memory_order_relaxed) &&
           counter <= REPLAY_COUNTER_MAX;
}

bool replay_is_new(const struct replay_window *window, uint64_t counter)
{
    const _Atomic uint64_t *word = &window->words[word_of(counter)];

    return is_in_range(window, counter) &&
           marked(atomic_load_explicit(word, memory_order_relaxed), counter) != 0;
}

bool replay_accept(struct replay_window *window, uint64_t counter)
{
    _Atomic uint64_t *word = &window->words[word_of(counter)];
    uint64_t seen = atomic_load_explicit(word, memory_order_relaxed), next;

    if (!is_in_range(window, counter))
        return false;
    do {
        next = marked(seen, counter);
        if (!next)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(word, &seen, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}
