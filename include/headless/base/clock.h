/*
 * clock: the one clock of all timers and deadlines.
 *
 * CLOCK_BOOTTIME, in nanoseconds: monotonic, not changed by clock steps, and it counts suspended
 * time, so that lease grants have expired when a suspended machine resumes. A slice of work reads
 * it once and passes now_ns on. Any thread; never blocks.
 *
 * Wall time (clock_real_s) is used only for signed commands and for output.
 */
#ifndef HEADLESS_BASE_CLOCK_H
#define HEADLESS_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_US  UINT64_C(1000)
#define NS_PER_MS  UINT64_C(1000000)
#define NS_PER_SEC UINT64_C(1000000000)

static inline uint64_t clock_now_ns(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_BOOTTIME, &ts); /* cannot fail: Linux 2.6.39 on */
    return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* CLOCK_REALTIME: seconds since 1970. It may be wrong, and may be set back. */
static inline uint64_t clock_real_s(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec;
}

static inline struct timespec clock_to_timespec(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_SEC),
                             .tv_nsec = (long)(ns % NS_PER_SEC)};
}

#endif
