/* The kernel's lookup of a socket, and what the error queue says about a datagram. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "headless/net/udp.h"
#include "headless/net/udp_lookup.h"

static struct udp_lookup lookup;

static void open_lookup(void)
{
    cr_assert_eq(udp_lookup_open(&lookup), 0);
}

static void close_lookup(void)
{
    udp_lookup_close(&lookup);
}

TestSuite(udp_lookup, .timeout = 30, .init = open_lookup, .fini = close_lookup);

static struct address at(const char *text)
{
    struct address address;

    cr_assert_eq(address_parse(text, 0, &address), 0);
    return address;
}

static struct udp_socket open_at(const char *text)
{
    const struct udp_options options = {0};
    const struct address address = at(text);
    struct udp_socket socket;

    cr_assert_eq(udp_open(&address, &options, &socket), 0);
    return socket;
}

static void connect_socket(const struct udp_socket *socket, const struct address *to)
{
    struct sockaddr_storage sa;
    socklen_t length = address_to_sockaddr(to, socket->family, &sa);

    cr_assert_eq(connect(socket->fd, (struct sockaddr *)&sa, length), 0);
}

static enum udp_receiver receiver(const struct address *from, const struct address *to)
{
    return udp_lookup_receiver(&lookup, from, to);
}

/* A wildcard socket is a dual-stack one: a socket of IPv6 that takes IPv4. */
static void server_takes_and_connects(const char *bind, const char *reach, const char *client,
                                      const char *other)
{
    struct udp_socket server = open_at(bind);
    struct address app = address_with_port(at(reach), server.local.port);
    struct address first = at(client), second = at(other), peers[4];

    cr_assert_geq(lookup.fd, 0, "this kernel has udp_diag");
    cr_assert_eq(receiver(&first, &app), UDP_RECEIVER_FOUND, "%s", bind);
    cr_assert_eq(receiver(&second, &app), UDP_RECEIVER_FOUND);
    cr_assert_eq(udp_lookup_peers(&lookup, &app, 4, peers), 0, "not connected");
    connect_socket(&server, &first);
    cr_assert_eq(receiver(&first, &app), UDP_RECEIVER_FOUND);
    cr_assert_eq(receiver(&second, &app), UDP_RECEIVER_NONE, "connected to another one");
    cr_assert_eq(udp_lookup_peers(&lookup, &app, 4, peers), 1);
    cr_assert(address_equal(&peers[0], &first));
    cr_assert_eq(udp_lookup_peers(&lookup, &app, 0, peers), 0);
    udp_close(&server);
    cr_assert_eq(receiver(&first, &app), UDP_RECEIVER_NONE, "closed");
    cr_assert_eq(udp_lookup_peers(&lookup, &app, 4, peers), 0);
}

Test(udp_lookup, bound_socket_is_found)
{
    server_takes_and_connects("127.0.0.1:0", "127.0.0.1:0", "127.128.0.7:1111", "127.128.0.8:1111");
}

Test(udp_lookup, wildcard_socket_is_found)
{
    server_takes_and_connects("0.0.0.0:0", "127.0.0.1:0", "127.128.0.7:1111", "127.128.0.8:1111");
}

Test(udp_lookup, ipv6_socket_is_found)
{
    server_takes_and_connects("[::1]:0", "[::1]:0", "[::1]:1111", "[::1]:2222");
}

Test(udp_lookup, many_connected_sockets_are_listed_up_to_the_limit)
{
    const struct udp_options options = {.reuse_port = true, .rcvbuf_bytes = 1};
    struct address bind = at("127.0.0.1:0"), peer = at("127.0.0.2:1"), peers[3];
    struct udp_socket sockets[200];

    for (size_t i = 0; i < 200; i++) {
        cr_assert_eq(udp_open(&bind, &options, &sockets[i]), 0);
        bind = sockets[0].local;
        peer.port = (uint16_t)(1 + i);
        connect_socket(&sockets[i], &peer);
    }
    cr_assert_eq(udp_lookup_peers(&lookup, &bind, 3, peers), 3);
    cr_assert_eq(receiver(&peers[0], &bind), UDP_RECEIVER_FOUND, "the list was read to its end");
    for (size_t i = 0; i < 200; i++)
        udp_close(&sockets[i]);
}

Test(udp_lookup, without_the_kernel_nothing_is_known)
{
    struct address app = at("127.0.0.1:9"), peers[1];

    udp_lookup_close(&lookup);
    cr_assert_eq(receiver(&app, &app), UDP_RECEIVER_UNKNOWN);
    cr_assert_eq(udp_lookup_peers(&lookup, &app, 1, peers), 0);
}

Test(udp_lookup, addresses_of_two_families_are_unknown)
{
    struct address from = at("[::1]:9"), to = at("127.0.0.1:9");

    cr_assert_eq(receiver(&from, &to), UDP_RECEIVER_UNKNOWN);
}

/* Several sources on one socket: the error queue says which one was refused. */
Test(udp_lookup, error_queue_names_source_and_destination)
{
    const struct udp_options options = {
        .local_address = true, .loopback_only = true, .error_queue = true};
    struct address any = address_any(ADDRESS_V4), to = at("127.0.0.1:9");
    const struct address sources[] = {at("127.128.0.7:0"), at("127.200.1.8:0")};
    struct udp_failure failure;
    struct udp_socket mux;

    cr_assert_eq(udp_open_ipv4(&any, &options, &mux), 0);
    for (size_t i = 0; i < 2; i++)
        cr_assert_eq(udp_send_one(&mux, &to, &sources[i], "hello", 5), 0);
    for (size_t i = 0; i < 2; i++) {
        cr_assert(udp_take_error(mux.fd, &failure));
        cr_assert_eq(failure.error, ECONNREFUSED);
        cr_assert(failure.is_remote);
        cr_assert(address_equal(&failure.to, &to));
        cr_assert(address_equal_ip(&failure.from, &sources[i]));
        cr_assert_eq(failure.length, 5);
        cr_assert_arr_eq(failure.quoted, "hello", 5);
    }
    cr_assert_not(udp_take_error(mux.fd, &failure));
    udp_close(&mux);
}
