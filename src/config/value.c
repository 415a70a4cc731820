#include "value.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "headless/base/utf8.h"

#define SHOWN_MAX 64 /* bytes of a refused text that are shown */

static const struct value_type *const types[OPTION_TYPE_COUNT] = {
    [OPTION_NUMBER] = &value_number, [OPTION_DURATION] = &value_duration,
    [OPTION_SIZE] = &value_size,     [OPTION_CHOICE] = &value_choice,
    [OPTION_TEXT] = &value_text,     [OPTION_NAME] = &value_name,
    [OPTION_LEADER] = &value_leader, [OPTION_ADDRESS] = &value_address,
    [OPTION_LISTEN] = &value_listen, [OPTION_TARGET] = &value_target,
    [OPTION_PEERS] = &value_peers,   [OPTION_ORDER] = &value_order,
    [OPTION_CIDRS] = &value_cidrs,   [OPTION_GROUPS] = &value_groups,
};

static void *field_of(const struct config_option *o, struct config *config)
{
    return (char *)config + o->offset;
}

static const void *const_field_of(const struct config_option *o, const struct config *config)
{
    return (const char *)config + o->offset;
}

int value_refuse(char why[static VALUE_WHY_MAX], const char *text, const char *format, ...)
{
    size_t n = 0;
    va_list args;

    why[n++] = '"';
    n += utf8_copy_printable(why + n, SHOWN_MAX, text);
    n += (size_t)snprintf(why + n, VALUE_WHY_MAX - n, "%s\" ",
                          strlen(text) > SHOWN_MAX ? "..." : "");
    va_start(args, format);
    (void)vsnprintf(why + n, VALUE_WHY_MAX - n, format, args);
    va_end(args);
    return -EINVAL;
}

bool value_is_none(const char *text)
{
    return strcmp(text, "none") == 0 || strcmp(text, "off") == 0;
}

bool value_is_list(const struct config_option *o)
{
    return types[o->type]->count != NULL;
}

void value_clear(const struct config_option *o, struct config *config)
{
    types[o->type]->clear(field_of(o, config));
}

int value_append(const struct config_option *o, const char *text, struct config *config,
                 char why[static VALUE_WHY_MAX])
{
    if (!*text)
        return value_refuse(why, text, "is empty");
    return types[o->type]->parse(o, text, field_of(o, config), why);
}

/* The next item of a comma-separated text, without the spaces around it; false when too long. */
static bool cut_item(const char **rest, char item[static VALUE_TEXT_MAX])
{
    const char *start = *rest + strspn(*rest, " ");
    size_t length = strcspn(start, ",");

    *rest = start[length] ? start + length + 1 : NULL;
    while (length > 0 && start[length - 1] == ' ')
        length--;
    if (length >= VALUE_TEXT_MAX)
        return false;
    memcpy(item, start, length);
    item[length] = '\0';
    return true;
}

static int parse_list(const struct config_option *o, const char *text, struct config *config,
                      char why[static VALUE_WHY_MAX])
{
    char item[VALUE_TEXT_MAX];
    const char *rest = text;
    int rc = 0;

    value_clear(o, config);
    if (value_is_none(text))
        return 0;
    while (rest && rc == 0) {
        if (!cut_item(&rest, item))
            return value_refuse(why, text, "has an item that is too long");
        rc = value_append(o, item, config, why);
    }
    return rc;
}

int value_parse(const struct config_option *o, const char *text, struct config *config,
                char why[static VALUE_WHY_MAX])
{
    if (value_is_list(o))
        return parse_list(o, text, config, why);
    if (!*text)
        return value_refuse(why, text, "is empty");
    return types[o->type]->parse(o, text, field_of(o, config), why);
}

size_t value_count(const struct config_option *o, const struct config *config)
{
    return value_is_list(o) ? types[o->type]->count(const_field_of(o, config)) : 1;
}

const char *value_format(const struct config_option *o, const struct config *config, size_t item,
                         char text[static VALUE_TEXT_MAX])
{
    types[o->type]->format(o, const_field_of(o, config), item, text);
    return text;
}

/* Compares the texts: padding does not count. */
bool value_equal(const struct config_option *o, const struct config *a, const struct config *b)
{
    char text_a[VALUE_TEXT_MAX], text_b[VALUE_TEXT_MAX];
    size_t count = value_count(o, a);

    if (count != value_count(o, b))
        return false;
    for (size_t i = 0; i < count; i++)
        if (strcmp(value_format(o, a, i, text_a), value_format(o, b, i, text_b)) != 0)
            return false;
    return true;
}

const char *value_allowed(const struct config_option *o, char text[static VALUE_TEXT_MAX])
{
    if (types[o->type]->allowed)
        types[o->type]->allowed(o, text);
    else
        (void)snprintf(text, VALUE_TEXT_MAX, "%s", o->allowed);
    return text;
}

const char *value_called(const struct config_option *o, char text[static VALUE_TEXT_MAX])
{
    size_t n = 0;

    if (types[o->type]->called)
        n = (size_t)snprintf(text, VALUE_TEXT_MAX, "%s%s%s", types[o->type]->called,
                             o->zero ? "|" : "", o->zero ? o->zero : "");
    for (size_t i = 0; i < o->choice_count && n < VALUE_TEXT_MAX; i++)
        if (o->choices[i])
            n +=
                (size_t)snprintf(text + n, VALUE_TEXT_MAX - n, "%s%s", n ? "|" : "", o->choices[i]);
    return text;
}
