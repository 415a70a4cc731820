/* order_log, request_queue: a history by number, in a ring of bytes. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "headless/data/order_log.h"

#define BYTES (64u * REQUEST_QUEUE_ALIGN)

static struct order_log history;
static const struct order_mark first_mark = {.term = 1, .leader = 7};
static const struct order_mark second_mark = {.term = 2, .leader = 8};

static bool append(struct order_mark mark, uint64_t content, size_t length)
{
    static uint8_t payload[8192];
    const struct request request = {
        .record = {.payload = payload, .length = (uint16_t)length, .tag = content}};

    memset(payload, (int)content, length);
    return order_log_append(&history, mark, &request);
}

static void append_always(struct order_mark mark, uint64_t content, size_t length)
{
    while (!append(mark, content, length))
        order_log_drop_oldest(&history);
}

/* Each number has what was put under it, in tag and payload. */
static void check(void)
{
    for (uint64_t number = history.first; number < history.next; number++) {
        const struct record *record = &order_log_at(&history, number)->request.record;

        cr_assert_eq(record->tag, number);
        for (size_t i = 0; i < record->length; i++)
            cr_assert_eq(record->payload[i], (uint8_t)number);
    }
}

static void setup(void)
{
    cr_assert_eq(order_log_init(&history, BYTES), 0);
    order_log_restart(&history, 1, NULL);
}

static void teardown(void)
{
    order_log_fini(&history);
}

TestSuite(order_log, .init = setup, .fini = teardown);

Test(order_log, the_oldest_makes_room)
{
    for (uint64_t number = 1; number <= 1000; number++) {
        append_always(first_mark, number, (size_t)(number * 37 % 3000));
        check();
    }
    cr_assert_eq(history.next, 1001);
    cr_assert_gt(history.first, 900);
    cr_assert_leq(history.queue.used, BYTES);
}

/* At every place of the ring: the newest ones go, and others come in their place. */
Test(order_log, what_is_cut_off_is_replaced)
{
    for (uint64_t round = 0; round < 300; round++) {
        uint64_t from;

        for (unsigned i = 0; i < 5; i++)
            append_always(first_mark, history.next, (size_t)(round * 131 % 2000));
        from = history.next - round % 4;
        order_log_cut(&history, from);
        cr_assert_leq(history.next, from);
        check();
    }
}

Test(order_log, nothing_is_left_when_all_is_cut_off)
{
    for (unsigned i = 0; i < 200; i++)
        append_always(first_mark, history.next, 700);
    order_log_cut(&history, 1);
    cr_assert_eq(history.next, history.first);
    cr_assert_eq(history.queue.used, 0);
    append_always(first_mark, history.next, 700);
    check();
}

Test(order_log, marks_of_what_it_holds_and_of_the_one_before)
{
    struct order_mark mark;

    cr_assert_not(order_log_mark(&history, 0, &mark), "not known");
    append_always(first_mark, 1, 10);
    append_always(first_mark, 2, 10);
    append_always(second_mark, 3, 10);
    cr_assert(order_log_mark(&history, 3, &mark) && order_mark_equal(mark, second_mark));
    cr_assert_not(order_log_mark(&history, 4, &mark));
    cr_assert_eq(order_log_run_start(&history, 3), 3);
    cr_assert_eq(order_log_run_start(&history, 2), 1);
    order_log_drop_oldest(&history);
    cr_assert(order_log_mark(&history, 1, &mark) && order_mark_equal(mark, first_mark));
    cr_assert_eq(order_log_run_start(&history, 2), 2, "as far as it goes back");
    order_log_restart(&history, 50, &second_mark);
    cr_assert(order_log_mark(&history, 49, &mark) && order_mark_equal(mark, second_mark));
    cr_assert_not(order_log_mark(&history, 2, &mark));
}

Test(order_log, what_is_larger_than_the_ring_has_no_room)
{
    order_log_fini(&history);
    cr_assert_eq(order_log_init(&history, 4u * REQUEST_QUEUE_ALIGN), 0);
    order_log_restart(&history, 1, NULL);
    cr_assert_not(append(first_mark, 1, 4u * REQUEST_QUEUE_ALIGN));
    cr_assert(append(first_mark, 1, 100));
}
