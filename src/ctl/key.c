/* key new, key list: create a key file, list a directory of keys. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "headless/ctl/ctl.h"
#include "headless/secure/keyring.h"

static int key_fail(const char *path, int error)
{
    (void)fprintf(stderr, "headlessctl: %s: %s\n", path, strerror(error));
    return CTL_NO;
}

/* ---- key new ---- */

/* Write and sync all of it, because a partial key is useless. Returns 0 or a negative errno. */
static int write_key(int fd, const char *text)
{
    size_t length = strlen(text);
    ssize_t n = write(fd, text, length);

    if (n < 0)
        return -errno;
    if ((size_t)n < length)
        return -ENOSPC;
    return fsync(fd) < 0 ? -errno : 0;
}

static int write_key_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int rc;

    if (fd < 0)
        return key_fail(path, errno);
    rc = write_key(fd, text);
    if (close(fd) < 0 && !rc)
        rc = -errno;
    if (!rc)
        return CTL_OK;
    (void)unlink(path);
    return key_fail(path, -rc);
}

int ctl_key_new(const struct ctl_options *options, const char *path)
{
    char text[KEY_TEXT_BYTES + 1]; /* and a newline */
    int rc = CTL_OK;

    (void)options;
    if (sodium_init() < 0)
        return key_fail("libsodium", ENOSYS);
    key_draw(text);
    memcpy(text + strlen(text), "\n", 2);
    if (path)
        rc = write_key_file(path, text);
    else if (fputs(text, stdout) == EOF || fflush(stdout) == EOF)
        rc = key_fail("standard output", errno);
    sodium_memzero(text, sizeof(text));
    return rc;
}

/* ---- key list ---- */

static int load_keys(const char *directory, struct keyring *ret_ring)
{
    char why[KEYRING_WHY];

    if (sodium_init() < 0)
        return key_fail("libsodium", ENOSYS);
    if (keyring_load(directory, ret_ring, why)) {
        (void)fprintf(stderr, "headlessctl: %s\n", why);
        return CTL_NO;
    }
    return CTL_OK;
}

int ctl_key_list(const struct ctl_options *options, const char *directory)
{
    struct keyring ring;
    int rc;

    if (!directory)
        directory = ctl_keys_directory(options);
    if (!directory) {
        (void)fputs("headlessctl: key list: no DIRECTORY, and no HEADLESSD_KEYS\n", stderr);
        return CTL_USAGE;
    }
    rc = load_keys(directory, &ring);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < ring.count; i++)
        (void)printf("%-20s %08x%s\n", ring.keys[i].name, ring.keys[i].id,
                     i == 0 ? "  newest" : "");
    keyring_wipe(&ring);
    return CTL_OK;
}

/* ---- the key that signs commands ---- */

const char *ctl_keys_directory(const struct ctl_options *options)
{
    const char *directory = options->keys ? options->keys : getenv("HEADLESSD_KEYS");

    if (!directory || !*directory || strcmp(directory, "none") == 0 ||
        strcmp(directory, "off") == 0)
        return NULL;
    return directory;
}

static const char *find_cluster(const struct ctl_options *options)
{
    const char *cluster = options->cluster ? options->cluster : getenv("HEADLESSD_CLUSTER");

    return cluster && *cluster ? cluster : CTL_CLUSTER_DEFAULT;
}

static int pick_key(const struct keyring *ring, const char *directory, const char *name,
                    struct sign_key *ret_key)
{
    const struct key *key = name ? keyring_find_name(ring, name) : &ring->keys[0];

    if (!key) {
        (void)fprintf(stderr, "headlessctl: %s: no key \"%s\"; see headlessctl key list\n",
                      directory, name);
        return CTL_NO;
    }
    sign_key_make(key, ret_key);
    return CTL_OK;
}

int ctl_signer_open(const struct ctl_options *options, struct ctl_signer *ret_signer)
{
    const char *directory = ctl_keys_directory(options);
    struct keyring ring;
    int rc;

    *ret_signer = (struct ctl_signer){.cluster = find_cluster(options)};
    if (!directory) {
        if (!options->key)
            return CTL_OK;
        (void)fputs("headlessctl: --key means nothing without --keys\n", stderr);
        return CTL_USAGE;
    }
    rc = load_keys(directory, &ring);
    if (rc)
        return rc;
    rc = pick_key(&ring, directory, options->key, &ret_signer->key);
    ret_signer->has_key = rc == CTL_OK;
    keyring_wipe(&ring);
    return rc;
}

void ctl_signer_close(struct ctl_signer *signer)
{
    sodium_memzero(signer, sizeof(*signer));
}
