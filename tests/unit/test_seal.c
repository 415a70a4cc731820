/* seal: bytes equal those of another implementation, and altered ones are refused. */
#include <criterion/criterion.h>
#include <string.h>

#include "headless/secure/seal.h"

#define INSTANCE    UINT64_C(0x0123456789abcdef)
#define COUNTER     UINT64_C(0x0102030405060708)
#define VALUE       UINT64_C(0x1122334455667788)
#define BODY        "the quick brown fox"
#define LENGTH      (SEAL_HEADER_BYTES + sizeof(BODY) - 1)
#define SEALED      (LENGTH + SEAL_BYTES)
#define NONCE_SPACE 3

static struct key key;
static struct nonce_space nonce_space;
static struct seal_cache cache;
static const struct seal_sender sender = {INSTANCE, NONCE_SPACE, COUNTER};

static void setup(void)
{
    cr_assert_geq(sodium_init(), 0);
    cr_assert(key_parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", &key));
    nonce_space_init(&nonce_space, KEY_FOR_FRAMES, INSTANCE, NONCE_SPACE);
    seal_cache_init(&cache, KEY_FOR_FRAMES);
}

TestSuite(seal, .init = setup, .timeout = 60);

static void fill(uint8_t *plain)
{
    for (size_t i = 0; i < SEAL_HEADER_BYTES; i++)
        plain[i] = (uint8_t)(0xa0 + i);
    memcpy(plain + SEAL_HEADER_BYTES, BODY, sizeof(BODY) - 1);
}

static void seal(enum seal_suite suite, uint8_t buffer[static SEALED])
{
    fill(buffer + SEAL_BLOCK_BYTES);
    cr_assert_eq(seal_wrap(&nonce_space, &key, suite, COUNTER, VALUE, buffer, LENGTH), SEALED);
}

static bool open_it(const struct seal_sender *from, uint8_t *data, size_t length)
{
    struct seal_block block;

    return seal_read_block(data, length, &block) &&
           seal_unwrap(&cache, &key, from, &block, data, length);
}

static bool has(enum seal_suite suite)
{
    return seal_suites() >> suite & 1;
}

/* Python's cryptography: nonce 0 | counter, header and block as additional data. */
Test(seal, bytes_equal_those_of_another_implementation)
{
    static const char *const expected[] = {
        [SEAL_CHACHA20_POLY1305] =
            "3046264fee46b811d248d6248c34ad936a217bbca713ae58ed06b8bdc5ab10b3fdd534",
        [SEAL_AES256_GCM] =
            "e6182fdaad8e54b1aa5441f79542c4c89100558c9c314dc273ab6fdc52fb6f630ec27c",
    };

    for (enum seal_suite suite = SEAL_CHACHA20_POLY1305; suite < SEAL_SUITE_COUNT; suite++) {
        uint8_t buffer[SEALED];
        char text[2 * SEALED + 1];

        if (!has(suite))
            continue; /* no AES instructions */
        seal(suite, buffer);
        (void)sodium_bin2hex(text, sizeof(text), buffer + SEAL_HEADER_BYTES,
                             sizeof(buffer) - SEAL_HEADER_BYTES);
        cr_assert_eq(strncmp(text, "581512cc", 8), 0);
        cr_assert_eq(strncmp(text + 16, "1122334455667788", 16), 0);
        cr_assert_str_eq(text + 32, expected[suite], "%s", seal_suite_name(suite));
    }
}

Test(seal, sealed_message_is_opened)
{
    uint8_t plain[LENGTH], buffer[SEALED];
    struct seal_block block;

    fill(plain);
    for (enum seal_suite suite = SEAL_CHACHA20_POLY1305; suite < SEAL_SUITE_COUNT; suite++) {
        for (int again = 0; has(suite) && again < 2; again++) { /* then out of the cache */
            seal(suite, buffer);
            cr_assert(seal_read_block(buffer, SEALED, &block));
            cr_assert_eq(block.key, key.id);
            cr_assert_eq(block.value, VALUE);
            cr_assert_eq(block.suite, suite);
            cr_assert(seal_unwrap(&cache, &key, &sender, &block, buffer, SEALED));
            cr_assert_arr_eq(buffer + SEAL_BLOCK_BYTES, plain, LENGTH);
        }
    }
}

Test(seal, any_flipped_bit_is_detected)
{
    uint8_t sealed[SEALED], altered[SEALED];

    for (enum seal_suite suite = SEAL_CHACHA20_POLY1305; suite < SEAL_SUITE_COUNT; suite++) {
        if (!has(suite))
            continue;
        seal(suite, sealed);
        for (size_t bit = 0; bit < 8 * SEALED; bit++) {
            memcpy(altered, sealed, SEALED);
            altered[bit / 8] ^= (uint8_t)(1U << bit % 8);
            cr_assert_not(open_it(&sender, altered, SEALED), "bit %zu", bit);
        }
        for (size_t length = 0; length < SEALED; length++) {
            memcpy(altered, sealed, SEALED);
            cr_assert_not(open_it(&sender, altered, length), "%zu bytes", length);
        }
    }
}

Test(seal, another_sender_nonce_space_counter_key_or_purpose_is_refused)
{
    const struct seal_sender others[] = {{INSTANCE + 1, NONCE_SPACE, COUNTER},
                                         {INSTANCE, NONCE_SPACE + 1, COUNTER},
                                         {INSTANCE, NONCE_SPACE, COUNTER + 1}};
    uint8_t sealed[SEALED], copy[SEALED];
    char text[KEY_TEXT_BYTES];
    struct seal_block block;
    struct key other;

    seal(SEAL_CHACHA20_POLY1305, sealed);
    for (size_t i = 0; i < 3; i++) {
        memcpy(copy, sealed, SEALED);
        cr_assert_not(open_it(&others[i], copy, SEALED), "%zu", i);
    }
    key_draw(text);
    cr_assert(key_parse(text, &other));
    memcpy(copy, sealed, SEALED);
    cr_assert(seal_read_block(copy, SEALED, &block));
    cr_assert_not(seal_unwrap(&cache, &other, &sender, &block, copy, SEALED));
    seal_cache_init(&cache, KEY_FOR_PEER);
    memcpy(copy, sealed, SEALED);
    cr_assert_not(open_it(&sender, copy, SEALED));
    seal_cache_init(&cache, KEY_FOR_FRAMES);
    cr_assert(open_it(&sender, sealed, SEALED), "the original itself");
}

/* A failed message must not evict a subkey from the cache, nor enter it. */
Test(seal, forgery_does_not_change_the_cache)
{
    const struct seal_sender forged = {INSTANCE + SEAL_CACHE, NONCE_SPACE,
                                       COUNTER}; /* the same place */
    struct seal_cache before;
    uint8_t sealed[SEALED], copy[SEALED];

    seal(SEAL_CHACHA20_POLY1305, sealed);
    memcpy(copy, sealed, SEALED);
    cr_assert(open_it(&sender, copy, SEALED));
    memcpy(&before, &cache, sizeof(before));
    memcpy(copy, sealed, SEALED);
    cr_assert_not(open_it(&forged, copy, SEALED));
    cr_assert_eq(memcmp(&before, &cache, sizeof(before)), 0);
}

Test(seal, counters_never_repeat)
{
    uint64_t last = 0;

    for (int i = 0; i < 1000; i++) {
        uint64_t counter = nonce_space_next(&nonce_space);

        cr_assert_eq(counter, last + 1);
        last = counter;
    }
    cr_assert_eq(atomic_load(&nonce_space.counter), last);
}

Test(seal, block_has_one_encoding)
{
    uint8_t sealed[SEALED];
    struct seal_block block;

    seal(SEAL_CHACHA20_POLY1305, sealed);
    for (size_t i = SEAL_HEADER_BYTES + 5; i < SEAL_HEADER_BYTES + 8; i++) {
        sealed[i] = 1;
        cr_assert_not(seal_read_block(sealed, SEALED, &block));
        sealed[i] = 0;
    }
    sealed[SEAL_HEADER_BYTES + 4] = SEAL_NONE;
    cr_assert_not(seal_read_block(sealed, SEALED, &block));
    sealed[SEAL_HEADER_BYTES + 4] = SEAL_SUITE_COUNT;
    cr_assert_not(seal_read_block(sealed, SEALED, &block));
}
