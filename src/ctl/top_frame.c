/* A frame of top, from two statuses: totals, and rates between them. */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/parts.h"
#include "ctl/top.h"
#include "headless/base/clock.h"
#include "headless/ctl/ctl.h"

#define DROPS_MAX   128 /* reasons; more than this version has, for later ones */
#define DROPS_SHOWN 5U  /* on a screen */
#define MEMBERS_MIN 5U  /* lines of a small screen */

/* ---- rates ---- */

struct series {
    uint64_t total;
    double per_second;
    bool has_rate;
};

static const struct json_object *frame_counter(const struct json_object *status, const char *metric,
                                               const char *label)
{
    const struct json_object *value = field_find(status, "counters", metric);

    return label ? field_of(value, label) : value;
}

/* A counter that fell is that of another process. */
static struct series series_of(const struct top_frame *frame, const char *metric, const char *label)
{
    const struct json_object *value = frame_counter(frame->now, metric, label);
    struct series series = {.total = json_object_get_uint64(value)};
    uint64_t before;

    if (!frame->before || !frame->between_ns)
        return series;
    before = json_object_get_uint64(frame_counter(frame->before, metric, label));
    series.has_rate = series.total >= before;
    if (series.has_rate)
        series.per_second =
            (double)(series.total - before) * (double)NS_PER_SEC / (double)frame->between_ns;
    return series;
}

static void put_series(FILE *out, struct series series)
{
    char rate[24] = "-";

    if (series.has_rate)
        (void)snprintf(rate, sizeof(rate), "%.0f", series.per_second);
    (void)fprintf(out, "%10s%13" PRIu64, rate, series.total);
}

/* Two columns: requests and replies. */
static void put_rates(FILE *out, const struct top_frame *frame)
{
    static const struct {
        const char *name, *metric, *label;
    } cells[][2] = {
        {{"from clients", "datagrams_received_total", "data"},
         {"app replied", "replies_received_total", "app"}},
        {{"from pods", "datagrams_received_total", "relay"},
         {"pods replied", "replies_received_total", "relay"}},
        {{"to this app", "datagrams_delivered_total", NULL},
         {"to clients", "replies_sent_total", NULL}},
        {{"relayed", "datagrams_relayed_total", NULL}, {"to pods", "replies_relayed_total", NULL}},
        {{"from groups", "datagrams_received_total", "multicast"},
         {"fenced", "replies_fenced_total", NULL}},
    };

    (void)fprintf(out, "%s%-15s%10s%13s   %-15s%10s%13s%s\n", frame->colors ? COLOR_HEAD : "",
                  "REQUESTS", "PER SECOND", "TOTAL", "REPLIES", "PER SECOND", "TOTAL",
                  frame->colors ? COLOR_NONE : "");
    for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
        for (size_t side = 0; side < 2; side++) {
            (void)fprintf(out, "%-15s", cells[i][side].name);
            put_series(out, series_of(frame, cells[i][side].metric, cells[i][side].label));
            (void)fputs(side == 0 ? "   " : "\n", out);
        }
    }
}

/* ---- drops ---- */

struct drop {
    const char *what, *reason;
    struct series series;
};

static int compare_drops(const void *a, const void *b)
{
    const struct drop *left = a, *right = b;

    return (left->series.total < right->series.total) - (left->series.total > right->series.total);
}

/* Adds the drops of one metric that are not 0. */
static size_t frame_add_drops(const struct top_frame *frame, const char *what, const char *metric,
                              struct drop *drops, size_t count)
{
    const struct json_object *values = field_find(frame->now, "counters", metric);

    if (!json_object_is_type(values, json_type_object))
        return count;
    struct json_object_iterator i = json_object_iter_begin((struct json_object *)(uintptr_t)values);
    struct json_object_iterator end = json_object_iter_end(values);

    for (; !json_object_iter_equal(&i, &end); json_object_iter_next(&i)) {
        const char *reason = json_object_iter_peek_name(&i);

        if (json_object_get_uint64(json_object_iter_peek_value(&i)) && count < DROPS_MAX)
            drops[count++] = (struct drop){what, reason, series_of(frame, metric, reason)};
    }
    return count;
}

static void frame_put_drop(FILE *out, const struct drop *drop)
{
    parts_put_column(out, drop->reason, 14);
    put_series(out, drop->series);
    (void)fprintf(out, "   %s\n", drop->what);
}

static void put_drops(FILE *out, const struct top_frame *frame)
{
    struct drop drops[DROPS_MAX];
    size_t count = 0, shown;

    count = frame_add_drops(frame, "requests", "datagrams_dropped_total", drops, count);
    count = frame_add_drops(frame, "replies", "replies_dropped_total", drops, count);
    count = frame_add_drops(frame, "copies", "copies_dropped_total", drops, count);
    count =
        frame_add_drops(frame, "by the kernel, at this socket", "socket_drops_total", drops, count);
    if (count == 0)
        return;
    qsort(drops, count, sizeof(drops[0]), compare_drops);
    shown = frame->lines == SIZE_MAX || count <= DROPS_SHOWN ? count : DROPS_SHOWN - 1;
    (void)fprintf(out, "%s%-15s%10s%13s   %-38s%s\n", frame->colors ? COLOR_HEAD : "", "DROPPED",
                  "PER SECOND", "TOTAL", "OF", frame->colors ? COLOR_NONE : "");
    for (size_t i = 0; i < shown; i++)
        frame_put_drop(out, &drops[i]);
    if (shown < count)
        (void)fprintf(out, "%zu more\n", count - shown);
}

/* ---- the head ---- */

static void put_color(FILE *out, const struct top_frame *frame, const char *color)
{
    (void)fputs(frame->colors ? color : "", out);
}

static void frame_put_title(FILE *out, const struct top_frame *frame)
{
    char when[32] = "";
    struct tm tm;

    if (gmtime_r(&frame->time, &tm))
        (void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
    (void)fprintf(out, "headlessctl top   %s   ", when);
    ctl_put_printable(out, frame->where);
    (void)fprintf(out, "   every %g s%s\n", (double)frame->interval_ns / (double)NS_PER_SEC,
                  frame->lines < SIZE_MAX ? ", q quits" : "");
    if (!frame->trouble)
        return;
    put_color(out, frame, COLOR_BAD);
    (void)fprintf(out, "no reply for %" PRIu64 " s: ", frame->silent_ns / NS_PER_SEC);
    ctl_put_printable(out, frame->trouble);
    (void)fprintf(out, "; %s", frame->now ? "the data below is older" : "trying again");
    put_color(out, frame, COLOR_NONE);
    (void)fputc('\n', out);
}

/* CPU time of the process, if the pod has it. */
static void put_cpu(FILE *out, const struct top_frame *frame)
{
    double now, before;

    if (!field_try_number(field_of(frame->now, "counters"), "process_cpu_seconds_total", &now))
        return;
    (void)fprintf(out, PARTS_LABEL " %.1f s", "cpu", now);
    if (frame->before && frame->between_ns &&
        field_try_number(field_of(frame->before, "counters"), "process_cpu_seconds_total",
                         &before) &&
        now >= before)
        (void)fprintf(out, ", %.1f %% of one",
                      100 * (now - before) * (double)NS_PER_SEC / (double)frame->between_ns);
    (void)fputc('\n', out);
}

static void frame_put_head(FILE *out, const struct top_frame *frame)
{
    const struct json_object *me = field_of(frame->now, "me");
    const struct json_object *gauges = field_of(frame->now, "gauges");
    const char *ledger = field_number(gauges, "ledger_requests") ||
                                 field_number(gauges, "ledger_replies") ||
                                 field_number(gauges, "ledger_copies")
                             ? COLOR_WARN
                             : COLOR_NONE;

    (void)fprintf(out, PARTS_LABEL " ", "pod");
    parts_put_pod(out, me);
    parts_put_text(out, ", ", me, "role");
    parts_put_text(out, ", instance ", me, "instance");
    parts_put_text(out, ", cluster ", frame->now, "cluster");
    (void)fputc('\n', out);
    put_color(out, frame, field_of(frame->now, "leader") ? COLOR_GOOD : COLOR_BAD);
    parts_put_leadership(out, frame->now);
    put_color(out, frame, COLOR_NONE);
    parts_put_uptime(out, frame->now);
    put_cpu(out, frame);
    (void)fprintf(out, PARTS_LABEL " %" PRIu64 " held, %" PRIu64 " queued, %" PRIu64 " sessions\n",
                  "inside", field_number(gauges, "datagrams_held"),
                  field_number(gauges, "datagrams_queued"), field_number(gauges, "sessions"));
    put_color(out, frame, ledger);
    parts_put_ledger(out, frame->now);
    put_color(out, frame, COLOR_NONE);
}

/* ---- the frame ---- */

/* A part as malloc'd text; adds its lines to *lines. NULL: out of memory. */
static char *render(void (*put)(FILE *out, const struct top_frame *frame),
                    const struct top_frame *frame, size_t *lines)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    if (!out)
        return NULL;
    put(out, frame);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    for (const char *c = text; *c; c++)
        *lines += *c == '\n';
    return text;
}

static void put_upper(FILE *out, const struct top_frame *frame)
{
    frame_put_title(out, frame);
    if (frame->now)
        frame_put_head(out, frame);
}

static void put_lower(FILE *out, const struct top_frame *frame)
{
    if (!frame->now)
        return;
    put_rates(out, frame);
    put_drops(out, frame);
}

/* The members get the lines that the other parts leave. */
void top_put_frame(FILE *out, const struct top_frame *frame)
{
    size_t used = 0;
    char *upper = render(put_upper, frame, &used);
    char *lower = render(put_lower, frame, &used);
    size_t left = frame->lines > used ? frame->lines - used : 0;

    if (upper && lower) {
        (void)fputs(upper, out);
        if (frame->now)
            parts_put_members(out, frame->now, left > MEMBERS_MIN ? left : MEMBERS_MIN,
                              frame->colors);
        (void)fputs(lower, out);
    }
    free(upper);
    free(lower);
}
