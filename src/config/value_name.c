/* The cluster's name, a member's name, and the leader, which is a name or an address. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "headless/base/member_name.h"
#include "value.h"

_Static_assert(CONFIG_NAME_MAX == MEMBER_NAME_MAX, "a name is kept as it is sent");

#define LETTERS_AND_DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define NAME_CHARACTERS    LETTERS_AND_DIGITS "-._:%" /* so that an address is a name too */

static int store_text(const struct config_option *o, const char *text, void *field, char *why)
{
    size_t length = strlen(text);

    if (length >= o->size)
        return value_refuse(why, text, "is longer than %zu characters", o->size - 1);
    memset(field, 0, o->size);
    memcpy(field, text, length);
    return 0;
}

static int parse_text(const struct config_option *o, const char *text, void *field, char *why)
{
    if (o->zero && value_is_none(text))
        return store_text(o, "", field, why);
    for (const char *c = text; *c; c++)
        if (*c <= 0x20 || *c >= 0x7f)
            return value_refuse(why, text, "has a space or a character that is not ASCII");
    return store_text(o, text, field, why);
}

bool value_is_name(const char *text)
{
    return *text && text[strspn(text, NAME_CHARACTERS)] == '\0' &&
           strlen(text) < MEMBER_NAME_FULL_MAX;
}

void value_keep_name(const char *text, char name[static CONFIG_NAME_MAX], char *why)
{
    if (member_name_put(text, name))
        (void)value_refuse(why, text, "is longer than %d characters, shortened to %s",
                           CONFIG_NAME_MAX - 1, name);
}

static bool name_is_too_long(const char *text, char *why)
{
    if (strlen(text) < MEMBER_NAME_FULL_MAX)
        return false;
    (void)value_refuse(why, text, "is longer than %d characters", MEMBER_NAME_FULL_MAX - 1);
    return true;
}

static int parse_name(const struct config_option *o, const char *text, void *field, char *why)
{
    if (strcmp(text, "auto") == 0)
        return store_text(o, "", field, why);
    if (name_is_too_long(text, why))
        return -EINVAL;
    if (!value_is_name(text))
        return value_refuse(why, text, "is not a name: use letters, digits and - . _ : %%");
    value_keep_name(text, field, why);
    return 0;
}

bool value_is_unicast(const struct address *a)
{
    return !address_is_any(a) && !address_is_multicast(a) && !address_is_broadcast(a);
}

/* 10.0.0.300 is a mistyped address rather than a name. */
static bool looks_numeric(const char *text)
{
    return text[strspn(text, "0123456789.")] == '\0';
}

/* Addresses are kept in their one spelling, so that they compare as text. */
static int store_leader_address(const struct config_option *o, const char *text,
                                const struct address *a, void *field, char *why)
{
    char spelled[ADDRESS_TEXT_MAX];
    struct address with_default = {0};

    if (!value_is_unicast(a))
        return value_refuse(why, text, "is not the address of one machine");
    if (a->port != 0)
        return store_text(o, address_format(a, spelled), field, why);
    if (address_parse(text, 1, &with_default) == 0 && with_default.port == 0)
        return value_refuse(why, text, "has port 0"); /* written, not left out */
    return store_text(o, address_format_ip(a, spelled), field, why);
}

static int parse_leader(const struct config_option *o, const char *text, void *field, char *why)
{
    struct address a;

    if (value_is_none(text))
        return store_text(o, "", field, why);
    if (address_parse(text, 0, &a) == 0)
        return store_leader_address(o, text, &a, field, why);
    if (name_is_too_long(text, why))
        return -EINVAL;
    if (!value_is_name(text) || strchr(text, ':') || looks_numeric(text))
        return value_refuse(why, text, "is neither an address nor a name");
    value_keep_name(text, field, why);
    return 0;
}

static void format_text(const struct config_option *o, const void *field, size_t item, char *text)
{
    const char *value = field;

    (void)item;
    (void)snprintf(text, VALUE_TEXT_MAX, "%.*s", VALUE_TEXT_MAX - 1,
                   *value || !o->zero ? value : o->zero);
}

static void format_name(const struct config_option *o, const void *field, size_t item, char *text)
{
    const char *name = field;

    (void)o;
    (void)item;
    (void)snprintf(text, VALUE_TEXT_MAX, "%s", *name ? name : "auto");
}

static void format_leader(const struct config_option *o, const void *field, size_t item, char *text)
{
    const char *leader = field;

    (void)o;
    (void)item;
    (void)snprintf(text, VALUE_TEXT_MAX, "%s", *leader ? leader : "none");
}

const struct value_type value_text = {.called = "TEXT", .parse = parse_text, .format = format_text};
const struct value_type value_name = {
    .called = "NAME|auto", .parse = parse_name, .format = format_name};
const struct value_type value_leader = {
    .called = "NAME|ADDRESS|none", .parse = parse_leader, .format = format_leader};
