#include "headless/data/identity.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#include "headless/wire/frame.h"

int identity_init(struct identity *identity, const struct config *config)
{
    if (sodium_init() < 0)
        return -EIO;
    *identity = (struct identity){
        .cluster = frame_cluster_id(config->cluster),
        .self = config->self,
    };
    (void)snprintf(identity->name, sizeof(identity->name), "%s", config->name);
    do
        randombytes_buf(&identity->instance, sizeof(identity->instance));
    while (identity->instance == 0); /* 0 means unknown */
    randombytes_buf(identity->tag_key, sizeof(identity->tag_key));
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
