/*
 * A leader whose lease has ended for a moment: its app's replies wait until the lease is valid again, or
 * are fenced when another pod leads. The app is a socket of this test; each slice is called by hand.
 */
#include "plane_fixture.h"

static struct udp_socket app;
static struct address session; /* of the last request */

static void setup_app(void)
{
    const struct address any = ip("127.0.0.1");
    const struct udp_options options = {0};

    setup();
    cr_assert_eq(udp_open_ipv4(&any, &options, &app), 0);
    configs[A].app_target = (struct config_app_target){CONFIG_APP_UDP, app.local};
    configs[A].app_fail_ns = 3600 * NS_PER_SEC;
    data_plane_close(data_planes[A]);
    cr_assert_eq(data_plane_open(&configs[A], &supervisor_wakers[A], &data_planes[A]), 0);
    publish_both(A, 1);
}

static void teardown_app(void)
{
    udp_close(&app);
    teardown();
}

TestSuite(plane_withheld, .init = setup_app, .fini = teardown_app, .timeout = 30);

/* A client of this pod sends a request, which A's app gets. */
static void request(int pod, const char *text)
{
    struct sockaddr_storage from = {0};
    socklen_t length = sizeof(from);
    char bytes[100];

    say(pod, text);
    run(pod);
    run(A);
    cr_assert_eq(
        recvfrom(app.fd, bytes, sizeof(bytes), MSG_DONTWAIT, (struct sockaddr *)&from, &length),
        (ssize_t)strlen(text));
    address_from_sockaddr((struct sockaddr *)&from, &session);
}

static void app_replies(const char *text)
{
    const struct address from = {0};

    cr_assert_eq(udp_send_one(&app, &session, &from, text, strlen(text)), 0);
    run(A);
}

static void set_lease(bool is_valid)
{
    atomic_store_explicit(&snapshot_current(&data_planes[A]->publisher)->leader.valid_until_ns,
                          is_valid ? SNAPSHOT_NO_EXPIRY : 0, memory_order_relaxed);
    run(A);
}

static void expect_nothing(void)
{
    run(B);
    cr_assert_str_eq(heard(), "");
    cr_assert_eq(count(A, COUNTER_REPLIES_FROM_APP), 0);
    cr_assert_eq(count(A, COUNTER_REPLIES_FENCED), 0);
}

Test(plane_withheld, reply_leaves_when_the_lease_is_valid_again)
{
    request(A, "one");
    set_lease(false);
    app_replies("one");
    expect_nothing();
    set_lease(true);
    cr_assert_str_eq(heard(), "one");
}

Test(plane_withheld, relayed_reply_leaves_when_the_lease_is_valid_again)
{
    request(B, "one");
    set_lease(false);
    app_replies("one");
    app_replies("two");
    expect_nothing();
    set_lease(true);
    run(B);
    cr_assert_str_eq(heard(), "one");
    cr_assert_str_eq(heard(), "two");
}

Test(plane_withheld, reply_is_fenced_when_another_pod_leads)
{
    request(B, "one");
    set_lease(false);
    app_replies("one");
    expect_nothing();
    publish_both(B, 2);
    set_lease(true);
    run(B);
    cr_assert_str_eq(heard(), "");
    cr_assert_eq(count(A, COUNTER_REPLIES_FENCED), 1);
}

Test(plane_withheld, reply_of_a_leader_that_steps_down_leaves)
{
    const uint64_t until_ns = clock_now_ns() + 60 * NS_PER_SEC;

    request(B, "one");
    set_lease(false);
    app_replies("one");
    expect_nothing();
    publish(A, B, 2, until_ns);
    publish(B, B, 2, until_ns);
    run(A);
    run(B);
    cr_assert_str_eq(heard(), "one");
}

Test(plane_withheld, stopping_pod_reads_what_its_app_has_sent)
{
    request(A, "one");
    set_lease(false);
    app_replies("one");
    expect_nothing();
    worker_end(&data_planes[A]->workers[0]);
    run(A);
    cr_assert_eq(count(A, COUNTER_REPLIES_FENCED), 1);
}
