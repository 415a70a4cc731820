/*
 * stress: what the thread stress programs share.
 *
 * Plain programs, because Criterion aborts under ThreadSanitizer. Each runs for about
 * STRESS_SECONDS, says on standard output what it did, and exits non-zero at the first thing that
 * is not true. A lost wake-up would be a thread that sleeps on: no sleep may last STRESS_SLEEP_NS,
 * and an alarm ends a program that hangs for any other reason.
 */
#ifndef STRESS_H
#define STRESS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "headless/base/clock.h"
#include "headless/base/waker.h"

#define STRESS_SECONDS  2
#define STRESS_SLEEP_NS (10 * NS_PER_SEC)
#define STRESS_LIMIT    60 /* seconds; then SIGALRM ends the process */

/* Also with NDEBUG. The other threads are not asked: the process ends here. */
#define STRESS_CHECK(condition)                                                             \
    do {                                                                                    \
        if (!(condition)) {                                                                 \
            (void)fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
            _exit(1);                                                                       \
        }                                                                                   \
    } while (0)

/* xorshift64; state is not 0. */
static inline uint64_t stress_draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Sleep after waker_prepare and a last look at the inputs. Somebody must wake us in time. */
static inline void stress_sleep(struct waker *waker, uint64_t *sleeps)
{
    uint64_t began_ns = clock_now_ns();

    waker_sleep(waker, STRESS_SLEEP_NS);
    STRESS_CHECK(clock_now_ns() - began_ns < STRESS_SLEEP_NS); /* else: a lost wake-up */
    ++*sleeps;
}

#endif
