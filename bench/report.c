#include "report.h"

#include <stdio.h>
#include <string.h>

#include "headless/base/clock.h"

static const struct {
    const char *key, *title;
    double percent;
} percentiles[] = {
    {"p50", "p50", 50},       {"p90", "p90", 90},          {"p99", "p99", 99},
    {"p99_9", "p99.9", 99.9}, {"p99_99", "p99.99", 99.99},
};

#define PERCENTILE_COUNT (sizeof(percentiles) / sizeof(percentiles[0]))

static uint64_t counter_value(const struct report_counter *row, const void *counts)
{
    uint64_t value;

    memcpy(&value, (const char *)counts + row->offset, sizeof(value));
    return value;
}

void report_print_counters(const struct report_counter *rows, size_t count, const void *counts)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value = counter_value(&rows[i], counts);

        if (value || !rows[i].rare)
            (void)printf("  %-14s %14llu  %s\n", rows[i].name, (unsigned long long)value,
                         rows[i].prose);
    }
}

void report_add_counters(struct json_object *object, const struct report_counter *rows,
                         size_t count, const void *counts)
{
    for (size_t i = 0; i < count; i++)
        report_add_number(object, rows[i].name, counter_value(&rows[i], counts));
}

/* Four digits with a fitting unit: "0.512 ms" is harder to compare than "512.0 us". */
static void print_duration(const char *title, double ns)
{
    const char *unit = "ns";

    if (ns >= 1e9) {
        ns /= 1e9;
        unit = "s";
    } else if (ns >= 1e6) {
        ns /= 1e6;
        unit = "ms";
    } else if (ns >= 1e3) {
        ns /= 1e3;
        unit = "us";
    }
    (void)printf("  %s %.*f %s", title, ns < 100 ? 2 : 0, ns, unit);
}

void report_print_durations(const char *title, const struct histogram *h)
{
    if (h->count == 0)
        return;
    (void)printf("  %-14s", title);
    print_duration("min", (double)histogram_min(h));
    print_duration("mean", histogram_mean(h));
    for (size_t i = 0; i < PERCENTILE_COUNT; i++)
        print_duration(percentiles[i].title,
                       (double)histogram_percentile(h, percentiles[i].percent));
    print_duration("max", (double)h->max);
    (void)putchar('\n');
}

void report_add_durations(struct json_object *object, const char *name, const struct histogram *h)
{
    struct json_object *o = json_object_new_object();

    report_add_number(o, "count", h->count);
    report_add_number(o, "min", histogram_min(h));
    report_add_real(o, "mean", histogram_mean(h));
    for (size_t i = 0; i < PERCENTILE_COUNT; i++)
        report_add_number(o, percentiles[i].key, histogram_percentile(h, percentiles[i].percent));
    report_add_number(o, "max", h->max);
    (void)json_object_object_add(object, name, o);
}

/* Five steps each time the distance to 100 % halves. */
void report_add_curve(struct json_object *object, const char *name, const struct histogram *h)
{
    struct json_object *curve = json_object_new_array();
    double rest = 1;
    double step = 0.1; /* fraction of the distance */

    for (unsigned i = 1; h->count && rest * (double)h->count >= 1; i++) {
        struct json_object *point = json_object_new_array();
        double percent = 100 * (1 - rest);
        char text[32];

        (void)snprintf(text, sizeof(text), "%.6f", percent);
        (void)json_object_array_add(point, json_object_new_double_s(percent, text));
        (void)json_object_array_add(point,
                                    json_object_new_uint64(histogram_percentile(h, percent)));
        (void)json_object_array_add(curve, point);
        rest -= step;
        if (i % 5 == 0)
            step /= 2;
    }
    (void)json_object_object_add(object, name, curve);
}

struct json_object *report_create(const char *command)
{
    struct json_object *object = json_object_new_object();

    report_add_text(object, "schema", BENCH_SCHEMA);
    report_add_text(object, "version", HEADLESS_VERSION);
    report_add_text(object, "command", command);
    return object;
}

void report_add_text(struct json_object *object, const char *name, const char *text)
{
    (void)json_object_object_add(object, name, text ? json_object_new_string(text) : NULL);
}

void report_add_number(struct json_object *object, const char *name, uint64_t number)
{
    (void)json_object_object_add(object, name, json_object_new_uint64(number));
}

void report_add_real(struct json_object *object, const char *name, double number)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "%.3f", number); /* json-c would print 17 digits */
    (void)json_object_object_add(object, name, json_object_new_double_s(number, text));
}

void report_add_flag(struct json_object *object, const char *name, bool flag)
{
    (void)json_object_object_add(object, name, json_object_new_boolean(flag));
}

void report_finish(struct json_object *object)
{
    (void)puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_NOSLASHESCAPE));
    (void)json_object_put(object);
}

double report_rate(uint64_t events, uint64_t span_ns)
{
    return span_ns ? (double)events * (double)NS_PER_SEC / (double)span_ns : 0;
}
