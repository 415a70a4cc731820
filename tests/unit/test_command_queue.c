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

static struct queued_command make_command(uint32_t number)
{
    struct queued_command command = {.command = {.has_if_term = true, .if_term = number},
                                     .length = number};

    (void)snprintf(command.command.target, sizeof(command.command.target), "pod-%u", number);
    (void)address_parse("[fd00::1]:12000", 0, &command.client);
    (void)address_parse("127.0.0.11:12000", 0, &command.local);
    return command;
}

static void expect_command(uint32_t number)
{
    struct queued_command expected = make_command(number);
    struct queued_command command;

    cr_assert(command_queue_try_read(&command_queue, &command));
    cr_assert_eq(command.length, number);
    cr_assert_eq(command.command.if_term, number);
    cr_assert_str_eq(command.command.target, expected.command.target);
    cr_assert(address_equal(&command.client, &expected.client));
    cr_assert(address_equal(&command.local, &expected.local));
}

Test(command_queue, a_new_queue_is_empty)
{
    struct queued_command command = make_command(7);

    cr_assert_not(command_queue_try_read(&command_queue, &command));
    cr_assert_eq(command.length, 7, "untouched");
}

Test(command_queue, accepts_as_many_commands_as_it_has_entries)
{
    struct queued_command command;

    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < COMMAND_QUEUE_LENGTH; i++) {
            command = make_command(round * 100 + i);
            cr_assert(command_queue_try_post(&command_queue, &command));
        }
        cr_assert_not(command_queue_try_post(&command_queue, &command), "all entries are in use");
        for (uint32_t i = 0; i < COMMAND_QUEUE_LENGTH; i++)
            expect_command(round * 100 + i);
        cr_assert_not(command_queue_try_read(&command_queue, &command));
    }
}

Test(command_queue, an_entry_is_free_after_its_command_was_read)
{
    struct queued_command command = make_command(0);

    for (uint32_t i = 0; i < COMMAND_QUEUE_LENGTH; i++)
        cr_assert(command_queue_try_post(&command_queue, &command));
    for (uint32_t i = 0; i < COMMAND_QUEUE_LENGTH; i++)
        expect_command(0);
    for (uint32_t i = 1; i < 1000; i++) {
        command = make_command(i);
        cr_assert(command_queue_try_post(&command_queue, &command));
        expect_command(i);
    }
}

Test(command_queue, posting_wakes_a_sleeping_reader)
{
    struct queued_command command = make_command(1);
    struct pollfd polled = {.fd = waker.event_fd, .events = POLLIN};

    cr_assert(command_queue_try_post(&command_queue, &command));
    cr_assert_eq(poll(&polled, 1, 0), 0, "the reader was awake");
    waker_prepare(&waker);
    cr_assert(command_queue_try_post(&command_queue, &command));
    cr_assert_eq(poll(&polled, 1, 0), 1);
}
