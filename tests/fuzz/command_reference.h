/*
 * command_reference: a leader command as json-c reads it, to compare leader_command_classify with.
 *
 * json-c accepts more: a key twice (the last counts), escapes in keys, numbers of 2^64 and above
 * (cut to 2^64-1), "-0" and leading zeros.
 */
#ifndef COMMAND_REFERENCE_H
#define COMMAND_REFERENCE_H

#include <ctype.h>
#include <json-c/json.h>
#include <string.h>

#include "headless/wire/leader_command.h"

static bool reference_is_text(struct json_object *value)
{
    const char *text = json_object_get_string(value);
    int length = json_object_get_string_len(value);

    if (!json_object_is_type(value, json_type_string))
        return false;
    for (int i = 0; i < length; i++) {
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    }
    return length > 0;
}

static bool reference_is_number(struct json_object *value)
{
    return json_object_is_type(value, json_type_int) &&
           (json_object_get_int64(value) >= 0 || json_object_get_uint64(value) > INT64_MAX);
}

static bool reference_is_member(const char *key, struct json_object *value)
{
    static const char *const texts[] = {"leader", "key", "nonce", "mac"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strcmp(key, texts[i]) == 0)
            return reference_is_text(value) &&
                   (i > 0 || json_object_get_string_len(value) < MEMBER_NAME_FULL_MAX);
    }
    if (strcmp(key, "force") == 0)
        return json_object_is_type(value, json_type_boolean);
    return (strcmp(key, "if_term") == 0 || strcmp(key, "time") == 0) && reference_is_number(value);
}

static bool reference_has_members(struct json_object *object)
{
    struct json_object_iterator next = json_object_iter_begin(object);
    struct json_object_iterator end = json_object_iter_end(object);
    bool is_good = true;

    for (; is_good && !json_object_iter_equal(&next, &end); json_object_iter_next(&next))
        is_good = reference_is_member(json_object_iter_peek_name(&next),
                                      json_object_iter_peek_value(&next));
    return is_good;
}

/* json-c accepts other bytes behind the white space that follows the object. */
static bool reference_is_whole(struct json_tokener *tokener, const uint8_t *payload, size_t length)
{
    size_t end = json_tokener_get_parse_end(tokener);

    while (end < length && memchr(" \t\r\n", payload[end], 4))
        end++;
    return end == length;
}

/* The command's object, or NULL. Of ret_command, the signature is not set. */
static struct json_object *reference_read(const uint8_t *payload, size_t length,
                                          struct leader_command *ret_command)
{
    struct json_tokener *tokener = json_tokener_new_ex(2);
    struct json_object *object, *target, *if_term;
    bool is_good;

    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    object = json_tokener_parse_ex(tokener, (const char *)payload, (int)length);
    is_good = json_tokener_get_error(tokener) == json_tokener_success &&
              reference_is_whole(tokener, payload, length) &&
              json_object_is_type(object, json_type_object) &&
              json_object_object_get_ex(object, "leader", &target);
    json_tokener_free(tokener);
    if (!is_good || !reference_has_members(object)) {
        json_object_put(object);
        return NULL;
    }
    *ret_command = (struct leader_command){
        .has_if_term = json_object_object_get_ex(object, "if_term", &if_term),
        .is_forced = json_object_get_boolean(json_object_object_get(object, "force"))};
    if (ret_command->has_if_term)
        ret_command->if_term = json_object_get_uint64(if_term);
    (void)member_name_put(json_object_get_string(target), ret_command->target);
    return object;
}

/* Only json-c accepts this payload. object: of it. */
static bool reference_is_lenient(const uint8_t *payload, size_t length, struct json_object *object)
{
    const uint8_t *end = payload + length, *next = payload;
    bool has_escape = false, is_odd = false;
    int keys = 0;

    while (next < end) {
        const uint8_t *from = next++;

        if (*from == '"') {
            for (has_escape = false; next < end && *next != '"'; next++) {
                has_escape = has_escape || *next == '\\';
                next += *next == '\\';
            }
            next++;
        } else if (*from == ':') { /* behind a key */
            keys++;
            is_odd = is_odd || has_escape;
        } else if (isdigit(*from)) {
            while (next < end && isdigit(*next))
                next++;
            is_odd = is_odd || next - from >= 20 || (*from == '0' && next - from > 1);
        } else if (*from == '-') {
            is_odd = true;
        }
    }
    return is_odd || keys != json_object_object_length(object);
}

/* command: the result of leader_command_classify if is_command, else ignored. */
static bool reference_agrees(const uint8_t *payload, size_t length, bool is_command,
                             const struct leader_command *command)
{
    struct leader_command expected;
    struct json_object *object = reference_read(payload, length, &expected);
    bool agrees = !is_command;

    if (object && is_command)
        agrees = strcmp(command->target, expected.target) == 0 &&
                 command->has_if_term == expected.has_if_term &&
                 command->if_term == expected.if_term && command->is_forced == expected.is_forced;
    else if (object)
        agrees = length > LEADER_COMMAND_BYTES_MAX || reference_is_lenient(payload, length, object);
    json_object_put(object);
    return agrees;
}

#endif
