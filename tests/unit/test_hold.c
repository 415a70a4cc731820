#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "data/hold.h"

#define PAYLOAD_MAX 65507
#define START_NS    (1000 * NS_PER_SEC)
#define HELD_MOST   8192 /* numbers that the model can hold: more than any arena here */

static struct hold hold;
static struct counters counters;
static uint8_t payload[PAYLOAD_MAX];
static uint64_t random_state;

/* What must come out, oldest first: numbers, with the lengths and times they were put with. */
static struct {
    uint64_t number;
    uint64_t since_ns;
    uint16_t length;
} model[HELD_MOST];
static size_t model_first, model_count;
static uint64_t next_number, released_count, released_bytes;

static void setup(void)
{
    memset(&counters, 0, sizeof(counters));
    model_first = model_count = 0;
    next_number = released_count = released_bytes = 0;
    random_state = 42;
}

static void teardown(void)
{
    hold_fini(&hold);
}

TestSuite(hold, .init = setup, .fini = teardown, .timeout = 120);

/* xorshift64: the same values in every run. */
static uint64_t draw(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static uint64_t dropped(enum drop_reason reason)
{
    return atomic_load_explicit(&counters.value[COUNTER_DROPPED + (size_t)reason],
                                memory_order_relaxed);
}

static void fill_payload(uint64_t number, uint16_t length)
{
    for (size_t i = 0; i < length; i++)
        payload[i] = (uint8_t)(number * 31 + i);
}

static void put(uint16_t length, uint64_t now_ns)
{
    struct request request = {.term = next_number, .hops = (uint8_t)(next_number % 3)};
    size_t slot = (model_first + model_count++) % HELD_MOST;

    cr_assert_lt(model_count, HELD_MOST);
    fill_payload(next_number, length);
    request.record.tag = ~next_number;
    request.record.client.port = (uint16_t)next_number;
    request.record.payload = payload;
    request.record.length = length;
    model[slot].number = next_number++;
    model[slot].since_ns = now_ns;
    model[slot].length = length;
    hold_put(&hold, &request, now_ns);
    memset(payload, 0xee, length); /* hold has a copy */
}

static void forget_oldest(void)
{
    cr_assert_gt(model_count, 0);
    model_first = (model_first + 1) % HELD_MOST;
    model_count--;
}

static void expect_oldest(void *context, const struct request *request)
{
    uint64_t number = model[model_first].number;

    cr_assert_eq(context, &hold);
    cr_assert_eq(request->term, number, "in order");
    cr_assert_eq(request->hops, number % 3);
    cr_assert_eq(request->record.tag, ~number);
    cr_assert_eq(request->record.client.port, (uint16_t)number);
    cr_assert_eq(request->record.length, model[model_first].length);
    fill_payload(number, request->record.length);
    cr_assert_eq(memcmp(request->record.payload, payload, request->record.length), 0);
    released_count++;
    released_bytes += request->record.length;
    forget_oldest();
}

static size_t release(uint64_t now_ns)
{
    uint64_t before = released_count;
    size_t released = 0, n;

    do {
        n = hold_release(&hold, now_ns, expect_oldest, &hold);
        cr_assert_leq(n, HOLD_RELEASE_MAX);
        released += n;
    } while (n > 0);

    cr_assert_eq(released, released_count - before);
    cr_assert_eq(hold_count(&hold), model_count);
    cr_assert_eq(hold_is_empty(&hold), model_count == 0);
    return released;
}

/* What hold dropped since then were the oldest: forget them, and see that it counted them. */
static void forget_dropped(enum drop_reason reason, uint64_t dropped_before)
{
    uint64_t lost = dropped(reason) - dropped_before;

    for (uint64_t i = 0; i < lost; i++)
        forget_oldest();
    cr_assert_eq(hold_count(&hold), model_count);
    cr_assert_leq(hold.queue.used, hold.queue.arena_bytes);
}

Test(hold, releases_in_order_what_was_put)
{
    cr_assert_eq(hold_init(&hold, 1 << 20, 1 << 20, &counters), 0);
    cr_assert(hold_is_empty(&hold));
    for (uint16_t i = 0; i < 100; i++)
        put((uint16_t)(i * 10), START_NS);
    cr_assert_eq(hold_count(&hold), 100);
    cr_assert_eq(release(START_NS), 100);
    cr_assert(hold_is_empty(&hold));
    cr_assert_eq(release(START_NS + NS_PER_SEC), 0);
}

Test(hold, a_payload_of_no_bytes_needs_no_memory)
{
    struct request request = {.record = {.payload = payload, .length = 0}};

    cr_assert_eq(hold_init(&hold, 4096, 4096, &counters), 0);
    hold_put(&hold, &request, START_NS);
    cr_assert_eq(hold_count(&hold), 1);
}

static void assert_times(uint64_t values, uint64_t sum_ns)
{
    struct distribution_sum sums[DISTRIBUTION_COUNT] = {0};

    distributions_collect(counters.distributions, sums);
    cr_assert_eq(distribution_count(&sums[DISTRIBUTION_HOLD]), values);
    cr_assert_eq(sums[DISTRIBUTION_HOLD].sum, sum_ns);
}

Test(hold, how_long_each_was_held_is_known_whatever_became_of_it)
{
    cr_assert_eq(hold_init(&hold, 4096, 1 << 20, &counters), 0);
    put(100, START_NS);
    put(100, START_NS + 2 * NS_PER_MS);
    assert_times(0, 0);
    hold_expire(&hold, 10 * NS_PER_MS, START_NS + 11 * NS_PER_MS);
    assert_times(1, 11 * NS_PER_MS);
    forget_dropped(DROP_hold_expired, 0);
    cr_assert_eq(release(START_NS + 30 * NS_PER_MS), 1);
    assert_times(2, (11 + 28) * NS_PER_MS);
    put(3000, START_NS);
    put(3000, START_NS + 5 * NS_PER_MS);
    cr_assert_eq(dropped(DROP_hold_overflow), 1);
    assert_times(3, (11 + 28 + 5) * NS_PER_MS);
    forget_dropped(DROP_hold_overflow, 0);
    hold_clear(&hold, DROP_shutdown, START_NS + 6 * NS_PER_MS);
    assert_times(4, (11 + 28 + 5 + 1) * NS_PER_MS);
}

Test(hold, without_memory_everything_is_dropped_and_counted)
{
    cr_assert_eq(hold_init(&hold, 100, 4096, &counters), 0);
    cr_assert_null(hold.queue.arena);
    put(0, START_NS);
    put(PAYLOAD_MAX, START_NS);
    cr_assert_eq(dropped(DROP_hold_overflow), 2);
    cr_assert(hold_is_empty(&hold));
    hold_expire(&hold, 0, START_NS);
    hold_clear(&hold, DROP_shutdown, START_NS);
    cr_assert_eq(hold_release(&hold, START_NS, expect_oldest, &hold), 0);
}

Test(hold, what_can_never_fit_pushes_nothing_out)
{
    cr_assert_eq(hold_init(&hold, 8192, 8192, &counters), 0);
    put(100, START_NS);
    put(8192, START_NS);
    model_count--; /* the newest was dropped */
    cr_assert_eq(dropped(DROP_hold_overflow), 1);
    cr_assert_eq(hold_count(&hold), 1);
    cr_assert_eq(release(START_NS), 1);
}

Test(hold, overflow_drops_the_oldest_first)
{
    cr_assert_eq(hold_init(&hold, 64 * 1024, 1 << 20, &counters), 0);
    for (unsigned i = 0; i < 200; i++)
        put(1000, START_NS);
    cr_assert_geq(dropped(DROP_hold_overflow), 200 - 64 * 1024 / 1000);
    cr_assert_leq(dropped(DROP_hold_overflow), 200 - 64 * 1024 / 1500);
    forget_dropped(DROP_hold_overflow, 0);
    (void)release(START_NS);
    cr_assert_eq(model_count, 0);
}

Test(hold, expires_what_is_too_old_and_no_more)
{
    cr_assert_eq(hold_init(&hold, 1 << 20, 1 << 20, &counters), 0);
    for (unsigned i = 0; i < 10; i++)
        put(100, START_NS + i);
    hold_expire(&hold, 1000, START_NS + 999);
    cr_assert_eq(dropped(DROP_hold_expired), 0);
    hold_expire(&hold, 1000, START_NS + 1003);
    cr_assert_eq(dropped(DROP_hold_expired), 4, "those put at +0, +1, +2 and +3");
    forget_dropped(DROP_hold_expired, 0);
    cr_assert_eq(release(START_NS + 1003), 6);
}

Test(hold, clear_counts_under_the_given_reason)
{
    cr_assert_eq(hold_init(&hold, 64 * 1024, 1 << 20, &counters), 0);
    for (unsigned i = 0; i < 7; i++)
        put(1400, START_NS);
    hold_clear(&hold, DROP_shutdown, START_NS);
    cr_assert_eq(dropped(DROP_shutdown), 7);
    cr_assert_eq(hold_count(&hold), 0);
    cr_assert(hold_is_empty(&hold));
}

Test(hold, release_keeps_its_pace)
{
    uint64_t now_ns = START_NS;
    size_t rounds = 0;

    cr_assert_eq(hold_init(&hold, 1 << 20, 10000, &counters), 0);
    for (unsigned i = 0; i < 100; i++)
        put(1000, START_NS);
    while (model_count > 0) {
        uint64_t before = released_bytes;

        cr_assert_gt(release(now_ns), 0);
        cr_assert_lt(released_bytes - before, 10000 + 1000, "at most one more than the pace");
        cr_assert_eq(release(now_ns + HOLD_RELEASE_PERIOD_NS - 1), 0, "not yet");
        now_ns += HOLD_RELEASE_PERIOD_NS;
        rounds++;
    }
    cr_assert_geq(rounds, 10);
    cr_assert_leq(rounds, 15);
}

Test(hold, empties_although_more_comes_in_than_the_pace_lets_out)
{
    uint64_t now_ns = START_NS;
    unsigned periods = 0;

    cr_assert_eq(hold_init(&hold, 1 << 20, 4096, &counters), 0);
    for (unsigned i = 0; i < 100; i++)
        put(100, now_ns);
    do { /* 40 come in where 16 may go out at first */
        cr_assert_lt(++periods, 50, "held for ever");
        now_ns += HOLD_RELEASE_PERIOD_NS;
        for (unsigned i = 0; i < 40; i++)
            put(100, now_ns);
        (void)release(now_ns);
    } while (!hold_is_empty(&hold));
    cr_assert_eq(dropped(DROP_hold_overflow), 0);
    cr_assert_eq(hold.pace_bytes, 4096, "the next leader is spared again");
}

Test(hold, one_that_is_larger_than_the_pace_goes_alone)
{
    cr_assert_eq(hold_init(&hold, 1 << 20, 1000, &counters), 0);
    put(PAYLOAD_MAX, START_NS);
    put(10, START_NS);
    cr_assert_eq(release(START_NS), 1);
    cr_assert_eq(release(START_NS + HOLD_RELEASE_PERIOD_NS), 1);
}

/* Payloads stay readable after the release until the next put: messages point at them. */
static const uint8_t *kept[4];
static size_t kept_count;

static void keep(void *context, const struct request *request)
{
    (void)context;
    kept[kept_count++] = request->record.payload;
}

Test(hold, released_payloads_stay_until_the_next_put)
{
    cr_assert_eq(hold_init(&hold, 1 << 16, 1 << 16, &counters), 0);
    for (unsigned i = 0; i < 4; i++)
        put(500, START_NS);
    cr_assert_eq(hold_release(&hold, START_NS, keep, NULL), 4);
    for (size_t i = 0; i < 4; i++) {
        fill_payload(i, 500);
        cr_assert_eq(memcmp(kept[i], payload, 500), 0);
    }
}

static uint16_t draw_length(void)
{
    static const uint16_t special[] = {0, 1, 119, 120, 121, 376, 1372, 2048, 30000, PAYLOAD_MAX};

    switch (draw() % 8) {
    case 0:
        return special[draw() % (sizeof(special) / sizeof(*special))];
    case 1:
        return (uint16_t)(draw() % (PAYLOAD_MAX + 1));
    default:
        return (uint16_t)(draw() % 1500);
    }
}

/* The most that an entry may cost, so that hold.bytes means something. */
static size_t cost_most(uint16_t length)
{
    return (size_t)length + 512;
}

static void put_random(uint64_t now_ns, size_t arena_bytes)
{
    uint16_t length = draw_length();
    uint64_t before = dropped(DROP_hold_overflow);
    size_t cost = cost_most(length), largest = cost;

    for (size_t i = 0; i < model_count; i++) {
        size_t one = cost_most(model[(model_first + i) % HELD_MOST].length);

        cost += one;
        largest = one > largest ? one : largest;
    }
    put(length, now_ns);
    if (length > hold.queue.arena_bytes) {
        model_count--; /* the new one itself */
        cr_assert_eq(dropped(DROP_hold_overflow), before + 1);
        cr_assert_eq(hold_count(&hold), model_count);
        return;
    }
    /* At most one gap at the arena's end, smaller than the largest entry. */
    if (cost + largest <= arena_bytes)
        cr_assert_eq(dropped(DROP_hold_overflow), before, "dropped although there was room");
    forget_dropped(DROP_hold_overflow, before);
    cr_assert_gt(model_count, 0, "the new one is in");
}

static void expire_random(uint64_t limit_ns, uint64_t now_ns)
{
    uint64_t before = dropped(DROP_hold_expired);

    hold_expire(&hold, limit_ns, now_ns);
    forget_dropped(DROP_hold_expired, before);
    if (model_count > 0)
        cr_assert_lt(now_ns - model[model_first].since_ns, limit_ns);
}

/* Random steps against a plain queue, in arenas that fit all, some or hardly one of the requests.
 */
static void compare_with_model(size_t arena_bytes, size_t release_bytes, unsigned steps)
{
    uint64_t now_ns = START_NS;
    uint64_t lost;

    cr_assert_eq(hold_init(&hold, arena_bytes, release_bytes, &counters), 0);
    for (unsigned step = 0; step < steps; step++) {
        now_ns += draw() % NS_PER_MS;
        switch (draw() % 16) {
        case 0:
            (void)release(now_ns);
            break;
        case 1:
            expire_random((1 + draw() % 200) * NS_PER_MS, now_ns);
            break;
        default:
            put_random(now_ns, arena_bytes);
        }
    }
    while (model_count > 0) {
        now_ns += HOLD_RELEASE_PERIOD_NS;
        cr_assert_gt(release(now_ns), 0);
    }
    lost = dropped(DROP_hold_overflow) + dropped(DROP_hold_expired);
    cr_assert_eq(next_number, released_count + lost, "every one ended in one place");
    cr_assert_gt(released_count, 0);
}

Test(hold, behaves_like_a_queue_in_a_large_arena)
{
    compare_with_model(1 << 20, 65536, 20000);
    cr_assert_gt(dropped(DROP_hold_expired), 0);
}

Test(hold, behaves_like_a_queue_in_a_small_arena)
{
    compare_with_model(100000, 16384, 20000);
    cr_assert_gt(dropped(DROP_hold_overflow), 0);
}

Test(hold, behaves_like_a_queue_where_hardly_one_fits)
{
    compare_with_model(66000, 4096, 20000);
    cr_assert_gt(dropped(DROP_hold_overflow), 0);
}

/* Every position of the end against every size around it. */
Test(hold, fills_the_rest_of_the_arena_at_its_end)
{
    for (uint16_t first = 0; first < 2400; first = (uint16_t)(first + 61)) {
        for (uint16_t second = 0; second < 2400; second = (uint16_t)(second + 61)) {
            setup();
            cr_assert_eq(hold_init(&hold, 4096, 1, &counters), 0);
            for (unsigned i = 0; i < 12; i++) {
                uint64_t before = dropped(DROP_hold_overflow);

                put(i % 2 ? second : first, START_NS);
                forget_dropped(DROP_hold_overflow, before);
                if (i % 3 == 2)
                    (void)release(START_NS + i * HOLD_RELEASE_PERIOD_NS);
            }
            hold_fini(&hold);
        }
    }
}
