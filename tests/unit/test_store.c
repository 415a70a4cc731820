/* The stored term: reading restores what was written; any other content counts as no term. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/store.h"
#include "directory_fixture.h"
#include "headless/base/log.h"

static struct config config;
static struct store store;

static void setup(void)
{
    log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    directory_make();
    (void)snprintf(config.cluster, sizeof(config.cluster), "blue");
    (void)snprintf(config.store, sizeof(config.store), "%s/term", directory);
}

static void path_of(const char *name, char *path)
{
    (void)snprintf(path, CONFIG_TEXT_MAX, "%s/%s", directory, name);
}

TestSuite(store, .init = setup, .fini = directory_remove, .timeout = 30);

static void write_text(const char *text)
{
    FILE *file = fopen(config.store, "we");

    cr_assert_not_null(file);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
}

Test(store, a_saved_term_is_loaded)
{
    cr_assert_eq(store_open(&store, &config), 0, "a file that is not there");
    cr_assert(store_save(&store, 7));
    cr_assert_eq(store_open(&store, &config), 7);
    cr_assert(store_save(&store, UINT64_MAX));
    cr_assert_eq(store_open(&store, &config), UINT64_MAX);
}

Test(store, only_the_owner_may_read_the_file)
{
    struct stat status;

    (void)store_open(&store, &config);
    cr_assert(store_save(&store, 7));
    cr_assert_eq(stat(config.store, &status), 0);
    cr_assert_eq(status.st_mode & 0777, 0600);
}

Test(store, without_a_path_nothing_is_stored)
{
    config.store[0] = '\0';
    cr_assert_eq(store_open(&store, &config), 0);
    cr_assert(store_save(&store, 7));
}

Test(store, a_malformed_file_counts_as_no_term)
{
    static const char *const broken[] = {
        "",
        "\n",
        "headlessd 2\ncluster blue\nterm 7\n",
        "headlessd 1\ncluster blue\nterm 7",
        "headlessd 1\ncluster blue\nterm 7\nmore\n",
        "headlessd 1\ncluster blue\nterm -7\n",
        "headlessd 1\ncluster blue\nterm 07\n",
        "headlessd 1\ncluster blue\nterm 18446744073709551616\n",
        "headlessd 1\ncluster blue\nterm\n",
        "headlessd 1\ncluster red\nterm 7\n",
        "headlessd 1\nterm 7\ncluster blue\n",
    };

    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        write_text(broken[i]);
        cr_assert_eq(store_open(&store, &config), 0, "%s", broken[i]);
    }
    write_text("headlessd 1\ncluster blue\nterm 7\n");
    cr_assert_eq(store_open(&store, &config), 7);
}

Test(store, a_directory_at_the_path_is_no_store)
{
    cr_assert_eq(mkdir(config.store, 0700), 0);
    cr_assert_eq(store_open(&store, &config), 0);
    cr_assert_not(store_save(&store, 7));
}

/* A directory at the temporary path fails the write for root, too. */
Test(store, a_failed_write_leaves_the_previous_file_intact)
{
    char temporary[CONFIG_TEXT_MAX];

    (void)store_open(&store, &config);
    cr_assert(store_save(&store, 7));
    path_of("term.tmp", temporary);
    cr_assert_eq(mkdir(temporary, 0700), 0);
    cr_assert_not(store_save(&store, 8));
    cr_assert_eq(store_open(&store, &config), 7);
    cr_assert_eq(rmdir(temporary), 0);
    cr_assert(store_save(&store, 9));
    cr_assert_eq(store_open(&store, &config), 9);
}

Test(store, a_full_disk_leaves_the_previous_file_intact)
{
    const struct rlimit few = {10, 10}; /* bytes per file: writes fail beyond, as on a full disk */

    (void)store_open(&store, &config);
    cr_assert(store_save(&store, 7));
    (void)signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &few), 0);
    cr_assert_not(store_save(&store, 8));
    cr_assert_eq(store_open(&store, &config), 7);
}

Test(store, a_symbolic_link_is_not_followed)
{
    char temporary[CONFIG_TEXT_MAX], other[CONFIG_TEXT_MAX];
    struct stat status;

    path_of("term.tmp", temporary);
    path_of("other", other);
    cr_assert_eq(symlink(other, temporary), 0);
    (void)store_open(&store, &config);
    cr_assert_not(store_save(&store, 7));
    cr_assert_eq(lstat(other, &status), -1, "the link was followed");
}
