/* role_label: the label of the pod that leads follows what the API server has confirmed. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "client_fixture.h"
#include "control/role_label.h"
#include "headless/base/clock.h"

static struct role_label *label;
static struct waker waker;
static uint64_t now_ns;

static void setup(void)
{
    struct config config = {.name = "pod-1", .platform_role_label = 1};

    now_ns = 1000 * NS_PER_SEC;
    cr_assert_eq(waker_init(&waker, false), 0);
    cr_assert_eq(role_label_open(&config, NULL, &waker, &label), 0);
}

static void teardown(void)
{
    role_label_close(label);
    waker_fini(&waker);
}

TestSuite(role_label, .init = setup, .fini = teardown);

static void reply(enum platform_outcome outcome)
{
    const struct platform_result result = {.verb = PLATFORM_PATCH, .outcome = outcome};

    request.done(request.context, &result);
}

/* One more request since the last call, of this pod and this label; not yet answered. */
static void expect_request(const char *pod, bool sets)
{
    static unsigned known;
    char body[128];

    cr_assert_eq(requests, ++known, "%u requests", requests);
    cr_expect_eq(request.verb, PLATFORM_PATCH);
    cr_expect_str_eq(request.object->resource, "pods");
    cr_expect_str_eq(request.object->part, "status");
    cr_expect_str_eq(request.object->name, pod);
    cr_expect(request.is_background);
    (void)request.write_body(request.context, body, sizeof(body));
    cr_expect_str_eq(body, sets ? "{\"metadata\":{\"labels\":{\"headlessd.io/role\":\"leader\"}}}"
                                : "{\"metadata\":{\"labels\":{\"headlessd.io/role\":null}}}");
}

static void run(bool leads)
{
    role_label_run(label, leads, "pod-0", now_ns);
}

static void expect_report(bool is_set, uint64_t failures)
{
    struct supervisor_role_report report;

    role_label_read(label, &report);
    cr_expect(report.is_on);
    cr_expect_eq(report.is_set, is_set);
    cr_expect_eq(report.failures, failures);
}

/* A container that restarted in its pod finds the label of its predecessor. */
Test(role_label, a_pod_that_does_not_lead_removes_its_own_once)
{
    run(false);
    expect_request("pod-1", false);
    run(false);
    reply(PLATFORM_OK);
    run(false);
    now_ns += 3600 * NS_PER_SEC;
    run(false);
    cr_expect_eq(requests, 1);
    expect_report(false, 0);
}

Test(role_label, a_leader_has_it_and_removes_that_of_its_predecessor)
{
    run(true);
    expect_request("pod-1", true);
    reply(PLATFORM_OK);
    run(true);
    expect_request("pod-0", false);
    cr_expect(request.is_optional);
    reply(PLATFORM_NOT_FOUND); /* its pod is gone */
    run(true);
    cr_expect_eq(requests, 2);
    expect_report(true, 0);
    now_ns += 61 * NS_PER_SEC;
    run(true);
    expect_request("pod-1", true);
    reply(PLATFORM_OK);
    run(false);
    expect_request("pod-1", false);
    reply(PLATFORM_OK);
    run(false);
    expect_report(false, 0);
}

/* The reply to the first request says what no longer holds. */
Test(role_label, a_change_during_a_request_follows_it)
{
    run(true);
    expect_request("pod-1", true);
    run(false);
    cr_expect_eq(requests, 1);
    reply(PLATFORM_OK);
    run(false);
    expect_request("pod-1", false);
    reply(PLATFORM_OK);
    run(false);
    cr_expect_eq(requests, 2);
}

Test(role_label, a_lost_reply_or_a_refusal_is_tried_again_later_and_later)
{
    uint64_t pause_ns = NS_PER_SEC;

    run(true);
    for (unsigned i = 1; i <= 6; i++, pause_ns *= 2) {
        expect_request("pod-1", true);
        reply(i % 2 ? PLATFORM_UNKNOWN : PLATFORM_FORBIDDEN);
        run(true);
        expect_report(false, i);
        now_ns += pause_ns - 1;
        run(true);
        cr_expect_eq(requests, i);
        now_ns += 1;
        run(true);
    }
    expect_request("pod-1", true);
    reply(PLATFORM_OK);
    run(true);
    expect_report(true, 6);
}

Test(role_label, a_client_that_takes_no_request_is_asked_again)
{
    request_rc = -EAGAIN;
    run(true);
    expect_request("pod-1", true);
    request_rc = 0;
    now_ns += NS_PER_SEC;
    run(true);
    expect_request("pod-1", true);
}

Test(role_label, without_the_option_there_is_none)
{
    const struct config config = {.name = "pod-1"};
    struct supervisor_role_report report;
    struct role_label *none;

    cr_assert_eq(role_label_open(&config, NULL, &waker, &none), 0);
    cr_assert_null(none);
    role_label_run(none, true, "", now_ns);
    role_label_read(none, &report);
    cr_expect_not(report.is_on);
    cr_expect_eq(requests, 0);
}
