/*
 * log: one line per event on standard error, as text or as JSON lines.
 *
 * Every message has a stable event name ("leader_changed") for people who search and alert; all are
 * in docs/logs.md (scripts/check-logs).
 *
 * No place in the code can fill a disk, whatever comes from outside: each has a budget of lines,
 * LOG_BURST at once and LOG_PERIOD_NS for each to come back. What may come with each datagram is
 * limited more tightly, by a struct log_limit. The first line after those that were not written
 * says how many they were. log_count counts every line: written, kept back by a budget, or not
 * taken by standard error.
 *
 * Threads: log_init once, before the threads; the rest from any thread (one write(2) a line).
 * Blocking: as long as standard error does. Never allocates; long lines are cut at LOG_LINE_MAX.
 */
#ifndef HEADLESS_BASE_LOG_H
#define HEADLESS_BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARN,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_COUNT
};
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON, LOG_FORMAT_AUTO /* text on a terminal */ };

#define LOG_LINE_MAX  2048                /* bytes, with the newline */
#define LOG_BURST     64                  /* lines: as many as an order of the operator may cause */
#define LOG_PERIOD_NS UINT64_C(100000000) /* 10 lines a second, if they do not end */

/* One place in the code that logs; any thread. */
struct log_place {
    _Atomic uint64_t full_at_ns; /* when its budget will be whole again */
    _Atomic uint64_t suppressed; /* since the last line */
};

/* A budget for one kind of line: at most one a period; says how many it swallowed. */
struct log_limit {
    uint64_t period_ns;
    uint64_t next_ns; /* owned by the thread that logs */
    uint64_t suppressed;
};

/* Lines, since the start. */
struct log_counts {
    uint64_t written[LOG_LEVEL_COUNT];
    uint64_t suppressed; /* by budgets, of places and limits */
    uint64_t failed;     /* standard error did not take them, or not whole */
};

void log_init(enum log_level level, enum log_format format);

/* The level alone, at run time (reload). Any thread. */
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);

/* place: whose budget it is; NULL: not limited. */
void log_write(struct log_place *place, enum log_level level, const char *event, const char *format,
               ...) __attribute__((format(printf, 4, 5)));

/* Each line of a text, which is changed. Not limited: for the main thread. */
void log_lines(enum log_level level, const char *event, char *text);

/* True when a line may be written there now; *ret_suppressed then tells how many were not. */
bool log_place_pass(struct log_place *place, uint64_t now_ns, uint64_t *ret_suppressed);

struct log_counts log_count(void);

/* A line of this level was kept back by a budget that is neither a place's nor a limit. */
void log_note_suppressed(enum log_level level);

/* True when a line of this level may be written now; *ret_suppressed then tells how many were not.
 * What is not written anyway is not counted. */
bool log_limit_pass(struct log_limit *limit, enum log_level level, uint64_t now_ns,
                    uint64_t *ret_suppressed);

#define log_here(level, ...)                   \
    do {                                       \
        static struct log_place here_;         \
        log_write(&here_, level, __VA_ARGS__); \
    } while (0)
#define log_error(...) log_here(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_here(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_here(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_here(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
