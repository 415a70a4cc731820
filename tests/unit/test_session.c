#include "session_fixture.h"

TestSuite(session, .init = setup, .fini = teardown, .timeout = 120);

Test(session, is_found_by_its_client)
{
    struct session *session;

    init(10);
    cr_assert_null(find_client(1));
    session = open_client(1, START_NS);
    cr_assert_not_null(session);
    cr_assert_eq(session->fd, -1);
    cr_assert_eq(find_client(1), session);
    cr_assert_null(find_client(2));
    cr_assert_eq(count(), 1);
    sessions_drop(&sessions, session);
    cr_assert_null(find_client(1));
    cr_assert_eq(count(), 0);
}

Test(session, client_keeps_its_number_after_a_silence)
{
    struct session *session;
    uint32_t number;

    init(10);
    number = sessions_number(&sessions, open_client(1, START_NS));
    session = sessions_idle(&sessions, IDLE_NS, START_NS + IDLE_NS);
    cr_assert_eq(session, find_client(1));
    sessions_rest(&sessions, session);
    cr_assert_eq(count(), 0);
    cr_assert_null(sessions_idle(&sessions, IDLE_NS, START_NS + 2 * IDLE_NS), "it is closed");
    cr_assert_eq(find_client(1), session, "it rests");
    sessions_touch(&sessions, session, true, START_NS + 2 * IDLE_NS);
    cr_assert_eq(sessions_number(&sessions, session), number);
    cr_assert_eq(count(), 1);
    cr_assert_eq(sessions.resumed, 1);
}

Test(session, reply_to_a_resting_session_opens_it)
{
    struct session *session;
    uint32_t number;

    init(10);
    session = open_client(1, START_NS);
    number = sessions_number(&sessions, session);
    rest_all(START_NS + IDLE_NS);
    cr_assert_eq(sessions_by_number(&sessions, number), session);
    sessions_touch(&sessions, session, false, START_NS + IDLE_NS);
    cr_assert_eq(count(), 1);
}

Test(session, late_reply_does_not_open_a_session_without_a_socket)
{
    const struct sessions_setup options = {.capacity = 4, .open_max = 4, .has_sockets = true};
    struct session *session;

    cr_assert_eq(sessions_init(&sessions, &options), 0);
    session = open_client(1, START_NS);
    rest_all(START_NS + IDLE_NS);
    sessions_touch(&sessions, session, false, START_NS + IDLE_NS);
    cr_assert_eq(count(), 0);
    sessions_touch(&sessions, session, true, START_NS + IDLE_NS);
    cr_assert_eq(count(), 1);
}

Test(session, key_is_client_local_ingress_and_may_reply_without_the_tag)
{
    struct origin origin = origin_of(1);
    struct session *session;

    init(10);
    session = open_origin(&origin, START_NS);
    origin.tag++;
    cr_assert_eq(sessions_find(&sessions, &origin, true), session, "a restarted ingress pod");
    cr_assert_null(sessions_find(&sessions, &origin, false), "a reply would leave");
    origin.ingress.family = ADDRESS_V4;
    cr_assert_null(sessions_find(&sessions, &origin, true));
    origin = origin_of(1);
    origin.local.port++;
    cr_assert_null(sessions_find(&sessions, &origin, true));
    origin = origin_of(1);
    origin.client.port++;
    cr_assert_null(sessions_find(&sessions, &origin, true));
    origin = origin_of(1);
    origin.client.family = ADDRESS_V6;
    cr_assert_null(sessions_find(&sessions, &origin, true), "the same bytes in another family");
}

Test(session, one_session_a_client_follows_it_to_another_pod)
{
    const struct sessions_setup options = {
        .capacity = CAPACITY, .open_max = CAPACITY, .has_sockets = true, .is_by_client = true};
    struct origin origin = origin_of(1), other = origin_of(1), restored;
    struct session *session;

    cr_assert_eq(sessions_init(&sessions, &options), 0);
    session = open_origin(&origin, START_NS);
    cr_assert_eq(address_parse("127.0.0.12:12000", 0, &other.local), 0);
    cr_assert_eq(address_parse("127.0.0.12", 0, &other.ingress), 0);
    cr_assert_eq(sessions_find(&sessions, &other, false), session);
    cr_assert(sessions_follow(&sessions, session, &other));
    restored = sessions_origin(&sessions, session);
    cr_expect(address_equal(&restored.local, &other.local));
    cr_expect(address_equal(&restored.ingress, &other.ingress));
    cr_expect_eq(sessions.paths.table[0].sessions, 0, "the path of before is free");
    cr_assert_eq(sessions_find(&sessions, &origin, true), session);
    other.client.port++;
    cr_expect_null(sessions_find(&sessions, &other, true));
}

Test(session, origin_is_restored)
{
    static const char *const texts[][3] = {
        {"10.0.0.1:1", "127.0.0.11:12000", "10.9.8.7"},
        {"[fd00::1]:65535", "[fd00::2]:12000", "fd00::3"},
        {"[fe80::1%3]:5", "[fe80::2%4]:12000", "10.0.0.9"},
    };
    struct origin expected[3], is;

    init(10);
    for (size_t i = 0; i < 3; i++) {
        memset(&expected[i], 0, sizeof(expected[i]));
        cr_assert_eq(address_parse(texts[i][0], 0, &expected[i].client), 0);
        cr_assert_eq(address_parse(texts[i][1], 0, &expected[i].local), 0);
        cr_assert_eq(address_parse_ip(texts[i][2], &expected[i].ingress), 0);
        expected[i].tag = UINT64_MAX - i;
        (void)open_origin(&expected[i], START_NS);
    }
    for (size_t i = 0; i < 3; i++) {
        is = sessions_origin(&sessions, sessions_find(&sessions, &expected[i], true));
        cr_assert_eq(memcmp(&is, &expected[i], sizeof(is)), 0, "origin %zu", i);
    }
}

Test(session, term_of_the_last_request_is_restored)
{
    struct session session = {.term_low = UINT32_MAX};

    cr_assert_eq(session_term(&session, UINT32_MAX), UINT32_MAX);
    cr_assert_eq(session_term(&session, UINT64_C(0x100000005)), UINT32_MAX);
    session.term_low = 7;
    cr_assert_eq(session_term(&session, UINT64_C(0x500000007)), UINT64_C(0x500000007));
}

Test(session, number_finds_its_session_until_another_client_has_the_record)
{
    static const uint32_t capacities[] = {1, 2, 3, 1000, 65536};

    for (size_t i = 0; i < sizeof(capacities) / sizeof(*capacities); i++) {
        struct session *session, *successor;
        uint32_t number;

        init(capacities[i]);
        for (uint32_t client = 1; client < capacities[i]; client++) {
            session = establish_client(client, START_NS);
            number = sessions_number(&sessions, session);
            cr_assert_eq(sessions_by_number(&sessions, number), session);
        }
        session = open_client(0, START_NS);
        number = sessions_number(&sessions, session);
        cr_assert_eq(sessions_by_number(&sessions, number), session);
        rest_all(START_NS);
        sessions_touch(&sessions, session, true, START_NS);
        cr_assert_eq(sessions_by_number(&sessions, number), session);
        sessions_drop(&sessions, session);
        cr_assert_null(sessions_by_number(&sessions, number));
        successor = open_client(capacities[i] + 1, START_NS);
        cr_assert_eq(successor, session, "the record given back");
        cr_assert_null(sessions_by_number(&sessions, number), "a reply to its predecessor");
        cr_assert_neq(sessions_number(&sessions, successor), number);
        sessions_fini(&sessions);
    }
}

Test(session, unassigned_numbers_find_nothing)
{
    init(10);
    for (uint32_t number = 0; number < 64; number++)
        cr_assert_null(sessions_by_number(&sessions, number), "none is open");
    for (uint32_t client = 0; client < 10; client++)
        (void)open_client(client, START_NS);
    cr_assert_null(sessions_by_number(&sessions, 10), "beyond the capacity");
    cr_assert_null(sessions_by_number(&sessions, 15));
    cr_assert_null(sessions_by_number(&sessions, SESSION_NUMBERS - 1));
    cr_assert_null(sessions_by_number(&sessions, SESSION_NUMBERS));
    cr_assert_null(sessions_by_number(&sessions, SESSION_NUMBER_NONE));
}

/* One record is used again and again: its numbers must differ until all epochs were used. */
Test(session, number_is_not_used_again_before_all_epochs_of_its_record)
{
    const uint32_t capacity = 1 << 14;
    uint32_t first;
    uint32_t uses = 0, number;

    init(capacity);
    for (uint32_t client = 1; client < capacity; client++)
        (void)establish_client(client, START_NS);
    number = first = sessions_number(&sessions, open_client(0, START_NS));
    do {
        uint32_t last_octet = session_number_to_address(number).ip[3];

        cr_assert_eq(sessions_by_number(&sessions, number), find_client(uses * capacity));
        cr_assert(last_octet != 0 || uses > 0);
        uses++;
        number = sessions_number(&sessions, open_client(uses * capacity, START_NS));
    } while (number != first);
    cr_assert_eq(uses, SESSION_NUMBERS / capacity - 2);
}

Test(session, records_are_taken_in_the_order_of_their_rest)
{
    struct session *second, *first;

    init(3);
    first = open_client(1, START_NS);
    second = open_client(2, START_NS + TICK_NS);
    (void)open_client(3, START_NS + 2 * TICK_NS);
    rest_all(START_NS + IDLE_NS);
    cr_assert_eq(open_client(4, START_NS + IDLE_NS), first);
    sessions_touch(&sessions, second, true, START_NS + IDLE_NS);
    cr_assert_null(find_client(1));
    cr_assert_not_null(find_client(3));
    (void)open_client(5, START_NS + IDLE_NS);
    cr_assert_null(find_client(3), "client 2 is back, so the record of 3 has rested longest");
    cr_assert_eq(find_client(2), second);
}

Test(session, flood_of_new_clients_takes_only_from_its_own_kind)
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

Test(session, new_clients_have_a_quarter_of_the_records)
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

Test(session, new_client_is_refused_when_all_are_established_and_in_use)
{
    struct session *first;

    init(3);
    first = establish_client(0, START_NS);
    (void)establish_client(1, START_NS + TICK_NS);
    (void)establish_client(2, START_NS + TICK_NS);
    cr_assert_null(open_client(3, START_NS + TICK_NS));
    cr_assert_null(open_client(3, START_NS + SESSION_KEEP_NS - TICK_NS));
    cr_assert_eq(open_client(3, START_NS + SESSION_KEEP_NS + TICK_NS), first);
    cr_assert_eq(count(), 3);
}

Test(session, client_without_replies_is_taken_before_an_established_one)
{
    struct session *one_way;

    init(2);
    (void)establish_client(0, START_NS);
    one_way = open_client(1, START_NS + TICK_NS);
    sessions_touch(&sessions, one_way, true, START_NS + TICK_NS);
    cr_assert_eq(one_way->kind, SESSION_ONE_WAY);
    cr_assert_eq(open_client(2, START_NS + 2 * TICK_NS), one_way);
}

Test(session, least_open_session_is_the_one_to_close)
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
    cr_assert_null(sessions_least(&sessions, START_NS), "established and in use");
    cr_assert_eq(sessions_least(&sessions, START_NS + SESSION_KEEP_NS + TICK_NS), established);
}

Test(session, idle_sessions_come_oldest_first)
{
    struct session *single, *busy;

    init(4);
    cr_assert_null(sessions_idle(&sessions, IDLE_NS, START_NS + 2 * IDLE_NS));
    busy = establish_client(1, START_NS);
    single = open_client(2, START_NS + 5 * TICK_NS);
    cr_assert_null(sessions_idle(&sessions, IDLE_NS, START_NS + IDLE_NS - 1));
    cr_assert_eq(sessions_idle(&sessions, IDLE_NS, START_NS + IDLE_NS), busy);
    sessions_touch(&sessions, busy, false, START_NS + IDLE_NS);
    cr_assert_null(sessions_idle(&sessions, IDLE_NS, START_NS + IDLE_NS + 4 * TICK_NS));
    cr_assert_eq(sessions_idle(&sessions, IDLE_NS, START_NS + IDLE_NS + 5 * TICK_NS), single);
    sessions_rest(&sessions, single);
    cr_assert_null(sessions_idle(&sessions, IDLE_NS, START_NS + IDLE_NS + 5 * TICK_NS));
}

Test(session, time_in_ticks_wraps)
{
    const uint64_t wrap_ns = UINT64_C(1) << (32 + SESSION_TICK_SHIFT);
    struct session *session;

    init(4);
    session = establish_client(1, wrap_ns - TICK_NS);
    cr_assert_null(sessions_idle(&sessions, IDLE_NS, wrap_ns + IDLE_NS - 2 * TICK_NS));
    cr_assert_eq(sessions_idle(&sessions, IDLE_NS, wrap_ns + IDLE_NS - TICK_NS), session);
    cr_assert_eq(session_time_ns(session->used, wrap_ns + IDLE_NS), wrap_ns - TICK_NS);
}

Test(session, time_of_the_last_request_is_known_to_a_tick)
{
    struct session *session;

    init(4);
    session = open_client(1, START_NS);
    sessions_touch(&sessions, session, false, START_NS + 3 * TICK_NS);
    sessions_touch(&sessions, session, false, START_NS + 8 * TICK_NS);
    cr_assert_eq(session_requested_ns(session, START_NS + 9 * TICK_NS), START_NS);
    sessions_touch(&sessions, session, true, START_NS + 9 * TICK_NS);
    cr_assert_eq(session_requested_ns(session, START_NS + 9 * TICK_NS), START_NS + 9 * TICK_NS);
    sessions_touch(&sessions, session, false, START_NS + 100000 * TICK_NS);
    cr_assert_eq(session->since_request, UINT16_MAX, "a long time ago");
}

Test(session, requests_stop_counting_at_their_limit)
{
    struct session *session;

    init(4);
    session = open_client(1, START_NS);
    session->requests = UINT32_MAX - 1;
    for (int i = 0; i < 3; i++)
        sessions_touch(&sessions, session, true, START_NS);
    cr_assert_eq(session->requests, UINT32_MAX);
}

Test(session, newest_are_those_with_the_latest_datagrams)
{
    const struct session *newest[CLIENTS];

    init(CAPACITY);
    cr_assert_eq(sessions_newest(&sessions, CLIENTS, newest), 0);
    for (uint32_t i = 0; i < 6; i++)
        (void)open_client(i, START_NS + i * TICK_NS);
    sessions_touch(&sessions, find_client(1), true, START_NS + 10 * TICK_NS);
    sessions_touch(&sessions, find_client(4), false, START_NS + 11 * TICK_NS);
    sessions_touch(&sessions, find_client(0), true, START_NS + 12 * TICK_NS);
    sessions_drop(&sessions, find_client(3));
    cr_assert_eq(sessions_newest(&sessions, CLIENTS, newest), 5);
    cr_assert_eq(newest[0], find_client(0));
    cr_assert_eq(newest[1], find_client(4));
    cr_assert_eq(newest[2], find_client(1));
    cr_assert_eq(newest[3], find_client(5));
    cr_assert_eq(newest[4], find_client(2));
    cr_assert_eq(sessions_newest(&sessions, 2, newest), 2);
    sessions_rest(&sessions, find_client(2));
    cr_assert_eq(sessions_newest(&sessions, CLIENTS, newest), 4, "without the resting one");
}
