#include <criterion/criterion.h>
#include <string.h>

#include "count_request.h"
#include "payload.h"
#include "tracker.h"

TestSuite(count_request, .timeout = 60);
TestSuite(tracker, .timeout = 60);

static const struct count_request original = {
    .is_reply = true, .number = 7, .run = 99, .unique = 12};

Test(count_request, parse_returns_the_built_message)
{
    uint8_t bytes[COUNT_REQUEST_SIZE];
    struct count_request q;

    count_request_build(&original, bytes);
    cr_assert(count_request_parse(bytes, sizeof(bytes), &q));
    cr_assert(q.is_reply && q.number == 7 && q.run == 99 && q.unique == 12);
}

Test(count_request, altered_and_wrong_sized_messages_are_refused)
{
    uint8_t bytes[COUNT_REQUEST_SIZE + 1] = {0};
    struct count_request q;

    count_request_build(&original, bytes);
    cr_assert_not(count_request_parse(bytes, COUNT_REQUEST_SIZE - 1, &q));
    cr_assert_not(count_request_parse(bytes, COUNT_REQUEST_SIZE + 1, &q));
    for (unsigned bit = 0; bit < COUNT_REQUEST_SIZE * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        cr_assert_not(count_request_parse(bytes, COUNT_REQUEST_SIZE, &q), "bit %u", bit);
        bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
}

Test(count_request, is_shorter_than_any_payload)
{
    cr_assert_lt(COUNT_REQUEST_SIZE, PAYLOAD_SIZE_MIN);
}

Test(tracker, counts_each_run_separately_and_no_unknown_run)
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
