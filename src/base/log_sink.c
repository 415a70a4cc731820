#include "base/log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log_queue.h"
#include "headless/base/agent.h"
#include "headless/base/clock.h"
#include "headless/base/completion.h"
#include "headless/base/waker.h"

#define LOG_WAIT_NS  (100 * NS_PER_MS) /* less than the leader's heartbeat.interval */
#define LOG_END_NS   NS_PER_SEC
#define LOG_SLEEP_NS (3600 * NS_PER_SEC)

_Static_assert(LOG_LINE_MAX <= PIPE_BUF, "a pipe takes all of a line, or nothing");

enum sink_kind { SINK_PLAIN /* before log_start */, SINK_PIPE, SINK_SOCKET, SINK_OTHER };

static struct {
    enum sink_kind kind; /* written by log_start, before other threads run */
    int fd;
    struct agent agent;
    struct waker waker;
    struct completion written;       /* lines taken out of the queue */
    _Atomic uint64_t lost, reported; /* lines not written; those of them that a line has told */
} sink = {.fd = STDERR_FILENO};

/* ---- the kernel ---- */

static ssize_t write_part(const char *text, size_t length)
{
    ssize_t n;

    do
        n = sink.kind == SINK_SOCKET ? send(sink.fd, text, length, MSG_DONTWAIT | MSG_NOSIGNAL)
                                     : write(sink.fd, text, length);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* EAGAIN also comes from a terminal that somebody else has made non-blocking. */
static bool write_all(const char *line, size_t length)
{
    struct pollfd room = {.fd = sink.fd, .events = POLLOUT};

    while (length > 0) {
        ssize_t n = write_part(line, length);

        if (n == -EAGAIN)
            (void)poll(&room, 1, -1);
        else if (n <= 0)
            return false;
        else
            line += n, length -= (size_t)n;
    }
    return true;
}

static void sink_account(enum log_level level, bool is_written)
{
    if (!is_written)
        (void)atomic_fetch_add_explicit(&sink.lost, 1, memory_order_relaxed);
    log_count_line(level, is_written);
}

/* ---- lines that were lost ---- */

static bool try_write(const char *line, size_t length, bool *ret_is_written)
{
    ssize_t n = write_part(line, length);

    if (n == -EAGAIN)
        return false;
    *ret_is_written = n == (ssize_t)length;
    return true;
}

/* After a line that was written: how many were not. One thread tells a number. */
static void report_lost(void)
{
    char line[LOG_LINE_MAX], message[128];
    uint64_t reported = atomic_load_explicit(&sink.reported, memory_order_relaxed);
    uint64_t lost = atomic_load_explicit(&sink.lost, memory_order_relaxed);
    bool is_written = false;
    size_t length;

    if (lost == reported || !log_enabled(LOG_LEVEL_WARN) ||
        !atomic_compare_exchange_strong_explicit(&sink.reported, &reported, lost,
                                                 memory_order_relaxed, memory_order_relaxed))
        return;
    (void)snprintf(message, sizeof(message),
                   "%" PRIu64 " lines before this one were lost: standard error did not take them",
                   lost - reported);
    length = log_format_line(line, LOG_LEVEL_WARN, "log_incomplete", message);
    if (sink.kind == SINK_OTHER)
        is_written = write_all(line, length);
    else
        (void)try_write(line, length, &is_written);
    if (is_written)
        log_count_line(LOG_LEVEL_WARN, true);
    else
        (void)atomic_fetch_sub_explicit(&sink.reported, lost - reported, memory_order_relaxed);
}

/* ---- any thread ---- */

static bool has_queued(void)
{
    return log_queue_end() != completion_done(&sink.written);
}

static bool put_now(enum log_level level, const char *line, size_t length)
{
    bool is_written = false;

    if (!try_write(line, length, &is_written))
        return false;
    sink_account(level, is_written);
    if (is_written)
        report_lost();
    return true;
}

void log_sink_put(enum log_level level, const char *line, size_t length)
{
    uint32_t position;

    if (sink.kind == SINK_PLAIN) {
        bool is_written = false;

        (void)try_write(line, length, &is_written);
        sink_account(level, is_written);
        return;
    }
    if (sink.kind != SINK_OTHER && !has_queued() && put_now(level, line, length))
        return;
    if (!log_queue_push(level, line, length, &position)) {
        sink_account(level, false);
        return;
    }
    waker_wake(&sink.waker);
    if (sink.kind == SINK_OTHER)
        (void)completion_wait(&sink.written, position + 1, LOG_WAIT_NS);
}

uint64_t log_sink_queued(void)
{
    uint32_t done = completion_done(&sink.written); /* first: the end is never behind it */
    uint32_t queued = log_queue_end() - done;

    return queued < LOG_QUEUE_LINES ? queued : LOG_QUEUE_LINES; /* some may be written since then */
}

/* ---- the log thread ---- */

static size_t log_sink_do_work(void *self)
{
    const struct log_queue_line *line = log_queue_peek();
    uint32_t done = completion_done(&sink.written) + 1;
    bool is_written, is_all;

    (void)self;
    if (!line)
        return 0;
    is_written = write_all(line->text, line->length);
    sink_account(line->level, is_written);
    log_queue_pop();
    is_all = log_queue_end() == done;
    if (is_written && is_all)
        report_lost();
    completion_report(&sink.written, done, is_all);
    return 1;
}

static void log_sink_idle(void *self)
{
    (void)self;
    waker_prepare(&sink.waker);
    if (log_queue_peek() || agent_is_stopping(&sink.agent)) {
        waker_cancel(&sink.waker);
        return;
    }
    waker_sleep(&sink.waker, LOG_SLEEP_NS);
}

static const struct agent_ops log_agent_ops = {.do_work = log_sink_do_work, .idle = log_sink_idle};

/* ---- start and end ---- */

/* A pipe of another user may not be opened, a FIFO without a reader cannot be: the log thread then
 * writes to standard error itself. */
static int sink_open_again(const struct stat *is)
{
    int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    struct stat opened;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &opened) == 0 && opened.st_dev == is->st_dev && opened.st_ino == is->st_ino)
        return fd;
    (void)close(fd);
    return -ENXIO;
}

static enum sink_kind sink_choose(void)
{
    struct stat is;
    int fd;

    if (fstat(STDERR_FILENO, &is) < 0)
        return SINK_OTHER;
    if (S_ISSOCK(is.st_mode))
        return SINK_SOCKET;
    fd = S_ISFIFO(is.st_mode) ? sink_open_again(&is) : -1;
    if (fd < 0)
        return SINK_OTHER;
    sink.fd = fd;
    return SINK_PIPE;
}

int log_start(void)
{
    enum sink_kind kind = sink_choose();
    int rc = waker_init(&sink.waker, false);

    log_queue_init();
    if (!rc)
        rc = agent_start(&sink.agent, "log", &log_agent_ops, NULL);
    if (rc)
        return rc;
    sink.kind = kind;
    return 0;
}

static void sink_wake(void *self)
{
    (void)self;
    waker_wake(&sink.waker);
}

void log_stop(void)
{
    const struct timespec look = clock_to_timespec(NS_PER_MS);
    uint64_t end_ns = clock_now_ns() + LOG_END_NS;

    while (has_queued() && clock_now_ns() < end_ns)
        (void)nanosleep(&look, NULL);
    if (has_queued())
        return; /* the thread may never return from the kernel */
    agent_stop(&sink.agent, sink_wake);
    sink.kind = SINK_PLAIN;
}
