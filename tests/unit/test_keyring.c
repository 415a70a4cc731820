/* keyring: reading a directory, and subkeys that equal those of another implementation. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "directory_fixture.h"
#include "headless/secure/keyring.h"

/* The bytes 0 to 31, as base64 and as hex. */
#define COUNTING     "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define COUNTING_HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static char why[KEYRING_WHY];
static struct keyring ring;

static void setup(void)
{
    cr_assert_geq(sodium_init(), 0);
    directory_make();
    ring = (struct keyring){.count = 99};
}

TestSuite(keyring, .init = setup, .fini = directory_remove, .timeout = 30);

static void path_of(const char *name, char path[static 256])
{
    (void)snprintf(path, 256, "%s/%s", directory, name);
}

static void write_file(const char *name, const char *text)
{
    char path[256];
    FILE *file;

    path_of(name, path);
    file = fopen(path, "we");
    cr_assert_not_null(file);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
}

static void write_new(const char *name)
{
    char text[KEY_TEXT_BYTES];

    key_draw(text);
    write_file(name, text);
}

static void assert_hex(const uint8_t *bytes, const char *hex)
{
    char text[2 * KEY_BYTES + 1];

    (void)sodium_bin2hex(text, sizeof(text), bytes, KEY_BYTES);
    cr_assert_str_eq(text, hex);
}

Test(keyring, subkeys_equal_those_of_another_implementation) /* Python's hashlib.blake2b */
{
    uint8_t subkey[KEY_BYTES];
    struct key key;

    cr_assert(key_parse(COUNTING, &key));
    cr_assert_eq(key.id, 0x581512cc);
    key_derive(&key, KEY_FOR_FRAMES, 0x0123456789abcdef, 3, subkey);
    assert_hex(subkey, "f643a70d376fb73689dc32ef27a94962319a7e69e318609e7dbbb9b66e991377");
    key_derive(&key, KEY_FOR_PEER, 0x0123456789abcdef, 0, subkey);
    assert_hex(subkey, "d976834b4312c96f0926ba3558b60fbbbcee87698a697d7cc7e28a5e012ecec5");
    key_derive(&key, KEY_FOR_COMMANDS, 0, 0, subkey);
    assert_hex(subkey, "9e33f5a9479e4bfa87a0ea094600c51521e36d6b4b6670a1748d177a87dc6c8e");
}

Test(keyring, every_input_changes_the_subkey)
{
    uint8_t subkeys[5][KEY_BYTES];
    struct key key, other;
    char text[KEY_TEXT_BYTES];

    key_draw(text);
    cr_assert(key_parse(COUNTING, &key));
    cr_assert(key_parse(text, &other));
    key_derive(&key, KEY_FOR_FRAMES, 1, 1, subkeys[0]);
    key_derive(&key, KEY_FOR_PEER, 1, 1, subkeys[1]);
    key_derive(&key, KEY_FOR_FRAMES, 2, 1, subkeys[2]);
    key_derive(&key, KEY_FOR_FRAMES, 1, 2, subkeys[3]);
    key_derive(&other, KEY_FOR_FRAMES, 1, 1, subkeys[4]);
    for (int i = 0; i < 5; i++) {
        for (int k = 0; k < i; k++)
            cr_assert_neq(memcmp(subkeys[i], subkeys[k], KEY_BYTES), 0, "%d and %d", i, k);
    }
}

Test(keyring, key_is_base64_or_hex)
{
    static const char *const same[] = {COUNTING, " \n" COUNTING "\r\n",
                                       "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", COUNTING_HEX,
                                       COUNTING_HEX "\n"};
    static const char *const none[] = {
        "",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==", /* 31 bytes */
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g", /* 33 bytes */
        COUNTING "x",
        COUNTING " " COUNTING,
        "a secret of 32 characters, which",
        "zz0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        COUNTING_HEX "20"};
    struct key key;

    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        cr_assert(key_parse(same[i], &key), "%zu", i);
        cr_assert_eq(key.id, 0x581512cc, "%zu", i);
    }
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        cr_assert_not(key_parse(none[i], &key), "%s", none[i]);
}

Test(keyring, new_keys_differ_and_can_be_read)
{
    char first[KEY_TEXT_BYTES], second[KEY_TEXT_BYTES];
    struct key key;

    key_draw(first);
    key_draw(second);
    cr_assert_str_neq(first, second);
    cr_assert(key_parse(first, &key));
    cr_assert_neq(key.id, 0);
}

Test(keyring, newest_key_comes_first)
{
    static const char *const order[] = {"2026-11", "2026-9", "2026-2", "2025-12"};

    for (size_t i = 0; i < 4; i++)
        write_new(order[(i + 2) % 4]);
    cr_assert_eq(keyring_load(directory, &ring, why), 0, "%s", why);
    cr_assert_eq(ring.count, 4);
    for (size_t i = 0; i < 4; i++) {
        cr_assert_str_eq(ring.keys[i].name, order[i]);
        cr_assert_eq(keyring_find(&ring, ring.keys[i].id), &ring.keys[i]);
        cr_assert_eq(keyring_find_name(&ring, order[i]), &ring.keys[i]);
    }
    cr_assert_null(keyring_find_name(&ring, "2024"));
    cr_assert_null(keyring_find(&ring, 0));
}

/* The layout of a Secret that kubelet mounts: names are links into ..data, which is swapped. */
Test(keyring, mounted_secret_is_read)
{
    char path[256];

    path_of("..2026_11_25", path);
    cr_assert_eq(mkdir(path, 0755), 0);
    write_file("..2026_11_25/a", COUNTING "\n");
    path_of("..data", path);
    cr_assert_eq(symlink("..2026_11_25", path), 0);
    path_of("a", path);
    cr_assert_eq(symlink("..data/a", path), 0);
    path_of("subdirectory", path);
    cr_assert_eq(mkdir(path, 0755), 0);
    cr_assert_eq(keyring_load(directory, &ring, why), 0, "%s", why);
    cr_assert_eq(ring.count, 1);
    cr_assert_str_eq(ring.keys[0].name, "a");
    cr_assert_eq(ring.keys[0].id, 0x581512cc);
}

static void assert_refused(int error, const char *word)
{
    cr_assert_eq(keyring_load(directory, &ring, why), error);
    cr_assert_not_null(strstr(why, word), "%s", why);
    cr_assert_eq(ring.count, 99, "the ring was touched");
}

Test(keyring, directory_without_keys_is_refused)
{
    assert_refused(-ENOENT, "headlessctl key new");
}

Test(keyring, missing_directory_is_refused)
{
    cr_assert_eq(keyring_load("/nonexistent/keys", &ring, why), -ENOENT);
    cr_assert_not_null(strstr(why, "/nonexistent/keys"));
}

Test(keyring, invalid_key_is_named)
{
    write_new("good");
    write_file("passphrase", "correct horse battery staple\n");
    assert_refused(-EBADMSG, "passphrase");
}

Test(keyring, long_file_is_refused)
{
    char text[2048];

    memset(text, 'A', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    write_file("long", text);
    assert_refused(-EBADMSG, "long");
}

Test(keyring, invalid_name_is_refused)
{
    write_new("my key");
    assert_refused(-EINVAL, "my key");
}

Test(keyring, duplicate_key_is_refused)
{
    write_file("a", COUNTING);
    write_file("b", COUNTING_HEX);
    assert_refused(-EEXIST, "same key");
}

Test(keyring, nine_keys_are_refused)
{
    char name[8];

    for (int i = 0; i < KEYRING_MAX; i++) {
        (void)snprintf(name, sizeof(name), "k%d", i);
        write_new(name);
    }
    cr_assert_eq(keyring_load(directory, &ring, why), 0, "%s", why);
    cr_assert_eq(ring.count, KEYRING_MAX);
    ring.count = 99;
    write_new("k8");
    assert_refused(-E2BIG, "8 keys");
}

Test(keyring, equal_compares_names_and_bytes)
{
    struct keyring other;

    write_file("a", COUNTING);
    cr_assert_eq(keyring_load(directory, &ring, why), 0);
    other = ring;
    cr_assert(keyring_equal(&ring, &other));
    other.keys[0].secret[31] ^= 1;
    cr_assert_not(keyring_equal(&ring, &other));
    other = ring;
    other.keys[0].name[0] = 'b';
    cr_assert_not(keyring_equal(&ring, &other));
    keyring_wipe(&other);
    cr_assert_not(keyring_equal(&ring, &other));
}
