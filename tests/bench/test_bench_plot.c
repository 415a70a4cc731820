/* SVG is well formed, axes end in round numbers, files are checked before they are drawn. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plot.h"
#include "results.h"

TestSuite(svg, .timeout = 60);
TestSuite(plot, .timeout = 60);
TestSuite(results, .timeout = 60);

/* ---- a checker: are tags closed in order, attributes quoted, ampersands entities? ---- */

struct xml {
    const char *at;
    char open[16][32];
    unsigned depth;
};

static bool is_well_formed(const char *text)
{
    struct xml x = {.at = text};
    bool rooted = false;

    while (*x.at) {
        char name[32] = "";
        size_t length;
        const char *end;

        if (*x.at == '&' && strncmp(x.at, "&lt;", 4) != 0 && strncmp(x.at, "&gt;", 4) != 0 &&
            strncmp(x.at, "&amp;", 5) != 0)
            return false;
        if (*x.at++ != '<')
            continue;
        if (*x.at == '?')
            continue;
        end = strchr(x.at, '>');
        length = strcspn(x.at + (*x.at == '/'), " />");
        if (!end || length == 0 || length >= sizeof(name))
            return false;
        memcpy(name, x.at + (*x.at == '/'), length);
        if (*x.at == '/') {
            if (x.depth == 0 || strcmp(x.open[--x.depth], name) != 0)
                return false;
        } else {
            unsigned quotes = 0;

            for (const char *c = x.at; c < end; c++)
                quotes += *c == '"';
            if (quotes % 2 || (x.depth == 0 && rooted) || x.depth == 16)
                return false;
            rooted = true;
            if (end[-1] != '/')
                memcpy(x.open[x.depth++], name, sizeof(name));
        }
        x.at = end + 1;
    }
    return rooted && x.depth == 0;
}

Test(svg, checker_refuses_malformed_xml)
{
    cr_assert(is_well_formed("<a b=\"1\"><c/>x &lt; y</a>"));
    cr_assert_not(is_well_formed("<a><b></a></b>"));
    cr_assert_not(is_well_formed("<a>"));
    cr_assert_not(is_well_formed("<a b=\"1></a>"));
    cr_assert_not(is_well_formed("<a>x & y</a>"));
    cr_assert_not(is_well_formed("<a/><a/>"));
}

Test(svg, chart_with_all_elements_is_well_formed)
{
    const struct svg_point points[] = {{0, 0}, {1, 10}, {NAN, NAN}, {2, 1e9}, {-5, NAN}};
    const struct svg_entry entries[] = {{"a <b> & \"c\" \x01", 0, false}, {"band", 1, true}};
    const struct svg_panel panel = {90,
                                    50,
                                    500,
                                    300,
                                    {"x <", SVG_LINEAR, SVG_COUNT, 0, 10, NULL},
                                    {"y &", SVG_LOG, SVG_TIME, 1, 1e6, "none"}};
    struct svg svg;
    char *text;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    svg_begin(&svg, file, 600, 400, "<title> & more");
    cr_assert_gt(svg_legend(&svg, 30, entries, 2), 30);
    svg_band(&svg, &panel, 1, 2);
    svg_panel(&svg, &panel);
    svg_line(&svg, &panel, points, 5, 0);
    svg_dots(&svg, &panel, points, 5, 99);
    svg_line(&svg, &panel, points, 0, 1);
    cr_assert_eq(svg_end(&svg), 0);
    (void)fclose(file);
    cr_assert(is_well_formed(text), "%s", text);
    cr_assert_not_null(strstr(text, "&lt;title&gt; &amp; more"));
    cr_assert_not_null(strstr(text, "a &lt;b&gt; &amp; \"c\" ?"));
    cr_assert_null(strstr(text, "nan"));
    cr_assert_null(strstr(text, "inf"));
    free(text);
}

/* Counts the ticks of an axis: the grid lines of an empty panel. */
static unsigned count_ticks(const struct svg_axis *x)
{
    struct svg_panel panel = {.width = 500, .height = 300, .x = *x, .y = *x};
    unsigned lines = 0;
    struct svg svg;
    char *text;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    panel.x.label = panel.y.label = "";
    svg_begin(&svg, file, 600, 400, "");
    svg_panel(&svg, &panel);
    cr_assert_eq(svg_end(&svg), 0);
    (void)fclose(file);
    for (const char *at = text; (at = strstr(at, "<line")) != NULL; at++)
        lines++;
    free(text);
    return lines / 2;
}

Test(svg, axes_end_in_round_numbers_and_have_a_few_ticks)
{
    for (double low = 0.0001; low < 1e9; low *= 2.7) {
        for (double span = 1.0; span < 1e6; span *= 3.1) {
            struct svg_axis log_axis = {"", SVG_LOG, SVG_TIME, low, low * span, NULL};
            struct svg_axis linear = {"", SVG_LINEAR, SVG_COUNT, 0, low * span, NULL};

            svg_axis_fit(&log_axis);
            svg_axis_fit(&linear);
            cr_assert(log_axis.low <= low * 1.000001 && log_axis.high >= low * span * 0.999999);
            cr_assert_geq(linear.high, low * span * 0.999999);
            cr_assert(count_ticks(&log_axis) >= 2 && count_ticks(&log_axis) <= 14,
                      "%g to %g: %u ticks", low, low * span, count_ticks(&log_axis));
            cr_assert(count_ticks(&linear) >= 4 && count_ticks(&linear) <= 9, "to %g: %u ticks",
                      low * span, count_ticks(&linear));
        }
    }
}

/* ---- files ---- */

static char path[] = "/tmp/headless-bench-test-XXXXXX";
static char chart[] = "/tmp/headless-bench-test-XXXXXX";

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");

    cr_assert_not_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

static void setup(void)
{
    int fd = mkstemp(path);

    cr_assert_geq(fd, 0);
    (void)close(fd);
    fd = mkstemp(chart);
    cr_assert_geq(fd, 0);
    (void)close(fd);
}

static void teardown(void)
{
    (void)unlink(path);
    (void)unlink(chart);
}

static char *draw(enum plot_kind kind, const char **ret_wrong)
{
    static char text[1 << 20];
    struct plot plot;
    FILE *file;

    plot_init(&plot, kind, NULL);
    *ret_wrong = plot_read(&plot, kind, path, true);
    if (!*ret_wrong)
        cr_assert_eq(plot_draw(&plot, chart), 0);
    plot_close(&plot);
    file = fopen(chart, "r");
    cr_assert_not_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    (void)fclose(file);
    return text;
}

#define CSV    "time_s,sent,answered,missing,p50_ns,p99_ns,max_ns\n"
#define SCHEMA "\"schema\":\"headless-bench/1\","

Test(plot, csv_chart_shades_intervals_without_replies, .init = setup, .fini = teardown)
{
    const char *wrong;
    const char *text;

    write_file(CSV "0.1,10,10,0,1000,2000,3000\n0.2,10,0,10,,,\n0.3,10,0,20,,,\n"
                   "0.4,10,10,20,1000,2000,3000\n0.5,0,0,20,,,\n");
    cr_assert_eq(plot_guess(path), PLOT_TIME);
    text = draw(PLOT_TIME, &wrong);
    cr_assert_null(wrong);
    cr_assert(is_well_formed(text));
    cr_assert_not_null(strstr(text, "no replies"));
}

Test(plot, search_chart_shows_trials_and_goals, .init = setup, .fini = teardown)
{
    const char *wrong;
    const char *text;

    write_file("{" SCHEMA "\"command\":\"search\",\"trials\":[{\"load\":1000,\"loss_percent\":0,"
               "\"invalid\":null},{\"load\":2000,\"loss_percent\":7,\"invalid\":\"late\"}],"
               "\"goals\":[{\"loss_percent\":0.5,\"throughput\":1000}]}");
    cr_assert_eq(plot_guess(path), PLOT_LOSS);
    text = draw(PLOT_LOSS, &wrong);
    cr_assert_null(wrong);
    cr_assert(is_well_formed(text));
    cr_assert_not_null(strstr(text, "1000/s at 0.5 %"));
    cr_assert_not_null(strstr(text, "<circle"));
    cr_assert_null(strstr(strstr(text, "<circle") + 1, "<circle"), "invalid trials are not shown");
}

Test(plot, unsuitable_files_are_refused_with_the_reason, .init = setup, .fini = teardown)
{
    static const char *const wrong_csv[] = {"", "a,b\n", CSV "1,2\n", CSV "x,1,1,1,1,1,1\n",
                                            CSV "1,1,1,1,1,1,1,1\n"};
    static const char *const wrong_json[] = {
        "", "{", "[]", "{}", "{\"schema\":\"other\"}", "{" SCHEMA "\"command\":\"send\"}",
    };
    const char *wrong;

    for (size_t i = 0; i < sizeof(wrong_csv) / sizeof(wrong_csv[0]); i++) {
        write_file(wrong_csv[i]);
        (void)draw(PLOT_TIME, &wrong);
        cr_assert_not_null(wrong, "%s", wrong_csv[i]);
    }
    for (size_t i = 0; i < sizeof(wrong_json) / sizeof(wrong_json[0]); i++) {
        write_file(wrong_json[i]);
        (void)draw(PLOT_LATENCY, &wrong);
        cr_assert_not_null(wrong, "%s", wrong_json[i]);
        (void)draw(PLOT_LOSS, &wrong);
        cr_assert_not_null(wrong, "%s", wrong_json[i]);
    }
}

Test(results, file_of_several_objects_is_read_and_numbers_found_by_path, .init = setup,
     .fini = teardown)
{
    struct results r;

    write_file("{" SCHEMA "\"a\":{\"b\":{\"c\":7.5}},\"t\":\"x\"}\n\n{" SCHEMA "\"a\":1}\n");
    cr_assert_null(results_read(path, &r));
    cr_assert_eq(r.count, 2);
    cr_assert_float_eq(results_number(r.objects[0], "a.b.c"), 7.5, 1e-9);
    cr_assert(isnan(results_number(r.objects[0], "a.b.d")));
    cr_assert(isnan(results_number(r.objects[0], "a.b")));
    cr_assert(isnan(results_number(r.objects[1], "a.b.c")));
    cr_assert(isnan(results_number(r.objects[0], "t")));
    cr_assert_str_eq(results_text(r.objects[0], "t"), "x");
    cr_assert_str_eq(results_text(r.objects[0], "a"), "");
    results_close(&r);
    cr_assert_not_null(results_read("/nowhere/x", &r));
}
