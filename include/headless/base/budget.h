/*
 * budget: a token bucket that bounds the rate of an action (replies, log lines, commands).
 *
 * Owner: one thread. Never blocks.
 */
#ifndef HEADLESS_BASE_BUDGET_H
#define HEADLESS_BASE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

struct budget {
    uint64_t period_ns;  /* one token comes back in this time */
    uint64_t burst;      /* capacity in tokens */
    uint64_t full_at_ns; /* time at which the bucket is full again; this is the whole state */
};

static inline struct budget budget_make(uint64_t period_ns, uint64_t burst)
{
    return (struct budget){.period_ns = period_ns, .burst = burst, .full_at_ns = 0};
}

/* Take a token; false when there is none. */
static inline bool budget_take(struct budget *budget, uint64_t now_ns)
{
    uint64_t full_at_ns = budget->full_at_ns > now_ns ? budget->full_at_ns : now_ns;

    if (full_at_ns + budget->period_ns - now_ns > budget->burst * budget->period_ns)
        return false;
    budget->full_at_ns = full_at_ns + budget->period_ns;
    return true;
}

#endif
