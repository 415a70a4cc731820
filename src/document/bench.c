/* headless-bench, from the tables of its commands. */
#include <string.h>

#include "argument.h"
#include "document.h"

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
static struct document_command describe_bench_command(const struct bench_command *command,
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

void document_describe_bench(struct document_program *ret_program)
{
    static struct document_option options[BENCH_COMMANDS_MAX][ARGUMENT_ROWS_MAX + OWN_OPTIONS];
    static struct document_command commands[BENCH_COMMANDS_MAX];

    for (size_t i = 0; i < bench_command_count; i++)
        commands[i] = describe_bench_command(&bench_commands[i], options[i]);
    *ret_program = (struct document_program){.name = BENCH_PROGRAM,
                                             .section = "1",
                                             .purpose = "load, loss and latency of a UDP service",
                                             .options = own_options,
                                             .option_count = OWN_OPTIONS,
                                             .commands = commands,
                                             .command_count = bench_command_count,
                                             .examples = bench_examples,
                                             .exits = exits,
                                             .exit_count = sizeof(exits) / sizeof(exits[0])};
}
