/* log: each event is one line, and valid JSON with any message. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "headless/base/log.h"

static int captured = -1;
static int real_stderr = -1;

/* Redirect standard error to memory until the text is taken. Each test is its own process. */
static void capture_start(void)
{
    captured = memfd_create("stderr", MFD_CLOEXEC);
    cr_assert_geq(captured, 0);
    /* The offset of a memfd is not locked between threads; appending is atomic. */
    cr_assert_eq(fcntl(captured, F_SETFL, O_APPEND), 0);
    real_stderr = dup(STDERR_FILENO);
    cr_assert_geq(dup2(captured, STDERR_FILENO), 0);
}

static const char *capture_take(void)
{
    static char text[64 * 1024];
    ssize_t n = pread(captured, text, sizeof(text) - 1, 0);

    cr_assert_geq(dup2(real_stderr, STDERR_FILENO), 0);
    cr_assert_geq(n, 0);
    text[n] = '\0';
    cr_assert_eq(strlen(text), (size_t)n, "no NUL within the output");
    return text;
}

static size_t count_lines(const char *text)
{
    size_t lines = 0;

    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

/* The line as an object; fails unless it is one line of strict JSON. */
static struct json_object *object_of(const char *line)
{
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *object;

    cr_assert_not_null(tokener);
    cr_assert_eq(count_lines(line), 1, "%s", line);
    cr_assert_eq(line[strlen(line) - 1], '\n');
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    object = json_tokener_parse_ex(tokener, line, (int)strlen(line));
    cr_assert_not_null(object, "%s", line);
    json_tokener_free(tokener);
    return object;
}

static const char *string_of(struct json_object *object, const char *key)
{
    struct json_object *value;

    cr_assert(json_object_object_get_ex(object, key, &value), "%s", key);
    return json_object_get_string(value);
}

Test(log, json_line_has_time_level_event_and_message)
{
    struct json_object *object;
    struct tm utc;

    log_init(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    capture_start();
    log_warn("leader_changed", "term %d", 7);
    object = object_of(capture_take());
    cr_assert_str_eq(string_of(object, "level"), "warn");
    cr_assert_str_eq(string_of(object, "event"), "leader_changed");
    cr_assert_str_eq(string_of(object, "message"), "term 7");
    cr_assert_str_eq(strptime(string_of(object, "time"), "%Y-%m-%dT%H:%M:%S", &utc) + 4, "Z");
    json_object_put(object);
}

/* For one release. */
Test(log, json_line_of_a_renamed_event_has_its_former_name)
{
    struct json_object *object, *was;

    log_init(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    capture_start();
    log_warn("gso_off", "the kernel refuses");
    object = object_of(capture_take());
    cr_assert_str_eq(string_of(object, "event"), "gso_off");
    cr_assert_str_eq(string_of(object, "was"), "trains_off");
    cr_assert_str_eq(string_of(object, "message"), "the kernel refuses");
    json_object_put(object);
    close(captured);
    capture_start();
    log_warn("leader_changed", "term 7");
    object = object_of(capture_take());
    cr_assert(!json_object_object_get_ex(object, "was", &was));
    json_object_put(object);
}

Test(log, text_line_has_no_former_name)
{
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    capture_start();
    log_warn("gso_off", "the kernel refuses");
    cr_assert_not_null(strstr(capture_take(), "Z warn  gso_off: the kernel refuses\n"));
}

Test(log, json_has_characters_as_they_are)
{
    struct json_object *object;
    const char *line;

    log_init(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    capture_start();
    log_info("odd", "%s", "/etc/\xc3\xbc\"\n.yaml\xff");
    line = capture_take();
    cr_assert_not_null(strstr(line, "\"/etc/\xc3\xbc\\\"\\u000a.yaml\\u00ff\"}\n"), "%s", line);
    object = object_of(line);
    cr_assert_str_eq(string_of(object, "message"), "/etc/\xc3\xbc\"\n.yaml\xc3\xbf");
    json_object_put(object);
}

Test(log, text_line_cannot_be_forged_by_a_message)
{
    const char *line;

    log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    capture_start();
    log_error("odd", "%s", "a\nerror forged: b\r\x1b[2J");
    line = capture_take();
    cr_assert_eq(count_lines(line), 1);
    cr_assert_not_null(strstr(line, "Z error odd: a?error forged: b??[2J\n"), "%s", line);
}

/* Messages of growing length, of characters that grow when escaped and of others. */
Test(log, long_lines_are_cut_and_stay_lines)
{
    static const struct {
        enum log_format format;
        char filler;
    } rows[] = {{LOG_FORMAT_JSON, 'x'},
                {LOG_FORMAT_JSON, '"'},
                {LOG_FORMAT_JSON, '\1'},
                {LOG_FORMAT_TEXT, 'x'}};
    char message[4000];

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        log_init(LOG_LEVEL_INFO, rows[i].format);
        for (size_t length = 200; length < sizeof(message); length += 61) {
            const char *line;

            memset(message, rows[i].filler, length);
            message[length] = '\0';
            capture_start();
            log_write(NULL, LOG_LEVEL_INFO, "long", "%s", message);
            line = capture_take();
            close(captured);
            close(real_stderr);
            cr_assert_leq(strlen(line), LOG_LINE_MAX);
            cr_assert_eq(count_lines(line), 1);
            if (rows[i].format == LOG_FORMAT_JSON)
                json_object_put(object_of(line));
        }
    }
}

Test(log, auto_is_json_where_standard_error_is_no_terminal)
{
    capture_start();
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_AUTO);
    log_info("started", "now");
    json_object_put(object_of(capture_take()));
}

Test(log, only_lines_up_to_the_level_are_written)
{
    for (int level = LOG_LEVEL_ERROR; level < LOG_LEVEL_COUNT; level++) {
        log_init((enum log_level)level, LOG_FORMAT_TEXT);
        capture_start();
        log_error("e", "1");
        log_warn("w", "1");
        log_info("i", "1");
        log_debug("d", "1");
        cr_assert_eq(count_lines(capture_take()), (size_t)level + 1);
        cr_assert(log_enabled((enum log_level)level));
        cr_assert(level == LOG_LEVEL_DEBUG || !log_enabled((enum log_level)(level + 1)));
        close(captured);
        close(real_stderr);
    }
}

Test(log, level_changes_while_running)
{
    log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    capture_start();
    log_debug("d", "swallowed");
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("d", "written");
    cr_assert_eq(count_lines(capture_take()), 1);
}

/* A message is cut between two characters, wherever its end is. */
Test(log, long_lines_are_cut_between_characters)
{
    char message[4000];

    log_init(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    for (size_t shift = 0; shift < 4; shift++) {
        struct json_object *object;
        const char *line;

        memset(message, 'x', shift);
        for (size_t i = shift; i + 4 < sizeof(message); i += 4)
            memcpy(message + i, "\xf0\x9f\x98\x80", 5);
        capture_start();
        log_write(NULL, LOG_LEVEL_INFO, "long", "%s", message);
        line = capture_take();
        cr_assert_not_null(strstr(line, "\xf0\x9f\x98\x80\"}\n"), "%s", line);
        object = object_of(line);
        json_object_put(object);
        close(captured);
        close(real_stderr);
    }
}

static void *write_many(void *unused)
{
    (void)unused;
    for (int i = 0; i < 100; i++)
        log_write(NULL, LOG_LEVEL_INFO, "busy", "line %03d of a thread that shares standard error",
                  i);
    return NULL;
}

Test(log, lines_of_threads_do_not_mix, .timeout = 30)
{
    pthread_t threads[4];
    char *rest, *line;

    log_init(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    capture_start();
    for (size_t i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, write_many, NULL), 0);
    for (size_t i = 0; i < 4; i++)
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
    rest = strdup(capture_take());
    cr_assert_not_null(rest);
    cr_assert_eq(count_lines(rest), 400);
    line = strtok(rest, "\n");
    for (; line; line = strtok(NULL, "\n"))
        cr_assert(line[0] == '{' && line[strlen(line) - 1] == '}', "%s", line);
    free(rest);
}

Test(log, limit_passes_one_line_a_period_and_counts_the_rest)
{
    struct log_limit limit = {.period_ns = 100};
    uint64_t suppressed = 99;

    cr_assert(log_limit_pass(&limit, LOG_LEVEL_WARN, 0, &suppressed),
              "the first one passes, also at time 0");
    cr_assert_eq(suppressed, 0);
    suppressed = 99;
    cr_assert_not(log_limit_pass(&limit, LOG_LEVEL_WARN, 0, &suppressed));
    cr_assert_not(log_limit_pass(&limit, LOG_LEVEL_WARN, 99, &suppressed));
    cr_assert_eq(suppressed, 99, "untouched when refused");
    cr_assert(log_limit_pass(&limit, LOG_LEVEL_WARN, 100, &suppressed));
    cr_assert_eq(suppressed, 2);
    cr_assert_not(log_limit_pass(&limit, LOG_LEVEL_WARN, 199, &suppressed));
    cr_assert(log_limit_pass(&limit, LOG_LEVEL_WARN, 1000, &suppressed));
    cr_assert_eq(suppressed, 1);
    cr_assert(log_limit_pass(&limit, LOG_LEVEL_WARN, 1100, &suppressed));
    cr_assert_eq(suppressed, 0);
    cr_assert_eq(log_count().suppressed, 3, "those of limits are among all");
    log_set_level(LOG_LEVEL_ERROR);
    cr_assert_not(log_limit_pass(&limit, LOG_LEVEL_WARN, 5000, &suppressed));
    log_note_suppressed(LOG_LEVEL_WARN);
    cr_assert_eq(log_count().suppressed, 3, "what is not written anyway is not counted");
}

static void warn_at(uint64_t now_ns, int *evaluated)
{
    log_warn_minutely("bad", now_ns, "line %d", ++*evaluated);
}

static void *warn_in_another_thread(void *evaluated)
{
    warn_at(2 * LOG_MINUTE_NS, evaluated);
    return NULL;
}

Test(log, minutely_warning_is_one_line_a_minute_for_each_thread)
{
    const char *lines;
    int evaluated = 0;
    pthread_t thread;

    capture_start();
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    warn_at(LOG_MINUTE_NS, &evaluated);
    for (int i = 0; i < 5; i++)
        warn_at(2 * LOG_MINUTE_NS - 1, &evaluated);
    cr_assert_eq(evaluated, 1, "the arguments of a suppressed line");
    warn_at(2 * LOG_MINUTE_NS, &evaluated);
    cr_assert_eq(pthread_create(&thread, NULL, warn_in_another_thread, &evaluated), 0);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    lines = capture_take();
    cr_assert_not_null(strstr(lines, "bad: line 1 (0 more)\n"));
    cr_assert_not_null(strstr(lines, "bad: line 2 (5 more)\n"));
    cr_assert_not_null(strstr(lines, "bad: line 3 (0 more)\n"), "%s", lines);
}

/* ---- each place in the code has a token bucket ---- */

Test(log, place_has_a_burst_and_regains_a_line_each_period)
{
    struct log_place place = {0};
    uint64_t suppressed = 99, now_ns = 5000 * LOG_PERIOD_NS;

    for (int i = 0; i < LOG_BURST; i++) {
        cr_assert(log_place_pass(&place, now_ns, &suppressed), "line %d", i);
        cr_assert_eq(suppressed, 0);
    }
    suppressed = 99;
    for (int i = 0; i < 3; i++)
        cr_assert_not(log_place_pass(&place, now_ns + LOG_PERIOD_NS - 1, &suppressed));
    cr_assert_eq(suppressed, 99, "untouched when refused");
    cr_assert_eq(log_count().suppressed, 3);
    cr_assert(log_place_pass(&place, now_ns + LOG_PERIOD_NS, &suppressed));
    cr_assert_eq(suppressed, 3);
    cr_assert_not(log_place_pass(&place, now_ns + LOG_PERIOD_NS, &suppressed));
    now_ns += 1000 * LOG_PERIOD_NS * LOG_BURST;
    for (int i = 0; i < LOG_BURST; i++)
        cr_assert(log_place_pass(&place, now_ns, &suppressed), "after quiet, line %d", i);
    cr_assert_not(log_place_pass(&place, now_ns, &suppressed), "and no more than a burst");
}

static void say_again(void)
{
    log_warn("flooded", "again");
}

static void say_other(void)
{
    log_warn("other", "%s", "first");
}

Test(log, flood_at_one_place_does_not_suppress_another)
{
    const char *text;
    char *line;

    log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    capture_start();
    for (int i = 0; i < 10 * LOG_BURST; i++)
        say_again();
    say_other();
    text = capture_take();
    /* more than the burst where the loop takes longer than a period */
    cr_assert_geq(count_lines(text), LOG_BURST + 1);
    cr_assert_leq(count_lines(text), (size_t)5 * LOG_BURST);
    cr_assert_eq(log_count().suppressed, (size_t)10 * LOG_BURST + 1 - count_lines(text));
    line = strstr(text, " other: first\n");
    cr_assert_not_null(line);
}

/* Lines of a level that is off take nothing from a budget. */
Test(log, lines_of_a_level_that_is_off_are_not_counted)
{
    log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    for (int i = 0; i < 2 * LOG_BURST; i++)
        say_again();
    cr_assert_eq(log_count().suppressed, 0);
}

Test(log, line_after_suppressed_ones_tells_their_number, .timeout = 30)
{
    struct log_place place = {0};
    const struct timespec period = {.tv_nsec = LOG_PERIOD_NS / 10};
    const char *text;

    log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    capture_start();
    for (int i = 0; !atomic_load(&place.suppressed); i++)
        log_write(&place, LOG_LEVEL_INFO, "gap", "%d", i);
    while (atomic_load(&place.suppressed)) {
        log_write(&place, LOG_LEVEL_INFO, "gap", "the next");
        nanosleep(&period, NULL);
    }
    text = capture_take();
    cr_assert_not_null(strstr(text, "info  gap: the next ("), "%s", text);
    cr_assert_not_null(strstr(text, " more like this were not written)\n"), "%s", text);
}

Test(log, lines_of_a_text_are_lines_of_the_log)
{
    char text[] = "a.yaml:1: one\n\na.yaml:2: two\nrest";
    const char *said;

    log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    capture_start();
    log_lines(LOG_LEVEL_ERROR, "config_error", text);
    said = capture_take();
    cr_assert_eq(count_lines(said), 3, "%s", said);
    cr_assert_not_null(strstr(said, " error config_error: a.yaml:2: two\n"), "%s", said);
    cr_assert_not_null(strstr(said, " error config_error: rest\n"), "%s", said);
}

/* ---- counts: every line ends in exactly one ---- */

Test(log, lines_are_counted_by_level)
{
    struct log_counts counts;

    log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    capture_start();
    log_error("odd", "one");
    for (int i = 0; i < 2; i++)
        log_info("odd", "two");
    log_debug("odd", "not of this level");
    (void)capture_take();
    counts = log_count();
    cr_assert_eq(counts.written[LOG_LEVEL_ERROR], 1);
    cr_assert_eq(counts.written[LOG_LEVEL_WARN], 0);
    cr_assert_eq(counts.written[LOG_LEVEL_INFO], 2);
    cr_assert_eq(counts.written[LOG_LEVEL_DEBUG], 0);
    cr_assert_eq(counts.suppressed + counts.failed, 0);
}
