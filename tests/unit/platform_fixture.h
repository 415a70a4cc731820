/* platform_fixture: the client of the API server, and a server with a script in a thread. */
#ifndef HEADLESS_TESTS_PLATFORM_FIXTURE_H
#define HEADLESS_TESTS_PLATFORM_FIXTURE_H

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
#define DEAD  "?" /* as HANG, and further connections are accepted meanwhile */

static struct {
    int fd;
    uint16_t port;
    pthread_t thread;
    const char *const *script;
    _Atomic unsigned requests; /* received */
    _Atomic unsigned connections;
    char last[65536]; /* the last request; written before requests is counted */
} server;

static __attribute__((unused)) size_t body_length(const char *head)
{
    const char *length = strstr(head, "Content-Length: ");

    return length ? strtoul(length + 16, NULL, 10) : 0;
}

/* Head and body. False: the connection has ended. */
static __attribute__((unused)) bool receive(int fd)
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

static __attribute__((unused)) bool is_next_dead(void)
{
    const char *response = server.script[atomic_load(&server.requests)];
    bool is_dead = response && strcmp(response, DEAD) == 0;

    (void)atomic_fetch_add(&server.requests, is_dead);
    return is_dead;
}

/* True: the connection stays. */
static __attribute__((unused)) bool respond(int fd)
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

static __attribute__((unused)) void *serve(void *context)
{
    int fd;

    (void)context;
    while ((fd = accept(server.fd, NULL, NULL)) >= 0) {
        bool is_dead = false;

        (void)atomic_fetch_add(&server.connections, 1);
        while (receive(fd) && !(is_dead = is_next_dead()) && respond(fd))
            ;
        if (!is_dead)
            (void)close(fd);
    }
    return NULL;
}

static __attribute__((unused)) void server_start(const char *const *script)
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

static __attribute__((unused)) void server_stop(void)
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

static __attribute__((unused)) void on_done(void *context, const struct platform_result *result)
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

static __attribute__((unused)) void write_token(const char *text)
{
    FILE *file = fopen(token_path, "w");

    cr_assert(file);
    (void)fputs(text, file);
    cr_assert_eq(fclose(file), 0);
}

static __attribute__((unused)) void client_start(const char *const *script)
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

static __attribute__((unused)) void client_stop(void)
{
    platform_stop(platform);
    platform_close(platform);
    server_stop();
    (void)unlink(token_path);
}

static __attribute__((unused)) size_t write_lease(void *context, char *body, size_t room)
{
    (void)context;
    return (size_t)snprintf(body, room, "{\"kind\":\"Lease\"}");
}

static __attribute__((unused)) struct platform_request request_of(enum platform_verb verb)
{
    return (struct platform_request){.verb = verb,
                                     .object = &lease,
                                     .timeout_ns = 20 * NS_PER_SEC,
                                     .write_body = verb == PLATFORM_GET ? NULL : write_lease,
                                     .done = on_done};
}

static __attribute__((unused)) void wait_done(unsigned count)
{
    while (atomic_load(&got.done) < count)
        (void)usleep(1000);
}

static __attribute__((unused)) void ask(const struct platform_request *request)
{
    unsigned done = atomic_load(&got.done);

    cr_assert_eq(platform_request(platform, request), 0);
    wait_done(done + 1);
}

static __attribute__((unused)) void expect_outcome(enum platform_verb verb,
                                                   enum platform_outcome outcome, unsigned status)
{
    const struct platform_request request = request_of(verb);

    ask(&request);
    cr_expect_eq(got.outcome, outcome, "%d: %s", (int)got.outcome, got.why);
    cr_expect_eq(got.status, status);
}

#endif
