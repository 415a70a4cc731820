/* The admin server on a loopback port: real requests to a plane that was opened but not started. */
#include <json-c/json.h>

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
}

Test(admin_http, a_published_view_is_seen_and_not_held)
{
    struct view *draft;

    start();
    for (uint64_t term = 1; term <= 3 * VIEW_SLOTS; term++) {
        char expected[32];

        draft = view_draft(&plane.board);
        cr_assert_not_null(draft, "a view is still held");
        draft->kind = VIEW_LEADER_SELF;
        draft->leader = config.self;
        draft->term = term;
        view_publish(&plane.board, draft);
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
    cr_assert_eq(json_object_array_length(list), VIEW_MEMBERS_MAX);
    (void)json_object_put(page);
}

Test(admin_http, the_longest_list_is_shown_whole)
{
    struct view *draft = view_draft(&plane.board);

    start();
    fill_list(draft);
    view_publish(&plane.board, draft);
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

Test(admin_http, a_failed_reload_shows_until_one_succeeds)
{
    start();
    admin_set_reload_result(&admin, false);
    (void)get("/metrics");
    cr_assert_not_null(strstr(body(), "\nheadlessd_config_last_reload_successful 0\n"));
    admin_set_reload_result(&admin, true);
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
    struct agent *agent = &plane.workers[0].agent;
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
    cr_assert_eq(get("/livez"), 503);
    cr_assert_lt(clock_now_ns() - before_ns, PROGRESS_CHALLENGE_NS, "challenged once more");
    (void)atomic_fetch_add_explicit(&agent->duty_cycles, 1, memory_order_relaxed);
    cr_assert_eq(get("/livez"), 200);
    atomic_store_explicit(&agent->started, false, memory_order_release);
}

Test(admin_http, livez_forgives_a_pause_of_the_whole_process)
{
    struct agent *agent = &plane.workers[0].agent;
    int fd;

    atomic_store_explicit(&agent->started, true, memory_order_release);
    start();
    cr_assert_eq(get("/livez"), 200);
    backdate();
    fd = dial("127.0.0.1");
    say(fd, "GET /livez HTTP/1.0\r\n\r\n");
    cr_assert_eq(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 50), 0, "no challenge");
    (void)atomic_fetch_add_explicit(&agent->duty_cycles, 1, memory_order_relaxed);
    cr_assert_eq(hear(fd), 200);
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
    struct view *draft = view_draft(&plane.board);

    start();
    fill_list(draft);
    view_publish(&plane.board, draft);
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

Test(admin_http, an_unknown_path_is_told_the_known_ones)
{
    start();
    cr_assert_eq(get("/nope"), 404);
    cr_assert_str_eq(body(), "not found; there are /livez /readyz /leader /leader/me /events "
                             "/status /metrics /\n");
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

Test(admin_http, garbage_is_survived)
{
    start();
    (void)ask("\x16\x03\x01\x02\r\n\r\n");
    (void)ask("GET\r\n\r\n");
    (void)ask("GET /livez HTTP/9.9\r\n\r\n");
    cr_assert_eq(get("/livez"), 200);
}

Test(admin_http, a_silent_client_keeps_nobody_waiting)
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

Test(admin_http, connections_beyond_the_limit_wait_for_a_place)
{
    int silent[64 + EVENTS_STREAMS_MAX], late;

    start();
    for (size_t i = 0; i < 64 + EVENTS_STREAMS_MAX; i++)
        silent[i] = dial("127.0.0.1");
    late = dial("127.0.0.1");
    say(late, "GET /livez HTTP/1.0\r\n\r\n");
    for (size_t i = 0; i < 64 + EVENTS_STREAMS_MAX; i++)
        (void)close(silent[i]);
    cr_assert_eq(hear(late), 200);
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
    cr_assert_eq(plane.board.reader_count, plane.worker_count);
    admin_set_stopping(&admin);
    admin_set_reload_result(&admin, false);
}

Test(admin_http, a_taken_port_is_an_error)
{
    static struct admin second;

    start();
    cr_assert_eq(admin_start(&second, &config, &plane, &supervisor), -EADDRINUSE);
    cr_assert_eq(get("/livez"), 200);
    cr_assert_eq(address_parse("192.0.2.1:8080", 0, &config.admin_listen), 0);
    cr_assert_eq(admin_start(&second, &config, &plane, &supervisor), -EADDRNOTAVAIL);
}

Test(admin_http, a_full_board_is_an_error)
{
    plane.board.reader_count = VIEW_READERS_MAX;
    cr_assert_eq(admin_start(&admin, &config, &plane, &supervisor), -ENOSPC);
    cr_assert_null(admin.daemon);
}
