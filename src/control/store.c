#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "headless/base/log.h"

#define STORE_BYTES_MAX 512

static void store_ignore(const struct store *store, const char *why)
{
    log_warn("store_ignored", "store: %s is not used: %s", store->path, why);
}

/* Reads into text, with a NUL. Returns the number of bytes, or a negative errno. */
static int store_read_file(const char *path, char text[static STORE_BYTES_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n;
    int rc;

    if (fd < 0)
        return -errno;
    n = read(fd, text, STORE_BYTES_MAX - 1);
    rc = n < 0 ? -errno : (int)n;
    (void)close(fd);
    if (rc >= 0)
        text[rc] = '\0';
    return rc;
}

/* The text must be exactly the three lines: a number that overflows fails the comparison, too. */
static const char *store_parse(const struct store *store, const char *text, uint64_t *ret_term)
{
    static const char head[] = "headlessd 1\ncluster ", middle[] = "\nterm ";
    char expected[STORE_BYTES_MAX];
    const char *name = text + strlen(head), *after;
    uint64_t term;
    int length;

    if (strncmp(text, head, strlen(head)) != 0)
        return "it is not a file of this version";
    length = (int)strcspn(name, "\n");
    after = name + length;
    if (strncmp(after, middle, strlen(middle)) != 0)
        return "it is damaged";
    term = strtoull(after + strlen(middle), NULL, 10);
    (void)snprintf(expected, sizeof(expected), "%s%.*s%s%" PRIu64 "\n", head, length, name, middle,
                   term);
    if (strcmp(text, expected) != 0)
        return "it is damaged";
    if (strlen(store->cluster) != (size_t)length ||
        strncmp(name, store->cluster, (size_t)length) != 0)
        return "it is another cluster's";
    *ret_term = term;
    return NULL;
}

uint64_t store_open(struct store *store, const struct config *config)
{
    char text[STORE_BYTES_MAX];
    uint64_t term = 0;
    const char *why;
    int rc;

    *store =
        (struct store){.path = config->store[0] ? config->store : NULL, .cluster = config->cluster};
    if (!store->path)
        return 0;
    rc = store_read_file(store->path, text);
    if (rc == -ENOENT)
        return 0;
    why = rc < 0 ? strerror(-rc) : store_parse(store, text, &term);
    if (why)
        store_ignore(store, why);
    return why ? 0 : term;
}

/* O_NOFOLLOW: a symbolic link at this path is not followed. */
static int store_write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    size_t length = strlen(text);
    ssize_t n;
    int rc = 0;

    if (fd < 0)
        return -errno;
    n = write(fd, text, length);
    if (n != (ssize_t)length)
        rc = n < 0 ? -errno : -ENOSPC;
    if (close(fd) < 0 && !rc)
        rc = -errno;
    return rc;
}

bool store_save(struct store *store, uint64_t term)
{
    char text[STORE_BYTES_MAX], temporary[CONFIG_TEXT_MAX + 8];
    int rc;

    if (!store->path)
        return true;
    (void)snprintf(text, sizeof(text), "headlessd 1\ncluster %s\nterm %" PRIu64 "\n",
                   store->cluster, term);
    (void)snprintf(temporary, sizeof(temporary), "%s.tmp", store->path);
    rc = store_write_file(temporary, text);
    if (!rc && rename(temporary, store->path) < 0)
        rc = -errno;
    if (rc && !store->has_failed)
        log_warn("store_failed",
                 "store: cannot write %s: %s; terms may restart at 1 when all pods restart",
                 store->path, strerror(-rc));
    store->has_failed = rc != 0;
    return rc == 0;
}
