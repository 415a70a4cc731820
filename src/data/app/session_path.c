#include "data/app/session_path.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

int session_paths_init(struct session_paths *paths)
{
    struct session_paths made = {.last = 0};

    made.table = calloc(SESSION_PATHS_MAX, sizeof(*made.table));
    made.buckets = calloc(SESSION_PATHS_MAX, sizeof(*made.buckets));
    if (!made.table || !made.buckets) {
        session_paths_fini(&made);
        return -ENOMEM;
    }
    randombytes_buf(made.hash_key, sizeof(made.hash_key));
    *paths = made;
    return 0;
}

void session_paths_fini(struct session_paths *paths)
{
    free(paths->table);
    free(paths->buckets);
    paths->table = NULL;
    paths->buckets = NULL;
}

/* Keyed: a client in the pod's own network may choose among many local addresses. */
static uint16_t *path_bucket(const struct session_paths *paths, const struct address *local,
                             const struct address *ingress, uint32_t client_scope)
{
    uint8_t key[2 * sizeof(*local) + sizeof(client_scope)], hash[crypto_shorthash_BYTES];
    uint16_t number;

    memcpy(key, local, sizeof(*local));
    memcpy(key + sizeof(*local), ingress, sizeof(*ingress));
    memcpy(key + 2 * sizeof(*local), &client_scope, sizeof(client_scope));
    (void)crypto_shorthash(hash, key, sizeof(key), paths->hash_key);
    memcpy(&number, hash, sizeof(number));
    return &paths->buckets[number % SESSION_PATHS_MAX];
}

/* An entry that is free, or SESSION_PATH_NONE. */
static uint16_t take_free_path(struct session_paths *paths)
{
    uint16_t link = paths->free;

    if (link) {
        paths->free = paths->table[link - 1].next;
        return (uint16_t)(link - 1);
    }
    return paths->used < SESSION_PATHS_MAX ? (uint16_t)paths->used++ : SESSION_PATH_NONE;
}

static uint16_t add_path(struct session_paths *paths, const struct origin *origin, uint16_t *bucket)
{
    uint16_t path = take_free_path(paths);

    if (path == SESSION_PATH_NONE)
        return path;
    paths->table[path] = (struct session_path){.local = origin->local,
                                               .ingress = origin->ingress,
                                               .client_scope = origin->client.scope,
                                               .next = *bucket};
    *bucket = (uint16_t)(path + 1);
    return path;
}

uint16_t session_paths_use(struct session_paths *paths, const struct origin *origin)
{
    uint16_t *bucket, link;
    uint16_t path = paths->last;

    if (paths->table[path].sessions == 0 || !session_paths_is_of(paths, path, origin)) {
        bucket = path_bucket(paths, &origin->local, &origin->ingress, origin->client.scope);
        link = *bucket;
        while (link && !session_paths_is_of(paths, (uint16_t)(link - 1), origin))
            link = paths->table[link - 1].next;
        path = link ? (uint16_t)(link - 1) : add_path(paths, origin, bucket);
    }
    if (path == SESSION_PATH_NONE)
        return path;
    paths->table[path].sessions++;
    paths->last = path;
    return path;
}

void session_paths_release(struct session_paths *paths, uint16_t path)
{
    struct session_path *it = &paths->table[path];
    uint16_t *link;

    if (--it->sessions > 0)
        return;
    link = path_bucket(paths, &it->local, &it->ingress, it->client_scope);
    while (*link != path + 1)
        link = &paths->table[*link - 1].next;
    *link = it->next;
    it->next = paths->free;
    paths->free = (uint16_t)(path + 1);
}
