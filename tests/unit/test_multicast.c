/* Sockets for multicast groups, on lo. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "headless/net/multicast.h"

TestSuite(multicast, .timeout = 30);

static const struct address nowhere;
static const struct udp_options options;

static struct address at(const char *text)
{
    struct address address;

    cr_assert_eq(address_parse(text, 0, &address), 0);
    return address;
}

static uint32_t lo(void)
{
    return multicast_find_interface("lo");
}

static struct udp_socket open_at(const char *text)
{
    const struct address address = at(text);
    struct udp_socket socket;

    cr_assert_eq(udp_open(&address, &options, &socket), 0);
    return socket;
}

static struct udp_socket join_at(const struct address *group)
{
    struct udp_socket socket;

    cr_assert_eq(multicast_open(group, lo(), &options, &socket), 0);
    return socket;
}

static void say(const struct udp_socket *from, const struct address *group)
{
    cr_assert_eq(multicast_send_by(from, lo(), 1), 0);
    cr_assert_eq(udp_send_one(from, group, &nowhere, "hello", 5), 0);
}

/* The number of datagrams that wait. */
static size_t take_all(const struct udp_socket *socket)
{
    char text[16];
    size_t n = 0;

    while (recv(socket->fd, text, sizeof(text), MSG_DONTWAIT) >= 0)
        n++;
    return n;
}

Test(multicast, each_socket_of_a_group_gets_one_copy_and_no_other_does)
{
    struct udp_socket client = open_at("127.0.0.1:0"), wildcard = open_at("[::]:0");
    const struct address group = address_with_port(at("239.78.1.1"), wildcard.local.port);
    const struct address other = address_with_port(at("239.78.1.2"), wildcard.local.port);
    struct udp_socket first, second, another;

    udp_share_address(&wildcard, true);
    first = join_at(&group);
    second = join_at(&group);
    another = join_at(&other);
    say(&client, &group);
    cr_assert_eq(take_all(&first), 1);
    cr_assert_eq(take_all(&second), 1);
    cr_assert_eq(take_all(&another), 0);
    cr_assert_eq(take_all(&wildcard), 0);
    multicast_leave(&first, &group, lo());
    say(&client, &group);
    cr_assert_eq(take_all(&first), 0);
    cr_assert_eq(take_all(&second), 1);
    udp_close(&client);
    udp_close(&wildcard);
    udp_close(&first);
    udp_close(&second);
    udp_close(&another);
}

Test(multicast, wildcard_socket_shares_its_port_only_on_request)
{
    struct udp_socket wildcard = open_at("[::]:0"), socket;
    const struct address group = address_with_port(at("239.78.1.1"), wildcard.local.port);

    cr_assert_eq(multicast_open(&group, lo(), &options, &socket), -EADDRINUSE);
    udp_share_address(&wildcard, true);
    cr_assert_eq(multicast_open(&group, lo(), &options, &socket), 0);
    udp_close(&socket);
    udp_share_address(&wildcard, false);
    cr_assert_eq(multicast_open(&group, lo(), &options, &socket), -EADDRINUSE);
    udp_close(&wildcard);
}

static uint32_t interface_of(const struct address *address)
{
    uint32_t interface = 4711;

    cr_assert_eq(multicast_interface_of(address, &interface), 0);
    return interface;
}

Test(multicast, loopback_addresses_belong_to_lo)
{
    const struct address listed = at("127.0.0.1"), unlisted = at("127.0.78.1"),
                         foreign = at("192.0.2.1");
    char number[16];

    cr_assert_neq(lo(), MULTICAST_ANY_INTERFACE);
    cr_assert_eq(interface_of(&listed), lo());
    cr_assert_eq(interface_of(&unlisted), lo());
    cr_assert_eq(interface_of(&foreign), MULTICAST_ANY_INTERFACE);
    (void)snprintf(number, sizeof(number), "%u", lo());
    cr_assert_eq(multicast_find_interface(number), lo());
    cr_assert_eq(multicast_find_interface("nosuch"), MULTICAST_ANY_INTERFACE);
    cr_assert_eq(multicast_find_interface("1x"), MULTICAST_ANY_INTERFACE);
    cr_assert_eq(multicast_find_interface("4000000000"), MULTICAST_ANY_INTERFACE);
    cr_assert_eq(multicast_find_interface(""), MULTICAST_ANY_INTERFACE);
}

Test(multicast, join_fails_where_no_multicast_is_possible)
{
    const struct address group = at("239.78.1.1:12078"), link = at("[ff02::1234]:12078");
    struct udp_socket socket;

    cr_assert_eq(multicast_open(&group, 4000000000U, &options, &socket), -EOPNOTSUPP);
    cr_assert_eq(multicast_open(&link, MULTICAST_ANY_INTERFACE, &options, &socket), -EINVAL);
}
