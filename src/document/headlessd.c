/* headlessd, from the table of options. */
#include <stdio.h>
#include <string.h>

#include "config/loader.h"
#include "document.h"

#define OPTIONS_MAX (OPTION_MAX + 8)
#define HELP_MAX    2048

/* Texts that the description refers to. */
struct texts {
    char flag[OPTION_NAME_MAX];
    char called[VALUE_TEXT_MAX];
    char help[HELP_MAX];
};

static void describe_modes(struct document_program *p, struct document_option *options)
{
    options[p->option_count++] = (struct document_option){.letter = 'c',
                                                          .name = CONFIG_FILE_FLAG,
                                                          .value = "FILE",
                                                          .help = "Read options from a YAML file."};
    for (size_t i = 0; i < config_mode_flag_count; i++) {
        const struct mode_flag *m = &config_mode_flags[i];

        options[p->option_count++] =
            (struct document_option){.letter = m->letter, .name = m->name, .help = m->help};
    }
}

static void describe_options(struct document_program *p, struct document_option *options,
                             struct texts *texts)
{
    for (size_t i = 0; i < config_option_count; i++) {
        const struct config_option *o = &config_options[i];

        (void)snprintf(texts[i].help, sizeof(texts[i].help), "%s Default: %s.", o->help,
                       o->preset_words ? o->preset_words : o->preset);
        options[p->option_count++] =
            (struct document_option){.name = option_flag(o, texts[i].flag),
                                     .alias = o->flag_alias,
                                     .value = value_called(o, texts[i].called),
                                     .help = texts[i].help};
    }
}

static void put_sources(FILE *out, const struct config_option *o)
{
    char name[OPTION_NAME_MAX];

    (void)fputs("Flag\n.Fl Fl", out);
    document_put_argument(out, option_flag(o, name));
    if (o->flag_alias) {
        (void)fputs(" , Fl Fl", out);
        document_put_argument(out, o->flag_alias);
    }
    (void)fprintf(out, " ,\nvariable\n.Ev %s", option_variable(o, name));
    for (size_t i = 0; i < OPTION_ALIASES && o->aliases[i]; i++)
        (void)fprintf(out, " , %s", o->aliases[i]);
    (void)fputs(" .\n", out);
}

static void put_key(FILE *out, const struct config_option *o)
{
    char called[VALUE_TEXT_MAX], allowed[VALUE_TEXT_MAX], text[HELP_MAX];

    (void)fputs(".It Ic", out);
    document_put_argument(out, o->key);
    (void)fputs(" Ar", out);
    document_put_argument(out, value_called(o, called));
    (void)fputc('\n', out);
    document_put_prose(out, o->help);
    (void)snprintf(text, sizeof(text), "Allowed: %s.", value_allowed(o, allowed));
    document_put_prose(out, text);
    (void)snprintf(text, sizeof(text), "Default: %s%s%s%s.", o->preset_words ? o->preset_words : "",
                   o->preset_words ? " (" : "", o->preset, o->preset_words ? ")" : "");
    document_put_prose(out, text);
    if (o->reloadable)
        document_put_prose(out, "A reload changes it.");
    put_sources(out, o);
}

static void headlessd_put_keys(FILE *out)
{
    (void)fputs(".Sh KEYS\n", out);
    for (size_t i = 0; i < config_option_count; i++) {
        if (config_options[i].group)
            (void)fprintf(out, "%s.Ss %s\n.Bl -tag -width Ds\n", i ? ".El\n" : "",
                          config_options[i].group);
        put_key(out, &config_options[i]);
    }
    (void)fputs(".El\n", out);
}

void document_describe_headlessd(struct document_program *ret_program)
{
    static struct document_option options[OPTIONS_MAX];
    static struct document_exit exits[CONFIG_EXIT_COUNT];
    static struct texts texts[OPTION_MAX];
    struct document_program p = {.name = "headlessd",
                                 .section = "8",
                                 .purpose = "leader forwarder for UDP services",
                                 .options = options,
                                 .examples = config_help_examples,
                                 .exits = exits,
                                 .exit_count = CONFIG_EXIT_COUNT,
                                 .put_keys = headlessd_put_keys};

    describe_modes(&p, options);
    describe_options(&p, options, texts);
    for (size_t i = 0; i < CONFIG_EXIT_COUNT; i++)
        exits[i] = (struct document_exit){(int)config_exits[i].code, config_exits[i].meaning};
    *ret_program = p;
}
