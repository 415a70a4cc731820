#include <criterion/criterion.h>

#include "argument.h"
#include "endpoint.h"
#include "payload.h"
#include "places.h"
#include "sizes.h"

TestSuite(sizes, .timeout = 60);
TestSuite(arguments, .timeout = 60);
TestSuite(endpoints, .timeout = 60);
TestSuite(places, .timeout = 60);

/* ---- sizes ---- */

Test(sizes, single_size_is_always_picked)
{
    struct sizes sizes;

    cr_assert_null(sizes_parse("100", &sizes));
    cr_assert_eq(sizes_pick(&sizes, 0), 100);
    cr_assert_eq(sizes_pick(&sizes, UINT64_MAX), 100);
}

Test(sizes, range_is_drawn_uniformly_with_both_ends)
{
    unsigned seen[1401] = {0};
    struct sizes sizes;

    cr_assert_null(sizes_parse("64-1400", &sizes));
    for (uint64_t i = 0; i < 1000000; i++)
        seen[sizes_pick(&sizes,
                        payload_mix(i))]++; /* the sanitizer detects an index past the end */
    for (unsigned size = 64; size <= 1400; size++)
        cr_assert(seen[size] > 600 && seen[size] < 900, "%u bytes: %u times", size, seen[size]);
}

Test(sizes, sizes_of_a_mix_follow_their_weights)
{
    unsigned seen[1401] = {0};
    struct sizes sizes;

    cr_assert_null(sizes_parse("64:7,512:4,1400:1", &sizes));
    for (uint64_t i = 0; i < 120000; i++)
        seen[sizes_pick(&sizes, payload_mix(i))]++;
    cr_assert_eq(seen[64] + seen[512] + seen[1400], 120000);
    cr_assert(seen[64] > 69000 && seen[64] < 71000);
    cr_assert(seen[512] > 39000 && seen[512] < 41000);
}

Test(sizes, invalid_texts_are_refused)
{
    static const char *const wrong[] = {"",        "x",     "47",       "65508",       "100-",
                                        "200-100", "100:0", "100:",     "100,",        ",100",
                                        "-100",    "100 ",  "64-1400x", "99999999999", "1,2,3"};
    struct sizes sizes = {.count = 77};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_assert_not_null(sizes_parse(wrong[i], &sizes), "%s", wrong[i]);
    cr_assert_eq(sizes.count, 77, "untouched");
}

/* ---- numbers with units ---- */

static const struct {
    enum argument_kind kind;
    const char *text;
    uint64_t value;
} right[] = {
    {ARGUMENT_NUMBER, "0", 0},
    {ARGUMENT_NUMBER, "200k", 200000},
    {ARGUMENT_NUMBER, "5M", 5000000},
    {ARGUMENT_RATE, "50000/s", 50000},
    {ARGUMENT_RATE, "50k/s", 50000},
    {ARGUMENT_RATE, "1M", 1000000},
    {ARGUMENT_BYTES, "208KiB", 212992},
    {ARGUMENT_BYTES, "4MiB", 4194304},
    {ARGUMENT_DURATION, "10s", 10000000000},
    {ARGUMENT_DURATION, "200ms", 200000000},
    {ARGUMENT_DURATION, "2m", 120000000000},
};

Test(arguments, values_with_units_are_parsed)
{
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        uint64_t value = 1;

        cr_assert_null(argument_parse_value(right[i].kind, right[i].text, &value));
        cr_assert_eq(value, right[i].value, "%s", right[i].text);
    }
}

Test(arguments, invalid_values_are_refused_and_leave_the_result_untouched)
{
    static const char *const wrong[] = {"",    "-1", "+1", " 1",   "1 ",
                                        "1.5", "1x", "k",  "0x10", "1111111111111111111"};
    uint64_t value = 77;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        for (int kind = ARGUMENT_NUMBER; kind <= ARGUMENT_DURATION; kind++)
            cr_assert_not_null(argument_parse_value((enum argument_kind)kind, wrong[i], &value));
    cr_assert_not_null(argument_parse_value(ARGUMENT_DURATION, "10", &value), "needs its unit");
    cr_assert_not_null(argument_parse_value(ARGUMENT_DURATION, "99999999999999h", &value));
    cr_assert_eq(value, 77);
}

Test(arguments, percentages_are_parsed_to_millionths)
{
    static const struct {
        const char *text;
        uint64_t millionths;
    } percents[] = {
        {"0", 0}, {"0.5", 5000}, {"5%", 50000}, {"100", 1000000}, {"0.0001", 1}, {"12.25%", 122500},
    };
    static const char *const wrong[] = {"", "%", ".5", "-1", "1.", "0.00001", "1,5", "5%%", "1e3"};
    uint64_t value = 77;

    for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
        cr_assert_null(argument_parse_value(ARGUMENT_PERCENT, percents[i].text, &value));
        cr_assert_eq(value, percents[i].millionths, "%s", percents[i].text);
    }
    value = 77;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_assert_not_null(argument_parse_value(ARGUMENT_PERCENT, wrong[i], &value), "%s",
                           wrong[i]);
    cr_assert_eq(value, 77);
}

Test(arguments, lists_are_parsed_up_to_their_maximum)
{
    static const char *const wrong[] = {"", ",", "1,", ",1", "1,x", "1,2,3,4"};
    uint64_t values[3];
    unsigned count = 9;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_assert_not_null(argument_parse_list(ARGUMENT_RATE, wrong[i], 3, values, &count));
    cr_assert_eq(count, 9, "untouched");
    cr_assert_null(argument_parse_list(ARGUMENT_RATE, "10k,20k/s,5", 3, values, &count));
    cr_assert_eq(count, 3);
    cr_assert(values[0] == 10000 && values[1] == 20000 && values[2] == 5);
}

/* ---- endpoints ---- */

Test(endpoints, numeric_addresses_and_names_are_resolved)
{
    struct address a;
    char text[ADDRESS_TEXT_MAX];

    cr_assert_null(endpoint_resolve("127.0.0.1:12000", &a));
    cr_assert_str_eq(address_format(&a, text), "127.0.0.1:12000");
    cr_assert_null(endpoint_resolve("[::1]:9", &a));
    cr_assert_str_eq(address_format(&a, text), "[::1]:9");
    cr_assert_null(endpoint_resolve("localhost:9", &a));
    cr_assert(address_is_loopback(&a));
    cr_assert_eq(a.port, 9);
}

Test(endpoints, text_other_than_host_and_port_is_refused)
{
    static const char *const wrong[] = {"", ":", "127.0.0.1", "127.0.0.1:", ":9", "::1:9", "::1"};
    struct address a;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_assert_not_null(endpoint_resolve(wrong[i], &a), "%s", wrong[i]);
}

Test(endpoints, invalid_entry_of_a_list_is_named)
{
    struct address a[2];
    char bad[ENDPOINT_TEXT_MAX];
    unsigned count = 0;

    cr_assert_null(endpoint_resolve_list("127.0.0.1:1,127.0.0.2:2", 2, a, &count, bad));
    cr_assert_eq(count, 2);
    cr_assert_not_null(endpoint_resolve_list("127.0.0.1:1,127.0.0.2", 2, a, &count, bad));
    cr_assert_str_eq(bad, "127.0.0.2");
    cr_assert_not_null(
        endpoint_resolve_list("127.0.0.1:1,127.0.0.1:2,127.0.0.1:3", 2, a, &count, bad));
}

/* ---- places of the closed loop ---- */

Test(places, places_are_taken_and_freed_in_any_order)
{
    struct places ps;
    uint16_t tags[3];

    cr_assert_eq(places_init(&ps, 3), 0);
    for (uint16_t i = 0; i < 3; i++)
        tags[i] = places_take(&ps, i, 100U + i, 1000U + i);
    cr_assert_eq(ps.used, 3);
    cr_assert(places_release(&ps, tags[1], 1, 101));
    cr_assert_eq(places_oldest_ns(&ps), 1000);
    cr_assert(places_release(&ps, tags[0], 0, 100));
    cr_assert_eq(places_oldest_ns(&ps), 1002);
    cr_assert(places_release(&ps, tags[2], 2, 102));
    cr_assert_eq(places_oldest_ns(&ps), UINT64_MAX);
    places_fini(&ps);
}

Test(places, only_the_datagram_of_a_place_frees_it)
{
    struct places ps;
    uint16_t tag;

    cr_assert_eq(places_init(&ps, 1), 0);
    tag = places_take(&ps, 5, 7, 1000);
    cr_assert_not(places_release(&ps, tag, 5, 8));
    cr_assert_not(places_release(&ps, tag, 6, 7));
    cr_assert_not(places_release(&ps, 0, 5, 7));
    cr_assert(places_release(&ps, tag, 5, 7));
    cr_assert_not(places_release(&ps, tag, 5, 7), "once");
    places_fini(&ps);
}

Test(places, forged_tags_free_no_place)
{
    struct places ps;

    cr_assert_eq(places_init(&ps, 2), 0);
    (void)places_take(&ps, 0, 0, 1000);
    cr_assert_not(places_release(&ps, UINT16_MAX, 0, 0));
    cr_assert_not(places_release(&ps, 3, 0, 0));
    places_fini(&ps);
}

Test(places, only_overdue_places_expire)
{
    struct places ps;

    cr_assert_eq(places_init(&ps, 4), 0);
    for (uint64_t i = 0; i < 4; i++)
        (void)places_take(&ps, 0, i, 1000 + i);
    cr_assert_eq(places_expire(&ps, 1002), 2);
    cr_assert_eq(places_oldest_ns(&ps), 1002);
    cr_assert_eq(places_expire(&ps, UINT64_MAX), 2);
    cr_assert_eq(ps.used, 0);
    for (uint64_t i = 0; i < 4; i++) /* all can be taken again */
        cr_assert_neq(places_take(&ps, 0, i, 2000), 0);
    places_fini(&ps);
}
