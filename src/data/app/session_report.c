#include "headless/data/session_report.h"

#include <errno.h>
#include <stdlib.h>

int session_report_init(struct session_report *report)
{
    report->entries = calloc(SESSION_REPORT_MAX, sizeof(*report->entries));
    return report->entries ? 0 : -ENOMEM;
}

void session_report_fini(struct session_report *report)
{
    free(report->entries);
    report->entries = NULL;
}

void session_report_publish(struct session_report *report)
{
    uint32_t wanted = atomic_load_explicit(&report->wanted, memory_order_relaxed);

    /* release: pairs with session_report_is_made */
    atomic_store_explicit(&report->made, wanted, memory_order_release);
}

bool session_report_is_made(const struct session_report *report)
{
    /* acquire: pairs with session_report_publish */
    return atomic_load_explicit(&report->made, memory_order_acquire) ==
           atomic_load_explicit(&report->wanted, memory_order_relaxed);
}

void session_report_ask(struct session_report *report)
{
    uint32_t wanted = atomic_load_explicit(&report->wanted, memory_order_relaxed);

    if (session_report_is_made(report))
        /* release: pairs with session_report_is_wanted */
        atomic_store_explicit(&report->wanted, wanted + 1, memory_order_release);
}
