#include <criterion/criterion.h>
#include <sodium.h>
#include <stdatomic.h>
#include <string.h>

#include "data/app/session.h"

#define START_NS (1000 * NS_PER_SEC)
#define NUMBERS  (UINT32_C(1) << SESSION_NUMBER_BITS)
#define IDLE_NS  (60 * NS_PER_SEC)
#define CAPACITY 16
#define CLIENTS  60

static struct sessions sessions;

static void setup(void)
{
    cr_assert_geq(sodium_init(), 0);
}

static void teardown(void)
{
    sessions_fini(&sessions);
}

TestSuite(session, .init = setup, .fini = teardown, .timeout = 120);

static struct origin origin_of(uint32_t client)
{
    struct origin origin = {.tag = client};

    cr_assert_eq(address_parse("10.0.0.1:1", 0, &origin.client), 0);
    cr_assert_eq(address_parse("127.0.0.11:12000", 0, &origin.local), 0);
    memcpy(origin.client.ip, &client, sizeof(client));
    return origin;
}

static struct session *open_client(uint32_t client, uint64_t now_ns)
{
    struct origin origin = origin_of(client);

    return sessions_open(&sessions, &origin, now_ns);
}

static struct session *find_client(uint32_t client)
{
    struct origin origin = origin_of(client);

    return sessions_find(&sessions, &origin);
}

static uint64_t count(void)
{
    return atomic_load_explicit(&sessions.count, memory_order_relaxed);
}

Test(session, is_found_until_closed)
{
    struct session *session;

    cr_assert_eq(sessions_init(&sessions, 10, false), 0);
    cr_assert_null(find_client(1));
    session = open_client(1, START_NS);
    cr_assert_not_null(session);
    cr_assert_eq(session->fd, -1);
    cr_assert_eq(find_client(1), session);
    cr_assert_null(find_client(2));
    cr_assert_eq(count(), 1);
    sessions_close(&sessions, session);
    cr_assert_null(find_client(1));
    cr_assert_eq(count(), 0);
}

Test(session, key_is_client_local_and_ingress_without_the_tag)
{
    struct origin origin = origin_of(1);
    struct session *session;

    cr_assert_eq(sessions_init(&sessions, 10, false), 0);
    session = sessions_open(&sessions, &origin, START_NS);
    origin.tag++;
    cr_assert_eq(sessions_find(&sessions, &origin), session, "a restarted ingress pod");
    origin.ingress.family = ADDRESS_V4;
    cr_assert_null(sessions_find(&sessions, &origin));
    origin = origin_of(1);
    origin.local.port++;
    cr_assert_null(sessions_find(&sessions, &origin));
    origin = origin_of(1);
    origin.client.port++;
    cr_assert_null(sessions_find(&sessions, &origin));
}

Test(session, number_finds_its_session_until_it_ends)
{
    static const uint32_t capacities[] = {1, 2, 3, 1000, 65536};

    for (size_t i = 0; i < sizeof(capacities) / sizeof(*capacities); i++) {
        struct session *session, *successor;
        uint32_t number;

        cr_assert_eq(sessions_init(&sessions, capacities[i], false), 0);
        for (uint32_t client = 1; client < capacities[i]; client++) {
            session = open_client(client, START_NS);
            number = sessions_number(&sessions, session);
            cr_assert_eq(sessions_by_number(&sessions, number), session);
        }
        session = open_client(0, START_NS);
        number = sessions_number(&sessions, session);
        cr_assert_eq(sessions_by_number(&sessions, number), session);
        cr_assert_null(open_client(capacities[i], START_NS), "at the cap");
        sessions_close(&sessions, session);
        cr_assert_null(sessions_by_number(&sessions, number));
        successor = open_client(capacities[i] + 1, START_NS);
        cr_assert_eq(successor, session, "the only free index");
        cr_assert_null(sessions_by_number(&sessions, number), "a reply to its predecessor");
        cr_assert_neq(sessions_number(&sessions, successor), number);
        sessions_fini(&sessions);
    }
}

Test(session, unassigned_numbers_find_nothing)
{
    cr_assert_eq(sessions_init(&sessions, 10, false), 0);
    for (uint32_t number = 0; number < 64; number++)
        cr_assert_null(sessions_by_number(&sessions, number), "none is open");
    for (uint32_t client = 0; client < 10; client++)
        (void)open_client(client, START_NS);
    cr_assert_null(sessions_by_number(&sessions, 10), "beyond the capacity");
    cr_assert_null(sessions_by_number(&sessions, 15));
    cr_assert_null(sessions_by_number(&sessions, NUMBERS - 1));
    cr_assert_null(sessions_by_number(&sessions, NUMBERS), "the network's address again");
    cr_assert_null(sessions_by_number(&sessions, UINT32_MAX));
}

Test(session, indices_are_assigned_first_in_first_out)
{
    struct session *first, *second;

    cr_assert_eq(sessions_init(&sessions, 3, false), 0);
    first = open_client(1, START_NS);
    second = open_client(2, START_NS);
    sessions_close(&sessions, second);
    sessions_close(&sessions, first);
    cr_assert_eq(sessions_number(&sessions, open_client(3, START_NS)), 2, "never used");
    cr_assert_eq(open_client(4, START_NS), second);
    cr_assert_eq(open_client(5, START_NS), first);
}

/*
 * One index is reused as early as it is allowed. Its numbers must all differ until SESSION_REUSE_NS
 * has passed; the number of the broadcast address is never used.
 */
Test(session, no_number_is_reused_within_the_reuse_time)
{
    const uint32_t capacity = 64;
    uint64_t now_ns = START_NS;
    uint32_t first_number;
    struct session *session;
    uint64_t uses = 0;

    cr_assert_eq(sessions_init(&sessions, capacity, true), 0);
    for (uint32_t client = 1; client < capacity; client++)
        (void)open_client(client, now_ns);
    session = open_client(0, now_ns);
    first_number = sessions_number(&sessions, session);
    do {
        sessions_close(&sessions, session);
        cr_assert_not(sessions_has_room(&sessions, now_ns + sessions.reuse_ns - 1), "too early");
        now_ns += sessions.reuse_ns;
        cr_assert(sessions_has_room(&sessions, now_ns));
        session = open_client(0, now_ns);
        cr_assert_lt(sessions_number(&sessions, session), NUMBERS - capacity);
        uses++;
    } while (sessions_number(&sessions, session) != first_number);
    cr_assert_eq(uses, NUMBERS / capacity - 1);
    cr_assert_geq(now_ns - START_NS, SESSION_REUSE_NS);
}

Test(session, index_is_reused_at_once_if_numbers_are_not_addresses)
{
    struct session *session;

    cr_assert_eq(sessions_init(&sessions, 1, false), 0);
    session = open_client(1, START_NS);
    sessions_close(&sessions, session);
    cr_assert(sessions_has_room(&sessions, START_NS));
}

Test(session, oldest_session_of_one_request_is_evictable)
{
    struct session *session[3];

    cr_assert_eq(sessions_init(&sessions, 3, false), 0);
    cr_assert_null(sessions_victim(&sessions, START_NS), "there is room");
    for (uint32_t i = 0; i < 3; i++) {
        session[i] = open_client(i, START_NS + i);
        sessions_touch(&sessions, session[i], true, START_NS + i);
    }
    cr_assert_not(sessions_has_room(&sessions, START_NS + 3));
    cr_assert_eq(sessions_victim(&sessions, START_NS + 3), session[0]);
    sessions_touch(&sessions, session[0], false, START_NS + 3);
    cr_assert_eq(sessions_victim(&sessions, START_NS + 4), session[1],
                 "a reply makes it the newest");
    sessions_touch(&sessions, session[1], true, START_NS + 4);
    cr_assert_eq(sessions_victim(&sessions, START_NS + 5), session[2], "the second datagram");
    sessions_touch(&sessions, session[2], true, START_NS + 5);
    cr_assert_eq(sessions_victim(&sessions, START_NS + 6), session[0]);
    sessions_touch(&sessions, session[0], true, START_NS + 6);
    cr_assert_null(sessions_victim(&sessions, START_NS + 7), "all saw more than one");
}

Test(session, no_session_is_evictable_if_its_index_cannot_be_reused)
{
    struct session *session;

    cr_assert_eq(sessions_init(&sessions, 2, true), 0);
    (void)open_client(1, START_NS);
    session = open_client(2, START_NS);
    cr_assert_null(sessions_victim(&sessions, START_NS + sessions.reuse_ns - 1),
                   "its index cannot be assigned yet");
    cr_assert_not_null(sessions_victim(&sessions, START_NS + sessions.reuse_ns));
    sessions_close(&sessions, session);
    cr_assert_null(sessions_victim(&sessions, START_NS + sessions.reuse_ns),
                   "there is a free index");
}

Test(session, idle_sessions_come_oldest_first)
{
    struct session *single, *busy;

    cr_assert_eq(sessions_init(&sessions, 4, false), 0);
    cr_assert_null(sessions_idle(&sessions, IDLE_NS, START_NS + 2 * IDLE_NS));
    busy = open_client(1, START_NS);
    sessions_touch(&sessions, busy, true, START_NS);
    sessions_touch(&sessions, busy, true, START_NS);
    single = open_client(2, START_NS + 5);
    sessions_touch(&sessions, single, true, START_NS + 5);
    cr_assert_null(sessions_idle(&sessions, IDLE_NS, START_NS + IDLE_NS - 1));
    cr_assert_eq(sessions_idle(&sessions, IDLE_NS, START_NS + IDLE_NS), busy);
    sessions_touch(&sessions, busy, false, START_NS + IDLE_NS);
    cr_assert_null(sessions_idle(&sessions, IDLE_NS, START_NS + IDLE_NS + 4));
    cr_assert_eq(sessions_idle(&sessions, IDLE_NS, START_NS + IDLE_NS + 5), single);
    sessions_close(&sessions, single);
    cr_assert_null(sessions_idle(&sessions, IDLE_NS, START_NS + IDLE_NS + 5));
}

/* ---- random steps against a model ---- */

static struct {
    bool is_open;
    uint64_t used_ns, requests;
} model[CLIENTS];

/* The least recently used, of those with one request or of all; CLIENTS: none. */
static uint32_t model_oldest(bool single_only)
{
    uint32_t oldest = CLIENTS;

    for (uint32_t i = 0; i < CLIENTS; i++) {
        if (!model[i].is_open || (single_only && model[i].requests > 1))
            continue;
        if (oldest == CLIENTS || model[i].used_ns < model[oldest].used_ns)
            oldest = i;
    }
    return oldest;
}

static void model_close(uint32_t client)
{
    struct session *session = find_client(client);
    uint32_t number = sessions_number(&sessions, session);

    sessions_close(&sessions, session);
    cr_assert_null(sessions_by_number(&sessions, number));
    model[client].is_open = false;
}

static void model_touch(uint32_t client, bool is_request, uint64_t now_ns)
{
    sessions_touch(&sessions, find_client(client), is_request, now_ns);
    model[client].requests += is_request;
    model[client].used_ns = now_ns;
}

static void model_open(uint32_t client, uint64_t now_ns)
{
    if (!sessions_has_room(&sessions, now_ns)) {
        struct session *victim = sessions_victim(&sessions, now_ns);
        uint32_t expected = model_oldest(true);

        cr_assert_eq(count(), CAPACITY);
        cr_assert_eq(victim, expected == CLIENTS ? NULL : find_client(expected));
        if (!victim)
            return;
        model_close(expected);
    }
    cr_assert_not_null(open_client(client, now_ns));
    model[client].is_open = true;
    model[client].requests = 0;
    model[client].used_ns = now_ns;
    model_touch(client, true, now_ns);
}

static void compare_with_model(uint64_t idle_ns, uint64_t now_ns)
{
    struct session *idle = sessions_idle(&sessions, idle_ns, now_ns);
    uint32_t oldest = model_oldest(false);
    uint64_t open = 0;

    for (uint32_t i = 0; i < CLIENTS; i++) {
        struct session *session = find_client(i);

        cr_assert_eq(session != NULL, model[i].is_open);
        if (!session)
            continue;
        open++;
        cr_assert_eq(session->requests, model[i].requests);
        cr_assert_eq(session->used_ns, model[i].used_ns);
        cr_assert_eq(sessions_by_number(&sessions, sessions_number(&sessions, session)), session);
    }
    cr_assert_eq(count(), open);
    cr_assert_eq(idle != NULL, oldest < CLIENTS && now_ns - model[oldest].used_ns >= idle_ns);
    cr_assert(!idle || now_ns - idle->used_ns >= idle_ns);
}

Test(session, random_steps_agree_with_a_model)
{
    uint64_t random = 42, now_ns = START_NS;

    cr_assert_eq(sessions_init(&sessions, CAPACITY, false), 0);
    for (unsigned step = 0; step < 20000; step++) {
        uint32_t client;

        random = random * 6364136223846793005U + 1442695040888963407U;
        client = (uint32_t)((random >> 32) % CLIENTS);
        now_ns++;
        if (!model[client].is_open)
            model_open(client, now_ns);
        else if ((random >> 60) < 3)
            model_close(client);
        else
            model_touch(client, (random >> 60) < 10, now_ns);
        compare_with_model(100, now_ns);
    }
}

Test(session, newest_are_those_with_the_latest_datagrams)
{
    const struct session *newest[CLIENTS];

    cr_assert_eq(sessions_init(&sessions, CAPACITY, false), 0);
    cr_assert_eq(sessions_newest(&sessions, CLIENTS, newest), 0);
    for (uint32_t i = 0; i < 6; i++)
        sessions_touch(&sessions, open_client(i, START_NS), true, START_NS + i);
    sessions_touch(&sessions, find_client(1), true, START_NS + 10); /* established */
    sessions_touch(&sessions, find_client(4), false, START_NS + 11);
    sessions_touch(&sessions, find_client(0), true, START_NS + 12);
    sessions_close(&sessions, find_client(3));
    cr_assert_eq(sessions_newest(&sessions, CLIENTS, newest), 5);
    cr_assert_eq(newest[0], find_client(0));
    cr_assert_eq(newest[1], find_client(4));
    cr_assert_eq(newest[2], find_client(1));
    cr_assert_eq(newest[3], find_client(5));
    cr_assert_eq(newest[4], find_client(2));
    cr_assert_eq(sessions_newest(&sessions, 2, newest), 2);
}
