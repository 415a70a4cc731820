/*
 * backoff: the pause before the next attempt: between 0.2 s and a bound that doubles with each failure, from 0.4 s to
 * 5 s, with full jitter, so that the pods of a cluster do not return to an API server at the same moment. Private
 * to platform/. Pure.
 */
#ifndef PLATFORM_BACKOFF_H
#define PLATFORM_BACKOFF_H

#include <stdint.h>

#include "headless/base/clock.h"

#define BACKOFF_MIN_NS (200 * NS_PER_MS)
#define BACKOFF_MAX_NS (5 * NS_PER_SEC)

/* failures: in a row, before this one. random: any 32 random bits. */
static inline uint64_t backoff_ns(unsigned failures, uint32_t random)
{
    uint64_t bound_ns = failures < 5 ? (2 * BACKOFF_MIN_NS) << failures : BACKOFF_MAX_NS;

    if (bound_ns > BACKOFF_MAX_NS)
        bound_ns = BACKOFF_MAX_NS;
    return BACKOFF_MIN_NS + ((bound_ns - BACKOFF_MIN_NS) / 1024 * random >> 22); /* no overflow */
}

#endif
