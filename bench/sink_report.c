/* The sink's result, as text and as JSON. */
#include <stdio.h>

#include "headless/base/clock.h"
#include "report.h"
#include "sink.h"

#define COUNTER(name, prose) REPORT_ROW(struct sink_counts, name, prose, false)
#define RARE(name, prose)    REPORT_ROW(struct sink_counts, name, prose, true)

static const struct report_counter counters[] = {
    COUNTER(received, "datagrams of any kind"),
    COUNTER(received_bytes, "payload bytes of these"),
    COUNTER(unique, "intact, and the first with their number"),
    COUNTER(duplicate, "seen before"),
    RARE(stale, "too old to tell unique from duplicate"),
    COUNTER(reordered, "of unique: overtaken within their flow"),
    COUNTER(missing, "gaps between the first and the last of each flow"),
    COUNTER(corrupt, "altered"),
    COUNTER(foreign, "not from headless-bench send"),
    RARE(untracked, "of more flows than the table holds"),
    RARE(asked, "requests for the count of a run, replied to"),
    COUNTER(echoed, "replies handed to the kernel"),
    RARE(unanswered, "not echoed: refused by the kernel, or a forbidden port"),
    COUNTER(own_drops, "dropped at this tool's own socket"),
};

#define COUNTER_COUNT (sizeof(counters) / sizeof(counters[0]))

static uint64_t receiving_ns(const struct sink *s)
{
    return s->last_ns - s->first_ns;
}

void sink_report_print(const struct sink *s)
{
    char text[ADDRESS_TEXT_MAX];

    (void)printf(BENCH_PROGRAM " sink on %s: %u flows%s\n", address_format(&s->local, text),
                 s->tracker.flows, s->options->echo ? ", echo" : "");
    report_print_counters(counters, COUNTER_COUNT, &s->counts);
    (void)printf("  %-14s %14.0f  datagrams a second, for %.3f s\n", "rate",
                 report_rate(s->counts.received, receiving_ns(s)),
                 (double)receiving_ns(s) / (double)NS_PER_SEC);
    (void)printf("  %-14s %14llu  bytes of receive buffer granted\n", "rcvbuf",
                 (unsigned long long)s->rcvbuf_bytes);
    report_print_durations("one way", &s->one_way);
    watch_print(&s->watch, s->counts.received);
}

void sink_report_json(const struct sink *s)
{
    struct json_object *object = report_create("sink");
    struct json_object *counts = json_object_new_object();
    char text[ADDRESS_TEXT_MAX];

    report_add_text(object, "listen", address_format(&s->local, text));
    report_add_flag(object, "echo", s->options->echo);
    report_add_number(object, "flows", s->tracker.flows);
    report_add_number(object, "rcvbuf_bytes", s->rcvbuf_bytes);
    report_add_real(object, "seconds", (double)receiving_ns(s) / (double)NS_PER_SEC);
    report_add_real(object, "received_per_second",
                    report_rate(s->counts.received, receiving_ns(s)));
    report_add_counters(counts, counters, COUNTER_COUNT, &s->counts);
    (void)json_object_object_add(object, "counts", counts);
    report_add_durations(object, "one_way_ns", &s->one_way);
    report_add_curve(object, "one_way_curve", &s->one_way);
    watch_add_json(object, &s->watch, s->counts.received);
    report_finish(object);
}
