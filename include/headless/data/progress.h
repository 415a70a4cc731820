/*
 * progress: detects data threads that no longer run their loops.
 *
 * Every agent ends its slice at least each AGENT_IDLE_MAX_NS, idle or not, so its duty_cycles
 * changes all the time. A watch remembers when it first saw the present value. The value may also be
 * old because the watching thread, or the whole process, was paused: so a caller that learns of a
 * stall looks again for PROGRESS_CHALLENGE_NS before it acts. Source of the idea: haproxy src/wdt.c.
 *
 * Owner: the thread that watches. Never blocks, never allocates.
 */
#ifndef HEADLESS_DATA_PROGRESS_H
#define HEADLESS_DATA_PROGRESS_H

#include "headless/data/data_plane.h"

#define PROGRESS_STALL_NS     (10 * AGENT_IDLE_MAX_NS)
#define PROGRESS_CHALLENGE_NS (3 * AGENT_IDLE_MAX_NS)
#define PROGRESS_AGENTS_MAX   (3 * RECEIVERS_MAX + 2 * WORKERS_MAX + CONFIG_GROUPS_MAX)
#define PROGRESS_OTHER        PROGRESS_AGENTS_MAX /* index of one agent outside the data plane */

struct progress_watch {
    const struct agent *agent; /* NULL: not watched yet */
    uint64_t duty_cycles;      /* as last seen */
    uint64_t since_ns;         /* when it was first seen at that value */
};

struct progress {
    struct progress_watch watches[PROGRESS_AGENTS_MAX + 1];
    const struct agent *stalled; /* stalled also at the second look, and still stalls; or NULL */
};

/* Checks one agent, the index-th: true when its duty_cycles has not changed for more than limit_ns. */
bool progress_is_stalled(struct progress *progress, size_t index, const struct agent *agent,
                         uint64_t limit_ns, uint64_t now_ns);

/* Checks all agents of the data plane: the first that stalls for PROGRESS_STALL_NS, or NULL. */
const struct agent *progress_find_stalled(struct progress *progress,
                                          const struct data_plane *data_plane, uint64_t now_ns);

#endif
