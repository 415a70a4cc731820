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
     "Where to; flows are dealt to the targets in turn"},
    {"from", ARGUMENT_TEXT, FIELD(from_text), 0, 0, "IP", "Source address (default: the kernel's)"},
    {"flows", ARGUMENT_NUMBER, FIELD(flows), 1, SEND_FLOWS_MAX, "N",
     "Sockets, each with its own source port: 1 (default) to 4096"},
    {"size", ARGUMENT_TEXT, FIELD(size_text), 0, 0, "SIZES",
     "Payload bytes: 100 (default), 64-1400, or a mix with weights, 64:7,512:4,1400:1; "
     "48 to 65507"},
    {"count", ARGUMENT_NUMBER, FIELD(count), 1, UINT64_MAX / 4, "N", "Send this many in all"},
    {"duration", ARGUMENT_DURATION, FIELD(duration_ns), 1, UINT64_MAX / 4, "TIME",
     "Send for so long: 10s (default without --count)"},
    {"rate", ARGUMENT_RATE, FIELD(rate), 1, NS_PER_SEC, "N/s",
     "Open loop: so many a second in all, whatever comes back"},
    {"closed-loop", ARGUMENT_FLAG, FIELD(closed_loop), 0, 0, NULL,
     "Send when an answer has made room (default without --rate)"},
    {"outstanding", ARGUMENT_NUMBER, FIELD(outstanding), 1, PLACES_MAX, "N",
     "Closed loop: at most so many without an answer, over all flows: 128 (default) to 65534"},
    {"burst", ARGUMENT_NUMBER, FIELD(burst), 1, BATCH_SIZE, "N",
     "So many in a row belong to one flow, then it is the next one's turn: 16 (default), 1 to 64"},
    {"timeout", ARGUMENT_DURATION, FIELD(timeout_ns), 1, UINT64_MAX / 4, "TIME",
     "An answer after that is late: 2s (default); also the wait after the last datagram"},
    {"max-lateness", ARGUMENT_DURATION, FIELD(max_lateness_ns), 1, UINT64_MAX / 4, "TIME",
     "Open loop: invalid when more than 1 % left so much later than intended: 10ms (default)"},
    {"rcvbuf", ARGUMENT_BYTES, FIELD(rcvbuf_bytes), 1, 1U << 30, "BYTES",
     "Receive buffer of each flow (default: as large as the kernel grants)"},
    {"seed", ARGUMENT_NUMBER, FIELD(seed), 0, 0, "N", "For the same sizes again (default: drawn)"},
    {"unconnected", ARGUMENT_FLAG, FIELD(unconnected), 0, 0, NULL,
     "Do not connect the sockets: answers from other addresses are seen, as foreign"},
    {"one-way", ARGUMENT_FLAG, FIELD(one_way), 0, 0, NULL, "Expect no answers (with --rate)"},
    {"expect-all", ARGUMENT_FLAG, FIELD(expect_all), 0, 0, NULL,
     "Exit 1 unless every datagram was sent and answered, whole and in time"},
    {"json", ARGUMENT_FLAG, FIELD(json), 0, 0, NULL, "One JSON object on standard output"},
};

static const char text[] =
    "Send datagrams to a UDP service that echoes them, check every answer, and measure loss and "
    "round trips. The closed loop finds what a service can do, the open loop what it does to "
    "clients that do not wait; its round trips count from the intended time of sending."
    "\v"
    "Examples:\n"
    "  headless-bench send --to 127.0.0.1:12000\n"
    "  headless-bench send --to 10.0.0.7:12000,10.0.0.8:12000 --flows 64 \\\n"
    "      --size 64-1400 --count 200000 --expect-all\n"
    "  headless-bench send --to pod-0.headless:12000 --rate 50000/s \\\n"
    "      --duration 30s --json\n"
    "\n" BENCH_EXIT_TEXT;

static const char *check(void *given)
{
    struct send_options *o = given;

    if (!o->to_text)
        return "--to HOST:PORT is needed: where to send";
    if (o->rate && o->closed_loop)
        return "--rate is an open loop: leave out --closed-loop, or --rate";
    o->closed_loop = !o->rate;
    if (o->one_way && o->closed_loop)
        return "--one-way needs --rate: a closed loop lives on answers";
    if (!o->duration_ns && !o->count)
        o->duration_ns = 10 * NS_PER_SEC;
    return NULL;
}

static const char *check_all(void *given)
{
    static char sentence[128];
    struct send_options *o = given;
    const char *wrong = check(o);

    if (wrong)
        return wrong;
    wrong = sizes_parse(o->size_text, &o->sizes);
    if (wrong) {
        (void)snprintf(sentence, sizeof(sentence), "--size %.40s: %s", o->size_text, wrong);
        return sentence;
    }
    if (o->from_text && address_parse_ip(o->from_text, &o->from))
        return "--from must be an IP address without a port";
    return NULL;
}

static const struct argument_set set = {"send", text, rows, sizeof(rows) / sizeof(rows[0]),
                                        check_all};

void send_options_read(int argc, char **argv, struct send_options *ret_options)
{
    struct send_options o = {
        .size_text = "100",
        .flows = 1,
        .outstanding = 128,
        .burst = 16,
        .timeout_ns = 2 * NS_PER_SEC,
        .max_lateness_ns = 10 * NS_PER_MS,
    };
    char bad[ENDPOINT_TEXT_MAX];
    const char *wrong;

    randombytes_buf(&o.seed, sizeof(o.seed));
    argument_parse(&set, argc, argv, &o);
    wrong = endpoint_resolve_list(o.to_text, SEND_TARGETS_MAX, o.targets, &o.target_count, bad);
    if (wrong) {
        (void)fprintf(stderr, BENCH_PROGRAM " send: --to %s: %s\n", bad, wrong);
        exit(BENCH_EXIT_INVALID);
    }
    *ret_options = o;
}
