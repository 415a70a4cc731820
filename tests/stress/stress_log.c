/*
 * stress_log: threads log into a pipe of 4 KiB whose reader is slow, so that its queue is often full.
 *
 * Each line is whole and in its thread's order, and is read or counted as lost; the lines about lost
 * ones have the number of all of them in the end. At any time the queue has at most its lines.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "headless/base/log.h"
#include "stress.h"

#define WRITERS 3

struct writer {
    pthread_t thread;
    uint64_t number, random;
    uint64_t wrote; /* the writer's */
    uint64_t next;  /* the reader's: the least number that may come next */
};

static struct writer writers[WRITERS];
static uint64_t lines_read, told;

static void *write_lines(void *context)
{
    struct writer *writer = context;
    uint64_t end_ns = clock_now_ns() + STRESS_SECONDS * NS_PER_SEC;

    while (clock_now_ns() < end_ns) {
        uint64_t storm = stress_draw(&writer->random) % (2 * LOG_QUEUE_LINES);

        for (uint64_t i = 0; i < storm; i++, writer->wrote++)
            log_write(NULL, LOG_LEVEL_WARN, "storm", "writer %llu line %llu of many",
                      (unsigned long long)writer->number, (unsigned long long)writer->wrote);
        (void)usleep((useconds_t)(stress_draw(&writer->random) % 1000));
    }
    return NULL;
}

static void check_line(const char *line)
{
    const char *event = strstr(line, "Z warn  ");
    unsigned long long writer, number;
    char last[8];

    STRESS_CHECK(event);
    lines_read++;
    if (sscanf(event, "Z warn  log_incomplete: %llu lines before this one were lo%7s", &number,
               last) == 2) {
        told += number;
        return;
    }
    STRESS_CHECK(
        sscanf(event, "Z warn  storm: writer %llu line %llu of %7s", &writer, &number, last) == 3);
    STRESS_CHECK(writer < WRITERS && strcmp(last, "many") == 0);
    STRESS_CHECK(number >= writers[writer].next);
    writers[writer].next = number + 1;
}

/* The log thread takes lines out while their number is read. */
static void check_queued(void)
{
    uint64_t end_ns = clock_now_ns() + STRESS_SECONDS * NS_PER_SEC;

    while (clock_now_ns() < end_ns)
        STRESS_CHECK(log_count().queued <= LOG_QUEUE_LINES);
}

static void *read_lines(void *context)
{
    FILE *pipe = fdopen(*(int *)context, "r");
    uint64_t random = 7;
    char line[LOG_LINE_MAX];

    STRESS_CHECK(pipe);
    while (fgets(line, sizeof(line), pipe)) {
        if (strstr(line, "the end"))
            break;
        check_line(line);
        if (stress_draw(&random) % 64 == 0)
            (void)usleep(500);
    }
    return NULL;
}

int main(void)
{
    struct log_counts counts;
    pthread_t reader;
    uint64_t wrote = 0;
    int ends[2];

    (void)alarm(STRESS_LIMIT);
    (void)signal(SIGPIPE, SIG_IGN);
    STRESS_CHECK(pipe2(ends, O_CLOEXEC) == 0);
    STRESS_CHECK(fcntl(ends[1], F_SETPIPE_SZ, 4096) >= 0);
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    STRESS_CHECK(dup2(ends[1], STDERR_FILENO) >= 0);
    STRESS_CHECK(log_start() == 0);
    STRESS_CHECK(pthread_create(&reader, NULL, read_lines, &ends[0]) == 0);
    for (uint64_t i = 0; i < WRITERS; i++) {
        writers[i].number = i;
        writers[i].random = i + 1;
        STRESS_CHECK(pthread_create(&writers[i].thread, NULL, write_lines, &writers[i]) == 0);
    }
    check_queued();
    for (size_t i = 0; i < WRITERS; i++) {
        STRESS_CHECK(pthread_join(writers[i].thread, NULL) == 0);
        wrote += writers[i].wrote;
    }
    log_stop();
    log_write(NULL, LOG_LEVEL_INFO, "storm", "the end");
    STRESS_CHECK(pthread_join(reader, NULL) == 0);
    counts = log_count();
    (void)printf("%llu lines, %llu read, %llu lost\n", (unsigned long long)wrote,
                 (unsigned long long)lines_read, (unsigned long long)counts.failed);
    STRESS_CHECK(counts.queued == 0 && counts.failed > 0);
    STRESS_CHECK(lines_read == counts.written[LOG_LEVEL_WARN]);
    STRESS_CHECK(told <= counts.failed);
    return 0;
}
