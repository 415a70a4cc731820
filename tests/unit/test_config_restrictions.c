/* A reload must not remove a restriction by accident, and names each that it removes. */
#include <fcntl.h>
#include <sys/stat.h>

#include "config_fixture.h"
#include "headless/config/watch.h"

static char directory[] = "/tmp/headless_restrictions_XXXXXX", path[64];

static void make_directory(void)
{
    clear_environment();
    cr_assert_not_null(mkdtemp(directory));
    (void)snprintf(path, sizeof(path), "%s/headlessd.yaml", directory);
}

static void remove_directory(void)
{
    (void)unlink(path);
    (void)rmdir(path);
    (void)rmdir(directory);
}

TestSuite(config_restrictions, .init = make_directory, .fini = remove_directory);

static void put_file(const char *text)
{
    FILE *file = fopen(path, "w");

    cr_assert_not_null(file);
    (void)fputs(text, file);
    cr_assert_eq(fclose(file), 0);
}

static void start_with(struct loaded *l, const char *text)
{
    put_file(text);
    load_flags(l, "-c", path, "--self", "10.0.0.1");
    cr_assert_eq(l->rc, 0, "%s", l->errors);
}

/* Reloads; what was said replaces l->errors. NULL: refused. */
static struct config_set *reload(struct loaded *l, const struct config_set *before)
{
    struct config_set *after = NULL;
    char *text = NULL;
    size_t length;
    FILE *errors = open_memstream(&text, &length);
    uint64_t digest = 0;

    l->rc = config_reload(before, &digest, errors, &after);
    keep_errors(l, errors, &text);
    return after;
}

static void expect_reload_refused(struct loaded *l, const struct config_set *before,
                                  const char *reason)
{
    struct config_set *after = reload(l, before);

    cr_expect_null(after);
    cr_expect_neq(l->rc, 0);
    cr_expect(strstr(l->errors, reason), "\"%s\" is not in: %s", reason, l->errors);
    config_destroy(after);
}

static const char *const without_options[] = {
    "",       "\n",   "# only a comment\n", "---\n",   "---\n...\n",       "~\n",
    "null\n", "{}\n", "--- {}\n",           "data:\n", "data: {}\nlog:\n", "\xef\xbb\xbf"};
#define WITHOUT_OPTIONS (sizeof(without_options) / sizeof(without_options[0]))

/* An editor, a full disk or a failed template leaves such files. */
Test(config_restrictions, a_file_that_no_longer_sets_an_option_is_refused)
{
    struct loaded l;

    start_with(&l, "data.allow: [10.0.0.0/8]\n");
    for (size_t i = 0; i < WITHOUT_OPTIONS; i++) {
        put_file(without_options[i]);
        expect_reload_refused(&l, l.set, "sets no option");
    }
    unload(&l);
}

/* Compared with the content in force, not with that of the start. */
Test(config_restrictions, a_file_that_was_without_options_at_the_start_may_stay_so)
{
    struct config_set *same, *filled;
    struct loaded l;

    for (size_t i = 0; i < WITHOUT_OPTIONS; i++) {
        start_with(&l, without_options[i]);
        put_file("# none yet\n");
        same = reload(&l, l.set);
        cr_expect_not_null(same, "%s", l.errors);
        put_file("data.allow: [10.0.0.0/8]\n");
        filled = reload(&l, same);
        cr_assert_not_null(filled, "%s", l.errors);
        put_file(without_options[i]);
        expect_reload_refused(&l, filled, "sets no option");
        config_destroy(filled);
        config_destroy(same);
        unload(&l);
    }
}

/* Each cut of a file that is written line by line: only one at the end of a line is valid. */
Test(config_restrictions, a_file_that_was_cut_within_a_line_is_refused)
{
    static const char whole[] = "hold.time: 20s\n"
                                "control:\n"
                                "  allow: [10.0.0.0/8]\n"
                                "data.rate: 1000\n"
                                "data.allow: 10.0.0.0/8\n";
    char part[sizeof(whole)] = "";
    struct loaded l;

    start_with(&l, whole);
    for (size_t length = 0; length < strlen(whole); length++) {
        memcpy(part, whole, length);
        if (length > 0 && whole[length - 1] == '\n')
            continue;
        put_file(part);
        expect_reload_refused(&l, l.set, length ? "does not end with a newline" : "sets no option");
    }
    unload(&l);
}

Test(config_restrictions, a_file_that_never_ended_with_a_newline_is_accepted_without_one)
{
    struct config_set *after;
    struct loaded l;

    start_with(&l, "hold.time: 20s");
    put_file("hold.time: 21s");
    after = reload(&l, l.set);
    cr_expect_not_null(after, "%s", l.errors);
    config_destroy(after);
    unload(&l);
}

/* A FIFO without a writer would block the main thread, and with it SIGTERM. */
Test(config_restrictions, what_is_no_regular_file_any_more_is_refused, .timeout = 20)
{
    struct loaded l;

    start_with(&l, "data.allow: [10.0.0.0/8]\n");
    cr_assert_eq(unlink(path), 0);
    expect_reload_refused(&l, l.set, "No such file");
    cr_assert_eq(mkfifo(path, 0600), 0);
    expect_reload_refused(&l, l.set, "is no regular file");
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(symlink("..data/headlessd.yaml", path), 0);
    expect_reload_refused(&l, l.set, "No such file");
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(symlink("headlessd.yaml", path), 0);
    expect_reload_refused(&l, l.set, "symbolic links");
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(symlink("/dev/null", path), 0);
    expect_reload_refused(&l, l.set, "is no regular file");
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(mkdir(path, 0700), 0);
    expect_reload_refused(&l, l.set, "Is a directory");
    unload(&l);
}

/* ---- the restrictions that a reload removes ---- */

static void note_loosened(const struct config_loosened *loosened, void *context)
{
    char *text = context;
    size_t n = strlen(text);

    (void)snprintf(text + n, 1024 - n, "%s %s -> %s%s%s;", loosened->option, loosened->was,
                   loosened->is, loosened->is_default ? " (default)" : "",
                   loosened->reloadable ? "" : " (restart)");
}

static void expect_loosened(const char *before, const char *after, const char *expected)
{
    struct config_set *set;
    char text[1024] = "";
    struct loaded l;

    start_with(&l, before);
    put_file(after);
    set = reload(&l, l.set);
    cr_assert_not_null(set, "%s", l.errors);
    cr_expect_eq(config_list_loosened(l.set, l.set, set, note_loosened, text), 0);
    cr_expect_str_eq(text, expected, "%s", after);
    config_destroy(set);
    unload(&l);
}

Test(config_restrictions, a_removed_restriction_is_named_with_both_values)
{
    static const char before[] = "data: {allow: [10.0.0.0/8, fd00::/8], rate: 100}\n"
                                 "control: {accept: none, allow: 127.0.0.1}\n"
                                 "keys: /etc/headlessd/keys\n"
                                 "log.level: info\n";

    expect_loosened(before, before, "");
    expect_loosened(
        before, "log.level: info\n",
        "data.allow 10.0.0.0/8,fd00::/8 -> 0.0.0.0/0,::/0 (default);"
        "data.rate 100 -> none (default);"
        "control.accept none -> auto (default);"
        "control.allow 127.0.0.1/32 -> 127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,"
        "100.64.0.0/10,169.254.0.0/16,::1/128,fc00::/7,fe80::/10 (default);"
        "keys /etc/headlessd/keys -> none (default) (restart);");
}

Test(config_restrictions, only_a_looser_value_counts)
{
    static const struct {
        const char *before, *after, *loosened;
    } rows[] = {
        {"data.allow: 10.0.0.0/8", "data.allow: [10.0.0.0/9, 10.1.2.3]", ""},
        {"data.allow: 10.0.0.0/8", "data.allow: 10.0.0.0/7",
         "data.allow 10.0.0.0/8 -> 10.0.0.0/7;"},
        {"data.allow: any", "data.allow: 10.0.0.0/8", ""},
        {"data.rate: 100", "data.rate: 99", ""},
        {"data.rate: 100", "data.rate: 101", "data.rate 100 -> 101;"},
        {"data.rate: none", "data.rate: 5", ""},
        {"data: {rate: 100, burst: 10}", "data: {rate: 100, burst: 20}", "data.burst 10 -> 20;"},
        {"data: {rate: 100, burst: 10}", "data: {rate: 90}", "data.burst 10 -> auto (default);"},
        {"data: {rate: 100}", "data: {rate: 100, burst: 90}", ""},
        {"data: {rate: 100}", "data: {rate: 100, burst: 200}", "data.burst auto -> 200;"},
        {"control.accept: open", "control.accept: none", ""},
        {"control.accept: auto", "control.accept: open", ""},
        {"control.accept: none", "control.accept: open", "control.accept none -> open;"},
        {"keys: /k", "{keys: /k, control.accept: open}", "control.accept auto -> open;"},
        {"control.allow: none", "control.allow: ::1", "control.allow none -> ::1/128;"},
        {"keys: /k", "{keys: /k, keys.mode: none}", "keys.mode enforce -> none (restart);"},
        {"keys: /k", "keys: /other", ""},
        {"seccomp: true", "seccomp: false", "seccomp true -> false (restart);"},
        {"failover.on_refused: timeout", "failover.on_refused: fast",
         "failover.on_refused timeout -> fast (restart);"},
        {"app.target: udp://127.0.0.1:53",
         "{app.target: 'udp://127.0.0.1:53', app.reply_from: any}",
         "app.reply_from same -> any (restart);"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_loosened(rows[i].before, rows[i].after, rows[i].loosened);
}

/* The keys stay in use until the restart, and so does the need of a signature. */
Test(config_restrictions, commands_stay_signed_while_removed_keys_wait_for_the_restart)
{
    struct config_set *after;
    struct loaded l;

    start_with(&l, "keys: /k\n");
    put_file("hold.time: 1s\n");
    after = reload(&l, l.set);
    cr_assert_not_null(after, "%s", l.errors);
    cr_expect_eq(config_control(config_values(after), config_values(l.set)), CONFIG_CONTROL_SIGNED);
    config_destroy(after);
    unload(&l);
}

/* A template may leave a variable empty, which counts as not set. */
Test(config_restrictions, an_empty_variable_of_a_restriction_is_named)
{
    struct loaded l;

    cr_assert_eq(setenv("HEADLESSD_DATA_ALLOW", "", 1), 0);
    cr_assert_eq(setenv("HEADLESSD_KEYS", "", 1), 0);
    cr_assert_eq(setenv("HEADLESSD_LEADER", "", 1), 0);
    load_flags(&l, "--self", "10.0.0.1");
    cr_assert_eq(l.rc, 0, "%s", l.errors);
    cr_expect_str_eq(l.errors,
                     "warning: HEADLESSD_DATA_ALLOW: is empty, which sets no restriction\n"
                     "warning: HEADLESSD_KEYS: is empty, which sets no restriction\n");
    unload(&l);
}
