/* The admin server on a loopback port: real requests to a plane that was opened but not started. */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "headless/admin/admin.h"
#include "headless/base/clock.h"
#include "headless/base/log.h"

static struct config_set *set;
static struct config config;
static struct plane plane;
static struct admin admin;
static struct waker waker;
static struct supervisor supervisor;
static char answer[65536];

/* A TCP port that was free a moment ago. */
static uint16_t find_port(const struct address *at)
{
    int family = at->family == ADDRESS_V4 ? AF_INET : AF_INET6;
    struct sockaddr_storage sa;
    socklen_t length = address_to_sockaddr(at, family, &sa);
    struct address bound;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_geq(fd, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&sa, length), 0);
    length = sizeof(sa);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&sa, &length), 0);
    address_from_sockaddr((struct sockaddr *)&sa, &bound);
    (void)close(fd);
    return bound.port;
}

static void setup(void)
{
    static const char yaml[] = "self: 127.0.0.1\nname: pod-1\nbind: 127.0.0.1\nrcvbuf: 64KiB\n";

    log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    cr_assert_eq(config_load_text(yaml, sizeof(yaml) - 1, "test", stderr, &set), 0);
    config = *config_values(set);
    config.data_port = config.relay_port = 0; /* the kernel's choice */
    config.admin_listen = address_with_port(config.bind, find_port(&config.bind));
    atomic_init(&supervisor.report.state, ELECTION_FOLLOWER);
    cr_assert_eq(waker_init(&waker, false), 0);
    cr_assert_eq(plane_open(&plane, &config, &waker), 0);
}

static void start(void)
{
    cr_assert_eq(admin_start(&admin, &config, &plane, &supervisor), 0);
}

static void teardown(void)
{
    admin_stop(&admin);
    plane_close(&plane);
    waker_fini(&waker);
    config_destroy(set);
}

TestSuite(admin_http, .init = setup, .fini = teardown, .timeout = 60);

static int dial(const char *ip)
{
    struct address to;
    struct sockaddr_storage sa;
    socklen_t length;
    int fd;

    cr_assert_eq(address_parse_ip(ip, &to), 0);
    to.port = config.admin_listen.port;
    fd = socket(to.family == ADDRESS_V4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(fd, 0);
    length = address_to_sockaddr(&to, to.family == ADDRESS_V4 ? AF_INET : AF_INET6, &sa);
    cr_assert_eq(connect(fd, (struct sockaddr *)&sa, length), 0, "%s", strerror(errno));
    return fd;
}

/* Read to the end into answer; the server closes after one. Returns the HTTP status, 0: none. */
static unsigned hear(int fd)
{
    size_t length = 0;
    ssize_t n;
    unsigned status = 0;

    while ((n = recv(fd, answer + length, sizeof(answer) - 1 - length, 0)) > 0)
        length += (size_t)n;
    answer[length] = '\0';
    (void)close(fd);
    (void)sscanf(answer, "HTTP/1.1 %u", &status);
    return status;
}

static void say(int fd, const char *request)
{
    (void)send(fd, request, strlen(request), MSG_NOSIGNAL);
}

static unsigned ask(const char *request)
{
    int fd = dial("127.0.0.1");

    say(fd, request);
    return hear(fd);
}

static unsigned get(const char *path)
{
    char request[128];

    (void)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: pod\r\n\r\n", path);
    return ask(request);
}

static const char *body(void)
{
    const char *end = strstr(answer, "\r\n\r\n");

    return end ? end + 4 : "";
}

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

/* ---- odd clients ---- */

Test(admin_http, an_unknown_path_is_told_the_known_ones)
{
    start();
    cr_assert_eq(get("/nope"), 404);
    cr_assert_str_eq(body(), "not found; there are /livez /readyz /leader /leader/me /status "
                             "/metrics\n");
    cr_assert_eq(get("/livez/"), 404);
    cr_assert_eq(get("/"), 404);
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
    int silent[64], late;

    start();
    for (size_t i = 0; i < 64; i++)
        silent[i] = dial("127.0.0.1");
    late = dial("127.0.0.1");
    say(late, "GET /livez HTTP/1.0\r\n\r\n");
    for (size_t i = 0; i < 64; i++)
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
