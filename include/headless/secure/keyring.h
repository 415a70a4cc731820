/*
 * keyring: the secret keys of the cluster, and the subkeys derived from them.
 *
 * A directory holds them, such as a mounted Secret: one file a key, 32 random bytes as base64 or as
 * hex digits. The name of the file is the name of the key; the highest name in version order
 * (key-10 is above key-9) is the newest key. Names that begin with a dot are ignored. On the wire
 * a key is named by its id, a fingerprint of its bytes, so pods that have different keys under one
 * name detect it.
 *
 * Keys are not used directly. A subkey has one purpose, one sending instance and one nonce space,
 * and so belongs to one thread of one process, which counts its nonces: none is used twice.
 *
 * A keyring is a plain value: it is copied into the leader snapshot and not changed there. Any
 * thread; keyring_load blocks on the disk.
 *
 * Technique: keyed BLAKE2b as a key derivation function (RFC 7693; libsodium's crypto_kdf).
 */
#ifndef HEADLESS_SECURE_KEYRING_H
#define HEADLESS_SECURE_KEYRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEYRING_MAX    8
#define KEY_BYTES      32
#define KEY_NAME_MAX   64  /* bytes of a key's name, with NUL */
#define KEY_TEXT_BYTES 45  /* a key as text, with NUL */
#define KEYRING_WHY    256 /* bytes of the text why a directory cannot be used */

struct key {
    uint32_t id; /* never 0 */
    char name[KEY_NAME_MAX];
    uint8_t secret[KEY_BYTES];
};

struct keyring {
    uint32_t count;
    struct key keys[KEYRING_MAX]; /* the newest first */
};

/* The purpose of a subkey. */
enum key_purpose {
    KEY_FOR_FRAMES = 1,   /* instance: the sender; nonce_space: its thread */
    KEY_FOR_PEER = 2,     /* instance: the sender; nonce_space 0 */
    KEY_FOR_COMMANDS = 3, /* neither: signs leader commands */
};

/*
 * Read all keys of a directory. Returns 0; -ENOENT: it holds none; or another negative errno. On
 * failure why says what is wrong and what to do, and *ret_ring is untouched.
 */
int keyring_load(const char *directory, struct keyring *ret_ring, char why[static KEYRING_WHY])
    __attribute__((warn_unused_result));

/* Parse a key: base64 with or without padding, or hex, with white space around it. False:
 * invalid. */
bool key_parse(const char *text, struct key *ret_key);
/* Make a random key as text: base64 and NUL. */
void key_draw(char text[static KEY_TEXT_BYTES]);

/* NULL: not found. */
const struct key *keyring_find(const struct keyring *ring, uint32_t id);
const struct key *keyring_find_name(const struct keyring *ring, const char *name);
/* True when both have the same keys under the same names. */
bool keyring_equal(const struct keyring *a, const struct keyring *b);
/* Overwrite all keys. */
void keyring_wipe(struct keyring *ring);

/* The subkey of a purpose. */
void key_derive(const struct key *key, enum key_purpose purpose, uint64_t instance,
                uint16_t nonce_space, uint8_t ret_subkey[static KEY_BYTES]);

#endif
