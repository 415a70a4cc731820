#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>

#include "headless/data/mailbox.h"

static struct mailbox mailbox;
static struct waker waker;

static void setup(void)
{
    cr_assert_eq(waker_init(&waker, true), 0);
    cr_assert_eq(mailbox_init(&mailbox, &waker), 0);
}

static void teardown(void)
{
    mailbox_fini(&mailbox);
    waker_fini(&waker);
}

TestSuite(mailbox, .init = setup, .fini = teardown, .timeout = 60);

static struct letter letter_with(uint32_t number)
{
    struct letter letter = {.command = {.has_if_term = true, .if_term = number}, .length = number};

    (void)snprintf(letter.command.target, sizeof(letter.command.target), "pod-%u", number);
    (void)address_parse("[fd00::1]:12000", 0, &letter.client);
    (void)address_parse("127.0.0.11:12000", 0, &letter.local);
    return letter;
}

static void expect_letter(uint32_t number)
{
    struct letter expected = letter_with(number);
    struct letter letter;

    cr_assert(mailbox_try_read(&mailbox, &letter));
    cr_assert_eq(letter.length, number);
    cr_assert_eq(letter.command.if_term, number);
    cr_assert_str_eq(letter.command.target, expected.command.target);
    cr_assert(address_equal(&letter.client, &expected.client));
    cr_assert(address_equal(&letter.local, &expected.local));
}

Test(mailbox, is_empty_at_first)
{
    struct letter letter = letter_with(7);

    cr_assert_not(mailbox_try_read(&mailbox, &letter));
    cr_assert_eq(letter.length, 7, "untouched");
}

Test(mailbox, takes_as_many_as_it_has_letters)
{
    struct letter letter;

    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < MAILBOX_LETTERS; i++) {
            letter = letter_with(round * 100 + i);
            cr_assert(mailbox_try_post(&mailbox, &letter));
        }
        cr_assert_not(mailbox_try_post(&mailbox, &letter), "all are under way");
        for (uint32_t i = 0; i < MAILBOX_LETTERS; i++)
            expect_letter(round * 100 + i);
        cr_assert_not(mailbox_try_read(&mailbox, &letter));
    }
}

Test(mailbox, a_letter_is_free_again_once_read)
{
    struct letter letter = letter_with(0);

    for (uint32_t i = 0; i < MAILBOX_LETTERS; i++)
        cr_assert(mailbox_try_post(&mailbox, &letter));
    for (uint32_t i = 0; i < MAILBOX_LETTERS; i++)
        expect_letter(0);
    for (uint32_t i = 1; i < 1000; i++) {
        letter = letter_with(i);
        cr_assert(mailbox_try_post(&mailbox, &letter));
        expect_letter(i);
    }
}

Test(mailbox, wakes_a_reader_that_sleeps)
{
    struct letter letter = letter_with(1);
    struct pollfd polled = {.fd = waker.event_fd, .events = POLLIN};

    cr_assert(mailbox_try_post(&mailbox, &letter));
    cr_assert_eq(poll(&polled, 1, 0), 0, "it was awake");
    waker_prepare(&waker);
    cr_assert(mailbox_try_post(&mailbox, &letter));
    cr_assert_eq(poll(&polled, 1, 0), 1);
}
