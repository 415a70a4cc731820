/* data_plane: which sources may send to the data port, how much, and the order of these checks. */
#include "plane_fixture.h"

#define BURST 10

static struct udp_socket neighbour; /* another client, from 127.0.0.2 */

static void setup_filter(void)
{
    const struct udp_options options = {0};
    struct address from = ip("127.0.0.2");

    setup();
    cr_assert_eq(udp_open(&from, &options, &neighbour), 0);
}

static void teardown_filter(void)
{
    udp_close(&neighbour);
    teardown();
}

TestSuite(plane_ingress_filter, .init = setup_filter, .fini = teardown_filter, .timeout = 30);

static void allow(struct config *config, const char *range)
{
    struct config_cidrs *cidrs = &config->data_allow;

    cr_assert_eq(cidr_parse(range, &cidrs->list[cidrs->count++]), 0);
}

/* range NULL: all. rate: BURST datagrams, and then none for hours. */
static void guard(int pod, const char *range, bool rate)
{
    struct leader_snapshot *snapshot = snapshot_draft(&data_planes[pod]->publisher);
    struct config config = {0};

    cr_assert_not_null(snapshot);
    allow(&config, range ? range : "0.0.0.0/0");
    allow(&config, "::/0");
    snapshot->settings.ingress_filter = ingress_filter_make(&config);
    if (rate) {
        snapshot->settings.ingress_filter.rule = (struct rate_limit){
            .period_ns = 3600 * NS_PER_SEC, .depth_ns = BURST * 3600 * NS_PER_SEC};
        snapshot->settings.ingress_filter.is_guarded = true;
    }
    snapshot_publish(&data_planes[pod]->publisher, snapshot);
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

/* ---- settings ---- */

static struct ingress_filter filter_of(const char *first, const char *second, uint32_t rate,
                                       uint32_t burst)
{
    struct config config = {.data_rate = rate, .data_burst = burst};

    allow(&config, first);
    allow(&config, second);
    return ingress_filter_make(&config);
}

Test(plane_ingress_filter, without_allow_list_and_rate_nothing_is_guarded)
{
    cr_assert_not(filter_of("0.0.0.0/0", "::/0", 0, 0).is_guarded);
    cr_assert_not(filter_of("::/0", "0.0.0.0/0", 0, 0).is_guarded);
    cr_assert(filter_of("0.0.0.0/0", "0.0.0.0/0", 0, 0).is_guarded, "no IPv6");
    cr_assert(filter_of("0.0.0.0/0", "::/1", 0, 0).is_guarded);
    cr_assert(filter_of("0.0.0.0/0", "::/0", 1, 0).is_guarded);
}

Test(plane_ingress_filter, burst_defaults_to_one_second_of_the_rate)
{
    struct ingress_filter ingress_filter = filter_of("0.0.0.0/0", "::/0", 1000, 0);

    cr_assert_eq(ingress_filter.rule.depth_ns, NS_PER_SEC);
    ingress_filter = filter_of("0.0.0.0/0", "::/0", 1000, 64);
    cr_assert_eq(ingress_filter.rule.depth_ns, 64 * NS_PER_MS);
}

/* ---- data.allow ---- */

Test(plane_ingress_filter, datagram_of_a_source_not_allowed_is_dropped_and_counted)
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

Test(plane_ingress_filter, gro_batch_of_a_source_not_allowed_is_dropped_whole)
{
    publish(A, A, 1, 0);
    guard(A, "127.0.0.2/32", false);
    say_gso(A, 20, 100, 40);
    run(A);
    cr_assert_eq(count(A, DROPPED(acl)), 20);
    cr_assert_eq(count(A, COUNTER_DELIVERED), 0);
}

Test(plane_ingress_filter, command_has_to_pass_the_filter)
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

Test(plane_ingress_filter, new_snapshot_changes_the_filter)
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

Test(plane_ingress_filter, datagrams_beyond_the_rate_are_dropped_and_other_sources_pass)
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

Test(plane_ingress_filter, first_datagrams_of_a_gro_batch_pass)
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

/* The rest is one datagram, no GRO batch. */
Test(plane_ingress_filter, one_datagram_of_a_gro_batch_passes)
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

Test(plane_ingress_filter, whole_gro_batch_within_the_rate_passes_with_its_short_end)
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

/* Raw GRO batches are not split: the head leaves as one GSO batch. */
Test(plane_ingress_filter, head_of_a_gro_batch_is_relayed_raw_in_one_piece)
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

Test(plane_ingress_filter, commands_count_against_the_rate)
{
    struct queued_command command;

    publish(A, A, 1, 0);
    guard(A, NULL, true);
    for (int i = 0; i < BURST; i++)
        say(A, "x");
    say(A, "{\"leader\":\"10.9.9.9\"}");
    say_from(&neighbour, A, "{\"leader\":\"10.9.9.8\"}");
    run(A);
    cr_assert_eq(count(A, DROPPED(rate)), 1);
    cr_assert(command_queue_try_read(&data_planes[A]->workers[0].classifier.commands, &command));
    cr_assert_str_eq(command.command.target, "10.9.9.8");
    cr_assert_not(
        command_queue_try_read(&data_planes[A]->workers[0].classifier.commands, &command));
    counters_add(&data_planes[A]->workers[0].routing.counters, COUNTER_CONTROL_NO_MEMBER,
                 1); /* the supervisor's part */
}

/* ---- the order ---- */

/* A loop is none of its business, and costs no token: another pod's port at 127.0.77.2. */
Test(plane_ingress_filter, loop_is_found_before_the_filter)
{
    struct address to = address_with_port(configs[A].self, configs[A].data_port);
    struct address from = configs[B].self;

    publish(A, A, 1, 0);
    guard(A, "127.0.0.1/32", true);
    cr_assert_eq(udp_send_one(&data_planes[B]->data_sockets[0], &to, &from, "x", 1), 0);
    run(A);
    cr_assert_eq(count(A, DROPPED(loop)), 1);
    cr_assert_eq(count(A, DROPPED(acl)), 0);
    for (size_t i = 0; i < (size_t)RATE_LIMITER_SETS * RATE_LIMITER_WAYS; i++)
        cr_assert_eq(data_planes[A]->workers[0].classifier.limiter.buckets[i].source, 0);
}

Test(plane_ingress_filter, source_not_allowed_takes_no_entry_in_the_table)
{
    publish(A, A, 1, 0);
    guard(A, "127.0.0.1/32", true);
    say_from(&neighbour, A, "x");
    run(A);
    cr_assert_eq(count(A, DROPPED(acl)), 1);
    for (size_t i = 0; i < (size_t)RATE_LIMITER_SETS * RATE_LIMITER_WAYS; i++)
        cr_assert_eq(data_planes[A]->workers[0].classifier.limiter.buckets[i].source, 0);
}

/* ---- other ways in ---- */

static void take_piece(int pod, enum datagram_source source, const char *from)
{
    struct worker *worker = &data_planes[pod]->workers[0];
    struct datagram datagram = {.payload = (const uint8_t *)"x",
                                .length = 1,
                                .source = (uint8_t)source,
                                .peer = address_with_port(ip(from), 7777),
                                .local = address_with_port(configs[pod].self, 12000)};

    counters_add(&worker->routing.counters,
                 source == SOURCE_GROUP ? COUNTER_RECEIVED_GROUP : COUNTER_RECEIVED_DATA, 1);
    worker_begin(worker);
    worker_handle(worker, &datagram);
    worker_flush(worker);
}

Test(plane_ingress_filter, multicast_has_the_same_filter_and_the_same_tokens)
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

/* In frames, on the relay port: the ingress pod has applied its own ingress filter. */
Test(plane_ingress_filter, frames_of_members_are_not_filtered)
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
Test(plane_ingress_filter, datagrams_that_members_relay_raw_are_not_filtered)
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
