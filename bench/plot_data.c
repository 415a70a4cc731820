/* Reads JSON and CSV into series. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plot.h"
#include "results.h"
#include "samples.h"

static const char no_memory[] = "does not fit into memory";
static const char too_many[] = "more than 32 lines in one chart: give fewer files";

/* ---- series ---- */

static bool add_point(struct plot_series *s, double x, double y)
{
    if (s->count == s->room) {
        size_t room = s->room ? 2 * s->room : 64;
        struct svg_point *points = realloc(s->points, room * sizeof(*points));

        if (!points)
            return false;
        s->points = points;
        s->room = room;
    }
    s->points[s->count++] = (struct svg_point){x, y};
    return true;
}

/* Add a series, named by its file (without directory and suffix) and its meaning there. */
static struct plot_series *add_series(struct plot *plot, const char *path, const char *what)
{
    const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    struct plot_series *s = &plot->series[plot->count];

    if (plot->count == PLOT_SERIES_MAX)
        return NULL;
    plot->count++;
    *s = (struct plot_series){.line = true};
    (void)snprintf(s->name, sizeof(s->name), "%.*s%s%s", path[0] ? (int)strcspn(base, ".") : 0,
                   base, path[0] && what[0] ? " " : "", what);
    return s;
}

void plot_close(struct plot *plot)
{
    for (unsigned i = 0; i < plot->count; i++)
        free(plot->series[i].points);
    free(plot->bands.points);
    plot->bands.points = NULL;
    plot->count = 0;
}

/* ---- loss against load ---- */

static int compare_points(const void *a, const void *b)
{
    const struct svg_point *p = a;
    const struct svg_point *q = b;

    return (p->x > q->x) - (p->x < q->x);
}

/* A vertical line at each throughput that was found. */
static const char *add_goals(struct plot *plot, const char *path, struct json_object *object)
{
    struct json_object *goals;

    if (!json_object_object_get_ex(object, "goals", &goals) ||
        !json_object_is_type(goals, json_type_array))
        return NULL;
    for (size_t i = 0; i < json_object_array_length(goals); i++) {
        struct json_object *goal = json_object_array_get_idx(goals, i);
        double throughput = results_number(goal, "throughput");
        struct plot_series *s;
        char what[64];

        (void)snprintf(what, sizeof(what), "%.0f/s at %g %%", throughput,
                       results_number(goal, "loss_percent"));
        s = add_series(plot, path, what);
        if (!s)
            return too_many;
        if (!add_point(s, throughput, 0) || !add_point(s, throughput, 100))
            return no_memory;
    }
    return NULL;
}

static const char *add_trials(struct plot *plot, const char *path, struct json_object *object)
{
    struct plot_series *s = add_series(plot, path, "trials");
    struct json_object *trials;

    if (!s)
        return too_many;
    s->line = false;
    s->dots = true;
    if (!json_object_object_get_ex(object, "trials", &trials) ||
        !json_object_is_type(trials, json_type_array))
        return "has no trials";
    for (size_t i = 0; i < json_object_array_length(trials); i++) {
        struct json_object *t = json_object_array_get_idx(trials, i);

        if (results_text(t, "invalid")[0] == '\0' &&
            !add_point(s, results_number(t, "load"), results_number(t, "loss_percent")))
            return no_memory;
    }
    return add_goals(plot, path, object);
}

static const char *add_steps(struct plot *plot, const char *path, const struct results *r)
{
    struct plot_series *s = add_series(plot, path, "");

    if (!s)
        return too_many;
    s->dots = true;
    for (size_t i = 0; i < r->count; i++) {
        double sent = results_number(r->objects[i], "counts.sent");
        double answered = results_number(r->objects[i], "counts.answered");

        if (!add_point(s, results_number(r->objects[i], "rate"), 100 * (1 - answered / sent)))
            return no_memory;
    }
    qsort(s->points, s->count, sizeof(*s->points), compare_points);
    return NULL;
}

static const char *read_loss(struct plot *plot, const char *path, const struct results *r)
{
    if (strcmp(results_text(r->objects[0], "command"), "search") == 0)
        return add_trials(plot, path, r->objects[0]);
    if (isnan(results_number(r->objects[0], "rate")))
        return "has no load: it must be of search, or of send with --rate";
    return add_steps(plot, path, r);
}

/* ---- latency by percentile ---- */

static const char *add_curve(struct plot *plot, const char *path, struct json_object *object,
                             bool several)
{
    struct plot_series *s;
    struct json_object *curve;
    char what[32] = "";

    if (!json_object_object_get_ex(object, "round_trip_curve", &curve) &&
        !json_object_object_get_ex(object, "one_way_curve", &curve))
        return "has no latencies: it must be of send or sink with --json";
    if (several)
        (void)snprintf(what, sizeof(what), "%.0f/s", results_number(object, "rate"));
    s = add_series(plot, path, what);
    if (!s)
        return too_many;
    for (size_t i = 0; i < json_object_array_length(curve); i++) {
        struct json_object *point = json_object_array_get_idx(curve, i);
        double percent = json_object_get_double(json_object_array_get_idx(point, 0));
        double ns = json_object_get_double(json_object_array_get_idx(point, 1));

        if (percent < 100 && !add_point(s, 100 / (100 - percent), ns))
            return no_memory;
    }
    return NULL;
}

static const char *read_latency(struct plot *plot, const char *path, const struct results *r)
{
    const char *wrong = NULL;

    for (size_t i = 0; i < r->count && !wrong; i++)
        wrong = add_curve(plot, path, r->objects[i], r->count > 1);
    return wrong;
}

/* ---- over time ---- */

enum { TIME, SENT, ANSWERED, MISSING, P50, P99, MAX, COLUMNS };

struct column {
    const char *name;
    unsigned panel, column;
    bool alone; /* only if one file is drawn */
};
static const struct column columns[] = {
    {"sent", 0, SENT, true}, {"answered", 0, ANSWERED, false},
    {"p50", 1, P50, true},   {"p99", 1, P99, false},
    {"max", 1, MAX, true},
};
#define COLUMN_COUNT (sizeof(columns) / sizeof(columns[0]))

/* A row of numbers; empty ones are NaN. */
static bool parse_row(const char *line, double ret_row[static COLUMNS])
{
    for (unsigned i = 0; i < COLUMNS; i++) {
        char *end;

        ret_row[i] = strtod(line, &end);
        if (end == line)
            ret_row[i] = NAN;
        if (*end != (i + 1 < COLUMNS ? ',' : '\n'))
            return false;
        line = end + 1;
    }
    return !isnan(ret_row[TIME]) && !isnan(ret_row[SENT]) && !isnan(ret_row[ANSWERED]);
}

/* Merge adjacent bands: between two of them a hairline would be visible. */
static bool add_band(struct plot_series *bands, double from, double to)
{
    if (bands->count && bands->points[bands->count - 1].y == from) {
        bands->points[bands->count - 1].y = to;
        return true;
    }
    return add_point(bands, from, to);
}

static const char *add_row(struct plot *plot, struct plot_series **series, const double *row,
                           double before_s)
{
    double width_s = row[TIME] - before_s;
    bool idle = row[SENT] == 0 && row[ANSWERED] == 0; /* the sender waits for the last replies */

    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        double value = row[columns[i].column];

        if (columns[i].panel == 0)
            value = width_s > 0 ? value / width_s : NAN;
        if (series[i] && !add_point(series[i], idle ? NAN : row[TIME], value))
            return no_memory;
    }
    if (row[SENT] > 0 && row[ANSWERED] == 0 && !add_band(&plot->bands, before_s, row[TIME]))
        return no_memory;
    return NULL;
}

static const char *read_rows(struct plot *plot, FILE *file, struct plot_series **series)
{
    const char *wrong = NULL;
    size_t bands = plot->bands.count;
    double before_s = 0;
    bool answered = false;
    char line[256];

    if (!fgets(line, sizeof(line), file) || strcmp(line, SAMPLES_CSV_HEADER "\n") != 0)
        return "is no CSV of send: its first line must be " SAMPLES_CSV_HEADER;
    while (!wrong && fgets(line, sizeof(line), file)) {
        double row[COLUMNS];

        if (!parse_row(line, row))
            return "has a line that is no row of seven numbers";
        wrong = add_row(plot, series, row, before_s);
        before_s = row[TIME];
        answered = answered || row[ANSWERED] > 0;
    }
    if (!answered)
        plot->bands.count = bands; /* one way: no reply was expected */
    return wrong;
}

static const char *read_time(struct plot *plot, const char *path, bool alone)
{
    struct plot_series *series[COLUMN_COUNT] = {NULL};
    const char *wrong;
    FILE *file;

    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        if (columns[i].alone && !alone)
            continue;
        series[i] = add_series(plot, alone ? "" : path, columns[i].name);
        if (!series[i])
            return too_many;
        series[i]->panel = columns[i].panel;
    }
    file = fopen(path, "re");
    if (!file)
        return strerror(errno);
    wrong = read_rows(plot, file, series);
    (void)fclose(file);
    return wrong;
}

/* ---- files ---- */

enum plot_kind plot_guess(const char *path)
{
    enum plot_kind kind = PLOT_LATENCY;
    char start[sizeof(SAMPLES_CSV_HEADER)] = "";
    FILE *file = fopen(path, "re");
    struct results r;

    if (!file)
        return PLOT_AUTO;
    (void)!fgets(start, sizeof(start), file);
    (void)fclose(file);
    if (strcmp(start, SAMPLES_CSV_HEADER) == 0)
        return PLOT_TIME;
    if (results_read(path, &r))
        return PLOT_AUTO;
    if (r.count > 1 || strcmp(results_text(r.objects[0], "command"), "search") == 0)
        kind = PLOT_LOSS;
    results_close(&r);
    return kind;
}

const char *plot_read(struct plot *plot, enum plot_kind kind, const char *path, bool alone)
{
    const char *wrong;
    struct results r;

    if (kind == PLOT_TIME)
        return read_time(plot, path, alone);
    wrong = results_read(path, &r);
    if (wrong)
        return wrong;
    wrong = kind == PLOT_LOSS ? read_loss(plot, path, &r) : read_latency(plot, path, &r);
    results_close(&r);
    return wrong;
}
