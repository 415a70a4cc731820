#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>

#include "headless/data/command_queue.h"

static struct command_queue command_queue;
static struct waker waker;

static void setup(void)
{
    cr_assert_eq(waker_init(&waker, true), 0);
    cr_assert_eq(command_queue_init(&command_queue, &waker), 0);
}

static void teardown(void)
{
    command_queue_fini(&command_queue);
    waker_fini(&waker);
}

TestSuite(command_queue, .init = setup, .fini = teardown, .timeout = 60);

static struct queued_command queued_with(uint32_t number)
{
    struct queued_command queued = {.command = {.has_if_term = true, .if_term = number},
                                    .length = number};

    (void)snprintf(queued.command.target, sizeof(queued.command.target), "pod-%u", number);
    (void)address_parse("[fd00::1]:12000", 0, &queued.client);
    (void)address_parse("127.0.0.11:12000", 0, &queued.local);
    return queued;
}

static void expect_queued(uint32_t number)
{
    struct queued_command expected = queued_with(number);
    struct queued_command queued;

    cr_assert(command_queue_try_read(&command_queue, &queued));
    cr_assert_eq(queued.length, number);
    cr_assert_eq(queued.command.if_term, number);
    cr_assert_str_eq(queued.command.target, expected.command.target);
    cr_assert(address_equal(&queued.client, &expected.client));
    cr_assert(address_equal(&queued.local, &expected.local));
}

Test(command_queue, is_empty_at_first)
{
    struct queued_command queued = queued_with(7);

    cr_assert_not(command_queue_try_read(&command_queue, &queued));
    cr_assert_eq(queued.length, 7, "untouched");
}

Test(command_queue, takes_as_many_as_it_has_letters)
{
    struct queued_command queued;

    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < COMMAND_QUEUE_LENGTH; i++) {
            queued = queued_with(round * 100 + i);
            cr_assert(command_queue_try_post(&command_queue, &queued));
        }
        cr_assert_not(command_queue_try_post(&command_queue, &queued), "all are under way");
        for (uint32_t i = 0; i < COMMAND_QUEUE_LENGTH; i++)
            expect_queued(round * 100 + i);
        cr_assert_not(command_queue_try_read(&command_queue, &queued));
    }
}

Test(command_queue, a_letter_is_free_again_once_read)
{
    struct queued_command queued = queued_with(0);

    for (uint32_t i = 0; i < COMMAND_QUEUE_LENGTH; i++)
        cr_assert(command_queue_try_post(&command_queue, &queued));
    for (uint32_t i = 0; i < COMMAND_QUEUE_LENGTH; i++)
        expect_queued(0);
    for (uint32_t i = 1; i < 1000; i++) {
        queued = queued_with(i);
        cr_assert(command_queue_try_post(&command_queue, &queued));
        expect_queued(i);
    }
}

Test(command_queue, wakes_a_reader_that_sleeps)
{
    struct queued_command queued = queued_with(1);
    struct pollfd polled = {.fd = waker.event_fd, .events = POLLIN};

    cr_assert(command_queue_try_post(&command_queue, &queued));
    cr_assert_eq(poll(&polled, 1, 0), 0, "it was awake");
    waker_prepare(&waker);
    cr_assert(command_queue_try_post(&command_queue, &queued));
    cr_assert_eq(poll(&polled, 1, 0), 1);
}
