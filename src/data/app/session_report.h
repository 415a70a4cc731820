/*
 * session_report: a copy of a worker's newest sessions for the admin thread, without a lock.
 *
 * Sessions belong to their worker. The asking thread requests a report and wakes the worker; the
 * worker copies its newest sessions between two batches; then the asking thread may read the report
 * until it asks again. Without requests this costs the worker one load a slice, and with many at
 * most one report every SESSION_ENTRIES_EVERY_NS.
 *
 * Memory for a full report is allocated at the start, and touched by the first report only.
 * Threads: init and fini the owner of the worker; is_wanted and publish the worker; the rest one
 * asking thread. Nothing blocks.
 */
#ifndef DATA_APP_SESSION_REPORT_H
#define DATA_APP_SESSION_REPORT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "headless/data/session_entry.h"

struct session_report {
    struct session_entry *entries; /* SESSION_ENTRIES_MAX; NULL: an app without sessions */
    size_t count;
    _Atomic uint32_t wanted; /* number of requests; written by the asking thread */
    _Atomic uint32_t made;   /* number of the last request replied to; written by the worker */
};

/* Returns 0 or -ENOMEM. */
int session_report_init(struct session_report *report) __attribute__((warn_unused_result));
void session_report_fini(struct session_report *report);

/* Worker: true when a report is wanted; then fill entries and count, and publish. */
static inline bool session_report_is_wanted(const struct session_report *report)
{
    /* acquire: pairs with session_report_ask, after which the asking thread does not read */
    return atomic_load_explicit(&report->wanted, memory_order_acquire) !=
           atomic_load_explicit(&report->made, memory_order_relaxed);
}
void session_report_publish(struct session_report *report);

/* Asking thread: request a report, unless a request is pending. Then wake the worker. */
void session_report_ask(struct session_report *report);
/* Asking thread: true when the report is made; then entries and count may be read. */
bool session_report_is_made(const struct session_report *report);

#endif
