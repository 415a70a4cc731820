/* headless-bench search: calibrates, runs the algorithm's trials, reports. */
#include "search.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "count_request.h"
#include "endpoint.h"
#include "headless/base/clock.h"

#define CALIBRATIONS_MAX 24
#define INVALID_MAX      2 /* in a row at one load: the generator cannot send it */

static int search_fail(const char *what, int rc)
{
    (void)fprintf(stderr, BENCH_PROGRAM " search: %s: %s\n", what, strerror(-rc));
    return BENCH_EXIT_INVALID;
}

static void search_show_progress(struct search *s, uint64_t load, uint64_t duration_ns)
{
    struct mlr_result r = mlr_get_result(&s->mlr, 0);

    if (s->progress.shown)
        progress_show(
            &s->progress, s->now_ns, 0, "trial %u: %llu/s for %.1f s; loss of %g %%: %llu to %llu",
            s->trial_count + 1, (unsigned long long)load, (double)duration_ns / (double)NS_PER_SEC,
            (double)s->options->losses_millionths[0] / 1e4, (unsigned long long)r.lower,
            (unsigned long long)r.upper);
}

/* ---- one trial ---- */

static const char *search_judge_trial(const struct sender *sender, const struct search_trial *t)
{
    const char *invalid = send_report_invalid(sender);

    if (invalid)
        return invalid;
    if (sender->counts.unsent)
        return "the kernel refused to send";
    if (sender->counts.own_drops)
        return "this tool dropped replies at its own sockets";
    return t->arrived > t->sent ? "more arrived than was sent: from another trial" : NULL;
}

/* The number of datagrams of this trial that have arrived at the sink. */
static int ask_sink(struct search *s, uint64_t *ret_arrived)
{
    uint64_t unique;
    int rc = count_request_ask(s->sink_fd, s->sender.run, &unique);

    if (rc)
        return rc;
    *ret_arrived = unique - s->sink_unique;
    s->sink_unique = unique;
    return 0;
}

static int search_measure(struct search *s, uint64_t load, uint64_t duration_ns,
                          struct search_trial *ret_trial)
{
    const struct send_trial trial = {.rate = load, .duration_ns = duration_ns};
    struct sender *sender = &s->sender;
    struct search_trial t = {.load = load, .duration_ns = duration_ns};
    int rc;

    search_show_progress(s, load, duration_ns);
    sender_begin(sender, &trial);
    rc = send_loop_run(sender);
    t.sent = sender->counts.sent;
    t.arrived = sender->counts.answered;
    if (!rc && s->sink_fd >= 0 && t.sent)
        rc = ask_sink(s, &t.arrived);
    s->now_ns = clock_now_ns();
    if (rc)
        return rc;
    if (t.sent) {
        t.loss = t.arrived < t.sent ? 1 - (double)t.arrived / (double)t.sent : 0;
        t.cpu_ns = (double)watch_sum_ns(&sender->watch) / (double)t.sent;
    }
    t.p50_ns = histogram_percentile(&sender->round_trip, 50);
    t.p99_ns = histogram_percentile(&sender->round_trip, 99);
    t.invalid = search_judge_trial(sender, &t);
    if (s->trial_count < MLR_TRIALS_MAX)
        s->trials[s->trial_count++] = t;
    s->valid_count += !t.invalid;
    s->invalid_row = t.invalid ? s->invalid_row + 1 : 0;
    *ret_trial = t;
    return 0;
}

const struct search_trial *search_find_trial(const struct search *s, uint64_t load)
{
    const struct search_trial *found = NULL;

    for (unsigned i = 0; i < s->trial_count; i++) {
        const struct search_trial *t = &s->trials[i];

        if (t->load == load && !t->invalid && (!found || t->duration_ns >= found->duration_ns))
            found = t;
    }
    return found;
}

/* ---- the search ---- */

static bool search_is_over(struct search *s, uint64_t duration_ns)
{
    if (s->sender.stops)
        s->ended = "stopped by a signal";
    else if (watch_find_ended(&s->sender.watch))
        s->ended = "a watched process ended";
    else if (s->now_ns + duration_ns + s->options->send.timeout_ns > s->end_ns)
        s->ended = "--max-time is over";
    return s->ended != NULL;
}

/* The next lower rate: near the rate that an unpaced trial achieved. */
static uint64_t get_slower(const struct search_trial *t)
{
    double achieved = (double)t->sent * (double)NS_PER_SEC / (double)t->duration_ns;
    uint64_t slower = t->load / 5 * 4;

    return achieved < (double)slower && achieved > (double)t->load / 100 ? (uint64_t)achieved
                                                                         : slower;
}

/* Nearly paced: repeat it, so that a short disturbance does not set the maximum. */
static bool deserves_another(const struct search *s, const struct search_trial *t)
{
    double achieved = (double)t->sent * (double)NS_PER_SEC / (double)t->duration_ns;

    return s->invalid_row % INVALID_MAX && achieved > (double)t->load * 0.8;
}

/* Find the largest rate that can be sent: from --max-rate down, until a trial is paced. */
static int calibrate(struct search *s)
{
    uint64_t duration_ns = s->options->first_trial_ns;
    uint64_t load = s->options->max_rate;

    for (unsigned tries = 0; tries < CALIBRATIONS_MAX && !search_is_over(s, duration_ns); tries++) {
        struct search_trial t;
        int rc = search_measure(s, load, duration_ns, &t);

        if (rc)
            return rc;
        if (!t.invalid) {
            mlr_record(&s->mlr, load, duration_ns, t.loss);
            mlr_limit(&s->mlr, load);
            return 0;
        }
        if (!deserves_another(s, &t))
            load = get_slower(&t);
        if (load < s->options->min_rate)
            break;
    }
    if (!s->ended)
        s->ended = "the generator could not pace any rate";
    return 0;
}

static int search_goals(struct search *s)
{
    uint64_t duration_ns;
    uint64_t load;
    int rc = calibrate(s);

    while (!rc && !s->ended && mlr_next(&s->mlr, &load, &duration_ns)) {
        struct search_trial t;

        if (search_is_over(s, duration_ns))
            break;
        rc = search_measure(s, load, duration_ns, &t);
        if (!rc && !t.invalid)
            mlr_record(&s->mlr, load, duration_ns, t.loss);
        else if (!rc && s->invalid_row >= INVALID_MAX && load > s->options->min_rate)
            mlr_limit(&s->mlr, load - load / 20 > s->options->min_rate ? load - load / 20
                                                                       : s->options->min_rate);
    }
    progress_clear(&s->progress);
    return rc;
}

static void search_start(struct search *s)
{
    const struct search_options *o = s->options;
    struct mlr_settings settings = {
        .goal_count = o->loss_count,
        .min_load = o->min_rate,
        .max_load = o->max_rate,
        .first_trial_ns = o->first_trial_ns,
        .trial_ns = o->trial_ns,
        .sum_ns = o->trial_ns * o->trials,
        .width = (double)o->width_millionths / 1e6,
    };

    for (unsigned i = 0; i < o->loss_count; i++)
        settings.losses[i] = (double)o->losses_millionths[i] / 1e6;
    mlr_init(&s->mlr, &settings);
    s->now_ns = s->start_ns = clock_now_ns();
    s->end_ns = s->start_ns + o->max_time_ns;
    progress_init(&s->progress, s->now_ns, UINT64_MAX, s->end_ns);
}

static int search_run(struct search *s)
{
    const struct search_options *o = s->options;
    int code = BENCH_EXIT_INVALID;
    int rc = sender_open(&s->sender, &o->send);

    if (rc)
        return search_fail("cannot open the flows", rc);
    s->sender.quiet = true;
    s->sink_fd = -1;
    if (o->sink_text) {
        s->sink_fd = rc = endpoint_open_client(&o->sink, &o->send.from, true);
        if (rc < 0) {
            code = search_fail(o->sink_text, rc);
            goto close_sender;
        }
    }
    code = watch_command(&s->sender.watch, "search", o->send.watch_text);
    if (code)
        goto close_sink;
    search_start(s);
    rc = search_goals(s);
    if (rc) {
        code = search_fail(rc == -ETIMEDOUT
                               ? "the sink does not reply (check that it receives the datagrams)"
                               : "the search failed",
                           rc);
        goto close_sink;
    }
    if (o->send.json)
        search_report_json(s);
    else
        search_report_print(s);
    code = s->valid_count ? BENCH_EXIT_OK : BENCH_EXIT_INVALID;
close_sink:
    if (s->sink_fd >= 0)
        (void)close(s->sink_fd);
close_sender:
    sender_close(&s->sender);
    return code;
}

int command_search(int argc, char **argv)
{
    struct search_options options;
    struct search *s;
    int code;

    search_options_read(argc, argv, &options);
    s = calloc(1, sizeof(*s));
    if (!s)
        return search_fail("no memory", -ENOMEM);
    s->options = &options;
    code = search_run(s);
    free(s);
    return code;
}
