/* --help, from the table of options. */
#include <stdio.h>
#include <string.h>

#include "loader.h"

static const char help_head[] =
    "headlessd makes any UDP service leader-aware: clients send to any pod, one pod leads, the\n"
    "others relay datagrams to it, and its replies come from the address that the client used.\n"
    "\n"
    "Usage: headlessd [-c FILE] [--OPTION VALUE]...\n"
    "\n";

const char config_help_examples[] =
    "One pod with the built-in app echo; then try: echo hello | nc -u -w1 127.0.0.1 12000\n"
    "  headlessd\n"
    "Three pods on one machine, an address each; run this for .11, .12 and .13:\n"
    "  headlessd --self 127.0.0.11 --peers 127.0.0.11,127.0.0.12,127.0.0.13 --leader 127.0.0.11\n"
    "In front of a UDP server in the same pod:\n"
    "  headlessd -c headlessd.yaml --app udp://127.0.0.1:5353\n"
    "Relay to a server outside the cluster, payloads unchanged:\n"
    "  headlessd --relay-format raw --leader 10.0.0.9:9100\n"
    "Show the settings in force and their sources:\n"
    "  headlessd -c headlessd.yaml --dump-config\n";

static const char help_spellings[] =
    "Each option is also a YAML key and a variable: --relay-format is relay.format and\n"
    "HEADLESSD_RELAY_FORMAT. Flags beat the environment, that beats the file. Durations and sizes\n"
    "carry units: 200ms, 16MiB. Lists are separated by commas.\n";

const struct config_exit_text config_exits[CONFIG_EXIT_COUNT] = {
    {CONFIG_EXIT_OK, "stopped by SIGTERM or SIGINT, or printed what was requested"},
    {CONFIG_EXIT_FAILED, "could not start, for instance because a port is in use"},
    {CONFIG_EXIT_USAGE, "an option, a variable or the file is invalid, or the file cannot be read"},
};

/* -c and the modes: "  -h, --help  ..." */
static void help_modes(FILE *out)
{
    (void)fprintf(out, "\n  -c, --%-16s Read options from a YAML file.\n",
                  CONFIG_FILE_FLAG " FILE");
    for (size_t i = 0; i < config_mode_flag_count; i++) {
        const struct mode_flag *m = &config_mode_flags[i];
        const char letter[] = {'-', m->letter, ',', '\0'};

        (void)fprintf(out, "  %3s --%-16s %s\n", m->letter ? letter : "", m->name, m->help);
    }
    (void)fputc('\n', out);
}

static void help_option(FILE *out, const struct config_option *o)
{
    char flag[OPTION_NAME_MAX], allowed[VALUE_TEXT_MAX];
    const char *words = o->preset_words ? o->preset_words : o->preset;

    (void)fprintf(out, "  --%s", option_flag(o, flag));
    if (o->flag_alias)
        (void)fprintf(out, ", --%s", o->flag_alias);
    for (size_t i = 0; i < OPTION_ALIASES && o->aliases[i]; i++)
        (void)fprintf(out, "%s%s", i ? ", " : " (environment also ", o->aliases[i]);
    (void)fprintf(out, "%s\n      %s\n", o->aliases[0] ? ")" : "", o->help);
    (void)fprintf(out, "      %s (default: %s)\n", value_allowed(o, allowed), words);
}

void config_help(FILE *out)
{
    (void)fprintf(out, "%s%s", help_head, config_help_examples);
    help_modes(out);
    (void)fputs(help_spellings, out);
    for (size_t i = 0; i < config_option_count; i++) {
        if (config_options[i].group)
            (void)fprintf(out, "\n%s:\n", config_options[i].group);
        help_option(out, &config_options[i]);
    }
    (void)fputs("\nExit codes:\n", out);
    for (size_t i = 0; i < CONFIG_EXIT_COUNT; i++)
        (void)fprintf(out, "  %d  %s\n", config_exits[i].code, config_exits[i].meaning);
}
