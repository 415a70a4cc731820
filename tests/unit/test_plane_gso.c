/* data_plane: gso_batches through two pods: what arrives in one piece, and what leaves in one. */
#include "plane_fixture.h"

TestSuite(plane_train, .init = setup, .fini = teardown, .timeout = 30);

static void expect_heard(size_t count, size_t bytes, size_t last_bytes)
{
    for (size_t i = 0; i < count; i++) {
        const char *text = heard();
        size_t length = strlen(text);

        cr_assert_eq(length, i + 1 < count ? bytes : last_bytes, "answer %zu has %zu bytes", i,
                     length);
        cr_assert_eq(strspn(text, (char[]){(char)('0' + i), '\0'}), length, "answer %zu: %s", i,
                     text);
    }
    cr_assert_str_eq(heard(), "");
}

static bool came_merged(int pod)
{
    return count(pod, COUNTER_RECEIVE_GRO_BATCHES) < count(pod, COUNTER_RECEIVE_DATAGRAMS);
}

Test(plane_train, a_train_for_the_leader_is_answered_one_by_one_in_order)
{
    publish(A, A, 1, 0);
    say_gso(A, 20, 100, 40);
    run(A);
    cr_assert(came_merged(A));
    cr_assert_eq(count(A, COUNTER_RECEIVED_DATA), 20);
    cr_assert_eq(count(A, COUNTER_BYTES_DATA), 19 * 100 + 40);
    cr_assert_eq(count(A, COUNTER_DELIVERED), 20);
    cr_assert_eq(count(A, COUNTER_REPLIES_SENT), 20);
    cr_assert_lt(count(A, COUNTER_SEND_GSO_BATCHES), 20, "the answers are trains too");
    expect_heard(20, 100, 40);
}

/* Larger than a slot: it lies in slot and spill, and a datagram of it across their border. */
Test(plane_train, a_train_larger_than_a_slot_stays_whole)
{
    publish(A, A, 1, 0);
    publish(B, A, 1, 0);
    say_gso(B, 10, 1333, 1);
    run(B);
    run(A);
    run(B);
    expect_heard(10, 1333, 1);
    cr_assert_eq(count(B, COUNTER_RELAYED), 10);
}

Test(plane_train, frames_of_one_batch_are_a_train)
{
    struct data_plane_numbers numbers;

    publish(A, A, 1, 0);
    publish(B, A, 1, 0);
    say_gso(B, 60, 100, 100);
    run(B);
    cr_assert_eq(count(B, COUNTER_FRAMES_SENT), 6, "ten of them fit into a frame");
    cr_assert_eq(count(B, COUNTER_SEND_GSO_BATCHES), 1);
    cr_assert_eq(count(B, COUNTER_SEND_DATAGRAMS), 6);
    data_plane_read_numbers(&data_planes[B], &numbers);
    cr_assert_eq(numbers.distributions[DISTRIBUTION_SEND_GSO_BATCH].buckets[3], 1, "of 5 to 8");
    cr_assert_eq(numbers.distributions[DISTRIBUTION_RECEIVE_BATCH].buckets[6], 1, "of 33 to 64");
    run(A);
    cr_assert(came_merged(A));
    cr_assert_eq(count(A, COUNTER_FRAMES_RECEIVED), 6);
    cr_assert_eq(count(A, COUNTER_RECEIVED_RELAY), 60);
    run(B);
    expect_heard(60, 100, 100);
}

static void say_bytes(int pod, size_t bytes)
{
    static char text[2000];

    memset(text, 'x', bytes);
    text[bytes] = '\0';
    say(pod, text);
}

/* 1,330 and 1,280 bytes differ by less than an eighth: the smaller one is padded. */
Test(plane_train, frames_of_about_one_size_are_padded_to_one)
{
    publish(A, A, 1, 0);
    publish(B, A, 1, 0);
    say_bytes(B, 1280 - 64);
    say_bytes(B, 1330 - 64);
    say_bytes(B, 1280 - 64);
    run(B);
    cr_assert_eq(count(B, COUNTER_FRAMES_SENT), 3);
    cr_assert_eq(count(B, COUNTER_SEND_GSO_BATCHES), 1);
    run(A);
    cr_assert_eq(count(A, COUNTER_DELIVERED), 3);
    run(B);
    cr_assert_eq(strlen(heard()), 1280 - 64);
    cr_assert_eq(strlen(heard()), 1330 - 64);
    cr_assert_eq(strlen(heard()), 1280 - 64);
}

Test(plane_train, a_frame_that_would_waste_more_than_an_eighth_ends_the_train)
{
    publish(A, A, 1, 0);
    publish(B, A, 1, 0);
    say_bytes(B, 950); /* ends here: the next is much larger */
    say_bytes(B, 1250);
    say_bytes(B, 950); /* ends here: much smaller, and so the last */
    say_bytes(B, 1250);
    run(B);
    cr_assert_eq(count(B, COUNTER_FRAMES_SENT), 4);
    cr_assert_eq(count(B, COUNTER_SEND_GSO_BATCHES), 3);
    run(A);
    cr_assert_eq(count(A, COUNTER_DELIVERED), 4);
    run(B);
    while (*heard())
        ;
}

/* One too large for a frame's room travels alone, between the others and in order. */
Test(plane_train, a_large_datagram_stays_in_its_place)
{
    publish(A, A, 1, 0);
    publish(B, A, 1, 0);
    say_bytes(B, 600);
    say_bytes(B, 1900);
    say_bytes(B, 601);
    run(B);
    cr_assert_eq(count(B, COUNTER_FRAMES_SENT), 3);
    run(A);
    run(B);
    cr_assert_eq(strlen(heard()), 600);
    cr_assert_eq(strlen(heard()), 1900);
    cr_assert_eq(strlen(heard()), 601);
}

Test(plane_train, what_is_held_goes_on_one_by_one)
{
    publish(A, PODS, 1, 0);
    say_gso(A, 30, 10, 10);
    run(A);
    cr_assert_eq(hold_count(&data_planes[A].workers[0].hold), 30);
    publish(A, A, 2, 0);
    while (!hold_is_empty(&data_planes[A].workers[0].hold)) /* paced; the test has a time limit */
        run(A);
    expect_heard(30, 10, 10);
}

Test(plane_train, a_train_goes_raw_as_it_came)
{
    relay_raw_from_b();
    say_gso(B, 50, 100, 30);
    run(B);
    cr_assert_eq(count(B, COUNTER_RELAYED), 50);
    cr_assert_eq(count(B, COUNTER_SEND_GSO_BATCHES), 1, "though batches are of 8");
    run(A);
    cr_assert_eq(count(A, COUNTER_RECEIVED_DATA), 50);
    cr_assert_eq(count(A, COUNTER_BYTES_DATA), 49 * 100 + 30);
}

/* A command in the middle of a gso_batch is one all the same, and the others go their way. */
Test(plane_train, a_command_in_a_train_is_found)
{
    struct address to;
    static char texts[3][22] = {"before the command 12", "{\"leader\":\"10.9.9.9\"}",
                                "after the command 123"};
    struct queued_command queued;
    struct outbox outbox;

    relay_raw_from_b();
    to = address_with_port(configs[B].self, configs[B].data_port);
    cr_assert_eq(outbox_init(&outbox, &client, 64, 64), 0);
    for (size_t i = 0; i < 3; i++)
        outbox_add(&outbox,
                   &(struct outbox_message){.to = &to, .parts = {{texts[i], 21}}, .part_count = 1});
    outbox_flush(&outbox);
    outbox_fini(&outbox);
    run(B);
    cr_assert_eq(count(B, COUNTER_RECEIVED_DATA), 3);
    cr_assert_eq(count(B, COUNTER_RELAYED), 2);
    cr_assert(command_queue_try_read(&data_planes[B].workers[0].command_queue, &queued));
    cr_assert_str_eq(queued.command.target, "10.9.9.9");
    counters_add(&data_planes[B].workers[0].counters, COUNTER_CONTROL_NO_MEMBER,
                 1); /* the supervisor's part */
    run(A);
}
