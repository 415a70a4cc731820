/* Slots of members, and what was handed to them and not confirmed. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "data/data_plane_internal.h"
#include "headless/control/roster.h"

static struct data_plane data_plane;
static struct worker *workers;
static struct roster roster;
static struct election_list list;

static void setup(void)
{
    size_t bytes = (2 * sizeof(*workers) + 63) / 64 * 64;

    workers = aligned_alloc(64, bytes);
    cr_assert_not_null(workers);
    memset(workers, 0, bytes);
    data_plane.workers = workers;
    data_plane.worker_count = 2;
    roster_init(&roster, &data_plane);
}

static void teardown(void)
{
    free(workers);
}

TestSuite(roster, .init = setup, .fini = teardown, .timeout = 30);

static void list_is(size_t count, const uint64_t *instances)
{
    list.count = (uint16_t)count;
    for (size_t i = 0; i < count; i++)
        list.members[i].instance = instances[i];
    roster_update(&roster, &list);
}

Test(roster, each_member_has_a_slot_and_keeps_it)
{
    uint16_t a, b;

    list_is(2, (const uint64_t[]){0xa, 0xb});
    a = roster_slot(&roster, 0xa);
    b = roster_slot(&roster, 0xb);
    cr_assert_neq(a, b);
    list_is(3, (const uint64_t[]){0xc, 0xb, 0xa});
    cr_assert_eq(roster_slot(&roster, 0xa), a);
    cr_assert_eq(roster_slot(&roster, 0xb), b);
    cr_assert_eq(roster_slot(&roster, 0xd), MEMBER_INDEX_NONE);
    cr_assert_eq(roster_slot(&roster, 0), MEMBER_INDEX_NONE);
}

Test(roster, a_slot_rests_before_it_is_used_again)
{
    uint16_t a;

    list_is(1, (const uint64_t[]){0xa});
    a = roster_slot(&roster, 0xa);
    list_is(1, (const uint64_t[]){0xb});
    cr_assert_eq(roster_slot(&roster, 0xa), MEMBER_INDEX_NONE);
    cr_assert_neq(roster_slot(&roster, 0xb), a);
}

Test(roster, a_full_list_has_slots_for_all)
{
    uint64_t instances[MEMBERS_MAX];

    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < MEMBERS_MAX; i++)
            instances[i] = (uint64_t)round * 1000 + i + 1;
        list_is(MEMBERS_MAX, instances);
        for (size_t i = 0; i < MEMBERS_MAX; i++)
            cr_assert_neq(roster_slot(&roster, instances[i]), MEMBER_INDEX_NONE);
    }
}

Test(roster, what_is_not_confirmed_is_known)
{
    uint16_t slot;

    list_is(1, (const uint64_t[]){0xa});
    slot = roster_slot(&roster, 0xa);
    traffic_add(workers[0].routing.traffic.relayed, slot, 100);
    traffic_add(workers[1].routing.traffic.relayed, slot, 20);
    traffic_add(workers[0].routing.traffic.received, slot, 7);
    cr_assert_eq(roster_unconfirmed(&roster, 0xa), 120);
    cr_assert_eq(roster_received(&roster, 0xa), 7);
    roster_confirm(&roster, 0xa, 90);
    cr_assert_eq(roster_unconfirmed(&roster, 0xa), 30);
    roster_confirm(&roster, 0xa, 80); /* an old heartbeat */
    cr_assert_eq(roster_unconfirmed(&roster, 0xa), 30);
    roster_confirm(&roster, 0xa, 1000); /* and one that cannot be */
    cr_assert_eq(roster_unconfirmed(&roster, 0xa), 0);
    cr_assert_eq(roster_unconfirmed(&roster, 0xb), 0);
}

Test(roster, a_new_instance_starts_at_nothing)
{
    uint16_t slot;

    list_is(1, (const uint64_t[]){0xa});
    for (uint16_t i = 0; i < MEMBERS_MAX; i++)
        traffic_add(workers[0].routing.traffic.relayed, i, 50);
    list_is(1, (const uint64_t[]){0xb});
    slot = roster_slot(&roster, 0xb);
    cr_assert_eq(roster_unconfirmed(&roster, 0xb), 0);
    traffic_add(workers[0].routing.traffic.relayed, slot, 1);
    cr_assert_eq(roster_unconfirmed(&roster, 0xb), 1);
}
