/*
 * The thread sleeps in epoll_wait on all its sockets and the worker's eventfd. poll registers with
 * every socket at each call; epoll saves a tenth of the cost of a slice with one GRO batch. A socket
 * that gave less than a batch counts as drained until epoll reports it.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "data/inline_worker.h"

/* Bits; READY_GROUP and above: one for each multicast group. */
enum { READY_DATA = 1, READY_RELAY = 2, READY_APP = 4, WOKEN = 8, READY_GROUP = 16 };

#define READY_ALL (~(unsigned)WOKEN)
#define INPUTS    (4 + CONFIG_GROUPS_MAX)

static int inline_worker_watch(struct inline_worker *inline_worker, int fd, uint32_t ready)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = ready};

    return epoll_ctl(inline_worker->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0 ? -errno : 0;
}

int inline_worker_init(struct inline_worker *inline_worker, struct receiver *data,
                       struct receiver *relay, struct worker *worker)
{
    int rc;

    *inline_worker = (struct inline_worker){.data = data,
                                            .relay = relay,
                                            .app_reader = app_reader(&worker->routing.app),
                                            .worker = worker,
                                            .epoll_fd = epoll_create1(EPOLL_CLOEXEC),
                                            .ready = READY_ALL};
    if (inline_worker->epoll_fd < 0)
        return -errno;
    rc = inline_worker_watch(inline_worker, data->socket->fd, READY_DATA);
    if (!rc)
        rc = inline_worker_watch(inline_worker, relay->socket->fd, READY_RELAY);
    if (!rc && inline_worker->app_reader)
        rc = inline_worker_watch(inline_worker, inline_worker->app_reader->epoll_fd, READY_APP);
    if (!rc)
        rc = inline_worker_watch(inline_worker, worker->waker.event_fd, WOKEN);
    if (rc)
        inline_worker_fini(inline_worker);
    return rc;
}

int inline_worker_add_group(struct inline_worker *inline_worker, struct receiver *group)
{
    int rc = inline_worker_watch(inline_worker, group->socket->fd,
                                 (uint32_t)READY_GROUP << inline_worker->group_count);

    if (!rc)
        inline_worker->groups[inline_worker->group_count++] = group;
    return rc;
}

void inline_worker_fini(struct inline_worker *inline_worker)
{
    if (inline_worker->epoll_fd > 0)
        (void)close(inline_worker->epoll_fd);
    inline_worker->epoll_fd = -1;
}

/* The slice has begun. */
static size_t handle_batch(struct worker *worker, struct receiver *receiver, size_t n)
{
    for (size_t i = 0; i < n; i++)
        worker_handle(worker, receiver->received[i]);
    worker_flush(worker);
    receiver_recycle(receiver, receiver->received, n);
    return n;
}

static size_t read_receiver(struct inline_worker *inline_worker, struct receiver *receiver,
                            unsigned bit)
{
    int n;

    if (!(inline_worker->ready & bit))
        return 0;
    n = receiver_read(receiver, receiver->socket->fd, &receiver->socket->local, 0, MSG_DONTWAIT);
    if (n < (int)receiver->batch)
        inline_worker->ready &= ~bit;
    if (n <= 0)
        return 0;
    worker_begin(inline_worker->worker); /* the read before may have waited for a full socket */
    return handle_batch(inline_worker->worker, receiver, (size_t)n);
}

/* Otherwise epoll would report it at once, again and again. */
static void ignore_app(struct inline_worker *inline_worker, bool is_ignored)
{
    struct epoll_event event = {.events = is_ignored ? 0 : EPOLLIN, .data.u32 = READY_APP};

    if (is_ignored == inline_worker->is_app_ignored)
        return;
    (void)epoll_ctl(inline_worker->epoll_fd, EPOLL_CTL_MOD, inline_worker->app_reader->epoll_fd,
                    &event);
    inline_worker->is_app_ignored = is_ignored;
}

static size_t read_app(struct inline_worker *inline_worker)
{
    struct app_reader *reader = inline_worker->app_reader;
    size_t n;

    if (!reader || !(inline_worker->ready & READY_APP))
        return 0;
    worker_begin(inline_worker->worker); /* before the read: what is read is handled */
    ignore_app(inline_worker, inline_worker->worker->withholds_app);
    if (inline_worker->is_app_ignored)
        return 0;
    n = app_reader_read(reader, 0);
    if (n == 0)
        inline_worker->ready &= ~(unsigned)READY_APP;
    return handle_batch(inline_worker->worker, &reader->receiver, n);
}

static size_t read_groups(struct inline_worker *inline_worker)
{
    size_t done = 0;

    for (size_t i = 0; i < inline_worker->group_count; i++)
        done += read_receiver(inline_worker, inline_worker->groups[i], (unsigned)READY_GROUP << i);
    return done;
}

static size_t inline_worker_do_work(void *self)
{
    struct inline_worker *inline_worker = self;
    size_t done;

    if (agent_is_stopping(&inline_worker->agent)) {
        inline_worker->ready = READY_ALL;
        worker_end(inline_worker->worker);
    }
    worker_begin(inline_worker->worker);
    done = worker_upkeep(inline_worker->worker);
    done += read_receiver(inline_worker, inline_worker->data, READY_DATA);
    done += read_groups(inline_worker);
    done += read_receiver(inline_worker, inline_worker->relay, READY_RELAY);
    done += read_app(inline_worker);
    return done;
}

static void inline_worker_idle(void *self)
{
    struct inline_worker *inline_worker = self;
    struct worker *worker = inline_worker->worker;
    struct epoll_event events[INPUTS];
    int n;

    waker_prepare(&worker->waker);
    if (snapshot_is_newer(worker->publisher, &worker->reader)) {
        waker_cancel(&worker->waker);
        return;
    }
    snapshot_release(&worker->reader);
    n = epoll_wait(inline_worker->epoll_fd, events, INPUTS,
                   (int)((worker_sleep_ns(worker) + NS_PER_MS - 1) / NS_PER_MS));
    for (int i = 0; i < n; i++)
        inline_worker->ready |= events[i].data.u32;
    if (inline_worker->ready & WOKEN)
        waker_awake(&worker->waker);
    else
        waker_cancel(&worker->waker); /* saves the read of the eventfd */
    inline_worker->ready &= READY_ALL;
}

const struct agent_ops inline_worker_agent_ops = {.do_work = inline_worker_do_work,
                                                  .idle = inline_worker_idle};
