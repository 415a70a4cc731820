/* docs/metrics.md, generated from the lists of which /metrics is made. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/metric_renames.h"
#include "admin/number.h"
#include "document.h"

static const char head[] =
    "# Metrics\n"
    "\n"
    "<!-- Generated from the tables of metrics: headless-document metrics > docs/metrics.md -->\n"
    "\n"
    "`GET /metrics` on the admin port, in Prometheus' text format. Each name begins with "
    "`headlessd_`. `GET /status` has\n"
    "the same numbers as JSON, under the same names without that prefix: `counters`, `gauges`, "
    "`histograms`; a label's value is\n"
    "a key there. No label has a client's address.\n"
    "\n"
    "- Counters begin at 0 when the process starts and only grow.\n"
    "- The kernel's drops and the counters of the data threads are read while these threads work: "
    "sums that must add up\n"
    "  do so when no datagram is under way.\n"
    "- `process_...` are the metrics that Prometheus' client libraries have for every process, "
    "with this prefix.\n"
    "- A metric without a unit counts what its text names.\n"
    "- `members` in `/status` has the state of each connection: `heartbeat_age_ms`, the time since "
    "the member's last message, and\n"
    "  at the leader also `rtt_us`, the smoothed round-trip time of its heartbeats, and `lost`, "
    "the number of heartbeats without\n"
    "  a reply. Unknown values are left out: a follower knows them of its leader only, and no pod "
    "of itself.\n"
    "  `evidence` tells what shows the end of the leader's process before heartbeats are missing: "
    "`connection` (its kernel closes a\n"
    "  TCP connection; ICMP errors too), `refusal` (ICMP errors only) or `none` "
    "(`failover.on_refused: timeout`); at the leader, to that member.\n";

/* ---- queries ---- */

/* tests/cluster/test_prometheus.sh takes them from the document and sends them to a Prometheus that
 * scrapes three pods. */
static const struct {
    const char *title, *meaning, *promql, *result;
} queries[] = {
    {"All pods are scraped", "With the name of the job that scrapes them.",
     "min(up{job=\"headlessd\"})", "1"},
    {"Exactly one pod leads", "More than 1, even for a moment, must never occur.",
     "sum(headlessd_is_leader)", "1"},
    {"Every pod knows a leader", "", "min(headlessd_has_leader)", "1"},
    {"The ledger of requests closes",
     "Requests received minus requests accounted for, for each pod; `headlessd_ledger_requests` is "
     "the same, computed by the pod. More than 0 for a moment is what a thread is working on; more "
     "than 0 for long, or less than 0, is a bug.",
     "sum by (instance) ({__name__=~\"headlessd_datagrams_received_total|"
     "headlessd_relay_replayed_total\"})\n"
     "  - sum by (instance) ({__name__=~\"headlessd_datagrams_(delivered|relayed|dropped)_total|"
     "headlessd_control_messages_total|headlessd_datagrams_(held|queued)|"
     "headlessd_ordered_waiting\"})",
     "0"},
    {"The ledger of replies closes", "",
     "sum by (instance) (headlessd_replies_received_total)\n"
     "  - sum by (instance) ({__name__=~\"headlessd_replies_(sent|relayed|fenced|suppressed|"
     "dropped)_total\"})",
     "0"},
    {"The ledger of copies closes", "Routes `all` and `ordered`.",
     "sum by (instance) (headlessd_copies_total)\n"
     "  - sum by (instance) ({__name__=~\"headlessd_copies_(sent|dropped)_total\"})",
     "0"},
    {"Nothing is lost between pods",
     "Datagrams and copies relayed by all pods, minus datagrams received from other pods. Not "
     "after a pod was restarted or killed, nor when a kernel dropped something; a refused frame "
     "(reason `introduction`, `auth`, ...) counts as one datagram received.",
     "sum(headlessd_datagrams_relayed_total) + sum(headlessd_copies_sent_total)\n"
     "  - sum(headlessd_datagrams_received_total{socket=\"relay\"})",
     "0"},
    {"The kernel dropped nothing",
     "More than 0: the receive buffer is too small, or the pod is too slow.",
     "sum(headlessd_socket_drops_total)", "0"},
    {"Receive batches contain every datagram received", "",
     "headlessd_receive_batch_datagrams_sum - headlessd_receive_datagrams_total", "0"},
    {"GSO batches contain every datagram sent", "",
     "headlessd_send_gso_batch_datagrams_sum - headlessd_send_datagrams_total", "0"},
};

static void put_queries(FILE *out)
{
    (void)fputs("\n## Queries\n\nEach query has the value below it while no datagram is under way. "
                "`tests/cluster/test_prometheus.sh` takes them\nfrom here and sends them to a "
                "Prometheus that scrapes three pods.\n",
                out);
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
        (void)fprintf(out, "\n**%s.**%s%s\n\n```promql\n%s\n```\n\nis `%s`\n", queries[i].title,
                      *queries[i].meaning ? " " : "", queries[i].meaning, queries[i].promql,
                      queries[i].result);
}

/* ---- the metrics ---- */

static bool metric_ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);

    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static const char *unit_of(const char *metric)
{
    if (metric_ends_with(metric, "_seconds") || metric_ends_with(metric, "_seconds_total"))
        return "seconds";
    if (metric_ends_with(metric, "_bytes") || metric_ends_with(metric, "_bytes_total"))
        return "bytes";
    return strstr(metric, "datagrams") ? "datagrams" : "";
}

static void put_row(FILE *out, const char *metric, const char *type, const char *help)
{
    (void)fprintf(out, "| `%s` | %s | %s | %s", metric, type, unit_of(metric), help);
}

/* The values of a metric's label. Drop reasons have a table of their own; a label with one value is
 * the version's, which changes with each release. */
static void put_labels(FILE *out, const struct sample *samples, size_t count)
{
    if (count == 1 || count == DROP_REASON_COUNT)
        return;
    (void)fprintf(out, " (`%s`", samples[0].info.label);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || strcmp(samples[i].info.label_value, samples[i - 1].info.label_value) != 0)
            (void)fprintf(out, "%s%s", i ? ", " : ": ", samples[i].info.label_value);
    (void)fputs(")", out);
}

static size_t count_of_metric(const struct sample *samples, size_t count)
{
    size_t n = 1;

    while (n < count && strcmp(samples[n].info.metric, samples[0].info.metric) == 0)
        n++;
    return n;
}

static void put_metrics(FILE *out, const struct sample *samples, size_t count, bool counters)
{
    (void)fprintf(out, "\n## %s\n\n| metric | type | unit | |\n|---|---|---|---|\n",
                  counters ? "Counters" : "Gauges");
    for (size_t i = 0, n; i < count; i += n) {
        n = count_of_metric(&samples[i], count - i);
        if (sample_is_counter(&samples[i]) != counters)
            continue;
        put_row(out, samples[i].info.metric, counters ? "counter" : "gauge", samples[i].info.help);
        put_labels(out, &samples[i], n);
        (void)fputs(" |\n", out);
    }
}

static void put_histograms(FILE *out)
{
    char text[NUMBER_TEXT_MAX];

    (void)fputs("\n## Histograms\n\n`_bucket`, `_sum` and `_count`.\n\n"
                "| metric | type | unit | |\n|---|---|---|---|\n",
                out);
    for (size_t id = 0; id < DISTRIBUTION_COUNT; id++) {
        const struct distribution_info *info = &distribution_table[id];

        put_row(out, info->metric, "histogram", info->help);
        for (size_t i = 0; i <= distribution_bound_count((enum distribution_id)id); i++)
            (void)fprintf(out, "%s%s", i ? ", " : " (`le`: ",
                          number_format_bound((enum distribution_id)id, i, text));
        (void)fputs(") |\n", out);
    }
}

static void put_reasons(FILE *out)
{
    (void)fputs("\n## Drop reasons\n\nThe label `reason` of "
                "`datagrams_dropped_total` (requests), `replies_dropped_total` (replies) and\n"
                "`copies_dropped_total` (copies for other members).\n\n| reason | |\n|---|---|\n",
                out);
    for (size_t i = 0; i < DROP_REASON_COUNT; i++)
        (void)fprintf(out, "| `%s` | %s |\n", counter_describe(COUNTER_DROPPED + i).label_value,
                      drop_reason_prose((enum drop_reason)i));
}

static void put_metric_renames(FILE *out)
{
    (void)fputs("\n## Former names\n\nIn this version only, `/metrics` and `/status` have these "
                "metrics under both names; `/metrics` says `Deprecated\nalias of ...` in the help "
                "text. Label values keep their former spelling in this version.\n\n"
                "| former name | metric |\n|---|---|\n",
                out);
    for (size_t i = 0; i < metric_rename_count; i++)
        (void)fprintf(out, "| `%s` | `%s` |\n", metric_renames[i].was, metric_renames[i].is);
}

/* The samples of an empty snapshot in which every optional part exists. */
static size_t list_all(struct sample ret_samples[static SAMPLES_MAX])
{
    static const struct config config = {.route = CONFIG_ROUTE_ORDERED};
    static const struct leadership leadership;
    static const struct supervisor_report report;
    struct admin_snapshot reading = {
        .config = &config,
        .leadership = &leadership,
        .report = &report,
        .platform = {.is_on = true},
        .has_lease = true,
        .kubernetes = {.events = {.is_on = true}, .label = {.is_on = true}},
        .data_rcvbuf_bytes = 1,
        .relay_rcvbuf_bytes = 1,
        .peer_rcvbuf_bytes = 1,
        .process = {.resident_bytes = 1, .open_fds = 1, .max_fds = 1},
        .numbers = {.group_rcvbuf_bytes = 1, .app_rcvbuf_bytes = 1},
    };

    for (size_t verb = 0; verb < PLATFORM_VERB_COUNT; verb++)
        reading.platform.requests[verb][0] = 1;
    return samples_list(&reading, ret_samples);
}

void document_metrics(FILE *out)
{
    struct sample samples[SAMPLES_MAX];
    size_t count = list_all(samples);

    (void)fputs(head, out);
    put_queries(out);
    put_metrics(out, samples, count, true);
    put_metrics(out, samples, count, false);
    put_histograms(out);
    put_reasons(out);
    if (metric_rename_count > 0)
        put_metric_renames(out);
}
