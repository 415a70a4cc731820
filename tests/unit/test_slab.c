#include <criterion/criterion.h>
#include <string.h>

#include "data/ingress/slab.h"

TestSuite(slab, .timeout = 60);

Test(slab, gives_every_slot_once)
{
    struct slab slab;
    struct datagram *taken[5];

    cr_assert_eq(slab_init(&slab, 5, 8), 0);
    for (size_t i = 0; i < 5; i++) {
        taken[i] = slab_take(&slab);
        cr_assert_not_null(taken[i]);
        cr_assert(taken[i]->slot && taken[i]->spill);
        for (size_t j = 0; j < i; j++) {
            cr_assert_neq(taken[i], taken[j]);
            cr_assert_neq(taken[i]->slot, taken[j]->slot);
            cr_assert_neq(taken[i]->spill, taken[j]->spill);
        }
    }
    cr_assert_null(slab_take(&slab), "no slot left");
    slab_give(&slab, taken[3]);
    cr_assert_eq(slab_take(&slab), taken[3]);
    cr_assert_null(slab_take(&slab));
    slab_fini(&slab);
}

/* Write all memory of all datagrams: a datagram that overlaps another destroys its mark. */
Test(slab, memory_of_slots_and_spills_does_not_overlap)
{
    struct slab slab;
    struct datagram *taken[4];

    cr_assert_eq(slab_init(&slab, 4, 4), 0);
    for (size_t i = 0; i < 4; i++) {
        taken[i] = slab_take(&slab);
        memset(taken[i]->slot, (int)i + 1, SLOT_BYTES);
        memset(taken[i]->spill, (int)i + 101, SPILL_BYTES);
    }
    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(taken[i]->slot[0], i + 1);
        cr_assert_eq(taken[i]->slot[SLOT_BYTES - 1], i + 1);
        cr_assert_eq(taken[i]->spill[0], i + 101);
        cr_assert_eq(taken[i]->spill[SPILL_BYTES - 1], i + 101);
    }
    slab_fini(&slab);
}

Test(slab, spills_run_out_before_slots)
{
    struct slab slab;
    struct datagram *first, *second, *third;

    cr_assert_eq(slab_init(&slab, 8, 2), 0);
    first = slab_take(&slab);
    second = slab_take(&slab);
    cr_assert_null(slab_take(&slab), "a slot is armed with a spill buffer or not at all");
    slab_give_spill(&slab, first); /* small: it goes on without its spill buffer */
    cr_assert_null(first->spill);
    slab_give_spill(&slab, first); /* nothing left to give */
    third = slab_take(&slab);
    cr_assert_not_null(third);
    cr_assert_null(slab_take(&slab));
    slab_give(&slab, first);
    cr_assert_null(slab_take(&slab), "it gave only a slot");
    slab_give(&slab, second);
    slab_give(&slab, third);
    cr_assert_eq(slab.free_slot_count, 8);
    cr_assert_eq(slab.free_spill_count, 2);
    slab_fini(&slab);
}

Test(slab, last_returned_slot_is_taken_first)
{
    struct slab slab;
    struct datagram *first, *second;
    uint8_t *slot;

    cr_assert_eq(slab_init(&slab, 8, 8), 0);
    first = slab_take(&slab);
    second = slab_take(&slab);
    slot = first->slot;
    slab_give(&slab, second);
    slab_give(&slab, first);
    cr_assert_eq(slab_take(&slab), first, "it is warm in the cache");
    cr_assert_eq(first->slot, slot);
    slab_fini(&slab);
    slab_fini(&slab); /* of an empty one: harmless */
}

/* The rest is a GRO batch of the same segments, or one datagram, which has none. */
Test(slab, head_of_a_gro_batch_is_a_smaller_batch)
{
    static const uint8_t payload[250];
    const struct datagram gso_batch = {.payload = payload, .length = 250, .segment = 100};
    struct datagram head;

    datagram_head(&gso_batch, 2, &head);
    cr_assert_eq(datagram_count(&head), 2);
    cr_assert_eq(head.length, 200);
    cr_assert_eq(head.segment, 100);
    datagram_head(&gso_batch, 1, &head);
    cr_assert_eq(datagram_count(&head), 1);
    cr_assert_eq(head.length, 100);
    cr_assert_eq(head.segment, 0);
    cr_assert_eq(head.payload, payload);
}
