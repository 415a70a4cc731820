/*
 * seal: authenticated encryption of frames and peer messages.
 *
 * Both begin with 40 bytes of header. Sealed, they are
 *
 *   header (40)   block (16)   body, encrypted   tag (16)
 *
 *   block = key id (32)   suite (8)   zero (24)   value (64)           all integers big endian
 *
 * Header and block are readable and authenticated with the body; a bit of the header says that
 * there is a block. The value is the receiver of a frame (an instance, 0: all members) or the
 * counter of a peer message; the other of the two is in the header. The nonce is the counter of the
 * sender's nonce space, and the key a subkey of that nonce space (keyring.h), so threads share no
 * counter.
 *
 * The suite is AES-256-GCM where all live members have it in hardware, otherwise ChaCha20-Poly1305.
 *
 * Each thread seals with a struct nonce_space and opens with a struct seal_cache of its own. Both
 * keep subkeys, because deriving one costs as much as sealing a frame. No allocation, no blocking.
 *
 * Technique: RFC 8439, NIST SP 800-38D, by libsodium; nonces as in WireGuard.
 */
#ifndef HEADLESS_SECURE_SEAL_H
#define HEADLESS_SECURE_SEAL_H

#include <sodium.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "headless/secure/keyring.h"

#define SEAL_HEADER_BYTES 40 /* of a frame and of a peer message */
#define SEAL_BLOCK_BYTES  16
#define SEAL_TAG_BYTES    16
#define SEAL_BYTES        (SEAL_BLOCK_BYTES + SEAL_TAG_BYTES) /* added by sealing */
#define SEAL_CACHE        256 /* subkeys: more nonce spaces than most clusters have */

enum seal_suite { SEAL_NONE, SEAL_CHACHA20_POLY1305 = 1, SEAL_AES256_GCM = 2, SEAL_SUITE_COUNT };

/* A bit for each suite that this machine has: 1 << suite. */
uint8_t seal_suites(void);
const char *seal_suite_name(enum seal_suite suite);

struct seal_block {
    uint32_t key; /* id */
    uint8_t suite;
    uint64_t value;
};

/* A subkey, ready for use. */
struct seal_subkey {
    _Alignas(16) crypto_aead_aes256gcm_state aes;
    uint8_t key[KEY_BYTES];
    uint32_t id; /* of the key that it was derived from; 0: none yet */
    uint8_t suite;
    uint16_t nonce_space;
    uint64_t instance;
};

void seal_subkey_init(struct seal_subkey *subkey, const struct key *key, enum key_purpose purpose,
                      uint64_t instance, uint16_t nonce_space, enum seal_suite suite);

/* ---- sealing ---- */

struct nonce_space {
    enum key_purpose purpose;
    uint64_t instance; /* of this process */
    uint16_t nonce_space;
    _Atomic uint64_t counter; /* the last used: written by the owner, read by any */
    struct seal_subkey subkey;
};

void nonce_space_init(struct nonce_space *nonce_space, enum key_purpose purpose, uint64_t instance,
                      uint16_t number);
/* Owner: the next counter, from 1; never the same twice. */
static inline uint64_t nonce_space_next(struct nonce_space *nonce_space)
{
    uint64_t counter = atomic_load_explicit(&nonce_space->counter, memory_order_relaxed) + 1;

    atomic_store_explicit(&nonce_space->counter, counter, memory_order_relaxed);
    return counter;
}
/* Any thread: the last counter. */
static inline uint64_t nonce_space_last(const struct nonce_space *nonce_space)
{
    return atomic_load_explicit(&nonce_space->counter, memory_order_relaxed);
}

/*
 * Seal the message at buffer + SEAL_BLOCK_BYTES, whose header already has the flag sealed, with a
 * counter from nonce_space_next. The result begins at buffer. Returns its bytes, length +
 * SEAL_BYTES, for which there must be room.
 */
size_t seal_wrap(struct nonce_space *nonce_space, const struct key *key, enum seal_suite suite,
                 uint64_t counter, uint64_t value, uint8_t *buffer, size_t length);

/* ---- opening ---- */

struct seal_cache {
    enum key_purpose purpose;
    struct seal_subkey subkeys[SEAL_CACHE];
};

void seal_cache_init(struct seal_cache *cache, enum key_purpose purpose);
void seal_cache_wipe(struct seal_cache *cache);

/* Read the block of a sealed message. False: too short, or not in its one encoding. */
bool seal_read_block(const uint8_t *data, size_t length, struct seal_block *ret_block);

/* The claimed sender of a message, from its header. */
struct seal_sender {
    uint64_t instance;
    uint16_t nonce_space;
    uint64_t counter;
};

/*
 * Open in place a message whose block seal_read_block has read. On success the plain message, its
 * header unchanged, is at data + SEAL_BLOCK_BYTES, length - SEAL_BYTES bytes. False: it is not
 * authentic, and the bytes behind header and block are undefined. Only subkeys of authentic
 * messages enter the cache.
 */
bool seal_unwrap(struct seal_cache *cache, const struct key *key, const struct seal_sender *sender,
                 const struct seal_block *block, uint8_t *data, size_t length);

#endif
