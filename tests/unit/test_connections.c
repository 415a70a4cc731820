/* Connections to the admin port: how long one may be held. Who has to go of too many is in
 * test_admin_http.c. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "headless/admin/connections.h"

#define START UINT64_C(7000000000)

static struct connections connections;
static const struct address client = {.family = ADDRESS_V4, .ip = {10, 0, 0, 9}};
static int theirs; /* the client's end */

static void setup(void)
{
    connections_init(&connections);
}

TestSuite(connections, .init = setup, .timeout = 30);

static struct connection *come(uint64_t now_ns)
{
    struct connection *connection;
    int ends[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    theirs = ends[1];
    connection = connections_enter(&connections, ends[0], &client, now_ns);
    cr_assert_not_null(connection);
    return connection;
}

static bool is_shut(void)
{
    char byte;
    ssize_t n = recv(theirs, &byte, 1, 0);

    cr_assert(n == 0 || (n < 0 && errno == EAGAIN));
    return n == 0;
}

static void expect_end_at(uint64_t end_ns)
{
    connections_expire(&connections, end_ns - 1);
    cr_assert_not(is_shut());
    cr_assert_eq(connections_read(&connections).expired, 0);
    connections_expire(&connections, end_ns);
    cr_assert(is_shut());
    connections_expire(&connections, end_ns + CONNECTIONS_RESPONDING_NS);
    cr_assert_eq(connections_read(&connections).expired, 1, "once");
    cr_assert_eq(connections_read(&connections).shed, 0);
    cr_assert_eq(connections_read(&connections).open, 1, "until it is closed");
}

Test(connections, a_request_has_five_seconds_in_all)
{
    struct connection *connection = come(START);

    expect_end_at(START + CONNECTIONS_REQUESTING_NS);
    connections_move(&connections, connection, CONNECTION_RESPONDING,
                     START + CONNECTIONS_REQUESTING_NS);
    cr_assert_eq(connection->class, CONNECTION_CLOSING, "its last byte came too late");
    connections_leave(&connections, connection);
    cr_assert_eq(connections_read(&connections).open, 0);
}

Test(connections, response_has_thirty_seconds_from_the_end_of_the_request)
{
    struct connection *connection = come(START);

    connections_move(&connections, connection, CONNECTION_RESPONDING, START + 3);
    expect_end_at(START + 3 + CONNECTIONS_RESPONDING_NS);
}

Test(connections, a_stream_has_no_end)
{
    struct connection *connection = come(START);

    connections_move(&connections, connection, CONNECTION_STREAM, START);
    connections_expire(&connections, START + 1000 * CONNECTIONS_RESPONDING_NS);
    cr_assert_not(is_shut());
    cr_assert_eq(connections_read(&connections).expired, 0);
}

Test(connections, freed_entry_is_not_shut_again)
{
    struct connection *connection = come(START);

    connections_leave(&connections, connection);
    connections_expire(&connections, START + CONNECTIONS_REQUESTING_NS);
    cr_assert_not(is_shut(), "its descriptor may be another's by now");
    cr_assert_eq(come(START + CONNECTIONS_REQUESTING_NS), connection, "the place is dealt again");
    connections_expire(&connections, START + CONNECTIONS_REQUESTING_NS + 1);
    cr_assert_not(is_shut(), "and its time begins again");
}
