#include <criterion/criterion.h>
#include <errno.h>

#include "headless/base/ring.h"

/* First values of the indices: an arbitrary one, and ones that wrap after a few elements. */
static const uint32_t starts[] = {0, 1000, UINT32_MAX - 2, UINT32_MAX};

static int elements[64];

TestSuite(ring, .timeout = 60);

Test(ring, refuses_impossible_capacities)
{
    struct ring ring = {0};

    cr_assert_eq(ring_init(&ring, 0, 0), -EINVAL);
    cr_assert_eq(ring_init(&ring, 1, 0), -EINVAL);
    cr_assert_eq(ring_init(&ring, 3, 0), -EINVAL);
    cr_assert_eq(ring_init(&ring, 100, 0), -EINVAL);
    cr_assert_eq(ring_init(&ring, UINT32_C(1) << 31, 0), -EINVAL);
    cr_assert_null(ring.slots, "untouched on failure");
}

Test(ring, staged_elements_are_invisible_until_published)
{
    for (size_t s = 0; s < sizeof(starts) / sizeof(*starts); s++) {
        struct ring ring;
        void *taken[4];

        cr_assert_eq(ring_init(&ring, 4, starts[s]), 0);
        cr_assert(ring_is_empty(&ring));
        cr_assert_not(ring_publish(&ring), "nothing to publish");
        cr_assert(ring_try_stage(&ring, &elements[0]));
        cr_assert(ring_try_stage(&ring, &elements[1]));
        cr_assert(ring_is_empty(&ring));
        cr_assert_eq(ring_take(&ring, taken, 4), 0);
        cr_assert_eq(ring_count(&ring), 0);
        cr_assert(ring_publish(&ring));
        cr_assert_not(ring_publish(&ring), "only once");
        cr_assert_not(ring_is_empty(&ring));
        cr_assert_eq(ring_count(&ring), 2);
        cr_assert_eq(ring_take(&ring, taken, 4), 2);
        cr_assert_eq(taken[0], &elements[0]);
        cr_assert_eq(taken[1], &elements[1]);
        cr_assert(ring_is_empty(&ring));
        ring_fini(&ring);
    }
}

Test(ring, holds_exactly_its_capacity)
{
    for (size_t s = 0; s < sizeof(starts) / sizeof(*starts); s++) {
        struct ring ring;
        void *taken[8];

        cr_assert_eq(ring_init(&ring, 8, starts[s]), 0);
        for (size_t i = 0; i < 8; i++)
            cr_assert(ring_try_stage(&ring, &elements[i]));
        cr_assert_not(ring_try_stage(&ring, &elements[8]), "full while unpublished");
        cr_assert(ring_publish(&ring));
        cr_assert_not(ring_try_stage(&ring, &elements[8]), "full");
        cr_assert_eq(ring_take(&ring, taken, 1), 1);
        cr_assert(ring_try_stage(&ring, &elements[8]), "one place is free again");
        cr_assert_not(ring_try_stage(&ring, &elements[9]));
        cr_assert(ring_publish(&ring));
        cr_assert_eq(ring_count(&ring), 8);
        cr_assert_eq(ring_take(&ring, taken, 8), 7, "what it knew to be published");
        cr_assert_eq(ring_take(&ring, taken, 8), 1, "and then the rest");
        cr_assert_eq(taken[0], &elements[8]);
        ring_fini(&ring);
    }
}

Test(ring, takes_no_more_than_asked)
{
    struct ring ring;
    void *taken[4] = {NULL};

    cr_assert_eq(ring_init(&ring, 8, UINT32_MAX - 3), 0);
    for (size_t i = 0; i < 6; i++)
        cr_assert(ring_try_stage(&ring, &elements[i]));
    cr_assert(ring_publish(&ring));
    cr_assert_eq(ring_take(&ring, taken, 0), 0);
    cr_assert_eq(ring_take(&ring, taken, 2), 2);
    cr_assert_eq(taken[1], &elements[1]);
    cr_assert_null(taken[2]);
    cr_assert_eq(ring_take(&ring, taken, 3), 3);
    cr_assert_eq(taken[0], &elements[2]);
    cr_assert_eq(ring_take(&ring, taken, 4), 1);
    cr_assert_eq(ring_take(&ring, taken, 4), 0);
    ring_fini(&ring);
}

/* Random steps against a model of a queue: numbers come out in the order in which they went in. */
Test(ring, behaves_like_a_queue)
{
    struct ring ring;
    uint64_t random = 42;
    uintptr_t staged = 0, published = 0, taken = 0;

    cr_assert_eq(ring_init(&ring, 16, UINT32_MAX - 5000), 0);
    for (unsigned step = 0; step < 100000; step++) {
        void *out[16];
        size_t n;

        random = random * 6364136223846793005U + 1442695040888963407U;
        switch (random >> 62) {
        case 0:
        case 1:
            cr_assert_eq(ring_try_stage(&ring, (void *)(staged + 1)), staged - taken < 16);
            staged += staged - taken < 16;
            break;
        case 2:
            cr_assert_eq(ring_publish(&ring), staged > published);
            published = staged;
            break;
        default:
            n = ring_take(&ring, out, (random >> 32) % 17);
            cr_assert(n <= published - taken);
            for (size_t i = 0; i < n; i++)
                cr_assert_eq((uintptr_t)out[i], ++taken);
        }
        cr_assert_eq(ring_count(&ring), published - taken);
        cr_assert_eq(ring_is_empty(&ring), published == taken);
    }
    cr_assert_gt(taken, 10000, "the indices have wrapped");
    ring_fini(&ring);
}
