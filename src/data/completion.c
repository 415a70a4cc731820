/*
 * completion: run to completion (workers: 0). One thread reads its sockets and does a worker's job
 * in place, without rings. It sleeps in epoll_wait on all its sockets and the worker's eventfd:
 * against poll, which enters itself at each of them anew, that is cheaper by a tenth where one
 * gro_batch comes at a time. A socket that gave less than a batch is taken as drained until epoll says
 * otherwise.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "headless/data/data_plane.h"

/* Bits; those from READY_GROUP on are the groups'. */
enum { READY_DATA = 1, READY_RELAY = 2, READY_APP = 4, WOKEN = 8, READY_GROUP = 16 };

#define READY_ALL (~(unsigned)WOKEN)
#define INPUTS    (4 + CONFIG_GROUPS_MAX)

static int watch(struct completion *completion, int fd, uint32_t ready)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = ready};

    return epoll_ctl(completion->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0 ? -errno : 0;
}

int completion_init(struct completion *completion, struct receiver *data, struct receiver *relay,
                    struct worker *worker)
{
    int rc;

    *completion = (struct completion){.data = data,
                                      .relay = relay,
                                      .app_reader = app_reader(&worker->app),
                                      .worker = worker,
                                      .epoll_fd = epoll_create1(EPOLL_CLOEXEC),
                                      .ready = READY_ALL};
    if (completion->epoll_fd < 0)
        return -errno;
    rc = watch(completion, data->socket->fd, READY_DATA);
    if (!rc)
        rc = watch(completion, relay->socket->fd, READY_RELAY);
    if (!rc && completion->app_reader)
        rc = watch(completion, completion->app_reader->epoll_fd, READY_APP);
    if (!rc)
        rc = watch(completion, worker->waker.event_fd, WOKEN);
    if (rc)
        completion_fini(completion);
    return rc;
}

int completion_add_group(struct completion *completion, struct receiver *group)
{
    int rc = watch(completion, group->socket->fd, (uint32_t)READY_GROUP << completion->group_count);

    if (!rc)
        completion->groups[completion->group_count++] = group;
    return rc;
}

void completion_fini(struct completion *completion)
{
    if (completion->epoll_fd > 0)
        (void)close(completion->epoll_fd);
    completion->epoll_fd = -1;
}

static size_t handle(struct worker *worker, struct receiver *receiver, size_t n)
{
    worker_begin(worker); /* the read before may have waited for a full socket */
    for (size_t i = 0; i < n; i++)
        worker_handle(worker, receiver->received[i]);
    worker_flush(worker);
    receiver_recycle(receiver, receiver->received, n);
    return n;
}

static size_t read_receiver(struct completion *completion, struct receiver *receiver, unsigned bit)
{
    int n;

    if (!(completion->ready & bit))
        return 0;
    n = receiver_read(receiver, receiver->socket->fd, &receiver->socket->local, 0, MSG_DONTWAIT);
    if (n < (int)receiver->batch)
        completion->ready &= ~bit;
    return n > 0 ? handle(completion->worker, receiver, (size_t)n) : 0;
}

static size_t read_app(struct completion *completion)
{
    struct app_reader *reader = completion->app_reader;
    size_t n;

    if (!reader || !(completion->ready & READY_APP))
        return 0;
    n = app_reader_read(reader, 0);
    if (n == 0)
        completion->ready &= ~(unsigned)READY_APP;
    return handle(completion->worker, &reader->receiver, n);
}

static size_t read_groups(struct completion *completion)
{
    size_t done = 0;

    for (size_t i = 0; i < completion->group_count; i++)
        done += read_receiver(completion, completion->groups[i], (unsigned)READY_GROUP << i);
    return done;
}

static size_t completion_do_work(void *self)
{
    struct completion *completion = self;
    size_t done;

    if (agent_is_stopping(&completion->agent)) {
        completion->ready = READY_ALL;
        worker_end(completion->worker);
    }
    worker_begin(completion->worker);
    done = worker_upkeep(completion->worker);
    done += read_receiver(completion, completion->data, READY_DATA);
    done += read_groups(completion);
    done += read_receiver(completion, completion->relay, READY_RELAY);
    done += read_app(completion);
    return done;
}

static void completion_idle(void *self)
{
    struct completion *completion = self;
    struct worker *worker = completion->worker;
    struct epoll_event events[INPUTS];
    int n;

    waker_prepare(&worker->waker);
    if (snapshot_is_newer(worker->publisher, &worker->reader)) {
        waker_cancel(&worker->waker);
        return;
    }
    snapshot_release(&worker->reader);
    n = epoll_wait(completion->epoll_fd, events, INPUTS,
                   (int)((worker_sleep_ns(worker) + NS_PER_MS - 1) / NS_PER_MS));
    for (int i = 0; i < n; i++)
        completion->ready |= events[i].data.u32;
    if (completion->ready & WOKEN)
        waker_awake(&worker->waker);
    else
        waker_cancel(&worker->waker); /* no read for nothing */
    completion->ready &= READY_ALL;
}

const struct agent_ops completion_agent_ops = {.do_work = completion_do_work,
                                               .idle = completion_idle};
