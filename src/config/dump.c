/* --dump-config: the settings in force as a file, each with where it came from. */
#include <stdio.h>
#include <string.h>

#include "loader.h"

#define COMMENT_COLUMN   32

#define PLAIN_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789./_-"

/* Plain when YAML cannot take it for anything else, else in quotes. Returns the width. */
static size_t put_scalar(FILE *out, const char *text)
{
    size_t width = 2;

    if (*text != '-' && text[strspn(text, PLAIN_CHARACTERS)] == '\0') {
        (void)fputs(text, out);
        return strlen(text);
    }
    (void)fputc('"', out);
    for (const char *c = text; *c; c++, width++) {
        if (*c == '"' || *c == '\\') {
            (void)fputc('\\', out);
            width++;
        }
        (void)fputc(*c, out);
    }
    (void)fputc('"', out);
    return width;
}

static size_t put_value(FILE *out, const struct config_option *o, const struct config *config)
{
    char text[VALUE_TEXT_MAX];
    size_t width = 2;

    if (!value_is_list(o))
        return put_scalar(out, value_format(o, config, 0, text));
    (void)fputc('[', out);
    for (size_t i = 0; i < value_count(o, config); i++) {
        if (i > 0)
            width += (size_t)fprintf(out, ", ");
        width += put_scalar(out, value_format(o, config, i, text));
    }
    (void)fputc(']', out);
    return width;
}

/* A path is the operator's, and may hold anything. */
static void put_path(FILE *out, const char *path)
{
    for (; *path; path++)
        (void)fputc(*path >= 0x20 && *path < 0x7f ? *path : '?', out);
}

static void put_source(FILE *out, const struct config_set *set, size_t option)
{
    const struct config_option *o = &config_options[option];
    const struct origin *origin = &set->origins[option];
    char name[OPTION_NAME_MAX];

    if (origin->source == CONFIG_FILE) {
        put_path(out, set->path);
        (void)fprintf(out, ":%u", origin->line);
    } else if (origin->source == CONFIG_ENVIRONMENT) {
        (void)fputs(origin->alias ? origin->alias : option_variable(o, name), out);
    } else if (origin->source == CONFIG_FLAG) {
        (void)fprintf(out, "--%s", origin->alias ? origin->alias : option_flag(o, name));
    } else {
        (void)fputs("default", out);
    }
}

void config_dump(const struct config_set *set, FILE *out)
{
    (void)fprintf(out, "# The settings of headlessd %s, and where each came from.\n",
                  HEADLESS_VERSION);
    for (size_t i = 0; i < config_option_count; i++) {
        const struct config_option *o = &config_options[i];
        size_t width = (size_t)fprintf(out, "%s: ", o->key);

        width += put_value(out, o, &set->values);
        (void)fprintf(out, "%*s # ", width < COMMENT_COLUMN ? (int)(COMMENT_COLUMN - width) : 0,
                      "");
        put_source(out, set, i);
        (void)fputc('\n', out);
    }
}
