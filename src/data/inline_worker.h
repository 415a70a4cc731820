/*
 * inline_worker: run to completion (workers: 0). One thread reads its sockets and does a worker's job
 * in place, without rings.
 *
 * Owner: its thread. init and add_group by the main thread, before it starts.
 */
#ifndef DATA_INLINE_WORKER_H
#define DATA_INLINE_WORKER_H

#include "data/worker.h"

struct inline_worker {
    struct receiver *data, *relay;
    struct receiver *groups[CONFIG_GROUPS_MAX];
    size_t group_count;
    struct app_reader *app_reader; /* NULL: built-in app */
    struct worker *worker;
    int epoll_fd;
    unsigned ready;      /* bits of the sockets that may have more */
    bool is_app_ignored; /* by epoll */
    struct agent agent;
};

/* Returns 0 or a negative errno, with nothing left open. */
int inline_worker_init(struct inline_worker *inline_worker, struct receiver *data,
                       struct receiver *relay, struct worker *worker)
    __attribute__((warn_unused_result));
void inline_worker_fini(struct inline_worker *inline_worker);

/* Read this receiver, of a multicast group, too. */
int inline_worker_add_group(struct inline_worker *inline_worker, struct receiver *group)
    __attribute__((warn_unused_result));

extern const struct agent_ops inline_worker_agent_ops;

#endif
