/*
 * store: keeps the highest term over restarts.
 *
 *   headlessd 1
 *   cluster NAME
 *   term N
 *
 * It is a hint, so that terms do not fall when all pods restart together: nothing in it is believed
 * without asking the others, and a file that is missing, broken or another cluster's counts as
 * none. It is written anew and renamed, without fsync. A full disk or a read-only one is said once,
 * and tried again with the next term; the file before it stays whole.
 *
 * Owner: the supervisor's thread. Blocks only on the local file system.
 */
#ifndef CONTROL_STORE_H
#define CONTROL_STORE_H

#include "headless/config/config.h"

struct store {
    const char *path; /* NULL: store is none */
    const char *cluster;
    bool has_failed; /* and it has been said */
};

/* The stored term; 0: none. Says why it ignores a file. */
uint64_t store_open(struct store *store, const struct config *config);

/* Keep this term. False: it could not be written. */
bool store_save(struct store *store, uint64_t term);

#endif
