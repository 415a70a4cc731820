/* The client of the API server against a server with a script: requests, their outcomes, the stop. */
#include "platform_fixture.h"

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
    uint64_t asked_ns;

    client_start(script);
    expect_outcome(PLATFORM_UPDATE, PLATFORM_UNKNOWN, 0);
    hangs.timeout_ns = 300 * NS_PER_MS;
    asked_ns = clock_now_ns();
    ask(&hangs);
    cr_expect_eq(got.outcome, PLATFORM_UNKNOWN, "%s", got.why);
    cr_expect_geq(got.received_ns - asked_ns, 290 * NS_PER_MS);
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
