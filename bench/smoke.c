/*
 * headless-bench smoke: checks whether this machine can measure. A few short trials against an
 * own echo (a child on loopback, so that the sender keeps its one thread) or a given one: round
 * trips one at a time, a paced rate, the throughput, and the loss at half of it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "argument.h"
#include "headless/base/clock.h"
#include "report.h"
#include "sender.h"
#include "sink.h"

#define PACE         10000     /* a second: any machine should keep this rate */
#define COARSE_NS    NS_PER_MS /* lateness above it makes finer latencies meaningless */
#define SEND_MOST    2000000
#define CHECKS       4
#define SENTENCE_MAX 160

struct options {
    struct send_options send;
    uint64_t time_ns;
    bool own_echo; /* derived */
};

#define FIELD(name) offsetof(struct options, name)

static const struct argument rows[] = {
    {"to", ARGUMENT_TEXT, FIELD(send.to_text), 0, 0, "HOST:PORT",
     "An echo service (default: an own one, on loopback)"},
    {"time", ARGUMENT_DURATION, FIELD(time_ns), 100 * NS_PER_MS, 7 * NS_PER_SEC, "TIME",
     "Duration of each of four trials: 2s (default), at most 7s"},
    {"json", ARGUMENT_FLAG, FIELD(send.json), 0, 0, NULL, "One JSON object on standard output"},
};

static const char text[] =
    "Check in seconds whether this machine can measure: round trips, pace, throughput, loss. Exit "
    "code 0: it can; 3: it cannot, and why.";

static const char examples[] = "  headless-bench smoke\n"
                               "  headless-bench smoke --to 10.0.0.7:12000 --json\n";

struct check {
    const char *name;
    bool ok;
    char sentence[SENTENCE_MAX];
    uint64_t sent, answered, p50_ns, p99_ns, lateness_p99_ns;
    double answered_per_second;
};

static int smoke_fail(const char *what, int rc)
{
    (void)fprintf(stderr, BENCH_PROGRAM " smoke: %s: %s\n", what, strerror(-rc));
    return BENCH_EXIT_INVALID;
}

static const char *check_options(void *given)
{
    struct options *o = given;

    o->own_echo = !o->send.to_text;
    if (o->own_echo)
        o->send.to_text = "127.0.0.1"; /* the echo reports its port */
    return send_options_check_flows(&o->send);
}

const struct argument_set smoke_arguments = {.command = "smoke",
                                             .text = text,
                                             .examples = examples,
                                             .rows = rows,
                                             .count = sizeof(rows) / sizeof(rows[0]),
                                             .check_fn = check_options};

/* ---- the own echo ---- */

/* Returns its PID and its address, or a negative errno. It ends with this process. */
static pid_t start_echo(struct address *ret_address)
{
    struct sink_options options = {.echo = true};
    struct sink *sink = calloc(1, sizeof(*sink));
    pid_t parent = getpid();
    pid_t pid;
    int rc;

    if (!sink)
        return -ENOMEM;
    (void)address_parse("127.0.0.1:0", 0, &options.listen);
    rc = sink_open(sink, &options);
    if (rc) {
        free(sink);
        return rc;
    }
    *ret_address = sink->local;
    pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) /* it died before prctl */
            _exit(1);
        _exit(sink_loop_run(sink) ? 1 : 0);
    }
    rc = pid < 0 ? -errno : 0;
    sink_close(sink);
    free(sink);
    return rc ? rc : pid;
}

static void stop_echo(pid_t pid)
{
    if (pid <= 0)
        return;
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

/* ---- trials ---- */

static int smoke_measure(const struct options *o, const struct send_trial *trial,
                         uint64_t outstanding, struct check *ret_check)
{
    struct send_options options = o->send;
    struct sender *s = malloc(sizeof(*s));
    struct check c = {.ok = true};
    const char *invalid;
    int rc;

    if (!s)
        return -ENOMEM;
    options.closed_loop = trial->rate == 0;
    options.outstanding = outstanding;
    rc = sender_open(s, &options);
    if (rc) {
        free(s);
        return rc;
    }
    sender_begin(s, trial);
    rc = send_loop_run(s);
    invalid = send_report_invalid(s);
    if (invalid) {
        c.ok = false;
        (void)snprintf(c.sentence, sizeof(c.sentence), "%s", invalid);
    }
    c.sent = s->counts.sent;
    c.answered = s->counts.answered;
    c.p50_ns = histogram_percentile(&s->round_trip, 50);
    c.p99_ns = histogram_percentile(&s->round_trip, 99);
    c.lateness_p99_ns = histogram_percentile(&s->lateness, 99);
    if (s->last_reply_ns > s->start_ns)
        c.answered_per_second = report_rate(c.answered, s->last_reply_ns - s->start_ns);
    sender_close(s);
    free(s);
    c.name = ret_check->name;
    *ret_check = c;
    return rc;
}

static double us(uint64_t ns)
{
    return (double)ns / (double)NS_PER_US;
}

/* Write the text of a paced trial, and its verdict. */
static void smoke_judge_trial(struct check *c, const char *prefix)
{
    uint64_t lost = c->sent - c->answered;

    if (!c->ok)
        return;
    c->ok = lost == 0;
    (void)snprintf(c->sentence, sizeof(c->sentence),
                   "%s: %llu sent, %llu lost, p50 %.1f us, p99 "
                   "%.1f us",
                   prefix, (unsigned long long)c->sent, (unsigned long long)lost, us(c->p50_ns),
                   us(c->p99_ns));
}

static bool is_coarse(const struct check *c)
{
    return c->lateness_p99_ns > COARSE_NS;
}

static int run_checks(const struct options *o, struct check checks[static CHECKS])
{
    static const char coarse[] = ": coarse (is it busy?), finer latencies mean little";
    const struct send_trial alone = {.duration_ns = o->time_ns};
    const struct send_trial pace = {.rate = PACE, .duration_ns = o->time_ns};
    struct send_trial half = {.duration_ns = o->time_ns};
    char prefix[48];
    int rc;

    checks[0].name = "round trip";
    rc = smoke_measure(o, &alone, 1, &checks[0]);
    smoke_judge_trial(&checks[0], "one at a time");
    checks[1].name = "pace";
    if (!rc)
        rc = smoke_measure(o, &pace, 1, &checks[1]);
    if (checks[1].ok)
        (void)snprintf(checks[1].sentence, SENTENCE_MAX,
                       "%d/s: 99 %% leave within %.1f us of their time%s", PACE,
                       us(checks[1].lateness_p99_ns), is_coarse(&checks[1]) ? coarse : "");
    checks[2].name = "throughput";
    if (!rc)
        rc = smoke_measure(o, &alone, 256, &checks[2]);
    if (checks[2].ok)
        (void)snprintf(checks[2].sentence, SENTENCE_MAX, "%.0f/s with 256 outstanding",
                       checks[2].answered_per_second);
    checks[3].name = "half of it";
    half.rate = (uint64_t)checks[2].answered_per_second / 2;
    half.rate = half.rate < 1 ? 1 : half.rate > SEND_MOST ? SEND_MOST : half.rate;
    (void)snprintf(prefix, sizeof(prefix), "%llu/s", (unsigned long long)half.rate);
    if (!rc)
        rc = smoke_measure(o, &half, 1, &checks[3]);
    smoke_judge_trial(&checks[3], prefix);
    return rc;
}

/* ---- report ---- */

static bool is_fit(const struct check *checks)
{
    bool fit = true;

    for (unsigned i = 0; i < CHECKS; i++)
        fit = fit && checks[i].ok;
    return fit;
}

static void smoke_print(const struct check *checks)
{
    for (unsigned i = 0; i < CHECKS; i++)
        (void)printf("  %-12s %-4s  %s\n", checks[i].name, checks[i].ok ? "ok" : "BAD",
                     checks[i].sentence);
    (void)printf("  %s\n",
                 is_fit(checks) ? "this machine can measure" : "this machine cannot measure now");
}

static void smoke_print_json(const struct check *checks)
{
    struct json_object *object = report_create("smoke");
    struct json_object *list = json_object_new_array();

    report_add_flag(object, "fit", is_fit(checks));
    report_add_flag(object, "coarse", is_coarse(&checks[1]));
    for (unsigned i = 0; i < CHECKS; i++) {
        const struct check *c = &checks[i];
        struct json_object *o = json_object_new_object();

        report_add_text(o, "check", c->name);
        report_add_flag(o, "ok", c->ok);
        report_add_text(o, "sentence", c->sentence);
        report_add_number(o, "sent", c->sent);
        report_add_number(o, "answered", c->answered);
        report_add_real(o, "answered_per_second", c->answered_per_second);
        report_add_number(o, "p50_ns", c->p50_ns);
        report_add_number(o, "p99_ns", c->p99_ns);
        report_add_number(o, "lateness_p99_ns", c->lateness_p99_ns);
        (void)json_object_array_add(list, o);
    }
    (void)json_object_object_add(object, "checks", list);
    report_finish(object);
}

int command_smoke(int argc, char **argv)
{
    struct options o = {.send = send_options_default(), .time_ns = 2 * NS_PER_SEC};
    struct check checks[CHECKS] = {{0}};
    pid_t echo = 0;
    int rc;

    o.send.timeout_ns = 500 * NS_PER_MS;
    argument_parse(&smoke_arguments, argc, argv, &o);
    if (o.own_echo) {
        echo = start_echo(&o.send.targets[0]);
        o.send.target_count = 1;
    } else {
        send_options_resolve(&o.send, "smoke");
    }
    if (echo < 0)
        return smoke_fail("no echo on loopback", echo);
    rc = run_checks(&o, checks);
    stop_echo(echo);
    if (rc)
        return smoke_fail("a trial failed", rc);
    if (o.send.json)
        smoke_print_json(checks);
    else
        smoke_print(checks);
    return is_fit(checks) ? BENCH_EXIT_OK : BENCH_EXIT_INVALID;
}
