/* entry_log, arena_queue: a log by index, in a ring of bytes. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "headless/sequencer/entry_log.h"

#define BYTES (64u * ARENA_QUEUE_ALIGN)

static struct entry_log history;
static const struct entry_id first_id = {.term = 1, .leader = 7};
static const struct entry_id second_id = {.term = 2, .leader = 8};

static bool append(struct entry_id id, uint64_t content, size_t length)
{
    static uint8_t payload[8192];
    const struct record record = {.payload = payload, .length = (uint16_t)length, .tag = content};

    memset(payload, (int)content, length);
    return entry_log_append(&history, id, &record);
}

static void append_always(struct entry_id id, uint64_t content, size_t length)
{
    while (!append(id, content, length))
        entry_log_drop_oldest(&history);
}

/* Each index has its own record, by tag and payload. */
static void check(void)
{
    for (uint64_t index = history.first; index < history.next; index++) {
        const struct record *record = &entry_log_at(&history, index)->record;

        cr_assert_eq(record->tag, index);
        for (size_t i = 0; i < record->length; i++)
            cr_assert_eq(record->payload[i], (uint8_t)index);
    }
}

static void setup(void)
{
    cr_assert_eq(entry_log_init(&history, BYTES), 0);
    entry_log_restart(&history, 1, NULL);
}

static void teardown(void)
{
    entry_log_fini(&history);
}

TestSuite(entry_log, .init = setup, .fini = teardown);

Test(entry_log, oldest_entry_makes_room)
{
    for (uint64_t index = 1; index <= 1000; index++) {
        append_always(first_id, index, (size_t)(index * 37 % 3000));
        check();
    }
    cr_assert_eq(history.next, 1001);
    cr_assert_gt(history.first, 900);
    cr_assert_leq(history.queue.used, BYTES);
}

/* At every place of the ring: the newest entries are cut off, and others follow in their place. */
Test(entry_log, entries_that_are_cut_off_are_replaced)
{
    for (uint64_t round = 0; round < 300; round++) {
        uint64_t from;

        for (unsigned i = 0; i < 5; i++)
            append_always(first_id, history.next, (size_t)(round * 131 % 2000));
        from = history.next - round % 4;
        entry_log_cut(&history, from);
        cr_assert_leq(history.next, from);
        check();
    }
}

Test(entry_log, nothing_is_left_when_all_is_cut_off)
{
    for (unsigned i = 0; i < 200; i++)
        append_always(first_id, history.next, 700);
    entry_log_cut(&history, 1);
    cr_assert_eq(history.next, history.first);
    cr_assert_eq(history.queue.used, 0);
    append_always(first_id, history.next, 700);
    check();
}

Test(entry_log, ids_of_its_entries_and_of_the_one_before)
{
    struct entry_id id;

    cr_assert_not(entry_log_id(&history, 0, &id), "not known");
    append_always(first_id, 1, 10);
    append_always(first_id, 2, 10);
    append_always(second_id, 3, 10);
    cr_assert(entry_log_id(&history, 3, &id) && entry_id_equal(id, second_id));
    cr_assert_not(entry_log_id(&history, 4, &id));
    cr_assert_eq(entry_log_range_start(&history, 3), 3);
    cr_assert_eq(entry_log_range_start(&history, 2), 1);
    entry_log_drop_oldest(&history);
    cr_assert(entry_log_id(&history, 1, &id) && entry_id_equal(id, first_id));
    cr_assert_eq(entry_log_range_start(&history, 2), 2, "as far as it goes back");
    entry_log_restart(&history, 50, &second_id);
    cr_assert(entry_log_id(&history, 49, &id) && entry_id_equal(id, second_id));
    cr_assert_not(entry_log_id(&history, 2, &id));
}

Test(entry_log, entry_larger_than_the_ring_has_no_room)
{
    entry_log_fini(&history);
    cr_assert_eq(entry_log_init(&history, 4u * ARENA_QUEUE_ALIGN), 0);
    entry_log_restart(&history, 1, NULL);
    cr_assert_not(append(first_id, 1, 4u * ARENA_QUEUE_ALIGN));
    cr_assert(append(first_id, 1, 100));
}
