#include "data/app/session_path.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

int session_paths_init(struct session_paths *paths, uint32_t capacity)
{
    struct session_paths made = {.capacity = capacity};

    made.table = calloc(capacity, sizeof(*made.table));
    made.buckets = calloc(capacity, sizeof(*made.buckets));
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
static uint32_t *path_bucket(const struct session_paths *paths, const struct session_path *path)
{
    uint8_t key[2 * sizeof(path->local) + sizeof(path->client_scope) + 1],
        hash[crypto_shorthash_BYTES];
    uint8_t *at = key;
    uint64_t number;

    memcpy(at, &path->local, sizeof(path->local));
    at += sizeof(path->local);
    memcpy(at, &path->ingress, sizeof(path->ingress));
    at += sizeof(path->ingress);
    memcpy(at, &path->client_scope, sizeof(path->client_scope));
    at[sizeof(path->client_scope)] = path->client_family;
    (void)crypto_shorthash(hash, key, sizeof(key), paths->hash_key);
    memcpy(&number, hash, sizeof(number));
    return &paths->buckets[number % paths->capacity];
}

static uint32_t take_free_path(struct session_paths *paths)
{
    uint32_t link = paths->free;

    if (!link)
        return paths->used++;
    paths->free = paths->table[link - 1].next;
    return link - 1;
}

static uint32_t find_or_add(struct session_paths *paths, const struct origin *origin)
{
    struct session_path wanted = {.local = origin->local,
                                  .ingress = origin->ingress,
                                  .client_scope = origin->client.scope,
                                  .client_family = origin->client.family};
    uint32_t *bucket = path_bucket(paths, &wanted);
    uint32_t path;

    for (uint32_t link = *bucket; link; link = paths->table[link - 1].next) {
        if (session_paths_is_of(paths, link - 1, origin))
            return link - 1;
    }
    path = take_free_path(paths);
    wanted.next = *bucket;
    paths->table[path] = wanted;
    *bucket = path + 1;
    return path;
}

uint32_t session_paths_use(struct session_paths *paths, const struct origin *origin)
{
    uint32_t path = paths->last;

    if (paths->table[path].sessions == 0 || !session_paths_is_of(paths, path, origin))
        path = find_or_add(paths, origin);
    paths->table[path].sessions++;
    paths->last = path;
    return path;
}

void session_paths_release(struct session_paths *paths, uint32_t path)
{
    struct session_path *it = &paths->table[path];
    uint32_t *link;

    if (--it->sessions > 0)
        return;
    link = path_bucket(paths, it);
    while (*link != path + 1)
        link = &paths->table[*link - 1].next;
    *link = it->next;
    it->next = paths->free;
    paths->free = path + 1;
}
