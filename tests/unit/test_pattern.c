/* Ranges as regular expressions: each number near an edge, tried by a real matcher. */
#include <criterion/criterion.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/pattern.h"

TestSuite(pattern, .timeout = 60);

static void compile_range(uint64_t low, uint64_t high, regex_t *ret_regex)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    (void)fputc('^', out);
    pattern_put_range(out, low, high);
    (void)fputc('$', out);
    (void)fclose(out);
    cr_assert_eq(regcomp(ret_regex, text, REG_EXTENDED | REG_NOSUB), 0, "%s", text);
    free(text);
}

static bool takes(const regex_t *regex, uint64_t number)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
    return regexec(regex, text, 0, NULL, 0) == 0;
}

Test(pattern, small_ranges_are_exact)
{
    for (uint64_t low = 0; low <= 130; low++) {
        for (uint64_t high = low; high <= 130; high++) {
            regex_t regex;

            compile_range(low, high, &regex);
            for (uint64_t number = 0; number <= 140; number++)
                cr_assert_eq(takes(&regex, number), number >= low && number <= high,
                             "%llu in %llu..%llu", (unsigned long long)number,
                             (unsigned long long)low, (unsigned long long)high);
            regfree(&regex);
        }
    }
}

/* Numbers around each power of ten, and around the edges themselves. */
static void expect_edges(uint64_t low, uint64_t high)
{
    uint64_t edges[24] = {low, high, 0, UINT64_MAX - 2};
    uint64_t power = 1;
    regex_t regex;

    for (unsigned i = 4; i < 24; i++, power *= 10)
        edges[i] = power;
    compile_range(low, high, &regex);
    for (unsigned i = 0; i < 24; i++) {
        for (uint64_t number = edges[i] < 2 ? 0 : edges[i] - 2; number <= edges[i] + 2; number++) {
            cr_assert_eq(takes(&regex, number), number >= low && number <= high,
                         "%llu in %llu..%llu", (unsigned long long)number, (unsigned long long)low,
                         (unsigned long long)high);
            if (number == UINT64_MAX)
                break;
        }
    }
    regfree(&regex);
}

Test(pattern, large_ranges_are_exact)
{
    expect_edges(0, INT64_MAX);
    expect_edges(0, UINT64_MAX);
    expect_edges(UINT64_MAX, UINT64_MAX);
    expect_edges(1, 65535);
    expect_edges(576, 65535);
    expect_edges(95, 1200);
    expect_edges(10000000, 30000000000);
    expect_edges(1000, 1000000);
    expect_edges(999, 100001);
    expect_edges(4096, 1073741824);
}

Test(pattern, no_leading_zeros)
{
    regex_t regex;

    compile_range(0, 200, &regex);
    cr_expect_eq(regexec(&regex, "0", 0, NULL, 0), 0);
    cr_expect_neq(regexec(&regex, "00", 0, NULL, 0), 0);
    cr_expect_neq(regexec(&regex, "007", 0, NULL, 0), 0);
    cr_expect_neq(regexec(&regex, "", 0, NULL, 0), 0);
    regfree(&regex);
}

/* Each type has a pattern, or editors would be told that anything goes. */
Test(pattern, no_option_is_without)
{
    for (size_t i = 0; i < config_option_count; i++) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);

        pattern_put(out, &config_options[i]);
        (void)fclose(out);
        cr_expect_str_neq(text, ".+", "%s: add its type to src/config/pattern.c",
                          config_options[i].key);
        free(text);
    }
}
