/* The command line of headless-bench search. One row per option. */
#include <stdio.h>
#include <stdlib.h>

#include "argument.h"
#include "endpoint.h"
#include "headless/base/clock.h"
#include "search.h"

#define FIELD(name) offsetof(struct search_options, name)
#define HOUR_NS     (3600 * NS_PER_SEC)

static const struct argument rows[] = {
    {"to", ARGUMENT_TEXT, FIELD(send.to_text), 0, 0, "HOST:PORT[,HOST:PORT...]",
     "Destinations; flows are assigned to them in turn"},
    {"sink", ARGUMENT_TEXT, FIELD(sink_text), 0, 0, "HOST:PORT",
     "One way: no echo, the headless-bench sink at this address counts the datagrams"},
    {"loss", ARGUMENT_TEXT, FIELD(loss_text), 0, 0, "PERCENT[,PERCENT...]",
     "The losses to find the throughput for: 0,0.5 (default)"},
    {"max-time", ARGUMENT_DURATION, FIELD(max_time_ns), NS_PER_SEC, 24 * HOUR_NS, "TIME",
     "End after this time, with the results so far: 2m (default)"},
    {"max-rate", ARGUMENT_RATE, FIELD(max_rate), 1, SEND_RATE_MAX, "N/s",
     "Highest rate to send: 1M (default)"},
    {"min-rate", ARGUMENT_RATE, FIELD(min_rate), 1, SEND_RATE_MAX, "N/s",
     "Lowest rate to measure: 100 (default)"},
    {"trial", ARGUMENT_DURATION, FIELD(trial_ns), NS_PER_MS, HOUR_NS, "TIME",
     "Duration of the last trials: 1s (default)"},
    {"first-trial", ARGUMENT_DURATION, FIELD(first_trial_ns), NS_PER_MS, HOUR_NS, "TIME",
     "Duration of the first trials: 200ms (default)"},
    {"trials", ARGUMENT_NUMBER, FIELD(trials), 1, 1000, "N",
     "Trials that a bound needs, of which half may fail: 5 (default); 1: trust each, as in "
     "RFC 2544"},
    {"width", ARGUMENT_PERCENT, FIELD(width_millionths), 100, 500000, "PERCENT",
     "Largest distance between the bounds: 1 (default)"},
    {"from", ARGUMENT_TEXT, FIELD(send.from_text), 0, 0, "IP",
     "Source address (default: the kernel's)"},
    {"flows", ARGUMENT_NUMBER, FIELD(send.flows), 1, SEND_FLOWS_MAX, "N",
     "Sockets, each with its own source port: 1 (default) to 4096"},
    {"size", ARGUMENT_TEXT, FIELD(send.size_text), 0, 0, "SIZES",
     "Payload bytes: 100 (default), 64-1400, or a mix with weights, 64:7,512:4,1400:1"},
    {"burst", ARGUMENT_NUMBER, FIELD(send.burst), 1, BATCH_SIZE, "N",
     "Datagrams in a row of one flow: 16 (default), 1 to 64"},
    {"microburst", ARGUMENT_NUMBER, FIELD(send.microburst), 1, SEND_MICROBURST_MAX, "N",
     "Send N back to back, then wait so that the rate is kept: 1 (default) to 65536"},
    {"gso", ARGUMENT_FLAG, FIELD(send.gso), 0, 0, NULL,
     "Hand neighbours of one size and flow to the kernel in one send (UDP_SEGMENT)"},
    {"timeout", ARGUMENT_DURATION, FIELD(send.timeout_ns), 1, 60 * NS_PER_SEC, "TIME",
     "A reply after this time counts as lost: 500ms (default)"},
    {"max-lateness", ARGUMENT_DURATION, FIELD(send.max_lateness_ns), 1, 60 * NS_PER_SEC, "TIME",
     "A trial is invalid when more than 1 % left later than this after the intended time: 10ms "
     "(default)"},
    {"rcvbuf", ARGUMENT_BYTES, FIELD(send.rcvbuf_bytes), 1, 1U << 30, "BYTES",
     "Receive buffer of each flow (default: as large as the kernel grants)"},
    {"seed", ARGUMENT_NUMBER, FIELD(send.seed), 0, 0, "N",
     "Seed of the sizes, to repeat them (default: random)"},
    {"watch", ARGUMENT_TEXT, FIELD(send.watch_text), 0, 0, "NAME_OR_PID[,...]",
     "Report the CPU time that these processes spent per datagram"},
    {"json", ARGUMENT_FLAG, FIELD(send.json), 0, 0, NULL, "One JSON object on standard output"},
};

static const char text[] =
    "Find the largest rate at which a service loses no datagram, and the one at which it loses 0.5 "
    "% of them: by trials after RFC 2544 and MLRsearch (RFC 9971), where several trials at one "
    "rate "
    "must agree before a bound is accepted. The service echoes, or a sink behind it counts.";

static const char examples[] =
    "  headless-bench search --to 127.0.0.1:12000\n"
    "  headless-bench search --to 10.0.0.7:12000,10.0.0.8:12000 --flows 64 \\\n"
    "      --watch headlessd --json >search.json\n"
    "  headless-bench search --to 10.0.0.7:12000 --sink 10.0.0.9:9100 --max-time 5m\n"
    "  headless-bench search --to 127.0.0.1:12000 --loss 0 --trials 1\n";

static const char *check_losses(struct search_options *o)
{
    const char *wrong = argument_parse_list(ARGUMENT_PERCENT, o->loss_text, MLR_GOALS_MAX,
                                            o->losses_millionths, &o->loss_count);

    for (unsigned i = 0; i < o->loss_count && !wrong; i++)
        if (o->losses_millionths[i] >= 1000000)
            wrong = "must be less than 100";
    return wrong;
}

static const char *search_check_options(void *given)
{
    static char sentence[128];
    struct search_options *o = given;
    const char *wrong = check_losses(o);

    if (wrong) {
        (void)snprintf(sentence, sizeof(sentence), "--loss %.40s: %s", o->loss_text, wrong);
        return sentence;
    }
    if (o->min_rate > o->max_rate)
        return "--min-rate is above --max-rate: lower it, or raise --max-rate";
    if (o->first_trial_ns > o->trial_ns)
        o->first_trial_ns = o->trial_ns;
    o->send.one_way = o->sink_text != NULL;
    return send_options_check_flows(&o->send);
}

const struct argument_set search_arguments = {.command = "search",
                                              .text = text,
                                              .examples = examples,
                                              .rows = rows,
                                              .count = sizeof(rows) / sizeof(rows[0]),
                                              .check_fn = search_check_options};

void search_options_read(int argc, char **argv, struct search_options *ret_options)
{
    struct search_options o = {
        .send = send_options_default(),
        .loss_text = "0,0.5",
        .max_time_ns = 120 * NS_PER_SEC,
        .max_rate = 1000000,
        .min_rate = 100,
        .trial_ns = NS_PER_SEC,
        .first_trial_ns = 200 * NS_PER_MS,
        .trials = 5,
        .width_millionths = 10000,
    };
    const char *wrong = NULL;

    o.send.timeout_ns = 500 * NS_PER_MS;
    argument_parse(&search_arguments, argc, argv, &o);
    send_options_resolve(&o.send, "search");
    if (o.sink_text)
        wrong = endpoint_resolve(o.sink_text, &o.sink);
    if (wrong) {
        (void)fprintf(stderr, BENCH_PROGRAM " search: --sink %s: %s\n", o.sink_text, wrong);
        exit(BENCH_EXIT_INVALID);
    }
    *ret_options = o;
}
