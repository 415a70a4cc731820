/*
 * argument: the options of a command as one table, on top of argp.
 *
 * A row has an option's name, the offset of its value, and its range; argp makes --help from it.
 * Numbers and durations are uint64_t, texts const char *, flags bool, at the row's offset in the
 * command's own struct. An error on the command line ends the process with exit code 2 and a
 * message that names the option and a correct value.
 */
#ifndef BENCH_ARGUMENT_H
#define BENCH_ARGUMENT_H

#include <stddef.h>
#include <stdint.h>

#include "bench.h"

enum argument_kind {
    ARGUMENT_FLAG,
    ARGUMENT_TEXT,
    ARGUMENT_NUMBER,   /* 200000, 200k, 5M */
    ARGUMENT_RATE,     /* the same, with or without /s */
    ARGUMENT_BYTES,    /* 65536, 208KiB, 4MiB */
    ARGUMENT_DURATION, /* 10s, 200ms, 50us, 2m; in ns */
    ARGUMENT_PERCENT,  /* 0, 0.5, 2.25%; in millionths of the whole */
};

struct argument {
    const char *name;
    enum argument_kind kind;
    size_t offset;
    uint64_t min, max; /* both 0: no limits but the kind's */
    const char *value; /* its placeholder in --help */
    const char *help;
};

#define ARGUMENT_ROWS_MAX  32
#define ARGUMENT_FILES_MAX 64

/* Files named after the options, for commands that take them. */
struct argument_files {
    const char *names[ARGUMENT_FILES_MAX];
    unsigned count;
};

struct argument_set {
    const char *command;
    const char *text;     /* in --help: the command's purpose */
    const char *examples; /* in --help: lines */
    const struct argument *rows;
    size_t count;                           /* at most ARGUMENT_ROWS_MAX */
    const char *(*check_fn)(void *options); /* error of the combination, or NULL */
    const char *files;   /* their placeholder in --help; NULL: the command takes none */
    size_t files_offset; /* offset of a struct argument_files */
};

/* One set per command. */
extern const struct argument_set send_arguments, smoke_arguments, search_arguments, sink_arguments,
    compare_arguments, plot_arguments;

/* Fill *options, which has the defaults already. Returns only if the command line is valid. */
void argument_parse(const struct argument_set *set, int argc, char **argv, void *options);

/* Parse one value. Returns NULL, or the error, with *ret_value untouched. */
const char *argument_parse_value(enum argument_kind kind, const char *text,
                                 uint64_t *ret_value) BENCH_MUST_USE;

/* Parse VALUE,VALUE,..., at most max of them. */
const char *argument_parse_list(enum argument_kind kind, const char *text, unsigned max,
                                uint64_t *ret_values, unsigned *ret_count) BENCH_MUST_USE;

#endif
