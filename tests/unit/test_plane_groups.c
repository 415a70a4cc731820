/* Multicast groups: each pod's app is given what comes, and the leader replies from its own
 * address. All on lo, which both pods have joined. */
#include <errno.h>

#include "headless/net/multicast.h"
#include "plane_fixture.h"

#define GROUP "239.77.1.1"

static struct address group;

static void join(struct config *config)
{
    config->multicast_groups.count = 1;
    config->multicast_groups.list[0].address = ip(GROUP);
}

static void reopen(int pod)
{
    data_plane_close(data_planes[pod]);
    cr_assert_eq(data_plane_open(&configs[pod], &supervisor_wakers[pod], &data_planes[pod]), 0);
}

static void setup_groups(void)
{
    const uint32_t lo = multicast_find_interface("lo");

    setup();
    group = address_with_port(ip(GROUP), 12000);
    cr_assert_eq(multicast_send_by(&client, lo, 1), 0);
    for (int i = 0; i < PODS; i++) {
        join(&configs[i]);
        reopen(i);
        cr_assert_eq(multicast_groups_joined(&data_planes[i]->groups), 1);
    }
}

TestSuite(plane_groups, .init = setup_groups, .fini = teardown, .timeout = 30);

static void run_both(void)
{
    run(A);
    run(B);
    run(A);
}

static void say_to_group(const struct udp_socket *from, const char *text)
{
    const struct address anywhere = {0};

    cr_assert_eq(udp_send_one(from, &group, &anywhere, text, strlen(text)), 0);
}

/* The next reply, and that it comes from this pod's data port. */
static void expect_answer(const char *text, int pod)
{
    const struct address from =
        address_with_port(address_is_any(&configs[pod].bind) ? ip("127.0.0.1") : configs[pod].self,
                          configs[pod].data_port);
    struct sockaddr_storage sa;
    socklen_t length = sizeof(sa);
    struct address peer;
    char reply[2048];
    ssize_t n = recvfrom(client.fd, reply, sizeof(reply) - 1, MSG_DONTWAIT, (struct sockaddr *)&sa,
                         &length);

    cr_assert_geq(n, 0, "no answer");
    reply[n] = '\0';
    address_from_sockaddr((struct sockaddr *)&sa, &peer);
    cr_assert_str_eq(reply, text);
    cr_assert(address_equal(&peer, &from));
}

static void each_was_given(uint64_t n, int leader)
{
    for (int i = 0; i < PODS; i++) {
        cr_assert_eq(count(i, COUNTER_RECEIVED_GROUP), n);
        cr_assert_eq(count(i, COUNTER_RECEIVED_DATA), 0);
        cr_assert_eq(count(i, COUNTER_DELIVERED), n);
        cr_assert_eq(count(i, COUNTER_RECEIVED_RELAY), 0, "nothing between pods");
        cr_assert_eq(count(i, COUNTER_COPIES_MADE), 0);
        cr_assert_eq(count(i, COUNTER_REPLIES_SUPPRESSED), i == leader ? 0 : n);
    }
}

static void each_app_once(enum config_route route)
{
    for (int i = 0; i < PODS; i++) {
        configs[i].route = route;
        reopen(i);
    }
    publish_both(B, 1);
    say_to_group(&client, "one");
    say_to_group(&client, "two");
    run_both();
    expect_answer("one", B);
    expect_answer("two", B);
    cr_assert_str_eq(heard(), "");
    each_was_given(2, B);
}

Test(plane_groups, each_app_gets_it_once_with_route_leader)
{
    each_app_once(CONFIG_ROUTE_LEADER);
}

Test(plane_groups, each_app_gets_it_once_with_route_local)
{
    each_app_once(CONFIG_ROUTE_LOCAL);
}

Test(plane_groups, each_app_gets_it_once_with_route_all)
{
    each_app_once(CONFIG_ROUTE_ALL);
}

Test(plane_groups, gro_batch_is_split)
{
    publish_both(A, 1);
    for (int i = 0; i < 20; i++)
        say_to_group(&client, "as long as all the others");
    run_both();
    for (int i = 0; i < 20; i++)
        expect_answer("as long as all the others", A);
    cr_assert_str_eq(heard(), "");
    each_was_given(20, A);
}

Test(plane_groups, without_a_leader_it_is_held_and_then_given_to_each_app)
{
    publish_both(PODS, 0);
    say_to_group(&client, "hello");
    run_both();
    cr_assert_str_eq(heard(), "");
    cr_assert_eq(count(A, COUNTER_DELIVERED), 0);
    publish_both(A, 1);
    while (!hold_is_empty(
               &data_planes[A]->workers[0].routing.hold) || /* paced; the test has a time limit */
           !hold_is_empty(&data_planes[B]->workers[0].routing.hold))
        run_both();
    expect_answer("hello", A);
    cr_assert_str_eq(heard(), "");
    each_was_given(1, A);
}

Test(plane_groups, only_the_leader_replies_to_a_probe)
{
    publish_both(A, 1);
    say_to_group(&client, "{\"probe\":\"12\",\"pad\":\"                                       "
                          "                                                           \"}");
    run_both();
    cr_assert_neq(strstr(heard(), "\"leader\":\"127.0.77.1\""), NULL);
    cr_assert_str_eq(heard(), "");
    for (int i = 0; i < PODS; i++)
        cr_assert_eq(count(i, COUNTER_CONTROL_PROBE), 1);
}

/* Every pod hears a command; who may reply has to know how it came. */
Test(plane_groups, command_is_marked_as_multicast)
{
    struct queued_command command;

    publish_both(A, 1);
    say_to_group(&client, "{\"leader\":\"127.0.77.2\"}");
    say(A, "{\"leader\":\"127.0.77.2\"}");
    run_both();
    cr_assert(command_queue_try_read(&data_planes[B]->workers[0].classifier.commands, &command));
    cr_assert(command.is_multicast);
    cr_assert(command_queue_try_read(&data_planes[A]->workers[0].classifier.commands, &command));
    cr_assert_not(command.is_multicast);
    cr_assert(command_queue_try_read(&data_planes[A]->workers[0].classifier.commands, &command));
    cr_assert(command.is_multicast);
    for (int i = 0; i < PODS; i++) /* the supervisor counts them */
        counters_add(&data_planes[i]->workers[0].routing.counters, COUNTER_CONTROL_OK,
                     i == A ? 2 : 1);
}

Test(plane_groups, malformed_command_is_not_replied_to_by_all)
{
    publish_both(A, 1);
    say_to_group(&client, "{\"leader\":\"127.0.77.2\"");
    run_both();
    cr_assert_str_eq(heard(), "");
    for (int i = 0; i < PODS; i++)
        cr_assert_eq(count(i, COUNTER_CONTROL_BAD_JSON), 1);
}

Test(plane_groups, source_that_is_a_members_own_port_is_a_loop)
{
    const struct udp_socket *own = &data_planes[B]->data_sockets[0];

    publish_both(A, 1);
    cr_assert_eq(multicast_send_by(own, multicast_find_interface("lo"), 1), 0);
    say_to_group(own, "hello");
    run_both();
    for (int i = 0; i < PODS; i++)
        cr_assert_eq(count(i, DROPPED(loop)), 1);
}

Test(plane_groups, pod_that_left_the_group_gets_received_datagrams_and_no_more)
{
    publish_both(A, 1);
    say_to_group(&client, "before");
    multicast_groups_leave(&data_planes[A]->groups);
    say_to_group(&client, "after");
    run_both();
    expect_answer("before", A);
    cr_assert_str_eq(heard(), "");
    cr_assert_eq(count(A, COUNTER_DELIVERED), 1);
    cr_assert_eq(count(B, COUNTER_DELIVERED), 2);
}

/* The sockets of the data port are of all addresses, and there are two of them. */
Test(plane_groups, wildcard_data_sockets_do_not_receive_multicast)
{
    data_plane_close(data_planes[B]);
    data_planes[B] = NULL;
    configs[A].receivers = 2;
    configs[A].bind = address_any(ADDRESS_V6);
    configs[A].self = ip("127.0.0.1");
    reopen(A);
    cr_assert_eq(multicast_groups_joined(&data_planes[A]->groups), 1);
    cr_assert_eq(data_plane_open(&configs[B], &supervisor_wakers[B], &data_planes[B]), -EADDRINUSE,
                 "nobody else may have a part of the data port");
    publish(A, A, 1, 0);
    say_to_group(&client, "hello");
    for (int i = 0; i < 2; i++) {
        data_planes[A]->inline_workers[i].ready = ~0U;
        (void)inline_worker_agent_ops.do_work(&data_planes[A]->inline_workers[i]);
    }
    expect_answer("hello", A);
    cr_assert_str_eq(heard(), "");
    cr_assert_eq(count(A, COUNTER_RECEIVED_GROUP), 1);
    cr_assert_eq(count(A, COUNTER_RECEIVED_DATA), 0);
    configs[B].data_port = 12100; /* for the end of the test */
    configs[B].relay_port = 12101;
    reopen(B);
}

/* No such interface: the group is left out, and unicast goes on. */
Test(plane_groups, group_that_cannot_be_joined_is_left_out)
{
    struct config_groups *groups = &configs[A].multicast_groups;

    groups->count = 3;
    groups->list[2] = groups->list[0];
    groups->list[0] = (struct config_group){.address = ip("239.77.1.2"), .interface = "nosuch"};
    groups->list[1] = (struct config_group){.address = ip("239.77.1.3"), .interface = "9999999"};
    reopen(A);
    cr_assert_eq(multicast_groups_joined(&data_planes[A]->groups), 1);
    publish_both(A, 1);
    say(A, "unicast");
    run_both();
    expect_answer("unicast", A);
    say_to_group(&client, "multicast");
    run_both();
    expect_answer("multicast", A);
}
