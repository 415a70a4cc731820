/*
 * The reader of a UDP app's replies, and the app's health.
 *
 * Threads: the reader's own, or with run to completion the worker's. It waits in epoll. The worker
 * passes the descriptors of ended sessions to the reader, which closes them: otherwise the number of
 * a closed descriptor could belong to another socket by the time the reader reads it.
 *
 * A refusal (ICMP port unreachable) makes the app suspect. Health checks from a socket of their own
 * then find out whether the port is still closed, so that they do not disturb sessions.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "data/app/udp_app.h"
#include "headless/base/clock.h"
#include "headless/base/log.h"

#define EVENTS_MAX       64
#define CLOSING_RING     4096
#define REFUSALS_MAX     3 /* in a row: then the app is down */
#define CHECK_NS         (200 * NS_PER_MS)
#define SUSPECT_CHECK_NS (30 * NS_PER_MS) /* between health checks of a suspect app */
/* Linux hosts limit ICMP to bursts of six, then one a second: only a longer silence is a sign. */
#define REMOTE_CHECK_NS  (1200 * NS_PER_MS)

int app_reader_init(struct app_reader *reader, const struct config *config,
                    const struct address *app_address)
{
    int rc;

    reader->app_address = *app_address;
    reader->fail_ns = config->app_fail_ns;
    reader->check.fd = -1;
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
    udp_close(&reader->check);
    receiver_fini(&reader->receiver);
    if (reader->epoll_fd >= 0)
        (void)close(reader->epoll_fd);
    reader->epoll_fd = -1;
}

/* ---- health ---- */

static enum app_health health_of(const struct app_reader *reader)
{
    return (enum app_health)atomic_load_explicit(&reader->health, memory_order_relaxed);
}

static void set_health(struct app_reader *reader, enum app_health health)
{
    atomic_store_explicit(&reader->health, health, memory_order_relaxed);
}

static void set_up(struct app_reader *reader)
{
    set_health(reader, APP_UP);
    reader->refused = 0;
    reader->refused_since_ns = 0;
}

void app_reader_suspect(struct app_reader *reader)
{
    uint32_t up = APP_UP;

    (void)atomic_compare_exchange_strong_explicit(&reader->health, &up, APP_SUSPECT,
                                                  memory_order_relaxed, memory_order_relaxed);
}

static void judge_refusals(struct app_reader *reader, uint64_t refused)
{
    uint64_t now_ns = clock_now_ns();

    if (!reader->refused_since_ns)
        reader->refused_since_ns = now_ns;
    reader->refused += (uint32_t)refused;
    if (reader->refused >= REFUSALS_MAX || now_ns - reader->refused_since_ns >= reader->fail_ns)
        set_health(reader, APP_DOWN);
    else
        app_reader_suspect(reader);
}

/* Send an empty datagram. If the port is closed, the refusal arrives before the next check. */
static void send_check(struct app_reader *reader)
{
    const struct address any = {0};

    if (reader->check.fd < 0 &&
        udp_open_connected(&reader->app_address, &any, 0, &reader->check) != 0)
        return;
    (void)send(reader->check.fd, "", 0, MSG_DONTWAIT);
}

static bool check_was_refused(const struct app_reader *reader)
{
    return reader->check.fd < 0 || udp_has_error(reader->check.fd);
}

static uint64_t check_period_ns(const struct app_reader *reader)
{
    if (!address_is_loopback(&reader->app_address))
        return REMOTE_CHECK_NS;
    return health_of(reader) == APP_DOWN ? CHECK_NS : SUSPECT_CHECK_NS;
}

void app_reader_tick(struct app_reader *reader, uint64_t now_ns)
{
    if (health_of(reader) == APP_UP) {
        udp_close(&reader->check);
        reader->check_ns = 0;
        return;
    }
    if (now_ns < reader->check_ns)
        return;
    if (reader->check_ns && !check_was_refused(reader)) {
        set_up(reader);
        return;
    }
    if (reader->check_ns)
        judge_refusals(reader, 1);
    send_check(reader);
    reader->check_ns = now_ns + check_period_ns(reader);
}

bool app_is_up(const struct app *app)
{
    return !app->udp || health_of(&app->udp->reader) != APP_DOWN;
}

bool app_is_taking(struct app *app)
{
    struct udp_app *udp = app->udp;

    if (!udp)
        return true;
    if (udp->is_mux && health_of(&udp->reader) == APP_UP && udp_has_error(udp->socket.fd))
        app_reader_suspect(&udp->reader);
    return health_of(&udp->reader) == APP_UP;
}

/* ---- reading ---- */

/* Count refusals, and log them at most once a second. */
static void note_refusals(struct app_reader *reader, int fd)
{
    static _Thread_local struct log_limit limit = {.period_ns = NS_PER_SEC};
    char text[ADDRESS_TEXT_MAX];
    uint64_t suppressed;
    struct udp_failure failure;
    uint64_t refused = 0;

    app_reader_suspect(reader); /* first: its worker is sending meanwhile */
    while (udp_take_error(fd, &failure))
        refused++;
    /* A connected socket has no error queue: the event itself is one refusal. */
    refused = refused ? refused : 1;
    counters_add(&reader->receiver.counters, COUNTER_APP_REFUSED, refused);
    judge_refusals(reader, refused);
    if (log_limit_pass(&limit, LOG_LEVEL_WARN, clock_now_ns(), &suppressed))
        log_warn(
            "app_refused",
            "the app at %s refuses datagrams (port closed): start it or correct app.target (%llu "
            "more)",
            address_format(&reader->app_address, text), (unsigned long long)suppressed);
}

/* Read one ready socket once; the datagrams are in receiver.received. */
static size_t read_socket(struct app_reader *reader, const struct epoll_event *event)
{
    const struct address local = {0};
    int fd = (int)(uint32_t)event->data.u64;
    int n;

    if (event->events & EPOLLERR)
        note_refusals(reader, fd);
    n = receiver_read(&reader->receiver, fd, &local, event->data.u64 >> 32, MSG_DONTWAIT);
    if (n == -ENOBUFS && reader->receiver.pair_count)
        receiver_wait_for_slots(&reader->receiver);
    if (n > 0 && health_of(reader) == APP_UP) /* otherwise it may be an old reply of a dead app */
        set_up(reader);
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
    uint64_t wait_ns = health_of(reader) == APP_UP ? AGENT_IDLE_MAX_NS : SUSPECT_CHECK_NS;
    int timeout_ms = agent_is_stopping(&reader->receiver.agent) ? 0 : (int)(wait_ns / NS_PER_MS);
    size_t done = 0;
    int ready;

    receiver_reclaim(&reader->receiver);
    close_ended(reader);
    app_reader_tick(reader, clock_now_ns());
    ready = epoll_wait(reader->epoll_fd, events, EVENTS_MAX, timeout_ms);
    for (int i = 0; i < ready; i++) {
        size_t n = read_socket(reader, &events[i]);

        receiver_dispatch(&reader->receiver, n);
        done += n;
    }
    return done;
}

const struct agent_ops app_reader_agent_ops = {.do_work = app_reader_do_work, .idle = NULL};
