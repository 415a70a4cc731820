/*
 * order_check: checks that the logs of apps (order_app) agree on one order.
 *
 *   order_check [-c] FILE...
 *
 * Each log gives messages numbers: "joined" gives the number of the next one, "missing" skips some,
 * "diverged" takes some back. Two logs with different messages under one number conflict. A process
 * that was killed could not take back its last messages: at the end of its log, conflicting numbers
 * are a tail, no conflict; with -c (ordered.commit: majority) they are conflicts. A message under two
 * numbers is there twice. Prints one line:
 *
 *   numbers N messages N missing N diverged N joined N tail N twice N conflicts N
 *
 * and exits with 1 if there are conflicts or no messages.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBERS  (4u << 20)
#define LOGS_MAX 64 /* a log has the messages of one process of a pod */

struct log {
    uint64_t *known; /* by number: the message + 1; 0: none */
    bool is_last;    /* the last of its file: the process still runs */
    const char *file;
};

static struct log logs[LOGS_MAX];
static size_t log_count;
static uint64_t missing, diverged, joined, messages, tail, twice, conflicts;
static uint64_t highest;

static struct log *begin_log(const char *file)
{
    struct log *log = &logs[log_count++];

    if (log_count == LOGS_MAX || !(log->known = calloc(NUMBERS, sizeof(*log->known)))) {
        (void)fputs("order_check: too many logs\n", stderr);
        exit(2);
    }
    log->file = file;
    return log;
}

static uint64_t number_in(const char *line, const char *key)
{
    const char *at = strstr(line, key);

    return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static void bad(const char *file, const char *line)
{
    (void)fprintf(stderr, "order_check: %s: what is \"%s\"?\n", file, line);
    exit(2);
}

/* Returns the number of the next message. */
static uint64_t take_event(struct log *log, const char *line, uint64_t next)
{
    uint64_t from = number_in(line, "\"from\":"), to = number_in(line, "\"to\":");

    if (from >= NUMBERS || to >= NUMBERS || !from)
        bad(log->file, line);
    if (strstr(line, "\"joined\"")) {
        joined++;
        return from;
    }
    if (strstr(line, "\"missing\"")) {
        if (from != next)
            bad(log->file, line);
        missing += to - from + 1;
        return to + 1;
    }
    if (!strstr(line, "\"diverged\"") || to + 1 != next)
        bad(log->file, line);
    memset(&log->known[from], 0, (to - from + 1) * sizeof(*log->known));
    diverged += to - from + 1;
    return from;
}

static void read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    struct log *log = NULL;
    uint64_t next = 0;
    char line[256];

    if (!file) {
        perror(path);
        exit(2);
    }
    while (fgets(line, sizeof(line), file)) {
        if (strstr(line, "\"joined\""))
            log = begin_log(path);
        if (!log || next >= NUMBERS)
            bad(path, line);
        if (line[0] == '{') {
            next = take_event(log, line, next);
        } else {
            log->known[next++] = strtoull(line, NULL, 10) + 1;
            messages++;
        }
        highest = next > highest ? next : highest;
    }
    if (log)
        log->is_last = true;
    (void)fclose(file);
}

static void conflict(const struct log *log, uint64_t number, uint64_t other)
{
    if (conflicts++ < 10)
        (void)fprintf(stderr,
                      "%s: number %" PRIu64 " is message %" PRIu64 ", elsewhere %" PRIu64 "\n",
                      log->file, number, log->known[number] - 1, other - 1);
}

/* Logs of running processes decide; of killed ones the conflicting end is a tail. */
static void compare(const struct log *log, uint64_t *order, bool may_have_tail)
{
    uint64_t number = highest;

    for (; may_have_tail && number > 0; number--) {
        bool differs = log->known[number] && order[number] && log->known[number] != order[number];

        if (log->known[number] && !differs)
            break;
        tail += differs;
    }
    for (; number > 0; number--) {
        if (!log->known[number])
            continue;
        if (!order[number])
            order[number] = log->known[number];
        else if (order[number] != log->known[number])
            conflict(log, number, order[number]);
    }
}

/* Find messages with two numbers. */
static void find_twins(const uint64_t *order)
{
    bool *seen = calloc(NUMBERS, sizeof(*seen));

    for (uint64_t number = 1; seen && number <= highest; number++) {
        uint64_t message = order[number];

        if (!message || message >= NUMBERS)
            continue;
        if (seen[message] && twice++ < 10)
            (void)fprintf(stderr, "message %" PRIu64 " has number %" PRIu64 " and another\n",
                          message - 1, number);
        seen[message] = true;
    }
    free(seen);
}

int main(int argc, char **argv)
{
    uint64_t *order = calloc(NUMBERS, sizeof(*order));
    bool is_strict = argc > 1 && strcmp(argv[1], "-c") == 0;

    for (int i = 1 + is_strict; i < argc; i++)
        read_file(argv[i]);
    for (int last = 1; last >= 0 && order; last--) {
        for (size_t i = 0; i < log_count; i++) {
            if (logs[i].is_last == (bool)last)
                compare(&logs[i], order, !last && !is_strict);
        }
    }
    if (!order)
        return 2;
    find_twins(order);
    free(order);
    for (size_t i = 0; i < log_count; i++)
        free(logs[i].known);
    (void)printf("numbers %" PRIu64 " messages %" PRIu64 " missing %" PRIu64 " diverged %" PRIu64
                 " joined %" PRIu64 " tail %" PRIu64 " twice %" PRIu64 " conflicts %" PRIu64 "\n",
                 highest ? highest - 1 : 0, messages, missing, diverged, joined, tail, twice,
                 conflicts);
    return conflicts || !messages ? 1 : 0;
}
