/*
 * The way back from an app that sees its clients' own addresses, with the kernel, each test in a
 * network namespace of its own. It has only loopback: what needs a route into a network is in
 * tests/cluster/test_source.sh.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "headless/net/return_path.h"
#include "headless/net/transparent.h"

#define APP    "127.0.0.1:5353"
#define CLIENT "10.9.9.9:4444"

TestSuite(return_path, .timeout = 30);

static struct address parse(const char *text)
{
    struct address address;

    cr_assert_eq(address_parse(text, 0, &address), 0);
    return address;
}

static void enter_namespace(void)
{
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd;

    if (unshare(CLONE_NEWNET) != 0)
        cr_skip_test("no network namespace without CAP_SYS_ADMIN");
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    cr_assert_eq(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
    (void)close(fd);
}

static void open_path(const char *app, struct return_path *path)
{
    const struct return_path_setup setup = {.app = parse(app), .clients_max = 10};
    char why[RETURN_PATH_WHY_MAX];

    cr_assert_eq(return_path_open(&setup, path, why), 0, "%s", why);
    cr_assert_str_empty(why);
}

static void expect_refused(const char *app, int error, const char *text)
{
    const struct return_path_setup setup = {.app = parse(app), .clients_max = 10};
    struct return_path path = {.nft_fd = -1};
    char why[RETURN_PATH_WHY_MAX];

    cr_assert_eq(return_path_open(&setup, &path, why), error);
    cr_expect_str_eq(why, text);
    cr_expect_eq(path.nft_fd, -1);
}

/* A request of this many bytes to an app there, and its reply. */
static void exchange(const char *app_text, const char *client_text, size_t bytes)
{
    const struct address app_address = parse(app_text), client = parse(client_text);
    const struct udp_options options = {.receive_timeout_ns = UINT64_C(5000000000)};
    static char payload[UDP_PAYLOAD_MAX];
    struct udp_socket app, session;
    struct sockaddr_storage sa;
    socklen_t length = sizeof(sa);
    struct address from;

    cr_assert_eq(udp_open(&app_address, &options, &app), 0);
    cr_assert_eq(udp_open_transparent(&client, &app_address, 0, &session), 0);
    cr_assert_eq(send(session.fd, payload, bytes, 0), (ssize_t)bytes);
    cr_assert_eq(recvfrom(app.fd, payload, bytes, 0, (struct sockaddr *)&sa, &length),
                 (ssize_t)bytes);
    address_from_sockaddr((struct sockaddr *)&sa, &from);
    cr_expect(address_equal(&from, &client));
    cr_assert_eq(sendto(app.fd, payload, bytes, 0, (struct sockaddr *)&sa, length), (ssize_t)bytes,
                 "%s", strerror(errno));
    cr_expect_eq(recv(session.fd, payload, bytes, 0), (ssize_t)bytes);
    udp_close(&app);
    udp_close(&session);
}

Test(return_path, app_sees_the_client_and_replies_to_it)
{
    struct return_path path;

    enter_namespace();
    open_path(APP, &path);
    exchange(APP, CLIENT, 5);
    exchange(APP, CLIENT, UDP_PAYLOAD_MAX);
    exchange(APP, "192.0.2.1:5353", 5); /* the app's own port */
    return_path_close(&path);
}

Test(return_path, ipv6)
{
    struct return_path path;

    enter_namespace();
    open_path("[::1]:5353", &path);
    exchange("[::1]:5353", "[2001:db8::9]:4444", UDP_PAYLOAD_MAX);
    return_path_close(&path);
}

Test(return_path, refusal_of_a_closed_port_arrives)
{
    const struct address app = parse(APP), client = parse(CLIENT);
    struct return_path path;
    struct udp_socket session;

    enter_namespace();
    open_path(APP, &path);
    cr_assert_eq(udp_open_transparent(&client, &app, 0, &session), 0);
    cr_assert_eq(send(session.fd, "", 0, 0), 0);
    cr_expect(udp_has_error(session.fd));
    udp_close(&session);
    return_path_close(&path);
}

Test(return_path, clients_are_announced_until_the_set_is_full)
{
    const struct address app = parse(APP);
    struct address client = parse(CLIENT);
    struct udp_socket session;
    struct return_path path;

    enter_namespace();
    open_path(APP, &path);
    cr_assert_eq(udp_open_transparent(&client, &app, 0, &session), 0);
    cr_expect_eq(udp_transparent_announce(session.fd, &app, path.signal_port, true), 0);
    cr_expect_eq(udp_transparent_announce(session.fd, &app, path.signal_port, true), 0);
    cr_expect_eq(udp_transparent_announce(session.fd, &app, path.signal_port, false), 0);
    return_path_close(&path);
    /* The table has ended with its descriptor. */
    cr_expect_eq(udp_transparent_announce(session.fd, &app, path.signal_port, true), -ENOSPC);
    udp_close(&session);
}

Test(return_path, own_loopback_multicast_and_broadcast_addresses_are_no_source)
{
    static const char *const refused[] = {"127.0.0.1:4444",      "127.200.0.1:4444", "0.0.0.0:4444",
                                          "224.0.0.1:4444",      "127.0.0.1:53",     "[::1]:4444",
                                          "255.255.255.255:4444"};
    const struct address app = parse(APP);
    struct udp_socket session;
    struct return_path path;

    enter_namespace();
    open_path(APP, &path);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        const struct address client = parse(refused[i]);

        cr_expect_eq(udp_open_transparent(&client, &app, 0, &session), -EADDRNOTAVAIL, "%s",
                     refused[i]);
    }
    return_path_close(&path);
}

Test(return_path, wildcard_socket_without_reuse_keeps_its_port)
{
    const struct address app = parse(APP), client = parse("10.9.9.9:4444");
    const struct address wildcard = parse("0.0.0.0:4444");
    const struct udp_options options = {.rcvbuf_bytes = 1};
    struct udp_socket other, session;

    enter_namespace();
    cr_assert_eq(udp_open_ipv4(&wildcard, &options, &other), 0);
    cr_expect_eq(udp_open_transparent(&client, &app, 0, &session), -EADDRINUSE);
    udp_share_address(&other, true);
    cr_assert_eq(udp_open_transparent(&client, &app, 0, &session), 0);
    udp_close(&session);
    udp_close(&other);
}

Test(return_path, leftovers_of_before_are_replaced)
{
    struct return_path path;

    enter_namespace();
    for (unsigned i = 0; i < 3; i++) {
        open_path(APP, &path);
        exchange(APP, CLIENT, 5);
        return_path_close(&path);
    }
}

Test(return_path, table_of_a_running_process_stays)
{
    struct return_path path, other;

    enter_namespace();
    open_path(APP, &path);
    expect_refused(APP, -EPERM,
                   "nftables table headlessd_5353 belongs to another running process: only one "
                   "headlessd of a network namespace may have an app at this port");
    open_path("127.0.0.1:5354", &other);
    exchange(APP, CLIENT, 5);
    exchange("127.0.0.1:5354", CLIENT, 5);
    return_path_close(&path);
    return_path_close(&other);
}

static void run_or_skip(const char *command)
{
    if (system(command) != 0) /* NOLINT(cert-env33-c): a constant */
        cr_skip_test("%s", command);
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
