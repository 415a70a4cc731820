#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "data/app_udp.h"
#include "headless/base/clock.h"
#include "headless/base/log.h"

#define EVENTS_MAX   64
#define CLOSING_RING 4096

int app_reader_init(struct app_reader *reader, const struct config *config,
                    const struct address *app_address)
{
    int rc;

    reader->app_address = *app_address;
    reader->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (reader->epoll_fd < 0)
        return -errno;
    rc = ring_init(&reader->closing, CLOSING_RING, 0);
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
    receiver_fini(&reader->receiver);
    if (reader->epoll_fd >= 0)
        (void)close(reader->epoll_fd);
    reader->epoll_fd = -1;
}

/* A refusal says that the app is not there: counted, and logged at most once a second. */
static void note_refusals(struct app_reader *reader, int fd)
{
    static _Thread_local struct log_limit limit = {.period_ns = NS_PER_SEC};
    char text[ADDRESS_TEXT_MAX];
    uint64_t suppressed;
    uint64_t refused = 0;
    int error;

    while (udp_take_error(fd, &error))
        refused++;
    /* A connected socket has no error queue: the event itself is the one refusal. */
    counters_add(&reader->receiver.counters, COUNTER_APP_REFUSED, refused ? refused : 1);
    if (log_limit_pass(&limit, clock_now_ns(), &suppressed))
        log_warn("app_refused", "the app at %s refuses datagrams: is it listening? (%llu more)",
                 address_format(&reader->app_address, text), (unsigned long long)suppressed);
}

/* Read one ready socket once; what came is dealt out, or left in receiver.received. */
static size_t read_socket(struct app_reader *reader, const struct epoll_event *event)
{
    const struct address local = {0};
    int fd = (int)(uint32_t)event->data.u64;
    int n;

    if (event->events & EPOLLERR)
        note_refusals(reader, fd);
    n = receiver_read(&reader->receiver, fd, &local, event->data.u64 >> 32, MSG_DONTWAIT);
    if (n == -ENOBUFS && reader->receiver.lane_count)
        receiver_wait_for_slots(&reader->receiver);
    return n > 0 ? (size_t)n : 0;
}

static void close_ended(struct app_reader *reader)
{
    void *fd;

    while (ring_take(&reader->closing, &fd, 1) == 1)
        (void)close((int)(intptr_t)fd);
}

size_t app_reader_read(struct app_reader *reader, int timeout_ms)
{
    struct epoll_event event;

    /* One socket at a time: its datagrams must be handled before received is filled again. */
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
