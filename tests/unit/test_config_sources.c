/* The sources of settings and their precedence: defaults, file, environment with aliases, flags. */
#include "config_fixture.h"
#include "headless/config/watch.h"

#include <fcntl.h>
#include <sys/stat.h>

TestSuite(config_sources, .init = clear_environment, .timeout = 30);

static char file_path[] = "/tmp/headlessd-test-XXXXXX";
static bool file_exists; /* the name tells nothing: what mkstemp draws may contain an X */

static void write_file(const char *text, size_t length)
{
    int fd = file_exists ? open(file_path, O_WRONLY | O_TRUNC) : mkstemp(file_path);

    cr_assert_geq(fd, 0);
    file_exists = true;
    cr_assert_eq(write(fd, text, length), (ssize_t)length);
    (void)close(fd);
}

static void remove_file(void)
{
    (void)unlink(file_path);
}

#define expect_flags_dumped(key, expected, ...)         \
    do {                                                \
        struct loaded l;                                \
        load_flags(&l, __VA_ARGS__);                    \
        cr_assert_eq(l.rc, 0, "%s", l.errors);          \
        cr_expect_str_eq(dumped(l.set, key), expected); \
        cr_expect_str_empty(l.errors);                  \
        unload(&l);                                     \
    } while (0)

Test(config_sources, flags_beat_environment_beats_file_beats_default)
{
    static const char yaml[] = "relay.format: proxy-v2\n";
    char expected[128];

    write_file(yaml, strlen(yaml));
    expect_flags_dumped("relay.format", "framed # default", "--batch=64");
    (void)snprintf(expected, sizeof(expected), "proxy-v2 # %s:1", file_path);
    expect_flags_dumped("relay.format", expected, "-c", file_path);
    (void)setenv("HEADLESSD_RELAY_FORMAT", "raw", 1);
    expect_flags_dumped("relay.format", "raw # HEADLESSD_RELAY_FORMAT", "-c", file_path);
    expect_flags_dumped("relay.format", "framed # --relay-format", "-c", file_path,
                        "--relay-format=framed");
    remove_file();
}

/* A list is replaced by the stronger source, never joined with the weaker one. */
Test(config_sources, lists_are_replaced)
{
    static const char yaml[] = "peers: [10.0.0.1, 10.0.0.2]\n";

    write_file(yaml, strlen(yaml));
    expect_flags_dumped("peers", "[10.0.0.3] # --peers", "-c", file_path, "--peers", "10.0.0.3");
    remove_file();
}

Test(config_sources, first_of_aliases_counts)
{
    (void)setenv("MY_POD_IP", "10.0.0.2", 1);
    expect_flags_dumped("self", "10.0.0.2 # MY_POD_IP", "--batch=64");
    (void)setenv("POD_IP", "10.0.0.1", 1);
    expect_flags_dumped("self", "10.0.0.1 # POD_IP", "--batch=64");
    (void)setenv("HEADLESSD_SELF", "10.0.0.3", 1);
    expect_flags_dumped("self", "10.0.0.3 # HEADLESSD_SELF", "--batch=64");
    expect_flags_dumped("self", "10.0.0.4 # --self", "--self", "10.0.0.4");
}

Test(config_sources, variables_of_the_first_version)
{
    (void)setenv("LEADER_IP", "10.0.0.9", 1);
    (void)setenv("PORT", "9000", 1);
    (void)setenv("POD_IP", "10.0.0.1", 1);
    (void)setenv("POD_NAME", "web-0", 1);
    expect_flags_dumped("leader", "10.0.0.9 # LEADER_IP", "--batch=64");
    expect_flags_dumped("data.port", "9000 # PORT", "--batch=64");
    expect_flags_dumped("name", "web-0 # POD_NAME", "--batch=64");
}

Test(config_sources, empty_variable_is_not_set)
{
    (void)setenv("LEADER_IP", "", 1);
    (void)setenv("HEADLESSD_RELAY_FORMAT", "", 1);
    expect_flags_dumped("leader", "none # default", "--batch=64");
    expect_flags_dumped("relay.format", "framed # default", "--batch=64");
}

Test(config_sources, wrong_variable_is_named)
{
    (void)setenv("HEADLESSD_HOLD_TIME", "5", 1);
    (void)setenv("PORT", "http", 1);
    expect_flags_refused("PORT: \"http\" is not a whole number\n"
                         "HEADLESSD_HOLD_TIME: \"5\" has no unit, use ns, us, ms, s, m or h (for "
                         "example 200ms)\n",
                         "--batch=64");
}

Test(config_sources, overridden_value_is_judged_too)
{
    (void)setenv("HEADLESSD_BATCH", "many", 1);
    expect_flags_refused("HEADLESSD_BATCH: \"many\" is not a whole number\n", "--batch=64");
}

/* The variables that Kubernetes injects for Services headlessd, headlessd-data and headlessd-relay. */
Test(config_sources, service_links_are_passed_over)
{
    (void)setenv("HEADLESSD_SERVICE_HOST", "10.96.0.1", 1);
    (void)setenv("HEADLESSD_SERVICE_PORT", "80", 1);
    (void)setenv("HEADLESSD_SERVICE_PORT_DATA", "12000", 1);
    (void)setenv("HEADLESSD_PORT", "tcp://10.96.0.1:80", 1);
    (void)setenv("HEADLESSD_PORT_80_TCP", "tcp://10.96.0.1:80", 1);
    (void)setenv("HEADLESSD_PORT_80_TCP_PROTO", "tcp", 1);
    (void)setenv("HEADLESSD_PORT_80_TCP_PORT", "80", 1);
    (void)setenv("HEADLESSD_PORT_80_TCP_ADDR", "10.96.0.1", 1);
    (void)setenv("HEADLESSD_DATA_SERVICE_HOST", "10.96.0.2", 1);
    (void)setenv("HEADLESSD_DATA_PORT", "udp://10.96.0.2:12000", 1);
    (void)setenv("HEADLESSD_DATA_PORT_12000_UDP", "udp://10.96.0.2:12000", 1);
    (void)setenv("HEADLESSD_RELAY_PORT", "sctp://10.96.0.3:1", 1);
    (void)setenv("HEADLESSD_RELAY_PORT_1_SCTP_ADDR", "10.96.0.3", 1);
    expect_flags_dumped("data.port", "12000 # default", "--batch=64");
    expect_flags_dumped("relay.port", "12001 # default", "--batch=64");
    (void)setenv("HEADLESSD_DATA_PORT", "9000", 1);
    expect_flags_dumped("data.port", "9000 # HEADLESSD_DATA_PORT", "--batch=64");
}

Test(config_sources, service_link_yields_to_alias)
{
    (void)setenv("HEADLESSD_DATA_PORT", "udp://10.96.0.2:12000", 1);
    (void)setenv("PORT", "9000", 1);
    expect_flags_dumped("data.port", "9000 # PORT", "--batch=64");
}

Test(config_sources, unknown_variable_is_a_warning)
{
    struct loaded l;

    (void)setenv("HEADLESSD_RELAY_FROMAT", "raw", 1);
    load_flags(&l, "--batch=64");
    cr_expect_eq(l.rc, 0);
    cr_expect_str_eq(l.errors, "warning: HEADLESSD_RELAY_FROMAT: no such option, ignored; did you "
                               "mean HEADLESSD_RELAY_FORMAT?\n");
    unload(&l);
    (void)unsetenv("HEADLESSD_RELAY_FROMAT");
    (void)setenv("HEADLESSD_COLOUR", "red", 1);
    (void)setenv("HEADLESS", "x", 1);
    load_flags(&l, "--batch=64");
    cr_expect_str_eq(l.errors, "warning: HEADLESSD_COLOUR: no such option, ignored\n");
    unload(&l);
}

Test(config_sources, flags_take_values_both_ways)
{
    expect_flags_dumped("relay.format", "raw # --relay-format", "--relay-format", "raw");
    expect_flags_dumped("relay.format", "raw # --relay-format", "--relay-format=raw");
    expect_flags_dumped("app.target", "whoami # --app", "--app", "whoami");
    expect_flags_dumped("app.target", "whoami # --app-target", "--app-target=whoami");
}

Test(config_sources, wrong_flags)
{
    expect_flags_refused("--relay-fromat: no such option, did you mean --relay-format?\n",
                         "--relay-fromat", "raw");
    expect_flags_refused("--relay.format: no such option, did you mean --relay-format?\n",
                         "--relay.format=raw");
    expect_flags_refused("--mtu: no such option, did you mean --relay-mtu?\n", "--mtu=1400");
    expect_flags_refused("--chekc-config: no such option, did you mean --check-config?\n",
                         "--chekc-config");
    expect_flags_refused("--pulse: no such option, see --help\n", "--pulse=1s");
    expect_flags_refused("-x: no such option, see --help\n", "-x");
    expect_flags_refused("--k?[2J\xc3\xbc: no such option, see --help\n", "--k\x1b[2J\xc3\xbc");
    expect_flags_refused("--: no such option, see --help\n", "--");
    expect_flags_refused("echo: unexpected argument, options begin with --\n", "echo");
    expect_flags_refused("--self: needs a value\n", "--self");
    expect_flags_refused("--self: needs a value\n", "--self", "--batch=64");
    expect_flags_refused("--batch: given twice\n", "--batch=1", "--batch=2");
    expect_flags_refused("--app: given twice\n", "--app-target=echo", "--app=echo");
    expect_flags_refused("--check-config=yes: takes no value\n", "--check-config=yes");
    expect_flags_refused("-c: needs a file\n", "-c");
    expect_flags_refused("--app: \"x\" is not one of echo, whoami, discard, or "
                         "udp://ADDRESS:PORT\n",
                         "--app=x");
}

Test(config_sources, modes)
{
    struct loaded l;

    load_flags(&l, "--check-config");
    cr_expect_eq(l.mode, CONFIG_CHECK);
    cr_expect_not_null(l.set);
    unload(&l);
    load_flags(&l, "--dump-config", "--batch", "7");
    cr_expect_eq(l.mode, CONFIG_DUMP);
    unload(&l);
    load_flags(&l, "--frob", "--help");
    cr_expect_eq(l.mode, CONFIG_HELP, "help answers however wrong the rest is");
    cr_expect_null(l.set);
    load_flags(&l, "-h");
    cr_expect_eq(l.mode, CONFIG_HELP);
    load_flags(&l, "--version", "--dump-config");
    cr_expect_eq(l.mode, CONFIG_VERSION);
}

Test(config_sources, file_by_any_spelling)
{
    static const char yaml[] = "batch: 7\n";
    char flag[64], expected[64];

    write_file(yaml, strlen(yaml));
    (void)snprintf(expected, sizeof(expected), "7 # %s:1", file_path);
    expect_flags_dumped("batch", expected, "-c", file_path);
    expect_flags_dumped("batch", expected, "--config", file_path);
    (void)snprintf(flag, sizeof(flag), "-c%s", file_path);
    expect_flags_dumped("batch", expected, flag);
    (void)snprintf(flag, sizeof(flag), "--config=%s", file_path);
    expect_flags_dumped("batch", expected, flag);
    expect_flags_refused("-c: given twice\n", "-c", file_path, "-c", file_path);
    remove_file();
}

Test(config_sources, unreadable_files)
{
    static char large[(1 << 20) + 1];
    struct loaded l;
    char expected[128];

    load_flags(&l, "-c", "/nonexistent.yaml");
    cr_expect_eq(l.rc, -ENOENT);
    cr_expect_str_eq(l.errors, "/nonexistent.yaml: No such file or directory\n");
    load_flags(&l, "-c", "/tmp", "--batch=0");
    cr_expect_eq(l.rc, -EISDIR);
    cr_expect_str_eq(l.errors, "/tmp: Is a directory\n--batch: \"0\" is out of range 1..256\n");
    memset(large, '#', sizeof(large));
    write_file(large, sizeof(large));
    load_flags(&l, "-c", file_path);
    cr_expect_eq(l.rc, -EFBIG);
    (void)snprintf(expected, sizeof(expected), "%s: is larger than 1MiB\n", file_path);
    cr_expect_str_eq(l.errors, expected);
    write_file(large, sizeof(large) - 1);
    load_flags(&l, "-c", file_path);
    cr_expect_eq(l.rc, 0, "%s", l.errors);
    unload(&l);
    remove_file();
}

static void count_change(const char *option, bool reloadable, void *context)
{
    char *text = context;
    size_t n = strlen(text);

    (void)snprintf(text + n, 256 - n, "%s%s ", option, reloadable ? "+" : "-");
}

Test(config_sources, reload_tells_what_changed)
{
    static const char before[] = "hold.time: 1s\nlog.level: info\nworkers: 1\n";
    static const char after[] = "hold.time: 3s\nlog: {level: info}\nworkers: 2\nbatch: 64\n";
    static const char wrong[] = "hold.time: 3\n";
    struct config_set *set = NULL;
    uint64_t digest = 0;
    char changes[256] = "";
    struct loaded l;
    FILE *nowhere;

    write_file(before, strlen(before));
    load_flags(&l, "-c", file_path, "--leader", "10.0.0.9");
    cr_assert_eq(l.rc, 0, "%s", l.errors);
    cr_expect_str_eq(config_path(l.set), file_path);
    write_file(after, strlen(after));
    cr_assert_eq(config_reload(l.set, &digest, stderr, &set), 0);
    cr_expect_eq(digest, config_digest(after, strlen(after)));
    cr_expect_eq(digest, config_digest_of(set));
    cr_expect_eq(config_diff(l.set, set, count_change, changes), 2);
    cr_expect_str_eq(changes, "hold.time+ workers- ");
    cr_expect_str_eq(config_values(set)->leader, "10.0.0.9");
    config_destroy(set);
    set = NULL;
    write_file(wrong, strlen(wrong));
    nowhere = fopen("/dev/null", "w");
    digest = 0;
    cr_expect_eq(config_reload(l.set, &digest, nowhere, &set), -EINVAL);
    cr_expect_eq(digest, config_digest(wrong, strlen(wrong)));
    cr_expect_null(set, "outputs are untouched by a failed reload");
    (void)fclose(nowhere);
    unload(&l);
    remove_file();
}
