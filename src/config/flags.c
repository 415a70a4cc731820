/*
 * The command line: --self VALUE or --self=VALUE. Unlike getopt_long it accepts no abbreviations (an
 * option of a later version could make them ambiguous) and refuses an option given twice.
 */
#include <stdio.h>
#include <string.h>

#include "headless/base/utf8.h"
#include "loader.h"

const struct mode_flag config_mode_flags[] = {
    {"check-config", 0, CONFIG_CHECK, "Load the configuration, print ok or the errors, and exit."},
    {"dump-config", 0, CONFIG_DUMP, "Print the settings and their sources as YAML, and exit."},
    {"version", 0, CONFIG_VERSION, "Print the version, and exit."},
    {"help", 'h', CONFIG_HELP, "Print this text, and exit."},
};
const size_t config_mode_flag_count = sizeof(config_mode_flags) / sizeof(config_mode_flags[0]);

enum flag_kind { FLAG_OPTION, FLAG_FILE, FLAG_MODE, FLAG_UNKNOWN, FLAG_ARGUMENT };

struct flag {
    enum flag_kind kind;
    char name[OPTION_NAME_MAX]; /* without dashes and value, cut to fit */
    const char *text;           /* as given */
    const char *value;          /* NULL: none */
    size_t option;
    const char *former; /* key of an earlier version; NULL: the name is of this one */
    enum config_mode mode;
};

struct walk {
    const struct config_set *set;
    int next;
};

static void flag_classify(struct flag *flag)
{
    flag->option = option_by_flag(flag->name);
    if (flag->option == config_option_count)
        flag->option = option_by_former_flag(flag->name, &flag->former);
    flag->kind = flag->option < config_option_count ? FLAG_OPTION : FLAG_UNKNOWN;
    if (strcmp(flag->name, CONFIG_FILE_FLAG) == 0) {
        flag->kind = FLAG_FILE;
        return;
    }
    for (size_t i = 0; i < config_mode_flag_count; i++) {
        if (strcmp(config_mode_flags[i].name, flag->name) == 0) {
            flag->kind = FLAG_MODE;
            flag->mode = config_mode_flags[i].mode;
        }
    }
}

/* The short ones: -c FILE, -cFILE, -h. */
static void classify_short(struct flag *flag)
{
    flag->kind = FLAG_UNKNOWN;
    (void)snprintf(flag->name, sizeof(flag->name), "%.60s", flag->text + 1);
    if (flag->text[1] == 'c') {
        flag->kind = FLAG_FILE;
        flag->value = flag->text[2] ? flag->text + 2 : NULL;
    } else if (strcmp(flag->text, "-h") == 0) {
        flag->kind = FLAG_MODE;
        flag->mode = CONFIG_HELP;
    }
}

static void classify_long(struct flag *flag)
{
    const char *equals = strchr(flag->text, '=');
    size_t length = equals ? (size_t)(equals - flag->text) : strlen(flag->text);

    (void)snprintf(flag->name, sizeof(flag->name), "%.*s", (int)(length - 2), flag->text + 2);
    flag->value = equals ? equals + 1 : NULL;
    flag_classify(flag);
}

/* The value of a flag without "=" is the next argument, unless that is a flag itself. */
static bool next_flag(struct walk *w, struct flag *flag)
{
    const char *following;

    if (w->next >= w->set->argc)
        return false;
    *flag = (struct flag){.text = w->set->argv[w->next++], .kind = FLAG_ARGUMENT};
    if (flag->text[0] != '-' || flag->text[1] == '\0')
        return true;
    if (flag->text[1] == '-')
        classify_long(flag);
    else
        classify_short(flag);
    following = w->next < w->set->argc ? w->set->argv[w->next] : "-";
    if (!flag->value && flag->kind != FLAG_MODE && *following != '-') {
        flag->value = following;
        w->next++;
    }
    return true;
}

void config_scan_flags(struct config_set *set, enum config_mode *ret_mode)
{
    struct walk walk = {.set = set, .next = 1};
    enum config_mode mode = CONFIG_RUN;
    struct flag flag;

    while (next_flag(&walk, &flag)) {
        if (flag.kind == FLAG_FILE && !set->path)
            set->path = flag.value;
        if (flag.kind == FLAG_MODE && !config_answers_alone(mode))
            mode = flag.mode;
    }
    *ret_mode = mode;
}

static void refuse_unknown_flag(struct loader *l, const struct flag *flag)
{
    struct suggestion near;
    char name[OPTION_NAME_MAX], place[OPTION_NAME_MAX + 2];
    size_t n;

    suggestion_init(&near, flag->name);
    for (size_t i = 0; i < config_option_count; i++) {
        suggestion_offer(&near, option_flag(&config_options[i], name));
        if (config_options[i].flag_alias)
            suggestion_offer(&near, config_options[i].flag_alias);
    }
    for (size_t i = 0; i < config_mode_flag_count; i++)
        suggestion_offer(&near, config_mode_flags[i].name);
    suggestion_offer(&near, CONFIG_FILE_FLAG);
    n = (size_t)snprintf(place, sizeof(place), "%s", flag->text[1] == '-' ? "--" : "-");
    n += utf8_copy_printable(place + n, sizeof(place) - 1 - n, flag->name);
    place[n] = '\0';
    if (*near.best)
        loader_error(l, place, "no such option, did you mean --%s?", near.best);
    else
        loader_error(l, place, "no such option, see --help");
}

static void assign_flag(struct loader *l, const struct flag *flag)
{
    const char *alias = config_options[flag->option].flag_alias;
    const struct origin origin = {
        .source = CONFIG_FLAG,
        .alias = alias && strcmp(alias, flag->name) == 0 ? alias : NULL,
        .former = flag->former,
    };
    const struct origin before = l->set->origins[flag->option];
    char name[OPTION_NAME_MAX];

    if (!flag->value)
        loader_refuse(l, flag->option, &origin, "needs a value");
    else if (before.source == CONFIG_FLAG && before.former != flag->former)
        loader_refuse(l, flag->option, &origin, "already set as --%s",
                      loader_spell(flag->option, &before, name));
    else if (before.source == CONFIG_FLAG)
        loader_refuse(l, flag->option, &origin, "given twice");
    else
        config_assign(l, flag->option, &origin, flag->value);
}

void config_read_flags(struct loader *l)
{
    struct walk walk = {.set = l->set, .next = 1};
    struct flag flag;
    unsigned files = 0;

    while (next_flag(&walk, &flag)) {
        if (flag.kind == FLAG_OPTION)
            assign_flag(l, &flag);
        else if (flag.kind == FLAG_UNKNOWN)
            refuse_unknown_flag(l, &flag);
        else if (flag.kind == FLAG_ARGUMENT)
            loader_error(l, flag.text, "unexpected argument, options begin with --");
        else if (flag.kind == FLAG_MODE && flag.value)
            loader_error(l, flag.text, "takes no value");
        else if (flag.kind == FLAG_FILE && !flag.value)
            loader_error(l, flag.text, "needs a file");
        else if (flag.kind == FLAG_FILE && ++files > 1)
            loader_error(l, flag.text, "given twice");
    }
}
