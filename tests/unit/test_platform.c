/* The client of the API server against a server with a script: requests, their outcomes, the stop. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <json-c/json.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "headless/base/clock.h"
#include "headless/platform/report.h"

/* ---- the server: one response a request, in this order, over plain HTTP ---- */

#define JSON(status, body) \
    "HTTP/1.1 " status "\r\nContent-Type: application/json\r\nContent-Length: " body
#define EMPTY "2\r\n\r\n{}"
#define CLOSE ""  /* no response: the connection ends */
#define HANG  "!" /* no response, and the connection stays */

static struct {
    int fd;
    uint16_t port;
    pthread_t thread;
    const char *const *script;
    _Atomic unsigned requests; /* received */
    _Atomic unsigned connections;
    char last[65536]; /* the last request; written before requests is counted */
} server;

static size_t body_length(const char *head)
{
    const char *length = strstr(head, "Content-Length: ");

    return length ? strtoul(length + 16, NULL, 10) : 0;
}

/* Head and body. False: the connection has ended. */
static bool receive(int fd)
{
    size_t length = 0;

    for (;;) {
        ssize_t n = read(fd, server.last + length, sizeof(server.last) - 1 - length);
        const char *end;

        if (n <= 0)
            return false;
        length += (size_t)n;
        server.last[length] = '\0';
        end = strstr(server.last, "\r\n\r\n");
        if (end && length - (size_t)(end + 4 - server.last) >= body_length(server.last))
            return true;
    }
}

/* True: the connection stays. */
static bool respond(int fd)
{
    const char *response = server.script[atomic_load(&server.requests)];

    if (!response)
        return false;
    (void)atomic_fetch_add(&server.requests, 1);
    if (strcmp(response, HANG) == 0) {
        char byte;

        (void)!read(fd, &byte, 1); /* until the client closes it */
        return false;
    }
    return *response && write(fd, response, strlen(response)) == (ssize_t)strlen(response);
}

static void *serve(void *context)
{
    int fd;

    (void)context;
    while ((fd = accept(server.fd, NULL, NULL)) >= 0) {
        (void)atomic_fetch_add(&server.connections, 1);
        while (receive(fd) && respond(fd))
            ;
        (void)close(fd);
    }
    return NULL;
}

static void server_start(const char *const *script)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(at);

    server.script = script;
    server.fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(bind(server.fd, (struct sockaddr *)&at, sizeof(at)), 0);
    cr_assert_eq(listen(server.fd, 8), 0);
    cr_assert_eq(getsockname(server.fd, (struct sockaddr *)&at, &length), 0);
    server.port = ntohs(at.sin_port);
    cr_assert_eq(pthread_create(&server.thread, NULL, serve, NULL), 0);
}

static void server_stop(void)
{
    (void)shutdown(server.fd, SHUT_RDWR);
    (void)close(server.fd);
    (void)pthread_join(server.thread, NULL);
}

/* ---- the client ---- */

static const struct platform_object lease = {.group = "coordination.k8s.io",
                                             .version = "v1",
                                             .resource = "leases",
                                             .space = "space",
                                             .name = "headlessd"};
static struct platform *platform;
static struct config config;
static char token_path[64];

/* Written by the callback, read after done was counted. */
static struct {
    _Atomic unsigned done;
    enum platform_outcome outcome;
    unsigned status;
    uint64_t sent_ns, received_ns, retry_after_ns;
    bool has_document;
    char why[PLATFORM_WHY_MAX];
} got;

static void on_done(void *context, const struct platform_result *result)
{
    (void)context;
    got.outcome = result->outcome;
    got.status = result->status;
    got.sent_ns = result->sent_ns;
    got.received_ns = result->received_ns;
    got.retry_after_ns = result->retry_after_ns;
    got.has_document = result->document != NULL;
    (void)snprintf(got.why, sizeof(got.why), "%s", result->why);
    (void)atomic_fetch_add(&got.done, 1);
}

static void write_token(const char *text)
{
    FILE *file = fopen(token_path, "w");

    cr_assert(file);
    (void)fputs(text, file);
    cr_assert_eq(fclose(file), 0);
}

static void client_start(const char *const *script)
{
    server_start(script);
    (void)snprintf(config.discovery_kubernetes, sizeof(config.discovery_kubernetes), "x");
    (void)snprintf(config.platform_api, sizeof(config.platform_api), "http://127.0.0.1:%u",
                   server.port);
    (void)snprintf(token_path, sizeof(token_path), "/tmp/test_platform.%d", (int)getpid());
    (void)snprintf(config.platform_token, sizeof(config.platform_token), "%s", token_path);
    (void)snprintf(config.platform_namespace, sizeof(config.platform_namespace), "space");
    write_token("first\n");
    cr_assert_eq(platform_open(&config, &platform), 0);
    cr_assert_eq(platform_start(platform), 0);
}

static void client_stop(void)
{
    platform_stop(platform);
    platform_close(platform);
    server_stop();
    (void)unlink(token_path);
}

static size_t write_lease(void *context, char *body, size_t room)
{
    (void)context;
    return (size_t)snprintf(body, room, "{\"kind\":\"Lease\"}");
}

static struct platform_request request_of(enum platform_verb verb)
{
    return (struct platform_request){.verb = verb,
                                     .object = &lease,
                                     .timeout_ns = 20 * NS_PER_SEC,
                                     .write_body = verb == PLATFORM_GET ? NULL : write_lease,
                                     .done = on_done};
}

static void wait_done(unsigned count)
{
    while (atomic_load(&got.done) < count)
        (void)usleep(1000);
}

static void ask(const struct platform_request *request)
{
    unsigned done = atomic_load(&got.done);

    cr_assert_eq(platform_request(platform, request), 0);
    wait_done(done + 1);
}

static void expect_outcome(enum platform_verb verb, enum platform_outcome outcome, unsigned status)
{
    const struct platform_request request = request_of(verb);

    ask(&request);
    cr_expect_eq(got.outcome, outcome, "%d: %s", (int)got.outcome, got.why);
    cr_expect_eq(got.status, status);
}

/* ---- tests ---- */

Test(platform, requests_use_one_connection, .timeout = 60)
{
    static const char *const script[] = {JSON("200 OK", EMPTY), JSON("201 Created", EMPTY),
                                         JSON("200 OK", EMPTY), NULL};
    uint64_t before_ns = clock_now_ns();

    client_start(script);
    expect_outcome(PLATFORM_GET, PLATFORM_OK, 200);
    cr_expect(got.has_document);
    cr_expect_geq(got.sent_ns, before_ns);
    cr_expect_geq(got.received_ns, got.sent_ns);
    cr_expect_leq(got.received_ns, clock_now_ns());
    cr_expect(strstr(server.last, "GET /apis/coordination.k8s.io/v1/namespaces/space/leases/"
                                  "headlessd?timeout="),
              "%s", server.last);
    cr_expect(strstr(server.last, "Authorization: Bearer first\r\n"));
    cr_expect(strstr(server.last, "User-Agent: headlessd/"));
    expect_outcome(PLATFORM_CREATE, PLATFORM_OK, 201);
    cr_expect(strstr(server.last, "POST /apis/"));
    cr_expect(strstr(server.last, "Content-Type: application/json\r\n"));
    cr_expect(strstr(server.last, "{\"kind\":\"Lease\"}"));
    expect_outcome(PLATFORM_UPDATE, PLATFORM_OK, 200);
    cr_expect(strstr(server.last, "PUT /apis/"));
    cr_expect_eq(atomic_load(&server.connections), 1);
    client_stop();
}

Test(platform, responses_have_outcomes, .timeout = 60)
{
    static const char *const script[] = {JSON("409 Conflict", EMPTY),
                                         JSON("403 Forbidden", EMPTY),
                                         JSON("404 Not Found", EMPTY),
                                         JSON("429 Slow", "2\r\nRetry-After: 7\r\n\r\n{}"),
                                         JSON("429 Slow", "2\r\nRetry-After: 700\r\n\r\n{}"),
                                         JSON("503 Down", "4\r\n\r\nhtml"),
                                         JSON("200 OK", "6\r\n\r\n<html>"),
                                         JSON("200 OK", "9\r\n\r\n{\"a\":1}\r\n"),
                                         JSON("200 OK", "2000000\r\n\r\n{}"),
                                         NULL};
    char why[PLATFORM_WHY_MAX];
    static struct platform_numbers numbers;

    client_start(script);
    expect_outcome(PLATFORM_UPDATE, PLATFORM_CONFLICT, 409);
    cr_expect_not(platform_problem(platform, why), "a conflict is no problem");
    expect_outcome(PLATFORM_UPDATE, PLATFORM_FORBIDDEN, 403);
    cr_expect(strstr(got.why, "verbs: [update]"), "%s", got.why);
    cr_expect(platform_problem(platform, why));
    cr_expect_str_eq(why, got.why);
    expect_outcome(PLATFORM_GET, PLATFORM_NOT_FOUND, 404);
    expect_outcome(PLATFORM_GET, PLATFORM_THROTTLED, 429);
    cr_expect_eq(got.retry_after_ns, 7 * NS_PER_SEC);
    expect_outcome(PLATFORM_GET, PLATFORM_THROTTLED, 429);
    cr_expect_eq(got.retry_after_ns, 60 * NS_PER_SEC);
    expect_outcome(PLATFORM_GET, PLATFORM_SERVER_ERROR, 503);
    cr_expect_eq(got.retry_after_ns, 0);
    platform_read_numbers(platform, &numbers);
    cr_expect_not(numbers.is_up);
    expect_outcome(PLATFORM_GET, PLATFORM_BAD, 200);
    cr_expect(strstr(got.why, "is not JSON"), "%s", got.why);
    expect_outcome(PLATFORM_UPDATE, PLATFORM_OK, 200);
    cr_expect(platform_problem(platform, why), "that of get is left");
    platform_read_numbers(platform, &numbers);
    cr_expect(numbers.is_up);
    cr_expect_eq(numbers.requests[PLATFORM_UPDATE][0], 1, "200");
    client_stop();
}

Test(platform, a_token_that_is_refused_is_read_again, .timeout = 60)
{
    static const char *const script[] = {JSON("401 No", EMPTY), JSON("200 OK", EMPTY),
                                         JSON("401 No", EMPTY), JSON("401 No", EMPTY), NULL};

    client_start(script);
    expect_outcome(PLATFORM_UPDATE, PLATFORM_OK, 200);
    cr_expect(strstr(server.last, "{\"kind\":\"Lease\"}"), "with the body");
    write_token("second");
    expect_outcome(PLATFORM_GET, PLATFORM_UNAUTHORIZED, 401);
    cr_expect(strstr(server.last, "Bearer second\r\n"));
    cr_expect_eq(atomic_load(&server.requests), 4, "only once more");
    cr_expect(strstr(got.why, "platform.token"), "%s", got.why);
    cr_expect_not(strstr(got.why, "second"), "a token is a secret");
    client_stop();
}

Test(platform, a_lost_response_decides_nothing, .timeout = 60)
{
    static const char *const script[] = {CLOSE, HANG, JSON("200 OK", EMPTY), NULL};
    struct platform_request hangs = request_of(PLATFORM_UPDATE);

    client_start(script);
    expect_outcome(PLATFORM_UPDATE, PLATFORM_UNKNOWN, 0);
    hangs.timeout_ns = 300 * NS_PER_MS;
    ask(&hangs);
    cr_expect_eq(got.outcome, PLATFORM_UNKNOWN, "%s", got.why);
    cr_expect_geq(got.received_ns - got.sent_ns, 290 * NS_PER_MS);
    expect_outcome(PLATFORM_UPDATE, PLATFORM_OK, 200);
    client_stop();
}

Test(platform, a_request_that_was_not_sent_had_no_effect, .timeout = 60)
{
    static const char *const script[] = {NULL};
    struct platform_request request = request_of(PLATFORM_GET);
    struct platform_object nameless = lease;

    client_start(script);
    (void)unlink(token_path);
    expect_outcome(PLATFORM_GET, PLATFORM_UNSENT, 0);
    cr_expect(strstr(got.why, "no token"), "%s", got.why);
    write_token("second");
    nameless.name = NULL;
    request.object = &nameless;
    ask(&request);
    cr_expect_eq(got.outcome, PLATFORM_UNSENT, "%s", got.why);
    server_stop();
    expect_outcome(PLATFORM_GET, PLATFORM_UNSENT, 0);
    cr_expect(strstr(got.why, "Connection refused"), "%s", got.why);
    platform_stop(platform);
    platform_close(platform);
    (void)unlink(token_path);
}

/* One hangs; of those behind it the fresh one has a connection of its own. */
Test(platform, a_fresh_request_does_not_wait_for_another, .timeout = 60)
{
    static const char *const script[] = {HANG, JSON("200 OK", EMPTY), NULL};
    struct platform_request hangs = request_of(PLATFORM_UPDATE), fresh = hangs;

    client_start(script);
    hangs.timeout_ns = NS_PER_SEC;
    cr_assert_eq(platform_request(platform, &hangs), 0);
    while (atomic_load(&server.requests) < 1)
        (void)usleep(1000);
    fresh.is_fresh = true;
    cr_assert_eq(platform_request(platform, &fresh), 0);
    wait_done(2);
    cr_expect_eq(atomic_load(&server.connections), 2);
    client_stop();
}

/* The common connection is for the others. */
Test(platform, a_background_request_has_its_own_connection_and_is_no_problem, .timeout = 60)
{
    static const char *const script[] = {JSON("403 No", EMPTY), JSON("200 OK", EMPTY), NULL};
    struct platform_request background = request_of(PLATFORM_PATCH);
    struct platform_numbers numbers;
    char why[PLATFORM_WHY_MAX];

    client_start(script);
    background.is_background = background.is_optional = true;
    ask(&background);
    cr_expect_eq(got.outcome, PLATFORM_FORBIDDEN);
    cr_expect_not_null(strstr(got.why, "verbs: [patch]"));
    cr_expect_not_null(strstr(server.last, "PATCH /apis/"));
    cr_expect_not_null(strstr(server.last, "Content-Type: application/merge-patch+json\r\n"));
    cr_expect_not(platform_problem(platform, why));
    platform_read_numbers(platform, &numbers);
    cr_expect_not(numbers.is_up);
    expect_outcome(PLATFORM_UPDATE, PLATFORM_OK, 200);
    cr_expect_eq(atomic_load(&server.connections), 2);
    client_stop();
}

Test(platform, outstanding_requests_are_bounded, .timeout = 60)
{
    static const char *const script[] = {HANG, NULL};
    struct platform_request hangs = request_of(PLATFORM_GET);

    client_start(script);
    hangs.timeout_ns = 2 * NS_PER_SEC;
    for (unsigned i = 0; i < PLATFORM_REQUESTS; i++)
        cr_assert_eq(platform_request(platform, &hangs), 0, "%u", i);
    cr_expect_eq(platform_request(platform, &hangs), -EAGAIN);
    client_stop();
    cr_expect_eq(atomic_load(&got.done), 0, "no callback after the stop");
}

Test(platform, without_an_option_there_is_no_client)
{
    static const struct config none;
    static struct platform_numbers numbers;
    const struct platform_request request = request_of(PLATFORM_GET);
    char why[PLATFORM_WHY_MAX];

    cr_assert_eq(platform_open(&none, &platform), 0);
    cr_assert_null(platform);
    cr_expect_eq(platform_start(platform), 0);
    cr_expect_eq(platform_request(platform, &request), -ESHUTDOWN);
    cr_expect_not(platform_problem(platform, why));
    cr_expect_str_eq(platform_namespace(platform), "");
    platform_read_numbers(platform, &numbers);
    cr_expect_not(numbers.is_on);
    platform_stop(platform);
    platform_close(platform);
}

Test(platform, the_api_server_must_have_an_address)
{
    struct config wanted = {.discovery_kubernetes = "x", .platform_api = "auto"};

    (void)unsetenv("KUBERNETES_SERVICE_HOST");
    (void)unsetenv("KUBERNETES_SERVICE_PORT");
    cr_expect_eq(platform_open(&wanted, &platform), -EDESTADDRREQ);
    (void)setenv("KUBERNETES_SERVICE_HOST", "kubernetes.default", 1);
    (void)setenv("KUBERNETES_SERVICE_PORT", "443", 1);
    cr_expect_eq(platform_open(&wanted, &platform), -EDESTADDRREQ);
    (void)setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
    cr_assert_eq(platform_open(&wanted, &platform), 0);
    cr_expect_str_eq(platform_url(platform), "https://[fd00::1]:443");
    platform_close(platform);
}
