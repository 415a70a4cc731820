/* drain.sessions stay: requests go to the former leader first, which serves its sessions. */
#include "plane_fixture.h"

static struct udp_socket apps[PODS];

/* Each pod has an app of its own. */
static void setup_apps(void)
{
    setup();
    for (int i = 0; i < PODS; i++) {
        struct address any = ip("127.0.0.1");
        const struct udp_options options = {0};

        cr_assert_eq(udp_open(&any, &options, &apps[i]), 0);
        configs[i].app_target = (struct config_app_target){CONFIG_APP_UDP, apps[i].local};
    }
    use_route(CONFIG_ROUTE_LEADER);
}

static void teardown_apps(void)
{
    teardown();
    for (int i = 0; i < PODS; i++)
        udp_close(&apps[i]);
}

TestSuite(plane_former, .init = setup_apps, .fini = teardown_apps, .timeout = 30);

/* A led term 1, and serves its sessions until then; B leads term 2. */
static void publish_former(int pod, uint64_t until_ns)
{
    struct leader_snapshot *snapshot;

    publish(pod, B, 2, 0);
    snapshot = snapshot_draft(&data_planes[pod]->publisher);
    cr_assert_not_null(snapshot);
    snapshot->leader.former = (struct former_leader){.instance = instance_of(A),
                                                     .term = 1,
                                                     .until_ns = until_ns,
                                                     .replies_until_ns = UINT64_MAX,
                                                     .address = configs[A].self,
                                                     .member_index = 10};
    snapshot_publish(&data_planes[pod]->publisher, snapshot);
}

static void publish_former_both(uint64_t until_ns)
{
    publish_former(A, until_ns);
    publish_former(B, until_ns);
}

static void run_all(void)
{
    for (int i = 0; i < 3; i++) {
        run(A);
        run(B);
    }
}

/* The app of this pod gets the text, and returns it with its pod's letter. "": it gets nothing. */
static const char *app_gets(int pod)
{
    static char text[100];
    struct sockaddr_storage from;
    socklen_t length = sizeof(from);
    ssize_t n = recvfrom(apps[pod].fd, text, sizeof(text) - 1, MSG_DONTWAIT,
                         (struct sockaddr *)&from, &length);

    text[n > 0 ? n : 0] = '\0';
    if (n > 0)
        cr_assert_eq(sendto(apps[pod].fd, text, (size_t)n, 0, (struct sockaddr *)&from, length), n);
    return text;
}

/* The client has a session with A's app, through this pod. */
static void open_session(int pod)
{
    publish_both(A, 1);
    say(pod, "hello");
    run_all();
    cr_assert_str_eq(app_gets(A), "hello");
    run_all();
    cr_assert_str_eq(heard(), "hello");
}

static void expect_round_trip(int pod, int app, const char *text)
{
    say(pod, text);
    run_all();
    cr_assert_str_eq(app_gets(app), text);
    cr_assert_str_eq(app_gets(!app), "", "one app gets it");
    run_all();
    cr_assert_str_eq(heard(), text);
    cr_assert_str_eq(heard(), "", "one reply");
}

static void another_client(void)
{
    struct address any = ip("127.0.0.1");
    const struct udp_options options = {0};

    udp_close(&client);
    cr_assert_eq(udp_open(&any, &options, &client), 0);
}

Test(plane_former, known_client_stays_and_a_new_one_reaches_the_leader_through_the_former_leader)
{
    open_session(A);
    publish_former_both(UINT64_MAX);
    expect_round_trip(A, A, "known");
    cr_assert_eq(count(A, COUNTER_DELIVERED_FORMER), 1);
    another_client();
    expect_round_trip(A, B, "new");
    cr_assert_eq(count(A, COUNTER_RELAYED), 1);
}

Test(plane_former, known_client_stays_and_a_new_one_reaches_the_leader_through_the_new_leader)
{
    open_session(B);
    publish_former_both(UINT64_MAX);
    expect_round_trip(B, A, "known");
    cr_assert_eq(count(B, COUNTER_RELAYED), 2, "the first in term 1");
    another_client();
    expect_round_trip(B, B, "new");
    cr_assert_eq(count(A, COUNTER_RELAYED), 1, "to the former leader and back");
    cr_assert_eq(count(B, DROPPED(hops)), 0);
}

Test(plane_former, all_is_at_the_leader_when_the_time_is_over)
{
    open_session(B);
    publish_former_both(1);
    expect_round_trip(B, B, "known");
    cr_assert_eq(count(A, COUNTER_DELIVERED_FORMER), 0);
}

/* B knows that it is over, and A does not yet, or the other way round: one app gets the request. */
Test(plane_former, pods_that_differ_deliver_once)
{
    open_session(B);
    publish_former(A, UINT64_MAX);
    publish_former(B, 1);
    expect_round_trip(B, B, "at the leader");
    publish_former(A, 1);
    publish_former(B, UINT64_MAX);
    expect_round_trip(B, B, "passed on");
    cr_assert_eq(count(A, COUNTER_DELIVERED_FORMER), 0);
}

/* The app gets a request just before the end, and replies after it, at both pods. */
Test(plane_former, reply_to_the_last_request_leaves_after_the_end)
{
    open_session(B);
    publish_former_both(UINT64_MAX);
    say(B, "last");
    run(B);
    run(A);
    publish_former_both(1);
    cr_assert_str_eq(app_gets(A), "last");
    run_all();
    cr_assert_str_eq(heard(), "last");
    cr_assert_eq(count(A, COUNTER_REPLIES_FENCED), 0);
    cr_assert_eq(count(B, COUNTER_REPLIES_FENCED), 0);
}

/* The former leader no longer hears the leader: it holds, and neither delivers nor replies. */
Test(plane_former, former_leader_that_is_cut_off_serves_nobody)
{
    open_session(A);
    publish_former_both(UINT64_MAX);
    say(A, "in time");
    run(A);
    atomic_store(&snapshot_current(&data_planes[A]->publisher)->leader.valid_until_ns, 0);
    say(A, "late");
    run_all();
    cr_assert_str_eq(app_gets(A), "in time");
    cr_assert_str_eq(app_gets(A), "");
    cr_assert_str_eq(app_gets(B), "");
    run_all();
    cr_assert_str_eq(heard(), "");
    cr_assert_eq(count(A, COUNTER_REPLIES_FENCED), 1);
}

Test(plane_former, probe_is_replied_to_by_the_leader)
{
    open_session(B);
    publish_former_both(UINT64_MAX);
    say(B, "{\"probe\":\"1\",\"pad\":\"                                                            "
           "                                                            \"}");
    run_all();
    cr_assert_not_null(strstr(heard(), "\"term\":2"));
}
