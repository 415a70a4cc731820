/*
 * docs/headlessd.schema.json: a JSON schema of the file (draft 7, which most editors support).
 * Each option is one definition; the nested and the dotted spelling of its key refer to it. The
 * program refuses everything that the schema refuses; rules between options are not in the schema.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "config/value.h"
#include "document.h"

#define DRAFT       "http://json-schema.org/draft-07/schema#"
#define PATTERN_MAX 256

static void schema_add(struct json_object *object, const char *key, struct json_object *value)
{
    (void)json_object_object_add(object, key, value);
}

static void schema_add_text(struct json_object *object, const char *key, const char *text)
{
    schema_add(object, key, json_object_new_string(text));
}

static struct json_object *new_typed(const char *type)
{
    struct json_object *schema = json_object_new_object();

    schema_add_text(schema, "type", type);
    return schema;
}

/* ---- the value of one option */

/*
 * Patterns show the look of a value, and find a missing unit or a wrong address. They know no
 * ranges: those of plain numbers are the schema's minimum and maximum, the others stand in the
 * description, and --check-config knows them all.
 */
#define NAME        "[A-Za-z0-9._:%-]+"
#define IPV4        "([0-9]{1,3}[.]){3}[0-9]{1,3}"
#define IPV6        "[0-9A-Fa-f]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*(%[!-~]+)?"
#define IP          "(" IPV4 "|" IPV6 ")"
#define IP_AND_PORT "(" IPV4 "|\\[" IPV6 "\\]):[0-9]+"

/* A value, or one item of a list. */
static const char *const patterns[OPTION_TYPE_COUNT] = {
    [OPTION_NUMBER] = "[0-9]+",
    [OPTION_DURATION] = "[0-9]+(h|m|s|ms|us|ns)|0",
    [OPTION_SIZE] = "[0-9]+(GiB|MiB|KiB|B)?",
    [OPTION_TEXT] = "[!-~]+",
    [OPTION_NAME] = NAME,
    [OPTION_LEADER] = "[!-~]+",
    [OPTION_ADDRESS] = "auto|any|" IP,
    [OPTION_LISTEN] = "none|off|:[0-9]+|" IP_AND_PORT,
    [OPTION_TARGET] = "echo|whoami|discard|udp://" IP_AND_PORT,
    [OPTION_PEERS] = "(" NAME "=)?" IP,
    [OPTION_ORDER] = NAME,
    [OPTION_CIDRS] = "any|" IP "(/[0-9]+)?",
    [OPTION_GROUPS] = IP "(%[!-~]+)?",
};

static struct json_object *new_pattern(const struct config_option *o, bool is_whole_list)
{
    struct json_object *schema = new_typed("string");
    char item[PATTERN_MAX], text[2 * PATTERN_MAX + 64];

    (void)snprintf(item, sizeof(item), "(%s%s%s%s)", patterns[o->type] ? patterns[o->type] : ".+",
                   o->zero ? "|" : "", o->zero ? o->zero : "",
                   o->zero && value_is_none(o->zero) ? "|off" : "");
    if (is_whole_list)
        (void)snprintf(text, sizeof(text), "^(none|off| *%s *(, *%s *)*)$", item, item);
    else
        (void)snprintf(text, sizeof(text), "^%s$", item);
    schema_add_text(schema, "pattern", text);
    return schema;
}

static struct json_object *new_integer(const struct config_option *o)
{
    struct json_object *schema = new_typed("integer");

    schema_add(schema, "minimum", json_object_new_uint64(o->min));
    schema_add(schema, "maximum", json_object_new_uint64(o->max));
    return schema;
}

static struct json_object *new_zero(void)
{
    struct json_object *schema = new_typed("integer");

    schema_add(schema, "const", json_object_new_int(0));
    return schema;
}

static struct json_object *new_powers(const struct config_option *o)
{
    struct json_object *schema = json_object_new_object();
    struct json_object *list = json_object_new_array();

    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t power = UINT64_C(1) << bit;

        if (power >= o->min && power <= o->max)
            (void)json_object_array_add(list, json_object_new_uint64(power));
    }
    schema_add(schema, "enum", list);
    return schema;
}

static bool is_boolean(const struct config_option *o)
{
    return o->choice_count == 2 && strcmp(o->choices[0], "false") == 0;
}

static struct json_object *new_words(const struct config_option *o)
{
    struct json_object *schema = json_object_new_object();
    struct json_object *list = json_object_new_array();

    for (size_t i = 0; i < o->choice_count; i++) {
        if (!o->choices[i])
            continue;
        (void)json_object_array_add(list, json_object_new_string(o->choices[i]));
        if (value_is_none(o->choices[i]))
            (void)json_object_array_add(list, json_object_new_string("off"));
    }
    schema_add(schema, "enum", list);
    return schema;
}

/* YAML may read names and texts as numbers or booleans. */
static void add_lookalikes(const struct config_option *o, struct json_object *kinds)
{
    if (o->type != OPTION_TEXT && o->type != OPTION_NAME && o->type != OPTION_LEADER &&
        o->type != OPTION_ORDER)
        return;
    (void)json_object_array_add(kinds, new_typed("number"));
    (void)json_object_array_add(kinds, new_typed("boolean"));
}

static struct json_object *new_list(const struct config_option *o)
{
    struct json_object *schema = new_typed("array");
    struct json_object *item = json_object_new_object();
    struct json_object *kinds = json_object_new_array();

    (void)json_object_array_add(kinds, new_pattern(o, false));
    add_lookalikes(o, kinds);
    schema_add(item, "anyOf", kinds);
    schema_add(schema, "items", item);
    return schema;
}

/* Every kind of value that YAML may read from a text that the parser of this type accepts. */
static struct json_object *new_kinds(const struct config_option *o)
{
    struct json_object *kinds = json_object_new_array();

    if (o->type == OPTION_CHOICE)
        (void)json_object_array_add(kinds, new_words(o));
    else
        (void)json_object_array_add(kinds, new_pattern(o, value_is_list(o)));
    if (value_is_list(o))
        (void)json_object_array_add(kinds, new_list(o));
    if (o->type == OPTION_CHOICE && is_boolean(o))
        (void)json_object_array_add(kinds, new_typed("boolean"));
    if (o->type == OPTION_NUMBER && o->power_of_two)
        (void)json_object_array_add(kinds, new_powers(o));
    else if (o->type == OPTION_NUMBER || o->type == OPTION_SIZE)
        (void)json_object_array_add(kinds, new_integer(o));
    if ((o->type == OPTION_DURATION && o->min == 0) || (o->type == OPTION_SIZE && o->zero))
        (void)json_object_array_add(kinds, new_zero());
    add_lookalikes(o, kinds);
    return kinds;
}

/* The kind of value that YAML reads from the text. */
static struct json_object *new_default(const struct config_option *o)
{
    if (o->type == OPTION_CHOICE && is_boolean(o))
        return json_object_new_boolean(strcmp(o->preset, "true") == 0);
    if (*o->preset && o->preset[strspn(o->preset, "0123456789")] == '\0')
        return json_object_new_uint64(strtoull(o->preset, NULL, 10));
    return json_object_new_string(o->preset);
}

static struct json_object *new_option(const struct config_option *o)
{
    struct json_object *schema = json_object_new_object();
    char allowed[VALUE_TEXT_MAX], text[2048];

    (void)snprintf(text, sizeof(text), "%s Allowed: %s. Default: %s.%s", o->help,
                   value_allowed(o, allowed), o->preset_words ? o->preset_words : o->preset,
                   o->reloadable ? " A reload changes it." : "");
    schema_add_text(schema, "description", text);
    schema_add(schema, "default", new_default(o));
    schema_add(schema, "anyOf", new_kinds(o));
    return schema;
}

/* ---- the keys */

static struct json_object *new_reference(const char *key)
{
    struct json_object *schema = json_object_new_object();
    char text[OPTION_NAME_MAX + 32];

    (void)snprintf(text, sizeof(text), "#/definitions/%s", key);
    schema_add_text(schema, "$ref", text);
    return schema;
}

/* Null, or known keys. */
static struct json_object *new_mapping(struct json_object *properties)
{
    struct json_object *schema = json_object_new_object();
    struct json_object *types = json_object_new_array();

    (void)json_object_array_add(types, json_object_new_string("object"));
    (void)json_object_array_add(types, json_object_new_string("null"));
    schema_add(schema, "type", types);
    schema_add(schema, "additionalProperties", json_object_new_boolean(false));
    schema_add(schema, "properties", properties);
    return schema;
}

/* The options that begin with "relay.", without that prefix; they need not be neighbours. */
static struct json_object *new_group(const char *prefix, size_t length)
{
    struct json_object *properties = json_object_new_object();

    for (size_t i = 0; i < config_option_count; i++) {
        const char *key = config_options[i].key;

        if (strncmp(key, prefix, length) == 0 && key[length] == '.')
            schema_add(properties, key + length + 1, new_reference(key));
    }
    return new_mapping(properties);
}

/* quorum is an option, and the prefix of others. */
static struct json_object *new_either(struct json_object *a, struct json_object *b)
{
    struct json_object *schema = json_object_new_object();
    struct json_object *list = json_object_new_array();

    (void)json_object_array_add(list, a);
    (void)json_object_array_add(list, b);
    schema_add(schema, "anyOf", list);
    return schema;
}

static void add_groups(struct json_object *properties)
{
    for (size_t i = 0; i < config_option_count; i++) {
        const char *key = config_options[i].key;
        size_t length = strcspn(key, ".");
        char prefix[OPTION_NAME_MAX];
        struct json_object *group;

        (void)snprintf(prefix, sizeof(prefix), "%.*s", (int)length, key);
        if (!key[length] || option_by_prefix(prefix) != i)
            continue;
        group = new_group(key, length);
        if (option_by_key(prefix) < config_option_count)
            group = new_either(new_reference(prefix), group);
        schema_add(properties, prefix, group);
    }
}

int document_schema(FILE *out)
{
    struct json_object *properties = json_object_new_object();
    struct json_object *definitions = json_object_new_object();
    struct json_object *schema;
    const char *text;

    for (size_t i = 0; i < config_option_count; i++) {
        schema_add(definitions, config_options[i].key, new_option(&config_options[i]));
        schema_add(properties, config_options[i].key, new_reference(config_options[i].key));
    }
    for (size_t i = 0; i < config_rename_count; i++)
        schema_add(properties, config_renames[i].was, new_reference(config_renames[i].is));
    add_groups(properties);
    schema = new_mapping(properties);
    schema_add_text(schema, "$schema", DRAFT);
    schema_add_text(schema, "title", "headlessd.yaml");
    schema_add_text(schema, "description",
                    "The configuration of headlessd. Generated by headless-document schema.");
    schema_add(schema, "definitions", definitions);
    text = json_object_to_json_string_ext(schema,
                                          JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
    if (text)
        (void)fprintf(out, "%s\n", text);
    (void)json_object_put(schema);
    return text ? 0 : -ENOMEM;
}
