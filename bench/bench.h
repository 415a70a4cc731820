/*
 * bench: exit codes and entry points that all commands of headless-bench share.
 *
 * A command owns its process: one thread, no locks. It parses its options, allocates everything,
 * runs a loop that allocates nothing, prints, and returns its exit code.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stddef.h>

#define BENCH_PROGRAM  "headless-bench"
#define BENCH_SCHEMA   "headless-bench/1" /* of all JSON output; a field may be added within /1 */

#define BENCH_MUST_USE __attribute__((warn_unused_result))

enum bench_exit {
    BENCH_EXIT_OK = 0,
    BENCH_EXIT_LOSSES = 1,  /* --expect-all and a loss or corruption; a regression */
    BENCH_EXIT_USAGE = 2,   /* error on the command line */
    BENCH_EXIT_INVALID = 3, /* no valid trial: could not start, or not paced */
};

/* The same as text, for --help and the manual. */
#define BENCH_EXIT_OK_TEXT "done"
#define BENCH_EXIT_LOSSES_TEXT \
    "losses or corruption found (with --expect-all), or a regression (with --max-regression)"
#define BENCH_EXIT_USAGE_TEXT "usage"
#define BENCH_EXIT_INVALID_TEXT                                                                \
    "no valid trial (could not start, or could not keep the pace), or a file without a valid " \
    "result"
#define BENCH_EXIT_TEXT                                                                            \
    "Exit codes: 0 " BENCH_EXIT_OK_TEXT "; 1 " BENCH_EXIT_LOSSES_TEXT "; 2 " BENCH_EXIT_USAGE_TEXT \
    "; 3 " BENCH_EXIT_INVALID_TEXT "."

#define BENCH_COMMANDS_MAX 8

struct argument_set;

struct bench_command {
    const char *name;
    int (*run_fn)(int argc, char **argv);
    const struct argument_set *arguments;
    const char *purpose;
};

/*
 * commands.c has all commands, commands_small.c those of the container image. bench_note lists the
 * missing commands: a line break and lines, or "".
 */
extern const struct bench_command bench_commands[];
extern const size_t bench_command_count;
extern const char bench_note[], bench_examples[];

int command_send(int argc, char **argv);
int command_sink(int argc, char **argv);
int command_search(int argc, char **argv);
int command_plot(int argc, char **argv);
int command_compare(int argc, char **argv);
int command_smoke(int argc, char **argv);

#endif
