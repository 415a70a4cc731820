/*
 * completion: run to completion (workers: 0). One thread reads its sockets and does a worker's job
 * in place, without rings.
 *
 * Owner: its thread. init and add_group by the main thread, before it starts.
 */
#ifndef DATA_COMPLETION_H
#define DATA_COMPLETION_H

#include "data/worker.h"

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

/* Returns 0 or a negative errno, with nothing left open. */
int completion_init(struct completion *completion, struct receiver *data, struct receiver *relay,
                    struct worker *worker) __attribute__((warn_unused_result));
void completion_fini(struct completion *completion);

/* Read this receiver, of a multicast group, too. */
int completion_add_group(struct completion *completion, struct receiver *group)
    __attribute__((warn_unused_result));

extern const struct agent_ops completion_agent_ops;

#endif
