/*
 * session_path: what many sessions have in common, kept once.
 *
 * A path is the address to which a client sent, its ingress pod, and the family and scope of the
 * client. Nearly all sessions have one of a few paths, so a session stores the number of its path
 * in 20 bits instead of 53 bytes. A path that no session uses is free again, and there is room for as
 * many as sessions: somebody in the pod's own network may send to each of many local addresses.
 *
 * Pure data structure. Owner: its worker's thread. Only init allocates; memory of paths that were
 * never used is not touched.
 */
#ifndef DATA_APP_SESSION_PATH_H
#define DATA_APP_SESSION_PATH_H

#include "headless/data/request.h"

#define SESSION_PATH_BITS 20

struct session_path {
    struct address local, ingress;
    uint32_t client_scope;
    uint32_t sessions; /* that use it; 0: free */
    uint32_t next;     /* index + 1, in its bucket or among the free ones; 0: the last */
    uint8_t client_family;
};

struct session_paths {
    struct session_path *table;
    uint32_t *buckets; /* index + 1, 0: empty */
    uint32_t capacity; /* of each */
    uint32_t used;     /* of the table; the others were never used */
    uint32_t free;     /* index + 1 of the first that is free again */
    uint32_t last;     /* found or added last: mostly the next one, too */
    uint8_t hash_key[16];
};

/* capacity: sessions, at most 1 << SESSION_PATH_BITS. Returns 0 or -ENOMEM. */
int session_paths_init(struct session_paths *paths, uint32_t capacity)
    __attribute__((warn_unused_result));
void session_paths_fini(struct session_paths *paths);

/* One more session uses the path of this origin; at most capacity sessions use one. */
uint32_t session_paths_use(struct session_paths *paths, const struct origin *origin);

/* One session less uses it. */
void session_paths_release(struct session_paths *paths, uint32_t path);

/* True when the path at this number is that of the origin. */
static inline bool session_paths_is_of(const struct session_paths *paths, uint32_t path,
                                       const struct origin *origin)
{
    const struct session_path *it = &paths->table[path];

    return address_equal(&it->local, &origin->local) &&
           address_equal(&it->ingress, &origin->ingress) &&
           it->client_scope == origin->client.scope && it->client_family == origin->client.family;
}

#endif
