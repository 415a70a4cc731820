/*
 * The TOS byte through two pods: from a client to the leader's app and back. The app of each pod is
 * a socket of the test.
 */
#include "plane_fixture.h"

#include "headless/net/batch.h"

static struct udp_socket apps[PODS], observer;

static void open_apps(void)
{
    const struct udp_options options = {.tos = true};
    struct address any = ip("127.0.0.1");

    setup();
    for (int i = 0; i < PODS; i++) {
        cr_assert_eq(udp_open(&any, &options, &apps[i]), 0);
        configs[i].app_target = (struct config_app_target){CONFIG_APP_UDP, apps[i].local};
    }
    cr_assert_eq(udp_report_tos(&client), 0);
}

static void close_apps(void)
{
    for (int i = 0; i < PODS; i++)
        udp_close(&apps[i]);
    teardown();
}

TestSuite(plane_tos, .init = open_apps, .fini = close_apps, .timeout = 30);

/* A leads in this term, as both pods know. */
static void begin(uint64_t term, bool carries_tos)
{
    for (int i = 0; i < PODS; i++) {
        struct leader_snapshot *snapshot;

        publish(i, A, term, 0);
        snapshot = snapshot_draft(&data_planes[i]->publisher);
        snapshot->leader.carries_tos = carries_tos;
        snapshot_publish(&data_planes[i]->publisher, snapshot);
    }
}

static void send_with(const struct udp_socket *socket, const struct address *to, const char *text,
                      uint8_t tos)
{
    struct outbox outbox;

    cr_assert_eq(outbox_init(&outbox, socket, 1, 1), 0);
    outbox_add(&outbox, &(struct outbox_message){.to = to,
                                                 .parts = {outbox_part(text, strlen(text))},
                                                 .part_count = 1,
                                                 .tos = tos});
    outbox_flush(&outbox);
    outbox_fini(&outbox);
}

/* Client to pod. */
static void say_with(int pod, uint8_t tos)
{
    struct address to = address_with_port(configs[pod].self, configs[pod].data_port);

    send_with(&client, &to, "hello", tos);
}

/* The next datagram of this socket; its TOS byte, or -1 when there is none. */
static int take(const struct udp_socket *socket, struct address *ret_from)
{
    struct inbox_message message;
    struct inbox inbox;
    uint8_t bytes[200];
    int n;

    cr_assert_eq(inbox_init(&inbox, 1), 0);
    inbox_arm(&inbox, 0, bytes, sizeof(bytes), NULL, 0);
    n = inbox_receive(&inbox, socket->fd, 1, MSG_DONTWAIT);
    if (n == 1)
        inbox_read(&inbox, 0, &message);
    inbox_fini(&inbox);
    if (n == 1 && ret_from)
        *ret_from = message.peer;
    return n == 1 ? message.tos : -1;
}

static void run_both(void)
{
    for (int i = 0; i < 3; i++) {
        run(A);
        run(B);
    }
}

/* A request through this pod reaches A's app with the first TOS byte, and the client gets the app's
 * reply with the second. */
static void expect_exchange(int pod, uint8_t at_the_app, uint8_t at_the_client)
{
    struct address session;

    say_with(pod, 0xb9);
    run_both();
    cr_assert_eq(take(&apps[A], &session), at_the_app);
    send_with(&apps[A], &session, "reply", 0x2e);
    run_both();
    cr_assert_eq(take(&client, NULL), at_the_client);
}

static void expect_no_malformed(void)
{
    for (int i = 0; i < PODS; i++)
        cr_assert_eq(count(i, DROPPED(malformed)), 0);
}

Test(plane_tos, through_the_leader)
{
    use_route(CONFIG_ROUTE_LEADER);
    begin(1, true);
    expect_exchange(A, 0xb9, 0x2e);
}

Test(plane_tos, through_a_follower)
{
    use_route(CONFIG_ROUTE_LEADER);
    begin(1, true);
    expect_exchange(B, 0xb9, 0x2e);
    expect_no_malformed();
}

/* A member of the version before would refuse the frames: TOS bytes are 0 in them, and nothing else
 * changes. */
Test(plane_tos, is_zero_in_frames_while_a_member_does_not_read_it)
{
    use_route(CONFIG_ROUTE_LEADER);
    begin(1, false);
    expect_exchange(B, 0, 0);
    expect_exchange(A, 0xb9, 0x2e); /* no frame */
    begin(1, true);
    expect_exchange(B, 0xb9, 0x2e);
    begin(1, false);
    expect_exchange(B, 0, 0);
    expect_no_malformed();
}

Test(plane_tos, every_app_gets_it_with_route_all)
{
    use_route(CONFIG_ROUTE_ALL);
    begin(1, true);
    expect_exchange(B, 0xb9, 0x2e);
    cr_assert_eq(take(&apps[B], NULL), 0xb9);
    expect_exchange(A, 0xb9, 0x2e);
    cr_assert_eq(take(&apps[B], NULL), 0xb9);
    begin(1, false);
    say_with(A, 0xb9);
    run_both();
    cr_assert_eq(take(&apps[A], NULL), 0xb9);
    cr_assert_eq(take(&apps[B], NULL), 0);
    expect_no_malformed();
}

Test(plane_tos, held_request_keeps_it)
{
    use_route(CONFIG_ROUTE_LEADER);
    publish_both(PODS, 0);
    say_with(B, 0xb9);
    run_both();
    cr_assert_eq(take(&apps[A], NULL), -1);
    begin(1, true);
    while (!hold_is_empty(&data_planes[B]->workers[0].routing.hold))
        run_both();
    run_both();
    cr_assert_eq(take(&apps[A], NULL), 0xb9);
}

/* Relayed raw to a leader outside the cluster: one datagram, and a GRO batch in one piece. */
Test(plane_tos, raw_datagrams_keep_it)
{
    const struct udp_options options = {.tos = true};
    struct address any = ip("127.0.0.1");
    struct leader_snapshot *snapshot;
    struct outbox outbox;
    struct address to;

    configs[B].relay_format = CONFIG_RELAY_RAW;
    use_route(CONFIG_ROUTE_LEADER);
    cr_assert_eq(udp_open(&any, &options, &observer), 0);
    publish(B, A, 1, 0);
    snapshot = snapshot_draft(&data_planes[B]->publisher);
    snapshot->leader.kind = LEADER_OUTSIDE;
    snapshot->leader.address = observer.local;
    snapshot->leader.member_index = MEMBER_INDEX_NONE;
    snapshot_publish(&data_planes[B]->publisher, snapshot);
    say_with(B, 0xb9);
    run(B);
    cr_assert_eq(take(&observer, NULL), 0xb9);
    to = address_with_port(configs[B].self, configs[B].data_port);
    cr_assert_eq(outbox_init(&outbox, &client, 8, 64), 0);
    for (int i = 0; i < 4; i++)
        outbox_add(&outbox, &(struct outbox_message){.to = &to,
                                                     .parts = {outbox_part("hello", 5)},
                                                     .part_count = 1,
                                                     .tos = 0x41});
    cr_assert_eq(outbox.gso_batch_count, 1);
    outbox_flush(&outbox);
    outbox_fini(&outbox);
    run(B);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(take(&observer, NULL), 0x41);
    udp_close(&observer);
}
