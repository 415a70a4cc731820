/* Assign one value, and name its place in errors. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "loader.h"

const char *loader_spell(size_t option, const struct origin *origin,
                         char text[static OPTION_NAME_MAX])
{
    const char *key = origin->former ? origin->former : config_options[option].key;

    if (origin->alias)
        return origin->alias;
    switch (origin->source) {
    case CONFIG_ENVIRONMENT:
        return option_variable_of_key(key, text);
    case CONFIG_FLAG:
        return option_flag_of_key(key, text);
    case CONFIG_FILE:
    case CONFIG_DEFAULT:
    default:
        return key;
    }
}

static void put_place(const struct loader *l, size_t option, const struct origin *origin)
{
    char text[OPTION_NAME_MAX];

    if (origin->source == CONFIG_FILE)
        (void)fprintf(l->errors, "%s:%u: ", l->set->path, origin->line);
    (void)fprintf(l->errors, "%s%s", origin->source == CONFIG_FLAG ? "--" : "",
                  loader_spell(option, origin, text));
}

static void put_message(const struct loader *l, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* Counts an error; true: it is one of the first LOADER_ERRORS_MAX, to be shown. */
static bool count_error(struct loader *l)
{
    return l->error_count++ < LOADER_ERRORS_MAX;
}

static void put_message(const struct loader *l, const char *format, va_list args)
{
    (void)fputs(": ", l->errors);
    (void)vfprintf(l->errors, format, args);
    (void)fputc('\n', l->errors);
}

void loader_refuse(struct loader *l, size_t option, const struct origin *origin, const char *format,
                   ...)
{
    va_list args;

    l->wrong[option] = true;
    if (!count_error(l))
        return;
    va_start(args, format);
    put_place(l, option, origin);
    put_message(l, format, args);
    va_end(args);
}

void loader_error(struct loader *l, const char *place, const char *format, ...)
{
    va_list args;

    if (!count_error(l))
        return;
    va_start(args, format);
    (void)fputs(place, l->errors);
    put_message(l, format, args);
    va_end(args);
}

void loader_error_line(struct loader *l, unsigned line, const char *format, ...)
{
    va_list args;

    if (!count_error(l))
        return;
    va_start(args, format);
    (void)fprintf(l->errors, "%s:%u", l->set->path, line);
    put_message(l, format, args);
    va_end(args);
}

int loader_finish(struct loader *l)
{
    if (l->error_count > LOADER_ERRORS_MAX)
        (void)fprintf(l->errors, "and %u more errors\n", l->error_count - LOADER_ERRORS_MAX);
    return l->error_count ? -EINVAL : 0;
}

/* "warning: PLACE: message", which is no error. */
static void loader_warn(struct loader *l, size_t option, const struct origin *origin,
                        const char *message)
{
    if (!*message)
        return;
    (void)fputs("warning: ", l->errors);
    put_place(l, option, origin);
    (void)fprintf(l->errors, ": %s\n", message);
}

void config_assign(struct loader *l, size_t option, const struct origin *origin, const char *text)
{
    char why[VALUE_WHY_MAX] = "";

    l->set->origins[option] = *origin;
    if (value_parse(&config_options[option], text, &l->set->values, why))
        loader_refuse(l, option, origin, "%s", why);
    else
        loader_warn(l, option, origin, why);
}

void config_assign_list(struct loader *l, size_t option, const struct origin *origin)
{
    l->set->origins[option] = *origin;
    value_clear(&config_options[option], &l->set->values);
}

void config_assign_item(struct loader *l, size_t option, const struct origin *origin,
                        const char *text)
{
    char why[VALUE_WHY_MAX] = "";

    if (value_append(&config_options[option], text, &l->set->values, why))
        loader_refuse(l, option, origin, "%s", why);
    else
        loader_warn(l, option, origin, why);
}

void config_read_defaults(struct loader *l)
{
    const struct origin origin = {.source = CONFIG_DEFAULT};

    for (size_t i = 0; i < config_option_count; i++)
        config_assign(l, i, &origin, config_options[i].preset);
}
