#include "data/app/session_list.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/mman.h>

/* ---- buckets ---- */

/* Keyed, so that no client can choose its bucket. IPv4 alone is packed into 16 bytes. */
static uint32_t *bucket_of(const struct sessions *sessions, const struct origin *origin)
{
    uint8_t key[offsetof(struct origin, tag)], hash[crypto_shorthash_BYTES];
    uint32_t number;
    size_t bytes = 16;

    if (sessions->setup.is_by_client) {
        bytes = sizeof(origin->client);
        memcpy(key, &origin->client, bytes);
    } else if (((origin->client.family | origin->local.family | origin->ingress.family) &
                ADDRESS_V6 & ~ADDRESS_V4) == 0) {
        memcpy(key, origin->client.ip, 4);
        memcpy(key + 4, &origin->client.port, 2);
        memcpy(key + 6, &origin->local.port, 2);
        memcpy(key + 8, origin->local.ip, 4);
        memcpy(key + 12, origin->ingress.ip, 4);
    } else {
        /* client, local and ingress are the first three members, without padding */
        bytes = sizeof(key);
        memcpy(key, origin, bytes);
    }
    (void)crypto_shorthash(hash, key, bytes, sessions->hash_key);
    memcpy(&number, hash, sizeof(number));
    return &sessions->buckets[number & sessions->bucket_mask];
}

static uint32_t *number_bucket_of(const struct sessions *sessions, uint32_t number)
{
    return &sessions->number_buckets[number & sessions->bucket_mask];
}

static bool session_is_of(const struct sessions *sessions, const struct session *session,
                          const struct origin *origin, bool may_reply)
{
    if (session->client_port != origin->client.port ||
        memcmp(session->client_ip, origin->client.ip, sizeof(session->client_ip)) != 0 ||
        session->client_is_ipv6 != (origin->client.family == ADDRESS_V6))
        return false;
    return sessions->setup.is_by_client ||
           (session->may_reply == may_reply &&
            session_paths_is_of(&sessions->paths, session->path, origin));
}

struct session *sessions_find(struct sessions *sessions, const struct origin *origin,
                              bool may_reply)
{
    struct session *session = session_at(sessions, *bucket_of(sessions, origin));

    while (session && !session_is_of(sessions, session, origin, may_reply))
        session = session_at(sessions, session->next_in_bucket);
    return session;
}

static void session_enter_buckets(struct sessions *sessions, struct session *session,
                                  uint32_t *bucket)
{
    session->next_in_bucket = *bucket & SESSION_LINK_MAX;
    *bucket = session_link(sessions, session);
    if (sessions->setup.is_hashed) {
        bucket = number_bucket_of(sessions, session->epoch);
        session->next_in_number = *bucket;
        *bucket = session_link(sessions, session);
    }
}

static void session_leave_number(struct sessions *sessions, struct session *session)
{
    uint32_t *link = number_bucket_of(sessions, session->epoch);

    while (*link != session_link(sessions, session))
        link = &session_linked(sessions, *link)->next_in_number;
    *link = session->next_in_number;
}

static void session_leave_buckets(struct sessions *sessions, struct session *session)
{
    const struct origin origin = sessions_origin(sessions, session);
    uint32_t *bucket = bucket_of(sessions, &origin);
    struct session *before = session_linked(sessions, *bucket);

    if (before == session) {
        *bucket = session->next_in_bucket;
    } else {
        while (before->next_in_bucket != session_link(sessions, session))
            before = session_linked(sessions, before->next_in_bucket);
        before->next_in_bucket = session->next_in_bucket;
    }
    if (sessions->setup.is_hashed)
        session_leave_number(sessions, session);
}

/* ---- init ---- */

static int sessions_allocate(struct sessions *sessions)
{
    size_t buckets = 1;

    while (buckets * 2 <= sessions->setup.capacity)
        buckets *= 2;
    sessions->bucket_mask = (uint32_t)buckets - 1;
    sessions->table_bytes = sessions->setup.capacity * sizeof(*sessions->table);
    /* Aligned to cache lines, zero, and no memory before a record is used. */
    sessions->table = mmap(NULL, sessions->table_bytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (sessions->table == MAP_FAILED)
        sessions->table = NULL;
    sessions->buckets = calloc(buckets, sizeof(*sessions->buckets));
    if (sessions->setup.is_hashed)
        sessions->number_buckets = calloc(buckets, sizeof(*sessions->number_buckets));
    if (!sessions->table || !sessions->buckets ||
        (sessions->setup.is_hashed && !sessions->number_buckets))
        return -ENOMEM;
    return session_paths_init(&sessions->paths);
}

int sessions_init(struct sessions *sessions, const struct sessions_setup *setup)
{
    struct sessions made = {.setup = *setup};

    while ((UINT32_C(1) << made.index_bits) < setup->capacity)
        made.index_bits++;
    /* Neither the first nor the last, of which one number each would be no usable address. */
    made.epochs = (UINT32_C(1) << (SESSION_NUMBER_BITS - made.index_bits)) - 2;
    /* An app that outlives this process knows earlier clients by their addresses. */
    made.first_epoch = 1 + randombytes_uniform(made.epochs);
    randombytes_buf(made.hash_key, sizeof(made.hash_key));
    if (sessions_allocate(&made) != 0) {
        sessions_fini(&made);
        return -ENOMEM;
    }
    *sessions = made;
    return 0;
}

void sessions_fini(struct sessions *sessions)
{
    if (sessions->table)
        (void)munmap(sessions->table, sessions->table_bytes);
    free(sessions->buckets);
    free(sessions->number_buckets);
    session_paths_fini(&sessions->paths);
    sessions->table = NULL;
    sessions->buckets = NULL;
    sessions->number_buckets = NULL;
    sessions->used = 0;
}

/* ---- the record for a new client ---- */

/* A record whose number has no other session, as far as that is possible. */
static struct session *free_record(struct sessions *sessions)
{
    if (sessions->free)
        return session_at(sessions, sessions->free);
    return sessions->used < sessions->setup.capacity ? &sessions->table[sessions->used] : NULL;
}

/* With the name of the cluster one can calculate, and take, all numbers that a client would get. So
 * further ones are derived by a key that is secret, and of this process only. */
static uint32_t number_to_try(const struct sessions *sessions, const struct address *client,
                              uint32_t attempt)
{
    const uint8_t *key =
        attempt < SESSION_ATTEMPTS ? sessions->setup.number_key : sessions->hash_key;

    return session_number_hashed(key, client, attempt);
}

/* Choose next_number. Returns the session that has to end for it, or NULL; *ret_is_possible. */
static struct session *choose_number(struct sessions *sessions, const struct address *client,
                                     bool *ret_is_possible)
{
    struct session *least = NULL;

    *ret_is_possible = true;
    for (uint32_t attempt = 0; attempt < 2 * SESSION_ATTEMPTS; attempt++) {
        uint32_t number = number_to_try(sessions, client, attempt);
        struct session *session = sessions_by_number(sessions, number);

        if (attempt == SESSION_ATTEMPTS && least)
            break;
        if (!session) {
            sessions->next_number = number;
            return NULL;
        }
        if (session->is_open && session->kind != SESSION_SINGLE)
            continue;
        if (!least || session->is_open < least->is_open || session->kind < least->kind)
            least = session;
    }
    *ret_is_possible = least != NULL;
    if (least)
        sessions->next_number = least->epoch;
    return least;
}

struct session *sessions_next(struct sessions *sessions, const struct origin *origin,
                              uint64_t now_ns)
{
    struct session *record = NULL;
    bool is_possible = true;

    if (sessions->setup.is_hashed)
        record = choose_number(sessions, &origin->client, &is_possible);
    if (!record && is_possible)
        record = free_record(sessions);
    if (!record && is_possible)
        record = session_list_victim(sessions, now_ns);
    return record;
}

static void session_take_record(struct sessions *sessions, struct session *record)
{
    if (record->is_in_use) {
        if (record->is_open)
            sessions_count(sessions, -1);
        session_leave_buckets(sessions, record);
        session_list_remove(sessions, record);
        session_paths_release(&sessions->paths, record->path);
        record->is_in_use = false;
    } else if (sessions->free) {
        sessions->free = record->next_in_bucket;
    } else {
        sessions->used++;
    }
}

static void give_back(struct sessions *sessions, struct session *record)
{
    record->next_in_bucket = sessions->free & SESSION_LINK_MAX;
    sessions->free = session_link(sessions, record);
}

/* A path is free only when the last of its sessions has ended. */
static void give_back_a_resting_one(struct sessions *sessions)
{
    const struct session_list *single = &sessions->list[SESSION_SINGLE];
    struct session *session = single->oldest != single->open ? session_at(sessions, single->oldest)
                                                             : session_list_resting(sessions);

    if (session)
        sessions_drop(sessions, session);
}

struct session *sessions_open(struct sessions *sessions, struct session *record,
                              const struct origin *origin, bool may_reply, uint64_t now_ns)
{
    uint16_t path;
    uint32_t epoch;

    session_take_record(sessions, record);
    path = session_paths_use(&sessions->paths, origin);
    if (path == SESSION_PATH_NONE) {
        give_back(sessions, record);
        give_back_a_resting_one(sessions);
        return NULL;
    }
    epoch = record->epoch ? record->epoch % sessions->epochs + 1 : sessions->first_epoch;
    if (sessions->setup.is_hashed)
        epoch = sessions->next_number;
    *record = (struct session){
        .client_port = origin->client.port,
        .path = path,
        .tag = origin->tag,
        .used = session_tick(now_ns),
        .opened = session_tick(now_ns),
        .epoch = epoch & (SESSION_NUMBERS - 1),
        .client_is_ipv6 = origin->client.family == ADDRESS_V6,
        .may_reply = may_reply,
        .is_open = true,
        .is_in_use = true,
        .fd = -1,
    };
    memcpy(record->client_ip, origin->client.ip, sizeof(record->client_ip));
    session_enter_buckets(sessions, record, bucket_of(sessions, origin));
    session_list_append(sessions, record);
    sessions_count(sessions, 1);
    return record;
}

/* ---- use and rest ---- */

static unsigned kind_after(const struct session *session, bool is_request)
{
    if (!is_request || session->requests <= 1)
        return session->kind;
    return session->has_reply ? SESSION_ESTABLISHED : SESSION_ONE_WAY;
}

/* The session was used in an earlier tick, or its kind changes. */
static void session_move(struct sessions *sessions, struct session *session, unsigned kind,
                         uint32_t tick)
{
    session_list_remove(sessions, session);
    if (!session->is_open) {
        session->is_open = true;
        sessions->resumed++;
        sessions_count(sessions, 1);
    }
    session->kind = kind & 3;
    session->used = tick;
    session_list_append(sessions, session);
}

void sessions_touch(struct sessions *sessions, struct session *session, bool is_request,
                    uint64_t now_ns)
{
    uint32_t tick = session_tick(now_ns), since = 0;
    unsigned kind;

    if (!is_request && !session->is_open && sessions->setup.has_sockets)
        return;
    if (is_request) {
        session->requests += session->requests < UINT32_MAX;
    } else {
        session->has_reply = true;
        since = session->since_request + (tick - session->used);
    }
    session->since_request = since < UINT16_MAX ? (uint16_t)since : UINT16_MAX;
    kind = kind_after(session, is_request);
    /* In one tick the order does not matter, and a busy client costs nothing. */
    if (session->used != tick || !session->is_open || session->kind != kind)
        session_move(sessions, session, kind, tick);
}

void sessions_resume(struct sessions *sessions, struct session *session, uint64_t now_ns)
{
    session_move(sessions, session, session->kind, session_tick(now_ns));
}

bool sessions_follow(struct sessions *sessions, struct session *session,
                     const struct origin *origin)
{
    uint16_t path = session->path;

    if (session_paths_is_of(&sessions->paths, path, origin))
        return true;
    path = session_paths_use(&sessions->paths, origin);
    if (path == SESSION_PATH_NONE)
        return false;
    session_paths_release(&sessions->paths, session->path);
    session->path = path;
    return true;
}

void sessions_drop(struct sessions *sessions, struct session *session)
{
    session_take_record(sessions, session);
    give_back(sessions, session);
}

/* ---- numbers ---- */

uint32_t sessions_number(const struct sessions *sessions, const struct session *session)
{
    if (sessions->setup.is_hashed)
        return session->epoch;
    return (uint32_t)session->epoch << sessions->index_bits | (session_link(sessions, session) - 1);
}

struct session *sessions_by_number(const struct sessions *sessions, uint32_t number)
{
    uint32_t index = number & ((UINT32_C(1) << sessions->index_bits) - 1);
    struct session *session;

    if (sessions->setup.is_hashed) {
        session = session_at(sessions, *number_bucket_of(sessions, number));
        while (session && session->epoch != number)
            session = session_at(sessions, session->next_in_number);
        return session;
    }
    if (index >= sessions->used)
        return NULL;
    session = &sessions->table[index];
    return session->is_in_use && session->epoch == number >> sessions->index_bits ? session : NULL;
}

struct origin sessions_origin(const struct sessions *sessions, const struct session *session)
{
    const struct session_path *path = &sessions->paths.table[session->path];
    struct origin origin = {.client = session_client(session),
                            .local = path->local,
                            .ingress = path->ingress,
                            .tag = session->tag};

    origin.client.scope = path->client_scope;
    return origin;
}
