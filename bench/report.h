/*
 * report: a command's counters and histograms as lines for users and as JSON for programs.
 *
 * A counter is declared once, as a row with its name, its place and its prose; both forms are made
 * from that row. Nothing here is called during a trial.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench.h"
#include "headless/base/histogram.h"

struct report_counter {
    const char *name; /* the JSON key */
    size_t offset;    /* of a uint64_t in the command's struct of counts */
    const char *prose;
    bool rare; /* printed only when it is not 0 */
};

/* clang-format off */
#define REPORT_ROW(type, name, prose, rare) {#name, offsetof(type, name), prose, rare}
/* clang-format on */

void report_print_counters(const struct report_counter *rows, size_t count, const void *counts);
void report_add_counters(struct json_object *object, const struct report_counter *rows,
                         size_t count, const void *counts);

/* Print a line of percentiles; nothing when the histogram is empty. */
void report_print_durations(const char *title, const struct histogram *h);
void report_add_durations(struct json_object *object, const char *name, const struct histogram *h);

/* The same as [percentile, value] pairs for a plot, denser towards 100 %. */
void report_add_curve(struct json_object *object, const char *name, const struct histogram *h);

/* A new object with the fields of all commands: schema, version, command. */
struct json_object *report_create(const char *command);

void report_add_text(struct json_object *object, const char *name, const char *text);
void report_add_number(struct json_object *object, const char *name, uint64_t number);
void report_add_real(struct json_object *object, const char *name, double number);
void report_add_flag(struct json_object *object, const char *name, bool flag);

/* Print the object as one line on standard output and free it. */
void report_finish(struct json_object *object);

/* Events a second; 0 where there was no time. */
double report_rate(uint64_t events, uint64_t span_ns);

#endif
