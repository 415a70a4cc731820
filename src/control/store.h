/*
 * store: keeps the highest term across restarts, in a file of three lines.
 *
 *   headlessd 1
 *   cluster NAME
 *   term N
 *
 * The term is a hint, so that terms do not fall when all pods restart together. The other pods are
 * asked before it is used, and a file that is missing, damaged or of another cluster counts as none.
 * Each write makes a new file and renames it, without fsync. A failed write is logged once and
 * retried with the next term; the previous file stays intact.
 *
 * Owner: the supervisor's thread. Blocks only on the local file system.
 */
#ifndef CONTROL_STORE_H
#define CONTROL_STORE_H

#include "headless/config/config.h"

struct store {
    const char *path; /* NULL: store is none */
    const char *cluster;
    bool has_failed; /* the last write; it has been logged */
};

/* Returns the stored term; 0: none. Logs why a file is ignored. */
uint64_t store_open(struct store *store, const struct config *config);

/* Store this term. False: it could not be written. */
bool store_save(struct store *store, uint64_t term);

#endif
