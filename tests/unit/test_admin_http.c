/* The admin server on a loopback port: real requests to a data plane that was opened, not started. */
#include <json-c/json.h>
#include <netdb.h>

#include "admin_fixture.h"
#include "list_fixture.h"

TestSuite(admin_http, .init = setup, .fini = teardown, .timeout = 60);

Test(admin_http, every_path_answers)
{
    start();
    cr_assert_eq(get("/livez"), 200);
    cr_assert_str_eq(body(), "ok\n");
    cr_assert_eq(get("/readyz"), 200);
    cr_assert_str_eq(body(), "ready\n");
    cr_assert_eq(get("/leader"), 200);
    cr_assert_eq(strncmp(body(), "{\"leader\":null,", 15), 0);
    cr_assert_not_null(strstr(answer, "Content-Type: application/json\r\n"));
    cr_assert_eq(get("/leader/me"), 503);
    cr_assert_eq(strncmp(body(), "{\"leader\":null,", 15), 0);
    cr_assert_eq(get("/status?x=1"), 200);
    cr_assert_not_null(strstr(body(), "\"name\":\"pod-1\""));
    cr_assert_eq(get("/metrics"), 200);
    cr_assert_not_null(strstr(answer, "Content-Type: text/plain; version=0.0.4; charset=utf-8"));
    cr_assert_null(strstr(body(), "process_cpu_seconds_total 0\n"), "it has taken some");
    cr_assert_not_null(strstr(body(), "\nheadlessd_process_resident_memory_bytes "));
    cr_assert_not_null(strstr(body(), "\nheadlessd_process_open_fds "));
    cr_assert_eq(get("/sessions"), 200);
    cr_assert_str_eq(body(), "{\"total\":0,\"complete\":true,\"sessions\":[]}\n");
}

/* Its worker never turns, as one that waits for a full socket. */
Test(admin_http, sessions_of_a_worker_without_a_report_are_missing)
{
    data_plane_close(data_plane);
    config.app_target.kind = CONFIG_APP_UDP;
    cr_assert_eq(address_parse("127.0.0.1:9", 0, &config.app_target.address), 0);
    cr_assert_eq(data_plane_open(&config, &waker, &data_plane), 0);
    start();
    cr_assert_eq(get("/sessions"), 200);
    cr_assert_str_eq(body(), "{\"total\":0,\"complete\":false,\"sessions\":[]}\n");
}

Test(admin_http, published_snapshot_is_shown_and_released)
{
    struct leader_snapshot *draft;

    start();
    for (uint64_t term = 1; term <= 3 * SNAPSHOT_BUFFERS; term++) {
        char expected[32];

        draft = snapshot_draft(&data_plane->publisher);
        cr_assert_not_null(draft, "a snapshot is still held");
        draft->leader.kind = LEADER_SELF;
        draft->leader.address = config.self;
        draft->leader.term = term;
        snapshot_publish(&data_plane->publisher, draft);
        cr_assert_eq(get("/leader/me"), 200);
        (void)snprintf(expected, sizeof(expected), "\"term\":%llu,", (unsigned long long)term);
        cr_assert_not_null(strstr(body(), expected));
    }
}

static void assert_whole_list(const char *path, const char *key)
{
    struct json_object *page, *list;

    cr_assert_eq(get(path), 200);
    page = json_tokener_parse(body());
    cr_assert(json_object_object_get_ex(page, key, &list), "no %s in %s", key, path);
    cr_assert_eq(json_object_array_length(list), MEMBERS_MAX);
    (void)json_object_put(page);
}

Test(admin_http, the_longest_list_is_shown_whole)
{
    struct leader_snapshot *draft = snapshot_draft(&data_plane->publisher);

    start();
    fill_list(&draft->leader);
    snapshot_publish(&data_plane->publisher, draft);
    assert_whole_list("/leader", "leader_list");
    assert_whole_list("/status", "leader_list");
    assert_whole_list("/status", "members");
}

Test(admin_http, the_supervisors_counters_are_in_the_sum)
{
    counters_add(&supervisor.counters, COUNTER_CONTROL_OK, 5);
    start();
    cr_assert_eq(get("/metrics"), 200);
    cr_assert_not_null(strstr(body(), "\nheadlessd_control_messages_total{result=\"ok\"} 5\n"));
}

Test(admin_http, readyz_says_stopping)
{
    start();
    admin_set_stopping(&admin);
    cr_assert_eq(get("/readyz"), 503);
    cr_assert_str_eq(body(), "stopping\n");
    cr_assert_eq(get("/livez"), 200, "a pod that drains lives");
}

/* One line, as it stands in what kubectl describe shows of a probe. */
static void expect_readyz(unsigned status, const char *text)
{
    cr_assert_eq(get("/readyz"), status, "%s", body());
    cr_assert_str_eq(body(), text);
}

/* The first reply must not be 200 if the data threads are about to fail. */
Test(admin_http, readyz_says_starting_before_the_data_threads_run)
{
    cr_assert_eq(admin_start(&admin, &config, data_plane, &supervisor, NULL), 0);
    expect_readyz(503, "starting: the data threads do not run yet\n");
    cr_assert_eq(get("/livez"), 200);
    admin_set_serving(&admin);
    expect_readyz(200, "ready\n");
}

Test(admin_http, readyz_names_the_refused_configuration_or_keys)
{
    start();
    admin_set_reload_result(&admin, "a.yaml:2: hold.tme: no such option\n");
    expect_readyz(200, "ready, with the previous configuration; the new one is refused: "
                       "a.yaml:2: hold.tme: no such option\n");
    admin_set_reload_result(&admin, "a.yaml:2: one\na.yaml:3: two\na.yaml:4: three\n");
    expect_readyz(200, "ready, with the previous configuration; the new one is refused: "
                       "a.yaml:2: one (and 2 more, in the log)\n");
    admin_set_reload_result(&admin, NULL);
    admin_set_keys_result(&admin, "/keys: holds no key");
    expect_readyz(200, "ready, with the previous keys: /keys: holds no key (keys)\n");
    admin_set_keys_result(&admin, "");
    expect_readyz(200, "ready\n");
}

Test(admin_http, refused_reason_is_cut_to_one_line)
{
    char why[2 * ADMIN_WHY_MAX];

    memset(why, 'x', sizeof(why) - 1);
    why[sizeof(why) - 1] = '\0';
    start();
    admin_set_reload_result(&admin, why);
    cr_assert_eq(get("/readyz"), 200);
    cr_assert_eq(strcspn(body(), "\n"), strlen(body()) - 1);
    why[sizeof(why) / 2] = '\n';
    admin_set_reload_result(&admin, why);
    cr_assert_eq(get("/readyz"), 200);
    cr_assert_not_null(strstr(body(), "x (and 1 more, in the log)\n"));
}

/* The path of a file may be any bytes, and /status is JSON. */
Test(admin_http, refused_reason_is_utf8)
{
    struct json_object *status;

    start();
    admin_set_reload_result(&admin, "gr\xc3\xb6\xff\x01\xc3_a.yaml:1: one\n");
    expect_readyz(200, "ready, with the previous configuration; the new one is refused: "
                       "gr\xc3\xb6???_a.yaml:1: one\n");
    cr_assert_eq(get("/status"), 200);
    status = json_tokener_parse(body());
    cr_assert_not_null(status);
    cr_assert_str_eq(json_object_get_string(json_object_object_get(status, "readiness")),
                     "ready, with the previous configuration; the new one is refused: "
                     "gr\xc3\xb6???_a.yaml:1: one");
    (void)json_object_put(status);
    for (size_t i = 0; i < 4; i++) {
        char why[ADMIN_WHY_MAX * 2], *end;

        memset(why, 'x', sizeof(why));
        for (char *c = why + i; c + 4 < why + sizeof(why); c += 2)
            memcpy(c, "\xc3\xb6", 3);
        admin_set_reload_result(&admin, why);
        cr_assert_eq(get("/readyz"), 200);
        end = strchr(body(), '\n');
        cr_assert_eq(memcmp(end - 2, "\xc3\xb6", 2), 0, "%s", body());
    }
}

Test(admin_http, pod_whose_supervisor_does_not_run_is_not_ready)
{
    start();
    atomic_store(&supervisor.report.ran_ns, clock_now_ns());
    expect_readyz(200, "ready\n");
    atomic_store(&supervisor.report.ran_ns, clock_now_ns() - 3 * NS_PER_SEC);
    cr_assert_eq(get("/readyz"), 503);
    cr_assert_not_null(strstr(body(), "stalled: the supervisor thread has not run for 2 s"));
    atomic_store(&supervisor.report.ran_ns, clock_now_ns());
    expect_readyz(200, "ready\n");
}

Test(admin_http, readyz_without_keys_names_the_reason)
{
    atomic_store(&supervisor.report.state, ELECTION_UNAUTHENTICATED);
    start();
    cr_assert_eq(get("/readyz"), 503);
    cr_assert_not_null(strstr(body(), "key: no message from another pod can be verified"));
    admin_set_keys_result(&admin, "/keys: holds no key");
    expect_readyz(503, "key: /keys: holds no key (keys); without a key this pod cannot verify "
                       "any other\n");
    atomic_store(&supervisor.report.keys, 1); /* of before */
    cr_assert_eq(get("/readyz"), 503);
    cr_assert_not_null(strstr(body(), "or another than the other pods"), "%s", body());
}

static void expect_joining(const char *part)
{
    cr_assert_eq(get("/readyz"), 503);
    cr_assert_eq(strncmp(body(), "joining: ", 9), 0, "%s", body());
    cr_assert_not_null(strstr(body(), part), "no '%s' in %s", part, body());
    cr_assert_eq(strcspn(body(), "\n"), strlen(body()) - 1, "more than a line: %s", body());
}

Test(admin_http, readyz_names_the_reason_while_joining)
{
    atomic_store(&supervisor.report.state, ELECTION_JOINING);
    config.quorum_expect = 3;
    start();
    expect_joining("neither discovery.dns, discovery.kubernetes nor peers");
    (void)snprintf(config.discovery_dns, sizeof(config.discovery_dns), "pods");
    expect_joining("discovery.dns names no other pod, and quorum.expect is 3");
    atomic_store(&supervisor.report.lookup, EAI_NONAME);
    expect_joining("discovery.dns: no address for \"pods\": Name or service not known");
    atomic_store(&supervisor.report.known, 2);
    atomic_store(&supervisor.report.answered, 1);
    expect_joining("1 of 2 other pods");
    atomic_store(&supervisor.report.is_virtual, 1);
    expect_joining("discovery.dns: \"pods\" has one address, which is not this pod's, and no pod "
                   "replies from it: is that Service headless (clusterIP: None)?");
    cr_assert_eq(address_parse_ip("192.0.2.1", &config.self), 0);
    expect_joining("self (POD_IP) is 192.0.2.1");
    admin_set_reload_result(&admin, "a.yaml:2: hold.tme: no such option\n");
    expect_joining("leave it out; the new configuration is refused: a.yaml:2: hold.tme: ");
}

Test(admin_http, a_failed_reload_shows_until_one_succeeds)
{
    start();
    admin_set_reload_result(&admin, "headlessd.yaml:1: hold.tme: no such option\n");
    (void)get("/metrics");
    cr_assert_not_null(strstr(body(), "\nheadlessd_config_last_reload_successful 0\n"));
    admin_set_reload_result(&admin, NULL);
    (void)get("/metrics");
    cr_assert_not_null(strstr(body(), "\nheadlessd_config_last_reload_successful 1\n"));
}

/* The watch belongs to the HTTP thread, which does nothing between two requests. */
static void backdate(void)
{
    admin.progress.watches[0].since_ns -= PROGRESS_STALL_NS;
}

Test(admin_http, livez_names_a_thread_that_stalls)
{
    struct agent *agent = &data_plane->workers[0].agent;
    uint64_t before_ns;

    (void)snprintf(agent->name, sizeof(agent->name), "worker-0");
    atomic_store_explicit(&agent->started, true, memory_order_release);
    start();
    cr_assert_eq(get("/livez"), 200);
    backdate();
    before_ns = clock_now_ns();
    cr_assert_eq(get("/livez"), 503);
    cr_assert_str_eq(body(), "worker-0 makes no progress\n");
    cr_assert_geq(clock_now_ns() - before_ns, PROGRESS_CHALLENGE_NS, "not challenged");
    before_ns = clock_now_ns();
    for (int i = 0; i < 40; i++)
        cr_assert_eq(get("/livez"), 503);
    cr_assert_lt(clock_now_ns() - before_ns, 40 * PROGRESS_CHALLENGE_NS, "challenged each time");
    (void)atomic_fetch_add_explicit(&agent->duty_cycles, 1, memory_order_relaxed);
    cr_assert_eq(get("/livez"), 200);
    atomic_store_explicit(&agent->started, false, memory_order_release);
}

/* A slow volume may hold it up for long; a dead one may not for ever. */
Test(admin_http, livez_gives_the_supervisor_more_time)
{
    (void)snprintf(supervisor.agent.name, sizeof(supervisor.agent.name), "supervisor");
    atomic_store_explicit(&supervisor.agent.started, true, memory_order_release);
    start();
    cr_assert_eq(get("/livez"), 200);
    admin.progress.watches[PROGRESS_OTHER].since_ns -= SUPERVISOR_STALL_NS - 5 * NS_PER_SEC;
    cr_assert_eq(get("/livez"), 200, "as for a data thread");
    admin.progress.watches[PROGRESS_OTHER].since_ns -= 5 * NS_PER_SEC;
    cr_assert_eq(get("/livez"), 503);
    cr_assert_str_eq(body(), "supervisor makes no progress\n");
    (void)atomic_fetch_add_explicit(&supervisor.agent.duty_cycles, 1, memory_order_relaxed);
    cr_assert_eq(get("/livez"), 200);
    atomic_store_explicit(&supervisor.agent.started, false, memory_order_release);
}

/* Progress within the challenge; where that took longer than half of it, it says nothing, and is
 * done again. */
Test(admin_http, livez_forgives_a_pause_of_the_whole_process)
{
    struct agent *agent = &data_plane->workers[0].agent;
    bool was_quick = false, was_challenged = false;
    unsigned status = 0;
    int fd;

    atomic_store_explicit(&agent->started, true, memory_order_release);
    start();
    cr_assert_eq(get("/livez"), 200);
    while (!was_quick) {
        uint64_t began_ns = clock_now_ns();

        backdate();
        fd = dial("127.0.0.1");
        say(fd, "GET /livez HTTP/1.0\r\n\r\n");
        was_challenged = poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 50) == 0;
        (void)atomic_fetch_add_explicit(&agent->duty_cycles, 1, memory_order_relaxed);
        was_quick = clock_now_ns() - began_ns < PROGRESS_CHALLENGE_NS / 2;
        status = hear(fd);
    }
    cr_assert(was_challenged);
    cr_assert_eq(status, 200);
    atomic_store_explicit(&agent->started, false, memory_order_release);
}

/* ---- the page ---- */

static void assert_header(const char *line)
{
    const char *at = strstr(answer, line);

    cr_assert(at && at < body(), "no %s", line);
}

Test(admin_http, the_page_and_its_files_are_served_with_a_strict_policy)
{
    static const struct {
        const char *path, *type, *begins;
    } files[] = {
        {"/", "text/html; charset=utf-8", "<!doctype html>"},
        {"/?x=1", "text/html; charset=utf-8", "<!doctype html>"},
        {"/page.css", "text/css; charset=utf-8", "/* Colours first"},
        {"/page.js", "text/javascript; charset=utf-8", "/*\n * Keeps the page live."},
        {"/page.svg", "image/svg+xml", "<svg xmlns="},
    };

    start();
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char type[128];

        cr_assert_eq(get(files[i].path), 200, "%s", files[i].path);
        (void)snprintf(type, sizeof(type), "\r\nContent-Type: %s\r\n", files[i].type);
        assert_header(type);
        assert_header("\r\nContent-Security-Policy: default-src 'none'; style-src 'self'; "
                      "script-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
                      "form-action 'none'; frame-ancestors 'none'\r\n");
        assert_header("\r\nX-Content-Type-Options: nosniff\r\n");
        assert_header("\r\nReferrer-Policy: no-referrer\r\n");
        cr_assert_eq(strncmp(body(), files[i].begins, strlen(files[i].begins)), 0, "%s",
                     files[i].path);
    }
}

Test(admin_http, the_page_of_the_longest_list_is_whole)
{
    struct leader_snapshot *draft = snapshot_draft(&data_plane->publisher);

    start();
    fill_list(&draft->leader);
    snapshot_publish(&data_plane->publisher, draft);
    cr_assert_eq(get("/"), 200);
    cr_assert_not_null(strstr(body(), "data-member=\"fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fd7f\""));
    cr_assert_str_eq(body() + strlen(body()) - 8, "</html>\n");
}

Test(admin_http, options_that_differ_are_shown)
{
    start();
    cr_assert_eq(get("/status"), 200);
    cr_assert_not_null(strstr(body(), "\"options\":null"), "nobody has told them yet");
    admin_set_options(&admin, set, set);
    cr_assert_eq(get("/status"), 200);
    cr_assert_not_null(strstr(body(), "\"options\":{\"self\":\"127.0.0.1\",\"name\":\"pod-1\","
                                      "\"bind\":\"127.0.0.1\",\"rcvbuf\":\"64KiB\"}"));
    cr_assert_eq(get("/"), 200);
    cr_assert_not_null(strstr(body(), "<dd data-option=\"rcvbuf\">64KiB</dd>"));
    admin_set_options(&admin, set, set); /* by a reload */
    cr_assert_eq(get("/"), 200);
    cr_assert_not_null(strstr(body(), "<dd data-option=\"rcvbuf\">64KiB</dd>"));
}

/* ---- odd clients ---- */

Test(admin_http, unknown_path_gets_the_list_of_paths)
{
    start();
    cr_assert_eq(get("/nope"), 404);
    cr_assert_str_eq(body(), "not found; paths are /livez /readyz /leader /leader/me /events "
                             "/status /metrics /sessions /\n");
    cr_assert_eq(get("/livez/"), 404);
    cr_assert_eq(get("/page"), 404);
}

Test(admin_http, only_get_and_head)
{
    start();
    cr_assert_eq(ask("POST /status HTTP/1.1\r\nHost: pod\r\nContent-Length: 2\r\n\r\nhi"), 405);
    cr_assert_not_null(strstr(answer, "Allow: GET, HEAD\r\n"));
    cr_assert_eq(ask("DELETE /livez HTTP/1.1\r\nHost: pod\r\n\r\n"), 405);
    cr_assert_eq(ask("BREW /livez HTTP/1.1\r\nHost: pod\r\n\r\n"), 405);
}

Test(admin_http, head_has_the_length_and_no_body)
{
    start();
    cr_assert_eq(ask("HEAD /livez HTTP/1.1\r\nHost: pod\r\n\r\n"), 200);
    cr_assert_not_null(strstr(answer, "Content-Length: 3\r\n"));
    cr_assert_str_eq(body(), "");
}

Test(admin_http, a_body_is_not_waited_for)
{
    start();
    cr_assert_eq(ask("GET /livez HTTP/1.1\r\nHost: pod\r\nContent-Length: 1000000\r\n\r\n"), 200);
}

Test(admin_http, a_second_request_is_not_served)
{
    start();
    cr_assert_eq(ask("GET /livez HTTP/1.1\r\nHost: pod\r\n\r\nGET /leader HTTP/1.1\r\nHost: "
                     "pod\r\n\r\n"),
                 200);
    cr_assert_null(strstr(answer, "leader_list"));
}

Test(admin_http, an_oversized_request_is_refused)
{
    static char request[40000];
    unsigned status;

    start();
    memset(request, 'a', sizeof(request) - 1);
    memcpy(request, "GET /", 5);
    status = ask(request);
    cr_assert(status == 0 || status == 413 || status == 414 || status == 431, "%u", status);
    memcpy(request, "GET /livez HTTP/1.1\r\nX: ", 24);
    status = ask(request);
    cr_assert(status == 0 || status == 413 || status == 431, "%u", status);
    cr_assert_eq(get("/livez"), 200);
}

Test(admin_http, request_that_exceeds_its_memory_is_no_failure_of_the_server)
{
    static char request[16000] = "GET /livez HTTP/1.1\r\nHost: a\r\n";

    start();
    for (size_t n = strlen(request); n < 8000; n = strlen(request))
        memcpy(request + n, "a:b\r\n", 5);
    memcpy(request + strlen(request), "\r\n", 2);
    cr_assert_eq(ask(request), 431);
    cr_assert_eq(get("/metrics"), 200);
    cr_assert_not_null(strstr(body(), "\nheadlessd_admin_server_failures_total 0\n"));
}

Test(admin_http, garbage_does_not_stop_the_server)
{
    start();
    (void)ask("\x16\x03\x01\x02\r\n\r\n");
    (void)ask("GET\r\n\r\n");
    (void)ask("GET /livez HTTP/9.9\r\n\r\n");
    cr_assert_eq(get("/livez"), 200);
}

Test(admin_http, silent_client_does_not_delay_other_requests)
{
    int silent[8];

    start();
    for (size_t i = 0; i < 8; i++)
        silent[i] = dial("127.0.0.1");
    say(silent[0], "GET /li");
    cr_assert_eq(get("/livez"), 200);
    for (size_t i = 0; i < 8; i++)
        (void)close(silent[i]);
}

/* ---- crowds ---- */

#define CROWD 300

static bool is_open(int fd)
{
    return poll(&(struct pollfd){.fd = fd, .events = POLLIN | POLLRDHUP}, 1, 0) == 0;
}

static size_t count_open(const int *crowd, size_t count)
{
    size_t open = 0;

    for (size_t i = 0; i < count; i++)
        open += is_open(crowd[i]);
    return open;
}

static void dismiss(const int *crowd, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)close(crowd[i]);
}

static uint64_t figure(const char *name)
{
    const char *line;

    cr_assert_eq(get("/metrics"), 200);
    line = strstr(body(), name);
    cr_assert_not_null(line, "no %s", name);
    return strtoull(line + strlen(name), NULL, 10);
}

Test(admin_http, silent_connections_displace_each_other_and_no_probe)
{
    int silent[CROWD];

    start();
    for (size_t i = 0; i < CROWD; i++) {
        silent[i] = dial("127.0.0.1");
        say(silent[i], i % 2 ? "GET /li" : "");
    }
    cr_assert_eq(get("/livez"), 200);
    cr_assert_leq(count_open(silent, CROWD), CONNECTIONS_REQUESTING);
    cr_assert_eq(figure("\nheadlessd_admin_connections "), CONNECTIONS_REQUESTING,
                 "as many as there is room for: this one displaced one");
    cr_assert_eq(figure("\nheadlessd_admin_connections_shed_total "),
                 CROWD - CONNECTIONS_REQUESTING + 1);
    dismiss(silent, CROWD);
}

Test(admin_http, address_with_few_connections_is_not_displaced_by_one_with_many)
{
    int early, late, silent[CROWD];

    start();
    early = dial_from("127.0.0.2", "127.0.0.1");
    say(early, "GET /livez HTTP/1.0\r\n");
    for (size_t i = 0; i < CROWD; i++)
        silent[i] = dial("127.0.0.1");
    late = dial_from("127.0.0.3", "127.0.0.1");
    say(late, "GET /livez HTTP/1.0\r\n\r\n");
    cr_assert_eq(hear(late), 200);
    say(early, "\r\n");
    cr_assert_eq(hear(early), 200, "the oldest of all, but the only one of its address");
    dismiss(silent, CROWD);
}

/* The kernel buffers a part of a response that nobody reads: only a long response to a small window
 * blocks. */
static int dial_and_never_read(void)
{
    static const char request[] = "GET /metrics HTTP/1.0\r\n\r\n";
    const int bytes = 2048;
    struct sockaddr_storage sa;
    socklen_t length = address_to_sockaddr(&config.admin_listen, AF_INET, &sa);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_geq(fd, 0);
    cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)), 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&sa, length), 0, "%s", strerror(errno));
    say(fd, request);
    return fd;
}

Test(admin_http, client_that_never_reads_does_not_delay_other_requests)
{
    int idle[CROWD];

    start();
    for (size_t i = 0; i < CROWD; i++)
        idle[i] = dial_and_never_read();
    cr_assert_eq(get("/livez"), 200);
    cr_assert_eq(get("/metrics"), 200);
    cr_assert_leq(figure("\nheadlessd_admin_connections "), CONNECTIONS_RESPONDING + 1);
    dismiss(idle, CROWD);
}

Test(admin_http, streams_are_not_displaced)
{
    int stream, silent[CROWD];

    start();
    stream = dial("127.0.0.1");
    say(stream, "GET /events HTTP/1.0\r\n\r\n");
    while (figure("\nheadlessd_event_streams ") == 0)
        ;
    for (size_t i = 0; i < CROWD; i++)
        silent[i] = dial("127.0.0.1");
    cr_assert_eq(figure("\nheadlessd_event_streams "), 1);
    dismiss(silent, CROWD);
    (void)close(stream);
}

Test(admin_http, a_request_has_two_seconds)
{
    uint64_t before_ns;
    int fd;

    start();
    fd = dial("127.0.0.1");
    say(fd, "GET /livez HTTP/1.0\r\n");
    before_ns = clock_now_ns();
    cr_assert_eq(hear(fd), 0);
    cr_assert_leq(clock_now_ns() - before_ns, 30 * NS_PER_SEC);
}

/* ---- where it listens ---- */

Test(admin_http, the_wildcard_means_both_families)
{
    int fd;

    config.admin_listen = address_with_port(address_any(ADDRESS_V6), config.admin_listen.port);
    start();
    cr_assert_eq(get("/livez"), 200);
    fd = dial("::1");
    say(fd, "GET /livez HTTP/1.0\r\n\r\n");
    cr_assert_eq(hear(fd), 200);
}

Test(admin_http, no_port_means_no_server)
{
    config.admin_listen = (struct address){0};
    start();
    cr_assert_null(admin.daemon);
    cr_assert_eq(data_plane->publisher.reader_count, data_plane->worker_count);
    admin_set_stopping(&admin);
    admin_set_reload_result(&admin, "headlessd.yaml:1: hold.tme: no such option\n");
}

Test(admin_http, a_taken_port_is_an_error)
{
    static struct admin second;

    start();
    cr_assert_eq(admin_start(&second, &config, data_plane, &supervisor, NULL), -EADDRINUSE);
    cr_assert_eq(get("/livez"), 200);
    cr_assert_eq(address_parse("192.0.2.1:8080", 0, &config.admin_listen), 0);
    cr_assert_eq(admin_start(&second, &config, data_plane, &supervisor, NULL), -EADDRNOTAVAIL);
}

Test(admin_http, start_fails_when_no_snapshot_reader_is_left)
{
    data_plane->publisher.reader_count = SNAPSHOT_READERS_MAX;
    cr_assert_eq(admin_start(&admin, &config, data_plane, &supervisor, NULL), -ENOSPC);
    cr_assert_null(admin.daemon);
}
