/* The client of the API server sends a copy of a request that has no response. */
#include "platform_fixture.h"

static struct platform_request hedged_request_of(enum platform_verb verb)
{
    struct platform_request request = request_of(verb);

    request.hedge_ns = 50 * NS_PER_MS;
    return request;
}

static void expect_hedged(const struct platform_request *request, enum platform_outcome outcome)
{
    ask(request);
    cr_expect_eq(got.outcome, outcome, "%d: %s", (int)got.outcome, got.why);
}

Test(platform_hedge, a_copy_on_another_connection_replaces_a_dead_one, .timeout = 60)
{
    static const char *const script[] = {JSON("200 OK", EMPTY), DEAD, JSON("200 OK", EMPTY),
                                         JSON("200 OK", EMPTY), NULL};
    struct platform_request request = hedged_request_of(PLATFORM_UPDATE);
    char first[sizeof(server.last)];

    client_start(script);
    expect_hedged(&request, PLATFORM_OK);
    (void)snprintf(first, sizeof(first), "%s", strstr(server.last, "\r\n\r\n"));
    expect_hedged(&request, PLATFORM_OK);
    cr_expect_str_eq(strstr(server.last, "\r\n\r\n"), first, "the same body");
    cr_expect_eq(atomic_load(&server.connections), 2);
    expect_hedged(&request, PLATFORM_OK);
    cr_expect_eq(atomic_load(&server.connections), 3, "the dead one is not used again");
    client_stop();
}

/* Whether the first copy was applied is not known. */
Test(platform_hedge, a_refused_copy_of_an_update_decides_nothing, .timeout = 60)
{
    static const char *const script[] = {
        DEAD, JSON("403 Forbidden", EMPTY), DEAD, JSON("409 Conflict", EMPTY),
        DEAD, JSON("403 Forbidden", EMPTY), NULL};
    struct platform_request update = hedged_request_of(PLATFORM_UPDATE),
                            get = hedged_request_of(PLATFORM_GET);

    client_start(script);
    expect_hedged(&update, PLATFORM_UNKNOWN);
    expect_hedged(&update, PLATFORM_CONFLICT);
    expect_hedged(&get, PLATFORM_FORBIDDEN);
    client_stop();
}

Test(platform_hedge, both_copies_may_remain_without_a_response, .timeout = 60)
{
    static const char *const script[] = {DEAD, CLOSE, DEAD, DEAD, JSON("200 OK", EMPTY), NULL};
    struct platform_request request = hedged_request_of(PLATFORM_UPDATE);

    client_start(script);
    request.timeout_ns = 300 * NS_PER_MS;
    expect_hedged(&request, PLATFORM_UNKNOWN);
    expect_hedged(&request, PLATFORM_UNKNOWN);
    request.timeout_ns = 20 * NS_PER_SEC;
    expect_hedged(&request, PLATFORM_OK);
    cr_expect_eq(atomic_load(&got.done), 3, "one outcome each");
    client_stop();
}
