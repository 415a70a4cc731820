/* Names of pods and nodes are longer than a member's name may be. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "headless/base/member_name.h"

static const char *short_of(const char *text)
{
    static char names[4][MEMBER_NAME_MAX];
    static unsigned next;
    char *name = names[next++ % 4];

    memset(name, 'x', MEMBER_NAME_MAX);
    cr_expect_eq(member_name_put(text, name), strlen(text) > 63);
    return name;
}

Test(member_name, a_name_that_fits_is_kept)
{
    char text[64] = "a";

    cr_expect_str_eq(short_of(text), "a");
    memset(text, 'b', 63);
    cr_expect_str_eq(short_of(text), text);
}

/* The hash is a part of the wire's format: pods of two versions must shorten alike. */
Test(member_name, a_longer_name_has_both_ends_and_a_hash)
{
    cr_expect_str_eq(short_of("collector-of-telemetry-for-the-very-long-named-tenant-of-acceptance-"
                              "europe-west-0"),
                     "collector-of-telemetry--87d47c19323374f7-ceptance-europe-west-0");
}

Test(member_name, names_that_differ_anywhere_stay_different)
{
    char a[254], b[254];

    for (size_t length = 64; length < 254; length += 27) {
        for (size_t i = 0; i < length; i++) {
            memset(a, 'a', length);
            a[length] = '\0';
            memcpy(b, a, length + 1);
            b[i] = 'b';
            cr_expect_str_neq(short_of(a), short_of(b), "%zu of %zu", i, length);
            cr_expect_eq(strlen(short_of(a)), 63);
        }
    }
}
