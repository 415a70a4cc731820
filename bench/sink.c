/* headless-bench sink: options, opening, the command. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "argument.h"
#include "endpoint.h"
#include "headless/base/clock.h"
#include "sink.h"
#include "stop.h"

#define FIELD(name) offsetof(struct sink_options, name)

static const struct argument rows[] = {
    {"listen", ARGUMENT_TEXT, FIELD(listen_text), 0, 0, "HOST:PORT",
     "Address to receive at; 0.0.0.0 is any IPv4 address, [::] any address, port 0 any free port"},
    {"echo", ARGUMENT_FLAG, FIELD(echo), 0, 0, NULL,
     "Return each datagram to its sender (but not to ports below 1024 or equal to the own port, so "
     "that two echo servers cannot form a loop)"},
    {"count", ARGUMENT_NUMBER, FIELD(count), 1, UINT64_MAX / 4, "N",
     "End after this number of unique datagrams"},
    {"duration", ARGUMENT_DURATION, FIELD(duration_ns), 1, UINT64_MAX / 4, "TIME",
     "End after this time, as 30s"},
    {"idle", ARGUMENT_DURATION, FIELD(idle_ns), 1, UINT64_MAX / 4, "TIME",
     "End when no datagram has arrived for this time since the first one, as 1s"},
    {"rcvbuf", ARGUMENT_BYTES, FIELD(rcvbuf_bytes), 1, 1U << 30, "BYTES",
     "Receive buffer (default: as large as the kernel grants)"},
    {"expect-all", ARGUMENT_FLAG, FIELD(expect_all), 0, 0, NULL,
     "Exit 1 if anything is missing or corrupt, or --count was not reached"},
    {"watch", ARGUMENT_TEXT, FIELD(watch_text), 0, 0, "NAME_OR_PID[,...]",
     "Report the CPU time that these processes and the machine spent per datagram, and their "
     "memory"},
    {"json", ARGUMENT_FLAG, FIELD(json), 0, 0, NULL, "One JSON object on standard output"},
};

static const char text[] =
    "Receive the datagrams of headless-bench send, check every byte, and count. Losses are gaps "
    "between "
    "the first and the last datagram of a flow: of losses before and after, only the sender "
    "knows. Without --count, --duration or --idle it runs until SIGINT or SIGTERM.";

static const char examples[] =
    "  headless-bench sink --listen 127.0.0.1:9100 --echo\n"
    "  headless-bench sink --listen [::]:9100 --count 200000 --duration 1m \\\n"
    "      --expect-all --json\n"
    "  headless-bench sink --listen 0.0.0.0:9100 --idle 1s --watch headlessd\n";

static const char *sink_check_options(void *given)
{
    const struct sink_options *o = given;

    return o->listen_text ? NULL : "--listen HOST:PORT is needed: the address to receive at";
}

const struct argument_set sink_arguments = {.command = "sink",
                                            .text = text,
                                            .examples = examples,
                                            .rows = rows,
                                            .count = sizeof(rows) / sizeof(rows[0]),
                                            .check_fn = sink_check_options};

static int sink_fail(const char *what, const char *why)
{
    (void)fprintf(stderr, BENCH_PROGRAM " sink: %s: %s\n", what, why);
    return BENCH_EXIT_INVALID;
}

int sink_open(struct sink *s, const struct sink_options *options)
{
    int rc;

    s->options = options;
    s->clock = payload_clock();
    histogram_init(&s->one_way);
    rc = batch_init(&s->batch);
    if (rc)
        return rc;
    rc = tracker_init(&s->tracker);
    if (rc)
        goto fini_batch;
    s->stop_fd = rc = stop_open();
    if (rc < 0)
        goto fini_tracker;
    s->fd = rc = endpoint_open_server(&options->listen);
    if (rc < 0)
        goto close_stop;
    s->rcvbuf_bytes = endpoint_grow_rcvbuf(s->fd, options->rcvbuf_bytes);
    s->local = endpoint_local(s->fd);
    return 0;

close_stop:
    (void)close(s->stop_fd);
fini_tracker:
    tracker_fini(&s->tracker);
fini_batch:
    batch_fini(&s->batch);
    return rc;
}

void sink_close(struct sink *s)
{
    (void)close(s->fd);
    (void)close(s->stop_fd);
    tracker_fini(&s->tracker);
    batch_fini(&s->batch);
}

static int sink_judge(const struct sink *s)
{
    const struct sink_counts *c = &s->counts;

    if (watch_find_ended(&s->watch)) {
        (void)sink_fail("--watch", "a watched process ended during the trial");
        return BENCH_EXIT_INVALID;
    }
    if (!s->options->expect_all)
        return BENCH_EXIT_OK;
    if (c->missing || c->corrupt || c->unique < s->options->count || c->unique == 0)
        return BENCH_EXIT_LOSSES;
    return BENCH_EXIT_OK;
}

static int sink_run(struct sink *s, const struct sink_options *options)
{
    char address[ADDRESS_TEXT_MAX];
    int code;
    int rc;

    memset(s, 0, sizeof(*s));
    code = watch_command(&s->watch, "sink", options->watch_text);
    if (code)
        return code;
    rc = sink_open(s, options);
    if (rc < 0)
        return sink_fail(options->listen_text, strerror(-rc));
    /* For scripts: from this line on, datagrams are received. */
    (void)fprintf(stderr, "listening on %s\n", address_format(&s->local, address));
    rc = sink_loop_run(s);
    if (rc) {
        code = sink_fail("receiving failed", strerror(-rc));
    } else {
        if (options->json)
            sink_report_json(s);
        else
            sink_report_print(s);
        code = sink_judge(s);
    }
    sink_close(s);
    return code;
}

int command_sink(int argc, char **argv)
{
    struct sink_options options = {0};
    struct sink *s;
    const char *wrong;
    int code;

    argument_parse(&sink_arguments, argc, argv, &options);
    wrong = endpoint_resolve(options.listen_text, &options.listen);
    if (wrong)
        return sink_fail(options.listen_text, wrong);
    s = malloc(sizeof(*s));
    if (!s)
        return sink_fail("no memory", strerror(ENOMEM));
    code = sink_run(s, &options);
    free(s);
    return code;
}
