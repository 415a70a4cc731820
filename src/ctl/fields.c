#include <json-c/json.h>

#include <string.h>

#include "ctl/parts.h"

/* Keys of /status that a pod of the previous version has under another name. */
static const struct {
    const char *is, *was;
} former_keys[] = {
    {"ledger_replies", "ledger_answers"},
    {"replies", "answers"},
    {"replies_received_total", "answers_received_total"},
};

static const char *former_key(const char *key)
{
    for (size_t i = 0; i < sizeof(former_keys) / sizeof(former_keys[0]); i++) {
        if (strcmp(key, former_keys[i].is) == 0)
            return former_keys[i].was;
    }
    return NULL;
}

static struct json_object *field_get(const struct json_object *object, const char *key)
{
    const char *former;
    struct json_object *value;

    if (json_object_object_get_ex(object, key, &value))
        return value;
    former = former_key(key);
    return former && json_object_object_get_ex(object, former, &value) ? value : NULL;
}

const struct json_object *field_of(const struct json_object *object, const char *key)
{
    return field_get(object, key);
}

const struct json_object *field_find(const struct json_object *object, const char *group,
                                     const char *key)
{
    return field_of(field_of(object, group), key);
}

const char *field_text(const struct json_object *object, const char *key)
{
    struct json_object *value;

    if (!json_object_object_get_ex(object, key, &value) ||
        !json_object_is_type(value, json_type_string) || json_object_get_string_len(value) == 0)
        return "-";
    return json_object_get_string(value);
}

uint64_t field_number(const struct json_object *object, const char *key)
{
    struct json_object *value = field_get(object, key);

    return value ? json_object_get_uint64(value) : 0;
}

int64_t field_signed(const struct json_object *object, const char *key)
{
    struct json_object *value = field_get(object, key);

    return value ? json_object_get_int64(value) : 0;
}

bool field_try_number(const struct json_object *object, const char *key, double *ret_number)
{
    struct json_object *value;

    if (!json_object_object_get_ex(object, key, &value) ||
        !(json_object_is_type(value, json_type_int) ||
          json_object_is_type(value, json_type_double)))
        return false;
    *ret_number = json_object_get_double(value);
    return true;
}

size_t field_count(const struct json_object *list)
{
    return json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
}
