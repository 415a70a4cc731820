#include "headless/data/progress.h"

bool progress_is_stalled(struct progress *progress, size_t index, const struct agent *agent,
                         uint64_t limit_ns, uint64_t now_ns)
{
    struct progress_watch *watch = &progress->watches[index];
    uint64_t duty_cycles = atomic_load_explicit(&agent->duty_cycles, memory_order_relaxed);

    if (watch->agent != agent || watch->duty_cycles != duty_cycles) {
        *watch = (struct progress_watch){agent, duty_cycles, now_ns};
        if (progress->stalled == agent)
            progress->stalled = NULL;
    }
    return now_ns - watch->since_ns > limit_ns;
}

const struct agent *progress_find_stalled(struct progress *progress,
                                          const struct data_plane *data_plane, uint64_t now_ns)
{
    const struct agent *stalled = NULL;
    const struct agent *agent;

    /* Also those after the first that stalls: every watch must stay up to date. */
    for (size_t i = 0; i < PROGRESS_AGENTS_MAX && (agent = data_plane_agent(data_plane, i)); i++) {
        if (progress_is_stalled(progress, i, agent, PROGRESS_STALL_NS, now_ns) && !stalled)
            stalled = agent;
    }
    return stalled;
}
