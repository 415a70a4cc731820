/* The result of a search, as text and as JSON. */
#include <stdio.h>

#include "headless/base/clock.h"
#include "report.h"
#include "search.h"

static const struct {
    const char *key, *prose;
} statuses[] = {
    [MLR_FOUND] = {"found", "found"},
    [MLR_AT_MAX] = {"at_max", "at least: nothing faster could be sent"},
    [MLR_BELOW_MIN] = {"below_min", "less than --min-rate"},
    [MLR_UNFINISHED] = {"unfinished", "not found in time, approximately"},
};

static double seconds(const struct search *s)
{
    return (double)(s->now_ns - s->start_ns) / (double)NS_PER_SEC;
}

static bool search_is_limited(const struct search *s)
{
    return s->mlr.settings.max_load < s->options->max_rate;
}

static void print_goal(const struct search *s, unsigned goal)
{
    struct mlr_result r = mlr_get_result(&s->mlr, goal);
    const struct search_trial *t = r.lower ? search_find_trial(s, r.lower) : NULL;

    (void)printf("  loss %7.4f %% %12.0f/s  %s", (double)s->options->losses_millionths[goal] / 1e4,
                 r.throughput, statuses[r.status].prose);
    if (r.upper)
        (void)printf(": between %llu and %llu", (unsigned long long)r.lower,
                     (unsigned long long)r.upper);
    (void)putchar('\n');
    if (t && !s->options->send.one_way)
        (void)printf("  %-14s p50 %.1f us  p99 %.1f us\n", "  round trip", (double)t->p50_ns / 1e3,
                     (double)t->p99_ns / 1e3);
    if (t && s->sender.watch.count)
        (void)printf("  %-14s %12.0f  ns a datagram\n", "  cpu watched", t->cpu_ns);
}

void search_report_print(const struct search *s)
{
    unsigned invalid = s->trial_count - s->valid_count;

    (void)printf(BENCH_PROGRAM " search, %s, ", s->options->send.one_way ? "one way" : "echo");
    send_report_print_flows(&s->options->send);
    (void)printf("  %-14s %12u  in %.1f s", "trials", s->trial_count, seconds(s));
    if (invalid)
        (void)printf("; %u invalid: %s", invalid, "caused by the generator, not counted");
    (void)printf("\n  %-14s %12llu/s  %s\n", "fastest load",
                 (unsigned long long)s->mlr.settings.max_load,
                 search_is_limited(s) ? "limited by the generator" : "limited by --max-rate");
    for (unsigned goal = 0; goal < s->options->loss_count; goal++)
        print_goal(s, goal);
    if (s->ended)
        (void)printf("  ended early: %s\n", s->ended);
}

static void add_goal(struct json_object *goals, const struct search *s, unsigned goal)
{
    struct json_object *o = json_object_new_object();
    struct mlr_result r = mlr_get_result(&s->mlr, goal);
    const struct search_trial *t = r.lower ? search_find_trial(s, r.lower) : NULL;

    report_add_real(o, "loss_percent", (double)s->options->losses_millionths[goal] / 1e4);
    report_add_text(o, "status", statuses[r.status].key);
    report_add_real(o, "throughput", r.throughput);
    report_add_number(o, "lower", r.lower);
    report_add_number(o, "upper", r.upper);
    if (t && !s->options->send.one_way) {
        report_add_number(o, "p50_ns", t->p50_ns);
        report_add_number(o, "p99_ns", t->p99_ns);
    }
    if (t && s->sender.watch.count)
        report_add_real(o, "watched_ns_per_datagram", t->cpu_ns);
    (void)json_object_array_add(goals, o);
}

static void add_trial(struct json_object *trials, const struct search *s,
                      const struct search_trial *t)
{
    struct json_object *o = json_object_new_object();

    report_add_number(o, "load", t->load);
    report_add_real(o, "seconds", (double)t->duration_ns / (double)NS_PER_SEC);
    report_add_number(o, "sent", t->sent);
    report_add_number(o, "arrived", t->arrived);
    report_add_real(o, "loss_percent", t->loss * 100);
    report_add_text(o, "invalid", t->invalid);
    if (!s->options->send.one_way) {
        report_add_number(o, "p50_ns", t->p50_ns);
        report_add_number(o, "p99_ns", t->p99_ns);
    }
    if (s->sender.watch.count)
        report_add_real(o, "watched_ns_per_datagram", t->cpu_ns);
    (void)json_object_array_add(trials, o);
}

void search_report_json(const struct search *s)
{
    struct json_object *object = report_create("search");
    struct json_object *goals = json_object_new_array();
    struct json_object *trials = json_object_new_array();
    const struct mlr_settings *m = &s->mlr.settings;

    send_report_add_flows(object, &s->options->send);
    report_add_flag(object, "one_way", s->options->send.one_way);
    report_add_number(object, "max_rate", s->options->max_rate);
    report_add_number(object, "min_rate", s->options->min_rate);
    report_add_number(object, "trial_ns", m->trial_ns);
    report_add_number(object, "sum_ns", m->sum_ns);
    report_add_real(object, "width_percent", m->width * 100);
    report_add_number(object, "timeout_ns", s->options->send.timeout_ns);
    report_add_number(object, "generator_max", m->max_load);
    report_add_flag(object, "generator_limited", search_is_limited(s));
    report_add_flag(object, "valid", s->valid_count > 0);
    report_add_text(object, "ended", s->ended);
    report_add_real(object, "seconds", seconds(s));
    for (unsigned goal = 0; goal < s->options->loss_count; goal++)
        add_goal(goals, s, goal);
    for (unsigned i = 0; i < s->trial_count; i++)
        add_trial(trials, s, &s->trials[i]);
    (void)json_object_object_add(object, "goals", goals);
    (void)json_object_object_add(object, "trials", trials);
    report_finish(object);
}
