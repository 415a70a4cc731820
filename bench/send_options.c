/* The command line of headless-bench send. One row per option. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "argument.h"
#include "endpoint.h"
#include "headless/base/clock.h"
#include "sender.h"

#define FIELD(name) offsetof(struct send_options, name)

static const struct argument rows[] = {
    {"to", ARGUMENT_TEXT, FIELD(to_text), 0, 0, "HOST:PORT[,HOST:PORT...]",
     "Destinations; flows are assigned to them in turn"},
    {"from", ARGUMENT_TEXT, FIELD(from_text), 0, 0, "IP", "Source address (default: the kernel's)"},
    {"flows", ARGUMENT_NUMBER, FIELD(flows), 1, SEND_FLOWS_MAX, "N",
     "Sockets, each with its own source port: 1 (default) to 4096"},
    {"size", ARGUMENT_TEXT, FIELD(size_text), 0, 0, "SIZES",
     "Payload bytes: 100 (default), 64-1400, or a mix with weights, 64:7,512:4,1400:1; "
     "48 to 65507"},
    {"count", ARGUMENT_NUMBER, FIELD(count), 1, UINT64_MAX / 4, "N", "Number of datagrams in all"},
    {"duration", ARGUMENT_DURATION, FIELD(duration_ns), 1, UINT64_MAX / 4, "TIME",
     "Time to send: 10s (default without --count)"},
    {"rate", ARGUMENT_TEXT, FIELD(rate_text), 0, 0, "N/s[,N/s...]",
     "Open loop: datagrams a second in all, independent of replies; several: one trial after the "
     "other, "
     "each with its result"},
    {"step", ARGUMENT_DURATION, FIELD(step_ns), 1, UINT64_MAX / 4, "TIME",
     "Duration of each of several rates: 5s (default)"},
    {"microburst", ARGUMENT_NUMBER, FIELD(microburst), 1, SEND_MICROBURST_MAX, "N",
     "Open loop: send N back to back, then wait so that the rate is kept: 1 (default) to 65536"},
    {"closed-loop", ARGUMENT_FLAG, FIELD(closed_loop), 0, 0, NULL,
     "Send when a reply has made room (default without --rate)"},
    {"outstanding", ARGUMENT_NUMBER, FIELD(outstanding), 1, PLACES_MAX, "N",
     "Closed loop: datagrams without a reply, over all flows: 128 (default) to 65534"},
    {"burst", ARGUMENT_NUMBER, FIELD(burst), 1, BATCH_SIZE, "N",
     "Datagrams in a row of one flow, before the next flow: 16 (default), 1 to 64"},
    {"timeout", ARGUMENT_DURATION, FIELD(timeout_ns), 1, UINT64_MAX / 4, "TIME",
     "A reply after this time is late: 2s (default); also the wait after the last datagram"},
    {"max-lateness", ARGUMENT_DURATION, FIELD(max_lateness_ns), 1, UINT64_MAX / 4, "TIME",
     "Open loop: invalid when more than 1 % left later than this after the intended time: 10ms "
     "(default)"},
    {"rcvbuf", ARGUMENT_BYTES, FIELD(rcvbuf_bytes), 1, 1U << 30, "BYTES",
     "Receive buffer of each flow (default: as large as the kernel grants)"},
    {"seed", ARGUMENT_NUMBER, FIELD(seed), 0, 0, "N",
     "Seed of the sizes, to repeat them (default: random)"},
    {"gso", ARGUMENT_FLAG, FIELD(gso), 0, 0, NULL,
     "Hand neighbours of one size and flow to the kernel in one send (UDP_SEGMENT): cheaper here, "
     "and "
     "the receiver may get them merged"},
    {"unconnected", ARGUMENT_FLAG, FIELD(unconnected), 0, 0, NULL,
     "Do not connect the sockets: replies from other addresses are received, as foreign"},
    {"one-way", ARGUMENT_FLAG, FIELD(one_way), 0, 0, NULL, "Expect no replies (with --rate)"},
    {"expect-all", ARGUMENT_FLAG, FIELD(expect_all), 0, 0, NULL,
     "Exit 1 unless every datagram was sent and answered, intact and in time"},
    {"csv", ARGUMENT_TEXT, FIELD(csv_text), 0, 0, "FILE",
     "Write the numbers of each interval: " SAMPLES_CSV_HEADER},
    {"interval", ARGUMENT_DURATION, FIELD(interval_ns), NS_PER_MS, UINT64_MAX / 4, "TIME",
     "Interval of the CSV's rows: 100ms (default)"},
    {"watch", ARGUMENT_TEXT, FIELD(watch_text), 0, 0, "NAME_OR_PID[,...]",
     "Report the CPU time that these processes and the machine spent per datagram, and their "
     "memory"},
    {"json", ARGUMENT_FLAG, FIELD(json), 0, 0, NULL, "One JSON object on standard output"},
};

static const char text[] =
    "Send datagrams to a UDP service that echoes them, check every reply, and measure loss and "
    "round trips. The closed loop finds the capacity of a service, the open loop its effect on "
    "clients that do not wait; its round trips count from the intended time of sending.";

static const char examples[] =
    "  headless-bench send --to 127.0.0.1:12000\n"
    "  headless-bench send --to 10.0.0.7:12000,10.0.0.8:12000 --flows 64 \\\n"
    "      --size 64-1400 --count 200000 --expect-all\n"
    "  headless-bench send --to 127.0.0.1:12000 --rate 20k --watch headlessd\n"
    "  headless-bench send --to pod-0.headless:12000 --rate 50000/s \\\n"
    "      --duration 30s --json\n"
    "  headless-bench send --to 127.0.0.1:12000 --rate 10k,20k,40k --step 5s\n"
    "  headless-bench send --to 127.0.0.1:12000 --rate 1k --csv failover.csv\n";

static const char *send_check_options(void *given)
{
    struct send_options *o = given;

    if (o->rate_text && o->closed_loop)
        return "--rate is an open loop: leave out --closed-loop, or --rate";
    o->closed_loop = !o->rate_text;
    if (o->one_way && o->closed_loop)
        return "--one-way needs --rate: a closed loop needs replies";
    if (o->microburst > 1 && o->closed_loop)
        return "--microburst needs --rate: a closed loop has no mean rate to keep";
    return NULL;
}

/* The duration, of one rate and of several. */
static const char *check_steps(struct send_options *o)
{
    if (o->rate_count < 2 && o->step_ns)
        return "--step needs several rates, as in --rate 10k,20k,40k";
    if (o->rate_count > 1 && (o->duration_ns || o->count))
        return "several rates take --step each: leave out --duration and --count";
    if (o->rate_count > 1 && !o->step_ns)
        o->step_ns = 5 * NS_PER_SEC;
    if (o->rate_count > 1)
        o->duration_ns = o->step_ns;
    if (!o->duration_ns && !o->count)
        o->duration_ns = 10 * NS_PER_SEC;
    return NULL;
}

static const char *check_rates(struct send_options *o)
{
    const char *wrong = NULL;

    if (o->rate_text)
        wrong = argument_parse_list(ARGUMENT_RATE, o->rate_text, SEND_STEPS_MAX, o->rates,
                                    &o->rate_count);
    for (unsigned i = 0; i < o->rate_count && !wrong; i++)
        if (o->rates[i] < 1 || o->rates[i] > SEND_RATE_MAX)
            wrong = "rates go from 1 to 1000M a second";
    return wrong;
}

const char *send_options_check_flows(struct send_options *o)
{
    static char sentence[128];
    const char *wrong;

    if (!o->to_text)
        return "--to HOST:PORT is needed: the destination";
    wrong = sizes_parse(o->size_text, &o->sizes);
    if (wrong) {
        (void)snprintf(sentence, sizeof(sentence), "--size %.40s: %s", o->size_text, wrong);
        return sentence;
    }
    if (o->from_text && address_parse_ip(o->from_text, &o->from))
        return "--from must be an IP address without a port";
    return NULL;
}

static const char *check_all(void *given)
{
    static char sentence[128];
    struct send_options *o = given;
    const char *wrong = send_check_options(o);

    if (wrong)
        return wrong;
    wrong = check_rates(o);
    if (wrong) {
        (void)snprintf(sentence, sizeof(sentence), "--rate %.40s: %s", o->rate_text, wrong);
        return sentence;
    }
    wrong = check_steps(o);
    return wrong ? wrong : send_options_check_flows(o);
}

const struct argument_set send_arguments = {.command = "send",
                                            .text = text,
                                            .examples = examples,
                                            .rows = rows,
                                            .count = sizeof(rows) / sizeof(rows[0]),
                                            .check_fn = check_all};

struct send_options send_options_default(void)
{
    struct send_options o = {
        .size_text = "100",
        .flows = 1,
        .outstanding = 128,
        .burst = 16,
        .microburst = 1,
        .interval_ns = 100 * NS_PER_MS,
        .timeout_ns = 2 * NS_PER_SEC,
        .max_lateness_ns = 10 * NS_PER_MS,
    };

    randombytes_buf(&o.seed, sizeof(o.seed));
    return o;
}

void send_options_resolve(struct send_options *o, const char *command)
{
    char bad[ENDPOINT_TEXT_MAX];
    const char *wrong =
        endpoint_resolve_list(o->to_text, SEND_TARGETS_MAX, o->targets, &o->target_count, bad);

    if (!wrong)
        return;
    (void)fprintf(stderr, BENCH_PROGRAM " %s: --to %s: %s\n", command, bad, wrong);
    exit(BENCH_EXIT_INVALID);
}

void send_options_read(int argc, char **argv, struct send_options *ret_options)
{
    struct send_options o = send_options_default();

    argument_parse(&send_arguments, argc, argv, &o);
    send_options_resolve(&o, "send");
    *ret_options = o;
}
