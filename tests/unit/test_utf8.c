/* utf8: exactly the characters of RFC 3629. */
#include <criterion/criterion.h>
#include <string.h>

#include "headless/base/utf8.h"

Test(utf8, characters_are_decoded)
{
    static const struct {
        const char *text;
        size_t length;
        uint32_t code;
    } rows[] = {
        {"a", 1, 'a'},
        {"\x7f", 1, 0x7f},
        {"\xc2\x80", 2, 0x80},
        {"\xc3\xbc", 2, 0xfc},
        {"\xdf\xbf", 2, 0x7ff},
        {"\xe0\xa0\x80", 3, 0x800},
        {"\xe2\x80\xa8", 3, 0x2028},
        {"\xed\x9f\xbf", 3, 0xd7ff},
        {"\xee\x80\x80", 3, 0xe000},
        {"\xef\xbf\xbf", 3, 0xffff},
        {"\xf0\x90\x80\x80", 4, 0x10000},
        {"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t code = 0;

        cr_expect_eq(utf8_decode(rows[i].text, &code), rows[i].length, "row %zu", i);
        cr_expect_eq(code, rows[i].code, "row %zu", i);
    }
}

Test(utf8, other_bytes_are_no_characters)
{
    static const char *const rows[] = {
        "\x80",             /* a following byte */
        "\xbf\xbf",         /* two */
        "\xc3",             /* cut */
        "\xc3(",            /* no following byte */
        "\xc0\x80",         /* overlong NUL */
        "\xc1\xbf",         /* overlong */
        "\xe0\x9f\xbf",     /* overlong */
        "\xe2\x80",         /* cut */
        "\xed\xa0\x80",     /* a surrogate */
        "\xed\xbf\xbf",     /* a surrogate */
        "\xf0\x8f\xbf\xbf", /* overlong */
        "\xf0\x9f\x98",     /* cut */
        "\xf4\x90\x80\x80", /* above U+10FFFF */
        "\xf5\x80\x80\x80", /* above */
        "\xf8\x88\x80\x80", /* five bytes */
        "\xff",
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t code = 0;

        cr_expect_eq(utf8_decode(rows[i], &code), 0, "row %zu", i);
    }
}

Test(utf8, controls_are_those_of_ascii_and_latin_1_and_ends_of_lines)
{
    for (uint32_t code = 0; code < 0x110000; code++) {
        bool is_control =
            code < 32 || (code >= 127 && code < 160) || code == 0x2028 || code == 0x2029;

        cr_assert_eq(utf8_is_control(code), is_control, "%x", (unsigned)code);
    }
}

/* Only a character that was cut is removed; other bytes that are not UTF-8 stay. */
Test(utf8, cut_character_is_removed)
{
    static const struct {
        const char *text;
        size_t length;
    } rows[] = {
        {"", 0},
        {"a", 1},
        {"a\xc3", 1},
        {"a\xc3\xbc", 3},
        {"a\xe2", 1},
        {"a\xe2\x80", 1},
        {"a\xe2\x80\xa8", 4},
        {"\xf0\x9f\x98", 0},
        {"\xf0\x9f", 0},
        {"\xf0\x9f\x98\x80", 4},
        {"a\x80", 2},
        {"\x80\x80\x80\x80", 4},
        {"a\xff", 2},
        {"\xc3\xbc\xbc", 3},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        cr_expect_eq(utf8_trim(rows[i].text, strlen(rows[i].text)), rows[i].length, "row %zu", i);
}

Test(utf8, printable_copy_has_characters_as_they_are_and_no_other_bytes)
{
    static const struct {
        const char *text, *plain;
    } rows[] = {
        {"", ""},
        {"a\"b\\c/", "a\"b\\c/"},
        {"\xc3\xbc \xf0\x9f\x98\x80", "\xc3\xbc \xf0\x9f\x98\x80"},
        {"\n\t\x1b[2J\x7f", "??"
                            "?[2J?"},
        {"\xff \xc0\xaf \xed\xa0\x80", "? ?? ???"},
        {"\xc2\x9b[2J \xe2\x80\xa8", "?[2J ?"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[256];
        size_t n = utf8_copy_printable(out, sizeof(out), rows[i].text);

        cr_expect_eq(n, strlen(rows[i].plain), "row %zu", i);
        cr_expect_eq(memcmp(out, rows[i].plain, n), 0, "row %zu: %.*s", i, (int)n, out);
    }
}

Test(utf8, printable_copy_is_cut_between_characters)
{
    static const char text[] = "\xc3\xbc\xe2\x82\xac\xff\"\xf0\x9f\x98\x80";
    static const size_t ends[] = {2, 5, 6, 7, 11};

    for (size_t room = 0; room <= 11; room++) {
        char out[16];
        size_t should = 0;

        for (size_t i = 0; i < 5; i++)
            should = ends[i] <= room ? ends[i] : should;
        memset(out, '#', sizeof(out));
        cr_expect_eq(utf8_copy_printable(out, room, text), should, "room %zu", room);
        cr_expect_eq(out[should], '#');
    }
}
