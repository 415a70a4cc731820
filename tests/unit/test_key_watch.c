/* Whose key is wrong: only who has failed for a while, and has not been verified since. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "headless/control/key_watch.h"

#define MS UINT64_C(1000000)

static struct key_watch watch;
static struct address one, other;

static void setup(void)
{
    key_watch_init(&watch, 1000 * MS);
    cr_assert_eq(address_parse_ip("10.0.0.1", &one), 0);
    cr_assert_eq(address_parse_ip("fd00::1", &other), 0);
}

TestSuite(key_watch, .init = setup, .timeout = 30);

static size_t count_suspects(uint64_t now_ns)
{
    size_t count = 0;

    for (size_t i = 0; i < ELECTION_MEMBERS_MAX; i++)
        count += key_watch_suspect(&watch, i, now_ns) != NULL;
    return count;
}

Test(key_watch, one_failure_is_none)
{
    key_watch_fail(&watch, &one, 100 * MS);
    cr_assert_eq(key_watch_count(&watch, 5000 * MS), 0);
}

Test(key_watch, failing_for_a_while_is_a_mismatch)
{
    struct address told;

    key_watch_fail(&watch, &one, 100 * MS);
    key_watch_fail(&watch, &one, 1099 * MS);
    cr_assert_eq(key_watch_count(&watch, 1099 * MS), 0);
    key_watch_fail(&watch, &one, 1100 * MS);
    cr_assert_eq(key_watch_count(&watch, 1100 * MS), 1);
    cr_assert(key_watch_take(&watch, 1100 * MS, &told));
    cr_assert(address_equal_ip(&told, &one));
    cr_assert_not(key_watch_take(&watch, 1100 * MS, &told), "told once");
    cr_assert_eq(key_watch_count(&watch, 1100 * MS), 1);
}

Test(key_watch, one_good_message_clears_it)
{
    cr_assert_eq(count_suspects(100 * MS), 0);
    key_watch_fail(&watch, &one, 100 * MS);
    cr_assert_eq(count_suspects(100 * MS), 1);
    cr_assert_eq(count_suspects(100 * MS + KEY_WATCH_MEMORY_NS), 0, "forgotten");
    key_watch_fail(&watch, &one, 1200 * MS);
    cr_assert_eq(key_watch_count(&watch, 1200 * MS), 1);
    key_watch_verify(&watch, &one);
    cr_assert_eq(count_suspects(1200 * MS), 0);
    cr_assert_eq(key_watch_count(&watch, 1200 * MS), 0);
    key_watch_fail(&watch, &one, 1300 * MS);
    cr_assert_eq(key_watch_count(&watch, 1300 * MS), 0, "counted from anew");
}

/* Somebody spoofs a member that speaks to us as well. */
Test(key_watch, a_spoofed_member_that_speaks_is_none)
{
    for (uint64_t t = 0; t < 10000; t += 10) {
        key_watch_fail(&watch, &one, t * MS);
        if (t % 200 == 0)
            key_watch_verify(&watch, &one);
        cr_assert_eq(key_watch_count(&watch, t * MS), 0);
    }
}

Test(key_watch, silence_is_forgotten)
{
    struct address told;

    key_watch_fail(&watch, &one, 100 * MS);
    key_watch_fail(&watch, &one, 1200 * MS);
    cr_assert(key_watch_take(&watch, 1200 * MS, &told));
    cr_assert_eq(key_watch_count(&watch, 6199 * MS), 1);
    cr_assert_eq(key_watch_count(&watch, 6200 * MS), 0);
    key_watch_fail(&watch, &one, 7000 * MS);
    cr_assert_eq(key_watch_count(&watch, 7000 * MS), 0);
    key_watch_fail(&watch, &one, 8000 * MS);
    cr_assert(key_watch_take(&watch, 8000 * MS, &told), "told again");
}

Test(key_watch, each_address_by_itself)
{
    key_watch_fail(&watch, &one, 100 * MS);
    key_watch_fail(&watch, &other, 600 * MS);
    key_watch_fail(&watch, &one, 1200 * MS);
    key_watch_fail(&watch, &other, 1200 * MS);
    cr_assert_eq(key_watch_count(&watch, 1200 * MS), 1);
    key_watch_fail(&watch, &other, 1600 * MS);
    cr_assert_eq(key_watch_count(&watch, 1600 * MS), 2);
}

Test(key_watch, more_than_there_is_room_for_push_out_the_oldest)
{
    char text[16];
    struct address address;

    for (unsigned i = 0; i < ELECTION_MEMBERS_MAX + 50; i++) {
        (void)snprintf(text, sizeof(text), "10.1.%u.%u", i / 250, i % 250 + 1);
        cr_assert_eq(address_parse_ip(text, &address), 0);
        key_watch_fail(&watch, &address, (100 + i) * MS);
        key_watch_fail(&watch, &address, (1100 + i) * MS);
    }
    cr_assert_eq(key_watch_count(&watch, 1300 * MS), ELECTION_MEMBERS_MAX);
}
