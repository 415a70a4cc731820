/* The compared metrics: their paths in results, and the statistics of two sets of them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compare.h"

/* The metric's path per command; NULL: the command has none. search: in each of its goals. */
static const struct {
    const char *name;
    bool more_is_better;
    const char *send, *sink, *goal;
} rows[] = {
    {"throughput, 1/s", true, "answered_per_second", "received_per_second", "throughput"},
    {"CPU watched, ns", false, "cpu.watched_ns_per_datagram", "cpu.watched_ns_per_datagram",
     "watched_ns_per_datagram"},
    {"CPU machine, ns", false, "cpu.machine_ns_per_datagram", "cpu.machine_ns_per_datagram", NULL},
    {"p50, ns", false, "round_trip_ns.p50", "one_way_ns.p50", "p50_ns"},
    {"p99, ns", false, "round_trip_ns.p99", "one_way_ns.p99", "p99_ns"},
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static size_t goal_count(struct json_object *object)
{
    struct json_object *goals;

    if (!json_object_object_get_ex(object, "goals", &goals) ||
        !json_object_is_type(goals, json_type_array))
        return 0;
    return json_object_array_length(goals);
}

static struct json_object *compare_get_goal(struct json_object *object, size_t goal)
{
    struct json_object *goals;

    if (goal >= goal_count(object) || !json_object_object_get_ex(object, "goals", &goals))
        return NULL;
    return json_object_array_get_idx(goals, goal);
}

static bool compare_is_command(struct json_object *object, const char *command)
{
    return strcmp(results_text(object, "command"), command) == 0;
}

static double compare_get_number(struct json_object *object, size_t row, size_t goal)
{
    const char *path = compare_is_command(object, "sink") ? rows[row].sink : rows[row].send;

    if (compare_is_command(object, "search")) {
        object = compare_get_goal(object, goal);
        path = rows[row].goal;
    }
    return path && object ? results_number(object, path) : NAN;
}

/* Both results must be of the same command with the same load. */
static const char *check_pair(struct json_object *a, struct json_object *b)
{
    struct json_object *valid;

    if (strcmp(results_text(a, "command"), results_text(b, "command")) != 0)
        return "a pair has results of two commands: compare send with send, search with search";
    if (!compare_is_command(a, "send") && !compare_is_command(a, "sink") &&
        !compare_is_command(a, "search"))
        return "only results of send, sink and search can be compared";
    for (unsigned i = 0; i < 2; i++)
        if (json_object_object_get_ex(i ? b : a, "valid", &valid) &&
            !json_object_get_boolean(valid))
            return "a result is invalid (its \"invalid\" has the reason)";
    if (results_number(a, "rate") != results_number(b, "rate") && !isnan(results_number(a, "rate")))
        return "a pair has two different rates: give both sides in the same order";
    for (size_t i = 0; i < goal_count(a); i++)
        if (!compare_get_goal(b, i) || results_number(compare_get_goal(a, i), "loss_percent") !=
                                           results_number(compare_get_goal(b, i), "loss_percent"))
            return "the searches of a pair have different --loss";
    return NULL;
}

static void compare_fill(struct compare_metric *m, size_t row, size_t goal,
                         const struct compare_side *a, const struct compare_side *b)
{
    struct json_object *first = compare_get_goal(a->objects[0], goal);

    *m = (struct compare_metric){.more_is_better = rows[row].more_is_better};
    if (first)
        (void)snprintf(m->name, sizeof(m->name), "%s, loss %g %%", rows[row].name,
                       results_number(first, "loss_percent"));
    else
        (void)snprintf(m->name, sizeof(m->name), "%s", rows[row].name);
    for (size_t i = 0; i < a->count; i++) {
        double x = compare_get_number(a->objects[i], row, goal);
        double y = compare_get_number(b->objects[i], row, goal);

        if (!(x > 0) || !(y > 0)) /* also NaN: one of them was not measured */
            continue;
        m->a[m->count] = x;
        m->b[m->count++] = y;
    }
}

size_t compare_metrics(const struct compare_side *a, const struct compare_side *b,
                       struct compare_metric ret_metrics[static COMPARE_METRICS_MAX],
                       const char **ret_wrong)
{
    size_t goals = goal_count(a->objects[0]);
    size_t count = 0;

    *ret_wrong = NULL;
    if (a->count != b->count)
        *ret_wrong = "both sides must have as many results: they are compared pair by pair";
    for (size_t i = 0; i < a->count && !*ret_wrong; i++)
        *ret_wrong = check_pair(a->objects[i], b->objects[i]);
    if (*ret_wrong)
        return 0;
    for (size_t goal = 0; goal < (goals ? goals : 1); goal++)
        for (size_t row = 0; row < ROW_COUNT && count < COMPARE_METRICS_MAX; row++) {
            compare_fill(&ret_metrics[count], row, goal, a, b);
            count += ret_metrics[count].count > 0;
        }
    if (!count)
        *ret_wrong = "no metric that both sides have measured";
    return count;
}

void compare_judge(struct compare_metric *m, double allowed)
{
    double ratios[STATS_MAX];
    double better; /* the interval's end in favour of B, as a ratio where less is better */
    double median;
    double worse;

    for (size_t i = 0; i < m->count; i++)
        ratios[i] = m->b[i] / m->a[i];
    stats_interval(ratios, m->count, &m->low, &m->high);
    m->ratio = stats_median(ratios, m->count);
    m->a_median = stats_median(m->a, m->count);
    m->b_median = stats_median(m->b, m->count);
    better = m->more_is_better ? 1 / m->high : m->low;
    worse = m->more_is_better ? 1 / m->low : m->high;
    median = m->more_is_better ? 2 - m->ratio : m->ratio; /* 5 % less is as bad as 5 % more */
    m->verdict = COMPARE_SAME;
    if (worse < 1)
        m->verdict = COMPARE_BETTER;
    if (better > 1)
        m->verdict = allowed >= 0 && median > 1 + allowed ? COMPARE_REGRESSION : COMPARE_WORSE;
}
