/*
 * session_report: what a worker's sessions are, for the admin thread, without a lock.
 *
 * Sessions belong to their worker. Who wants to know them asks, and wakes it; the worker copies the
 * newest of them between two batches, as it would handle one more; then they are the asker's to
 * read until it asks again. So a pod that nobody asks pays one load a slice, and one that is asked
 * all the time pays at most a report each SESSION_ENTRIES_EVERY_NS.
 *
 * Memory for a full report is taken at the start, and touched only when there is one.
 * Threads: init and fini the worker's owner; is_wanted and publish the worker; the rest one asker.
 */
#ifndef DATA_APP_SESSION_REPORT_H
#define DATA_APP_SESSION_REPORT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "headless/data/session_entry.h"

struct session_report {
    struct session_entry *entries; /* SESSION_ENTRIES_MAX; NULL: an app without sessions */
    size_t count;
    _Atomic uint32_t wanted; /* grows with each question; by the asker */
    _Atomic uint32_t made;   /* which of them is answered; by the worker */
};

/* Returns 0 or -ENOMEM. */
int session_report_init(struct session_report *report) __attribute__((warn_unused_result));
void session_report_fini(struct session_report *report);

/* Worker: then fill entries and count, and publish. */
static inline bool session_report_is_wanted(const struct session_report *report)
{
    /* acquire: pairs with session_report_ask, after which the asker reads no more */
    return atomic_load_explicit(&report->wanted, memory_order_acquire) !=
           atomic_load_explicit(&report->made, memory_order_relaxed);
}
void session_report_publish(struct session_report *report);

/* Asker: ask, if the last question was answered. Then wake the worker. */
void session_report_ask(struct session_report *report);
/* Asker: is it answered? Then entries and count may be read. */
bool session_report_is_made(const struct session_report *report);

#endif
