/* headless-bench send: opens, runs the trials, reports. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sender.h"

static int send_fail(const char *what, int rc)
{
    (void)fprintf(stderr, BENCH_PROGRAM " send: %s: %s\n", what, strerror(-rc));
    return BENCH_EXIT_INVALID;
}

static int send_judge(const struct sender *s)
{
    const struct send_counts *c = &s->counts;

    if (send_report_invalid(s))
        return BENCH_EXIT_INVALID;
    if (s->options->expect_all &&
        (c->unsent || c->missing || c->late || c->corrupt || c->misrouted))
        return BENCH_EXIT_LOSSES;
    return BENCH_EXIT_OK;
}

static int send_run_trial(struct sender *s, uint64_t rate)
{
    const struct send_options *o = s->options;
    const struct send_trial trial = {
        .rate = rate, .count = o->count, .duration_ns = o->duration_ns};
    int rc;

    sender_begin(s, &trial);
    rc = send_loop_run(s);
    if (rc)
        return send_fail("the trial failed", rc);
    if (o->json)
        send_report_json(s);
    else
        send_report_print(s);
    (void)fflush(stdout); /* the next step takes seconds */
    return send_judge(s);
}

/* Run one trial, or one for each rate until a signal. Returns the worst exit code. */
static int send_run_trials(struct sender *s)
{
    const struct send_options *o = s->options;
    int worst = send_run_trial(s, o->rate_count ? o->rates[0] : 0);

    for (unsigned i = 1; i < o->rate_count && !s->stops; i++) {
        int code = send_run_trial(s, o->rates[i]);

        worst = code > worst ? code : worst;
    }
    return worst;
}

/* ---- the CSV ---- */

/* Before the trial: an unwritable path is reported now, not after an hour. */
static int open_samples(struct sender *s)
{
    const struct send_options *o = s->options;
    uint64_t trials = o->rate_count ? o->rate_count : 1;
    uint64_t duration_ns = o->duration_ns; /* 0: until the count is reached */
    int rc;

    if (!o->csv_text)
        return BENCH_EXIT_OK;
    s->samples = malloc(sizeof(*s->samples));
    if (!s->samples)
        return send_fail("no memory", -ENOMEM);
    if (duration_ns && __builtin_mul_overflow(trials, duration_ns + o->timeout_ns, &duration_ns))
        duration_ns = UINT64_MAX;
    rc = samples_open(s->samples, o->interval_ns, duration_ns);
    if (!rc)
        rc = samples_write(s->samples, o->csv_text);
    return rc ? send_fail(o->csv_text, rc) : BENCH_EXIT_OK;
}

static int write_samples(struct sender *s)
{
    const struct send_options *o = s->options;
    int rc;

    samples_take(s->samples, s->now_ns, s->run_sent, s->run_answered);
    rc = samples_write(s->samples, o->csv_text);
    if (rc)
        return send_fail(o->csv_text, rc);
    if (s->samples->capped)
        (void)fprintf(stderr,
                      BENCH_PROGRAM " send: --csv: only the first %llu rows are recorded; "
                                    "a longer --interval needs fewer\n",
                      (unsigned long long)s->samples->count);
    return BENCH_EXIT_OK;
}

static void close_samples(struct sender *s)
{
    if (s->samples)
        samples_close(s->samples);
    free(s->samples);
}

static int send_open_and_run(struct sender *s, const struct send_options *options)
{
    int code;
    int rc = sender_open(s, options);

    if (rc)
        return send_fail("cannot open the flows", rc);
    code = watch_command(&s->watch, "send", options->watch_text);
    if (code)
        goto close_sender;
    code = open_samples(s);
    if (code)
        goto close_samples;
    code = send_run_trials(s);
    if (s->samples && write_samples(s))
        code = BENCH_EXIT_INVALID;
close_samples:
    close_samples(s);
close_sender:
    sender_close(s);
    return code;
}

int command_send(int argc, char **argv)
{
    struct send_options options;
    struct sender *s;
    int code;

    send_options_read(argc, argv, &options);
    s = malloc(sizeof(*s));
    if (!s)
        return send_fail("no memory", -ENOMEM);
    code = send_open_and_run(s, &options);
    free(s);
    return code;
}
