/* More clients than records: which session makes room, and what a flood of forged clients can take. */
#include "session_fixture.h"

#define FLOOD_CAPACITY 256
#define REAL_CLIENTS   32
#define FORGED         1000 /* numbers of forged clients begin here */

TestSuite(session_flood, .init = setup, .fini = teardown, .timeout = 120);

/* ---- one kind ---- */

Test(session_flood, flood_of_new_clients_takes_only_from_its_own_kind)
{
    struct session *kept[4];
    uint32_t numbers[4];

    init(CAPACITY);
    for (uint32_t i = 0; i < 4; i++) {
        kept[i] = establish_client(i, START_NS);
        numbers[i] = sessions_number(&sessions, kept[i]);
    }
    rest_all(START_NS + IDLE_NS); /* also those that are silent */
    for (uint32_t i = 0; i < 1000; i++)
        cr_assert_not_null(open_client(100 + i, START_NS + IDLE_NS));
    for (uint32_t i = 0; i < 4; i++)
        cr_assert_eq(sessions_by_number(&sessions, numbers[i]), kept[i]);
}

Test(session_flood, new_clients_have_a_quarter_of_the_records)
{
    init(CAPACITY);
    for (uint32_t i = 0; i < CAPACITY; i++)
        (void)establish_client(i, START_NS + i * TICK_NS);
    rest_all(START_NS + IDLE_NS);
    for (uint32_t i = 0; i < 100; i++)
        cr_assert_not_null(open_client(100 + i, START_NS + IDLE_NS));
    cr_assert_eq(sessions.list[SESSION_SINGLE].count, CAPACITY / 4 + 1);
    cr_assert_null(find_client(CAPACITY / 4), "the longest resting ones");
    cr_assert_not_null(find_client(CAPACITY / 4 + 1));
}

Test(session_flood, client_without_replies_is_taken_before_an_established_one)
{
    struct session *one_way;

    init(2);
    (void)establish_client(0, START_NS);
    one_way = open_client(1, START_NS + TICK_NS);
    sessions_touch(&sessions, one_way, true, START_NS + TICK_NS);
    cr_assert_eq(one_way->kind, SESSION_ONE_WAY);
    cr_assert_eq(open_client(2, START_NS + 2 * TICK_NS), one_way);
}

Test(session_flood, least_open_session_is_the_one_to_close)
{
    const struct sessions_setup options = {.capacity = 8, .open_max = 2, .has_sockets = true};
    struct session *established, *single;

    cr_assert_eq(sessions_init(&sessions, &options), 0);
    established = establish_client(0, START_NS);
    cr_assert_not(sessions_is_full(&sessions));
    single = open_client(1, START_NS + TICK_NS);
    cr_assert(sessions_is_full(&sessions));
    cr_assert_eq(sessions_least(&sessions, START_NS), single);
    sessions_rest(&sessions, single);
    cr_assert_eq(sessions_least(&sessions, START_NS), established, "no other one is open");
}

/* app.max_sessions 4: four clients send two datagrams each, and a fifth one three. */
Test(session_flood, fifth_client_takes_the_session_of_the_longest_silent)
{
    struct session *fifth;

    init(4);
    for (uint32_t i = 0; i < 4; i++)
        (void)open_recent(i, START_NS + i * TICK_NS);
    fifth = open_recent(4, START_NS + 5 * TICK_NS);
    cr_assert_null(find_client(0), "the longest silent one");
    for (uint32_t i = 1; i < 4; i++)
        cr_assert_not_null(find_client(i), "client %u", i);
    sessions_touch(&sessions, fifth, true, START_NS + 6 * TICK_NS);
    cr_assert_eq(find_client(4), fifth);
}

Test(session_flood, established_in_use_share_three_quarters_at_least)
{
    init(CAPACITY);
    for (uint32_t i = 0; i < CAPACITY; i++)
        (void)establish_client(i, START_NS + i * TICK_NS);
    for (uint32_t i = 0; i < 100; i++)
        cr_assert_not_null(open_client(100 + i, START_NS + CAPACITY * TICK_NS));
    cr_assert_eq(sessions.list[SESSION_ESTABLISHED].count, CAPACITY * 3 / 4);
    cr_assert_null(find_client(CAPACITY / 4 - 1), "the longest silent ones");
    cr_assert_not_null(find_client(CAPACITY / 4));
}

Test(session_flood, silent_established_ones_share_half_at_least)
{
    init(CAPACITY);
    for (uint32_t i = 0; i < CAPACITY; i++)
        (void)establish_client(i, START_NS + i * TICK_NS);
    rest_all(START_NS + IDLE_NS);
    for (uint32_t i = 0; i < 100; i++)
        (void)open_recent(100 + i, START_NS + IDLE_NS + i * TICK_NS);
    cr_assert_eq(sessions.list[SESSION_ESTABLISHED].count, CAPACITY / 2);
}

Test(session_flood, one_request_more_does_not_make_a_client_established)
{
    struct session *session;
    uint64_t now_ns = START_NS;

    init(4);
    session = open_recent(1, now_ns);
    for (unsigned i = 0; i < 100; i++)
        sessions_touch(&sessions, session, true, now_ns + SESSION_KEEP_NS - TICK_NS);
    cr_assert_eq(session->kind, SESSION_RECENT);
    sessions_touch(&sessions, session, false, now_ns + 2 * SESSION_KEEP_NS);
    cr_assert_eq(session->kind, SESSION_RECENT, "a reply says nothing of the client");
    sessions_touch(&sessions, session, true, now_ns + 2 * SESSION_KEEP_NS);
    cr_assert_eq(session->kind, SESSION_ESTABLISHED);
    sessions_touch(&sessions, session, true, now_ns + (UINT64_C(1) << (32 + SESSION_TICK_SHIFT)));
    cr_assert_eq(session->kind, SESSION_ESTABLISHED, "for good, also when ticks wrap");
}

/* ---- floods ---- */

/* Real clients, established, each of which sends every `interval`. */
static void speak(uint64_t tick, uint64_t interval)
{
    for (uint32_t i = 0; i < REAL_CLIENTS; i++) {
        if ((tick + i) % interval == 0) {
            cr_assert_not_null(find_client(i), "client %u, tick %llu", i, (unsigned long long)tick);
            sessions_touch(&sessions, find_client(i), true, START_NS + tick * TICK_NS);
        }
    }
}

static void establish_all(void)
{
    init(FLOOD_CAPACITY);
    for (uint32_t i = 0; i < REAL_CLIENTS; i++)
        (void)establish_client(i, START_NS);
}

/* Forged sources that get replies and read none, `requests` datagrams of each, 8 new ones a tick: 480
 * a second. Meanwhile one real client after the other comes, and waits 4 ticks for its reply. */
static void flood(unsigned requests)
{
    uint32_t forged = FORGED;

    establish_all();
    for (uint64_t tick = 1; tick < 5000; tick++) {
        uint64_t now_ns = START_NS + tick * TICK_NS;
        uint32_t new_client = UINT32_MAX - (uint32_t)tick;

        for (unsigned i = 0; i < 8; i++) {
            struct session *session = open_client(forged++, now_ns);

            cr_assert_not_null(session);
            sessions_touch(&sessions, session, false, now_ns);
            for (unsigned k = 1; k < requests; k++)
                sessions_touch(&sessions, session, true, now_ns);
        }
        speak(tick, 200);
        cr_assert_not_null(open_client(new_client, now_ns));
        if (tick > 4)
            cr_assert_not_null(find_client(new_client + 4), "its reply would be lost");
    }
}

Test(session_flood, of_one_datagram_each)
{
    flood(1);
}

Test(session_flood, of_two_datagrams_each)
{
    flood(2);
}

Test(session_flood, of_three_datagrams_each)
{
    flood(3);
}

/* Forged sources, each of which goes on to send every 9 s, so that it becomes established. New
 * clients are served, and those that speak more often keep their sessions. */
static void flood_patiently(uint32_t sources)
{
    uint32_t served = 0;

    establish_all();
    for (uint64_t tick = 1; tick < 10000; tick++) {
        uint64_t now_ns = START_NS + tick * TICK_NS;
        uint32_t forged = FORGED + (uint32_t)(tick % 540) * sources / 540;
        struct session *session = find_client(forged);

        if (!session)
            session = open_client(forged, now_ns);
        cr_assert_not_null(session);
        sessions_touch(&sessions, session, false, now_ns);
        sessions_touch(&sessions, session, true, now_ns);
        speak(tick, 200);
        if (tick % 10 == 0) {
            cr_assert_not_null(open_client(UINT32_MAX - (uint32_t)tick, now_ns));
            served++;
        }
    }
    cr_assert_eq(served, 999);
}

Test(session_flood, of_patient_sources)
{
    flood_patiently(FLOOD_CAPACITY * 5 / 8);
    cr_assert_gt(sessions.list[SESSION_ESTABLISHED].count, FLOOD_CAPACITY / 2, "they pass");
}

Test(session_flood, of_as_many_patient_sources_as_there_are_records)
{
    flood_patiently(FLOOD_CAPACITY);
}

/* ---- whatever the kinds are ---- */

/* A random mix of kinds, some of them at rest, some in use. */
static void mix(uint32_t capacity, uint64_t random, uint64_t now_ns)
{
    for (uint32_t i = 0; i < capacity; i++) {
        struct session *session;

        random = random * 6364136223846793005U + 1442695040888963407U;
        if ((random >> 60) < 4)
            (void)establish_client(i, now_ns);
        else if ((random >> 60) < 8)
            (void)open_recent(i, now_ns);
        else {
            session = open_client(i, now_ns);
            if ((random >> 60) < 12)
                sessions_touch(&sessions, session, true, now_ns);
        }
        if ((random >> 55 & 31) == 0)
            rest_all(now_ns);
    }
}

static uint32_t open_by_kind(void)
{
    uint32_t open = 0;

    for (unsigned kind = 0; kind < SESSION_KINDS; kind++)
        open += sessions.list[kind].open_count;
    return open;
}

Test(session_flood, new_client_always_gets_a_record)
{
    for (uint32_t capacity = 1; capacity < 80; capacity++) {
        init(capacity);
        mix(capacity, capacity, START_NS);
        cr_assert_eq(open_by_kind(), count(), "capacity %u", capacity);
        for (uint32_t i = 0; i < 100; i++) {
            uint64_t now_ns = START_NS + i / 10 * TICK_NS;

            cr_assert_not_null(i % 3 ? open_client(FORGED + i, now_ns)
                                     : open_recent(FORGED + i, now_ns));
            cr_assert_eq(open_by_kind(), count(), "capacity %u", capacity);
        }
        sessions_fini(&sessions);
    }
}

Test(session_flood, new_client_always_gets_a_socket)
{
    for (uint32_t open_max = 1; open_max < 80; open_max++) {
        const struct sessions_setup options = {
            .capacity = 200, .open_max = open_max, .has_sockets = true};

        cr_assert_eq(sessions_init(&sessions, &options), 0);
        mix(open_max, open_max, START_NS);
        while (!sessions_is_full(&sessions))
            (void)open_recent(FORGED + (uint32_t)count(), START_NS);
        for (uint32_t i = 0; i < 100; i++) {
            struct session *least = sessions_least(&sessions, START_NS + i * TICK_NS);

            cr_assert_not_null(least, "open_max %u", open_max);
            cr_assert(least->is_open);
            sessions_rest(&sessions, least);
            (void)open_client(2 * FORGED + i, START_NS + i * TICK_NS);
        }
        sessions_fini(&sessions);
    }
}
