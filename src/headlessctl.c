/*
 * headlessctl: read a pod's state, send commands to the pods.
 *
 * Finds the command that the words name, and runs it with its options; the parts are in ctl/.
 */
#include <stdio.h>
#include <string.h>

#include "headless/base/process.h"
#include "headless/ctl/ctl.h"

static bool is_called(const struct ctl_command *command, const struct ctl_options *options)
{
    for (int i = 0; i < 2 && command->words[i]; i++) {
        if (i >= options->word_count || strcmp(options->words[i], command->words[i]) != 0)
            return false;
    }
    return true;
}

static int refuse_word(const char *what, const char *wrong)
{
    (void)fprintf(stderr, "headlessctl: \"%s\" %s; see headlessctl --help\n", what, wrong);
    return CTL_USAGE;
}

static int refuse_unknown_command(const struct ctl_options *options)
{
    char words[128];

    if (options->word_count == 0) {
        ctl_help(stderr);
        return CTL_USAGE;
    }
    (void)snprintf(words, sizeof(words), "%s%s%s", options->words[0],
                   options->word_count > 1 ? " " : "",
                   options->word_count > 1 ? options->words[1] : "");
    return refuse_word(words, "is no command");
}

/* Checks operand and options, and runs the command. */
static int run_checked(const struct ctl_command *command, const struct ctl_options *options)
{
    int used = command->words[1] ? 2 : 1;
    unsigned foreign = options->given & ~command->options;
    const char *operand = NULL;

    if (command->operand && used < options->word_count)
        operand = options->words[used++];
    else if (command->operand && command->operand[0] != '[')
        return refuse_word(command->operand, "is missing");
    if (used < options->word_count)
        return refuse_word(options->words[used], "is one word too many");
    if (foreign)
        return refuse_word(ctl_option_name(foreign), "means nothing to this command");
    return command->run(options, operand);
}

int main(int argc, char *argv[])
{
    struct ctl_options options;

    if (process_fill_descriptors())
        return CTL_NO;
    process_correct_inherited();
    if (ctl_options_parse(argc, argv, &options)) {
        (void)fputs("see headlessctl --help\n", stderr);
        return CTL_USAGE;
    }
    if (options.help) {
        ctl_help(stdout);
        return CTL_OK;
    }
    if (options.version) {
        (void)puts("headlessctl " HEADLESS_VERSION);
        return CTL_OK;
    }
    for (size_t i = 0; i < ctl_command_count; i++) {
        if (is_called(&ctl_commands[i], &options))
            return run_checked(&ctl_commands[i], &options);
    }
    return refuse_unknown_command(&options);
}
