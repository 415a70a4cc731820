/*
 * store: keeps the highest term across restarts, in a file of three lines.
 *
 *   headlessd 1
 *   cluster NAME
 *   term N
 *
 * The term is a hint, so that terms do not fall when all pods restart together: no vote and no lease
 * depends on it (docs/election.md, rule 11). The other pods are asked before it is used, and a file
 * that is missing, damaged or of another cluster counts as none. Each write makes a new file and
 * renames it, without fsync. A failed write is logged once and retried with the next term; the
 * previous file stays intact.
 *
 * A volume may block without end (a network file system whose server has gone). So a thread of its
 * own reads and writes; store_open and store_save wait for it for a bounded time (completion.h).
 * Usually a term is in the file before the supervisor's next action; on a volume that hangs, that
 * counts as a failed write, and the thread writes the newest term when the volume works again.
 *
 * Owner: the thread that runs the election; the store thread owns what is marked. Blocking:
 * store_open at most STORE_OPEN_NS, store_save STORE_SAVE_NS once until the volume works again.
 */
#ifndef CONTROL_STORE_H
#define CONTROL_STORE_H

#include "headless/base/agent.h"
#include "headless/base/completion.h"
#include "headless/base/waker.h"
#include "headless/config/config.h"

#define STORE_OPEN_NS UINT64_C(2000000000)
#define STORE_SAVE_NS UINT64_C(100000000) /* less than the leader's heartbeat.interval */

struct store {
    char path[CONFIG_TEXT_MAX], cluster[CONFIG_TEXT_MAX];
    uint32_t posted;           /* jobs: the read, and each term */
    bool is_late;              /* the last job was not done in time; it has been logged */
    _Atomic uint32_t jobs;     /* posted, for the store thread */
    _Atomic uint64_t wanted;   /* the newest term to write */
    _Atomic uint64_t found;    /* store thread: the term that was read; 0: none */
    _Atomic int written;       /* store thread: 0 or a negative errno of the last write */
    bool has_read, has_failed; /* store thread; the failed write has been logged */
    struct completion completion;
    struct agent agent;
    struct waker waker;
};

/*
 * Read the stored term; 0: none. Logs why a file is ignored. Returns 0 or a negative errno;
 * *ret_store is NULL without a path.
 */
int store_open(const struct config *config, struct store **ret_store, uint64_t *ret_term)
    __attribute__((warn_unused_result));

/* Store this term. False: it could not be written, or not in time. store may be NULL. */
bool store_save(struct store *store, uint64_t term);

/* End the thread; one that the kernel still holds is left behind, with its memory. */
void store_close(struct store *store);

#endif
