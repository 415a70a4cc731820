#include <criterion/criterion.h>
#include <string.h>

#include "payload.h"
#include "question.h"
#include "tracker.h"

TestSuite(question, .timeout = 60);
TestSuite(tracker, .timeout = 60);

static const struct question original = {.is_reply = true, .number = 7, .run = 99, .unique = 12};

Test(question, comes_back_as_it_was_built)
{
    uint8_t bytes[QUESTION_SIZE];
    struct question q;

    question_build(&original, bytes);
    cr_assert(question_parse(bytes, sizeof(bytes), &q));
    cr_assert(q.is_reply && q.number == 7 && q.run == 99 && q.unique == 12);
}

Test(question, damaged_and_other_ones_are_none)
{
    uint8_t bytes[QUESTION_SIZE + 1] = {0};
    struct question q;

    question_build(&original, bytes);
    cr_assert_not(question_parse(bytes, QUESTION_SIZE - 1, &q));
    cr_assert_not(question_parse(bytes, QUESTION_SIZE + 1, &q));
    for (unsigned bit = 0; bit < QUESTION_SIZE * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        cr_assert_not(question_parse(bytes, QUESTION_SIZE, &q), "bit %u", bit);
        bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
}

Test(question, is_shorter_than_any_payload)
{
    cr_assert_lt(QUESTION_SIZE, PAYLOAD_SIZE_MIN);
}

Test(tracker, counts_each_run_by_itself_and_knows_no_other)
{
    struct tracker t;
    uint64_t unique = 77;

    cr_assert_eq(tracker_init(&t), 0);
    cr_assert_not(tracker_count(&t, 5, &unique));
    for (uint16_t flow = 0; flow < 3; flow++) {
        for (uint64_t run = 5; run < 7; run++) {
            const struct payload p = {.run = run, .flow = flow};
            struct tracked_flow *f = tracker_find(&t, &p);

            for (uint64_t sequence = 0; sequence < 10 * run; sequence++)
                (void)window_record(&f->window, sequence);
        }
    }
    cr_assert(tracker_count(&t, 5, &unique));
    cr_assert_eq(unique, 150);
    cr_assert(tracker_count(&t, 6, &unique));
    cr_assert_eq(unique, 180);
    cr_assert_not(tracker_count(&t, 7, &unique));
    cr_assert_not(tracker_count(&t, 0, &unique), "free slots are no run");
    tracker_fini(&t);
}
