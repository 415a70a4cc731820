/* The stored term: reading restores what was written; any other content counts as no term. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/store.h"
#include "directory_fixture.h"
#include "headless/base/clock.h"
#include "headless/base/log.h"

static struct config config;
static struct store *store;

static void setup(void)
{
    log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    directory_make();
    (void)snprintf(config.cluster, sizeof(config.cluster), "blue");
    (void)snprintf(config.store, sizeof(config.store), "%s/term", directory);
}

/* The stored term; the store before is closed. */
static uint64_t open_store(void)
{
    uint64_t term = 99;

    store_close(store);
    cr_assert_eq(store_open(&config, &store, &term), 0);
    return term;
}

static void path_of(const char *name, char *path)
{
    (void)snprintf(path, CONFIG_TEXT_MAX, "%s/%s", directory, name);
}

static void teardown(void)
{
    store_close(store);
    directory_remove();
}

TestSuite(store, .init = setup, .fini = teardown, .timeout = 30);

static void write_text(const char *text)
{
    FILE *file = fopen(config.store, "we");

    cr_assert_not_null(file);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
}

Test(store, a_saved_term_is_loaded)
{
    cr_assert_eq(open_store(), 0, "a file that is not there");
    cr_assert(store_save(store, 7));
    cr_assert_eq(open_store(), 7);
    cr_assert(store_save(store, UINT64_MAX));
    cr_assert_eq(open_store(), UINT64_MAX);
}

Test(store, the_longest_name_of_a_cluster_is_its_own)
{
    memset(config.cluster, 'c', sizeof(config.cluster) - 1);
    (void)open_store();
    cr_assert(store_save(store, UINT64_MAX));
    cr_assert_eq(open_store(), UINT64_MAX);
    config.cluster[sizeof(config.cluster) - 2] = 'd';
    cr_assert_eq(open_store(), 0, "another cluster's");
}

Test(store, only_the_owner_may_read_the_file)
{
    struct stat status;

    (void)open_store();
    cr_assert(store_save(store, 7));
    cr_assert_eq(stat(config.store, &status), 0);
    cr_assert_eq(status.st_mode & 0777, 0600);
}

Test(store, without_a_path_nothing_is_stored)
{
    config.store[0] = '\0';
    cr_assert_eq(open_store(), 0);
    cr_assert(store_save(store, 7));
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
        cr_assert_eq(open_store(), 0, "%s", broken[i]);
    }
    write_text("headlessd 1\ncluster blue\nterm 7\n");
    cr_assert_eq(open_store(), 7);
}

Test(store, a_directory_at_the_path_is_no_store)
{
    cr_assert_eq(mkdir(config.store, 0700), 0);
    cr_assert_eq(open_store(), 0);
    cr_assert_not(store_save(store, 7));
}

/* A directory at the temporary path fails the write for root, too. */
Test(store, a_failed_write_leaves_the_previous_file_intact)
{
    char temporary[CONFIG_TEXT_MAX];

    (void)open_store();
    cr_assert(store_save(store, 7));
    path_of("term.tmp", temporary);
    cr_assert_eq(mkdir(temporary, 0700), 0);
    cr_assert_not(store_save(store, 8));
    cr_assert_eq(open_store(), 7);
    cr_assert_eq(rmdir(temporary), 0);
    cr_assert(store_save(store, 9));
    cr_assert_eq(open_store(), 9);
}

Test(store, a_full_disk_leaves_the_previous_file_intact)
{
    const struct rlimit few = {10, 10}; /* bytes per file: writes fail beyond, as on a full disk */

    (void)open_store();
    cr_assert(store_save(store, 7));
    (void)signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &few), 0);
    cr_assert_not(store_save(store, 8));
    cr_assert_eq(open_store(), 7);
}

Test(store, a_symbolic_link_is_not_followed)
{
    char temporary[CONFIG_TEXT_MAX], other[CONFIG_TEXT_MAX];
    struct stat status;

    path_of("term.tmp", temporary);
    path_of("other", other);
    cr_assert_eq(symlink(other, temporary), 0);
    (void)open_store();
    cr_assert_not(store_save(store, 7));
    cr_assert_eq(lstat(other, &status), -1, "the link was followed");
}

/* ---- a volume that does not respond ---- */

static pthread_mutex_t volume = PTHREAD_MUTEX_INITIALIZER; /* locked: it hangs */

static _Atomic bool is_read_slow;

ssize_t __real_read(int fd, void *bytes, size_t count);
ssize_t __wrap_read(int fd, void *bytes, size_t count);

ssize_t __wrap_read(int fd, void *bytes, size_t count)
{
    if (atomic_load(&is_read_slow)) {
        (void)pthread_mutex_lock(&volume);
        (void)pthread_mutex_unlock(&volume);
    }
    return __real_read(fd, bytes, count);
}

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);

int __wrap_rename(const char *from, const char *to)
{
    (void)pthread_mutex_lock(&volume);
    (void)pthread_mutex_unlock(&volume);
    return __real_rename(from, to);
}

static void wait_for_writes(void)
{
    while (!completion_wait(&store->completion, store->posted, NS_PER_SEC))
        (void)usleep(1000);
}

Test(store, hanging_write_holds_nobody)
{
    (void)open_store();
    cr_assert(store_save(store, 7));
    (void)pthread_mutex_lock(&volume);
    for (uint64_t term = 8; term < 10000; term++) /* if each waited, this would be 17 minutes */
        cr_assert_not(store_save(store, term));
    (void)pthread_mutex_unlock(&volume);
    wait_for_writes();
    cr_assert_eq(open_store(), 9999, "the newest term, once the volume works again");
    cr_assert(store_save(store, 10000));
    cr_assert_eq(open_store(), 10000);
}

/* Its thread and memory are left behind. */
Test(store, hanging_write_does_not_hold_the_end)
{
    struct store *before;

    (void)open_store();
    (void)pthread_mutex_lock(&volume);
    cr_assert_not(store_save(store, 7));
    before = store;
    store_close(store);
    store = NULL;
    (void)pthread_mutex_unlock(&volume);
    store = before;
    wait_for_writes();
}

Test(store, hanging_read_counts_as_no_term)
{
    write_text("headlessd 1\ncluster blue\nterm 7\n");
    atomic_store(&is_read_slow, true);
    (void)pthread_mutex_lock(&volume);
    cr_assert_eq(open_store(), 0);
    cr_assert_not(store_save(store, 8));
    atomic_store(&is_read_slow, false);
    (void)pthread_mutex_unlock(&volume);
    wait_for_writes();
    cr_assert_eq(open_store(), 8);
}
