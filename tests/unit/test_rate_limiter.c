#include <criterion/criterion.h>

#include "data/ingress/rate_limiter.h"
#include "headless/base/clock.h"

#define START_NS UINT64_C(1000000000000)
#define PLACES   ((size_t)RATE_LIMITER_SETS * RATE_LIMITER_WAYS)

static struct rate_limiter limiter;
static struct counters counters;

static void setup(void)
{
    cr_assert_eq(rate_limiter_init(&limiter, &counters), 0);
}

static void teardown(void)
{
    rate_limiter_fini(&limiter);
}

TestSuite(rate_limiter, .init = setup, .fini = teardown, .timeout = 60);

static struct address at(const char *text)
{
    struct address address;

    cr_assert_eq(address_parse(text, 9, &address), 0);
    return address;
}

/* The n-th of as many IPv4 addresses as one likes. */
static struct address spoofed_source(uint32_t n)
{
    return (struct address){
        .family = ADDRESS_V4,
        .port = 9,
        .ip = {10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n},
    };
}

static uint32_t take(const struct rate_limit *rule, const char *source, uint32_t n, uint64_t now_ns)
{
    struct address address = at(source);

    return rate_limiter_take(&limiter, rule, &address, n, now_ns);
}

static uint64_t forgotten(void)
{
    uint64_t sum[COUNTER_COUNT] = {0};

    counters_collect(&counters, sum);
    return sum[COUNTER_LIMIT_FORGOTTEN];
}

static size_t used_places(void)
{
    size_t used = 0;

    for (size_t i = 0; i < PLACES; i++)
        used += limiter.buckets[i].source != 0;
    return used;
}

/* ---- the rule ---- */

Test(rate_limiter, a_rate_becomes_a_period_and_a_depth)
{
    struct rate_limit rule = rate_limit_make(1000, 50);

    cr_assert_eq(rule.period_ns, NS_PER_MS);
    cr_assert_eq(rule.depth_ns, 50 * NS_PER_MS);
    rule = rate_limit_make(1, 1000000);
    cr_assert_eq(rule.depth_ns, UINT64_C(1000000) * NS_PER_SEC);
    rule = rate_limit_make(0, 50);
    cr_assert_eq(rule.period_ns, 0, "no limit");
}

/* Rounded to the strict side, and by little. */
Test(rate_limiter, never_more_than_the_rate_where_it_divides_no_second)
{
    static const uint32_t rates[] = {3, 7, 999, 300007, 999999, 1000000};

    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        struct rate_limit rule = rate_limit_make(rates[i], 1);
        uint64_t passed = NS_PER_SEC / rule.period_ns;

        cr_assert_leq(passed, rates[i]);
        cr_assert_geq(passed * 1000, (uint64_t)rates[i] * 999 - 1000, "%u: %llu", rates[i],
                      (unsigned long long)passed);
    }
}

/* ---- one source ---- */

Test(rate_limiter, a_burst_passes_and_then_the_rate)
{
    struct rate_limit rule = rate_limit_make(1000, 5);

    for (int i = 0; i < 5; i++)
        cr_assert_eq(take(&rule, "10.0.0.1", 1, START_NS), 1);
    cr_assert_eq(take(&rule, "10.0.0.1", 1, START_NS), 0);
    cr_assert_eq(take(&rule, "10.0.0.1", 1, START_NS + NS_PER_MS - 1), 0);
    cr_assert_eq(take(&rule, "10.0.0.1", 1, START_NS + NS_PER_MS), 1, "one period, one token");
    cr_assert_eq(take(&rule, "10.0.0.1", 1, START_NS + NS_PER_MS), 0);
}

Test(rate_limiter, nothing_is_saved_beyond_the_burst)
{
    struct rate_limit rule = rate_limit_make(1000, 5);

    cr_assert_eq(take(&rule, "10.0.0.1", 100, START_NS), 5);
    cr_assert_eq(take(&rule, "10.0.0.1", 100, START_NS + 2 * NS_PER_MS + 1), 2);
    cr_assert_eq(take(&rule, "10.0.0.1", 100, START_NS + 3600 * NS_PER_SEC), 5);
}

Test(rate_limiter, as_many_datagrams_of_a_gro_batch_pass_as_there_are_tokens)
{
    struct rate_limit rule = rate_limit_make(1000, 64);

    cr_assert_eq(take(&rule, "10.0.0.1", 60, START_NS), 60);
    cr_assert_eq(take(&rule, "10.0.0.1", 64, START_NS), 4);
    cr_assert_eq(take(&rule, "10.0.0.1", 64, START_NS), 0);
}

/* Otherwise a source that sends too much would never get anything. */
Test(rate_limiter, refused_datagrams_use_no_tokens)
{
    struct rate_limit rule = rate_limit_make(1000, 1);
    uint64_t passed = 0;

    for (uint64_t i = 0; i < 10000; i++) /* ten times the rate, for a second */
        passed += take(&rule, "10.0.0.1", 1, START_NS + i * NS_PER_MS / 10);
    cr_assert_eq(passed, 1000);
}

/* However it is asked: in any time no more than the burst and what the time gave. */
Test(rate_limiter, rate_holds_for_a_long_time)
{
    struct rate_limit rule = rate_limit_make(1000000, 70);
    uint64_t now_ns = START_NS, random = 42, passed = 0, asked = 0;

    for (unsigned i = 0; i < 100000; i++) {
        uint32_t n;

        random = random * 6364136223846793005U + 1442695040888963407U;
        now_ns += (random >> 33) % 40000;
        n = 1 + (uint32_t)(random >> 20) % 64;
        asked += n;
        passed += take(&rule, "10.0.0.1", n, now_ns);
        cr_assert_leq(passed, 70 + (now_ns - START_NS) / 1000);
    }
    cr_assert_lt(passed, asked);
    cr_assert_gt(passed, (now_ns - START_NS) / 1000 * 8 / 10);
}

Test(rate_limiter, new_rule_keeps_used_tokens_but_no_more_than_it_holds)
{
    struct rate_limit slow = rate_limit_make(1, 1000), quick = rate_limit_make(1000, 10);
    struct rate_limit wide = rate_limit_make(1000, 2000);

    cr_assert_eq(take(&slow, "10.0.0.1", 1000, START_NS), 1000, "in debt for a quarter of an hour");
    cr_assert_eq(take(&quick, "10.0.0.1", 1, START_NS), 0);
    cr_assert_eq(take(&quick, "10.0.0.1", 99, START_NS + 3 * NS_PER_MS), 3);
    cr_assert_eq(take(&wide, "10.0.0.1", 9999, START_NS + 3 * NS_PER_MS), 1990);
}

Test(rate_limiter, the_clock_may_wrap)
{
    struct rate_limit rule = rate_limit_make(1000, 5);
    uint64_t before_ns = UINT64_MAX - NS_PER_MS;

    cr_assert_eq(take(&rule, "10.0.0.1", 9, before_ns), 5);
    cr_assert_eq(take(&rule, "10.0.0.1", 9, before_ns), 0);
    cr_assert_eq(take(&rule, "10.0.0.1", 9, before_ns + 3 * NS_PER_MS), 3, "after the wrap");
    cr_assert_eq(take(&rule, "10.0.0.1", 9, before_ns + 9 * NS_PER_MS), 5);
    cr_assert_eq(take(&rule, "10.0.0.2", 9, before_ns), 5, "a new one");
    cr_assert_eq(forgotten(), 0);
}

/* ---- which is one source? ---- */

/* Has the second one the bucket of the first? */
static bool are_one(const char *a, const char *b)
{
    static uint64_t now_ns = START_NS;
    struct rate_limit rule = rate_limit_make(1, 1);

    now_ns += 10 * NS_PER_SEC;
    cr_assert_eq(take(&rule, a, 1, now_ns), 1);
    return take(&rule, b, 1, now_ns) == 0;
}

Test(rate_limiter, ports_are_one_source)
{
    cr_assert(are_one("10.0.0.1:1000", "10.0.0.1:1001"));
    cr_assert(are_one("[2001:db8::1]:1000", "[2001:db8::1]:1001"));
}

Test(rate_limiter, ipv4_counts_by_address)
{
    cr_assert_not(are_one("10.0.0.1", "10.0.0.2"));
    cr_assert_not(are_one("10.0.0.1", "11.0.0.1"));
}

Test(rate_limiter, ipv6_counts_by_the_64_prefix)
{
    cr_assert(are_one("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"));
    cr_assert_not(are_one("2001:db8:1:2::1", "2001:db8:1:3::1"));
    cr_assert_not(are_one("2001:db8:1:2::1", "3001:db8:1:2::1"));
}

Test(rate_limiter, link_local_hosts_are_separate_sources)
{
    cr_assert_not(are_one("fe80::1%1", "fe80::2%1"));
    cr_assert_not(are_one("fe80::1%1", "fe80::1%2"));
    cr_assert(are_one("fe80::1%1", "fe80::1%1"));
}

Test(rate_limiter, ipv4_and_ipv6_are_separate_sources)
{
    cr_assert_not(are_one("10.0.0.1", "a00:1::"));
}

/* ---- the table ---- */

/* Finds count sources that belong to one set. */
static void find_set_of(struct address *sources, size_t count)
{
    const struct rate_limit rule = rate_limit_make(1, 1);
    size_t wanted = SIZE_MAX, found = 0;

    for (uint32_t n = 0; found < count; n++) {
        struct address address = spoofed_source(n);
        size_t set = 0;

        (void)rate_limiter_take(&limiter, &rule, &address, 1, START_NS);
        while (!limiter.buckets[set * RATE_LIMITER_WAYS]
                    .source) /* alone in the table, so in a first place */
            set++;
        limiter.buckets[set * RATE_LIMITER_WAYS] = (struct token_bucket){0};
        wanted = wanted == SIZE_MAX ? set : wanted;
        if (set == wanted)
            sources[found++] = address;
    }
    cr_assert_eq(used_places(), 0);
}

Test(rate_limiter, fullest_bucket_is_replaced_and_counted)
{
    const struct rate_limit rule = rate_limit_make(1000, 100);
    struct address sources[RATE_LIMITER_WAYS + 1];

    find_set_of(sources, RATE_LIMITER_WAYS + 1);
    for (uint32_t i = 0; i < RATE_LIMITER_WAYS; i++) /* all of it, but for the one with 20 */
        cr_assert_geq(rate_limiter_take(&limiter, &rule, &sources[i], i == 3 ? 20 : 100, START_NS),
                      20);
    cr_assert_eq(forgotten(), 0);
    cr_assert_eq(rate_limiter_take(&limiter, &rule, &sources[RATE_LIMITER_WAYS], 90, START_NS), 90,
                 "the new one");
    cr_assert_eq(forgotten(), 1);
    for (uint32_t i = 0; i < RATE_LIMITER_WAYS; i++) {
        if (i != 3)
            cr_assert_eq(rate_limiter_take(&limiter, &rule, &sources[i], 1, START_NS), 0, "%u", i);
    }
    cr_assert_eq(rate_limiter_take(&limiter, &rule, &sources[RATE_LIMITER_WAYS], 99, START_NS), 10);
    cr_assert_eq(rate_limiter_take(&limiter, &rule, &sources[3], 100, START_NS), 100,
                 "gains by it");
    cr_assert_eq(forgotten(), 2);
}

Test(rate_limiter, full_bucket_is_a_free_entry)
{
    const struct rate_limit rule = rate_limit_make(1000, 100);
    struct address sources[2 * RATE_LIMITER_WAYS];

    find_set_of(sources, 2 * RATE_LIMITER_WAYS);
    for (size_t i = 0; i < RATE_LIMITER_WAYS; i++)
        cr_assert_eq(rate_limiter_take(&limiter, &rule, &sources[i], 100, START_NS), 100);
    for (size_t i = RATE_LIMITER_WAYS; i < 2 * RATE_LIMITER_WAYS; i++)
        cr_assert_eq(
            rate_limiter_take(&limiter, &rule, &sources[i], 100, START_NS + 100 * NS_PER_MS), 100);
    cr_assert_eq(forgotten(), 0);
    cr_assert_eq(used_places(), RATE_LIMITER_WAYS);
}

/*
 * 200,000 spoofed sources a second, each with one datagram, which takes a second to be allowed
 * again: ten times as many as there are places. Two more sources: one within its rate, one far above.
 */
Test(rate_limiter, a_flood_of_spoofed_sources_changes_nothing_for_the_others)
{
    const struct rate_limit rule = rate_limit_make(1, 10);
    struct address legal = at("192.0.2.1"), loud = at("192.0.2.2");
    uint64_t passed = 0;

    for (uint32_t i = 0; i < 600000; i++) { /* three seconds */
        uint64_t now_ns = START_NS + (uint64_t)i * 5000;
        struct address spoofed = spoofed_source(i);

        cr_assert_eq(rate_limiter_take(&limiter, &rule, &spoofed, 1, now_ns), 1,
                     "no newcomer is refused");
        if (i % 200000 == 0)
            cr_assert_eq(rate_limiter_take(&limiter, &rule, &legal, 1, now_ns), 1);
        if (i % 20 == 0) /* 10,000 a second */
            passed += rate_limiter_take(&limiter, &rule, &loud, 1, now_ns);
    }
    cr_assert_gt(forgotten(), 100000);
    cr_assert_leq(used_places(), PLACES);
    cr_assert_geq(passed, 10);
    cr_assert_leq(passed, 10 + 3 + 5, "%llu: it stays known", (unsigned long long)passed);
}

/* Not at one set: they are spread as a hash spreads. */
Test(rate_limiter, neighbours_do_not_share_a_set)
{
    const struct rate_limit rule = rate_limit_make(1, 1);

    for (uint32_t n = 0; n < PLACES / 8; n++) {
        struct address address = spoofed_source(n << 8); /* one bit pattern */

        (void)rate_limiter_take(&limiter, &rule, &address, 1, START_NS);
    }
    cr_assert_geq(used_places(), PLACES / 8 - PLACES / 800);
}

/* Two processes put one source into different sets: a client cannot find out which. */
Test(rate_limiter, each_table_has_a_key_of_its_own)
{
    struct rate_limiter other;

    cr_assert_eq(rate_limiter_init(&other, &counters), 0);
    cr_assert_neq(memcmp(other.key, limiter.key, sizeof(limiter.key)), 0);
    rate_limiter_fini(&other);
}
