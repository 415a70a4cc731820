/* headless-bench plot: draws files as one chart. */
#include "plot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "argument.h"

struct options {
    const char *out_text, *title_text, *kind_text;
    struct argument_files files;
    enum plot_kind kind; /* derived */
};

#define FIELD(name) offsetof(struct options, name)

static const struct argument rows[] = {
    {"out", ARGUMENT_TEXT, FIELD(out_text), 0, 0, "FILE.svg", "File for the chart"},
    {"title", ARGUMENT_TEXT, FIELD(title_text), 0, 0, "TEXT",
     "Title of the chart (default: by its kind)"},
    {"kind", ARGUMENT_TEXT, FIELD(kind_text), 0, 0, "loss|latency|time",
     "loss (against load: of search, or of send with several rates), latency (by percentile: of "
     "send and sink), time (of CSV); default: by the first file"},
};

static const char text[] =
    "Draw results of headless-bench as an SVG: JSON (--json) of search, send and sink, and the CSV "
    "(--csv) of send. Several files of one kind share a chart.";

static const char examples[] =
    "  headless-bench plot search.json --out loss.svg\n"
    "  headless-bench plot before.json after.json --kind latency --out latency.svg\n"
    "  headless-bench plot failover.csv --out failover.svg --title 'Leader killed'\n";

static const struct {
    const char *name;
    enum plot_kind kind;
} kinds[] = {{"loss", PLOT_LOSS}, {"latency", PLOT_LATENCY}, {"time", PLOT_TIME}};

static const char *plot_check_options(void *given)
{
    struct options *o = given;

    if (o->files.count == 0)
        return "name result files that --json or --csv wrote";
    if (!o->out_text)
        return "--out FILE.svg is needed: the file for the chart";
    if (!o->kind_text)
        return NULL;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(o->kind_text, kinds[i].name) == 0)
            o->kind = kinds[i].kind;
    return o->kind ? NULL : "--kind is loss, latency or time";
}

const struct argument_set plot_arguments = {.command = "plot",
                                            .text = text,
                                            .examples = examples,
                                            .rows = rows,
                                            .count = sizeof(rows) / sizeof(rows[0]),
                                            .check_fn = plot_check_options,
                                            .files = "FILE...",
                                            .files_offset = FIELD(files)};

static int plot_fail(const char *what, const char *why)
{
    (void)fprintf(stderr, BENCH_PROGRAM " plot: %s: %s\n", what, why);
    return BENCH_EXIT_INVALID;
}

static int plot_draw_files(struct plot *plot, const struct options *o)
{
    int rc;

    for (unsigned i = 0; i < o->files.count; i++) {
        const char *wrong = plot_read(plot, o->kind, o->files.names[i], o->files.count == 1);

        if (wrong)
            return plot_fail(o->files.names[i], wrong);
    }
    rc = plot_draw(plot, o->out_text);
    return rc ? plot_fail(o->out_text, strerror(-rc)) : BENCH_EXIT_OK;
}

int command_plot(int argc, char **argv)
{
    struct options options = {0};
    struct plot plot;
    int code;

    argument_parse(&plot_arguments, argc, argv, &options);
    if (options.kind == PLOT_AUTO)
        options.kind = plot_guess(options.files.names[0]);
    if (options.kind == PLOT_AUTO)
        return plot_fail(options.files.names[0],
                         "cannot be read, or is no JSON or CSV of " BENCH_PROGRAM);
    plot_init(&plot, options.kind, options.title_text);
    code = plot_draw_files(&plot, &options);
    plot_close(&plot);
    return code;
}
