/* headless-bench compare: options, files, report. */
#include "compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "argument.h"
#include "report.h"

struct options {
    const char *a_text, *b_text, *regression_text;
    bool json;
    struct argument_files files;
    double allowed; /* derived; negative: no limit */
};

#define FIELD(name) offsetof(struct options, name)

static const struct argument rows[] = {
    {"a", ARGUMENT_TEXT, FIELD(a_text), 0, 0, "FILE[,FILE...]",
     "Results before the change, instead of the first file"},
    {"b", ARGUMENT_TEXT, FIELD(b_text), 0, 0, "FILE[,FILE...]",
     "Results after the change, as many and in the same order, instead of the second file"},
    {"max-regression", ARGUMENT_TEXT, FIELD(regression_text), 0, 0, "PERCENT",
     "Exit 1 if the median of a metric is worse by more than this and significantly so; as 5%"},
    {"json", ARGUMENT_FLAG, FIELD(json), 0, 0, NULL, "One JSON object on standard output"},
};

static const char text[] =
    "Compare results (--json) of send, sink or search: throughput, CPU time and latency of B as a "
    "ratio of A's, pair by pair, with the median and its 95 % interval. Measure A and B in turn, "
    "at least five times each: one pair cannot be told from chance.";

static const char examples[] = "  headless-bench compare before.json after.json\n"
                               "  headless-bench compare --a a1.json,a2.json,a3.json \\\n"
                               "      --b b1.json,b2.json,b3.json --max-regression 5%\n";

static const char *compare_check_options(void *given)
{
    struct options *o = given;
    uint64_t millionths;

    o->allowed = -1;
    if (o->regression_text) {
        if (argument_parse_value(ARGUMENT_PERCENT, o->regression_text, &millionths))
            return "--max-regression must be a percentage such as 5%";
        o->allowed = (double)millionths / 1e6;
    }
    if (!o->a_text && !o->b_text && o->files.count == 2) {
        o->a_text = o->files.names[0];
        o->b_text = o->files.names[1];
    } else if (!o->a_text || !o->b_text || o->files.count) {
        return "name two files, or --a FILE,... and --b FILE,...";
    }
    return NULL;
}

const struct argument_set compare_arguments = {.command = "compare",
                                               .text = text,
                                               .examples = examples,
                                               .rows = rows,
                                               .count = sizeof(rows) / sizeof(rows[0]),
                                               .check_fn = compare_check_options,
                                               .files = "[FILE FILE]",
                                               .files_offset = FIELD(files)};

static int compare_fail(const char *what, const char *why)
{
    (void)fprintf(stderr, BENCH_PROGRAM " compare: %s: %s\n", what, why);
    return BENCH_EXIT_INVALID;
}

/* ---- reading ---- */

static int read_file(struct compare_side *side, const char *path)
{
    struct results r;
    const char *wrong = results_read(path, &r);

    if (wrong)
        return compare_fail(path, wrong);
    for (size_t i = 0; i < r.count; i++) {
        if (side->count < STATS_MAX)
            side->objects[side->count++] = json_object_get(r.objects[i]);
        else
            wrong = "too many results: 256 a side";
    }
    results_close(&r);
    return wrong ? compare_fail(path, wrong) : BENCH_EXIT_OK;
}

static int read_side(struct compare_side *side, const char *list)
{
    int code = BENCH_EXIT_OK;

    while (!code) {
        size_t length = strcspn(list, ",");
        char path[4096];

        (void)snprintf(path, sizeof(path), "%.*s", (int)length, list);
        code = read_file(side, path);
        if (list[length] == '\0')
            break;
        list += length + 1;
    }
    return code;
}

static void close_side(struct compare_side *side)
{
    for (size_t i = 0; i < side->count; i++)
        (void)json_object_put(side->objects[i]);
}

/* ---- report ---- */

static const struct {
    const char *key, *prose;
} verdicts[] = {
    [COMPARE_SAME] = {"same", "no difference shown"},
    [COMPARE_BETTER] = {"better", "better"},
    [COMPARE_WORSE] = {"worse", "worse"},
    [COMPARE_REGRESSION] = {"regression", "REGRESSION"},
};

static void compare_print(const struct compare_metric *metrics, size_t count, size_t pairs)
{
    (void)printf(BENCH_PROGRAM " compare: %zu pair%s\n", pairs, pairs == 1 ? "" : "s");
    (void)printf("  %-30s %13s %13s %7s  %s\n", "medians", "A", "B", "B / A", "95 % interval");
    for (size_t i = 0; i < count; i++) {
        const struct compare_metric *m = &metrics[i];

        (void)printf("  %-30s %13.0f %13.0f %7.3f", m->name, m->a_median, m->b_median, m->ratio);
        if (m->count > 1)
            (void)printf("  %.3f to %.3f  %s\n", m->low, m->high, verdicts[m->verdict].prose);
        else
            (void)printf("  none, one pair   %s%s\n", verdicts[m->verdict].prose,
                         m->verdict == COMPARE_SAME ? "" : ", may be chance");
    }
}

static void compare_print_json(const struct compare_metric *metrics, size_t count, size_t pairs,
                               bool regressed)
{
    struct json_object *object = report_create("compare");
    struct json_object *list = json_object_new_array();

    report_add_number(object, "pairs", pairs);
    report_add_flag(object, "regression", regressed);
    for (size_t i = 0; i < count; i++) {
        const struct compare_metric *m = &metrics[i];
        struct json_object *o = json_object_new_object();

        report_add_text(o, "metric", m->name);
        report_add_number(o, "pairs", m->count);
        report_add_flag(o, "more_is_better", m->more_is_better);
        report_add_real(o, "a", m->a_median);
        report_add_real(o, "b", m->b_median);
        report_add_real(o, "ratio", m->ratio);
        report_add_real(o, "low", m->low);
        report_add_real(o, "high", m->high);
        report_add_text(o, "verdict", verdicts[m->verdict].key);
        (void)json_object_array_add(list, o);
    }
    (void)json_object_object_add(object, "metrics", list);
    report_finish(object);
}

static int compare_sides(const struct compare_side *a, const struct compare_side *b,
                         const struct options *o)
{
    static struct compare_metric metrics[COMPARE_METRICS_MAX];
    const char *wrong;
    size_t count = compare_metrics(a, b, metrics, &wrong);
    bool regressed = false;

    if (wrong)
        return compare_fail("cannot be compared", wrong);
    for (size_t i = 0; i < count; i++) {
        compare_judge(&metrics[i], o->allowed);
        regressed = regressed || metrics[i].verdict == COMPARE_REGRESSION;
    }
    if (o->json)
        compare_print_json(metrics, count, a->count, regressed);
    else
        compare_print(metrics, count, a->count);
    return regressed ? BENCH_EXIT_LOSSES : BENCH_EXIT_OK;
}

int command_compare(int argc, char **argv)
{
    static struct compare_side a;
    static struct compare_side b;
    struct options options = {0};
    int code;

    argument_parse(&compare_arguments, argc, argv, &options);
    code = read_side(&a, options.a_text);
    if (!code)
        code = read_side(&b, options.b_text);
    if (!code)
        code = compare_sides(&a, &b, &options);
    close_side(&a);
    close_side(&b);
    return code;
}
