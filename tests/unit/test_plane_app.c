/*
 * A UDP server as the app of a pod: refusals that concern one client or all, and replies from
 * elsewhere. The server is a socket of this test; each slice is called by hand.
 */
#include "plane_fixture.h"

#include "data/app/udp_app.h"

#define CLIENTS 3

static struct udp_socket app, clients[CLIENTS];

static struct udp_app *udp(void)
{
    return data_planes[A]->workers[0].routing.app.udp;
}

static struct udp_socket open_socket(const struct address *at)
{
    const struct udp_options options = {0};
    struct udp_socket socket;

    cr_assert_eq(udp_open_ipv4(at, &options, &socket), 0);
    return socket;
}

static void reopen(int pod)
{
    data_plane_close(data_planes[pod]);
    cr_assert_eq(data_plane_open(&configs[pod], &supervisor_wakers[pod], &data_planes[pod]), 0);
}

/* A leads; its app is the socket. */
static void setup_app(void)
{
    const struct address any = ip("127.0.0.1");

    setup();
    app = open_socket(&any);
    for (size_t i = 0; i < CLIENTS; i++)
        clients[i] = open_socket(&any);
    configs[A].app_target = (struct config_app_target){CONFIG_APP_UDP, app.local};
    configs[A].app_fail_ns = 3600 * NS_PER_SEC;
    reopen(A);
    publish_both(A, 1);
}

static void teardown_app(void)
{
    for (size_t i = 0; i < CLIENTS; i++)
        udp_close(&clients[i]);
    udp_close(&app);
    teardown();
}

TestSuite(plane_app, .init = setup_app, .fini = teardown_app, .timeout = 30);

static void client_says(size_t i, const char *text)
{
    const struct address to = address_with_port(configs[A].self, configs[A].data_port);
    const struct address from = {0};

    cr_assert_eq(udp_send_one(&clients[i], &to, &from, text, strlen(text)), 0);
    run(A);
}

static void expect_heard(size_t i, const char *expected)
{
    char text[100] = "";
    ssize_t n;

    run(A);
    n = recv(clients[i].fd, text, sizeof(text) - 1, MSG_DONTWAIT);
    text[n > 0 ? n : 0] = '\0';
    cr_assert_str_eq(text, expected);
}

/* The server's next request, and its sender. */
static struct address server_takes(const struct udp_socket *server, const char *expected)
{
    struct sockaddr_storage from = {0};
    socklen_t length = sizeof(from);
    struct address session;
    char text[100];
    ssize_t n = recvfrom(server->fd, text, sizeof(text) - 1, MSG_DONTWAIT, (struct sockaddr *)&from,
                         &length);

    cr_assert_geq(n, 0, "%s did not come", expected);
    text[n] = '\0';
    cr_assert_str_eq(text, expected);
    address_from_sockaddr((struct sockaddr *)&from, &session);
    return session;
}

static void server_has_nothing(const struct udp_socket *server)
{
    char text[1];

    cr_assert_lt(recv(server->fd, text, sizeof(text), MSG_DONTWAIT), 0, "a datagram came");
}

static void server_says(const struct udp_socket *server, const struct address *session,
                        const char *text)
{
    const struct address from = {0};

    cr_assert_eq(udp_send_one(server, session, &from, text, strlen(text)), 0);
    run(A);
}

static void connect_server(const struct address *session)
{
    struct sockaddr_storage sa;
    socklen_t length = address_to_sockaddr(session, AF_INET, &sa);

    cr_assert_eq(connect(app.fd, (struct sockaddr *)&sa, length), 0);
}

static void close_app(void)
{
    udp_close(&app);
}

static void open_app(void)
{
    app = open_socket(&configs[A].app_target.address);
}

/* Checks are due at once, however the clock stands. */
static void check_now(void)
{
    udp()->watch.judge.check_ns = 0;
    run(A);
}

static enum app_health health(void)
{
    return udp()->watch.judge.health;
}

#define REFUSED_CLIENT DROPPED(app_refuses_client)

/* ---- an app with a connected socket ---- */

static void app_serves_one_client(void)
{
    struct address session;

    client_says(0, "one");
    session = server_takes(&app, "one");
    connect_server(&session);
    client_says(1, "other");
    client_says(1, "other");
    client_says(0, "two");
    cr_assert_eq(health(), APP_UP);
    (void)server_takes(&app, "two");
    server_says(&app, &session, "to two");
    expect_heard(0, "to two");
    client_says(0, "three");
    (void)server_takes(&app, "three");
    server_has_nothing(&app);
    cr_assert_eq(count(A, COUNTER_APP_REFUSED_CLIENT), 1);
    cr_assert_eq(count(A, REFUSED_CLIENT), 1);
    cr_assert_eq(count(A, COUNTER_DELIVERED), 4);
}

Test(plane_app, connected_app_serves_its_client_while_others_are_refused)
{
    app_serves_one_client();
    for (size_t i = 0; i < 100; i++)
        client_says(2, "flood");
    cr_assert_eq(health(), APP_UP);
    cr_assert_eq(count(A, COUNTER_APP_REFUSED_CLIENT), 2, "one datagram of each client");
    cr_assert_eq(count(A, COUNTER_APP_REFUSED), 0);
    client_says(0, "four");
    (void)server_takes(&app, "four");
}

Test(plane_app, refused_client_is_served_once_the_app_takes_it)
{
    app_serves_one_client();
    close_app();
    open_app();
    for (size_t i = 0; i < REFUSED_CLIENTS; i++)
        udp()->watch.clients.rows[i].tried_ns -= NS_PER_SEC; /* a second passes */
    client_says(1, "again");
    (void)server_takes(&app, "again");
    client_says(1, "and again");
    (void)server_takes(&app, "and again");
    cr_assert_eq(udp()->watch.clients.count, 0);
}

Test(plane_app, app_connected_to_nobody_of_ours_is_refusing)
{
    const struct address stranger = ip("127.0.0.9");
    const struct address peer = address_with_port(stranger, 9);

    connect_server(&peer);
    client_says(0, "one");
    cr_assert_eq(health(), APP_SUSPECT);
    check_now();
    check_now();
    cr_assert_eq(health(), APP_DOWN);
}

/* ---- a closed port ---- */

Test(plane_app, closed_port_is_down_after_three_checks_and_sends_no_datagram)
{
    close_app();
    client_says(0, "lost");
    cr_assert_eq(health(), APP_SUSPECT);
    client_says(1, "held");
    check_now();
    cr_assert_eq(health(), APP_SUSPECT);
    check_now();
    cr_assert_eq(health(), APP_DOWN);
    cr_assert_eq(count(A, COUNTER_APP_REFUSED), 1, "no check was refused");
    open_app();
    check_now();
    cr_assert_eq(health(), APP_UP);
    (void)server_takes(&app, "held");
    server_has_nothing(&app);
}

Test(plane_app, closed_port_is_found_by_the_first_of_several_clients)
{
    struct address session;

    for (size_t i = 0; i < CLIENTS; i++) {
        client_says(i, "hello");
        session = server_takes(&app, "hello");
        server_says(&app, &session, "yes");
        expect_heard(i, "yes");
    }
    close_app();
    client_says(0, "lost");
    cr_assert_eq(health(), APP_SUSPECT);
    for (size_t i = 0; i < CLIENTS; i++)
        client_says(i, "held");
    cr_assert_eq(count(A, COUNTER_APP_REFUSED), 1);
    open_app();
    check_now();
    for (size_t i = 0; i < CLIENTS; i++)
        (void)server_takes(&app, "held");
}

/* ---- where the port cannot be looked up ---- */

static void cannot_look_up(void)
{
    udp_lookup_close(&udp()->watch.lookup);
}

/* No session was ever answered: the next held request is the check. */
Test(plane_app, without_lookup_a_held_request_is_the_check)
{
    cannot_look_up();
    close_app();
    client_says(0, "lost");
    cr_assert_neq(health(), APP_UP);
    run(A);
    client_says(1, "first check");
    client_says(2, "held");
    client_says(2, "held too");
    cr_assert_neq(health(), APP_UP);
    cr_assert_leq(count(A, COUNTER_DELIVERED), 2);
    open_app();
    check_now(); /* the refused request is judged, the next one is sent */
    check_now();
    cr_assert_eq(health(), APP_UP);
    (void)server_takes(&app, "held");
    (void)server_takes(&app, "held too");
    server_has_nothing(&app);
}

/* The session that was answered last is the check: an empty datagram of its own address. */
Test(plane_app, without_lookup_an_answered_session_checks)
{
    struct address session, checker;

    cannot_look_up();
    client_says(0, "one");
    session = server_takes(&app, "one");
    server_says(&app, &session, "yes");
    expect_heard(0, "yes");
    close_app();
    client_says(0, "lost");
    cr_assert_neq(health(), APP_UP);
    check_now();
    client_says(1, "held");
    open_app();
    check_now();
    check_now();
    cr_assert_eq(health(), APP_UP);
    checker = server_takes(&app, "");
    cr_assert(address_equal(&checker, &session));
    (void)server_takes(&app, "held");
}

Test(plane_app, without_lookup_one_client_is_refused_while_another_is_answered)
{
    struct address session;

    cannot_look_up();
    client_says(0, "one");
    session = server_takes(&app, "one");
    connect_server(&session);
    server_says(&app, &session, "yes");
    expect_heard(0, "yes");
    client_says(1, "other");
    client_says(1, "other");
    client_says(0, "two");
    cr_assert_eq(health(), APP_UP);
    (void)server_takes(&app, ""); /* a check, since the port may be closed all the same */
    (void)server_takes(&app, "two");
    cr_assert_eq(count(A, REFUSED_CLIENT), 1);
}

/* ---- replies from elsewhere ---- */

static struct udp_socket elsewhere;

static void reply_from(enum config_reply_from from)
{
    configs[A].app_reply_from = from;
    reopen(A);
    publish(A, A, 1, 0);
}

/* A request, to which another socket replies. */
static struct address answer_from(const char *address)
{
    const struct address at = ip(address);
    struct address session;

    elsewhere = open_socket(&at);
    client_says(0, "one");
    session = server_takes(&app, "one");
    server_says(&elsewhere, &session, "from elsewhere");
    return session;
}

#define STRANGERS (COUNTER_REPLIES_DROPPED + DROP_stranger)

Test(plane_app, same_takes_replies_of_the_target_only)
{
    struct address session = answer_from("127.0.0.1");

    expect_heard(0, "");
    cr_assert_eq(count(A, STRANGERS), 1);
    client_says(0, "two");
    (void)server_takes(&app, "two");
    server_says(&app, &session, "to two");
    expect_heard(0, "to two");
    udp_close(&elsewhere);
}

Test(plane_app, port_sends_later_datagrams_to_the_port_that_replied)
{
    struct udp_socket third;
    struct address session, at = ip("127.0.0.1");

    reply_from(CONFIG_REPLY_FROM_PORT);
    session = answer_from("127.0.0.1");
    expect_heard(0, "from elsewhere");
    client_says(0, "two");
    (void)server_takes(&elsewhere, "two");
    client_says(1, "another client");
    (void)server_takes(&app, "another client");
    third = open_socket(&at);
    server_says(&third, &session, "from a third");
    expect_heard(0, "from a third");
    client_says(0, "three");
    (void)server_takes(&elsewhere, "three"); /* the first stays */
    server_says(&app, &session, "from the target");
    expect_heard(0, "from the target");
    client_says(0, "four");
    (void)server_takes(&app, "four");
    server_has_nothing(&elsewhere);
    udp_close(&third);
    udp_close(&elsewhere);
}

/* The datagram that the closed port refused is sent again, to the app's own port. */
Test(plane_app, closed_port_leads_back_to_the_target)
{
    reply_from(CONFIG_REPLY_FROM_PORT);
    (void)answer_from("127.0.0.1");
    expect_heard(0, "from elsewhere");
    udp_close(&elsewhere);
    client_says(0, "begins again");
    run(A);
    (void)server_takes(&app, "begins again");
    client_says(0, "two");
    (void)server_takes(&app, "two");
    cr_assert_eq(health(), APP_UP);
    cr_assert_eq(count(A, COUNTER_APP_REFUSED), 0, "it says nothing about the app");
    cr_assert_eq(count(A, COUNTER_DELIVERED), 3);
}

Test(plane_app, port_takes_no_other_address)
{
    reply_from(CONFIG_REPLY_FROM_PORT);
    (void)answer_from("127.0.0.7");
    expect_heard(0, "");
    cr_assert_eq(count(A, STRANGERS), 1);
    udp_close(&elsewhere);
}

Test(plane_app, any_takes_another_address_and_sends_to_the_target)
{
    reply_from(CONFIG_REPLY_FROM_ANY);
    (void)answer_from("127.0.0.7");
    expect_heard(0, "from elsewhere");
    client_says(0, "two");
    (void)server_takes(&app, "two");
    server_has_nothing(&elsewhere);
    udp_close(&elsewhere);
}

/* Bounded, whatever the app does: one port a session, and each reply in one counter. */
Test(plane_app, replies_from_a_thousand_ports_to_anybody)
{
    const struct address any = ip("127.0.0.1"), from = {0};
    struct address session, gone;

    reply_from(CONFIG_REPLY_FROM_PORT);
    client_says(0, "one");
    session = server_takes(&app, "one");
    gone = session;
    gone.ip[2] ^= 1;
    for (size_t i = 0; i < 500; i++) {
        struct udp_socket port = open_socket(&any);

        cr_assert_eq(udp_send_one(&port, &session, &from, "x", 1), 0);
        cr_assert_eq(udp_send_one(&port, &gone, &from, "x", 1), 0);
        udp_close(&port);
        run(A);
    }
    cr_assert_eq(count(A, COUNTER_REPLIES_SENT), 500);
    cr_assert_eq(count(A, COUNTER_REPLIES_DROPPED + DROP_session_gone), 500);
    for (size_t i = 0; i < 2; i++) { /* the first port has been closed */
        client_says(0, "back");
        (void)server_takes(&app, "back");
    }
}
