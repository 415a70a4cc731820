/* data_plane: the way of datagrams through two pods. */
#include "plane_fixture.h"

/* Linked with --wrap: what our own code allocates. */
static size_t allocations;

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);

void *__wrap_malloc(size_t bytes)
{
    allocations++;
    return __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    allocations++;
    return __real_calloc(count, bytes);
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    allocations++;
    return __real_aligned_alloc(alignment, bytes);
}

TestSuite(data_plane, .init = setup, .fini = teardown, .timeout = 30);

Test(data_plane, leader_replies_to_its_own_client)
{
    publish(A, A, 1, 0);
    say(A, "hello");
    run(A);
    cr_assert_str_eq(heard(), "hello");
    cr_assert_eq(count(A, COUNTER_DELIVERED), 1);
}

Test(data_plane, follower_relays_request_and_reply)
{
    publish(A, A, 1, 0);
    publish(B, A, 1, 0);
    say(B, "hello");
    run(B);
    cr_assert_eq(count(B, COUNTER_RELAYED), 1);
    run(A);
    cr_assert_eq(count(A, COUNTER_REPLIES_RELAYED), 1);
    cr_assert_str_eq(heard(), "", "only the ingress pod may reply");
    run(B);
    cr_assert_str_eq(heard(), "hello");
    cr_assert_eq(count(B, COUNTER_DELIVERED), 0);
}

Test(data_plane, a_batch_to_one_destination_is_one_frame)
{
    publish(A, A, 1, 0);
    publish(B, A, 1, 0);
    for (int i = 0; i < 8; i++)
        say(B, "hello");
    run(B);
    cr_assert_eq(count(B, COUNTER_RELAYED), 8);
    cr_assert_eq(count(B, COUNTER_FRAMES_SENT), 1);
    run(A);
    run(B);
}

Test(data_plane, held_requests_leave_in_order_and_before_new_ones)
{
    struct hold *hold = &data_planes[A]->workers[0].routing.hold;
    uint64_t began_ns;
    char text[8];

    publish(A, PODS, 1, 0);
    for (int i = 0; i < 40; i++) {
        (void)snprintf(text, sizeof(text), "%d", i);
        say(A, text);
        run(A);
    }
    cr_assert_str_eq(heard(), "");
    cr_assert_eq(hold_count(hold), 40);
    publish(A, A, 2, 0);
    began_ns = clock_now_ns();
    run(A);
    cr_assert_lt(hold_count(hold), 40);
    /* 16 a period; a thread that was held up is in a later one */
    cr_assert_geq(hold_count(hold) +
                      16 * (1 + (clock_now_ns() - began_ns) / HOLD_RELEASE_PERIOD_NS),
                  40, "a new leader is not flooded");
    say(A, "new");
    run(A);
    while (!hold_is_empty(hold)) /* the next portion is due in 2 ms; the test has a time limit */
        run(A);
    for (int i = 0; i < 40; i++) {
        (void)snprintf(text, sizeof(text), "%d", i);
        cr_assert_str_eq(heard(), text);
    }
    cr_assert_str_eq(heard(), "new");
}

Test(data_plane, two_pods_that_take_each_other_for_the_leader_do_not_circulate)
{
    publish(A, B, 1, 0);
    publish(B, A, 1, 0);
    say(A, "ping");
    for (int i = 0; i < 5; i++) {
        run(A);
        run(B);
    }
    cr_assert_eq(count(A, COUNTER_RELAYED), 1);
    cr_assert_eq(count(B, DROPPED(hops)), 1);
    cr_assert_eq(count(B, COUNTER_RELAYED), 0);
}

Test(data_plane, the_second_hop_goes_only_towards_a_higher_term)
{
    publish(A, B, 1, 0); /* A has not heard of the change */
    publish(B, A, 2, 0); /* B knows that A leads in term 2 */
    say(A, "ping");
    run(A);
    run(B);
    cr_assert_eq(count(B, COUNTER_RELAYED), 1);
    publish(A, A, 2, 0);
    run(A);
    cr_assert_eq(count(A, COUNTER_DELIVERED), 1);
    cr_assert_str_eq(heard(), "ping", "the reply leaves at once: its ingress pod leads now");
    cr_assert_eq(count(A, COUNTER_REPLIES_RELAYED), 0, "never to ourselves");
    cr_assert_eq(count(B, COUNTER_REPLIES_FROM_RELAY), 0);
}

Test(data_plane, reply_of_an_old_term_is_fenced)
{
    publish(A, A, 1, 0);
    publish(B, A, 1, 0);
    say(B, "old");
    run(B);
    run(A); /* the reply is on its way to B */
    publish(B, B, 2, 0);
    run(B);
    cr_assert_str_eq(heard(), "");
    cr_assert_eq(count(B, COUNTER_REPLIES_FENCED), 1);
}

Test(data_plane, reply_of_the_previous_term_passes_within_its_grace)
{
    publish(A, A, 1, 0);
    publish(B, A, 1, 0);
    say(B, "old");
    run(B);
    run(A);
    publish(B, B, 2, SNAPSHOT_NO_EXPIRY);
    run(B);
    cr_assert_str_eq(heard(), "old");
}

Test(data_plane, leader_whose_time_is_over_neither_delivers_nor_replies)
{
    publish(A, A, 1, 0);
    atomic_store(&snapshot_current(&data_planes[A]->publisher)->leader.valid_until_ns, 1);
    say(A, "hello");
    run(A);
    cr_assert_eq(count(A, COUNTER_DELIVERED), 0);
    cr_assert_eq(hold_count(&data_planes[A]->workers[0].routing.hold), 1);
    cr_assert_str_eq(heard(), "");
}

Test(data_plane, an_old_leader_is_demoted_with_the_next_datagram)
{
    publish(A, A, 1, 0);
    publish(B, B, 2, 0);
    say(A, "one");
    run(A);
    cr_assert_str_eq(heard(), "one");
    publish(A, B, 2, 0);
    say(A, "two");
    run(A);
    cr_assert_eq(count(A, COUNTER_DELIVERED), 1);
    run(B);
    run(A);
    cr_assert_str_eq(heard(), "two");
}

Test(data_plane, a_command_goes_to_the_supervisor_and_not_to_the_app)
{
    struct queued_command command;

    publish(A, A, 1, 0);
    say(A, " {\"leader\": \"b\", \"if_term\": 3}\n");
    run(A);
    cr_assert(command_queue_try_read(&data_planes[A]->workers[0].classifier.commands, &command));
    cr_assert_str_eq(command.command.target, "b");
    cr_assert_eq(command.command.if_term, 3);
    cr_assert_eq(count(A, COUNTER_DELIVERED), 0);
    /* Its result is counted by the supervisor, who is not here. */
    counters_add(&data_planes[A]->workers[0].routing.counters, COUNTER_CONTROL_OK, 1);
}

Test(data_plane, malformed_command_is_replied_to_and_never_delivered)
{
    publish(A, A, 1, 0);
    say(A, "{\"leader\": 5}");
    run(A);
    cr_assert_str_eq(heard(), "bad json\n");
    cr_assert_eq(count(A, COUNTER_DELIVERED), 0);
    cr_assert_eq(count(A, COUNTER_CONTROL_BAD_JSON), 1);
}

Test(data_plane, a_datagram_larger_than_a_frame_travels_alone)
{
    static char large[4000];

    memset(large, 'x', sizeof(large) - 1);
    publish(A, A, 1, 0);
    publish(B, A, 1, 0);
    say(B, large);
    say(B, "small");
    run(B);
    cr_assert_eq(count(B, COUNTER_FRAMES_SENT), 2);
    run(A);
    run(B);
    cr_assert_eq(strlen(heard()), 2047, "what fits into the buffer of this test");
    cr_assert_str_eq(heard(), "small");
}

Test(data_plane, nothing_is_allocated_for_a_datagram)
{
    publish(A, A, 1, 0);
    publish(B, A, 1, 0);
    cr_assert_gt(allocations, 0, "the pods themselves were allocated, so this counts");
    for (int i = 0; i < 50; i++) {
        if (i == 1) /* the first opened the links between the pods */
            allocations = 0;
        say(A, "to the leader");
        say(B, "to a follower");
        run(B);
        run(A);
        run(B);
        cr_assert_str_neq(heard(), "");
        cr_assert_str_neq(heard(), "");
    }
    cr_assert_eq(allocations, 0);
}

Test(data_plane, app_socket_that_cannot_be_opened_is_an_error_and_no_crash)
{
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = 4096};
    static struct config config;
    struct data_plane *data_plane;
    struct waker waker;

    configure(&config, "127.0.77.3");
    config.app_target.kind = CONFIG_APP_UDP;
    cr_assert_eq(address_parse("127.0.77.4:9999", 0, &config.app_target.address), 0);
    cr_assert_eq(waker_init(&waker, true), 0);
    /* The sockets that the data plane has before its app: two, and the eventfd of its one thread. */
    for (rlim_t more = 0; more < 8; more++) {
        struct rlimit limit = none;
        int lowest_free = dup(client.fd);

        (void)close(lowest_free);
        limit.rlim_cur = (rlim_t)lowest_free + more;
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        if (data_plane_open(&config, &waker, &data_plane) == 0)
            data_plane_close(data_plane);
        limit.rlim_cur = 1024;
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    }
    waker_fini(&waker);
}
