/*
 * svg: charts as SVG: panels with axes, and lines, dots and bands in them.
 *
 * A chart is written from top to bottom: begin, legend, panel, its content, the next panel, end.
 * Points are in the units of the axes; a panel clips at its frame, and a point that is NaN breaks a
 * line. On a logarithmic axis values below the low end (such as 0) are drawn at it: give that end a
 * label. Texts are escaped. The background is white; the 8 colours are distinguishable for the
 * colour-blind (Okabe and Ito's).
 *
 * Owner: one thread. Writes to a stdio stream; svg_end returns whether all of it was written.
 */
#ifndef BENCH_SVG_H
#define BENCH_SVG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "bench.h"

enum svg_scale { SVG_LINEAR, SVG_LOG };

/* The format of an axis' numbers. */
enum svg_unit {
    SVG_PLAIN,
    SVG_COUNT,   /* 20k, 1.5M */
    SVG_TIME,    /* of ns: 20 us, 1.5 ms */
    SVG_PERCENT, /* 0.5 % */
    SVG_NINES,   /* of 1 / (1 - p): 0 %, 90 %, 99 %, 99.9 % */
};

struct svg_axis {
    const char *label;
    enum svg_scale scale;
    enum svg_unit unit;
    double low, high;
    const char *low_label; /* instead of the number there; NULL: none */
};

struct svg_point {
    double x, y;
};

struct svg_panel {
    double left, top, width, height; /* of the frame; labels are outside */
    struct svg_axis x, y;
};

struct svg {
    FILE *file;
    double width;
    unsigned panels;
};

struct svg_entry {
    const char *name;
    unsigned colour;
    bool band; /* the colour of svg_band */
};

/* Widen low and high to round numbers. On a logarithmic axis both must be above 0. */
void svg_axis_fit(struct svg_axis *axis);

void svg_begin(struct svg *svg, FILE *file, double width, double height, const char *title);

/* Returns the y coordinate below it. */
double svg_legend(struct svg *svg, double top, const struct svg_entry *entries, size_t count);

/* The height that it needs. */
double svg_legend_height(double width, const struct svg_entry *entries, size_t count);

void svg_panel(struct svg *svg, const struct svg_panel *panel);
void svg_line(struct svg *svg, const struct svg_panel *panel, const struct svg_point *points,
              size_t count, unsigned colour);
void svg_dots(struct svg *svg, const struct svg_panel *panel, const struct svg_point *points,
              size_t count, unsigned colour);

/* A shaded range of the x axis. */
void svg_band(struct svg *svg, const struct svg_panel *panel, double from, double to);

/* Returns 0, or -EIO when the stream failed. The caller closes it. */
int svg_end(struct svg *svg) BENCH_MUST_USE;

#endif
