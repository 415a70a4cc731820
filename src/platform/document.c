#include "platform/document.h"

#include <json-c/json.h>

#include "headless/platform/api.h"

/* Commas and opening brackets outside strings: about one a value, and one an object or array. */
static bool has_too_many_values(const char *text, size_t length)
{
    size_t commas = 0, containers = 0;
    bool is_string = false;

    for (size_t i = 0; i < length; i++) {
        if (is_string && text[i] == '\\') {
            i++;
        } else if (text[i] == '"') {
            is_string = !is_string;
        } else if (!is_string) {
            commas += text[i] == ',';
            containers += text[i] == '[' || text[i] == '{';
        }
    }
    return containers > PLATFORM_CONTAINERS_MAX || commas + containers > PLATFORM_VALUES_MAX;
}

/* Nothing but white space may follow the object. */
static bool is_space_only(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r' && text[i] != '\n')
            return false;
    return true;
}

struct json_object *document_parse(const char *text, size_t length)
{
    struct json_tokener *tokener;
    struct json_object *document;
    size_t used;

    if (length == 0 || length > PLATFORM_LINE_MAX || has_too_many_values(text, length))
        return NULL;
    tokener = json_tokener_new_ex(DOCUMENT_DEPTH);
    if (!tokener)
        return NULL;
    document = json_tokener_parse_ex(tokener, text, (int)length);
    used = json_tokener_get_parse_end(tokener);
    json_tokener_free(tokener);
    if (json_object_is_type(document, json_type_object) &&
        is_space_only(text + used, length - used))
        return document;
    (void)json_object_put(document);
    return NULL;
}

const char *document_text(struct json_object *document, const char *outer, const char *key)
{
    struct json_object *value = document;

    if (outer && !json_object_object_get_ex(document, outer, &value))
        return NULL;
    if (!json_object_is_type(value, json_type_object) ||
        !json_object_object_get_ex(value, key, &value) ||
        !json_object_is_type(value, json_type_string))
        return NULL;
    return json_object_get_string(value);
}

bool document_put(struct json_object *object, const char *key, struct json_object *value)
{
    if (!value)
        return false;
    if (json_object_object_add(object, key, value) == 0)
        return true;
    (void)json_object_put(value);
    return false;
}

bool document_put_text(struct json_object *object, const char *key, const char *text)
{
    if (text && *text)
        return document_put(object, key, json_object_new_string(text));
    json_object_object_del(object, key);
    return true;
}
