/* What headlessctl says of itself: see document.h. */
#include <string.h>

#include "headless/ctl/ctl.h"

static const char examples[] =
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
    "  headlessctl --data 10.0.0.11,10.0.0.12 publish hello   only the leader answers\n"
    "  headlessctl publish hello --multicast 239.1.2.3        once, to the group\n"
    "  headlessctl publish - --multicast [ff02::12]:12000 --interface eth0 <lines\n"
    "  headlessctl --data 10.0.0.11,10.0.0.12 probe --count 5 --interval 200ms\n";

static const struct document_exit exits[] = {
    {CTL_OK, "ok"},
    {CTL_NO, "a pod says no, or does not answer (publish: none does; to a group: not exactly one "
             "does; top with --count: not at the end)"},
    {CTL_USAGE, "wrong usage"},
};
#define EXIT_COUNT (sizeof(exits) / sizeof(exits[0]))

void ctl_help_end(FILE *out)
{
    (void)fprintf(out, "\nexamples:\n%s\nexit codes:\n", examples);
    for (size_t i = 0; i < EXIT_COUNT; i++)
        (void)fprintf(out, "  %d  %s\n", exits[i].code, exits[i].meaning);
}

enum ctl_exit ctl_document(const struct document_command *commands, size_t count, const char *what)
{
    struct document_option options[CTL_OPTIONS_MAX];
    const struct document_program program = {.name = "headlessctl",
                                             .section = "1",
                                             .purpose = "ask a pod of headlessd, tell the pods",
                                             .options = options,
                                             .option_count = ctl_options_describe(~0U, options),
                                             .commands = commands,
                                             .command_count = count,
                                             .shares_options = true,
                                             .examples = examples,
                                             .exits = exits,
                                             .exit_count = EXIT_COUNT};
    int rc = document_print(&program, what);

    if (rc)
        (void)fprintf(stderr, "headlessctl: " DOCUMENT_FLAG "%s: %s\n", what, strerror(-rc));
    return rc ? CTL_USAGE : CTL_OK;
}
