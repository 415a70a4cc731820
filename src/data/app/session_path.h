/*
 * session_path: what many sessions have in common, kept once.
 *
 * A path is the address to which a client sent, its ingress pod, and the scope of a link-local
 * client. Nearly all sessions have one of a few paths, so a session stores the number of its path
 * in two bytes instead of 52. The table is bounded: a path that no session uses is free again.
 *
 * Pure data structure. Owner: its worker's thread. Only init allocates; memory of paths that were
 * never used is not touched.
 */
#ifndef DATA_APP_SESSION_PATH_H
#define DATA_APP_SESSION_PATH_H

#include "headless/data/request.h"

#define SESSION_PATHS_MAX 4096
#define SESSION_PATH_NONE UINT16_MAX

struct session_path {
    struct address local, ingress;
    uint32_t client_scope;
    uint32_t sessions; /* that use it; 0: free */
    uint16_t next;     /* index + 1, in its bucket or among the free ones; 0: the last */
};

struct session_paths {
    struct session_path *table; /* SESSION_PATHS_MAX */
    uint16_t *buckets;          /* SESSION_PATHS_MAX; index + 1, 0: empty */
    uint32_t used;              /* of the table; the others were never used */
    uint16_t free;              /* index + 1 of the first that is free again */
    uint16_t last;              /* found or added last: mostly the next one, too */
    uint8_t hash_key[16];
};

/* Returns 0 or -ENOMEM. */
int session_paths_init(struct session_paths *paths) __attribute__((warn_unused_result));
void session_paths_fini(struct session_paths *paths);

/* One more session uses the path of this origin. SESSION_PATH_NONE: all paths are in use. */
uint16_t session_paths_use(struct session_paths *paths, const struct origin *origin);

/* One session less uses it. */
void session_paths_release(struct session_paths *paths, uint16_t path);

/* True when the path at this number is that of the origin. */
static inline bool session_paths_is_of(const struct session_paths *paths, uint16_t path,
                                       const struct origin *origin)
{
    const struct session_path *it = &paths->table[path];

    return address_equal(&it->local, &origin->local) &&
           address_equal(&it->ingress, &origin->ingress) &&
           it->client_scope == origin->client.scope;
}

#endif
