#include "headless/secure/seal.h"

#include "headless/base/bytes.h"

_Static_assert(crypto_aead_aes256gcm_NPUBBYTES == 12 &&
                   crypto_aead_chacha20poly1305_ietf_NPUBBYTES == 12,
               "a nonce is 96 bits");
_Static_assert(crypto_aead_aes256gcm_ABYTES == SEAL_TAG_BYTES &&
                   crypto_aead_chacha20poly1305_ietf_ABYTES == SEAL_TAG_BYTES,
               "a tag is 16 bytes");

#define NONCE_BYTES 12
#define AAD_BYTES   (SEAL_HEADER_BYTES + SEAL_BLOCK_BYTES)

uint8_t seal_suites(void)
{
    unsigned suites = 1U << SEAL_CHACHA20_POLY1305;

    if (crypto_aead_aes256gcm_is_available())
        suites |= 1U << SEAL_AES256_GCM;
    return (uint8_t)suites;
}

const char *seal_suite_name(enum seal_suite suite)
{
    static const char *const names[SEAL_SUITE_COUNT] = {[SEAL_NONE] = "none",
                                                        [SEAL_CHACHA20_POLY1305] =
                                                            "chacha20-poly1305",
                                                        [SEAL_AES256_GCM] = "aes-256-gcm"};

    return names[suite];
}

/* ---- subkeys ---- */

void seal_subkey_init(struct seal_subkey *subkey, const struct key *key, enum key_purpose purpose,
                      uint64_t instance, uint16_t nonce_space, enum seal_suite suite)
{
    key_derive(key, purpose, instance, nonce_space, subkey->key);
    if (suite == SEAL_AES256_GCM)
        (void)crypto_aead_aes256gcm_beforenm(&subkey->aes, subkey->key);
    subkey->id = key->id;
    subkey->suite = (uint8_t)suite;
    subkey->nonce_space = nonce_space;
    subkey->instance = instance;
}

static bool is_for(const struct seal_subkey *subkey, const struct key *key, uint8_t suite,
                   uint64_t instance, uint16_t nonce_space)
{
    return subkey->id == key->id && subkey->suite == suite && subkey->instance == instance &&
           subkey->nonce_space == nonce_space;
}

static void make_nonce(uint8_t nonce[static NONCE_BYTES], uint64_t counter)
{
    memset(nonce, 0, NONCE_BYTES - 8);
    (void)put_be64(nonce + NONCE_BYTES - 8, counter);
}

/* ---- the block ---- */

static void put_block(uint8_t out[static SEAL_BLOCK_BYTES], const struct seal_block *block)
{
    memset(out, 0, SEAL_BLOCK_BYTES);
    (void)put_be32(out, block->key);
    out[4] = block->suite;
    (void)put_be64(out + 8, block->value);
}

bool seal_read_block(const uint8_t *data, size_t length, struct seal_block *ret_block)
{
    const uint8_t *in = data + SEAL_HEADER_BYTES;

    if (length < AAD_BYTES + SEAL_TAG_BYTES || in[4] == SEAL_NONE || in[4] >= SEAL_SUITE_COUNT ||
        in[5] != 0 || in[6] != 0 || in[7] != 0)
        return false;
    *ret_block =
        (struct seal_block){.key = get_be32(in), .suite = in[4], .value = get_be64(in + 8)};
    return true;
}

/* ---- sealing ---- */

void nonce_space_init(struct nonce_space *nonce_space, enum key_purpose purpose, uint64_t instance,
                      uint16_t number)
{
    sodium_memzero(&nonce_space->subkey, sizeof(nonce_space->subkey));
    nonce_space->purpose = purpose;
    nonce_space->instance = instance;
    nonce_space->nonce_space = number;
    atomic_init(&nonce_space->counter, 0);
}

uint64_t nonce_space_next(struct nonce_space *nonce_space)
{
    uint64_t counter = atomic_load_explicit(&nonce_space->counter, memory_order_relaxed) + 1;

    atomic_store_explicit(&nonce_space->counter, counter, memory_order_relaxed);
    return counter;
}

size_t seal_wrap(struct nonce_space *nonce_space, const struct key *key, enum seal_suite suite,
                 uint64_t counter, uint64_t value, uint8_t *buffer, size_t length)
{
    const struct seal_block block = {.key = key->id, .suite = (uint8_t)suite, .value = value};
    uint8_t *body = buffer + AAD_BYTES, nonce[NONCE_BYTES];
    size_t body_bytes = length - SEAL_HEADER_BYTES;

    if (!is_for(&nonce_space->subkey, key, (uint8_t)suite, nonce_space->instance,
                nonce_space->nonce_space))
        seal_subkey_init(&nonce_space->subkey, key, nonce_space->purpose, nonce_space->instance,
                         nonce_space->nonce_space, suite);
    memmove(buffer, buffer + SEAL_BLOCK_BYTES, SEAL_HEADER_BYTES);
    put_block(buffer + SEAL_HEADER_BYTES, &block);
    make_nonce(nonce, counter);
    if (suite == SEAL_AES256_GCM)
        (void)crypto_aead_aes256gcm_encrypt_afternm(body, NULL, body, body_bytes, buffer, AAD_BYTES,
                                                    NULL, nonce, &nonce_space->subkey.aes);
    else
        (void)crypto_aead_chacha20poly1305_ietf_encrypt(
            body, NULL, body, body_bytes, buffer, AAD_BYTES, NULL, nonce, nonce_space->subkey.key);
    return length + SEAL_BYTES;
}

/* ---- opening ---- */

void seal_cache_init(struct seal_cache *cache, enum key_purpose purpose)
{
    seal_cache_wipe(cache);
    cache->purpose = purpose;
}

void seal_cache_wipe(struct seal_cache *cache)
{
    sodium_memzero(cache, sizeof(*cache));
}

/* Decrypt in place. libsodium clears the output when it is not authentic. */
static bool open_body(const struct seal_subkey *subkey, uint64_t counter, uint8_t *data,
                      size_t length)
{
    uint8_t *body = data + AAD_BYTES, nonce[NONCE_BYTES];
    size_t body_bytes = length - AAD_BYTES;

    make_nonce(nonce, counter);
    if (subkey->suite == SEAL_AES256_GCM)
        return crypto_aead_aes256gcm_decrypt_afternm(body, NULL, NULL, body, body_bytes, data,
                                                     AAD_BYTES, nonce, &subkey->aes) == 0;
    return crypto_aead_chacha20poly1305_ietf_decrypt(body, NULL, NULL, body, body_bytes, data,
                                                     AAD_BYTES, nonce, subkey->key) == 0;
}

bool seal_unwrap(struct seal_cache *cache, const struct key *key, const struct seal_sender *sender,
                 const struct seal_block *block, uint8_t *data, size_t length)
{
    size_t place =
        (size_t)(sender->instance ^ sender->instance >> 32 ^ key->id ^ sender->nonce_space) %
        SEAL_CACHE;
    struct seal_subkey *known = &cache->subkeys[place], made;
    bool is_known = is_for(known, key, block->suite, sender->instance, sender->nonce_space),
         is_authentic;

    if (!(seal_suites() >> block->suite & 1))
        return false; /* peers seal only with suites that this pod has announced */
    if (!is_known)
        seal_subkey_init(&made, key, cache->purpose, sender->instance, sender->nonce_space,
                         (enum seal_suite)block->suite);
    is_authentic = open_body(is_known ? known : &made, sender->counter, data, length);
    if (is_authentic && !is_known)
        *known = made;
    if (is_authentic)
        memmove(data + SEAL_BLOCK_BYTES, data, SEAL_HEADER_BYTES);
    if (!is_known)
        sodium_memzero(&made, sizeof(made));
    return is_authentic;
}
