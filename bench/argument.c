#include "argument.h"

#include <argp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "headless/base/clock.h"

#define DOC_MAX   4096
#define KEY_FIRST 256 /* argp treats keys up to 255 as short options */

struct unit {
    const char *name;
    uint64_t factor;
};
static const struct unit count_units[] = {
    {"", 1}, {"k", 1000}, {"M", 1000000}, {"G", 1000000000}, {NULL, 0}};
static const struct unit rate_units[] = {
    {"", 1}, {"/s", 1}, {"k", 1000}, {"k/s", 1000}, {"M", 1000000}, {"M/s", 1000000}, {NULL, 0}};
static const struct unit byte_units[] = {
    {"", 1}, {"B", 1}, {"KiB", 1024}, {"MiB", 1024UL * 1024}, {NULL, 0}};
static const struct unit time_units[] = {
    {"ns", 1},         {"us", NS_PER_US},      {"ms", NS_PER_MS},
    {"s", NS_PER_SEC}, {"m", 60 * NS_PER_SEC}, {"h", 3600 * NS_PER_SEC},
    {NULL, 0}};

static const struct {
    const struct unit *units;
    const char *wanted;
} kinds[] = {
    [ARGUMENT_FLAG] = {NULL, "takes no value"},
    [ARGUMENT_TEXT] = {NULL, "takes any text"},
    [ARGUMENT_NUMBER] = {count_units, "must be a whole number such as 200000, 200k or 5M"},
    [ARGUMENT_RATE] = {rate_units, "must be a rate such as 50000/s or 50k"},
    [ARGUMENT_BYTES] = {byte_units, "must be a size such as 65536, 208KiB or 4MiB"},
    [ARGUMENT_DURATION] = {time_units,
                           "must be a duration with its unit, such as 10s, 200ms or 2m"},
    [ARGUMENT_PERCENT] = {NULL, "must be a percentage such as 0, 0.5 or 2.25%"},
};

/* Digits, and up to four decimals: no rounding, no locale. */
static const char *parse_percent(const char *text, uint64_t *ret_millionths)
{
    const char *wanted = kinds[ARGUMENT_PERCENT].wanted;
    size_t digits = strspn(text, "0123456789");
    uint64_t value = 0;

    if (digits == 0 || digits > 9)
        return wanted;
    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (uint64_t)(text[i] - '0');
    text += digits;
    if (*text == '.' && text[1] != '\0')
        text++;
    for (unsigned i = 0; i < 4; i++) {
        bool more = *text >= '0' && *text <= '9';

        value = value * 10 + (more ? (uint64_t)(*text++ - '0') : 0);
    }
    if (*text == '%')
        text++;
    if (*text)
        return wanted;
    *ret_millionths = value;
    return NULL;
}

const char *argument_parse_value(enum argument_kind kind, const char *text, uint64_t *ret_value)
{
    char *end;
    unsigned long long number;

    if (kind == ARGUMENT_PERCENT)
        return parse_percent(text, ret_value);
    if (*text < '0' || *text > '9' || strlen(text) > 18) /* 18 digits cannot overflow */
        return kinds[kind].wanted;
    number = strtoull(text, &end, 10);
    for (const struct unit *unit = kinds[kind].units; unit && unit->name; unit++) {
        uint64_t value;

        if (strcmp(end, unit->name) != 0)
            continue;
        if (__builtin_mul_overflow(number, unit->factor, &value))
            return "is too large";
        *ret_value = value;
        return NULL;
    }
    return kinds[kind].wanted;
}

const char *argument_parse_list(enum argument_kind kind, const char *text, unsigned max,
                                uint64_t *ret_values, unsigned *ret_count)
{
    unsigned count = 0;

    for (;;) {
        size_t length = strcspn(text, ",");
        const char *wrong;
        char one[32];

        if (count == max)
            return "has too many values";
        if (length >= sizeof(one))
            return kinds[kind].wanted;
        memcpy(one, text, length);
        one[length] = '\0';
        wrong = argument_parse_value(kind, one, &ret_values[count]);
        if (wrong)
            return wrong;
        count++;
        if (text[length] == '\0')
            break;
        text += length + 1;
    }
    *ret_count = count;
    return NULL;
}

struct parsing {
    const struct argument_set *set;
    void *options;
};

static void argument_store(const struct argument *row, const char *text, void *options,
                           struct argp_state *state)
{
    char *field = (char *)options + row->offset;
    uint64_t value = 0;
    const char *wrong;

    if (row->kind == ARGUMENT_FLAG) {
        *(bool *)field = true;
        return;
    }
    if (row->kind == ARGUMENT_TEXT) {
        memcpy(field, &text, sizeof(text));
        return;
    }
    wrong = argument_parse_value(row->kind, text, &value);
    if (!wrong && row->max && (value < row->min || value > row->max))
        wrong = "out of range, see --help";
    if (wrong)
        argp_error(state, "--%s %s: %s", row->name, text, wrong);
    else
        memcpy(field, &value, sizeof(value));
}

static void argument_add_file(const struct parsing *parsing, const char *name,
                              struct argp_state *state)
{
    struct argument_files *files =
        (struct argument_files *)(void *)((char *)parsing->options + parsing->set->files_offset);

    if (files->count == ARGUMENT_FILES_MAX)
        argp_error(state, "more than %d files: name fewer", ARGUMENT_FILES_MAX);
    else
        files->names[files->count++] = name;
}

static error_t argument_parse_key(int key, char *text, struct argp_state *state)
{
    struct parsing *parsing = state->input;
    const char *wrong;

    if (key >= KEY_FIRST && key < KEY_FIRST + (int)parsing->set->count) {
        argument_store(&parsing->set->rows[key - KEY_FIRST], text, parsing->options, state);
        return 0;
    }
    if (key == ARGP_KEY_ARG && parsing->set->files) {
        argument_add_file(parsing, text, state);
        return 0;
    }
    if (key == ARGP_KEY_ARG)
        argp_error(state, "'%s' is not an option: options begin with --, as in --%s", text,
                   parsing->set->rows[0].name);
    if (key != ARGP_KEY_END)
        return ARGP_ERR_UNKNOWN;
    wrong = parsing->set->check_fn(parsing->options);
    if (wrong)
        argp_error(state, "%s", wrong);
    return 0;
}

/* Similarity of two names: length of the common prefix, minus the difference in length. */
static int argument_likeness(const char *typed, size_t typed_length, const char *name)
{
    int shared = 0;
    int difference = (int)strlen(name) - (int)typed_length;

    while (shared < (int)typed_length && name[shared] && typed[shared] == name[shared])
        shared++;
    return 2 * shared - abs(difference);
}

/* argp accepts any unambiguous prefix of an option; for an unknown one, suggest the closest. */
static void argument_refuse_unknown(const struct argument_set *set, char *const *argv)
{
    static const char *const built_in[] = {"help", "usage", "version", NULL};

    for (; *argv && strcmp(*argv, "--") != 0; argv++) {
        const char *name = *argv + 2;
        size_t length = strcspn(*argv, "=") - 2;
        const struct argument *closest = set->rows;
        bool known = false;

        if (strncmp(*argv, "--", 2) != 0)
            continue;
        for (const char *const *b = built_in; *b; b++)
            known = known || strncmp(*b, name, length) == 0;
        for (const struct argument *row = set->rows; row < set->rows + set->count; row++) {
            known = known || strncmp(row->name, name, length) == 0;
            if (argument_likeness(name, length, row->name) >
                argument_likeness(name, length, closest->name))
                closest = row;
        }
        if (known)
            continue;
        (void)fprintf(stderr,
                      BENCH_PROGRAM " %s: unknown option '%.*s': did you mean --%s? " BENCH_PROGRAM
                                    " %s --help lists all.\n",
                      set->command, (int)length + 2, *argv, closest->name, set->command);
        exit(BENCH_EXIT_USAGE);
    }
}

void argument_parse(const struct argument_set *set, int argc, char **argv, void *options)
{
    static char doc[DOC_MAX];
    struct argp_option rows[ARGUMENT_ROWS_MAX + 1] = {{0}};
    const struct argp parser = {
        .options = rows, .parser = argument_parse_key, .args_doc = set->files, .doc = doc};
    struct parsing parsing = {.set = set, .options = options};
    static char name[64];

    for (size_t i = 0; i < set->count; i++)
        rows[i] = (struct argp_option){.name = set->rows[i].name,
                                       .key = KEY_FIRST + (int)i,
                                       .arg = set->rows[i].value,
                                       .doc = set->rows[i].help,
                                       .group = 0};
    argument_refuse_unknown(set, argv + 1);
    (void)snprintf(doc, sizeof(doc), "%s\vExamples:\n%s\n" BENCH_EXIT_TEXT, set->text,
                   set->examples);
    (void)snprintf(name, sizeof(name), BENCH_PROGRAM " %s", set->command);
    argv[0] = name;
    argp_program_version = BENCH_PROGRAM " " HEADLESS_VERSION;
    if (argp_parse(&parser, argc, argv, 0, NULL, &parsing))
        exit(BENCH_EXIT_USAGE); /* argp has printed the reason */
}
