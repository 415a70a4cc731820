#include "headless/control/leader_history.h"

#include <string.h>

void leader_history_begin(struct leader_history *history, uint64_t now_ns, uint64_t gap_ns,
                          uint64_t term)
{
    memmove(history->changes + 1, history->changes,
            (LEADER_CHANGES_MAX - 1) * sizeof(history->changes[0]));
    history->changes[0] =
        (struct leader_change){.since_ns = now_ns, .gap_ns = gap_ns, .term = term, .cause = ""};
    history->count += history->count < LEADER_CHANGES_MAX;
}

/* The name may become known after the leader: the newest entry follows the leadership. */
void leader_history_put(struct leader_history *history, const struct leadership *leadership)
{
    struct leader_change *newest = &history->changes[0];

    if (!history->count || leadership->kind == LEADER_NONE || newest->term != leadership->term)
        return;
    newest->leader = leadership->address;
    memcpy(newest->leader_name, leadership->name, sizeof(newest->leader_name));
    newest->cause = leadership->cause;
}
