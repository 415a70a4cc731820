/* json_fixture: a JSON document of a test. */
#ifndef HEADLESS_TESTS_JSON_FIXTURE_H
#define HEADLESS_TESTS_JSON_FIXTURE_H

#include <criterion/criterion.h>
#include <json-c/json.h>

/* Quotes are written as '. For json_object_put. */
static __attribute__((unused)) struct json_object *parse(const char *json)
{
    static char text[1 << 18];
    struct json_object *object;
    size_t i = 0;

    for (; json[i]; i++)
        text[i] = (char)(json[i] == '\'' ? '"' : json[i]);
    text[i] = '\0';
    object = json_tokener_parse(text);
    cr_assert_not_null(object, "%s", text);
    return object;
}

#endif
