/*
 * The TTL through two pods: from a client to the leader's app, and to a leader outside the cluster.
 * App and leader outside are a socket of the test.
 */
#include <netinet/in.h>

#include "plane_fixture.h"

#include "data/loop_guard.h"
#include "headless/net/batch.h"

static struct udp_socket target;

/* On loopback only a data port is suspected of being another headlessd's. */
static void open_target(const char *at)
{
    const struct udp_options options = {.ttl = true};
    struct address any = address_with_port(ip(at), 12000);

    setup();
    cr_assert_eq(udp_open(&any, &options, &target), 0);
}

static void open_all(void)
{
    open_target("127.0.77.9");
}

static void close_all(void)
{
    udp_close(&target);
    teardown();
}

TestSuite(plane_loop, .init = open_all, .fini = close_all, .timeout = 30);

/* The target as the app of both pods. */
static void use_as_app(void)
{
    for (int i = 0; i < PODS; i++)
        configs[i].app_target = (struct config_app_target){CONFIG_APP_UDP, target.local};
    use_route(CONFIG_ROUTE_LEADER);
}

/* A leads in this term, as both pods know. */
static void begin(uint64_t term, bool carries_ttl)
{
    for (int i = 0; i < PODS; i++) {
        struct leader_snapshot *snapshot;

        publish(i, A, term, 0);
        snapshot = snapshot_draft(&data_planes[i]->publisher);
        snapshot->leader.carries_tos = carries_ttl;
        snapshot_publish(&data_planes[i]->publisher, snapshot);
    }
}

/* The target as the leader of A, outside the cluster. */
static void use_as_leader(enum config_relay format)
{
    struct leader_snapshot *snapshot;

    data_plane_close(data_planes[A]);
    configs[A].relay_format = format;
    cr_assert_eq(data_plane_open(&configs[A], &supervisor_wakers[A], &data_planes[A]), 0);
    publish(A, B, 1, 0);
    snapshot = snapshot_draft(&data_planes[A]->publisher);
    snapshot->leader.kind = LEADER_OUTSIDE;
    snapshot->leader.address = target.local;
    snapshot_publish(&data_planes[A]->publisher, snapshot);
}

/* The TTL of the next datagram at the target, or -1 when there is none. */
static int take(void)
{
    struct inbox_message message;
    struct inbox inbox;
    uint8_t bytes[2000];
    int n;

    cr_assert_eq(inbox_init(&inbox, 1), 0);
    inbox_arm(&inbox, 0, bytes, sizeof(bytes), NULL, 0);
    n = inbox_receive(&inbox, target.fd, 1, MSG_DONTWAIT);
    if (n == 1)
        inbox_read(&inbox, 0, &message);
    inbox_fini(&inbox);
    return n == 1 ? message.ttl : -1;
}

static void run_both(void)
{
    for (int i = 0; i < 3; i++) {
        run(A);
        run(B);
    }
}

/* A datagram that reaches the pod with this TTL leaves with that one. */
static void expect_ttl(int pod, uint8_t ttl, int next)
{
    cr_assert_eq(udp_set_ttl(&client, ttl), 0);
    say(pod, "hello");
    run_both();
    cr_expect_eq(take(), next, "%u through pod %d", ttl, pod);
}

static void expect_steps(int pod)
{
    expect_ttl(pod, 255, 48);
    expect_ttl(pod, 64, 48);
    expect_ttl(pod, 48, 32);
    expect_ttl(pod, 32, 16);
    expect_ttl(pod, 16, 4);
    expect_ttl(pod, 64, 48);
    expect_ttl(pod, 4, -1);
    expect_ttl(pod, 1, -1);
}

Test(plane_loop, to_the_app)
{
    use_as_app();
    begin(1, true);
    expect_steps(A);
    cr_assert_eq(count(A, DROPPED(ttl)), 2);
}

Test(plane_loop, to_the_app_through_a_follower)
{
    use_as_app();
    begin(1, true);
    expect_steps(B);
    cr_assert_eq(count(A, DROPPED(ttl)), 2);
    cr_assert_eq(count(A, DROPPED(malformed)), 0);
}

/* A member of the version before would refuse the frames. */
Test(plane_loop, frames_have_no_ttl_while_a_member_does_not_read_it)
{
    use_as_app();
    begin(1, false);
    expect_ttl(B, 16, 48);
    expect_ttl(A, 16, 4); /* no frame */
    begin(1, true);
    expect_ttl(B, 16, 4);
}

Test(plane_loop, held_requests_keep_it)
{
    use_as_app();
    publish_both(PODS, 1);
    cr_assert_eq(udp_set_ttl(&client, 32), 0);
    say(A, "held");
    run_both();
    begin(2, true);
    run_both();
    cr_assert_eq(take(), 16);
}

Test(plane_loop, to_a_leader_outside)
{
    use_as_leader(CONFIG_RELAY_RAW);
    expect_steps(A);
    cr_assert_eq(count(A, DROPPED(ttl)), 2);
}

Test(plane_loop, to_a_leader_outside_behind_a_proxy_header)
{
    use_as_leader(CONFIG_RELAY_PROXY_V2);
    expect_steps(A);
}

/* GSO batches: one that may leave as it came, and one that may not. */
Test(plane_loop, batches_to_a_leader_outside)
{
    use_as_leader(CONFIG_RELAY_RAW);
    say_gso(A, 4, 100, 100);
    run(A);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(take(), 48);
    cr_assert_eq(udp_set_ttl(&client, 48), 0);
    say_gso(A, 4, 100, 100);
    run(A);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(take(), 32);
    cr_assert_eq(udp_set_ttl(&client, 3), 0);
    say_gso(A, 4, 100, 100);
    run(A);
    cr_assert_eq(take(), -1);
    cr_assert_eq(count(A, DROPPED(ttl)), 4);
}

/* An IPv6 app: each session has a socket. */
Test(plane_loop, to_an_app_with_a_socket_for_each_session)
{
    udp_close(&target);
    close_all();
    open_target("::1");
    use_as_app();
    begin(1, true);
    expect_steps(A);
    expect_steps(B);
}

/* The pod is its own app: the TTL ends the circle. */
Test(plane_loop, pod_that_is_its_own_app_makes_few_passes)
{
    const struct address own = address_with_port(configs[A].self, configs[A].data_port);

    configs[A].app_target = (struct config_app_target){CONFIG_APP_UDP, own};
    use_route(CONFIG_ROUTE_LEADER);
    begin(1, true);
    say(A, "hello");
    run(A);
    cr_assert_eq(count(A, COUNTER_RECEIVED_DATA), 1 + LOOP_GUARD_PASSES);
    cr_assert_eq(count(A, DROPPED(ttl)), 1);
}
