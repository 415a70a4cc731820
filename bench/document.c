/* What headless-bench says of itself, from the tables of its commands. */
#include "headless/document/document.h"

#include <string.h>

#include "argument.h"

static const struct document_option own_options[] = {
    {.name = "help", .help = "Print what there is, and stop."},
    {.name = "version", .help = "Print name and version, and stop."},
};
#define OWN_OPTIONS (sizeof(own_options) / sizeof(own_options[0]))

static const struct document_exit exits[] = {
    {BENCH_EXIT_OK, BENCH_EXIT_OK_TEXT},
    {BENCH_EXIT_LOSSES, BENCH_EXIT_LOSSES_TEXT},
    {BENCH_EXIT_USAGE, BENCH_EXIT_USAGE_TEXT},
    {BENCH_EXIT_INVALID, BENCH_EXIT_INVALID_TEXT},
};

/* options has room for ARGUMENT_ROWS_MAX and the own ones, which argp adds to each command. */
static struct document_command describe(const struct bench_command *command,
                                        struct document_option *options)
{
    const struct argument_set *set = command->arguments;

    for (size_t i = 0; i < set->count; i++)
        options[i] = (struct document_option){
            .name = set->rows[i].name, .value = set->rows[i].value, .help = set->rows[i].help};
    memcpy(&options[set->count], own_options, sizeof(own_options));
    return (struct document_command){.words = command->name,
                                     .operand = set->files,
                                     .purpose = command->purpose,
                                     .description = set->text,
                                     .examples = set->examples,
                                     .options = options,
                                     .option_count = set->count + OWN_OPTIONS};
}

int bench_document(const struct bench_command *commands, size_t count, const char *examples,
                   const char *what)
{
    static struct document_option options[BENCH_COMMANDS_MAX][ARGUMENT_ROWS_MAX + OWN_OPTIONS];
    struct document_command list[BENCH_COMMANDS_MAX];
    const struct document_program program = {.name = BENCH_PROGRAM,
                                             .section = "1",
                                             .purpose = "load, loss and latency of a UDP service",
                                             .options = own_options,
                                             .option_count = OWN_OPTIONS,
                                             .commands = list,
                                             .command_count = count,
                                             .examples = examples,
                                             .exits = exits,
                                             .exit_count = sizeof(exits) / sizeof(exits[0])};
    int rc;

    for (size_t i = 0; i < count; i++)
        list[i] = describe(&commands[i], options[i]);
    rc = document_print(&program, what);
    if (rc)
        (void)fprintf(stderr, BENCH_PROGRAM ": " DOCUMENT_FLAG "%s: %s\n", what, strerror(-rc));
    return rc ? BENCH_EXIT_USAGE : BENCH_EXIT_OK;
}
