/*
 * The way back from an app that sees its clients' own addresses, with the kernel, each test in a
 * network namespace of its own. It has only loopback: what needs a route into a network is in
 * tests/cluster/test_source.sh.
 */
#include "return_path_fixture.h"

#define MANY_WORKERS 16 /* WORKERS_MAX */

TestSuite(return_path, .timeout = 30);

static void expect_refused(const char *app, int error, const char *text)
{
    char why[RETURN_PATH_WHY_MAX];
    struct way way;

    cr_assert_eq(try_open(app, &way, why), error);
    cr_expect_str_eq(why, text);
    cr_expect_eq(way.path.nft_fd, -1);
    close_way(&way);
}

/* A request of this many bytes to an app there, and its reply. */
static void exchange(const struct way *way, const char *client_text, size_t bytes)
{
    const struct address client = parse(client_text);
    const struct udp_options options = {.receive_timeout_ns = UINT64_C(5000000000)};
    static char payload[UDP_PAYLOAD_MAX];
    struct sockaddr_storage sa;
    socklen_t length = sizeof(sa);
    struct udp_socket app;
    struct address from;

    cr_assert_eq(udp_open(&way->app, &options, &app), 0);
    udp_transparent_announce(&way->socket, &client, &way->app, true);
    cr_assert_eq(send_request(way, &client, bytes), 0);
    cr_assert_eq(recvfrom(app.fd, payload, sizeof(payload), 0, (struct sockaddr *)&sa, &length),
                 (ssize_t)bytes);
    address_from_sockaddr((struct sockaddr *)&sa, &from);
    cr_expect(address_equal(&from, &client));
    cr_assert_eq(sendto(app.fd, payload, bytes, 0, (struct sockaddr *)&sa, length), (ssize_t)bytes,
                 "%s", strerror(errno));
    expect_reply(way, &client, bytes);
    udp_transparent_announce(&way->socket, &client, &way->app, false);
    /* Nobody gets it now, as the app learns. */
    cr_assert_eq(sendto(app.fd, payload, bytes, 0, (struct sockaddr *)&sa, length), (ssize_t)bytes,
                 "%s", strerror(errno));
    cr_expect_lt(recv(way->socket.fd, payload, sizeof(payload), MSG_DONTWAIT), 0);
    udp_close(&app);
}

Test(return_path, app_sees_the_client_and_replies_to_it)
{
    struct way way;

    enter_namespace();
    open_way(APP, &way);
    exchange(&way, CLIENT, 5);
    exchange(&way, CLIENT, 0);
    exchange(&way, CLIENT, UDP_PAYLOAD_MAX);
    exchange(&way, "192.0.2.1:5353", 5); /* the app's own port */
    close_way(&way);
}

Test(return_path, ipv6)
{
    struct way way;

    enter_namespace();
    open_way("[::1]:5353", &way);
    exchange(&way, "[2001:db8::9]:4444", 5);
    exchange(&way, "[2001:db8::9]:4444", UDP_PAYLOAD_MAX);
    close_way(&way);
}

static void expect_refusal_at(const char *app, const char *client_text)
{
    const struct address client = parse(client_text);
    struct way way;

    open_way(app, &way);
    udp_transparent_announce(&way.socket, &client, &way.app, true);
    expect_refusal(&way, &client);
    close_way(&way);
}

Test(return_path, refusal_of_a_closed_port_names_the_client)
{
    enter_namespace();
    expect_refusal_at(APP, CLIENT);
    expect_refusal_at("[::1]:5353", "[2001:db8::9]:4444");
}

/* An app, and two workers with their sockets and the path of both. */
struct two_ways {
    struct udp_socket app;
    struct way first, second; /* the path is in the first */
};

static void open_two_ways(struct two_ways *ways)
{
    const struct udp_options options = {.receive_timeout_ns = UINT64_C(5000000000)};
    struct return_path_setup setup = {.app = parse(APP), .port_count = 2, .clients_max = 10};
    char why[RETURN_PATH_WHY_MAX];
    uint16_t ports[2];

    enter_namespace();
    *ways = (struct two_ways){.first = {.app = setup.app}, .second = {.app = setup.app}};
    cr_assert_eq(udp_open(&setup.app, &options, &ways->app), 0);
    cr_assert_eq(udp_open_transparent(&setup.app, 0, &ways->first.socket), 0);
    cr_assert_eq(udp_open_transparent(&setup.app, 0, &ways->second.socket), 0);
    ports[0] = ways->first.socket.local.port;
    ports[1] = ways->second.socket.local.port;
    setup.ports = ports;
    cr_assert_eq(return_path_open(&setup, &ways->first.path, why), 0, "%s", why);
}

static void close_two_ways(struct two_ways *ways)
{
    close_way(&ways->first);
    udp_close(&ways->second.socket);
    udp_close(&ways->app);
}

/* The app replies to a request by the second one. */
static void app_replies_to_second(const struct two_ways *ways, const struct address *client)
{
    struct sockaddr_storage sa;
    socklen_t length = sizeof(sa);
    char payload[8];

    cr_assert_eq(send_request(&ways->second, client, 5), 0);
    cr_assert_eq(
        recvfrom(ways->app.fd, payload, sizeof(payload), 0, (struct sockaddr *)&sa, &length), 5);
    cr_assert_eq(sendto(ways->app.fd, payload, 5, 0, (struct sockaddr *)&sa, length), 5);
}

Test(return_path, several_workers_have_their_own_replies)
{
    const struct address client = parse(CLIENT), other = parse("10.9.9.9:4445");
    struct two_ways ways;

    open_two_ways(&ways);
    udp_transparent_announce(&ways.first.socket, &client, &ways.first.app, true);
    udp_transparent_announce(&ways.second.socket, &other, &ways.second.app, true);
    app_replies_to_second(&ways, &other);
    expect_reply(&ways.second, &other, 5);
    /* The client of the first moves to the second. */
    udp_transparent_announce(&ways.second.socket, &client, &ways.second.app, true);
    app_replies_to_second(&ways, &client);
    expect_reply(&ways.second, &client, 5);
    close_two_ways(&ways);
}

/* Both had a session of the client, the first worker's ends later. */
Test(return_path, end_of_a_session_leaves_that_of_another_worker)
{
    const struct address client = parse(CLIENT);
    struct two_ways ways;
    char payload[8];

    open_two_ways(&ways);
    udp_transparent_announce(&ways.first.socket, &client, &ways.first.app, true);
    udp_transparent_announce(&ways.second.socket, &client, &ways.second.app, true);
    udp_transparent_announce(&ways.first.socket, &client, &ways.first.app, false);
    app_replies_to_second(&ways, &client);
    cr_assert_eq(recv(ways.second.socket.fd, payload, sizeof(payload), MSG_DONTWAIT), 5);
    close_two_ways(&ways);
}

static void open_many(const char *app)
{
    struct return_path_setup setup = {.app = parse(app), .clients_max = UINT32_C(1) << 20};
    struct return_path path;
    char why[RETURN_PATH_WHY_MAX];
    uint16_t ports[MANY_WORKERS];

    for (; setup.port_count < MANY_WORKERS; setup.port_count++)
        ports[setup.port_count] = (uint16_t)(40000 + setup.port_count);
    setup.ports = ports;
    cr_assert_eq(return_path_open(&setup, &path, why), 0, "%s", why);
    return_path_close(&path);
}

Test(return_path, has_room_for_as_many_workers_as_there_can_be)
{
    enter_namespace();
    open_many(APP);
    open_many("[::1]:5353");
}

/* SO_NO_CHECK: a checksum of 0 says that there is none. */
Test(return_path, app_without_checksums)
{
    const struct address client = parse(CLIENT);
    const struct udp_options options = {.receive_timeout_ns = UINT64_C(5000000000)};
    const int on = 1;
    struct sockaddr_storage sa;
    socklen_t length = sizeof(sa);
    struct udp_socket app;
    struct way way;
    char payload[8];

    enter_namespace();
    open_way(APP, &way);
    cr_assert_eq(udp_open(&way.app, &options, &app), 0);
    cr_assert_eq(setsockopt(app.fd, SOL_SOCKET, SO_NO_CHECK, &on, sizeof(on)), 0);
    udp_transparent_announce(&way.socket, &client, &way.app, true);
    cr_assert_eq(send_request(&way, &client, 5), 0);
    cr_assert_eq(recvfrom(app.fd, payload, sizeof(payload), 0, (struct sockaddr *)&sa, &length), 5);
    cr_assert_eq(sendto(app.fd, payload, 5, 0, (struct sockaddr *)&sa, length), 5);
    cr_expect_eq(recv(way.socket.fd, payload, sizeof(payload), MSG_DONTWAIT), 5);
    close_way(&way);
    udp_close(&app);
}

Test(return_path, own_loopback_multicast_and_broadcast_addresses_are_no_source)
{
    static const char *const refused[] = {"127.0.0.1", "127.200.0.1",     "0.0.0.0", "224.0.0.1",
                                          "::1",       "255.255.255.255", "ff02::1", "::"};
    static const char *const good[] = {"10.0.0.1", "192.0.2.1", "8.8.8.8"};
    int probe = -1;

    enter_namespace();
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        const struct address ip = parse(refused[i]);

        if (probe >= 0)
            (void)close(probe); /* it is of one family */
        probe = -1;
        cr_expect_eq(udp_check_source(&probe, &ip), -EADDRINUSE, "%s", refused[i]);
    }
    for (size_t i = 0; i < 3 * sizeof(good) / sizeof(good[0]); i++) {
        const struct address ip = parse(good[i % 3]);

        cr_expect_eq(udp_check_source(&probe, &ip), 0, "%s", good[i % 3]);
    }
    (void)close(probe);
}

Test(return_path, leftovers_of_before_are_replaced)
{
    struct way way;

    enter_namespace();
    for (unsigned i = 0; i < 3; i++) {
        open_way(APP, &way);
        exchange(&way, CLIENT, 5);
        close_way(&way);
    }
}

Test(return_path, table_of_a_running_process_stays)
{
    struct way way, other;

    enter_namespace();
    open_way(APP, &way);
    expect_refused(APP, -EPERM,
                   "nftables table headlessd_5353 belongs to another running process: only one "
                   "headlessd of a network namespace may have an app at this port");
    open_way("127.0.0.1:5354", &other);
    exchange(&way, CLIENT, 5);
    exchange(&other, CLIENT, 5);
    close_way(&way);
    close_way(&other);
}

Test(return_path, rules_and_tables_of_others_are_an_error)
{
    static const char in_use[] = "routing table 1751389417 is in use: it has rules or routes of "
                                 "another program";

    enter_namespace();
    run_or_skip("ip rule add from 192.0.2.1 lookup 1751389417");
    expect_refused(APP, -EEXIST, in_use);
    run_or_skip("ip rule del from 192.0.2.1 lookup 1751389417");
    run_or_skip("ip route add 192.0.2.0/24 dev lo table 1751389417");
    expect_refused(APP, -EEXIST, in_use);
    run_or_skip("ip route flush table 1751389417");
    run_or_skip("nft add table ip headlessd_5353");
    expect_refused(APP, -EEXIST,
                   "nftables table headlessd_5353 exists, made by another program: delete it");
}

/* A reply from the address and the interface at which the request arrived (dnsmasq with IPv6). */
static void reply_over(int fd, unsigned interface, const struct sockaddr_storage *to,
                       socklen_t length)
{
    struct in6_pktinfo ipv6 = {.ipi6_ifindex = interface};
    struct in_pktinfo ipv4 = {.ipi_ifindex = (int)interface};
    bool is_ipv6 = to->ss_family == AF_INET6;
    _Alignas(struct cmsghdr) uint8_t room[CMSG_SPACE(sizeof(ipv6))] = {0};
    struct iovec part = {"hello", 5};
    struct sockaddr_storage name = *to;
    struct msghdr header = {.msg_name = &name,
                            .msg_namelen = length,
                            .msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = room,
                            .msg_controllen = is_ipv6 ? sizeof(room) : CMSG_SPACE(sizeof(ipv4))};
    struct cmsghdr *c = CMSG_FIRSTHDR(&header);

    c->cmsg_level = is_ipv6 ? IPPROTO_IPV6 : IPPROTO_IP;
    c->cmsg_type = is_ipv6 ? IPV6_PKTINFO : IP_PKTINFO;
    c->cmsg_len = is_ipv6 ? CMSG_LEN(sizeof(ipv6)) : CMSG_LEN(sizeof(ipv4));
    memcpy(CMSG_DATA(c), is_ipv6 ? (const void *)&ipv6 : &ipv4,
           is_ipv6 ? sizeof(ipv6) : sizeof(ipv4));
    cr_expect_eq(sendmsg(fd, &header, 0), 5, "%s", strerror(errno));
}

static void exchange_over_lo(const char *app_text, const char *client_text)
{
    const struct address client = parse(client_text);
    struct sockaddr_storage sa;
    socklen_t length = sizeof(sa);
    struct udp_socket app;
    struct way way;
    char payload[8];

    open_way_and_app(app_text, &client, &way, &app);
    cr_assert_eq(send_request(&way, &client, 5), 0);
    cr_assert_eq(recvfrom(app.fd, payload, sizeof(payload), 0, (struct sockaddr *)&sa, &length), 5);
    reply_over(app.fd, if_nametoindex("lo"), &sa, length);
    cr_expect_eq(recv(way.socket.fd, payload, sizeof(payload), MSG_DONTWAIT), 5, "%s", app_text);
    close_way(&way);
    udp_close(&app);
}

Test(return_path, app_at_the_pods_address_names_the_interface)
{
    enter_namespace();
    run_or_skip("ip addr add 10.7.7.7/32 dev lo && ip addr add fd77::7/128 dev lo nodad");
    exchange_over_lo(APP, CLIENT);
    exchange_over_lo("[::1]:5353", "[2001:db8::9]:4444");
    exchange_over_lo("10.7.7.7:5353", CLIENT);
    exchange_over_lo("[fd77::7]:5353", "[2001:db8::9]:4444");
}
