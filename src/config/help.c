/* --help and docs/options.md, both from the table of options. */
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

const struct document_exit config_exits[] = {
    {CONFIG_EXIT_OK, "stopped by SIGTERM or SIGINT, or printed what was requested"},
    {CONFIG_EXIT_FAILED, "could not start, for instance because a port is in use"},
    {CONFIG_EXIT_USAGE, "an option, a variable or the file is invalid, or the file cannot be read"},
};
const size_t config_exit_count = sizeof(config_exits) / sizeof(config_exits[0]);

/* -c and the modes: "  -h, --help  ..." */
static void help_modes(FILE *out)
{
    (void)fprintf(out, "\n  -c, --%-16s Read options from a YAML file.\n",
                  CONFIG_FILE_FLAG " FILE");
    for (size_t i = 0; i < config_mode_flag_count; i++) {
        const struct mode_flag *m = &config_mode_flags[i];
        const char queued[] = {'-', m->queued, ',', '\0'};

        if (m->help)
            (void)fprintf(out, "  %3s --%-16s %s\n", m->queued ? queued : "", m->name, m->help);
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
    for (size_t i = 0; i < config_exit_count; i++)
        (void)fprintf(out, "  %d  %s\n", config_exits[i].code, config_exits[i].meaning);
}

static const char document_head[] =
    "# Options\n"
    "\n"
    "<!-- Generated from the table of options: headlessd --document-options > docs/options.md -->\n"
    "\n"
    "Every option can be set in three places. The command line beats the environment, the\n"
    "environment beats the file, the file beats the default.\n"
    "\n"
    "| where | spelling of `relay.format` |\n"
    "|---|---|\n"
    "| command line | `--relay-format raw` or `--relay-format=raw` |\n"
    "| environment | `HEADLESSD_RELAY_FORMAT=raw` |\n"
    "| file (`-c FILE`, YAML) | `relay.format: raw`, or `format: raw` under `relay:` |\n"
    "\n"
    "- Durations carry a unit: `ns`, `us`, `ms`, `s`, `m` or `h`; only `0` needs none. Sizes "
    "carry\n"
    "  `B`, `KiB`, `MiB` or `GiB`; a bare number is bytes. Numbers are whole and decimal.\n"
    "- Lists are YAML lists or texts with commas: `[10.0.0.1, 10.0.0.2]` or `10.0.0.1,10.0.0.2`.\n"
    "- `off` is taken as `none`. An empty variable counts as not set.\n"
    "- Nothing is ignored in silence: an unknown key or flag, a key or flag given twice, or a "
    "wrong\n"
    "  value is an error with its place, and the program does not start (exit code 2). An unknown\n"
    "  variable that begins with `HEADLESSD_` is a warning. The variables that Kubernetes injects\n"
    "  for Services named `headlessd` or `headlessd-...` (`HEADLESSD_SERVICE_HOST`,\n"
    "  `HEADLESSD_PORT=tcp://...`, even `HEADLESSD_DATA_PORT=udp://...`) are passed over.\n"
    "- YAML anchors, aliases, tags and further documents are refused; a file has at most 1 MiB.\n"
    "- The file is read again at SIGHUP, and by itself about two seconds after its content has\n"
    "  changed: written in place, replaced by rename, or as a ConfigMap that is mounted (not with\n"
    "  `subPath`, which Kubernetes does not renew). Options that say `yes` under *reloads* change\n"
    "  at once; the others are named in the log (`option_needs_restart`) and wait for the next\n"
    "  start. With any error in it nothing changes, and the log has file and line\n"
    "  (`config_error`); so has a file that is gone. A file that is not written in one go should\n"
    "  be renamed into its place. What is no regular file (a pipe) is read only once.\n"
    "- `--check-config` prints `ok` or every error; `--dump-config` prints what is in force and\n"
    "  where it came from, as a file that loads to the same settings.\n";

static void document_default(FILE *out, const struct config_option *o)
{
    if (o->preset_words)
        (void)fprintf(out, "%s (`%s`)", o->preset_words, o->preset);
    else
        (void)fprintf(out, "`%s`", o->preset);
}

static void document_option(FILE *out, const struct config_option *o)
{
    char allowed[VALUE_TEXT_MAX];

    (void)fprintf(out, "| `%s` | ", o->key);
    document_default(out, o);
    (void)fprintf(out, " | %s | %s | %s", value_allowed(o, allowed), o->reloadable ? "yes" : "no",
                  o->help);
    if (o->flag_alias)
        (void)fprintf(out, " Also `--%s`.", o->flag_alias);
    for (size_t i = 0; i < OPTION_ALIASES && o->aliases[i]; i++)
        (void)fprintf(out, "%s`%s`", i ? ", " : " Also the variable ", o->aliases[i]);
    (void)fprintf(out, "%s |\n", o->aliases[0] ? "." : "");
}

static void document_renames(FILE *out)
{
    (void)fputs(
        "\n## Former names\n\nAccepted in this version only, in all three places, and logged "
        "(`option_renamed`). The former and the present\nname in one place are an error."
        "\n\n| former name | option |\n|---|---|\n",
        out);
    for (size_t i = 0; i < config_rename_count; i++)
        (void)fprintf(out, "| `%s` | `%s` |\n", config_renames[i].was, config_renames[i].is);
}

void config_document(FILE *out)
{
    (void)fputs(document_head, out);
    for (size_t i = 0; i < config_option_count; i++) {
        if (config_options[i].group)
            (void)fprintf(
                out,
                "\n## %s\n\n| option | default | allowed | reloads | |\n|---|---|---|---|---|\n",
                config_options[i].group);
        document_option(out, &config_options[i]);
    }
    if (config_rename_count > 0)
        document_renames(out);
}
