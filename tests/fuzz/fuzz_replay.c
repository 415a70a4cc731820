/*
 * The replay window against a model that keeps all counters. The input is a list of counters: near
 * each other, far ahead, late, and at both ends of the range.
 *
 * None is accepted twice, none at or below the floor; all within the window are accepted; a new
 * counter is refused only when a newer round has overwritten its word.
 */
#include <string.h>

#include "fuzz.h"
#include "headless/secure/replay.h"

#define WINDOW    ((uint64_t)REPLAY_WINDOW)
#define SPAN      16384U /* counters that the model keeps: base .. base + SPAN - 1 */
#define BYTES_MAX 4096U
#define WORD      16U /* counters that share a word */

struct memory {
    uint64_t base, floor, top; /* top: the highest accepted; below base: none */
    uint8_t taken[SPAN];
};

static void forget(struct memory *memory, struct replay_window *window, uint64_t floor)
{
    memset(memory->taken, 0, sizeof(memory->taken));
    memory->floor = floor;
    memory->top = 0;
    replay_reset(window, floor);
}

static bool is_taken(const struct memory *memory, uint64_t counter)
{
    return memory->taken[counter - memory->base];
}

/* True when a newer round has overwritten the word of this counter. */
static bool is_overtaken(const struct memory *memory, uint64_t counter)
{
    uint64_t word = counter / WORD * WORD + WINDOW;

    for (; word < memory->base + SPAN; word += WINDOW) {
        for (uint64_t other = word; other < word + WORD; other++) {
            if (other < memory->base + SPAN && is_taken(memory, other))
                return true;
        }
    }
    return false;
}

static bool should_take(const struct memory *memory, uint64_t counter)
{
    return counter > memory->floor && counter <= REPLAY_COUNTER_MAX && !is_taken(memory, counter) &&
           !is_overtaken(memory, counter);
}

static void offer(struct memory *memory, struct replay_window *window, uint64_t counter)
{
    bool expected = should_take(memory, counter);
    bool is_young = counter > memory->floor && counter <= REPLAY_COUNTER_MAX &&
                    !is_taken(memory, counter) && counter + WINDOW - WORD >= memory->top;

    FUZZ_CHECK(expected || !is_young);
    FUZZ_CHECK(replay_is_new(window, counter) == expected);
    FUZZ_CHECK(replay_accept(window, counter) == expected);
    FUZZ_CHECK(!replay_is_new(window, counter));
    FUZZ_CHECK(!replay_accept(window, counter));
    if (!expected)
        return;
    memory->taken[counter - memory->base] = 1;
    if (counter > memory->top)
        memory->top = counter;
}

/* Two bytes: the kind of step, and 14 bits of distance. */
static void step(struct memory *memory, struct replay_window *window, unsigned code)
{
    uint64_t distance = code & (SPAN - 1), latest = memory->top;

    if (latest < memory->base)
        latest = memory->base;
    switch (code >> 14) {
    case 0:
        offer(memory, window, memory->base + distance);
        break;
    case 1: /* slightly ahead of all */
        if (latest + distance % 64 < memory->base + SPAN)
            offer(memory, window, latest + distance % 64);
        break;
    case 2: /* late */
        if (latest >= memory->base + distance % (2 * WINDOW))
            offer(memory, window, latest - distance % (2 * WINDOW));
        break;
    default:
        if (distance % 16 == 0)
            forget(memory, window, memory->base + distance);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t bases[] = {0, 1000, (UINT64_C(1) << 32) - SPAN / 2,
                                     REPLAY_COUNTER_MAX - SPAN / 2};
    static struct replay_window window;
    static struct memory memory;

    if (size == 0)
        return 0;
    memory.base = bases[data[0] % 4];
    forget(&memory, &window, memory.base ? memory.base - 1 : 0);
    for (size_t i = 1; i + 1 < size && i < BYTES_MAX; i += 2)
        step(&memory, &window, (unsigned)data[i] << 8 | data[i + 1]);
    return 0;
}
