/*
 * claim: one statement of leadership, and the order of claims.
 *
 * A pod follows the highest claim it has seen. Higher term wins. Same term, different leader: the
 * earlier in the leader list, then the lower issuer instance. Terms only grow.
 *
 * Pure values; any thread.
 */
#ifndef HEADLESS_CONTROL_CLAIM_H
#define HEADLESS_CONTROL_CLAIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "headless/base/address.h"
#include "headless/config/config.h"

enum claim_cause { CLAIM_NONE, CLAIM_ALONE, CLAIM_YAML, CLAIM_COMMAND, CLAIM_CAUSE_COUNT };

struct claim {
    uint64_t term;
    struct address leader; /* IP, with its port when outside the cluster; unset: nobody */
    char name[CONFIG_NAME_MAX];
    bool outside; /* the leader is no member */
    enum claim_cause cause;
    uint64_t issuer; /* instance of the pod that stated it */
    size_t rank;     /* of the leader in the leader list, 0 first */
};

/* Does a supersede b? False for equal ones. */
bool claim_supersedes(const struct claim *a, const struct claim *b);

/* "yaml", "command", ... */
const char *claim_cause_name(enum claim_cause cause);

#endif
