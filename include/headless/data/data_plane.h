/*
 * data_plane: the data data_plane as a whole: sockets, receivers, workers, and the snapshot they share.
 *
 *   data_plane_open   binds every socket and takes all memory; nothing is read yet
 *   data_plane_start  starts the threads
 *   data_plane_stop   new datagrams of clients are refused, what has come is read to the end; then a
 *                while for the replies; then the rest of the threads
 *   data_plane_close  gives everything back
 *
 * With workers: 0 there are no rings: each receiver's thread reads, routes and sends
 * (completion.c).
 *
 * Threads: the four above by the main thread; data_plane_wake, data_plane_take_refusal and data_plane_send_reply
 * by the supervisor; those that read by any.
 */
#ifndef HEADLESS_DATA_DATA_PLANE_H
#define HEADLESS_DATA_DATA_PLANE_H

#include "data/ingress/multicast.h"
#include "data/worker.h"
#include "headless/data/session_report.h"

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

struct data_plane {
    const struct config *config;
    struct identity identity;
    struct snapshot_publisher publisher;
    struct udp_socket data_sockets[RECEIVERS_MAX], relay_sockets[RECEIVERS_MAX];
    struct multicast_groups groups;
    struct replay_window *windows; /* frame_auth.h; NULL: no keys */
    size_t receiver_count, worker_count;
    struct receiver *data_receivers, *relay_receivers; /* receiver_count each */
    struct worker *workers;                            /* worker_count */
    struct completion *completions;                    /* receiver_count, or NULL */
    uint64_t sessions_asked_ns;                        /* when; the admin thread's */
    struct waker *watcher; /* woken with the workers; NULL: nobody. Set while no thread runs */
};

/* What the process did so far, and what it holds; at rest the ledger of it closes. */
struct data_plane_numbers {
    uint64_t counters[COUNTER_COUNT];
    struct distribution_sum distributions[DISTRIBUTION_COUNT];
    uint64_t held, queued, sessions, groups; /* groups: multicast groups joined */
    uint64_t waiting;                        /* route ordered: numbered, and not delivered yet */
    uint64_t sequencer_last, sequencer_is_leading;
    uint64_t data_kernel_drops, relay_kernel_drops, group_kernel_drops, app_kernel_drops;
    uint64_t group_rcvbuf_bytes, app_rcvbuf_bytes; /* as granted, of one; 0: there is none */
};

/* Requests that are neither done nor dropped. */
static inline uint64_t data_plane_inside(const struct data_plane_numbers *numbers)
{
    return numbers->held + numbers->queued + numbers->waiting;
}

/* supervisor_waker is woken for each command. Logs what failed; returns a negative errno. */
int data_plane_open(struct data_plane *data_plane, const struct config *config,
                    struct waker *supervisor_waker) __attribute__((warn_unused_result));
int data_plane_start(struct data_plane *data_plane) __attribute__((warn_unused_result));

/* Since when has nothing come, nothing gone, and nothing been held or queued? Zeroed at first. */
struct data_plane_quiet {
    uint64_t since_ns;
    uint64_t activity; /* how much had come by the last look */
};
void data_plane_watch(struct data_plane_quiet *quiet, const struct data_plane *data_plane,
                      uint64_t now_ns);

/* Waits until it has been quiet for quiet_ns, but at most twice as long. */
void data_plane_stop(struct data_plane *data_plane, struct data_plane_quiet *quiet,
                     uint64_t quiet_ns);
void data_plane_close(struct data_plane *data_plane);

/* After snapshot_publish: end every sleep that the snapshot may change. */
void data_plane_wake(struct data_plane *data_plane);

/* Send a line to a client from the address it spoke to; not for the data path. */
void data_plane_send_reply(struct data_plane *data_plane, const struct address *client,
                           const struct address *local, const char *text, size_t length);

void data_plane_read_numbers(const struct data_plane *data_plane,
                             struct data_plane_numbers *ret_numbers);

/*
 * One thread at a time (admin): the sessions with the last datagrams, of all workers, at most
 * SESSION_REPORT_MAX; ret_entries has room for them. Waits until the workers have told them, at
 * most 50 ms, and asks them only once in SESSION_REPORT_EVERY_NS: until then they are those of the
 * last time. Returns false when not all workers did tell: then some are missing.
 */
bool data_plane_list_sessions(struct data_plane *data_plane, struct session_entry *ret_entries,
                              size_t *ret_count);

/* The data threads, for who watches their progress: NULL after the last. */
const struct agent *data_plane_agent(const struct data_plane *data_plane, size_t index);

/* By slot: requests relayed to that member and received from it, so far. */
void data_plane_read_traffic(const struct data_plane *data_plane, uint16_t slot,
                             uint64_t *ret_relayed, uint64_t *ret_received);

/* Supervisor: a leader whose host has refused our frames; false: none. has: only look. */
bool data_plane_take_refusal(struct data_plane *data_plane, uint64_t *ret_instance);
bool data_plane_has_refusal(const struct data_plane *data_plane);

/* Does the app take what it is given? Built-in apps always do. */
bool data_plane_app_is_up(const struct data_plane *data_plane);

/* completion.c */
extern const struct agent_ops completion_agent_ops;
int completion_init(struct completion *completion, struct receiver *data, struct receiver *relay,
                    struct worker *worker) __attribute__((warn_unused_result));
void completion_fini(struct completion *completion);
/* Read this one too, of a multicast group. */
int completion_add_group(struct completion *completion, struct receiver *group)
    __attribute__((warn_unused_result));

#endif
