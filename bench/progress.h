/*
 * progress: one line on standard error, renewed five times a second, with the time that remains.
 * Shown only when standard error is a terminal. Owner: the one thread of the process.
 */
#ifndef BENCH_PROGRESS_H
#define BENCH_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool shown;
    uint64_t start_ns, next_ns;
    uint64_t total;  /* of what `done` counts; UINT64_MAX: unknown */
    uint64_t end_ns; /* when it ends at the latest; UINT64_MAX: unknown */
};

void progress_init(struct progress *p, uint64_t now_ns, uint64_t total, uint64_t end_ns);

static inline bool progress_is_due(const struct progress *p, uint64_t now_ns)
{
    return p->shown && now_ns >= p->next_ns;
}

/* Renew the line: the time, the text, and what remains as of `done`. */
void progress_show(struct progress *p, uint64_t now_ns, uint64_t done, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Take the line away. */
void progress_clear(const struct progress *p);

#endif
