/* The numbers of sessions as addresses, and the paths that sessions share. */
#include "session_fixture.h"

TestSuite(session_numbers, .init = setup, .fini = teardown, .timeout = 120);

/* ---- paths ---- */

/* Somebody in the pod's own network may send to each of many local addresses. */
Test(session_numbers, each_session_may_have_a_path_of_its_own)
{
    const uint32_t capacity = 10000;
    struct origin origin = origin_of(1);

    init(capacity);
    for (uint32_t i = 0; i < 3 * capacity; i++) {
        memcpy(origin.local.ip, &i, sizeof(i));
        cr_assert_not_null(open_origin(&origin, START_NS), "path %u", i);
        cr_assert_not_null(sessions_find(&sessions, &origin, true));
    }
    cr_assert_eq(count(), capacity);
    cr_assert_eq(sessions.paths.used, capacity);
}

Test(session_numbers, path_is_free_when_its_last_session_ends)
{
    struct origin origin = origin_of(1);

    init(2);
    for (uint32_t i = 0; i < 10000; i++) {
        memcpy(origin.local.ip, &i, sizeof(i));
        cr_assert_not_null(open_origin(&origin, START_NS));
        cr_assert_eq(sessions_find(&sessions, &origin, true)->tag, 1);
    }
}

/* ---- numbers ---- */

Test(session_numbers, address_and_number_are_the_same)
{
    struct address address;

    cr_assert_eq(address_parse_ip("127.128.0.0", &address), 0);
    cr_assert_eq(session_number_of_address(&address), 0);
    cr_assert_eq(address_parse_ip("127.255.255.255", &address), 0);
    cr_assert_eq(session_number_of_address(&address), SESSION_NUMBERS - 1);
    cr_assert_eq(address_parse_ip("127.192.0.0", &address), 0);
    cr_assert_eq(session_number_of_address(&address), 1);
    cr_assert_eq(address_parse_ip("127.127.255.255", &address), 0);
    cr_assert_eq(session_number_of_address(&address), SESSION_NUMBER_NONE);
    cr_assert_eq(address_parse_ip("128.0.0.0", &address), 0);
    cr_assert_eq(session_number_of_address(&address), SESSION_NUMBER_NONE);
    for (uint32_t number = 0; number < SESSION_NUMBERS; number += 4097) {
        address = session_number_to_address(number);
        cr_assert_eq(session_number_of_address(&address), number);
    }
}

/* The network of a client's address with this prefix, /24 or /16. */
static uint32_t network_of(uint32_t client, unsigned bits)
{
    struct address address =
        session_number_to_address(sessions_number(&sessions, find_client(client)));
    uint32_t ip;

    memcpy(&ip, address.ip, sizeof(ip));
    return ntohl(ip) >> (32 - bits);
}

Test(session_numbers, neighbours_in_time_are_in_different_networks)
{
    init(65536);
    for (uint32_t i = 0; i < 2000; i++) {
        (void)open_client(i, START_NS);
        for (uint32_t k = 0; k < i; k++)
            cr_assert_neq(network_of(i, 24), network_of(k, 24), "clients %u and %u", i, k);
        for (uint32_t k = i < 100 ? 0 : i - 100; k < i; k++)
            cr_assert_neq(network_of(i, 16), network_of(k, 16), "clients %u and %u", i, k);
    }
}

Test(session_numbers, default_table_has_no_address_that_ends_in_0_or_255)
{
    init(1 << 15);
    for (uint32_t i = 0; i < 1000000; i++) {
        struct session *session = open_client(i, START_NS);
        uint8_t last = session_number_to_address(sessions_number(&sessions, session)).ip[3];

        cr_assert(last != 0 && last != 255);
    }
}

/* ---- numbers derived from the client ---- */

Test(session_numbers, hashed_number_is_the_same_in_all_pods)
{
    uint32_t numbers[CLIENTS];
    struct origin origin;

    init_hashed(1000, "c");
    for (uint32_t i = 0; i < CLIENTS; i++)
        numbers[i] = sessions_number(&sessions, open_client(i, START_NS));
    sessions_fini(&sessions);
    init_hashed(77, "c");
    for (uint32_t i = CLIENTS; i-- > 0;) {
        origin = origin_of(i);
        origin.local.port++; /* another pod, another ingress */
        (void)address_parse_ip("10.0.0.3", &origin.ingress);
        cr_assert_eq(sessions_number(&sessions, open_origin(&origin, START_NS)), numbers[i]);
        cr_assert_eq(sessions_by_number(&sessions, numbers[i]),
                     sessions_find(&sessions, &origin, true));
    }
    sessions_fini(&sessions);
    init_hashed(77, "another cluster");
    cr_assert_neq(sessions_number(&sessions, open_client(0, START_NS)), numbers[0]);
}

Test(session_numbers, hashed_numbers_do_not_collide)
{
    const uint32_t clients = 100000;

    init_hashed(clients, "c");
    for (uint32_t i = 0; i < clients; i++) {
        struct session *session = open_client(i, START_NS);
        uint8_t last = session_number_to_address(session->epoch).ip[3];

        cr_assert_eq(sessions_by_number(&sessions, sessions_number(&sessions, session)), session);
        cr_assert(last != 0 && last != 255);
    }
    for (uint32_t i = clients; i < 3 * clients; i++)
        cr_assert_not_null(open_client(i, START_NS), "it takes a record");
}

Test(session_numbers, client_whose_hashed_numbers_are_all_taken_gets_another_one)
{
    struct origin origin = origin_of(1);
    struct session *session;

    init_hashed(100, "c");
    for (uint16_t i = 0; i < SESSION_ATTEMPTS; i++) { /* one client, many local addresses */
        origin.local.port = i;
        sessions_touch(&sessions, open_origin(&origin, START_NS), true, START_NS);
    }
    origin.local.port = 100;
    session = open_origin(&origin, START_NS);
    cr_assert_not_null(session);
    cr_assert_eq(count(), SESSION_ATTEMPTS + 1, "no other session ends for it");
    for (uint32_t i = 0; i < SESSION_ATTEMPTS; i++)
        cr_assert_neq(sessions_number(&sessions, session),
                      session_number_hashed(sessions.setup.number_key, &origin.client, i));
    cr_assert_eq(sessions_by_number(&sessions, sessions_number(&sessions, session)), session);
    rest_all(START_NS + IDLE_NS);
    origin.local.port = 101;
    session = open_origin(&origin, START_NS + IDLE_NS);
    cr_assert_not_null(session);
    cr_assert_eq(sessions_number(&sessions, session),
                 session_number_hashed(sessions.setup.number_key, &origin.client, 0),
                 "a resting session gives up its number");
    cr_assert_eq(count(), 1);
}
