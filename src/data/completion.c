/*
 * completion: run to completion (workers: 0). One thread reads its sockets and does a worker's job
 * in place, without rings. It sleeps in poll on all its sockets and the worker's eventfd. A socket
 * that gave less than a batch is taken as drained until poll says otherwise.
 */
#include <errno.h>
#include <poll.h>

#include "headless/data/plane.h"

enum { READY_DATA = 1, READY_RELAY = 2, READY_APP = 4, READY_ALL = 7 };

void completion_init(struct completion *completion, struct receiver *data, struct receiver *relay,
                     struct worker *worker)
{
    *completion = (struct completion){.data = data,
                                      .relay = relay,
                                      .app_reader = app_reader(&worker->app),
                                      .worker = worker,
                                      .ready = READY_ALL};
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

static size_t completion_do_work(void *self)
{
    struct completion *completion = self;
    size_t done;

    if (agent_is_stopping(&completion->agent))
        completion->ready = READY_ALL;
    worker_begin(completion->worker);
    done = worker_upkeep(completion->worker);
    done += read_receiver(completion, completion->data, READY_DATA);
    done += read_receiver(completion, completion->relay, READY_RELAY);
    done += read_app(completion);
    return done;
}

static void completion_idle(void *self)
{
    struct completion *completion = self;
    struct worker *worker = completion->worker;
    struct pollfd fds[] = {
        {.fd = completion->data->socket->fd, .events = POLLIN},
        {.fd = completion->relay->socket->fd, .events = POLLIN},
        {.fd = completion->app_reader ? completion->app_reader->epoll_fd : -1, .events = POLLIN},
        {.fd = worker->waker.event_fd, .events = POLLIN},
    };

    waker_prepare(&worker->waker);
    if (view_is_news(worker->board, &worker->reader)) {
        waker_cancel(&worker->waker);
        return;
    }
    view_release(&worker->reader);
    (void)poll(fds, sizeof(fds) / sizeof(fds[0]),
               (int)((worker_sleep_ns(worker) + NS_PER_MS - 1) / NS_PER_MS));
    waker_awake(&worker->waker);
    for (unsigned i = 0; i < 3; i++) {
        if (fds[i].revents)
            completion->ready |= 1U << i;
    }
}

const struct agent_ops completion_agent_ops = {.do_work = completion_do_work,
                                               .idle = completion_idle};
