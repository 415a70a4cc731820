/*
 * leader_history: the last leaders that this pod followed, newest first, for the admin port.
 *
 * Owner: the supervisor's thread. Others read the copy in its report (supervisor_read_history).
 */
#ifndef HEADLESS_CONTROL_LEADER_HISTORY_H
#define HEADLESS_CONTROL_LEADER_HISTORY_H

#include "headless/data/leader_snapshot.h"

#define LEADER_CHANGES_MAX 8

/* A leader, as this pod saw it. */
struct leader_change {
    uint64_t since_ns; /* clock_now_ns */
    uint64_t gap_ns;   /* time without a leader before it */
    uint64_t term;
    struct address leader; /* as in struct leadership */
    char leader_name[CONFIG_NAME_MAX];
    const char *cause;
};

struct leader_history {
    struct leader_change changes[LEADER_CHANGES_MAX]; /* newest first */
    size_t count;
};

/* A new leader is followed from now on. Its name and address come with leader_history_put. */
void leader_history_begin(struct leader_history *history, uint64_t now_ns, uint64_t gap_ns,
                          uint64_t term);

/* Name, address and cause of the newest entry, if the leadership is of its term. */
void leader_history_put(struct leader_history *history, const struct leadership *leadership);

#endif
