/* log: no kind of standard error blocks a thread, and what it does not take is counted. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "directory_fixture.h"
#include "headless/base/log.h"

static void setup(void)
{
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* Each test is its own process. */
TestSuite(log_sink, .init = setup, .timeout = 60);

static void start_with(int fd)
{
    cr_assert_geq(dup2(fd, STDERR_FILENO), 0);
    cr_assert_eq(log_start(), 0);
}

static void log_number(int number)
{
    log_write(NULL, LOG_LEVEL_WARN, "odd", "line %d", number);
}

static void log_numbers(int first, int end)
{
    for (int i = first; i < end; i++)
        log_number(i);
}

/* Write through another description until it takes no more. */
static void fill(const char *path)
{
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    char block[4096];

    memset(block, '.', sizeof(block));
    cr_assert_geq(fd, 0);
    while (write(fd, block, sizeof(block)) > 0)
        ;
    cr_assert_eq(errno, EAGAIN);
    (void)close(fd);
}

static void wait_for_empty_queue(void)
{
    const struct timespec look = {.tv_nsec = 1000000};

    while (log_count().queued > 0)
        (void)nanosleep(&look, NULL);
}

/* Read until the text ends with end. */
static const char *read_until(int fd, const char *end)
{
    static char text[512 * 1024];
    size_t length = 0, n = strlen(end);

    for (;;) {
        ssize_t got = read(fd, text + length, sizeof(text) - 1 - length);

        cr_assert_gt(got, 0, "after %s", text);
        length += (size_t)got;
        text[length] = '\0';
        if (length >= n && strcmp(text + length - n, end) == 0)
            return text;
    }
}

static void assert_in_order(const char *text, int first, int end)
{
    for (int i = first; i < end; i++) {
        char line[64];

        (void)snprintf(line, sizeof(line), " odd: line %d\n", i);
        text = strstr(text, line);
        cr_assert_not_null(text, "line %d", i);
    }
}

static void assert_counted(uint64_t written, uint64_t failed, uint64_t queued)
{
    struct log_counts counts = log_count();

    cr_assert_eq(counts.written[LOG_LEVEL_WARN], written, "%d written",
                 (int)counts.written[LOG_LEVEL_WARN]);
    cr_assert_eq(counts.failed, failed, "%d failed", (int)counts.failed);
    cr_assert_eq(counts.queued, queued, "%d queued", (int)counts.queued);
}

/* A burst that the pipe does not take waits for its reader; the rest is counted, and told once. */
static void check_full(int reader, int lost)
{
    const int queued = LOG_QUEUE_LINES;
    char last[128];
    const char *text;

    log_numbers(0, queued + lost);
    assert_counted(0, (uint64_t)lost, LOG_QUEUE_LINES);
    (void)snprintf(last, sizeof(last),
                   " log_incomplete: %d lines before this one were lost: standard error did not "
                   "take them\n",
                   lost);
    text = read_until(reader, last);
    assert_in_order(text, 0, queued);
    wait_for_empty_queue();
    assert_counted(LOG_QUEUE_LINES + 1, (uint64_t)lost, 0);
    log_number(queued);
    cr_assert_not_null(strstr(read_until(reader, "\n"), " odd: line 64\n"));
}

Test(log_sink, full_pipe_blocks_nobody)
{
    int ends[2];

    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    start_with(ends[1]);
    fill("/proc/self/fd/2");
    check_full(ends[0], 100);
    cr_assert_eq(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0,
                 "other programs share this description");
}

Test(log_sink, full_fifo_blocks_nobody)
{
    char path[512];
    int reader, writer;

    directory_make();
    (void)snprintf(path, sizeof(path), "%s/fifo", directory);
    cr_assert_eq(mkfifo(path, 0600), 0);
    reader = open(path, O_RDWR | O_CLOEXEC);
    writer = open(path, O_WRONLY | O_CLOEXEC);
    start_with(writer);
    fill(path);
    check_full(reader, 1);
    directory_remove();
}

Test(log_sink, full_socket_blocks_nobody)
{
    char block[4096];
    int ends[2];

    memset(block, '.', sizeof(block));
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    start_with(ends[1]);
    while (send(ends[1], block, sizeof(block), MSG_DONTWAIT) > 0)
        ;
    while (send(ends[1], block, 1, MSG_DONTWAIT) > 0)
        ;
    check_full(ends[0], 100);
    cr_assert_eq(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
}

/* A terminal that is stopped, like a file on a volume that hangs: the log thread stays in write(). */
Test(log_sink, stopped_terminal_blocks_nobody)
{
    const char *text;
    char name[128];
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave;

    cr_assert_geq(terminal, 0);
    cr_assert(grantpt(terminal) == 0 && unlockpt(terminal) == 0 &&
              ptsname_r(terminal, name, sizeof(name)) == 0);
    slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    cr_assert_geq(slave, 0);
    start_with(slave);
    for (int i = 0; log_count().failed == 0; i++)
        log_number(i);
    cr_assert_geq(log_count().queued, LOG_QUEUE_LINES - 1);
    text = read_until(terminal, " before this one were lost: standard error did not take them\r\n");
    cr_assert_not_null(strstr(text, " odd: line 0\r\n"));
    wait_for_empty_queue();
    cr_assert_eq(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
}

/* So the next action of a thread comes after its line, and a crash does not lose the line. */
Test(log_sink, line_is_in_the_file_when_the_call_returns)
{
    char path[512], text[16 * 1024];
    ssize_t length;
    int fd;

    directory_make();
    (void)snprintf(path, sizeof(path), "%s/log", directory);
    fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    start_with(fd);
    log_numbers(0, 100);
    length = pread(fd, text, sizeof(text) - 1, 0);
    cr_assert_gt(length, 0);
    text[length] = '\0';
    assert_in_order(text, 0, 100);
    assert_counted(100, 0, 0);
    directory_remove();
}

Test(log_sink, line_is_in_the_pipe_when_the_call_returns)
{
    struct pollfd input = {.events = POLLIN};
    int ends[2];

    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    start_with(ends[1]);
    log_numbers(0, 10);
    input.fd = ends[0];
    cr_assert_eq(poll(&input, 1, 0), 1);
    assert_in_order(read_until(ends[0], "line 9\n"), 0, 10);
    assert_counted(10, 0, 0);
}

Test(log_sink, pipe_without_a_reader_is_counted)
{
    int ends[2];

    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    start_with(ends[1]);
    log_number(0);
    (void)close(ends[0]);
    log_numbers(1, 4);
    assert_counted(1, 3, 0);
}

/* Without log_start: a pipe that is full, and one whose reader has closed it. */
Test(log_sink, lines_before_the_start_are_counted)
{
    int ends[2];

    cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    cr_assert_geq(dup2(ends[1], STDERR_FILENO), 0);
    fill("/proc/self/fd/2");
    log_number(0);
    (void)close(ends[0]);
    log_number(1);
    assert_counted(0, 2, 0);
}

/* The reader closes a full pipe: the queued lines are lost. */
Test(log_sink, queued_lines_whose_reader_leaves_are_counted)
{
    int ends[2];

    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    start_with(ends[1]);
    fill("/proc/self/fd/2");
    log_numbers(0, 10);
    assert_counted(0, 0, 10);
    (void)close(ends[0]);
    wait_for_empty_queue();
    assert_counted(0, 10, 0);
}

/* A description that another program made non-blocking. */
Test(log_sink, non_blocking_terminal_gets_whole_lines)
{
    char name[128];
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave;

    cr_assert_geq(terminal, 0);
    cr_assert(grantpt(terminal) == 0 && unlockpt(terminal) == 0 &&
              ptsname_r(terminal, name, sizeof(name)) == 0);
    slave = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    start_with(slave);
    for (int i = 0; log_count().failed == 0; i++)
        log_number(i);
    assert_in_order(read_until(terminal, "did not take them\r\n"), 0, 0);
    wait_for_empty_queue();
    cr_assert_eq(log_count().failed, 1);
}

/* ---- the end ---- */

Test(log_sink, stop_writes_the_queued_lines)
{
    const char *text;
    char path[512];
    int reader, writer;

    directory_make();
    (void)snprintf(path, sizeof(path), "%s/fifo", directory);
    cr_assert_eq(mkfifo(path, 0600), 0);
    reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    writer = open(path, O_WRONLY | O_CLOEXEC);
    start_with(writer);
    fill(path);
    log_numbers(0, 10);
    cr_assert_eq(fcntl(reader, F_SETFL, 0), 0);
    text = read_until(reader, "line 9\n");
    log_stop();
    assert_in_order(text, 0, 10);
    assert_counted(10, 0, 0);
    log_number(10); /* as before the start */
    cr_assert_not_null(strstr(read_until(reader, "\n"), "line 10\n"));
    directory_remove();
}

Test(log_sink, stop_does_not_wait_without_end)
{
    int ends[2];

    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    start_with(ends[1]);
    fill("/proc/self/fd/2");
    log_numbers(0, 10);
    log_stop();
    assert_counted(0, 0, 10);
}

/* ---- many threads ---- */

#define THREADS 4
#define LINES   500

static void *log_many(void *context)
{
    const int *thread = context;

    for (int i = 0; i < LINES; i++)
        log_write(NULL, LOG_LEVEL_WARN, "busy", "thread %d line %d of many", *thread, i);
    return NULL;
}

static pthread_t log_threads[THREADS];

/* When all threads have ended, the last line is this thread's. */
static void *end_log(void *context)
{
    (void)context;
    for (size_t i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_join(log_threads[i], NULL), 0);
    wait_for_empty_queue();
    log_stop();
    cr_assert_eq(write(STDERR_FILENO, "end\n", 4), 4);
    return NULL;
}

/* The pipe takes 4 KiB, and its reader is slow: each line is whole, in order, or counted. */
Test(log_sink, lines_of_threads_are_whole_and_in_order)
{
    static int numbers[THREADS] = {0, 1, 2, 3};
    int ends[2], next[THREADS] = {0};
    char *text = NULL;
    pthread_t end;
    uint64_t seen = 0, told = 0;
    FILE *reader;
    size_t size = 0;

    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    cr_assert_geq(fcntl(ends[1], F_SETPIPE_SZ, 4096), 4096);
    start_with(ends[1]);
    for (size_t i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&log_threads[i], NULL, log_many, &numbers[i]), 0);
    cr_assert_eq(pthread_create(&end, NULL, end_log, NULL), 0);
    reader = fdopen(ends[0], "r");
    for (; getline(&text, &size, reader) > 0 && strcmp(text, "end\n") != 0; seen++) {
        const char *line_of = strstr(text, "busy: "), *lost = strstr(text, "log_incomplete: ");
        int thread, line;

        if (line_of && sscanf(line_of, "busy: thread %d line %d of many\n", &thread, &line) == 2) {
            cr_assert_geq(line, next[thread], "thread %d", thread);
            next[thread] = line + 1;
        } else {
            cr_assert_not_null(lost, "%s", text);
            told += strtoull(lost + 16, NULL, 10);
        }
    }
    cr_assert_eq(pthread_join(end, NULL), 0);
    cr_assert_eq(seen, log_count().written[LOG_LEVEL_WARN]);
    cr_assert_geq(seen + log_count().failed, (uint64_t)THREADS * LINES);
    cr_assert_leq(told, log_count().failed);
    free(text);
}
