#include "headless/data/identity.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "headless/base/clock.h"
#include "headless/wire/frame.h"

/* Values that differ between two processes even if their kernels return the same random bytes: the kernels of a
 * machine whose snapshot was restored twice do so until they are reseeded. */
struct seed {
    uint8_t random[32];
    struct timespec real;
    uint64_t now_ns;
    int64_t pid;
    struct address self;
    char name[CONFIG_NAME_MAX];
};

static void draw(const struct config *config, void *out, size_t bytes)
{
    struct seed seed;

    memset(&seed, 0, sizeof(seed)); /* with its padding, since it is hashed */
    randombytes_buf(seed.random, sizeof(seed.random));
    (void)clock_gettime(CLOCK_REALTIME, &seed.real);
    seed.now_ns = clock_now_ns();
    seed.pid = getpid();
    seed.self = config->self;
    (void)snprintf(seed.name, sizeof(seed.name), "%s", config->name);
    (void)crypto_generichash(out, bytes, (const uint8_t *)&seed, sizeof(seed), NULL, 0);
    sodium_memzero(&seed, sizeof(seed));
}

int identity_init(struct identity *identity, const struct config *config)
{
    struct {
        uint64_t instance;
        uint8_t tag_key[sizeof(identity->tag_key)];
    } drawn;

    if (sodium_init() < 0)
        return -EIO;
    *identity = (struct identity){
        .cluster = frame_cluster_id(config->cluster),
        .self = config->self,
    };
    (void)snprintf(identity->name, sizeof(identity->name), "%s", config->name);
    do {
        draw(config, &drawn, sizeof(drawn));
        identity->instance = drawn.instance;
    } while (identity->instance == 0); /* 0 means unknown */
    memcpy(identity->tag_key, drawn.tag_key, sizeof(identity->tag_key));
    sodium_memzero(&drawn, sizeof(drawn));
    return 0;
}

uint64_t identity_tag(const struct identity *identity, const struct address *client,
                      const struct address *local)
{
    const struct address both[2] = {*client, *local};
    uint8_t hash[crypto_shorthash_BYTES];
    uint64_t tag;

    (void)crypto_shorthash(hash, (const uint8_t *)both, sizeof(both), identity->tag_key);
    memcpy(&tag, hash, sizeof(tag));
    return tag;
}
