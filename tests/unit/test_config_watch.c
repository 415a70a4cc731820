/* The watch of the configuration's file: what is news, how often, and what is not. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "directory_fixture.h"
#include "headless/config/config.h"
#include "headless/config/watch.h"

#define SEC NS_PER_SEC

static char path[128];
static struct config_watch watch;
static uint64_t now_ns;

static const char *place(const char *name)
{
    static char text[4][128];
    static size_t next;

    next = (next + 1) % 4;
    (void)snprintf(text[next], sizeof(text[next]), "%s/%s", directory, name);
    return text[next];
}

static void write_to(const char *file, const char *text)
{
    FILE *out = fopen(file, "w");

    cr_assert_not_null(out);
    cr_assert_geq(fputs(text, out), 0);
    cr_assert_eq(fclose(out), 0);
}

static void setup(void)
{
    directory_make();
    (void)snprintf(path, sizeof(path), "%s", place("headlessd.yaml"));
    now_ns = 100 * SEC;
}

TestSuite(config_watch, .init = setup, .fini = directory_remove, .timeout = 30);

static void begin_with(const char *text)
{
    write_to(path, text);
    config_watch_init(&watch, path, config_digest(text, strlen(text)));
}

static bool look_at(uint64_t time_ns)
{
    return config_watch_is_due(&watch, time_ns) &&
           config_watch_see(&watch, config_digest_file(watch.path));
}

/* A second later. */
static bool look(void)
{
    now_ns += CONFIG_WATCH_NS;
    return look_at(now_ns);
}

/* News, which is read. */
static void expect_news(const char *text)
{
    cr_expect_not(look(), "once seen is no news yet: %s", text);
    cr_expect(look(), "not noticed: %s", text);
    cr_expect_eq(watch.seen, text ? config_digest(text, strlen(text)) : 0);
    config_watch_judge(&watch, watch.seen);
    cr_expect_not(look(), "again: %s", text);
}

Test(config_watch, same_content_is_no_change)
{
    begin_with("log.level: info\n");
    cr_expect_not(look());
    write_to(path, "log.level: info\n"); /* written again, another time of change */
    cr_expect_not(look());
    cr_expect_not(look());
}

Test(config_watch, written_in_place)
{
    begin_with("log.level: info\n");
    write_to(path, "log.level: warn\n"); /* as long as before, perhaps within the same tick */
    expect_news("log.level: warn\n");
    write_to(path, "");
    expect_news("");
}

Test(config_watch, renamed_over)
{
    begin_with("a");
    write_to(place("next"), "b");
    cr_assert_eq(rename(place("next"), path), 0);
    expect_news("b");
}

/* As kubelet does: headlessd.yaml -> ..data/headlessd.yaml, ..data -> ..2026_1, swapped by rename.
 */
Test(config_watch, the_symlink_of_a_config_map)
{
    static const char *const versions[] = {"..2026_1", "..2026_2"};
    static const char *const texts[] = {"one", "two"};
    char file[64];

    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(mkdir(place(versions[i]), 0700), 0);
        (void)snprintf(file, sizeof(file), "%s/headlessd.yaml", versions[i]);
        write_to(place(file), texts[i]);
    }
    cr_assert_eq(symlink(versions[0], place("..data")), 0);
    cr_assert_eq(symlink("..data/headlessd.yaml", path), 0);
    config_watch_init(&watch, path, config_digest("one", 3));
    cr_expect_not(look());
    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(symlink(versions[(i + 1) % 2], place("..data_tmp")), 0);
        cr_assert_eq(rename(place("..data_tmp"), place("..data")), 0);
        expect_news(texts[(i + 1) % 2]);
    }
}

Test(config_watch, file_being_written_is_read_when_complete)
{
    static const char *const parts[] = {"l", "log", "log.level", "log.level: error\n"};

    begin_with("log.level: info\n");
    for (size_t i = 0; i < 4; i++) {
        write_to(path, parts[i]);
        cr_expect_not(look(), "%s", parts[i]);
    }
    cr_expect(look());
    cr_expect(look(), "until it was read");
}

Test(config_watch, change_that_is_reverted_at_once_is_no_change)
{
    begin_with("a");
    write_to(path, "b");
    cr_expect_not(look());
    write_to(path, "a");
    cr_expect_not(look());
    cr_expect_not(look());
}

Test(config_watch, removed_file_is_one_change_and_its_return_another)
{
    begin_with("a");
    cr_assert_eq(unlink(path), 0);
    expect_news(NULL);
    cr_expect_not(look());
    write_to(path, "a");
    expect_news("a");
}

/* An editor that renames the old one away, then writes the new one. */
Test(config_watch, file_missing_for_a_moment_is_no_change)
{
    begin_with("a");
    cr_assert_eq(unlink(path), 0);
    cr_expect_not(look());
    write_to(path, "a");
    cr_expect_not(look());
    cr_expect_not(look());
}

Test(config_watch, read_of_a_pipe_does_not_block)
{
    begin_with("a");
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(mkfifo(path, 0600), 0);
    expect_news(NULL);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(mkdir(path, 0700), 0);
    cr_expect_not(look());
    cr_expect_not(look());
}

/* headlessd -c <(...): what was read once cannot be read again. */
Test(config_watch, pipe_and_missing_path_never_change)
{
    cr_assert_eq(mkfifo(path, 0600), 0);
    config_watch_init(&watch, path, 5);
    cr_expect_not(look() || look() || look());
    config_watch_init(&watch, NULL, 0);
    cr_expect_not(look() || look() || look());
}

Test(config_watch, file_is_read_once_a_second)
{
    begin_with("a");
    cr_expect_not(look());
    write_to(path, "b");
    cr_expect_not(look_at(now_ns + CONFIG_WATCH_NS - 1));
    cr_expect_neq(watch.seen, config_digest("b", 1));
    cr_expect_not(look_at(now_ns + CONFIG_WATCH_NS));
    cr_expect_eq(watch.seen, config_digest("b", 1));
}

Test(config_watch, a_large_file_has_the_digest_of_its_text)
{
    static char text[300000];

    memset(text, 'x', sizeof(text) - 1);
    write_to(path, text);
    cr_expect_eq(config_digest_file(path), config_digest(text, sizeof(text) - 1));
    text[sizeof(text) - 2] = 'y';
    cr_expect_neq(config_digest_file(path), config_digest(text, sizeof(text) - 1));
}

/* Between the look and the snapshot it may change once more: then it is looked at again. */
Test(config_watch, unexpected_content_is_not_judged)
{
    static char *const argv[] = {"headlessd", "-c", path, NULL};
    struct config_set *before, *after = NULL;
    char said[64] = "";
    FILE *errors = fmemopen(said, sizeof(said), "w");
    enum config_mode mode;
    uint64_t digest;

    write_to(path, "log.level: info\n");
    cr_assert_eq(config_load(3, argv, errors, &before, &mode), 0);
    cr_expect_eq(config_digest_of(before), config_digest_file(path));
    digest = config_digest_file(path);
    write_to(path, "log.lev");
    cr_expect_eq(config_reload(before, &digest, errors, &after), -EAGAIN);
    cr_assert_eq(unlink(path), 0);
    digest = 17;
    cr_expect_eq(config_reload(before, &digest, errors, &after), -EAGAIN);
    cr_expect_null(after);
    write_to(path, "log.level: warn\n");
    digest = config_digest_file(path);
    cr_expect_eq(config_reload(before, &digest, errors, &after), 0);
    (void)fclose(errors);
    cr_expect_str_empty(said);
    cr_expect_eq(config_digest_of(after), digest);
    config_destroy(after);
    config_destroy(before);
}
