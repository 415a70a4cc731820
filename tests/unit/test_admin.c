/* The documents of the admin port, rendered from snapshots made by hand; their server: test_admin_http
 */
#include <criterion/criterion.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/documents.h"
#include "document/document.h"

#define SEC UINT64_C(1000000000)

static struct config config;
static struct identity identity;
static struct leadership leadership;
static struct data_keys published_keys;
static struct admin_snapshot snapshot;
static struct supervisor_report report;
static char *text;
static size_t length;

static void add_member(const char *ip, const char *name, uint64_t instance)
{
    struct member *member = &leadership.members[leadership.member_count++];

    cr_assert_eq(address_parse_ip(ip, &member->address), 0);
    (void)snprintf(member->name, sizeof(member->name), "%s", name);
    member->instance = instance;
    member->member_index = instance ? (uint16_t)(leadership.member_count - 1) : MEMBER_INDEX_NONE;
}

static void lead(enum leader_kind kind, const char *address, const char *name)
{
    leadership.kind = kind;
    cr_assert_eq(address_parse(address, 0, &leadership.address), 0);
    (void)snprintf(leadership.name, sizeof(leadership.name), "%s", name);
}

/* pod-2 of three, 90 s old; pod-1 leads; pod-3 is only known by address. */
static void setup(void)
{
    struct leader_history history = {0};

    (void)snprintf(config.cluster, sizeof(config.cluster), "headless");
    identity.instance = 0xa2;
    cr_assert_eq(address_parse_ip("10.0.0.2", &identity.self), 0);
    (void)snprintf(identity.name, sizeof(identity.name), "pod-2");
    leadership.term = 7;
    leadership.cause = "command";
    atomic_init(&leadership.valid_until_ns, SNAPSHOT_NO_EXPIRY);
    add_member("10.0.0.1", "pod-1", 0xa1);
    add_member("10.0.0.2", "pod-2", 0xa2);
    add_member("10.0.0.3", "", 0);
    lead(LEADER_MEMBER, "10.0.0.1", "pod-1");
    leader_history_begin(&history, 40 * SEC, 0, 6);
    leader_history_begin(&history, 85 * SEC, 35 * SEC / 1000, 7);
    leader_history_put(&history, &leadership);
    atomic_init(&report.state, ELECTION_FOLLOWER);
    atomic_init(&report.votes, 2);
    atomic_init(&report.alive, 2);
    atomic_init(&report.unconfirmed, 17);
    atomic_init(&report.gap_ns, 250 * SEC / 1000);
    atomic_init(&report.peers[0].state, ELECTION_MEMBER_LEADER);
    atomic_init(&report.peers[1].state, ELECTION_MEMBER_SELF);
    snapshot =
        (struct admin_snapshot){.config = &config,
                                .report = &report,
                                .identity = &identity,
                                .leadership = &leadership,
                                .keys = &published_keys,
                                .history = history,
                                .data_rcvbuf_bytes = 212992,
                                .relay_rcvbuf_bytes = 425984,
                                .now_ns = 100 * SEC,
                                .uptime_ns = 90 * SEC,
                                .is_ready = true,
                                .readiness = "ready",
                                .last_reload_succeeded = true,
                                .config_loaded_s = 1700000000,
                                .reloads = 5,
                                .reloads_refused = 3,
                                .connections = {.open = 9, .shed = 8, .expired = 6},
                                .log = {.written = {1, 2, 30, 0}, .suppressed = 7, .failed = 4},
                                .started_s = 1795749061,
                                .process = {.cpu_ns = 1250 * SEC / 1000,
                                            .resident_bytes = 5 << 20,
                                            .open_fds = 31,
                                            .max_fds = 1024},
                                .wall_ns = 1795749151042000000}; /* 2026-11-27T03:12:31.042Z */
    snapshot.log.queued = 5;
}

static void teardown(void)
{
    free(text);
}

TestSuite(admin, .init = setup, .fini = teardown, .timeout = 30);

/* ---- metrics ---- */

static size_t occurrences(const char *needle)
{
    size_t n = 0;

    for (const char *at = text; (at = strstr(at, needle)); at++)
        n++;
    return n;
}

static __attribute__((format(printf, 1, 2))) void assert_line(const char *format, ...)
{
    char line[256] = "\n";
    va_list args;

    va_start(args, format);
    (void)vsnprintf(line + 1, sizeof(line) - 2, format, args);
    va_end(args);
    (void)strcat(line, "\n");
    cr_assert_eq(occurrences(line), 1, "not once: %s", line);
}

static void render_metrics(void)
{
    text = admin_document_metrics(&snapshot, &length);
    cr_assert_not_null(text);
    cr_assert_eq(strlen(text), length);
}

Test(admin, metrics_have_help_and_type_once_before_their_samples)
{
    struct sample samples[SAMPLES_MAX];
    size_t count = samples_list(&snapshot, samples);

    render_metrics();
    cr_assert_leq(count, SAMPLES_MAX);
    for (size_t i = 0; i < count; i++) {
        const char *metric = samples[i].info.metric;
        char help[128], type[128];

        (void)snprintf(help, sizeof(help), "# HELP headlessd_%s ", metric);
        (void)snprintf(type, sizeof(type), "\n# TYPE headlessd_%s %s\nheadlessd_%s", metric,
                       sample_is_counter(&samples[i]) ? "counter" : "gauge", metric);
        cr_assert_eq(occurrences(help), 1, "%s", help);
        cr_assert_eq(occurrences(type), 1, "%s", type);
    }
}

Test(admin, metrics_are_lines_of_the_text_format)
{
    char *line, *rest;

    render_metrics();
    cr_assert_eq(text[length - 1], '\n');
    rest = text;
    while ((line = strsep(&rest, "\n")) && rest) {
        char name[128], end;
        double value;

        if (strncmp(line, "# HELP headlessd_", 17) == 0 ||
            strncmp(line, "# TYPE headlessd_", 17) == 0)
            continue;
        cr_assert_eq(sscanf(line, "headlessd_%127s %lf%c", name, &value, &end), 2, "%s", line);
    }
}

Test(admin, metrics_have_every_counter)
{
    for (size_t i = 0; i < COUNTER_COUNT; i++)
        snapshot.numbers.counters[i] = 1000 + i;
    render_metrics();
    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        const struct counter_info info = counter_describe(i);

        if (info.label[0])
            assert_line("headlessd_%s{%s=\"%s\"} %zu", info.metric, info.label, info.label_value,
                        1000 + i);
        else
            assert_line("headlessd_%s %zu", info.metric, 1000 + i);
    }
}

Test(admin, metrics_have_every_gauge)
{
    snapshot.numbers.held = 11;
    snapshot.numbers.queued = 12;
    snapshot.numbers.sessions = 13;
    snapshot.numbers.data_kernel_drops = 14;
    snapshot.numbers.relay_kernel_drops = 15;
    snapshot.numbers.group_kernel_drops = 16;
    snapshot.peer_kernel_drops = 17;
    snapshot.numbers.app_kernel_drops = 18;
    snapshot.numbers.group_rcvbuf_bytes = 4096;
    snapshot.peer_rcvbuf_bytes = 8192;
    snapshot.numbers.groups = 2;
    snapshot.numbers.counters[COUNTER_RECEIVED_DATA] = 23;
    snapshot.numbers.counters[COUNTER_REPLIES_SENT] = 2;
    render_metrics();
    assert_line("headlessd_datagrams_held 11");
    assert_line("headlessd_datagrams_queued 12");
    assert_line("headlessd_sessions 13");
    assert_line("headlessd_socket_drops_total{socket=\"data\"} 14");
    assert_line("headlessd_socket_drops_total{socket=\"relay\"} 15");
    assert_line("headlessd_socket_drops_total{socket=\"multicast\"} 16");
    assert_line("headlessd_socket_drops_total{socket=\"peer\"} 17");
    assert_line("headlessd_socket_drops_total{socket=\"app\"} 18");
    assert_line("headlessd_multicast_groups 2");
    assert_line("headlessd_socket_rcvbuf_bytes{socket=\"multicast\"} 4096");
    assert_line("headlessd_socket_rcvbuf_bytes{socket=\"peer\"} 8192");
    cr_assert_eq(occurrences("headlessd_socket_rcvbuf_bytes{socket=\"app\"}"), 0, "there is none");
    assert_line("headlessd_socket_rcvbuf_bytes{socket=\"data\"} 212992");
    assert_line("headlessd_socket_rcvbuf_bytes{socket=\"relay\"} 425984");
    assert_line("headlessd_ledger_requests 0");
    assert_line("headlessd_ledger_replies -2");
    assert_line("headlessd_is_leader 0");
    assert_line("headlessd_has_leader 1");
    assert_line("headlessd_term 7");
    assert_line("headlessd_members{state=\"leader\"} 1");
    assert_line("headlessd_members{state=\"self\"} 1");
    assert_line("headlessd_members{state=\"dead\"} 1"); /* configured, never seen */
    assert_line("headlessd_members{state=\"alive\"} 0");
    assert_line("headlessd_members_alive 2");
    assert_line("headlessd_election_state{state=\"follower\"} 1");
    assert_line("headlessd_election_state{state=\"leader\"} 0");
    assert_line("headlessd_election_votes_needed 2");
    assert_line("headlessd_tos_carried 0");
    assert_line("headlessd_relay_unconfirmed 17");
    assert_line("headlessd_leader_gap_seconds 0.25");
    assert_line("headlessd_uptime_seconds 90");
    assert_line("headlessd_config_last_reload_successful 1");
    assert_line("headlessd_config_last_reload_success_timestamp_seconds 1700000000");
    assert_line("headlessd_config_reloads_total 5");
    assert_line("headlessd_config_reloads_refused_total 3");
    assert_line("headlessd_log_lines_total{level=\"warn\"} 2");
    assert_line("headlessd_log_lines_total{level=\"info\"} 30");
    assert_line("headlessd_admin_connections 9");
    assert_line("headlessd_admin_connections_shed_total 8");
    assert_line("headlessd_admin_connections_expired_total 6");
    assert_line("headlessd_log_lines_suppressed_total 7");
    assert_line("headlessd_log_lines_failed_total 4");
    assert_line("headlessd_log_lines_queued 5");
    assert_line("headlessd_build_info{version=\"" HEADLESS_VERSION "\"} 1");
}

Test(admin, metrics_have_the_usage_of_the_process)
{
    render_metrics();
    assert_line("# TYPE headlessd_process_cpu_seconds_total counter");
    assert_line("headlessd_process_cpu_seconds_total 1.25");
    assert_line("headlessd_process_resident_memory_bytes 5242880");
    assert_line("headlessd_process_open_fds 31");
    assert_line("headlessd_process_max_fds 1024");
    assert_line("headlessd_process_start_time_seconds 1795749061");
}

Test(admin, unknown_usage_of_the_process_is_left_out)
{
    snapshot.process = (struct process_usage){0};
    render_metrics();
    assert_line("headlessd_process_cpu_seconds_total 0");
    cr_assert_eq(occurrences("_fds"), 0);
    cr_assert_eq(occurrences("resident"), 0);
}

Test(admin, refused_reload_is_shown)
{
    snapshot.last_reload_succeeded = false;
    render_metrics();
    assert_line("headlessd_config_last_reload_successful 0");
}

Test(admin, a_counter_at_its_end_is_a_number)
{
    snapshot.numbers.counters[COUNTER_BYTES_DATA] = UINT64_MAX;
    render_metrics();
    assert_line("headlessd_received_bytes_total{socket=\"data\"} 18446744073709551615");
}

Test(admin, requests_to_the_api_server_have_two_labels)
{
    snapshot.platform.is_on = true;
    snapshot.platform.is_up = true;
    snapshot.platform.requests[PLATFORM_LIST][0] = 2;
    snapshot.platform.requests[PLATFORM_WATCH][PLATFORM_CODES - 1] = 3;
    snapshot.platform.restarts[PLATFORM_RESTART_EXPIRED] = 4;
    render_metrics();
    assert_line("headlessd_api_requests_total{verb=\"list\",code=\"200\"} 2");
    assert_line("headlessd_api_requests_total{verb=\"watch\",code=\"none\"} 3");
    assert_line("headlessd_watch_restarts_total{why=\"expired\"} 4");
    assert_line("headlessd_api_up 1");
}

Test(admin, labels_and_help_are_escaped)
{
    const struct sample sample = {
        .type = SAMPLE_COUNTER,
        .info = {"odd_total", "label", "a\"b\\c\nd", "one \\ \"two\"\nlines"},
        .value = 5};
    FILE *out = open_memstream(&text, &length);

    metrics_put(out, &sample, true);
    metrics_put(out, &sample, false);
    (void)fclose(out);
    cr_assert_str_eq(text, "# HELP headlessd_odd_total one \\\\ \"two\"\\nlines\n"
                           "# TYPE headlessd_odd_total counter\n"
                           "headlessd_odd_total{label=\"a\\\"b\\\\c\\nd\"} 5\n"
                           "headlessd_odd_total{label=\"a\\\"b\\\\c\\nd\"} 5\n");
}

static void spread(void)
{
    struct distribution_sum *batches = &snapshot.numbers.distributions[DISTRIBUTION_RECEIVE_BATCH];
    struct distribution_sum *beats = &snapshot.numbers.distributions[DISTRIBUTION_HEARTBEAT];

    batches->buckets[0] = 6; /* of 1 */
    batches->buckets[2] = 3; /* of 3 or 4 */
    batches->buckets[12] = 1;
    batches->sum = 6 + 12 + 5000;
    beats->buckets[1] = 2;
    beats->sum = 150000;
}

Test(admin, histograms_are_cumulative_and_their_last_bucket_has_all)
{
    spread();
    render_metrics();
    assert_line("# TYPE headlessd_receive_batch_datagrams histogram");
    assert_line("headlessd_receive_batch_datagrams_bucket{le=\"1\"} 6");
    assert_line("headlessd_receive_batch_datagrams_bucket{le=\"2\"} 6");
    assert_line("headlessd_receive_batch_datagrams_bucket{le=\"4\"} 9");
    assert_line("headlessd_receive_batch_datagrams_bucket{le=\"4096\"} 9");
    assert_line("headlessd_receive_batch_datagrams_bucket{le=\"+Inf\"} 10");
    assert_line("headlessd_receive_batch_datagrams_sum 5018");
    assert_line("headlessd_receive_batch_datagrams_count 10");
    assert_line("headlessd_heartbeat_round_trip_seconds_bucket{le=\"0.00005\"} 0");
    assert_line("headlessd_heartbeat_round_trip_seconds_bucket{le=\"0.0001\"} 2");
    assert_line("headlessd_heartbeat_round_trip_seconds_bucket{le=\"1\"} 2");
    assert_line("headlessd_heartbeat_round_trip_seconds_sum 0.00015");
    assert_line("headlessd_time_in_hold_seconds_sum 0");
    assert_line("headlessd_time_in_hold_seconds_count 0");
}

/* The page is rendered from the same lists: what is missed there is missed here. */
Test(admin, the_document_has_each_metric_once)
{
    struct sample samples[SAMPLES_MAX];
    size_t count = samples_list(&snapshot, samples);
    FILE *out = open_memstream(&text, &length);
    char row[128];

    document_metrics(out);
    (void)fclose(out);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(row, sizeof(row), "| `%s` | %s |", samples[i].info.metric,
                       sample_is_counter(&samples[i]) ? "counter" : "gauge");
        cr_assert_eq(occurrences(row), 1, "%s", row);
    }
    for (size_t id = 0; id < DISTRIBUTION_COUNT; id++) {
        (void)snprintf(row, sizeof(row), "| `%s` | histogram |", distribution_table[id].metric);
        cr_assert_eq(occurrences(row), 1, "%s", row);
    }
    cr_assert_eq(occurrences("| `leader_gap_seconds` | gauge | seconds |"), 1);
    cr_assert_eq(occurrences("| `received_bytes_total` | counter | bytes |"), 1);
    cr_assert_eq(occurrences("| `process_cpu_seconds_total` | counter | seconds |"), 1);
    cr_assert_eq(occurrences("(`socket`: data, relay, multicast)"), 2);
    cr_assert_eq(occurrences("| `ordered_waiting` | gauge |"), 1, "also what not every pod has");
    cr_assert_eq(occurrences("socket`: data, multicast, relay, app, peer)"), 2);
    cr_assert_eq(occurrences("| `hold_expired` | held for longer than hold.time |"), 1);
}

/* ---- leader ---- */

#define LEADER_LIST                                                                    \
    "\"leader_list\":["                                                                \
    "{\"address\":\"10.0.0.1\",\"name\":\"pod-1\",\"instance\":\"00000000000000a1\"}," \
    "{\"address\":\"10.0.0.2\",\"name\":\"pod-2\",\"instance\":\"00000000000000a2\"}," \
    "{\"address\":\"10.0.0.3\",\"name\":\"\",\"instance\":\"\"}],"
#define ME(role)                                                                             \
    "\"me\":{\"address\":\"10.0.0.2\",\"name\":\"pod-2\",\"instance\":\"00000000000000a2\"," \
    "\"role\""                                                                               \
    ":\"" role "\"}}\n"

static void assert_leader_page(const char *leader, const char *me)
{
    char expected[1024];

    text = admin_document_leader(&snapshot, &length);
    cr_assert_not_null(text);
    cr_assert_eq(strlen(text), length);
    (void)snprintf(expected, sizeof(expected),
                   "{\"leader\":%s,\"term\":7,\"cause\":\"command\"," LEADER_LIST "%s", leader, me);
    cr_assert_str_eq(text, expected);
}

Test(admin, leader_is_another_member)
{
    cr_assert(admin_snapshot_has_leader(&snapshot) && !admin_snapshot_is_leader(&snapshot));
    assert_leader_page(
        "{\"address\":\"10.0.0.1\",\"name\":\"pod-1\",\"instance\":\"00000000000000a1\"}",
        ME("follower"));
}

Test(admin, leader_is_a_member_of_unknown_instance)
{
    lead(LEADER_MEMBER, "10.0.0.3", "");
    assert_leader_page("{\"address\":\"10.0.0.3\",\"name\":\"\",\"instance\":\"\"}",
                       ME("follower"));
}

Test(admin, leader_is_this_pod)
{
    lead(LEADER_SELF, "10.0.0.2", "pod-2");
    cr_assert(admin_snapshot_has_leader(&snapshot) && admin_snapshot_is_leader(&snapshot));
    assert_leader_page(
        "{\"address\":\"10.0.0.2\",\"name\":\"pod-2\",\"instance\":\"00000000000000a2\"}",
        ME("leader"));
}

Test(admin, leader_is_outside_and_has_its_port)
{
    lead(LEADER_OUTSIDE, "192.0.2.9:9100", "");
    assert_leader_page("{\"address\":\"192.0.2.9:9100\",\"name\":\"\",\"instance\":\"\"}",
                       ME("follower"));
}

Test(admin, no_leader_is_null)
{
    leadership.kind = LEADER_NONE;
    leadership.address = (struct address){0};
    cr_assert(!admin_snapshot_has_leader(&snapshot) && !admin_snapshot_is_leader(&snapshot));
    assert_leader_page("null", ME("follower"));
}

Test(admin, expired_leader_is_not_shown_as_leader)
{
    lead(LEADER_SELF, "10.0.0.2", "pod-2");
    atomic_store_explicit(&leadership.valid_until_ns, snapshot.now_ns, memory_order_relaxed);
    cr_assert(!admin_snapshot_has_leader(&snapshot) && !admin_snapshot_is_leader(&snapshot));
    assert_leader_page("null", ME("follower"));
}

/* ---- status ---- */

static struct json_object *parse_status(void)
{
    struct json_object *status;

    text = admin_document_status(&snapshot, &length);
    cr_assert_not_null(text);
    cr_assert_eq(strlen(text), length);
    status = json_tokener_parse(text);
    cr_assert_not_null(status, "%s", text);
    return status;
}

/* The number at a path of up to three keys. */
static int64_t at(struct json_object *object, const char *a, const char *b, const char *c)
{
    const char *const keys[] = {a, b, c};

    for (size_t i = 0; i < 3 && keys[i]; i++)
        cr_assert(json_object_object_get_ex(object, keys[i], &object), "no %s", keys[i]);
    return json_object_get_int64(object);
}

static void assert_members(struct json_object *status)
{
    static const char *const states[] = {"leader", "self", "dead"};
    struct json_object *list, *state;

    cr_assert(json_object_object_get_ex(status, "members", &list));
    cr_assert_eq(json_object_array_length(list), 3);
    for (size_t i = 0; i < 3; i++) {
        cr_assert(json_object_object_get_ex(json_object_array_get_idx(list, i), "state", &state));
        cr_assert_str_eq(json_object_get_string(state), states[i]);
    }
}

Test(admin, status_has_its_keys)
{
    static const char *const keys[] = {
        "version",       "cluster", "leader",         "term",     "cause",  "me",
        "leader_list",   "members", "uptime_seconds", "ready",    "ledger", "counters",
        "gauges",        "state",   "confined",       "keys",     "time",   "changes",
        "leader_age_ms", "options", "histograms",     "readiness"};
    struct json_object *status = parse_status();

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        cr_assert(json_object_object_get_ex(status, keys[i], NULL), "no %s", keys[i]);
    cr_assert_eq(json_object_object_length(status), (int)(sizeof(keys) / sizeof(keys[0])));
    assert_members(status);
    cr_assert_eq(at(status, "uptime_seconds", NULL, NULL), 90);
    cr_assert_eq(at(status, "ready", NULL, NULL), 1);
    cr_assert_eq(at(status, "confined", NULL, NULL), 0);
    (void)json_object_put(status);
}

static struct json_object *member_of(struct json_object *status, size_t index)
{
    struct json_object *list;

    cr_assert(json_object_object_get_ex(status, "members", &list));
    return json_object_array_get_idx(list, index);
}

static void assert_no_pulse(struct json_object *member)
{
    cr_assert_not(json_object_object_get_ex(member, "heartbeat_age_ms", NULL));
    cr_assert_not(json_object_object_get_ex(member, "rtt_us", NULL));
    cr_assert_not(json_object_object_get_ex(member, "lost", NULL));
}

static void assert_evidence(struct json_object *status, const char *expected)
{
    struct json_object *evidence;

    cr_assert(json_object_object_get_ex(member_of(status, 0), "evidence", &evidence));
    cr_assert_str_eq(json_object_get_string(evidence), expected);
    cr_assert_not(json_object_object_get_ex(member_of(status, 2), "evidence", NULL));
}

Test(admin, follower_has_the_age_of_the_last_heartbeat)
{
    struct json_object *status;

    atomic_init(&report.peers[0].heard_ns, snapshot.now_ns - 120 * SEC / 1000);
    atomic_init(&report.peers[1].heard_ns, snapshot.now_ns); /* this pod's own: never told */
    status = parse_status();
    cr_assert_eq(at(member_of(status, 0), "heartbeat_age_ms", NULL, NULL), 120);
    assert_evidence(status, "refusal");
    cr_assert_not(json_object_object_get_ex(member_of(status, 0), "rtt_us", NULL));
    cr_assert_not(json_object_object_get_ex(member_of(status, 0), "lost", NULL));
    assert_no_pulse(member_of(status, 1));
    assert_no_pulse(member_of(status, 2));
    (void)json_object_put(status);
    atomic_init(&report.peers[0].is_connected, true);
    free(text);
    status = parse_status();
    assert_evidence(status, "connection");
    (void)json_object_put(status);
}

Test(admin, leader_has_round_trips_and_losses)
{
    struct json_object *status;

    atomic_init(&report.peers[0].heard_ns, snapshot.now_ns + 1); /* while the page was made */
    atomic_init(&report.peers[0].rtt_ns, 83400);
    atomic_init(&report.peers[0].is_asked, true);
    status = parse_status();
    cr_assert_eq(at(member_of(status, 0), "heartbeat_age_ms", NULL, NULL), 0);
    cr_assert_eq(at(member_of(status, 0), "rtt_us", NULL, NULL), 83);
    cr_assert_eq(at(member_of(status, 0), "lost", NULL, NULL), 0);
    (void)json_object_put(status);
    atomic_init(&report.peers[0].lost, 5);
    free(text);
    status = parse_status();
    cr_assert_eq(at(member_of(status, 0), "lost", NULL, NULL), 5);
    (void)json_object_put(status);
}

Test(admin, status_lists_the_last_leaders_with_their_times)
{
    struct json_object *status = parse_status(), *changes, *time;

    cr_assert_eq(at(status, "leader_age_ms", NULL, NULL), 15000);
    cr_assert(json_object_object_get_ex(status, "time", &time));
    cr_assert_str_eq(json_object_get_string(time), "2026-11-27T03:12:31.042Z");
    cr_assert(json_object_object_get_ex(status, "changes", &changes));
    cr_assert_eq(json_object_array_length(changes), 2);
    cr_assert_str_eq(json_object_to_json_string_ext(json_object_array_get_idx(changes, 0),
                                                    JSON_C_TO_STRING_PLAIN),
                     "{\"time\":\"2026-11-27T03:12:16.042Z\",\"age_ms\":15000,"
                     "\"address\":\"10.0.0.1\",\"name\":\"pod-1\",\"term\":7,"
                     "\"cause\":\"command\",\"gap_ms\":35}");
    cr_assert_eq(at(json_object_array_get_idx(changes, 1), "term", NULL, NULL), 6);
    (void)json_object_put(status);
}

Test(admin, expired_leader_has_no_age)
{
    struct json_object *status;

    atomic_store_explicit(&leadership.valid_until_ns, snapshot.now_ns, memory_order_relaxed);
    status = parse_status();
    cr_assert_not(json_object_object_get_ex(status, "leader_age_ms", NULL));
    (void)json_object_put(status);
}

Test(admin, leader_snapshot_may_be_younger_than_the_admin_snapshot)
{
    struct json_object *status;

    snapshot.history.changes[0].since_ns = snapshot.now_ns + 5;
    status = parse_status();
    cr_assert_eq(at(status, "leader_age_ms", NULL, NULL), 0);
    (void)json_object_put(status);
}

Test(admin, status_has_the_traffic_of_each_member)
{
    struct json_object *status, *list;

    snapshot.traffic[0].relayed = 12;
    snapshot.traffic[1].received = 7;
    status = parse_status();
    cr_assert(json_object_object_get_ex(status, "members", &list));
    cr_assert_eq(at(json_object_array_get_idx(list, 0), "relayed", NULL, NULL), 12);
    cr_assert_eq(at(json_object_array_get_idx(list, 0), "received", NULL, NULL), 0);
    cr_assert_eq(at(json_object_array_get_idx(list, 1), "received", NULL, NULL), 7);
    (void)json_object_put(status);
}

Test(admin, metrics_show_whether_the_seccomp_filter_is_installed)
{
    struct json_object *status;

    snapshot.confined = true;
    status = parse_status();
    cr_assert_eq(at(status, "confined", NULL, NULL), 1);
    (void)json_object_put(status);
    free(text);
    render_metrics();
    assert_line("headlessd_confined 1");
}

Test(admin, status_is_ready_as_readyz_says)
{
    struct json_object *status, *said;

    snapshot.is_ready = false;
    (void)strcpy(snapshot.readiness, "stopping");
    status = parse_status();
    cr_assert_eq(at(status, "ready", NULL, NULL), 0);
    cr_assert(json_object_object_get_ex(status, "readiness", &said));
    cr_assert_str_eq(json_object_get_string(said), "stopping");
    (void)json_object_put(status);
}

Test(admin, status_has_every_counter)
{
    struct json_object *status;

    for (size_t i = 0; i < COUNTER_COUNT; i++)
        snapshot.numbers.counters[i] = 1000 + i;
    status = parse_status();
    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        const struct counter_info info = counter_describe(i);

        cr_assert_eq(at(status, "counters", info.metric, info.label[0] ? info.label_value : NULL),
                     1000 + (int64_t)i, "%s", info.metric);
    }
    (void)json_object_put(status);
}

Test(admin, status_has_the_histograms)
{
    struct json_object *status, *histograms, *one, *sum;

    spread();
    status = parse_status();
    cr_assert(json_object_object_get_ex(status, "histograms", &histograms));
    cr_assert_eq(json_object_object_length(histograms), DISTRIBUTION_COUNT + 1,
                 "send_gso_batch_datagrams has its former name too");
    cr_assert(json_object_object_get_ex(histograms, "receive_batch_datagrams", &one));
    cr_assert_eq(at(one, "count", NULL, NULL), 10);
    cr_assert_eq(at(one, "sum", NULL, NULL), 5018);
    cr_assert_eq(at(one, "buckets", "4", NULL), 9);
    cr_assert_eq(at(one, "buckets", "+Inf", NULL), 10);
    cr_assert(json_object_object_get_ex(histograms, "heartbeat_round_trip_seconds", &one));
    cr_assert_eq(at(one, "buckets", "0.0001", NULL), 2);
    cr_assert(json_object_object_get_ex(one, "sum", &sum));
    cr_assert_str_eq(json_object_to_json_string(sum), "0.00015");
    (void)json_object_put(status);
}

/* The kernel counts a batch as one drop (test_udp.c). */
Test(admin, help_of_socket_drops_says_that_a_batch_counts_as_one)
{
    render_metrics();
    cr_assert_not_null(strstr(text, "# HELP headlessd_socket_drops_total Messages that the kernel "
                                    "dropped because the socket's receive buffer was full. A GSO "
                                    "or GRO batch, up to 64 datagrams, counts as one."));
}

Test(admin, status_shows_gauges_and_a_gap_in_the_ledger)
{
    struct json_object *status;

    snapshot.numbers.held = 4;
    snapshot.numbers.relay_kernel_drops = 9;
    snapshot.numbers.counters[COUNTER_RECEIVED_DATA] = 3;
    snapshot.numbers.counters[COUNTER_REPLIES_FROM_APP] = 6;
    status = parse_status();
    cr_assert_eq(at(status, "gauges", "datagrams_held", NULL), 4);
    cr_assert_eq(at(status, "gauges", "socket_rcvbuf_bytes", "relay"), 425984);
    cr_assert_eq(at(status, "counters", "socket_drops_total", "relay"), 9);
    cr_assert_eq(at(status, "ledger", "requests", NULL), -1);
    cr_assert_eq(at(status, "ledger", "answers", NULL), 6);
    (void)json_object_put(status);
}

Test(admin, names_cannot_break_the_json)
{
    struct json_object *status, *me, *name;

    (void)snprintf(identity.name, sizeof(identity.name), "a\"b\\c\n/d");
    status = parse_status();
    cr_assert(json_object_object_get_ex(status, "me", &me));
    cr_assert(json_object_object_get_ex(me, "name", &name));
    cr_assert_str_eq(json_object_get_string(name), "a\"b\\c\n/d");
    (void)json_object_put(status);
}
