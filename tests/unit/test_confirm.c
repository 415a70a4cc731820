/* confirm: each frame once and in order, gaps, the gate, and when a confirmation leaves. */
#include <criterion/criterion.h>

#include "data/relay/confirm.h"

#define SENDER UINT64_C(77)
#define INDEX  2

static struct confirm confirm;
static uint64_t put[CONFIRM_GATES], left[CONFIRM_GATES];

static void setup(void)
{
    memset(put, 0, sizeof(put));
    memset(left, 0, sizeof(left));
    cr_assert_eq(confirm_init(&confirm, 4), 0);
    confirm.now_ns = NS_PER_SEC;
}

static void teardown(void)
{
    confirm_fini(&confirm);
}

TestSuite(confirm, .init = setup, .fini = teardown, .timeout = 30);

static enum confirm_verdict take(uint32_t stream, uint64_t number, uint64_t oldest)
{
    return confirm_take(
        &confirm, INDEX, SENDER,
        &(struct frame_place){.stream = stream, .number = number, .oldest = oldest});
}

static struct confirmation tell(void)
{
    struct confirmation told;

    confirm_settle(&confirm, put, left);
    told = confirm_tell(&confirm, INDEX);
    confirm_tidy(&confirm);
    return told;
}

Test(confirm, each_frame_is_taken_once_and_in_order)
{
    cr_assert_eq(take(1, 1, 1), CONFIRM_TAKEN);
    cr_assert_eq(take(1, 3, 1), CONFIRM_AHEAD);
    cr_assert_eq(take(1, 1, 1), CONFIRM_DUPLICATE);
    cr_assert_eq(take(1, 2, 1), CONFIRM_TAKEN);
    cr_assert_eq(take(1, 3, 1), CONFIRM_TAKEN);
    cr_assert_eq(take(1, 2, 1), CONFIRM_DUPLICATE);
}

Test(confirm, first_frame_may_be_lost)
{
    cr_assert_eq(take(9, 41, 40), CONFIRM_AHEAD);
    cr_assert_eq(tell().received, 39);
    cr_assert_eq(take(9, 40, 40), CONFIRM_TAKEN);
}

Test(confirm, forgotten_frames_are_not_waited_for)
{
    cr_assert_eq(take(1, 1, 1), CONFIRM_TAKEN);
    cr_assert_eq(take(1, 5, 4), CONFIRM_AHEAD);
    cr_assert_eq(take(1, 4, 4), CONFIRM_TAKEN);
    cr_assert_eq(take(1, 3, 1), CONFIRM_DUPLICATE);
}

Test(confirm, later_stream_begins_anew_and_an_earlier_one_is_over)
{
    cr_assert_eq(take(1, 5, 5), CONFIRM_TAKEN);
    cr_assert_eq(take(2, 6, 6), CONFIRM_TAKEN);
    cr_assert_eq(take(1, 6, 5), CONFIRM_DUPLICATE);
    cr_assert_eq(take(2, 7, 6), CONFIRM_TAKEN);
}

Test(confirm, instances_are_told_apart)
{
    const struct frame_place first = {.stream = 1, .number = 1, .oldest = 1};

    cr_assert_eq(take(4, 9, 9), CONFIRM_TAKEN);
    cr_assert_eq(confirm_take(&confirm, INDEX, SENDER + 1, &first), CONFIRM_TAKEN);
    cr_assert_eq(tell().to, SENDER + 1);
}

Test(confirm, what_waits_is_received_but_not_confirmed)
{
    put[1] = 7;
    left[1] = 4;
    cr_assert_eq(take(1, 1, 1), CONFIRM_TAKEN);
    cr_assert_eq(tell().received, 1);
    cr_assert_eq(confirm.streams[INDEX].settled, 1);
    put[1] = 9; /* more is put behind it */
    cr_assert_eq(take(1, 2, 1), CONFIRM_TAKEN);
    left[1] = 7;
    cr_assert_eq(tell().confirmed, 1);
    left[1] = 9;
    cr_assert_eq(tell().confirmed, 2);
    cr_assert_eq(confirm.listed, 0);
}

Test(confirm, place_that_was_emptied_opens_the_gate)
{
    put[0] = 9;
    cr_assert_eq(take(1, 1, 1), CONFIRM_TAKEN);
    cr_assert_eq(tell().confirmed, 0);
    put[0] = left[0] = 3; /* the log was cut */
    cr_assert_eq(tell().confirmed, 1);
}

Test(confirm, confirmation_goes_along_or_leaves_after_a_delay)
{
    cr_assert_eq(take(1, 1, 1), CONFIRM_TAKEN);
    confirm_settle(&confirm, put, left);
    cr_assert(confirm_is_due(&confirm, INDEX, true));
    cr_assert_not(confirm_is_due(&confirm, INDEX, false));
    cr_assert_eq(confirm_sleep_ns(&confirm), CONFIRM_DELAY_NS);
    confirm.now_ns += CONFIRM_DELAY_NS;
    cr_assert(confirm_is_due(&confirm, INDEX, false));
    (void)tell();
    cr_assert_not(confirm_is_due(&confirm, INDEX, true));
    cr_assert_eq(confirm_sleep_ns(&confirm), UINT64_MAX);
}

Test(confirm, many_frames_are_confirmed_at_once)
{
    for (uint64_t i = 1; i < CONFIRM_FRAMES; i++)
        cr_assert_eq(take(1, i, 1), CONFIRM_TAKEN);
    cr_assert_not(confirm_is_due(&confirm, INDEX, false));
    cr_assert_eq(take(1, CONFIRM_FRAMES, 1), CONFIRM_TAKEN);
    cr_assert(confirm_is_due(&confirm, INDEX, false));
}

Test(confirm, gap_and_duplicate_are_told_at_once_but_not_for_each_frame)
{
    cr_assert_eq(take(1, 2, 1), CONFIRM_AHEAD);
    cr_assert(confirm_is_due(&confirm, INDEX, false));
    cr_assert(tell().flags & CONFIRMATION_GAP);
    cr_assert_eq(take(1, 3, 1), CONFIRM_AHEAD);
    cr_assert_not(confirm_is_due(&confirm, INDEX, false));
    confirm.now_ns += CONFIRM_PAUSE_NS;
    cr_assert(confirm_is_due(&confirm, INDEX, false));
    cr_assert_eq(take(1, 1, 1), CONFIRM_TAKEN);
    cr_assert_not(tell().flags & CONFIRMATION_GAP);
    confirm.now_ns += CONFIRM_PAUSE_NS;
    cr_assert_eq(take(1, 1, 1), CONFIRM_DUPLICATE);
    cr_assert(confirm_is_due(&confirm, INDEX, false));
}
