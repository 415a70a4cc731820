/* data_plane: who may send to the data port, how much, and in which order that is asked. */
#include "plane_fixture.h"

#define BURST 10

static struct udp_socket neighbour; /* another client, from 127.0.0.2 */

static void setup_door(void)
{
    const struct udp_options options = {0};
    struct address from = ip("127.0.0.2");

    setup();
    cr_assert_eq(udp_open(&from, &options, &neighbour), 0);
}

static void teardown_door(void)
{
    udp_close(&neighbour);
    teardown();
}

TestSuite(plane_door, .init = setup_door, .fini = teardown_door, .timeout = 30);

static void allow(struct config *config, const char *range)
{
    struct config_cidrs *cidrs = &config->data_allow;

    cr_assert_eq(cidr_parse(range, &cidrs->list[cidrs->count++]), 0);
}

/* range NULL: all. rate: BURST datagrams, and then none for hours. */
static void guard(int pod, const char *range, bool rate)
{
    struct leader_snapshot *snapshot = snapshot_draft(&data_planes[pod].publisher);
    struct config config = {0};

    cr_assert_not_null(snapshot);
    allow(&config, range ? range : "0.0.0.0/0");
    allow(&config, "::/0");
    snapshot->ingress_filter = ingress_filter_make(&config);
    if (rate) {
        snapshot->ingress_filter.rule = (struct rate_limit){.period_ns = 3600 * NS_PER_SEC,
                                                            .depth_ns = BURST * 3600 * NS_PER_SEC};
        snapshot->ingress_filter.is_guarded = true;
    }
    snapshot_publish(&data_planes[pod].publisher, snapshot);
}

static void say_from(const struct udp_socket *from, int pod, const char *text)
{
    struct address to = address_with_port(configs[pod].self, configs[pod].data_port);
    struct address anywhere = {0};

    cr_assert_eq(udp_send_one(from, &to, &anywhere, text, strlen(text)), 0);
}

static void expect_whole(size_t number, size_t bytes)
{
    for (size_t i = 0; i < number; i++) {
        const char *text = heard();

        cr_assert_eq(strlen(text), bytes, "answer %zu: %s", i, text);
        cr_assert_eq(text[0], (char)('0' + i), "answer %zu: %s", i, text);
    }
    cr_assert_str_eq(heard(), "");
}

/* ---- what makes a ingress_filter ---- */

static struct ingress_filter door_of(const char *first, const char *second, uint32_t rate,
                                     uint32_t burst)
{
    struct config config = {.data_rate = rate, .data_burst = burst};

    allow(&config, first);
    allow(&config, second);
    return ingress_filter_make(&config);
}

Test(plane_door, everybody_and_no_rate_is_no_guard)
{
    cr_assert_not(door_of("0.0.0.0/0", "::/0", 0, 0).is_guarded);
    cr_assert_not(door_of("::/0", "0.0.0.0/0", 0, 0).is_guarded);
    cr_assert(door_of("0.0.0.0/0", "0.0.0.0/0", 0, 0).is_guarded, "no IPv6");
    cr_assert(door_of("0.0.0.0/0", "::/1", 0, 0).is_guarded);
    cr_assert(door_of("0.0.0.0/0", "::/0", 1, 0).is_guarded);
}

Test(plane_door, a_burst_is_a_second_of_the_rate_if_nothing_is_said)
{
    struct ingress_filter ingress_filter = door_of("0.0.0.0/0", "::/0", 1000, 0);

    cr_assert_eq(ingress_filter.rule.depth_ns, NS_PER_SEC);
    ingress_filter = door_of("0.0.0.0/0", "::/0", 1000, 64);
    cr_assert_eq(ingress_filter.rule.depth_ns, 64 * NS_PER_MS);
}

/* ---- data.allow ---- */

Test(plane_door, who_is_not_allowed_is_dropped_and_counted)
{
    publish(A, A, 1, 0);
    guard(A, "127.0.0.1/32", false);
    say_from(&neighbour, A, "no");
    say(A, "yes");
    run(A);
    cr_assert_str_eq(heard(), "yes");
    cr_assert_eq(count(A, DROPPED(acl)), 1);
    cr_assert_eq(count(A, COUNTER_DELIVERED), 1);
    cr_assert_eq(count(A, COUNTER_REPLIES_SENT), 1);
}

Test(plane_door, a_train_of_who_is_not_allowed_is_dropped_whole)
{
    publish(A, A, 1, 0);
    guard(A, "127.0.0.2/32", false);
    say_gso(A, 20, 100, 40);
    run(A);
    cr_assert_eq(count(A, DROPPED(acl)), 20);
    cr_assert_eq(count(A, COUNTER_DELIVERED), 0);
}

Test(plane_door, a_command_needs_the_door_as_well)
{
    publish(A, A, 1, 0);
    guard(A, "127.0.0.2/32", false);
    say(A, "{\"leader\":\"10.9.9.9\"}");
    say(A, "{\"leader\":");
    run(A);
    cr_assert_eq(count(A, DROPPED(acl)), 2);
    cr_assert_eq(count(A, COUNTER_CONTROL_BAD_JSON), 0);
    cr_assert_str_eq(heard(), "");
}

Test(plane_door, another_view_opens_it)
{
    publish(A, A, 1, 0);
    guard(A, "127.0.0.2/32", false);
    say(A, "no");
    run(A);
    guard(A, NULL, false);
    say(A, "yes");
    run(A);
    cr_assert_str_eq(heard(), "yes");
    cr_assert_eq(count(A, DROPPED(acl)), 1);
}

/* ---- data.rate ---- */

Test(plane_door, beyond_the_rate_is_dropped_and_others_are_not_harmed)
{
    publish(A, A, 1, 0);
    guard(A, NULL, true);
    for (int i = 0; i < BURST + 5; i++)
        say(A, "often");
    say_from(&neighbour, A, "once");
    run(A);
    cr_assert_eq(count(A, DROPPED(rate)), 5);
    cr_assert_eq(count(A, COUNTER_DELIVERED), BURST + 1);
}

Test(plane_door, the_first_of_a_train_pass)
{
    publish(A, A, 1, 0);
    guard(A, NULL, true);
    say_gso(A, 25, 100, 40);
    run(A);
    cr_assert_lt(count(A, COUNTER_RECEIVE_GRO_BATCHES), 25, "it came merged");
    cr_assert_eq(count(A, COUNTER_RECEIVED_DATA), 25);
    cr_assert_eq(count(A, DROPPED(rate)), 25 - BURST);
    expect_whole(BURST, 100);
}

/* What is left of it is a datagram, no gso_batch. */
Test(plane_door, one_of_a_train_passes)
{
    publish(A, A, 1, 0);
    guard(A, NULL, true);
    for (int i = 0; i < BURST - 1; i++)
        say(A, "x");
    run(A);
    while (*heard())
        ;
    say_gso(A, 3, 100, 100);
    run(A);
    cr_assert_eq(count(A, DROPPED(rate)), 2);
    expect_whole(1, 100);
}

Test(plane_door, a_whole_train_within_the_rate_passes_with_its_short_end)
{
    publish(A, A, 1, 0);
    guard(A, NULL, true);
    say_gso(A, BURST, 100, 7);
    run(A);
    cr_assert_eq(count(A, DROPPED(rate)), 0);
    for (int i = 0; i < BURST - 1; i++)
        cr_assert_eq(strlen(heard()), 100);
    cr_assert_eq(strlen(heard()), 7);
}

/* Raw gso_batches are not taken apart: the head goes on as one gso_batch. */
Test(plane_door, the_head_of_a_train_goes_raw_as_one)
{
    relay_raw_from_b();
    guard(B, NULL, true);
    say_gso(B, 25, 100, 30);
    run(B);
    cr_assert_eq(count(B, DROPPED(rate)), 25 - BURST);
    cr_assert_eq(count(B, COUNTER_RELAYED), BURST);
    cr_assert_eq(count(B, COUNTER_SEND_GSO_BATCHES), 1);
    cr_assert_eq(count(B, COUNTER_SEND_DATAGRAMS), BURST);
    run(A);
    cr_assert_eq(count(A, COUNTER_RECEIVED_DATA), BURST);
    cr_assert_eq(count(A, COUNTER_BYTES_DATA), BURST * 100);
}

Test(plane_door, commands_count_against_the_rate)
{
    struct queued_command queued;

    publish(A, A, 1, 0);
    guard(A, NULL, true);
    for (int i = 0; i < BURST; i++)
        say(A, "x");
    say(A, "{\"leader\":\"10.9.9.9\"}");
    say_from(&neighbour, A, "{\"leader\":\"10.9.9.8\"}");
    run(A);
    cr_assert_eq(count(A, DROPPED(rate)), 1);
    cr_assert(command_queue_try_read(&data_planes[A].workers[0].command_queue, &queued));
    cr_assert_str_eq(queued.command.target, "10.9.9.8");
    cr_assert_not(command_queue_try_read(&data_planes[A].workers[0].command_queue, &queued));
    counters_add(&data_planes[A].workers[0].counters, COUNTER_CONTROL_NO_MEMBER,
                 1); /* the supervisor's part */
}

/* ---- the order ---- */

/* A loop is none of its business, and costs no token: another pod's port at 127.0.77.2. */
Test(plane_door, a_loop_is_found_before_the_door)
{
    struct address to = address_with_port(configs[A].self, configs[A].data_port);
    struct address from = configs[B].self;

    publish(A, A, 1, 0);
    guard(A, "127.0.0.1/32", true);
    cr_assert_eq(udp_send_one(&data_planes[B].data_sockets[0], &to, &from, "x", 1), 0);
    run(A);
    cr_assert_eq(count(A, DROPPED(loop)), 1);
    cr_assert_eq(count(A, DROPPED(acl)), 0);
    for (size_t i = 0; i < (size_t)RATE_LIMITER_SETS * RATE_LIMITER_WAYS; i++)
        cr_assert_eq(data_planes[A].workers[0].limiter.buckets[i].source, 0);
}

Test(plane_door, who_is_not_allowed_takes_no_place_in_the_table)
{
    publish(A, A, 1, 0);
    guard(A, "127.0.0.1/32", true);
    say_from(&neighbour, A, "x");
    run(A);
    cr_assert_eq(count(A, DROPPED(acl)), 1);
    for (size_t i = 0; i < (size_t)RATE_LIMITER_SETS * RATE_LIMITER_WAYS; i++)
        cr_assert_eq(data_planes[A].workers[0].limiter.buckets[i].source, 0);
}

/* ---- other ways in ---- */

static void take_piece(int pod, enum datagram_source source, const char *from)
{
    struct worker *worker = &data_planes[pod].workers[0];
    struct datagram datagram = {.payload = (const uint8_t *)"x",
                                .length = 1,
                                .source = (uint8_t)source,
                                .peer = address_with_port(ip(from), 7777),
                                .local = address_with_port(configs[pod].self, 12000)};

    counters_add(&worker->counters,
                 source == SOURCE_GROUP ? COUNTER_RECEIVED_GROUP : COUNTER_RECEIVED_DATA, 1);
    worker_begin(worker);
    worker_handle(worker, &datagram);
    worker_flush(worker);
}

Test(plane_door, groups_have_the_same_door_and_the_same_tokens)
{
    publish(A, A, 1, 0);
    guard(A, "127.0.0.1/32", true);
    take_piece(A, SOURCE_GROUP, "127.0.0.2");
    cr_assert_eq(count(A, DROPPED(acl)), 1);
    for (int i = 0; i < BURST; i++)
        take_piece(A, i % 2 ? SOURCE_GROUP : SOURCE_DATA, "127.0.0.1");
    cr_assert_eq(count(A, DROPPED(rate)), 0);
    take_piece(A, SOURCE_GROUP, "127.0.0.1");
    take_piece(A, SOURCE_DATA, "127.0.0.1");
    cr_assert_eq(count(A, DROPPED(rate)), 2);
}

/* In frames, on the relay port: the ingress pod has asked at its own ingress_filter. */
Test(plane_door, what_members_relay_is_not_asked)
{
    publish(A, A, 1, 0);
    publish(B, A, 1, 0);
    guard(A, "10.0.0.0/8", true);
    for (int i = 0; i < 2 * BURST; i++)
        say(B, "x");
    run(B);
    run(A);
    cr_assert_eq(count(A, COUNTER_DELIVERED), 2 * BURST);
    run(B);
}

/* And raw, on the data port, behind the member's one address. */
Test(plane_door, what_members_relay_raw_is_not_asked)
{
    relay_raw_from_b();
    guard(B, "10.0.0.0/8", true);
    publish(B, B, 2, 0);
    for (int i = 0; i < 2 * BURST; i++)
        take_piece(B, SOURCE_DATA, pod_ips[A]);
    cr_assert_eq(count(B, COUNTER_DELIVERED), 2 * BURST);
    take_piece(B, SOURCE_DATA, "127.0.0.1");
    cr_assert_eq(count(B, DROPPED(acl)), 1);
}
