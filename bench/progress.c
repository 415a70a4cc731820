#include "progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "headless/base/clock.h"

#define PERIOD_NS (200 * NS_PER_MS)

void progress_init(struct progress *p, uint64_t now_ns, uint64_t total, uint64_t end_ns)
{
    *p = (struct progress){.shown = isatty(STDERR_FILENO) == 1,
                           .start_ns = now_ns,
                           .next_ns = now_ns,
                           .total = total,
                           .end_ns = end_ns};
}

/* Seconds until the earlier of the end time and the count; negative: unknown. */
static double remaining(const struct progress *p, uint64_t now_ns, uint64_t done)
{
    double left = -1;

    if (p->end_ns != UINT64_MAX)
        left = now_ns < p->end_ns ? (double)(p->end_ns - now_ns) : 0;
    if (p->total != UINT64_MAX && done) {
        double by_count = (double)(now_ns - p->start_ns) * (double)(p->total - done) / (double)done;

        if (left < 0 || by_count < left)
            left = by_count;
    }
    return left < 0 ? left : left / (double)NS_PER_SEC;
}

void progress_show(struct progress *p, uint64_t now_ns, uint64_t done, const char *format, ...)
{
    double left = remaining(p, now_ns, done);
    va_list arguments;

    p->next_ns = now_ns + PERIOD_NS;
    (void)fprintf(stderr, "\r\033[K%.1f s  ", (double)(now_ns - p->start_ns) / (double)NS_PER_SEC);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    if (left >= 0)
        (void)fprintf(stderr, "  %.0f s left", left);
    (void)fflush(stderr);
}

void progress_clear(const struct progress *p)
{
    if (p->shown)
        (void)fprintf(stderr, "\r\033[K");
}
