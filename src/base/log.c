#include "headless/base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log_renames.h"
#include "base/log_sink.h"
#include "base/log_text.h"
#include "headless/base/clock.h"
#include "headless/base/utf8.h"

#define MESSAGE_MAX 1024 /* bytes, with NUL */

static _Atomic int log_level_now = LOG_LEVEL_INFO; /* written by reload, read by every thread */
static bool log_json;                              /* written by log_init only */

static struct {
    _Atomic uint64_t written[LOG_LEVEL_COUNT], suppressed, failed; /* any thread adds */
} counts;

static const char *const level_names[LOG_LEVEL_COUNT] = {"error", "warn", "info", "debug"};

void log_init(enum log_level level, enum log_format format)
{
    log_set_level(level);
    log_json = format == LOG_FORMAT_JSON || (format == LOG_FORMAT_AUTO && !isatty(STDERR_FILENO));
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&log_level_now, (int)level, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&log_level_now, memory_order_relaxed);
}

static size_t put_time(char *out, size_t room)
{
    struct timespec now;
    struct tm utc;
    size_t n;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &utc);
    n = strftime(out, room, "%Y-%m-%dT%H:%M:%S", &utc);
    n += (size_t)snprintf(out + n, room - n, ".%03ldZ", now.tv_nsec / 1000000);
    return n;
}

/* ---- counts: every line ends in exactly one ---- */

static void log_add_one(_Atomic uint64_t *counter)
{
    (void)atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

struct log_counts log_count(void)
{
    struct log_counts now = {
        .suppressed = atomic_load_explicit(&counts.suppressed, memory_order_relaxed),
        .failed = atomic_load_explicit(&counts.failed, memory_order_relaxed),
        .queued = log_sink_queued(),
    };

    for (size_t level = 0; level < LOG_LEVEL_COUNT; level++)
        now.written[level] = atomic_load_explicit(&counts.written[level], memory_order_relaxed);
    return now;
}

void log_count_line(enum log_level level, bool is_written)
{
    log_add_one(is_written ? &counts.written[level] : &counts.failed);
}

void log_note_suppressed(enum log_level level)
{
    if (log_enabled(level))
        log_add_one(&counts.suppressed);
}

/* ---- budgets ---- */

/* The token bucket of budget.h, shared by threads. Relaxed: it orders no other memory. */
bool log_place_pass(struct log_place *place, uint64_t now_ns, uint64_t *ret_suppressed)
{
    uint64_t full_at_ns = atomic_load_explicit(&place->full_at_ns, memory_order_relaxed);
    uint64_t after_ns;

    do {
        after_ns = (full_at_ns > now_ns ? full_at_ns : now_ns) + LOG_PERIOD_NS;
        if (after_ns - now_ns > LOG_BURST * LOG_PERIOD_NS) {
            log_add_one(&place->suppressed);
            log_add_one(&counts.suppressed);
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&place->full_at_ns, &full_at_ns, after_ns,
                                                    memory_order_relaxed, memory_order_relaxed));
    *ret_suppressed = atomic_exchange_explicit(&place->suppressed, 0, memory_order_relaxed);
    return true;
}

bool log_limit_pass(struct log_limit *limit, enum log_level level, uint64_t now_ns,
                    uint64_t *ret_suppressed)
{
    if (!log_enabled(level))
        return false;
    if (now_ns < limit->next_ns) {
        limit->suppressed++;
        log_add_one(&counts.suppressed);
        return false;
    }
    limit->next_ns = now_ns + limit->period_ns;
    *ret_suppressed = limit->suppressed;
    limit->suppressed = 0;
    return true;
}

/* ---- lines ---- */

size_t log_format_line(char line[static LOG_LINE_MAX], enum log_level level, const char *event,
                       const char *message)
{
    const size_t room = LOG_LINE_MAX;
    size_t n;

    if (log_json) {
        const char *former = log_former_event(event);

        n = (size_t)snprintf(line, room, "{\"time\":\"");
        n += put_time(line + n, 40);
        n += (size_t)snprintf(line + n, room - n, "\",\"level\":\"%s\",\"event\":\"%.64s\"",
                              level_names[level], event);
        if (former)
            n += (size_t)snprintf(line + n, room - n, ",\"was\":\"%.64s\"", former);
        n += (size_t)snprintf(line + n, room - n, ",\"message\":\"");
        n += log_text_json(line + n, room - n - 3, message);
        line[n++] = '"';
        line[n++] = '}';
    } else {
        n = put_time(line, 40);
        n += (size_t)snprintf(line + n, room - n, " %-5s %.64s: ", level_names[level], event);
        n += utf8_copy_printable(line + n, room - n - 1, message);
    }
    line[n++] = '\n';
    return n;
}

static void log_put_line(enum log_level level, const char *event, const char *message)
{
    char line[LOG_LINE_MAX];

    log_sink_put(level, line, log_format_line(line, level, event, message));
}

void log_write(struct log_place *place, enum log_level level, const char *event, const char *format,
               ...)
{
    char message[MESSAGE_MAX + 64]; /* room for the suppressed count */
    uint64_t suppressed = 0;
    int formatted;
    size_t length;
    va_list args;

    if (!log_enabled(level) || (place && !log_place_pass(place, clock_now_ns(), &suppressed)))
        return;
    va_start(args, format);
    formatted = vsnprintf(message, MESSAGE_MAX, format, args);
    va_end(args);
    length = strlen(message);
    if (formatted >= MESSAGE_MAX) { /* it may be cut within a character */
        length = utf8_trim(message, length);
        message[length] = '\0';
    }
    if (suppressed)
        (void)snprintf(message + length, sizeof(message) - length,
                       " (%llu more like this were not written)", (unsigned long long)suppressed);
    log_put_line(level, event, message);
}

void log_lines(enum log_level level, const char *event, char *text)
{
    char *rest = NULL;

    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        log_write(NULL, level, event, "%s", line);
}
