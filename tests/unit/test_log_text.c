/* log_text: any bytes as the inside of a JSON string. */
#include <criterion/criterion.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/log_text.h"

/* The text as JSON has it, and as it is after parsing. */
static void check_json(const char *text, const char *escaped, const char *parsed)
{
    char out[256], object[300];
    size_t n = log_text_json(out, sizeof(out), text);
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *string;

    cr_expect_eq(n, strlen(escaped), "%s", escaped);
    cr_expect_eq(memcmp(out, escaped, n), 0, "%.*s, not %s", (int)n, out, escaped);
    (void)snprintf(object, sizeof(object), "\"%.*s\"", (int)n, out);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    string = json_tokener_parse_ex(tokener, object, -1);
    cr_assert_not_null(string, "%s", object);
    cr_expect_str_eq(json_object_get_string(string), parsed);
    json_object_put(string);
    json_tokener_free(tokener);
}

Test(log_text, json_has_characters_as_they_are_and_escapes_other_bytes)
{
    static const struct {
        const char *text, *escaped, *parsed;
    } rows[] = {
        {"", "", ""},
        {"a\"b\\c/", "a\\\"b\\\\c/", "a\"b\\c/"},
        {"b\nd\te\x01\x1b\x7f", "b\\u000ad\\u0009e\\u0001\\u001b\\u007f", "b\nd\te\x01\x1b\x7f"},
        {"/etc/\xc3\xbc.yaml", "/etc/\xc3\xbc.yaml", "/etc/\xc3\xbc.yaml"},
        {"\xe2\x82\xac \xf0\x9f\x98\x80", "\xe2\x82\xac \xf0\x9f\x98\x80",
         "\xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\xff/\xc3", "\\u00ff/\\u00c3", "\xc3\xbf/\xc3\x83"},
        {"\xc3/\xc3\xbc", "\\u00c3/\xc3\xbc", "\xc3\x83/\xc3\xbc"},
        /* overlong forms, a surrogate, above U+10FFFF */
        {"\xc0\xaf", "\\u00c0\\u00af", "\xc3\x80\xc2\xaf"},
        {"\xe0\x80\xaf", "\\u00e0\\u0080\\u00af", "\xc3\xa0\xc2\x80\xc2\xaf"},
        {"\xed\xa0\x80", "\\u00ed\\u00a0\\u0080", "\xc3\xad\xc2\xa0\xc2\x80"},
        {"\xf4\x90\x80\x80", "\\u00f4\\u0090\\u0080\\u0080", "\xc3\xb4\xc2\x90\xc2\x80\xc2\x80"},
        /* the end of a line for some readers of JSON lines, and a terminal's controls */
        {"\xe2\x80\xa8\xe2\x80\xa9\xc2\x85", "\\u2028\\u2029\\u0085",
         "\xe2\x80\xa8\xe2\x80\xa9\xc2\x85"},
        {"\xc2\x9b", "\\u009b", "\xc2\x9b"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check_json(rows[i].text, rows[i].escaped, rows[i].parsed);
}

/* Every text of two bytes is valid JSON. */
Test(log_text, json_of_any_bytes_is_json)
{
    for (unsigned i = 1; i < 256; i++) {
        for (unsigned k = 1; k < 256; k++) {
            char text[3] = {(char)i, (char)k, '\0'}, out[64] = "\"";
            size_t n = 1 + log_text_json(out + 1, sizeof(out) - 2, text);
            struct json_tokener *tokener = json_tokener_new();
            struct json_object *string;

            out[n++] = '"';
            json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
            string = json_tokener_parse_ex(tokener, out, (int)n);
            cr_assert_eq(json_tokener_get_error(tokener), json_tokener_success, "%s", out);
            json_object_put(string);
            json_tokener_free(tokener);
        }
    }
}

/* Whole characters and whole escapes, and nothing behind the room. */
Test(log_text, text_is_cut_between_characters)
{
    static const char text[] = "\xc3\xbc\xe2\x82\xac\xff\"\xf0\x9f\x98\x80";
    static const size_t ends[] = {2, 5, 11, 13, 17};
    char out[32];

    for (size_t room = 0; room <= 17; room++) {
        size_t should = 0;

        for (size_t i = 0; i < 5; i++)
            should = ends[i] <= room ? ends[i] : should;
        memset(out, '#', sizeof(out));
        cr_expect_eq(log_text_json(out, room, text), should, "room %zu", room);
        cr_expect_eq(out[should], '#');
    }
}
