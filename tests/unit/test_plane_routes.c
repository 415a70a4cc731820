/* Routes local and all: the apps that get a datagram, and the reply that is sent. */
#include <unistd.h>

#include "data/app/session.h"
#include "plane_fixture.h"

TestSuite(plane_routes, .init = setup, .fini = teardown, .timeout = 30);

Test(plane_routes, local_delivers_to_the_own_app_and_only_the_leader_replies)
{
    use_route(CONFIG_ROUTE_LOCAL);
    publish_both(A, 1);
    say(A, "hello");
    say(B, "hello");
    run(A);
    run(B);
    run(A);
    cr_assert_str_eq(heard(), "hello");
    cr_assert_str_eq(heard(), "", "one reply");
    for (int i = 0; i < PODS; i++) {
        cr_assert_eq(count(i, COUNTER_DELIVERED), 1);
        cr_assert_eq(count(i, COUNTER_RECEIVED_RELAY), 0, "nothing between pods");
    }
    cr_assert_eq(count(A, COUNTER_REPLIES_SENT), 1);
    cr_assert_eq(count(B, COUNTER_REPLIES_SUPPRESSED), 1);
}

Test(plane_routes, all_delivers_to_every_app_and_the_leader_replies_through_the_ingress_pod)
{
    use_route(CONFIG_ROUTE_ALL);
    publish_both(A, 1);
    say(B, "one");
    say(B, "two");
    run(B);
    cr_assert_str_eq(heard(), "");
    run(A);
    cr_assert_str_eq(heard(), "", "only the ingress pod may reply");
    run(B);
    cr_assert_str_eq(heard(), "one");
    cr_assert_str_eq(heard(), "two");
    cr_assert_str_eq(heard(), "");
    cr_assert_eq(count(A, COUNTER_DELIVERED), 2);
    cr_assert_eq(count(B, COUNTER_DELIVERED), 2);
    cr_assert_eq(count(B, COUNTER_REPLIES_SUPPRESSED), 2);
    cr_assert_eq(count(B, COUNTER_COPIES_MADE), 2);
    cr_assert_eq(count(B, COUNTER_COPIES_SENT), 2);
    cr_assert_eq(count(B, COUNTER_FRAMES_SENT), 1, "both in one frame");
    cr_assert_eq(count(B, COUNTER_RELAYED), 0);
}

Test(plane_routes, all_through_the_leader)
{
    use_route(CONFIG_ROUTE_ALL);
    publish_both(A, 1);
    say(A, "hello");
    run(A);
    cr_assert_str_eq(heard(), "hello");
    run(B);
    run(A);
    cr_assert_str_eq(heard(), "", "the follower's reply is not sent");
    cr_assert_eq(count(B, COUNTER_DELIVERED), 1);
    cr_assert_eq(count(B, COUNTER_REPLIES_SUPPRESSED), 1);
}

Test(plane_routes, copies_are_never_passed_on)
{
    use_route(CONFIG_ROUTE_ALL);
    publish(A, B, 1, 0);
    publish(B, A, 1, 0); /* each takes the other for the leader */
    say(B, "hello");
    run(B);
    run(A);
    run(B);
    cr_assert_eq(count(A, COUNTER_COPIES_MADE), 0);
    cr_assert_eq(count(A, COUNTER_DELIVERED), 1);
    cr_assert_eq(count(B, COUNTER_DELIVERED), 1);
    cr_assert_str_eq(heard(), "", "neither leads");
}

Test(plane_routes, dead_member_gets_no_copy)
{
    struct leader_snapshot *snapshot;

    use_route(CONFIG_ROUTE_ALL);
    publish_both(A, 1);
    snapshot = snapshot_draft(&data_planes[A]->publisher);
    snapshot->leader.members[B].is_alive = false;
    snapshot_publish(&data_planes[A]->publisher, snapshot);
    say(A, "hello");
    run(A);
    cr_assert_str_eq(heard(), "hello");
    cr_assert_eq(count(A, COUNTER_COPIES_MADE), 0);
}

/* A dead member that is listed before it has the same address. */
Test(plane_routes, an_address_gets_one_copy)
{
    struct leader_snapshot *snapshot;

    use_route(CONFIG_ROUTE_ALL);
    publish_both(A, 1);
    snapshot = snapshot_draft(&data_planes[A]->publisher);
    snapshot->leader.members[2] = snapshot->leader.members[3] = snapshot->leader.members[B];
    snapshot->leader.member_count = 4;
    snapshot->leader.members[B].is_alive = false;
    snapshot_publish(&data_planes[A]->publisher, snapshot);
    say(A, "hello");
    run(A);
    cr_assert_str_eq(heard(), "hello");
    run(B);
    cr_assert_eq(count(A, COUNTER_COPIES_MADE), 1);
    cr_assert_eq(count(B, COUNTER_DELIVERED), 1);
}

Test(plane_routes, without_a_leader_all_is_held_and_then_copied)
{
    use_route(CONFIG_ROUTE_ALL);
    publish_both(PODS, 0);
    say(B, "hello");
    run(B);
    cr_assert_eq(count(B, COUNTER_DELIVERED), 0);
    publish_both(A, 1);
    while (!hold_is_empty(
        &data_planes[B]->workers[0].routing.hold)) /* paced; the test has a time limit */
        run(B);
    run(A);
    run(B);
    cr_assert_str_eq(heard(), "hello");
    cr_assert_eq(count(A, COUNTER_DELIVERED), 1);
    cr_assert_eq(count(B, COUNTER_DELIVERED), 1);
}

/* More than a batch of frames, one of them larger than a frame, sizes mixed. */
Test(plane_routes, copies_of_all_sizes_arrive_in_order)
{
    static const size_t sizes[] = {1, 1000, 700, 30, 5000, 700, 700, 1300, 2, 60};
    static char text[5001];
    size_t n = 0;

    use_route(CONFIG_ROUTE_ALL);
    publish_both(A, 1);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            memset(text, (int)('a' + n++ % 26), sizes[i]);
            text[sizes[i]] = '\0';
            say(B, text);
        }
        run(B);
        run(A);
        run(B);
    }
    for (size_t i = 0; i < n; i++) {
        ssize_t got = recv(client.fd, text, sizeof(text), MSG_DONTWAIT);

        cr_assert_eq(got, (ssize_t)sizes[i % (sizeof(sizes) / sizeof(sizes[0]))], "answer %zu", i);
        cr_assert_eq(text[0], (char)('a' + i % 26), "answer %zu", i);
    }
    cr_assert_eq(count(A, COUNTER_DELIVERED), n);
    cr_assert_eq(count(B, COUNTER_COPIES_SENT), n);
}

/* ---- an app that takes its time */

static struct udp_socket app;

static void app_beside_b(void)
{
    struct address any = ip("127.0.0.1");
    const struct udp_options options = {0};

    cr_assert_eq(udp_open(&any, &options, &app), 0);
    configs[B].app_target = (struct config_app_target){CONFIG_APP_UDP, app.local};
}

/* The app takes one request, and says from where it came. */
static struct sockaddr_storage app_takes(const char *expected)
{
    struct sockaddr_storage from;
    socklen_t length = sizeof(from);
    char text[100];
    ssize_t n =
        recvfrom(app.fd, text, sizeof(text) - 1, MSG_DONTWAIT, (struct sockaddr *)&from, &length);

    cr_assert_geq(n, 0, "%s did not come", expected);
    text[n] = '\0';
    cr_assert_str_eq(text, expected);
    return from;
}

static void app_says(const struct sockaddr_storage *to, const char *text)
{
    cr_assert_eq(sendto(app.fd, text, strlen(text), 0, (const struct sockaddr *)to,
                        sizeof(struct sockaddr_in)),
                 (ssize_t)strlen(text));
}

Test(plane_routes, new_leader_does_not_reply_to_copies_of_the_former_term)
{
    struct sockaddr_storage session;

    app_beside_b();
    use_route(CONFIG_ROUTE_LOCAL);
    publish_both(A, 1);
    say(B, "one");
    run(B);
    session = app_takes("one");
    publish_both(B, 2);
    app_says(&session, "late");
    run(B);
    cr_assert_str_eq(heard(), "");
    cr_assert_eq(count(B, COUNTER_REPLIES_SUPPRESSED), 1);
    say(B, "two");
    run(B);
    session = app_takes("two");
    app_says(&session, "in time");
    run(B);
    cr_assert_str_eq(heard(), "in time");
    udp_close(&app);
}

/* Requests that B got as a follower have another session than those that it got as the leader.
 */
Test(plane_routes, later_request_does_not_release_an_earlier_reply)
{
    struct sockaddr_storage first, second;

    app_beside_b();
    use_route(CONFIG_ROUTE_LOCAL);
    publish_both(A, 1);
    say(B, "one");
    run(B);
    first = app_takes("one");
    publish_both(B, 2);
    say(B, "two");
    run(B);
    second = app_takes("two");
    app_says(&first, "to one");
    app_says(&second, "to two");
    run(B);
    cr_assert_str_eq(heard(), "to two");
    cr_assert_str_eq(heard(), "");
    publish_both(A, 3);
    say(B, "three");
    run(B);
    (void)app_takes("three");
    cr_assert_eq(count(B, COUNTER_REPLIES_SUPPRESSED), 1);
    udp_close(&app);
}

/* As the supervisor does: replies of earlier leaders have ended at settled_ns. */
static void settle(int pod, uint64_t grace_ns, uint64_t settled_ns)
{
    struct leader_snapshot *snapshot = snapshot_draft(&data_planes[pod]->publisher);

    snapshot->settings.reply_grace_ns = grace_ns;
    snapshot->leader.settled_ns = settled_ns;
    snapshot_publish(&data_planes[pod]->publisher, snapshot);
}

/* A session's times are in ticks: the last request may have been at the end of its tick. */
static void pass_tick(void)
{
    uint64_t end_ns = clock_now_ns() + 2 * SESSION_TICK_NS;

    while (clock_now_ns() < end_ns)
        (void)usleep(1000);
}

Test(plane_routes, new_leader_pushes_once_all_replies_of_the_former_term_have_ended)
{
    struct sockaddr_storage session, again;

    app_beside_b();
    use_route(CONFIG_ROUTE_LOCAL);
    publish_both(A, 1);
    say(B, "subscribe");
    run(B);
    session = app_takes("subscribe");
    app_says(&session, "push 1");
    run(B);
    settle(B, 1, UINT64_MAX);
    publish_both(B, 2);
    app_says(&session, "push 2");
    run(B);
    cr_assert_str_eq(heard(), "", "the former leader may push");
    settle(B, 60 * NS_PER_SEC, 0);
    app_says(&session, "push 3");
    run(B);
    cr_assert_str_eq(heard(), "", "it may be a late reply");
    cr_assert_eq(count(B, COUNTER_REPLIES_SUPPRESSED), 3);
    settle(B, 1, 0);
    pass_tick();
    app_says(&session, "push 4");
    run(B);
    cr_assert_str_eq(heard(), "push 4");
    say(B, "more");
    run(B);
    again = app_takes("more");
    cr_assert_eq(memcmp(&session, &again, sizeof(struct sockaddr_in)), 0,
                 "one client has one session");
    publish_both(A, 3);
    app_says(&session, "push 5");
    run(B);
    cr_assert_str_eq(heard(), "", "it no longer leads");
    cr_assert_eq(count(B, COUNTER_REPLIES_FENCED), 1);
    udp_close(&app);
}

/* A answered it in term 1; when the copy arrives here, B leads in term 2. */
Test(plane_routes, copy_of_a_former_term_is_not_replied_to_again)
{
    use_route(CONFIG_ROUTE_ALL);
    publish_both(A, 1);
    say(A, "hello");
    run(A);
    cr_assert_str_eq(heard(), "hello");
    publish_both(B, 2);
    run(B);
    run(A);
    cr_assert_str_eq(heard(), "");
    cr_assert_eq(count(B, COUNTER_DELIVERED), 1);
    cr_assert_eq(count(B, COUNTER_REPLIES_SUPPRESSED), 1);
}

/* Its time is over for a moment, which the other pod does not know. */
Test(plane_routes, a_leader_that_is_late_holds_copies)
{
    use_route(CONFIG_ROUTE_ALL);
    publish_both(A, 1);
    atomic_store(&snapshot_current(&data_planes[A]->publisher)->leader.valid_until_ns, 0);
    say(B, "hello");
    run(B);
    run(A);
    cr_assert_eq(count(A, COUNTER_DELIVERED), 0);
    atomic_store(&snapshot_current(&data_planes[A]->publisher)->leader.valid_until_ns,
                 SNAPSHOT_NO_EXPIRY);
    while (!hold_is_empty(&data_planes[A]->workers[0].routing.hold))
        run(A);
    run(B);
    cr_assert_str_eq(heard(), "hello");
    cr_assert_eq(count(A, COUNTER_COPIES_MADE), 0, "delivered, and not passed on");
}

Test(plane_routes, copies_are_dropped_where_the_route_is_another)
{
    use_route(CONFIG_ROUTE_ALL);
    data_plane_close(data_planes[A]);
    configs[A].route = CONFIG_ROUTE_LEADER;
    cr_assert_eq(data_plane_open(&configs[A], &supervisor_wakers[A], &data_planes[A]), 0);
    publish_both(A, 1);
    say(B, "hello");
    run(B);
    run(A);
    cr_assert_eq(count(A, DROPPED(route)), 1);
    cr_assert_eq(count(A, COUNTER_DELIVERED), 0);
}
