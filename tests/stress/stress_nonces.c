/*
 * stress_nonces: ten million seals by many threads and pods, with restarts and key rotations, must
 * use no pair of key and nonce twice.
 *
 * The cipher is replaced (the linker wraps libsodium's) by one that records the subkey itself and
 * the nonce, as 128 bits of a hash. At the end the records are sorted; two equal ones are a reused
 * nonce, which would reveal both messages. Subkeys are compared by their bytes, however they were
 * derived.
 */
#include <pthread.h>
#include <string.h>

#include "headless/secure/seal.h"
#include "stress.h"

#define PODS         8     /* at the same time */
#define NONCE_SPACES 3     /* threads a pod */
#define LIVES        7     /* restarts of each pod */
#define SEALS        60000 /* of a thread between restarts */
#define NOTES        ((size_t)PODS * NONCE_SPACES * LIVES * SEALS)
#define KEYS         4 /* used one after the other */
#define MESSAGE      (SEAL_HEADER_BYTES + 8)

struct note {
    uint64_t high, low;
};

static struct note *notes;
static _Atomic size_t note_count;
static struct key keys[KEYS];

/* ---- the cipher ---- */

static void write_down(enum seal_suite suite, const uint8_t key[static KEY_BYTES],
                       const uint8_t nonce[static 12])
{
    static const uint8_t hash_key[crypto_shorthash_siphashx24_KEYBYTES] = "key of the test";
    uint8_t pair[1 + KEY_BYTES + 12], hash[crypto_shorthash_siphashx24_BYTES];
    size_t place = atomic_fetch_add_explicit(&note_count, 1, memory_order_relaxed);

    STRESS_CHECK(place < NOTES);
    pair[0] = (uint8_t)suite; /* the same subkey with another cipher is another key */
    memcpy(pair + 1, key, KEY_BYTES);
    memcpy(pair + 1 + KEY_BYTES, nonce, 12);
    (void)crypto_shorthash_siphashx24(hash, pair, sizeof(pair), hash_key);
    memcpy(&notes[place], hash, sizeof(hash));
}

int __wrap_crypto_aead_chacha20poly1305_ietf_encrypt(
    unsigned char *c, unsigned long long *clen, const unsigned char *m, unsigned long long mlen,
    const unsigned char *ad, unsigned long long adlen, const unsigned char *nsec,
    const unsigned char *npub, const unsigned char *k);
int __wrap_crypto_aead_aes256gcm_beforenm(crypto_aead_aes256gcm_state *state,
                                          const unsigned char *k);
int __wrap_crypto_aead_aes256gcm_encrypt_afternm(unsigned char *c, unsigned long long *clen,
                                                 const unsigned char *m, unsigned long long mlen,
                                                 const unsigned char *ad, unsigned long long adlen,
                                                 const unsigned char *nsec,
                                                 const unsigned char *npub,
                                                 const crypto_aead_aes256gcm_state *state);

int __wrap_crypto_aead_chacha20poly1305_ietf_encrypt(
    unsigned char *c, unsigned long long *clen, const unsigned char *m, unsigned long long mlen,
    const unsigned char *ad, unsigned long long adlen, const unsigned char *nsec,
    const unsigned char *npub, const unsigned char *k)
{
    (void)c, (void)clen, (void)m, (void)mlen, (void)ad, (void)adlen, (void)nsec;
    write_down(SEAL_CHACHA20_POLY1305, k, npub);
    return 0;
}

/* The prepared key is the key. */
int __wrap_crypto_aead_aes256gcm_beforenm(crypto_aead_aes256gcm_state *state,
                                          const unsigned char *k)
{
    memcpy(state, k, KEY_BYTES);
    return 0;
}

int __wrap_crypto_aead_aes256gcm_encrypt_afternm(unsigned char *c, unsigned long long *clen,
                                                 const unsigned char *m, unsigned long long mlen,
                                                 const unsigned char *ad, unsigned long long adlen,
                                                 const unsigned char *nsec,
                                                 const unsigned char *npub,
                                                 const crypto_aead_aes256gcm_state *state)
{
    uint8_t key[KEY_BYTES];

    (void)c, (void)clen, (void)m, (void)mlen, (void)ad, (void)adlen, (void)nsec;
    memcpy(key, state, KEY_BYTES);
    write_down(SEAL_AES256_GCM, key, npub);
    return 0;
}

/* ---- pods ---- */

struct sealer {
    pthread_t thread;
    struct nonce_space nonce_space;
};

/* As a data thread: frames in turn, sometimes with another key or cipher than before. */
static void *seal(void *self)
{
    struct sealer *s = self;
    uint64_t random = s->nonce_space.instance | 1;
    uint8_t buffer[MESSAGE + SEAL_BYTES] = {0};

    for (int i = 0; i < SEALS; i++) {
        uint64_t draw = stress_draw(&random);
        size_t key = (size_t)i * KEYS / SEALS;

        if (draw % 1000 == 0)
            key = draw / 1000 % KEYS; /* members may differ for a moment during a rotation */
        (void)seal_wrap(&s->nonce_space, &keys[key],
                        draw & 1 ? SEAL_AES256_GCM : SEAL_CHACHA20_POLY1305,
                        nonce_space_next(&s->nonce_space), 0, buffer, MESSAGE);
    }
    return NULL;
}

static void live(void)
{
    static struct sealer sealers[PODS][NONCE_SPACES];

    for (int pod = 0; pod < PODS; pod++) {
        uint64_t instance;

        randombytes_buf(&instance, sizeof(instance)); /* as identity_init does at every start */
        for (uint16_t nonce_space = 0; nonce_space < NONCE_SPACES; nonce_space++) {
            struct sealer *s = &sealers[pod][nonce_space];

            /* The last thread is the supervisor: nonce space 0 too, for another purpose. */
            nonce_space_init(&s->nonce_space,
                             nonce_space == NONCE_SPACES - 1 ? KEY_FOR_PEER : KEY_FOR_FRAMES,
                             instance, nonce_space == NONCE_SPACES - 1 ? 0 : nonce_space);
            STRESS_CHECK(pthread_create(&s->thread, NULL, seal, s) == 0);
        }
    }
    for (int pod = 0; pod < PODS; pod++) {
        for (int nonce_space = 0; nonce_space < NONCE_SPACES; nonce_space++)
            STRESS_CHECK(pthread_join(sealers[pod][nonce_space].thread, NULL) == 0);
    }
}

static int compare(const void *a, const void *b)
{
    const struct note *x = a, *y = b;

    if (x->high != y->high)
        return x->high < y->high ? -1 : 1;
    return x->low == y->low ? 0 : x->low < y->low ? -1 : 1;
}

int main(void)
{
    char text[KEY_TEXT_BYTES];

    (void)alarm(110); /* ten million, sorted */
    STRESS_CHECK(sodium_init() >= 0);
    notes = malloc(NOTES * sizeof(*notes));
    STRESS_CHECK(notes != NULL);
    for (int k = 0; k < KEYS; k++) {
        key_draw(text);
        STRESS_CHECK(key_parse(text, &keys[k]));
    }
    for (int life = 0; life < LIVES; life++)
        live();
    STRESS_CHECK(atomic_load_explicit(&note_count, memory_order_relaxed) == NOTES);
    qsort(notes, NOTES, sizeof(*notes), compare);
    for (size_t i = 1; i < NOTES; i++)
        STRESS_CHECK(compare(&notes[i - 1], &notes[i]) != 0);
    (void)printf("%zu seals of %d pods in %d lives with %d threads each, no key and nonce twice\n",
                 NOTES, PODS, LIVES, NONCE_SPACES);
    free(notes);
    return 0;
}
