/*
 * plot: a chart of results: reads them into series, then draws these.
 *
 *   plot.c  the command     plot_data.c  JSON and CSV into series     plot_draw.c  series into SVG
 *
 * Owner: one thread. Reading allocates; plot_close frees all of it.
 */
#ifndef BENCH_PLOT_H
#define BENCH_PLOT_H

#include <stdbool.h>
#include <stddef.h>

#include "bench.h"
#include "svg.h"

#define PLOT_SERIES_MAX 32
#define PLOT_PANELS_MAX 2
#define PLOT_NAME_MAX   96

enum plot_kind { PLOT_AUTO, PLOT_LOSS, PLOT_LATENCY, PLOT_TIME };

struct plot_series {
    char name[PLOT_NAME_MAX];
    unsigned panel;
    bool line, dots;
    struct svg_point *points;
    size_t count, room;
};

struct plot {
    const char *title;
    unsigned panel_count;
    struct svg_axis x, y[PLOT_PANELS_MAX]; /* low and high are computed from the series */
    struct plot_series series[PLOT_SERIES_MAX];
    unsigned count;
    struct plot_series bands; /* x: from, y: to */
};

/* The kind of chart for a file; PLOT_AUTO when it is not of headless-bench. */
enum plot_kind plot_guess(const char *path);

void plot_init(struct plot *plot, enum plot_kind kind, const char *title);
void plot_close(struct plot *plot);

/*
 * Add the series of a file; alone: it is the only file, which gets more series. Returns NULL or
 * the error.
 */
const char *plot_read(struct plot *plot, enum plot_kind kind, const char *path,
                      bool alone) BENCH_MUST_USE;

/* Write the chart. Returns 0 or a negative errno. */
int plot_draw(struct plot *plot, const char *path) BENCH_MUST_USE;

#endif
