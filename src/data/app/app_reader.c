/*
 * The reader of a UDP app's replies.
 *
 * Threads: the reader's own, or with run to completion the worker's. It waits in epoll. The worker
 * passes the descriptors of ended sessions to the reader, which closes them: otherwise the number of
 * a closed descriptor could belong to another socket by the time the reader reads it.
 *
 * ICMP errors are passed to the worker, which judges them (app_watch.h).
 */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "data/app/udp_app.h"
#include "data/worker.h"

#define EVENTS_MAX     64
#define CLOSING_RING   4096
#define REFUSED_RING   256
#define ERRORS_WAIT_NS NS_PER_MS /* for the worker to empty the error queue */

int app_reader_init(struct app_reader *reader, const struct config *config)
{
    int rc;

    reader->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (reader->epoll_fd < 0)
        return -errno;
    rc = ring_init(&reader->closing, CLOSING_RING, 0);
    if (!rc)
        rc = ring_init(&reader->refused, REFUSED_RING, 0);
    if (!rc)
        rc = receiver_init(&reader->receiver, SOURCE_APP, config->ring, config->batch,
                           config->workers ? 1 : 0);
    return rc;
}

void app_reader_fini(struct app_reader *reader)
{
    void *fd;

    if (reader->closing.slots) {
        while (ring_take(&reader->closing, &fd, 1) == 1)
            (void)close((int)(intptr_t)fd);
        ring_fini(&reader->closing);
    }
    if (reader->refused.slots)
        ring_fini(&reader->refused);
    receiver_fini(&reader->receiver);
    if (reader->epoll_fd >= 0)
        (void)close(reader->epoll_fd);
    reader->epoll_fd = -1;
}

/* ---- reading ---- */

/* Pass the errors of a session's own socket to the worker. epoll reports them until the queue is empty
 * and no error is pending; the worker may take them as well. */
static void take_socket_errors(struct app_reader *reader, int fd, uint64_t number)
{
    struct udp_failure failure;

    (void)udp_has_error(fd);
    while (udp_take_error(fd, &failure)) {
        uint64_t word = (uint64_t)(uint8_t)failure.error << APP_ERROR_SHIFT | number;

        if (udp_is_verdict(&failure))
            (void)ring_try_stage(&reader->refused, (void *)(uintptr_t)word);
    }
    (void)ring_publish(&reader->refused);
}

/* Pass a refusal to the worker. Its thread alone reads the error queue of the mux socket, which says
 * what was refused; epoll reports the queue until it is empty. */
static void report_refusal(struct app_reader *reader, int fd, uint64_t number)
{
    struct ring_pair *pair = reader->receiver.pair_count ? &reader->receiver.pairs[0] : NULL;

    if (reader->is_mux)
        /* seq_cst: before the look at the worker's state in waker_wake */
        atomic_store_explicit(&reader->has_errors, true, memory_order_seq_cst);
    else
        take_socket_errors(reader, fd, number);
    if (!pair)
        return;
    worker_call(pair->worker, 1);
    waker_prepare(&reader->receiver.waker);
    /* seq_cst: pairs with app_watch_take */
    if (atomic_load_explicit(&reader->has_errors, memory_order_seq_cst))
        waker_sleep(&reader->receiver.waker, ERRORS_WAIT_NS);
    else
        waker_cancel(&reader->receiver.waker);
}

/* Read one ready socket once; the datagrams are in receiver.received. */
static size_t read_socket(struct app_reader *reader, const struct epoll_event *event)
{
    const struct address local = {0};
    int fd = (int)(uint32_t)event->data.u64;
    int n;

    if (event->events & EPOLLERR)
        report_refusal(reader, fd, event->data.u64 >> 32);
    n = receiver_read(&reader->receiver, fd, &local, event->data.u64 >> 32, MSG_DONTWAIT);
    if (n == -ENOBUFS && reader->receiver.pair_count)
        receiver_wait_for_slots(&reader->receiver);
    return n > 0 ? (size_t)n : 0;
}

void app_reader_close(struct app_reader *reader, int fd)
{
    (void)atomic_fetch_add_explicit(&reader->ended_drops, udp_kernel_drops(fd),
                                    memory_order_relaxed);
    (void)close(fd);
}

static void close_ended(struct app_reader *reader)
{
    void *fd;

    while (ring_take(&reader->closing, &fd, 1) == 1)
        app_reader_close(reader, (int)(intptr_t)fd);
}

size_t app_reader_read(struct app_reader *reader, int timeout_ms)
{
    struct epoll_event event;

    /* One socket: its datagrams must be handled before received is filled again. */
    if (epoll_wait(reader->epoll_fd, &event, 1, timeout_ms) != 1)
        return 0;
    return read_socket(reader, &event);
}

static size_t app_reader_do_work(void *self)
{
    struct app_reader *reader = self;
    struct epoll_event events[EVENTS_MAX];
    int timeout_ms =
        agent_is_stopping(&reader->receiver.agent) ? 0 : (int)(AGENT_IDLE_MAX_NS / NS_PER_MS);
    size_t done = 0;
    int ready;

    receiver_reclaim(&reader->receiver);
    close_ended(reader);
    ready = epoll_wait(reader->epoll_fd, events, EVENTS_MAX, timeout_ms);
    for (int i = 0; i < ready; i++) {
        size_t n = read_socket(reader, &events[i]);

        receiver_dispatch(&reader->receiver, n);
        done += n;
    }
    return done;
}

const struct agent_ops app_reader_agent_ops = {.do_work = app_reader_do_work, .idle = NULL};
