/* The TTL with which a datagram is sent on. */
#include <criterion/criterion.h>

#include "data/loop_guard.h"

TestSuite(loop_guard, .timeout = 30);

Test(loop_guard, ttl_always_decreases)
{
    for (unsigned ttl = 1; ttl < 256; ttl++)
        cr_assert_lt(loop_guard_next((uint8_t)ttl), ttl);
}

/* Of whatever TTL it came with, and through however many routers. */
Test(loop_guard, circle_ends_after_few_passes)
{
    for (unsigned first = 1; first < 256; first++) {
        for (unsigned routers = 0; routers < 10; routers++) {
            unsigned ttl = first, passes = 0;

            while (ttl && (ttl = loop_guard_next((uint8_t)ttl)) > 0) {
                passes++;
                ttl = ttl > routers ? ttl - routers : 0;
            }
            cr_assert_leq(passes, LOOP_GUARD_PASSES, "%u, %u routers", first, routers);
        }
    }
}

/* Clients 30 routers away; an app or leader 15 away. */
Test(loop_guard, clients_far_away_are_sent_on_far)
{
    cr_assert_eq(loop_guard_next(255), 48);
    cr_assert_eq(loop_guard_next(128 - 30), 48);
    cr_assert_eq(loop_guard_next(64), 48);
    cr_assert_eq(loop_guard_next(64 - 30), 32);
    cr_assert_eq(loop_guard_next(32), 16);
    cr_assert_eq(loop_guard_next(17), 16);
}

Test(loop_guard, records_have_low_ttls_only)
{
    cr_assert_eq(loop_guard_note(&(struct datagram){.ttl = 64}), 0);
    cr_assert_eq(loop_guard_note(&(struct datagram){.ttl = 49}), 0);
    cr_assert_eq(loop_guard_note(&(struct datagram){.ttl = 48}), 48);
    cr_assert_eq(loop_guard_note(&(struct datagram){.ttl = 1}), 1);
    cr_assert_eq(loop_guard_note(&(struct datagram){.ttl = 1, .source = SOURCE_GROUP}), 0,
                 "the TTL of datagrams to a group is 1");
}
