#include "results.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX (64L << 20)

/* The whole file as text; NULL with errno set. */
static char *results_read_file(const char *path, size_t *ret_length)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    long length;

    if (!file)
        return NULL;
    if (fseek(file, 0, SEEK_END) || (length = ftell(file)) < 0 || fseek(file, 0, SEEK_SET))
        goto close;
    errno = EFBIG;
    if (length > BYTES_MAX)
        goto close;
    text = malloc((size_t)length + 1);
    if (!text)
        goto close;
    *ret_length = fread(text, 1, (size_t)length, file);
    text[*ret_length] = '\0';
close:
    (void)fclose(file);
    return text;
}

static const char *take_object(struct json_tokener *tokener, const char *text, size_t length,
                               struct results *r)
{
    struct json_object *object;

    if (r->count == RESULTS_MAX)
        return "has more than 256 results";
    json_tokener_reset(tokener);
    object = json_tokener_parse_ex(tokener, text, (int)length);
    if (!object)
        return "is no JSON of headless-bench (use --json)";
    r->objects[r->count++] = object;
    if (strcmp(results_text(object, "schema"), BENCH_SCHEMA) != 0)
        return "is not of the schema " BENCH_SCHEMA;
    return NULL;
}

const char *results_read(const char *path, struct results *ret_results)
{
    struct json_tokener *tokener = json_tokener_new();
    struct results r = {.count = 0};
    const char *wrong = NULL;
    size_t length = 0;
    size_t at = 0;
    char *text = tokener ? results_read_file(path, &length) : NULL;

    if (!text) {
        wrong = strerror(tokener ? errno : ENOMEM);
        if (tokener)
            json_tokener_free(tokener);
        return wrong;
    }
    while (!wrong) {
        at += strspn(text + at, " \t\r\n");
        if (at == length)
            break;
        wrong = take_object(tokener, text + at, length - at, &r);
        at += json_tokener_get_parse_end(tokener);
    }
    if (!wrong && r.count == 0)
        wrong = "is empty";
    json_tokener_free(tokener);
    free(text);
    if (wrong)
        results_close(&r);
    else
        *ret_results = r;
    return wrong;
}

void results_close(struct results *r)
{
    for (size_t i = 0; i < r->count; i++)
        (void)json_object_put(r->objects[i]);
    r->count = 0;
}

double results_number(struct json_object *object, const char *path)
{
    char name[64];

    for (;;) {
        size_t length = strcspn(path, ".");

        (void)snprintf(name, sizeof(name), "%.*s", (int)length, path);
        if (!json_object_object_get_ex(object, name, &object))
            return NAN;
        if (path[length] == '\0')
            break;
        path += length + 1;
    }
    if (json_object_is_type(object, json_type_int) || json_object_is_type(object, json_type_double))
        return json_object_get_double(object);
    return NAN;
}

const char *results_text(struct json_object *object, const char *name)
{
    struct json_object *value;

    if (!json_object_object_get_ex(object, name, &value) ||
        !json_object_is_type(value, json_type_string))
        return "";
    return json_object_get_string(value);
}
