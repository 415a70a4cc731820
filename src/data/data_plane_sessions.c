/* The sessions of all workers, for the admin port: asked, waited for, merged. */
#include <stdlib.h>

#include "headless/data/data_plane.h"

#define WAIT_NS (50 * NS_PER_MS) /* a slice takes less; nothing else is answered meanwhile */
#define LOOK_NS NS_PER_MS

static struct session_report *report_of(struct data_plane *data_plane, size_t worker)
{
    return app_session_report(&data_plane->workers[worker].app);
}

static bool all_have_told(struct data_plane *data_plane)
{
    for (size_t i = 0; i < data_plane->worker_count; i++) {
        struct session_report *report = report_of(data_plane, i);

        if (report && !session_report_is_made(report))
            return false;
    }
    return true;
}

static void ask(struct data_plane *data_plane)
{
    for (size_t i = 0; i < data_plane->worker_count; i++) {
        struct session_report *report = report_of(data_plane, i);

        if (report) {
            session_report_ask(report);
            waker_wake(&data_plane->workers[i].waker);
        }
    }
}

static bool wait(struct data_plane *data_plane)
{
    const struct timespec look = clock_to_timespec(LOOK_NS);
    const uint64_t end_ns = clock_now_ns() + WAIT_NS;

    while (!all_have_told(data_plane)) {
        if (clock_now_ns() >= end_ns)
            return false;
        (void)nanosleep(&look, NULL);
    }
    return true;
}

/* Each report is in order: the newest of their heads is the next. */
static size_t merge(struct data_plane *data_plane, struct session_entry *ret_entries)
{
    size_t next[WORKERS_MAX] = {0};
    size_t count;

    for (count = 0; count < SESSION_REPORT_MAX; count++) {
        const struct session_entry *newest = NULL;
        size_t from = 0;

        for (size_t i = 0; i < data_plane->worker_count; i++) {
            const struct session_report *report = report_of(data_plane, i);
            const struct session_entry *entry;

            if (!report || !session_report_is_made(report) || next[i] >= report->count)
                continue;
            entry = &report->entries[next[i]];
            if (!newest || entry->active_ns > newest->active_ns) {
                newest = entry;
                from = i;
            }
        }
        if (!newest)
            break;
        ret_entries[count] = *newest;
        next[from]++;
    }
    return count;
}

bool data_plane_list_sessions(struct data_plane *data_plane, struct session_entry *ret_entries,
                              size_t *ret_count)
{
    const uint64_t now_ns = clock_now_ns();
    bool all_told;

    if (now_ns - data_plane->sessions_asked_ns >= SESSION_REPORT_EVERY_NS) {
        data_plane->sessions_asked_ns = now_ns;
        ask(data_plane);
        all_told = wait(data_plane);
    } else {
        all_told = all_have_told(data_plane);
    }
    *ret_count = merge(data_plane, ret_entries);
    return all_told;
}
