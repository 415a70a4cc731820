/* Helpers of the config tests: load from flags or text, compare errors and values as text. */
#ifndef TESTS_CONFIG_FIXTURE_H
#define TESTS_CONFIG_FIXTURE_H

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "headless/config/config.h"

struct loaded {
    struct config_set *set; /* NULL when refused */
    enum config_mode mode;
    int rc;
    char errors[8192]; /* the output, warnings included */
};

/* Tests must not depend on the caller's environment. */
static inline void clear_environment(void)
{
    (void)clearenv();
}

static inline void keep_errors(struct loaded *l, FILE *file, char **text)
{
    (void)fclose(file);
    (void)snprintf(l->errors, sizeof(l->errors), "%s", *text);
    free(*text);
}

static inline void load_arguments(struct loaded *l, int argc, char *const argv[])
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);

    *l = (struct loaded){0};
    l->rc = config_load(argc, argv, file, &l->set, &l->mode);
    keep_errors(l, file, &text);
    cr_assert_eq(l->rc == 0, l->set != NULL || l->mode != CONFIG_RUN);
}

/* load_flags(&l, "--self", "10.0.0.1") */
#define load_flags(l, ...)                                                                 \
    do {                                                                                   \
        static char program[] = "headlessd";                                               \
        const char *const flags[] = {program, __VA_ARGS__, NULL};                          \
        load_arguments(l, (int)(sizeof(flags) / sizeof(flags[0])) - 1, copy_flags(flags)); \
    } while (0)

/* argv is of type char *const[]: hand out writable copies, kept until the process ends. */
static inline char **copy_flags(const char *const flags[])
{
    static char *copies[64];
    size_t n = 0;

    for (; flags[n] && n < 63; n++) {
        free(copies[n]);
        copies[n] = strdup(flags[n]);
    }
    free(copies[n]);
    copies[n] = NULL;
    return copies;
}

static inline void load_text(struct loaded *l, const char *yaml)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);

    *l = (struct loaded){0};
    l->rc = config_load_text(yaml, strlen(yaml), "t.yaml", file, &l->set);
    keep_errors(l, file, &text);
    cr_assert_eq(l->rc == 0, l->set != NULL);
}

static inline void unload(struct loaded *l)
{
    config_destroy(l->set);
    l->set = NULL;
}

static inline void expect_refused(struct loaded *l, const char *errors)
{
    cr_expect_eq(l->rc, -EINVAL);
    cr_expect_str_eq(l->errors, errors);
    unload(l);
}

#define expect_flags_refused(errors, ...)  \
    do {                                   \
        struct loaded refused;             \
        load_flags(&refused, __VA_ARGS__); \
        expect_refused(&refused, errors);  \
    } while (0)

#define expect_text_refused(yaml, errors) \
    do {                                  \
        struct loaded refused;            \
        load_text(&refused, yaml);        \
        expect_refused(&refused, errors); \
    } while (0)

static inline void dump_text(const struct config_set *set, char *text, size_t room)
{
    FILE *file = fmemopen(text, room, "w");

    config_dump(set, file);
    (void)fclose(file);
}

/* "VALUE # SOURCE" of one option in the dump, with one space between words. */
static inline const char *dumped(const struct config_set *set, const char *key)
{
    static char text[32768], line[8192];
    char start[80], *found, *hash, *end;

    dump_text(set, text, sizeof(text));
    (void)snprintf(start, sizeof(start), "\n%s: ", key);
    found = strstr(text, start);
    cr_assert_not_null(found, "%s is not dumped", key);
    found += strlen(start);
    end = strchr(found, '\n');
    *end = '\0';
    hash = strstr(found, " # ");
    cr_assert_not_null(hash, "%s has no source", key);
    end = hash;
    while (end > found && end[-1] == ' ')
        end--;
    (void)snprintf(line, sizeof(line), "%.*s%s", (int)(end - found), found, hash);
    return line;
}

#endif
