/* headlessctl, from its tables of commands and options. */
#include <stdio.h>

#include "document.h"
#include "headless/ctl/ctl.h"

#define CTL_WORDS_MAX 32

/* The options that a command with these bits takes; returns how many. */
static size_t describe_ctl_options(unsigned bits,
                                   struct document_option ret_options[static CTL_OPTIONS_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < ctl_option_row_count; i++) {
        const struct ctl_option_row *row = &ctl_option_rows[i];

        if (row->bit == 0 || row->bit & bits)
            ret_options[count++] =
                (struct document_option){.name = row->name, .value = row->value, .help = row->help};
    }
    return count;
}

static void describe_ctl_commands(struct document_command *commands)
{
    static struct document_option options[CTL_COMMANDS_MAX][CTL_OPTIONS_MAX];
    static char words[CTL_COMMANDS_MAX][CTL_WORDS_MAX];

    for (size_t i = 0; i < ctl_command_count; i++) {
        const struct ctl_command *c = &ctl_commands[i];

        (void)snprintf(words[i], sizeof(words[i]), "%s%s%s", c->words[0], c->words[1] ? " " : "",
                       c->words[1] ? c->words[1] : "");
        commands[i] =
            (struct document_command){.words = words[i],
                                      .operand = c->operand,
                                      .purpose = c->help,
                                      .options = options[i],
                                      .option_count = describe_ctl_options(c->options, options[i])};
    }
}

void document_describe_headlessctl(struct document_program *ret_program)
{
    static struct document_option options[CTL_OPTIONS_MAX];
    static struct document_command commands[CTL_COMMANDS_MAX];
    static struct document_exit exits[CTL_EXIT_COUNT];

    describe_ctl_commands(commands);
    for (size_t i = 0; i < CTL_EXIT_COUNT; i++)
        exits[i] = (struct document_exit){(int)ctl_exits[i].code, ctl_exits[i].meaning};
    *ret_program = (struct document_program){.name = "headlessctl",
                                             .section = "1",
                                             .purpose = "ask a pod of headlessd, tell the pods",
                                             .options = options,
                                             .option_count = describe_ctl_options(~0U, options),
                                             .commands = commands,
                                             .command_count = ctl_command_count,
                                             .shares_options = true,
                                             .examples = ctl_examples,
                                             .exits = exits,
                                             .exit_count = CTL_EXIT_COUNT};
}
