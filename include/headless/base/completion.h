/*
 * completion: a thread reports how many jobs it has done; others wait for a job, for a bounded time.
 *
 * For calls that may block without end, such as a write to standard error or to a volume: a thread of
 * its own makes them. Usually they take microseconds, and the thread that posted the job waits for
 * it, so that its next action comes after the job. When a job takes longer than that thread's limit,
 * it goes on, and no thread waits until the worker thread has done all jobs. So each time that the
 * calls block costs a thread its limit once.
 *
 * Threads: completion_report by the one that does the jobs, the rest by any. Never allocates.
 * Zeroed memory is a completion with no job done.
 */
#ifndef HEADLESS_BASE_COMPLETION_H
#define HEADLESS_BASE_COMPLETION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct completion {
    _Atomic uint32_t done;    /* jobs done so far, modulo 2^32; a futex */
    _Atomic uint32_t waiters; /* threads in completion_wait */
    _Atomic bool is_late;     /* a wait took longer than its limit, and jobs are left */
};

/* done jobs are done; is_all: no others are left. */
void completion_report(struct completion *completion, uint32_t done, bool is_all);

/* Wait until this many jobs are done, for at most limit_ns. False: they are not. */
bool completion_wait(struct completion *completion, uint32_t jobs, uint64_t limit_ns);

static inline uint32_t completion_done(const struct completion *completion)
{
    return atomic_load_explicit(&completion->done, memory_order_seq_cst);
}

#endif
