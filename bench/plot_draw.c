/* Draws series as SVG: axes and layout of each kind of chart. */
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "plot.h"

#define WIDTH        900.0
#define LEFT         90.0
#define RIGHT        30.0
#define LEGEND_TOP   42.0
#define PANEL_HEIGHT 330.0
#define PANEL_SPACE  58.0 /* for the labels below a panel */

void plot_init(struct plot *plot, enum plot_kind kind, const char *title)
{
    static const struct svg_axis load = {
        "load, datagrams a second", SVG_LINEAR, SVG_COUNT, 0, 0, NULL};
    static const struct svg_axis loss = {"lost", SVG_LOG, SVG_PERCENT, 0, 0, "none"};
    static const struct svg_axis nines = {
        "of all replies, logarithmic towards 100 %", SVG_LOG, SVG_NINES, 0, 0, NULL};
    static const struct svg_axis latency = {"latency, logarithmic", SVG_LOG, SVG_TIME, 0, 0, NULL};
    static const struct svg_axis seconds = {"time, seconds", SVG_LINEAR, SVG_PLAIN, 0, 0, NULL};
    static const struct svg_axis rate = {"datagrams a second", SVG_LINEAR, SVG_COUNT, 0, 0, NULL};

    *plot = (struct plot){.panel_count = 1};
    switch (kind) {
    case PLOT_AUTO:
    case PLOT_LOSS:
        plot->title = "Loss against load";
        plot->x = load;
        plot->y[0] = loss;
        break;
    case PLOT_LATENCY:
        plot->title = "Latency by percentile";
        plot->x = nines;
        plot->y[0] = latency;
        break;
    case PLOT_TIME:
        plot->title = "Replies and their latency over time";
        plot->x = seconds;
        plot->y[0] = rate;
        plot->y[1] = latency;
        plot->panel_count = 2;
        break;
    }
    if (title)
        plot->title = title;
}

/* Extend an axis to a value; a logarithmic one does not extend to 0. */
static void include(struct svg_axis *axis, double value)
{
    if (isnan(value) || (axis->scale == SVG_LOG && value <= 0))
        return;
    if (axis->low > axis->high)
        axis->low = axis->high = value;
    axis->low = fmin(axis->low, value);
    axis->high = fmax(axis->high, value);
}

static void start_axis(struct svg_axis *axis)
{
    axis->low = 1; /* above the high end: the axis is empty */
    axis->high = 0;
    if (axis->scale == SVG_LINEAR)
        axis->low = axis->high = 0;
}

static void fit_axis(struct svg_axis *axis)
{
    if (axis->low > axis->high) { /* no value that a logarithmic axis can show */
        axis->low = axis->unit == SVG_PERCENT ? 0.01 : 1000;
        axis->high = axis->low * 1000;
    }
    if (axis->unit == SVG_NINES) {
        axis->low = 1;
        axis->high = pow(10, ceil(log10(axis->high)));
    }
    if (axis->low_label) /* the lowest value must not coincide with "none" */
        axis->low /= 2.5;
    svg_axis_fit(axis);
}

static void fit_axes(struct plot *plot)
{
    start_axis(&plot->x);
    for (unsigned i = 0; i < plot->panel_count; i++)
        start_axis(&plot->y[i]);
    for (unsigned i = 0; i < plot->count; i++) {
        const struct plot_series *s = &plot->series[i];

        if (!s->points)
            continue; /* the file had no values */
        for (size_t k = 0; k < s->count; k++) {
            include(&plot->x, s->points[k].x);
            include(&plot->y[s->panel], s->points[k].y);
        }
    }
    fit_axis(&plot->x);
    for (unsigned i = 0; i < plot->panel_count; i++)
        fit_axis(&plot->y[i]);
}

static size_t list_entries(const struct plot *plot, struct svg_entry *entries)
{
    size_t count = 0;

    for (unsigned i = 0; i < plot->count; i++)
        entries[count++] = (struct svg_entry){.name = plot->series[i].name, .colour = i};
    if (plot->bands.count)
        entries[count++] = (struct svg_entry){.name = "no replies", .band = true};
    return count;
}

static void draw_panel(struct svg *svg, const struct plot *plot, unsigned index, double top)
{
    const struct svg_panel panel = {.left = LEFT,
                                    .top = top,
                                    .width = WIDTH - LEFT - RIGHT,
                                    .height = PANEL_HEIGHT,
                                    .x = plot->x,
                                    .y = plot->y[index]};

    for (size_t i = 0; i < plot->bands.count; i++)
        svg_band(svg, &panel, plot->bands.points[i].x, plot->bands.points[i].y);
    svg_panel(svg, &panel);
    for (unsigned i = 0; i < plot->count; i++) {
        const struct plot_series *s = &plot->series[i];

        if (s->panel == index && s->line)
            svg_line(svg, &panel, s->points, s->count, i);
        if (s->panel == index && s->dots)
            svg_dots(svg, &panel, s->points, s->count, i);
    }
}

int plot_draw(struct plot *plot, const char *path)
{
    struct svg_entry entries[PLOT_SERIES_MAX + 1];
    size_t count = list_entries(plot, entries);
    double top = LEGEND_TOP + svg_legend_height(WIDTH, entries, count) + 12;
    double height = top + plot->panel_count * (PANEL_HEIGHT + PANEL_SPACE);
    FILE *file = fopen(path, "we");
    struct svg svg;
    int rc;

    if (!file)
        return -errno;
    fit_axes(plot);
    svg_begin(&svg, file, WIDTH, height, plot->title);
    (void)svg_legend(&svg, LEGEND_TOP, entries, count);
    for (unsigned i = 0; i < plot->panel_count; i++)
        draw_panel(&svg, plot, i, top + i * (PANEL_HEIGHT + PANEL_SPACE));
    rc = svg_end(&svg);
    if (fclose(file) && !rc)
        rc = -EIO;
    return rc;
}
