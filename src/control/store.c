#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "headless/base/clock.h"
#include "headless/base/log.h"

#define STORE_BYTES_MAX 512
#define STORE_SLEEP_NS  (3600 * NS_PER_SEC)

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

/* 0: none. */
static uint64_t store_read(const struct store *store)
{
    char text[STORE_BYTES_MAX];
    uint64_t term = 0;
    const char *why;
    int rc = store_read_file(store->path, text);

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

static int store_write(struct store *store, uint64_t term)
{
    char text[STORE_BYTES_MAX], temporary[CONFIG_TEXT_MAX + 8];
    int rc;

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
    return rc;
}

/* ---- the thread ---- */

static bool store_has_job(struct store *store)
{
    return atomic_load_explicit(&store->jobs, memory_order_acquire) !=
           completion_done(&store->completion);
}

/* The first job is to read. Of several terms the newest is written. */
static size_t store_do_work(void *self)
{
    struct store *store = self;
    uint32_t jobs = atomic_load_explicit(&store->jobs, memory_order_acquire); /* before wanted */

    if (!store_has_job(store))
        return 0;
    if (store->has_read)
        atomic_store_explicit(
            &store->written,
            store_write(store, atomic_load_explicit(&store->wanted, memory_order_relaxed)),
            memory_order_relaxed);
    else
        atomic_store_explicit(&store->found, store_read(store), memory_order_relaxed);
    jobs = store->has_read ? jobs : 1;
    store->has_read = true;
    completion_report(&store->completion, jobs,
                      jobs == atomic_load_explicit(&store->jobs, memory_order_acquire));
    return 1;
}

static void store_idle(void *self)
{
    struct store *store = self;

    waker_prepare(&store->waker);
    if (store_has_job(store) || agent_is_stopping(&store->agent))
        waker_cancel(&store->waker);
    else
        waker_sleep(&store->waker, STORE_SLEEP_NS);
}

static const struct agent_ops store_agent_ops = {.do_work = store_do_work, .idle = store_idle};

/* ---- its owner ---- */

/* False: the job was not done in time. */
static bool post_job(struct store *store, uint64_t limit_ns)
{
    store->posted++;
    atomic_store_explicit(&store->jobs, store->posted, memory_order_seq_cst);
    waker_wake(&store->waker);
    return completion_wait(&store->completion, store->posted, limit_ns);
}

static struct store *store_create(const struct config *config)
{
    struct store *store = aligned_alloc(_Alignof(struct store), sizeof(*store));

    if (!store)
        return NULL;
    memset(store, 0, sizeof(*store));
    (void)snprintf(store->path, sizeof(store->path), "%s", config->store);
    (void)snprintf(store->cluster, sizeof(store->cluster), "%s", config->cluster);
    return store;
}

int store_open(const struct config *config, struct store **ret_store, uint64_t *ret_term)
{
    struct store *store = NULL;
    int rc = 0;

    *ret_store = NULL;
    *ret_term = 0;
    if (!config->store[0])
        return 0;
    store = store_create(config);
    rc = store ? waker_init(&store->waker, false) : -ENOMEM;
    if (!rc)
        rc = agent_start(&store->agent, "store", &store_agent_ops, store);
    if (rc) {
        free(store);
        return rc;
    }
    store->is_late = !post_job(store, STORE_OPEN_NS);
    if (store->is_late)
        store_ignore(store, "its volume does not respond");
    else
        *ret_term = atomic_load_explicit(&store->found, memory_order_relaxed);
    *ret_store = store;
    return 0;
}

bool store_save(struct store *store, uint64_t term)
{
    bool was_late;

    if (!store)
        return true;
    atomic_store_explicit(&store->wanted, term, memory_order_relaxed);
    was_late = store->is_late;
    store->is_late = !post_job(store, STORE_SAVE_NS);
    if (store->is_late && !was_late)
        log_warn(
            "store_failed",
            "store: writing %s takes long, its volume does not respond; terms may restart at 1 "
            "when all pods restart",
            store->path);
    return !store->is_late && atomic_load_explicit(&store->written, memory_order_relaxed) == 0;
}

static void store_wake(void *self)
{
    waker_wake(&((struct store *)self)->waker);
}

void store_close(struct store *store)
{
    if (!store)
        return;
    if (!completion_wait(&store->completion, store->posted, STORE_SAVE_NS))
        return;
    agent_stop(&store->agent, store_wake);
    free(store);
}
