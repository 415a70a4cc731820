#include "headless/secure/keyring.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "headless/base/bytes.h"

#define FILE_MAX 128 /* bytes: hex digits, and room for white space */

static const char context[] = "headlessd";
static const char name_characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                      "0123456789-._";

/* ---- derivation ---- */

void key_derive(const struct key *key, enum key_purpose purpose, uint64_t instance,
                uint16_t nonce_space, uint8_t ret_subkey[static KEY_BYTES])
{
    uint8_t input[sizeof(context) - 1 + 1 + 8 + 2], *next = input + sizeof(context) - 1;

    memcpy(input, context, sizeof(context) - 1);
    *next++ = (uint8_t)purpose;
    next = put_be64(next, instance);
    (void)put_be16(next, nonce_space);
    /* Cannot fail: the lengths are constants within the function's bounds. */
    (void)crypto_generichash(ret_subkey, KEY_BYTES, input, sizeof(input), key->secret, KEY_BYTES);
}

/* A fingerprint: the first 32 bits of a subkey with a purpose of its own. */
static uint32_t id_of(const struct key *key)
{
    uint8_t subkey[KEY_BYTES];
    uint32_t id;

    key_derive(key, (enum key_purpose)0, 0, 0, subkey);
    id = get_be32(subkey);
    sodium_memzero(subkey, sizeof(subkey));
    return id ? id : 1;
}

/* ---- a key as text ---- */

static bool decode(const char *text, size_t length, uint8_t secret[static KEY_BYTES])
{
    static const int variants[] = {
        sodium_base64_VARIANT_ORIGINAL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING,
        sodium_base64_VARIANT_URLSAFE, sodium_base64_VARIANT_URLSAFE_NO_PADDING};
    const char *end;
    size_t bytes;

    if (length == (size_t)2 * KEY_BYTES)
        return sodium_hex2bin(secret, KEY_BYTES, text, length, NULL, &bytes, &end) == 0 &&
               bytes == KEY_BYTES && end == text + length;
    for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
        if (sodium_base642bin(secret, KEY_BYTES, text, length, NULL, &bytes, &end, variants[i]) ==
                0 &&
            bytes == KEY_BYTES && end == text + length)
            return true;
    }
    return false;
}

bool key_parse(const char *text, struct key *ret_key)
{
    static const char blanks[] = " \t\r\n";
    struct key key = {0};
    size_t length;
    bool is_key;

    text += strspn(text, blanks);
    length = strlen(text);
    while (length > 0 && strchr(blanks, text[length - 1]))
        length--;
    is_key = decode(text, length, key.secret);
    if (is_key) {
        key.id = id_of(&key);
        *ret_key = key;
    }
    sodium_memzero(&key, sizeof(key));
    return is_key;
}

void key_draw(char text[static KEY_TEXT_BYTES])
{
    uint8_t secret[KEY_BYTES];

    randombytes_buf(secret, sizeof(secret));
    (void)sodium_bin2base64(text, KEY_TEXT_BYTES, secret, sizeof(secret),
                            sodium_base64_VARIANT_ORIGINAL);
    sodium_memzero(secret, sizeof(secret));
}

/* ---- the directory ---- */

static int keyring_fail(char why[static KEYRING_WHY], int rc, const char *directory,
                        const char *name, const char *what)
{
    (void)snprintf(why, KEYRING_WHY, "%s%s%s: %s", directory, *name ? "/" : "", name, what);
    return rc;
}

static bool is_name(const char *name)
{
    return name[strspn(name, name_characters)] == '\0' && strlen(name) < KEY_NAME_MAX;
}

/* Returns 1: a key; 0: no regular file; otherwise a negative errno. */
static int read_key(int directory, const char *name, struct key *ret_key)
{
    char text[FILE_MAX + 1] = {0};
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    ssize_t n;
    int rc;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) == 0 && !S_ISREG(status.st_mode)) {
        (void)close(fd);
        return 0;
    }
    n = read(fd, text, sizeof(text));
    rc = n < 0 ? -errno : 0;
    (void)close(fd);
    if (!rc && (n > FILE_MAX || strlen(text) != (size_t)n || !key_parse(text, ret_key)))
        rc = -EBADMSG;
    sodium_memzero(text, sizeof(text));
    if (rc)
        return rc;
    (void)snprintf(ret_key->name, sizeof(ret_key->name), "%s", name);
    return 1;
}

/* Insert by name, the highest (newest) first. */
static void insert(struct keyring *ring, const struct key *key)
{
    uint32_t at = ring->count++;

    for (; at > 0 && strverscmp(key->name, ring->keys[at - 1].name) > 0; at--)
        ring->keys[at] = ring->keys[at - 1];
    ring->keys[at] = *key;
}

static int take_file(int directory, const char *path, const char *name, struct keyring *ring,
                     char why[static KEYRING_WHY])
{
    static const char what[] =
        "is no key: 32 bytes as base64 or hex, such as headlessctl key new writes";
    struct key key = {0};
    int rc;

    if (!is_name(name))
        return keyring_fail(why, -EINVAL, path, name,
                            "a key's name is up to 63 letters, digits and - . _");
    rc = read_key(directory, name, &key);
    if (rc <= 0)
        return rc ? keyring_fail(why, rc, path, name, rc == -EBADMSG ? what : strerror(-rc)) : 0;
    if (keyring_find(ring, key.id))
        rc = keyring_fail(why, -EEXIST, path, name, "is the same key as another; remove one");
    else if (ring->count == KEYRING_MAX)
        rc = keyring_fail(why, -E2BIG, path, "", "has more than 8 keys; remove old ones");
    else
        insert(ring, &key);
    sodium_memzero(&key, sizeof(key));
    return rc < 0 ? rc : 0;
}

/* NULL at the end, or with a failure: a directory that is read in part would hide keys. */
static const struct dirent *next_entry(DIR *directory, int *ret_failure)
{
    const struct dirent *entry;

    errno = 0;
    entry = readdir(directory);
    if (!entry)
        *ret_failure = errno;
    return entry;
}

static int load_all(DIR *directory, const char *path, struct keyring *ring,
                    char why[static KEYRING_WHY])
{
    const struct dirent *entry;
    int failure = 0, rc = 0;

    while (!rc && (entry = next_entry(directory, &failure))) {
        if (entry->d_name[0] != '.')
            rc = take_file(dirfd(directory), path, entry->d_name, ring, why);
    }
    if (!rc && failure)
        rc = keyring_fail(why, -failure, path, "", strerror(failure));
    if (!rc && ring->count == 0)
        rc = keyring_fail(why, -ENOENT, path, "",
                          "holds no key; write one: headlessctl key new DIRECTORY/NAME");
    return rc;
}

int keyring_load(const char *directory, struct keyring *ret_ring, char why[static KEYRING_WHY])
{
    struct keyring ring = {0};
    DIR *opened = opendir(directory);
    int rc;

    if (!opened)
        return keyring_fail(why, -errno, directory, "", strerror(errno));
    rc = load_all(opened, directory, &ring, why);
    (void)closedir(opened);
    if (!rc)
        *ret_ring = ring;
    keyring_wipe(&ring);
    return rc;
}

/* ---- the ring ---- */

const struct key *keyring_find(const struct keyring *ring, uint32_t id)
{
    for (uint32_t i = 0; i < ring->count; i++) {
        if (ring->keys[i].id == id)
            return &ring->keys[i];
    }
    return NULL;
}

const struct key *keyring_find_name(const struct keyring *ring, const char *name)
{
    for (uint32_t i = 0; i < ring->count; i++) {
        if (strcmp(ring->keys[i].name, name) == 0)
            return &ring->keys[i];
    }
    return NULL;
}

bool keyring_equal(const struct keyring *a, const struct keyring *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        if (strcmp(a->keys[i].name, b->keys[i].name) != 0 ||
            sodium_memcmp(a->keys[i].secret, b->keys[i].secret, KEY_BYTES) != 0)
            return false;
    }
    return true;
}

void keyring_wipe(struct keyring *ring)
{
    sodium_memzero(ring, sizeof(*ring));
}
