#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

#include "headless/base/clock.h"
#include "headless/ctl/ctl.h"

#define COUNT_MAX    1000000
#define INTERVAL_MAX (3600 * NS_PER_SEC)
#define HOPS_MAX     255

/* Digits only: strtoull accepts signs and spaces. Returns NULL, or the error. */
static const char *parse_digits(const char *text, uint64_t min, uint64_t max, char **ret_end,
                                uint64_t *ret_number)
{
    unsigned long long number;

    if (!isdigit((unsigned char)*text))
        return "is not a number";
    errno = 0;
    number = strtoull(text, ret_end, 10);
    if (errno || number < min || number > max)
        return "is out of range";
    *ret_number = number;
    return NULL;
}

static const char *set_admin(struct ctl_options *options, const char *text)
{
    options->admin = text;
    return NULL;
}

static const char *set_data(struct ctl_options *options, const char *text)
{
    options->data = text;
    return NULL;
}

static const char *set_service(struct ctl_options *options, const char *text)
{
    options->service = text;
    return NULL;
}

static const char *set_json(struct ctl_options *options, const char *text)
{
    (void)text;
    options->json = true;
    return NULL;
}

static const char *set_if_term(struct ctl_options *options, const char *text)
{
    char *end = NULL;
    const char *wrong = parse_digits(text, 0, UINT64_MAX, &end, &options->if_term);

    return wrong ? wrong : *end ? "is not a number" : NULL;
}

static const char *set_force(struct ctl_options *options, const char *text)
{
    (void)text;
    options->force = true;
    return NULL;
}

static const char *set_probe_count(struct ctl_options *options, const char *text)
{
    char *end = NULL;
    const char *wrong = parse_digits(text, 1, COUNT_MAX, &end, &options->count);

    return wrong ? wrong : *end ? "is not a number" : NULL;
}

/* Returns NULL, or the error. */
static const char *parse_time(const char *text, uint64_t *ret_ns)
{
    uint64_t unit, number;
    char *end = NULL;
    const char *wrong = parse_digits(text, 0, INTERVAL_MAX, &end, &number);

    if (wrong)
        return wrong;
    if (strcmp(end, "ms") == 0)
        unit = NS_PER_MS;
    else if (strcmp(end, "s") == 0)
        unit = NS_PER_SEC;
    else
        return "has no unit: 200ms or 1s";
    if (number > INTERVAL_MAX / unit)
        return "is longer than an hour";
    *ret_ns = number * unit;
    return NULL;
}

static const char *set_interval(struct ctl_options *options, const char *text)
{
    return parse_time(text, &options->interval_ns);
}

static const char *set_wait(struct ctl_options *options, const char *text)
{
    return parse_time(text, &options->wait_ns);
}

static const char *set_multicast(struct ctl_options *options, const char *text)
{
    options->multicast = text;
    return NULL;
}

static const char *set_interface(struct ctl_options *options, const char *text)
{
    options->interface = text;
    return NULL;
}

static const char *set_hops(struct ctl_options *options, const char *text)
{
    char *end = NULL;
    const char *wrong = parse_digits(text, 1, HOPS_MAX, &end, &options->hops);

    return wrong ? wrong : *end ? "is not a number" : NULL;
}

static const char *set_keys(struct ctl_options *options, const char *text)
{
    options->keys = text;
    return NULL;
}

static const char *set_key(struct ctl_options *options, const char *text)
{
    options->key = text;
    return NULL;
}

static const char *set_cluster(struct ctl_options *options, const char *text)
{
    options->cluster = text;
    return NULL;
}

static const char *set_print(struct ctl_options *options, const char *text)
{
    (void)text;
    options->print = true;
    return NULL;
}

static const char *set_help(struct ctl_options *options, const char *text)
{
    (void)text;
    options->help = true;
    return NULL;
}

static const char *set_version(struct ctl_options *options, const char *text)
{
    (void)text;
    options->version = true;
    return NULL;
}

/* One row for each option. */
const struct ctl_option_row ctl_option_rows[] = {
    {"admin", "HOST:PORT", CTL_OPTION_ADMIN, set_admin,
     "admin port of the pod (HEADLESSD_ADMIN_LISTEN, 127.0.0.1:8080)"},
    {"data", "HOST:PORT,...", CTL_OPTION_DATA, set_data,
     "data ports of the pods (127.0.0.1:12000)"},
    {"service", "NAME[:PORT]", CTL_OPTION_SERVICE, set_service,
     "headless service: all addresses that it resolves to, port 12000"},
    {"json", NULL, CTL_OPTION_JSON, set_json, "print JSON"},
    {"if-term", "N", CTL_OPTION_IF_TERM, set_if_term, "only if the present term is N"},
    {"force", NULL, CTL_OPTION_FORCE, set_force,
     "unsafe: make this pod the leader without a majority, if there is none"},
    {"count", "N", CTL_OPTION_COUNT, set_probe_count,
     "probes to each pod (1); frames of top (no end)"},
    {"interval", "TIME", CTL_OPTION_INTERVAL, set_interval,
     "time between two probes, or two frames of top (1s)"},
    {"wait", "TIME", CTL_OPTION_WAIT, set_wait, "time for the replies to a message (500ms)"},
    {"multicast", "GROUP[:PORT]", CTL_OPTION_MULTICAST, set_multicast,
     "send to a multicast group, port 12000, instead of pods"},
    {"interface", "NAME", CTL_OPTION_INTERFACE, set_interface,
     "network interface to send from (the kernel's choice)"},
    {"hops", "N", CTL_OPTION_HOPS, set_hops, "hop limit; 1: this network only (1)"},
    {"keys", "DIRECTORY", CTL_OPTION_KEYS, set_keys,
     "sign with a key in it; none: do not sign (HEADLESSD_KEYS, none)"},
    {"key", "NAME", CTL_OPTION_KEY, set_key, "sign with this one (the newest)"},
    {"cluster", "NAME", CTL_OPTION_CLUSTER, set_cluster,
     "cluster for which it is signed (HEADLESSD_CLUSTER, headless)"},
    {"print", NULL, CTL_OPTION_PRINT, set_print, "send nothing; print a line for nc -u instead"},
    {"help", NULL, 0, set_help, "this text"},
    {"version", NULL, 0, set_version, "name and version"},
};
#define ROW_COUNT (sizeof(ctl_option_rows) / sizeof(ctl_option_rows[0]))
const size_t ctl_option_row_count = ROW_COUNT;
_Static_assert(ROW_COUNT <= CTL_OPTIONS_MAX, "raise CTL_OPTIONS_MAX");

const char *ctl_option_name(unsigned bits)
{
    static const char *const names[] = {"--admin",   "--data",      "--service",   "--json",
                                        "--if-term", "--force",     "--count",     "--interval",
                                        "--wait",    "--multicast", "--interface", "--hops",
                                        "--keys",    "--key",       "--cluster",   "--print"};

    return names[__builtin_ctz(bits)];
}

static int set_option(struct ctl_options *options, const struct ctl_option_row *row,
                      const char *text)
{
    const char *wrong = row->set(options, text);

    if (wrong) {
        (void)fprintf(stderr, "headlessctl: --%s \"%s\" %s\n", row->name, text, wrong);
        return -EINVAL;
    }
    options->given |= row->bit;
    return 0;
}

int ctl_options_parse(int argc, char **argv, struct ctl_options *ret_options)
{
    struct ctl_options options = {
        .count = 1, .interval_ns = NS_PER_SEC, .wait_ns = NS_PER_SEC / 2, .hops = 1};
    struct option table[ROW_COUNT + 1] = {0};
    int row = -1, value;

    for (size_t i = 0; i < ROW_COUNT; i++)
        table[i] =
            (struct option){.name = ctl_option_rows[i].name,
                            .has_arg = ctl_option_rows[i].value ? required_argument : no_argument};
    optind = 0; /* GNU: start again, also in tests */
    while ((value = getopt_long(argc, argv, "h", table, &row)) != -1) {
        if (value == 'h')
            options.help = true;
        else if (value != 0 || set_option(&options, &ctl_option_rows[row], optarg))
            return -EINVAL; /* already reported */
    }
    options.word_count = argc - optind;
    options.words = argv + optind;
    *ret_options = options;
    return 0;
}
