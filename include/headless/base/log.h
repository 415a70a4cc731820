/*
 * log: one line per event on standard error, as text or as JSON lines.
 *
 * Every message has a stable event name ("leader_changed") for searches and alerts; docs/logs.md
 * lists all (scripts/check-logs).
 *
 * Input from outside must not fill a disk: each place in the code that logs has a token bucket of
 * LOG_BURST lines, and one line comes back every LOG_PERIOD_NS. Events that a single datagram can
 * cause are limited further, by a struct log_limit. The first line after suppressed ones says how
 * many were suppressed. log_count counts every line: written, suppressed, refused by standard error,
 * or queued.
 *
 * Standard error may block without end (src/base/log_sink.h). After log_start no line does: one that
 * standard error does not take now goes to a queue, from which a thread writes; one that does not
 * fit there is lost and counted, and a later line has the number of lost ones.
 *
 * Threads: log_init, log_start and log_stop by the main thread, before others start and after they
 * have ended; the rest from any thread. Blocking: at most 100 ms, once until the queue is empty again,
 * and only where standard error is neither a pipe nor a socket; without log_start as long as standard
 * error blocks. Never allocates; long lines are cut at LOG_LINE_MAX.
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

#define LOG_LINE_MAX    2048 /* bytes, with the newline */
#define LOG_BURST       64   /* lines: one command of an operator may cause this many */
#define LOG_PERIOD_NS   UINT64_C(100000000) /* 10 lines a second in the long run */
#define LOG_QUEUE_LINES 64U                 /* a burst that standard error does not take */
#define LOG_MINUTE_NS   UINT64_C(60000000000)

/* One place in the code that logs; any thread. */
struct log_place {
    _Atomic uint64_t full_at_ns; /* time at which its bucket is full again, as in budget.h */
    _Atomic uint64_t suppressed; /* lines since the last written one */
};

/* At most one line a period, and the number suppressed in between. */
struct log_limit {
    uint64_t period_ns;
    uint64_t next_ns; /* owned by the thread that logs */
    uint64_t suppressed;
};

/* Lines since the start. */
struct log_counts {
    uint64_t written[LOG_LEVEL_COUNT];
    uint64_t suppressed; /* by a place or a limit */
    uint64_t failed;     /* lost: standard error did not take them, or only in part */
    uint64_t queued;     /* not a count: lines that standard error has not taken yet */
};

void log_init(enum log_level level, enum log_format format);

/* Start the log thread. Returns 0 or a negative errno; then lines are written as before. */
int log_start(void);

/* Write the queued lines, for at most a second. */
void log_stop(void);

/* Change the level at run time (reload). Any thread. */
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);

/* place: the budget that it takes from; NULL: not limited. */
void log_write(struct log_place *place, enum log_level level, const char *event, const char *format,
               ...) __attribute__((format(printf, 4, 5)));

/* Write each line of text, which is modified. Not limited: for the main thread. */
void log_lines(enum log_level level, const char *event, char *text);

/* True when this place may write a line now; *ret_suppressed is then the number suppressed
 * before. */
bool log_place_pass(struct log_place *place, uint64_t now_ns, uint64_t *ret_suppressed);

struct log_counts log_count(void);

/* Count a line of this level that the caller suppressed by a budget of its own. */
void log_note_suppressed(enum log_level level);

/* True when a line of this level may be written now; *ret_suppressed is then the number suppressed
 * before. Lines of a level that is switched off are not counted. */
bool log_limit_pass(struct log_limit *limit, enum log_level level, uint64_t now_ns,
                    uint64_t *ret_suppressed);

#define log_here(level, ...)                   \
    do {                                       \
        static struct log_place here_;         \
        log_write(&here_, level, __VA_ARGS__); \
    } while (0)
/* A warning that a single datagram can cause: at most one line a minute by each thread and place. Ends
 * with the number of those suppressed. Arguments are evaluated for a written line only; at least one. */
#define log_warn_minutely(event, now_ns, format, ...)                                \
    do {                                                                             \
        static _Thread_local struct log_limit limit_ = {.period_ns = LOG_MINUTE_NS}; \
        uint64_t suppressed_;                                                        \
                                                                                     \
        if (log_limit_pass(&limit_, LOG_LEVEL_WARN, now_ns, &suppressed_))           \
            log_here(LOG_LEVEL_WARN, event, format " (%llu more)", __VA_ARGS__,      \
                     (unsigned long long)suppressed_);                               \
    } while (0)
#define log_error(...) log_here(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_here(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_here(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_here(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
