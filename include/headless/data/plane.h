/*
 * plane: the data plane as a whole: sockets, receivers, workers, and the view they share.
 *
 *   plane_open   binds every socket and takes all memory; nothing is read yet
 *   plane_start  starts the threads
 *   plane_stop   new datagrams of clients are refused, what has come is read to the end; then a
 *                while for the answers; then the rest of the threads
 *   plane_close  gives everything back
 *
 * With workers: 0 there are no rings: each receiver's thread reads, routes and sends
 * (completion.c).
 *
 * Threads: the four above by the main thread; plane_wake, plane_take_refusal and plane_send_answer
 * by the supervisor; those that read by any.
 */
#ifndef HEADLESS_DATA_PLANE_H
#define HEADLESS_DATA_PLANE_H

#include "headless/data/groups.h"
#include "headless/data/session_report.h"
#include "headless/data/worker.h"

#define RECEIVERS_MAX 16

/* Run to completion: one thread with its sockets and its worker. */
struct completion {
    struct receiver *data, *relay;
    struct receiver *groups[CONFIG_GROUPS_MAX];
    size_t group_count;
    struct app_reader *app_reader; /* NULL: built-in app */
    struct worker *worker;
    int epoll_fd;
    unsigned ready; /* bits of the sockets that may have more */
    struct agent agent;
};

struct plane {
    const struct config *config;
    struct identity identity;
    struct view_board board;
    struct udp_socket data_sockets[RECEIVERS_MAX], relay_sockets[RECEIVERS_MAX];
    struct groups groups;
    struct replay_window *windows; /* gate.h; NULL: no keys */
    size_t receiver_count, worker_count;
    struct receiver *data_receivers, *relay_receivers; /* receiver_count each */
    struct worker *workers;                            /* worker_count */
    struct completion *completions;                    /* receiver_count, or NULL */
    uint64_t sessions_asked_ns;                        /* when; the admin thread's */
    struct waker *watcher; /* woken with the workers; NULL: nobody. Set while no thread runs */
};

/* What the process did so far, and what it holds; at rest the ledger of it closes. */
struct plane_numbers {
    uint64_t counters[COUNTER_COUNT];
    struct distribution_sum distributions[DISTRIBUTION_COUNT];
    uint64_t held, queued, sessions, groups; /* groups: multicast groups joined */
    uint64_t waiting;                        /* route ordered: numbered, and not delivered yet */
    uint64_t sequencer_last, sequencer_is_leading;
    uint64_t data_kernel_drops, relay_kernel_drops, group_kernel_drops, app_kernel_drops;
    uint64_t group_rcvbuf_bytes, app_rcvbuf_bytes; /* as granted, of one; 0: there is none */
};

/* Requests that are neither done nor dropped. */
static inline uint64_t plane_inside(const struct plane_numbers *numbers)
{
    return numbers->held + numbers->queued + numbers->waiting;
}

/* supervisor_waker is woken for each command. Logs what failed; returns a negative errno. */
int plane_open(struct plane *plane, const struct config *config, struct waker *supervisor_waker)
    __attribute__((warn_unused_result));
int plane_start(struct plane *plane) __attribute__((warn_unused_result));

/* Since when has nothing come, nothing gone, and nothing been held or queued? Zeroed at first. */
struct plane_quiet {
    uint64_t since_ns;
    uint64_t activity; /* how much had come by the last look */
};
void plane_watch(struct plane_quiet *quiet, const struct plane *plane, uint64_t now_ns);

/* Waits until it has been quiet for quiet_ns, but at most twice as long. */
void plane_stop(struct plane *plane, struct plane_quiet *quiet, uint64_t quiet_ns);
void plane_close(struct plane *plane);

/* After view_publish: end every sleep that the view may change. */
void plane_wake(struct plane *plane);

/* Send a line to a client from the address it spoke to; not for the data path. */
void plane_send_answer(struct plane *plane, const struct address *client,
                       const struct address *local, const char *text, size_t length);

void plane_read_numbers(const struct plane *plane, struct plane_numbers *ret_numbers);

/*
 * One thread at a time (admin): the sessions with the last datagrams, of all workers, at most
 * SESSION_REPORT_MAX; ret_entries has room for them. Waits until the workers have told them, at
 * most 50 ms, and asks them only once in SESSION_REPORT_EVERY_NS: until then they are those of the
 * last time. Returns false when not all workers did tell: then some are missing.
 */
bool plane_list_sessions(struct plane *plane, struct session_entry *ret_entries, size_t *ret_count);

/* The data threads, for who watches their progress: NULL after the last. */
const struct agent *plane_agent(const struct plane *plane, size_t index);

/* By slot: requests relayed to that member and received from it, so far. */
void plane_read_traffic(const struct plane *plane, uint16_t slot, uint64_t *ret_relayed,
                        uint64_t *ret_received);

/* Supervisor: a leader whose host has refused our frames; false: none. has: only look. */
bool plane_take_refusal(struct plane *plane, uint64_t *ret_instance);
bool plane_has_refusal(const struct plane *plane);

/* Does the app take what it is given? Built-in apps always do. */
bool plane_app_is_up(const struct plane *plane);

/* completion.c */
extern const struct agent_ops completion_agent_ops;
int completion_init(struct completion *completion, struct receiver *data, struct receiver *relay,
                    struct worker *worker) __attribute__((warn_unused_result));
void completion_fini(struct completion *completion);
/* Read this one too, of a multicast group. */
int completion_add_group(struct completion *completion, struct receiver *group)
    __attribute__((warn_unused_result));

#endif
