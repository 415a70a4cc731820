/* The result of a trial, as text and as JSON. */
#include <stdio.h>

#include "headless/base/clock.h"
#include "report.h"
#include "sender.h"

#define COUNTER(name, prose) REPORT_ROW(struct send_counts, name, prose, false)
#define RARE(name, prose)    REPORT_ROW(struct send_counts, name, prose, true)

static const struct report_counter sending[] = {
    COUNTER(planned, "requested by rate, duration and count"),
    COUNTER(sent, "handed to the kernel"),
    COUNTER(sent_bytes, "payload bytes of these"),
    RARE(unsent, "refused by the kernel: firewall, size, no route"),
    RARE(unpaced, "not sent when the time was over"),
    RARE(refused, "ICMP errors returned: no socket there"),
    RARE(ungrouped, "GSO batches that the kernel refused: sent singly"),
    RARE(full, "waits for room in the send buffer"),
};

static const struct report_counter reply_counters[] = {
    COUNTER(received, "datagrams of any kind"),
    COUNTER(received_bytes, "payload bytes of these"),
    COUNTER(answered, "first replies, intact and in time"),
    COUNTER(late, "first replies after the timeout"),
    COUNTER(missing, "sent, without an intact reply"),
    COUNTER(duplicate, "further replies to an answered datagram"),
    RARE(stale, "too old to tell late from duplicate, or of an earlier step"),
    COUNTER(reordered, "of answered and late: overtaken within their flow"),
    COUNTER(corrupt, "altered"),
    RARE(misrouted, "intact, but of another flow"),
    COUNTER(foreign, "not of this run, or from another address"),
    COUNTER(own_drops, "dropped at this tool's own sockets"),
};

#define ROWS(table) (table), sizeof(table) / sizeof((table)[0])

const char *send_report_invalid(const struct sender *s)
{
    if (s->counts.sent == 0)
        return "nothing was sent";
    if (s->counts.unpaced)
        return "could not keep the pace: datagrams were left when the time was over";
    if (s->trial.rate && histogram_percentile(&s->lateness, 99) > s->options->max_lateness_ns)
        return "could not keep the pace: more than 1 % left later than --max-lateness";
    if (watch_find_ended(&s->watch))
        return "a watched process ended during the trial";
    return NULL;
}

static uint64_t send_report_sending_ns(const struct sender *s)
{
    return s->last_sent_ns > s->start_ns ? s->last_sent_ns - s->start_ns : 0;
}

static uint64_t send_report_reply_ns(const struct sender *s)
{
    return s->last_reply_ns > s->start_ns ? s->last_reply_ns - s->start_ns : 0;
}

void send_report_print_flows(const struct send_options *o)
{
    (void)printf("%llu flows, %s bytes, to", (unsigned long long)o->flows, o->size_text);
    for (unsigned i = 0; i < o->target_count; i++) {
        char text[ADDRESS_TEXT_MAX];

        (void)printf(" %s", address_format(&o->targets[i], text));
    }
    (void)putchar('\n');
}

static void print_mode(const struct sender *s)
{
    const struct send_options *o = s->options;

    if (o->closed_loop)
        (void)printf("closed loop, %llu outstanding", (unsigned long long)o->outstanding);
    else
        (void)printf("open loop, %llu/s%s", (unsigned long long)s->trial.rate,
                     o->one_way ? ", one way" : "");
    if (o->microburst > 1)
        (void)printf(", bursts of %llu", (unsigned long long)o->microburst);
    (void)printf(", ");
    send_report_print_flows(o);
}

void send_report_print(const struct sender *s)
{
    const char *invalid = send_report_invalid(s);

    (void)printf(BENCH_PROGRAM " send, run %016llx: ", (unsigned long long)s->run);
    print_mode(s);
    report_print_counters(ROWS(sending), &s->counts);
    if (!s->options->one_way)
        report_print_counters(ROWS(reply_counters), &s->counts);
    (void)printf("  %-14s %14.0f  datagrams a second, for %.3f s\n", "send rate",
                 report_rate(s->counts.sent, send_report_sending_ns(s)),
                 (double)send_report_sending_ns(s) / (double)NS_PER_SEC);
    if (s->counts.answered)
        (void)printf("  %-14s %14.0f  datagrams a second, for %.3f s\n", "reply rate",
                     report_rate(s->counts.answered, send_report_reply_ns(s)),
                     (double)send_report_reply_ns(s) / (double)NS_PER_SEC);
    (void)printf("  %-14s %14llu  bytes of receive buffer granted to each flow\n", "rcvbuf",
                 (unsigned long long)s->rcvbuf_bytes);
    report_print_durations("round trip", &s->round_trip);
    report_print_durations("lateness", &s->lateness);
    if (s->silence_ns)
        (void)printf("  %-14s %14.3f  ms: the longest time between two replies\n", "silence",
                     (double)s->silence_ns / (double)NS_PER_MS);
    watch_print(&s->watch, s->counts.sent);
    if (s->stops)
        (void)printf("  stopped by a signal\n");
    (void)printf("  %s%s\n", invalid ? "INVALID: " : "valid", invalid ? invalid : "");
}

static void add_targets(struct json_object *object, const struct send_options *o)
{
    struct json_object *to = json_object_new_array();

    for (unsigned i = 0; i < o->target_count; i++) {
        char text[ADDRESS_TEXT_MAX];

        (void)json_object_array_add(to,
                                    json_object_new_string(address_format(&o->targets[i], text)));
    }
    (void)json_object_object_add(object, "to", to);
}

void send_report_add_flows(struct json_object *object, const struct send_options *o)
{
    add_targets(object, o);
    report_add_number(object, "flows", o->flows);
    report_add_text(object, "size", o->size_text);
    report_add_number(object, "burst", o->burst);
    report_add_number(object, "microburst", o->microburst);
}

static void send_report_add_load(struct json_object *object, const struct sender *s)
{
    const struct send_options *o = s->options;
    char run[17];

    (void)snprintf(run, sizeof(run), "%016llx", (unsigned long long)s->run);
    report_add_text(object, "run", run);
    report_add_text(object, "mode", o->closed_loop ? "closed" : "open");
    send_report_add_flows(object, o);
    if (o->closed_loop)
        report_add_number(object, "outstanding", o->outstanding);
    else
        report_add_number(object, "rate", s->trial.rate);
    report_add_flag(object, "gso", s->gso);
    report_add_flag(object, "one_way", o->one_way);
    report_add_number(object, "timeout_ns", o->timeout_ns);
    report_add_number(object, "seed", o->seed);
    report_add_number(object, "rcvbuf_bytes", s->rcvbuf_bytes);
}

void send_report_json(const struct sender *s)
{
    struct json_object *object = report_create("send");
    struct json_object *counts = json_object_new_object();
    const char *invalid = send_report_invalid(s);

    send_report_add_load(object, s);
    report_add_flag(object, "valid", !invalid);
    report_add_text(object, "invalid", invalid);
    report_add_flag(object, "interrupted", s->stops > 0);
    report_add_real(object, "seconds", (double)send_report_sending_ns(s) / (double)NS_PER_SEC);
    report_add_real(object, "sent_per_second",
                    report_rate(s->counts.sent, send_report_sending_ns(s)));
    report_add_real(object, "answered_per_second",
                    report_rate(s->counts.answered, send_report_reply_ns(s)));
    report_add_counters(counts, ROWS(sending), &s->counts);
    report_add_counters(counts, ROWS(reply_counters), &s->counts);
    (void)json_object_object_add(object, "counts", counts);
    report_add_durations(object, "round_trip_ns", &s->round_trip);
    report_add_durations(object, "lateness_ns", &s->lateness);
    report_add_number(object, "silence_ns", s->silence_ns);
    report_add_curve(object, "round_trip_curve", &s->round_trip);
    watch_add_json(object, &s->watch, s->counts.sent);
    report_finish(object);
}
