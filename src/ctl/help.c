/* --help, from the tables of commands and options. */
#include <stdio.h>

#include "headless/ctl/ctl.h"

const char ctl_examples[] =
    "  headlessctl status                              the pod on this machine\n"
    "  headlessctl --admin 10.0.0.12:8080 status --json\n"
    "  headlessctl --admin 10.0.0.12 top               live, until q\n"
    "  headlessctl top --count 2                       as text: the second frame has rates\n"
    "  headlessctl sessions 127.128.0.7                which client does the app see so?\n"
    "  headlessctl events                              a line now, and at each change\n"
    "  headlessctl leader set pod-2                    through this pod\n"
    "  headlessctl --service headlessd.default.svc.cluster.local leader set 10.0.0.12\n"
    "  headlessctl --data 10.0.0.11,10.0.0.12 leader set pod-2 --if-term 7\n"
    "  headlessctl key new /etc/headlessd/keys/key-1\n"
    "  headlessctl --keys /etc/headlessd/keys leader set pod-2   signed\n"
    "  headlessctl leader set pod-2 --keys KEYS --print | nc -u -w1 10.0.0.11 12000\n"
    "  headlessctl --data 10.0.0.11,10.0.0.12 publish hello   only the leader replies\n"
    "  headlessctl publish hello --multicast 239.1.2.3        once, to the group\n"
    "  headlessctl publish - --multicast [ff02::12]:12000 --interface eth0 <lines\n"
    "  headlessctl --data 10.0.0.11,10.0.0.12 probe --count 5 --interval 200ms\n";

const struct ctl_exit_text ctl_exits[CTL_EXIT_COUNT] = {
    {CTL_OK, "ok"},
    {CTL_NO, "a pod refuses, or does not reply (publish: no pod replies; to a group: not exactly "
             "one does; top with --count: the last request gets no reply)"},
    {CTL_USAGE, "wrong usage"},
};

static void help_commands(FILE *out)
{
    for (size_t i = 0; i < ctl_command_count; i++) {
        const struct ctl_command *c = &ctl_commands[i];
        char words[32];

        (void)snprintf(words, sizeof(words), "%s%s%s%s%s", c->words[0], c->words[1] ? " " : "",
                       c->words[1] ? c->words[1] : "", c->operand ? " " : "",
                       c->operand ? c->operand : "");
        (void)fprintf(out, "  %-20s %s\n", words, c->help);
    }
}

void ctl_help(FILE *out)
{
    (void)fputs("usage: headlessctl [OPTION...] COMMAND\n\ncommands:\n", out);
    help_commands(out);
    (void)fputs("\noptions:\n", out);
    for (size_t i = 0; i < ctl_option_row_count; i++) {
        const struct ctl_option_row *row = &ctl_option_rows[i];

        (void)fprintf(out, "  --%-9s %-14s %s\n", row->name, row->value ? row->value : "",
                      row->help);
    }
    (void)fprintf(out, "\nexamples:\n%s\nexit codes:\n", ctl_examples);
    for (size_t i = 0; i < CTL_EXIT_COUNT; i++)
        (void)fprintf(out, "  %d  %s\n", ctl_exits[i].code, ctl_exits[i].meaning);
}
