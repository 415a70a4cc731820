/*
 * progress: do the data threads still turn their loops?
 *
 * Every agent ends its slice at least each AGENT_IDLE_MAX_NS, idle or not, so its duty_cycles
 * changes all the time. A watch remembers when it first saw the present value of each. That value
 * may be old only because nobody looked, or because the whole process was paused: whoever is told
 * that an agent stalls should challenge it (look again for PROGRESS_CHALLENGE_NS) before he
 * believes it. Source of the idea: haproxy src/wdt.c.
 *
 * Owner: the thread that looks. Never blocks, never allocates.
 */
#ifndef HEADLESS_DATA_PROGRESS_H
#define HEADLESS_DATA_PROGRESS_H

#include "headless/data/data_plane.h"

#define PROGRESS_STALL_NS     (10 * AGENT_IDLE_MAX_NS)
#define PROGRESS_CHALLENGE_NS (3 * AGENT_IDLE_MAX_NS)
#define PROGRESS_AGENTS_MAX   (3 * RECEIVERS_MAX + 2 * WORKERS_MAX + CONFIG_GROUPS_MAX)
#define PROGRESS_OTHER        PROGRESS_AGENTS_MAX /* place of one more, that is not the data_plane's */

struct progress_watch {
    const struct agent *agent; /* NULL: not watched yet */
    uint64_t duty_cycles;      /* as last seen */
    uint64_t since_ns;         /* when it was first seen at that value */
};

struct progress {
    struct progress_watch watches[PROGRESS_AGENTS_MAX + 1];
    const struct agent *convicted; /* failed its challenge and has not moved since; or NULL */
};

/* Look at one agent, the index-th: true when it has not moved for more than limit_ns. */
bool progress_is_stalled(struct progress *progress, size_t index, const struct agent *agent,
                         uint64_t limit_ns, uint64_t now_ns);

/* Look at all agents of the data_plane: the first that stalls for PROGRESS_STALL_NS, or NULL. */
const struct agent *progress_find_stalled(struct progress *progress,
                                          const struct data_plane *data_plane, uint64_t now_ns);

#endif
