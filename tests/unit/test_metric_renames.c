/* Metrics that were renamed: /metrics and /status have the number under both names. */
#include <criterion/criterion.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/documents.h"
#include "admin_fixture.h"

static struct identity identity;
static struct leader_snapshot leadership;
static struct supervisor_report report;
static struct admin_snapshot snapshot;
static char *text;
static size_t length;

/* Each number is another one, so that a pair of wrong names does not agree by chance. */
static void fill_snapshot(void)
{
    leadership.cause = "";
    snapshot = (struct admin_snapshot){
        .config = &config, .report = &report, .identity = &identity, .leadership = &leadership};
    for (size_t i = 0; i < COUNTER_COUNT; i++)
        snapshot.numbers.counters[i] = 1000 + i;
    atomic_init(&report.is_volatile, 1);
    atomic_init(&report.authenticated, 7);
    for (size_t id = 0; id < DISTRIBUTION_COUNT; id++) {
        snapshot.numbers.distributions[id].buckets[0] = 70 + id;
        snapshot.numbers.distributions[id].sum = 700 + id;
    }
}

static void free_text(void)
{
    free(text);
}

TestSuite(metric_renames, .init = fill_snapshot, .fini = free_text, .timeout = 30);
TestSuite(metric_renames_http, .init = setup, .fini = teardown, .timeout = 60);

/* As /metrics of the version before had them, up to the value. */
static const struct {
    const char *was, *is;
} lines[] = {
    {"answers_received_total{from=\"app\"}", "replies_received_total{from=\"app\"}"},
    {"answers_received_total{from=\"relay\"}", "replies_received_total{from=\"relay\"}"},
    {"answers_withheld_total", "replies_withheld_total"},
    {"election_is_fresh", "election_is_volatile"},
    {"introductions_total", "handshakes_total"},
    {"ledger_answers", "ledger_replies"},
    {"members_introduced", "members_authenticated"},
    {"receive_trains_total", "receive_gro_batches_total"},
    {"send_trains_total", "send_gso_batches_total"},
    {"send_train_datagrams_bucket{le=\"1\"}", "send_gso_batch_datagrams_bucket{le=\"1\"}"},
    {"send_train_datagrams_sum", "send_gso_batch_datagrams_sum"},
    {"send_train_datagrams_count", "send_gso_batch_datagrams_count"},
};

/* The value of the one line that begins so. */
static long long value_of(const char *name)
{
    char start[128];
    const char *at;

    (void)snprintf(start, sizeof(start), "\nheadlessd_%s ", name);
    at = strstr(text, start);
    cr_assert_not_null(at, "no %s", name);
    cr_assert_null(strstr(at + 1, start), "%s twice", name);
    return strtoll(at + strlen(start), NULL, 10);
}

Test(metric_renames, metrics_have_both_names_with_one_value)
{
    text = admin_document_metrics(&snapshot, &length);
    cr_assert_not_null(text);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        cr_expect_neq(value_of(lines[i].is), 0, "%s", lines[i].is);
        cr_expect_eq(value_of(lines[i].was), value_of(lines[i].is), "%s", lines[i].was);
    }
}

Test(metric_renames, alias_has_the_type_and_names_the_metric_in_its_help)
{
    text = admin_document_metrics(&snapshot, &length);
    cr_assert_not_null(text);
    cr_expect_not_null(strstr(text, "\n# HELP headlessd_answers_received_total Deprecated alias of "
                                    "headlessd_replies_received_total\n"
                                    "# TYPE headlessd_answers_received_total counter\n"
                                    "headlessd_answers_received_total{from=\"app\"} "));
    cr_expect_not_null(strstr(text, "\n# HELP headlessd_ledger_answers Deprecated alias of "
                                    "headlessd_ledger_replies\n"
                                    "# TYPE headlessd_ledger_answers gauge\n"));
    cr_expect_not_null(strstr(text, "\n# HELP headlessd_send_train_datagrams Deprecated alias of "
                                    "headlessd_send_gso_batch_datagrams\n"
                                    "# TYPE headlessd_send_train_datagrams histogram\n"));
}

static int64_t at(struct json_object *object, const char *a, const char *b, const char *c)
{
    const char *const keys[] = {a, b, c};

    for (size_t i = 0; i < 3 && keys[i]; i++)
        cr_assert(json_object_object_get_ex(object, keys[i], &object), "no %s", keys[i]);
    return json_object_get_int64(object);
}

static void expect_both(struct json_object *status, const char *group, const char *was,
                        const char *is, const char *key)
{
    cr_expect_neq(at(status, group, is, key), 0, "%s", is);
    cr_expect_eq(at(status, group, was, key), at(status, group, is, key), "%s", was);
}

Test(metric_renames, status_has_both_keys_with_one_value)
{
    struct json_object *status;

    text = admin_document_status(&snapshot, &length);
    cr_assert_not_null(text);
    status = json_tokener_parse(text);
    cr_assert_not_null(status);
    expect_both(status, "counters", "answers_received_total", "replies_received_total", "app");
    expect_both(status, "counters", "answers_withheld_total", "replies_withheld_total", NULL);
    expect_both(status, "counters", "introductions_total", "handshakes_total", NULL);
    expect_both(status, "counters", "receive_trains_total", "receive_gro_batches_total", NULL);
    expect_both(status, "counters", "send_trains_total", "send_gso_batches_total", NULL);
    expect_both(status, "gauges", "election_is_fresh", "election_is_volatile", NULL);
    expect_both(status, "gauges", "ledger_answers", "ledger_replies", NULL);
    expect_both(status, "gauges", "members_introduced", "members_authenticated", NULL);
    expect_both(status, "histograms", "send_train_datagrams", "send_gso_batch_datagrams", "sum");
    expect_both(status, "ledger", "answers", "replies", NULL);
    (void)json_object_put(status);
}

static uint64_t lines_written(void)
{
    return log_count().written[LOG_LEVEL_INFO];
}

Test(metric_renames_http, first_scrape_logs_the_renames_once)
{
    uint64_t before;

    start();
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    before = lines_written();
    cr_assert_eq(get("/status"), 200);
    cr_expect_eq(lines_written(), before);
    cr_assert_eq(get("/metrics"), 200);
    cr_expect_eq(lines_written(), before + 1);
    cr_assert_eq(get("/metrics"), 200);
    cr_expect_eq(lines_written(), before + 1);
}
