/* --dump-config: the settings in force as a file, each with its source; and the list of those that
 * differ from the default, for the admin port. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "headless/base/utf8.h"
#include "loader.h"

#define COMMENT_COLUMN   32

#define PLAIN_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789./_-"

/* Plain if YAML reads it as a string, otherwise in quotes. Returns the width. */
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

static size_t dump_value(FILE *out, const struct config_option *o, const struct config *config)
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

/* A path may have any bytes. */
static void put_path(FILE *out, const char *path)
{
    char text[PATH_MAX];
    size_t length = utf8_copy_printable(text, sizeof(text), path);

    (void)fwrite(text, 1, length, out);
}

static void put_source(FILE *out, const struct config_set *set, size_t option)
{
    const struct origin *origin = &set->origins[option];
    char name[OPTION_NAME_MAX];

    if (origin->source == CONFIG_FILE) {
        put_path(out, set->path);
        (void)fprintf(out, ":%u", origin->line);
    } else if (origin->source == CONFIG_DEFAULT) {
        (void)fputs("default", out);
    } else {
        (void)fprintf(out, "%s%s", origin->source == CONFIG_FLAG ? "--" : "",
                      loader_spell(option, origin, name));
    }
}

void config_dump(const struct config_set *set, FILE *out)
{
    (void)fprintf(out, "# The settings of headlessd %s, and their sources.\n", HEADLESS_VERSION);
    for (size_t i = 0; i < config_option_count; i++) {
        const struct config_option *o = &config_options[i];
        size_t width = (size_t)fprintf(out, "%s: ", o->key);

        width += dump_value(out, o, &set->values);
        (void)fprintf(out, "%*s # ", width < COMMENT_COLUMN ? (int)(COMMENT_COLUMN - width) : 0,
                      "");
        put_source(out, set, i);
        (void)fputc('\n', out);
    }
}

char *config_join_value(const struct config_option *o, const struct config *config)
{
    char item[VALUE_TEXT_MAX], *text = NULL;
    size_t length, count = value_count(o, config);
    FILE *out = open_memstream(&text, &length);

    if (!out)
        return NULL;
    for (size_t i = 0; i < count; i++)
        (void)fprintf(out, "%s%s", i ? "," : "", value_format(o, config, i, item));
    if (count == 0)
        (void)fputs("none", out);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

int config_list_changed(const struct config_set *started, const struct config_set *newest,
                        void (*each)(const char *option, const char *value, void *context),
                        void *context)
{
    for (size_t i = 0; i < config_option_count; i++) {
        const struct config_option *o = &config_options[i];
        const struct config_set *set = o->reloadable ? newest : started;
        char *value;

        if (set->origins[i].source == CONFIG_DEFAULT)
            continue; /* or derived from it: own address and name */
        value = config_join_value(o, &set->values);
        if (!value)
            return -ENOMEM;
        if (strcmp(value, o->preset) != 0)
            each(o->key, value, context);
        free(value);
    }
    return 0;
}
