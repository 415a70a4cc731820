/*
 * progress: one line on standard error, updated five times a second, with the remaining time.
 * Shown only when standard error is a terminal. Owner: the one thread of the process.
 */
#ifndef BENCH_PROGRESS_H
#define BENCH_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool shown;
    uint64_t start_ns, next_ns;
    uint64_t total;  /* the final value of `done`; UINT64_MAX: unknown */
    uint64_t end_ns; /* latest end; UINT64_MAX: unknown */
};

void progress_init(struct progress *p, uint64_t now_ns, uint64_t total, uint64_t end_ns);

static inline bool progress_is_due(const struct progress *p, uint64_t now_ns)
{
    return p->shown && now_ns >= p->next_ns;
}

/* Update the line: the time, the text, and the remaining time according to `done`. */
void progress_show(struct progress *p, uint64_t now_ns, uint64_t done, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Erase the line. */
void progress_clear(const struct progress *p);

#endif
