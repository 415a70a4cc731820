#include "data/app/session.h"

#include <errno.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>

static uint32_t session_index(const struct sessions *sessions, const struct session *session)
{
    return (uint32_t)(session - sessions->table);
}

static struct session *session_at(const struct sessions *sessions, uint32_t link)
{
    return link ? &sessions->table[link - 1] : NULL;
}

static void list_append(struct sessions *sessions, struct session_list *list,
                        struct session *session)
{
    uint32_t link = session_index(sessions, session) + 1;

    session->newer = 0;
    session->older = list->newest;
    if (list->newest)
        session_at(sessions, list->newest)->newer = link;
    else
        list->oldest = link;
    list->newest = link;
}

static void list_remove(struct sessions *sessions, struct session_list *list,
                        struct session *session)
{
    if (session->older)
        session_at(sessions, session->older)->newer = session->newer;
    else
        list->oldest = session->newer;
    if (session->newer)
        session_at(sessions, session->newer)->older = session->older;
    else
        list->newest = session->older;
}

static struct session_list *list_of(struct sessions *sessions, const struct session *session)
{
    return session->requests > 1 ? &sessions->established : &sessions->single;
}

static uint32_t *bucket_of(const struct sessions *sessions, const struct origin *origin)
{
    uint8_t hash[crypto_shorthash_BYTES];
    uint32_t number;

    /* client, local and ingress are the first three members, without padding */
    (void)crypto_shorthash(hash, (const uint8_t *)origin, offsetof(struct origin, tag),
                           sessions->hash_key);
    memcpy(&number, hash, sizeof(number));
    return &sessions->buckets[number & sessions->bucket_mask];
}

int sessions_init(struct sessions *sessions, uint32_t capacity, bool numbers_are_addresses)
{
    struct sessions made = {.capacity = capacity};
    uint32_t buckets = 1;

    while ((UINT32_C(1) << made.index_bits) < capacity)
        made.index_bits++;
    while (buckets < capacity)
        buckets *= 2;
    made.bucket_mask = buckets - 1;
    /* The last epoch is not used: its last number would be 127.255.255.255, a broadcast address. */
    made.epochs = (UINT32_C(1) << (SESSION_NUMBER_BITS - made.index_bits)) - 1;
    /* Rounded up: all epochs together must take at least SESSION_REUSE_NS. */
    made.reuse_ns = numbers_are_addresses ? SESSION_REUSE_NS / made.epochs + 1 : 0;
    randombytes_buf(made.hash_key, sizeof(made.hash_key));
    made.table = calloc(capacity, sizeof(*made.table));
    made.buckets = calloc(buckets, sizeof(*made.buckets));
    if (!made.table || !made.buckets) {
        sessions_fini(&made);
        return -ENOMEM;
    }
    *sessions = made;
    for (uint32_t i = 0; i < capacity; i++) {
        sessions->table[i].epoch = made.epochs - 1; /* the first use has epoch 0 */
        list_append(sessions, &sessions->free, &sessions->table[i]);
    }
    return 0;
}

void sessions_fini(struct sessions *sessions)
{
    free(sessions->table);
    free(sessions->buckets);
    sessions->table = NULL;
    sessions->buckets = NULL;
}

struct session *sessions_find(struct sessions *sessions, const struct origin *origin)
{
    struct session *session = session_at(sessions, *bucket_of(sessions, origin));

    while (session && memcmp(&session->origin, origin, offsetof(struct origin, tag)) != 0)
        session = session_at(sessions, session->next_in_bucket);
    return session;
}

static bool may_be_assigned(const struct sessions *sessions, const struct session *session,
                            uint64_t now_ns)
{
    return session->assigned_ns == 0 || now_ns - session->assigned_ns >= sessions->reuse_ns;
}

bool sessions_has_room(const struct sessions *sessions, uint64_t now_ns)
{
    const struct session *next = session_at(sessions, sessions->free.oldest);

    return next && may_be_assigned(sessions, next, now_ns);
}

struct session *sessions_victim(const struct sessions *sessions, uint64_t now_ns)
{
    struct session *victim = session_at(sessions, sessions->single.oldest);

    /* While free indices may not be assigned yet, evicting a session makes no room. */
    if (!victim || sessions->free.oldest || !may_be_assigned(sessions, victim, now_ns))
        return NULL;
    return victim;
}

static void sessions_add_to_count(struct sessions *sessions, uint64_t change)
{
    atomic_store_explicit(&sessions->count,
                          atomic_load_explicit(&sessions->count, memory_order_relaxed) + change,
                          memory_order_relaxed);
}

struct session *sessions_open(struct sessions *sessions, const struct origin *origin,
                              uint64_t now_ns)
{
    struct session *session = session_at(sessions, sessions->free.oldest);
    uint32_t *bucket = bucket_of(sessions, origin);

    if (!session)
        return NULL;
    list_remove(sessions, &sessions->free, session);
    *session = (struct session){
        .origin = *origin,
        .used_ns = now_ns,
        .assigned_ns = now_ns,
        .epoch = (session->epoch + 1) % sessions->epochs,
        .next_in_bucket = *bucket,
        .fd = -1,
        .in_use = true,
    };
    *bucket = session_index(sessions, session) + 1;
    list_append(sessions, &sessions->single, session);
    sessions_add_to_count(sessions, 1);
    return session;
}

void sessions_touch(struct sessions *sessions, struct session *session, bool is_request,
                    uint64_t now_ns)
{
    list_remove(sessions, list_of(sessions, session), session);
    session->requests += is_request;
    session->used_ns = now_ns;
    list_append(sessions, list_of(sessions, session), session);
}

struct session *sessions_idle(const struct sessions *sessions, uint64_t idle_ns, uint64_t now_ns)
{
    struct session *session = session_at(sessions, sessions->single.oldest);

    if (session && now_ns - session->used_ns >= idle_ns)
        return session;
    session = session_at(sessions, sessions->established.oldest);
    return session && now_ns - session->used_ns >= idle_ns ? session : NULL;
}

/* Merges the two lists, which are ordered by age. */
size_t sessions_newest(const struct sessions *sessions, size_t max,
                       const struct session *ret_newest[])
{
    const struct session *single = session_at(sessions, sessions->single.newest);
    const struct session *established = session_at(sessions, sessions->established.newest);
    size_t count = 0;

    while (count < max && (single || established)) {
        const struct session **newest =
            !established || (single && single->used_ns > established->used_ns) ? &single
                                                                               : &established;

        ret_newest[count++] = *newest;
        *newest = session_at(sessions, (*newest)->older);
    }
    return count;
}

void sessions_close(struct sessions *sessions, struct session *session)
{
    uint32_t *link = bucket_of(sessions, &session->origin);

    while (*link != session_index(sessions, session) + 1)
        link = &sessions->table[*link - 1].next_in_bucket;
    *link = session->next_in_bucket;
    list_remove(sessions, list_of(sessions, session), session);
    session->in_use = false;
    list_append(sessions, &sessions->free, session);
    sessions_add_to_count(sessions, UINT64_MAX); /* minus one */
}

uint32_t sessions_number(const struct sessions *sessions, const struct session *session)
{
    return session->epoch << sessions->index_bits | session_index(sessions, session);
}

struct session *sessions_by_number(const struct sessions *sessions, uint32_t number)
{
    uint32_t index = number & ((UINT32_C(1) << sessions->index_bits) - 1);
    struct session *session;

    if (index >= sessions->capacity)
        return NULL;
    session = &sessions->table[index];
    return session->in_use && session->epoch == number >> sessions->index_bits ? session : NULL;
}
