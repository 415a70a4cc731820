/*
 * metric_renames: the names that metrics had in the version before. Private to admin/.
 *
 * Dashboards and alerts outlive an upgrade: for one release /metrics and /status have the number
 * under both names. Label values keep their spelling: a sum over the label would count an alias
 * twice.
 *
 * Constant data; any thread.
 */
#ifndef ADMIN_METRIC_RENAMES_H
#define ADMIN_METRIC_RENAMES_H

#include <stddef.h>

struct metric_rename {
    const char *was, *is; /* without "headlessd_" */
};

extern const struct metric_rename metric_renames[];
extern const size_t metric_rename_count;

/* The former name of this metric; NULL: it has none. */
const char *metric_former(const char *metric);

#endif
