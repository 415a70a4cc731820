/*
 * log: one line per event on standard error, as text or as JSON lines.
 *
 * Every message has a stable event name ("leader_changed") for people who search and alert.
 * Nothing on the data path logs per datagram: what repeats goes through a struct log_limit.
 *
 * Threads: log_init once, before the threads; log_write from any thread (one write(2) a line).
 * Blocking: as long as standard error does. Never allocates; long lines are cut at LOG_LINE_MAX.
 */
#ifndef HEADLESS_BASE_LOG_H
#define HEADLESS_BASE_LOG_H

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

#define LOG_LINE_MAX 2048 /* bytes, with the newline */

/* A budget for one kind of line: at most one a period; says how many it swallowed. */
struct log_limit {
    uint64_t period_ns;
    uint64_t next_ns; /* owned by the thread that logs */
    uint64_t suppressed;
};

void log_init(enum log_level level, enum log_format format);

/* The level alone, at run time (reload). Any thread. */
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);

void log_write(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* True when the line may be written now; *ret_suppressed then tells how many were not. */
bool log_limit_pass(struct log_limit *limit, uint64_t now_ns, uint64_t *ret_suppressed);

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
