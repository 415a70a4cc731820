/*
 * identity: instance, cluster, address and name of this process, and the secret of its tags.
 *
 * instance is a new 64-bit random number at every start: a pod's address and name come back after a
 * restart, its instance never does. It also differs where two machines have the same random bytes
 * (clones from one snapshot) and the addresses, names, clocks or pids differ. The secret makes record tags: only the pod that wrote a record's
 * client and local address can have made its tag, so a REPLY frame cannot make this pod send to a
 * third party.
 *
 * Constant after identity_init; any thread.
 */
#ifndef HEADLESS_DATA_IDENTITY_H
#define HEADLESS_DATA_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "headless/config/config.h"

struct identity {
    uint64_t instance;
    uint64_t cluster; /* frame_cluster_id of the cluster's name */
    struct address self;
    char name[CONFIG_NAME_MAX];
    uint8_t tag_key[16];
};

/* Draws instance and secret. Returns 0, or -EIO when libsodium cannot start. */
int identity_init(struct identity *identity, const struct config *config)
    __attribute__((warn_unused_result));

/* SipHash-2-4 of client and local under the secret. */
uint64_t identity_tag(const struct identity *identity, const struct address *client,
                      const struct address *local);

#endif
