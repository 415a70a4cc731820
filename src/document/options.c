/* docs/options.md, from the table of options. */
#include <stdio.h>

#include "config/value.h"
#include "document.h"

static const char options_head[] =
    "# Options\n"
    "\n"
    "<!-- Generated from the table of options: headless-document options > docs/options.md -->\n"
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
    "- A reload refuses a file that may be incomplete: one that sets no option any more (empty,\n"
    "  `{}`, comments only), or whose last line does not end with a newline any more. A file\n"
    "  that was cut at the end of a line is accepted. Some options restrict who may send,\n"
    "  command or be trusted. A reload that makes one of them allow more says so in the log\n"
    "  (`restriction_removed`), and an empty variable for one is a warning at the start.\n"
    "  These options are\n";
static const char options_modes[] =
    "- `--check-config` prints `ok` or every error; `--dump-config` prints what is in force and\n"
    "  where it came from, as a file that loads to the same settings.\n";

/* Ends the last item of options_head. */
static void put_restrictions(FILE *out)
{
    const char *separator = "  ";

    for (size_t i = 0; i < config_option_count; i++) {
        if (!config_options[i].is_looser)
            continue;
        (void)fprintf(out, "%s`%s`", separator, config_options[i].key);
        separator = ", ";
    }
    (void)fputs(".\n", out);
}

static void put_default(FILE *out, const struct config_option *o)
{
    if (o->preset_words)
        (void)fprintf(out, "%s (`%s`)", o->preset_words, o->preset);
    else
        (void)fprintf(out, "`%s`", o->preset);
}

static void put_option_row(FILE *out, const struct config_option *o)
{
    char allowed[VALUE_TEXT_MAX];

    (void)fprintf(out, "| `%s` | ", o->key);
    put_default(out, o);
    (void)fprintf(out, " | %s | %s | %s", value_allowed(o, allowed), o->reloadable ? "yes" : "no",
                  o->help);
    if (o->flag_alias)
        (void)fprintf(out, " Also `--%s`.", o->flag_alias);
    for (size_t i = 0; i < OPTION_ALIASES && o->aliases[i]; i++)
        (void)fprintf(out, "%s`%s`", i ? ", " : " Also the variable ", o->aliases[i]);
    (void)fprintf(out, "%s |\n", o->aliases[0] ? "." : "");
}

static void put_option_renames(FILE *out)
{
    (void)fputs(
        "\n## Former names\n\nAccepted in this version only, in all three places, and logged "
        "(`option_renamed`). The former and the present\nname in one place are an error."
        "\n\n| former name | option |\n|---|---|\n",
        out);
    for (size_t i = 0; i < config_rename_count; i++)
        (void)fprintf(out, "| `%s` | `%s` |\n", config_renames[i].was, config_renames[i].is);
}

void document_options(FILE *out)
{
    (void)fputs(options_head, out);
    put_restrictions(out);
    (void)fputs(options_modes, out);
    for (size_t i = 0; i < config_option_count; i++) {
        if (config_options[i].group)
            (void)fprintf(
                out,
                "\n## %s\n\n| option | default | allowed | reloads | |\n|---|---|---|---|---|\n",
                config_options[i].group);
        put_option_row(out, &config_options[i]);
    }
    if (config_rename_count > 0)
        put_option_renames(out);
}
