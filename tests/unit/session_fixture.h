/* session_fixture: a table of sessions, and clients by number. */
#ifndef SESSION_FIXTURE_H
#define SESSION_FIXTURE_H

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdatomic.h>
#include <string.h>

#include "data/app/session_list.h"

#define TICK_NS  (UINT64_C(1) << SESSION_TICK_SHIFT)
#define START_NS (60000 * TICK_NS)
#define IDLE_NS  (3600 * TICK_NS)
#define CAPACITY 16
#define CLIENTS  60

static struct sessions sessions;

static __attribute__((unused)) void setup(void)
{
    cr_assert_geq(sodium_init(), 0);
}

static __attribute__((unused)) void teardown(void)
{
    sessions_fini(&sessions);
}

static __attribute__((unused)) void init(uint32_t capacity)
{
    const struct sessions_setup options = {.capacity = capacity, .open_max = capacity};

    cr_assert_eq(sessions_init(&sessions, &options), 0);
}

static __attribute__((unused)) struct origin origin_of(uint32_t client)
{
    struct origin origin = {.tag = client};

    cr_assert_eq(address_parse("10.0.0.1:1", 0, &origin.client), 0);
    cr_assert_eq(address_parse("127.0.0.11:12000", 0, &origin.local), 0);
    memcpy(origin.client.ip, &client, sizeof(client));
    return origin;
}

/* A new client's first request; NULL: it is refused. */
static __attribute__((unused)) struct session *open_origin(const struct origin *origin,
                                                           uint64_t now_ns)
{
    struct session *session = sessions_next(&sessions, origin, now_ns);

    if (session)
        session = sessions_open(&sessions, session, origin, true, now_ns);
    if (session)
        sessions_touch(&sessions, session, true, now_ns);
    return session;
}

static __attribute__((unused)) struct session *open_client(uint32_t client, uint64_t now_ns)
{
    struct origin origin = origin_of(client);

    return open_origin(&origin, now_ns);
}

static __attribute__((unused)) struct session *find_client(uint32_t client)
{
    struct origin origin = origin_of(client);

    return sessions_find(&sessions, &origin, true);
}

/* A new client's first request, a reply, and a request. */
static __attribute__((unused)) struct session *open_recent(uint32_t client, uint64_t now_ns)
{
    struct session *session = open_client(client, now_ns);

    cr_assert_not_null(session);
    sessions_touch(&sessions, session, false, now_ns);
    sessions_touch(&sessions, session, true, now_ns);
    cr_assert_eq(session->kind, SESSION_RECENT);
    return session;
}

/* The same, and a request when it has had its number for long enough. */
static __attribute__((unused)) struct session *establish_client(uint32_t client, uint64_t now_ns)
{
    struct session *session = open_recent(client, now_ns - SESSION_KEEP_NS - TICK_NS);

    sessions_touch(&sessions, session, true, now_ns);
    cr_assert_eq(session->kind, SESSION_ESTABLISHED);
    return session;
}

static __attribute__((unused)) void rest_all(uint64_t now_ns)
{
    struct session *session;

    while ((session = sessions_idle(&sessions, 0, now_ns)))
        sessions_rest(&sessions, session);
}

static __attribute__((unused)) uint64_t count(void)
{
    return atomic_load_explicit(&sessions.count, memory_order_relaxed);
}

static __attribute__((unused)) void init_hashed(uint32_t capacity, const char *cluster)
{
    struct sessions_setup options = {.capacity = capacity, .open_max = capacity, .is_hashed = true};

    session_number_key(cluster, options.number_key);
    cr_assert_eq(sessions_init(&sessions, &options), 0);
}

#endif
