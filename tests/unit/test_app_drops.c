/* app_drops, udp_diag: drops at the app's own socket. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "data/app_drops.h"
#include "headless/base/clock.h"
#include "headless/net/udp.h"

TestSuite(app_drops, .timeout = 30);

static struct address at(const char *text)
{
    struct address address;

    cr_assert_eq(address_parse(text, 0, &address), 0);
    return address;
}

static struct udp_diag_entry entry(uint64_t cookie, const char *local, uint32_t drops)
{
    return (struct udp_diag_entry){.cookie = cookie, .local = at(local), .drops = drops};
}

static struct app_drops watched(const char *app)
{
    return (struct app_drops){.fd = -1, .app = at(app)};
}

Test(app_drops, earlier_drops_do_not_count)
{
    struct app_drops drops = watched("127.0.0.1:53");
    struct udp_diag_entry found = entry(1, "127.0.0.1:53", 10);

    cr_assert_eq(app_drops_take(&drops, &found, 1), 0);
    found.drops = 15;
    cr_assert_eq(app_drops_take(&drops, &found, 1), 5);
    cr_assert_eq(app_drops_take(&drops, &found, 1), 0);
    cr_assert_eq(app_drops_total(&drops), 5);
}

Test(app_drops, restarted_app_counts_on)
{
    struct app_drops drops = watched("127.0.0.1:53");
    struct udp_diag_entry found = entry(1, "127.0.0.1:53", 10);

    (void)app_drops_take(&drops, &found, 1);
    cr_assert_eq(app_drops_take(&drops, NULL, 0), 0);
    found = entry(2, "127.0.0.1:53", 30); /* more than the one before had */
    cr_assert_eq(app_drops_take(&drops, &found, 1), 30);
    found = entry(3, "127.0.0.1:53", 2);
    cr_assert_eq(app_drops_take(&drops, &found, 1), 2);
    cr_assert_eq(app_drops_total(&drops), 32);
}

Test(app_drops, kernel_counter_wraps)
{
    struct app_drops drops = watched("127.0.0.1:53");
    struct udp_diag_entry found = entry(1, "127.0.0.1:53", UINT32_MAX - 1);

    (void)app_drops_take(&drops, &found, 1);
    found.drops = 3;
    cr_assert_eq(app_drops_take(&drops, &found, 1), 5);
}

Test(app_drops, all_sockets_of_a_group_count_and_others_do_not)
{
    struct app_drops drops = watched("127.0.0.2:53");
    struct udp_diag_entry found[] = {entry(1, "127.0.0.2:53", 0), entry(2, "127.0.0.2:53", 0),
                                     entry(3, "0.0.0.0:53", 0), entry(4, "127.0.0.1:53", 0)};

    (void)app_drops_take(&drops, found, 4);
    for (size_t i = 0; i < 4; i++)
        found[i].drops = 1U << i;
    cr_assert_eq(app_drops_take(&drops, found, 4), 3);
}

Test(app_drops, wildcard_counts_where_no_socket_has_the_address)
{
    struct app_drops drops = watched("127.0.0.2:53");
    struct udp_diag_entry found[] = {entry(1, "[::]:53", 0), entry(2, "0.0.0.0:53", 0),
                                     entry(3, "127.0.0.1:53", 0)};

    (void)app_drops_take(&drops, found, 3);
    for (size_t i = 0; i < 3; i++)
        found[i].drops = 1U << i;
    cr_assert_eq(app_drops_take(&drops, found, 3), 3);
}

Test(app_drops, more_sockets_than_room)
{
    struct udp_diag_entry found[APP_DROPS_SOCKETS + 1];
    struct app_drops drops = watched("127.0.0.1:53");

    for (size_t i = 0; i <= APP_DROPS_SOCKETS; i++)
        found[i] = entry(i, "127.0.0.1:53", 0);
    cr_assert_eq(app_drops_take(&drops, found, APP_DROPS_SOCKETS + 1), 0);
    cr_assert_eq(drops.count, APP_DROPS_SOCKETS);
}

/* A socket of one datagram's room that nobody reads, and what the kernel says of it. */
static void drops_at(const char *bind, const char *app)
{
    const struct udp_options options = {.rcvbuf_bytes = 4096};
    const struct address here = at(bind), there = at(app), any = {0};
    struct config config = {.app_target = {.kind = CONFIG_APP_UDP, .address = there}};
    struct udp_socket server, client;
    struct app_drops drops;
    char payload[1400] = "";

    cr_assert_eq(udp_open(&here, &options, &server), 0);
    cr_assert_eq(udp_open_connected(&there, &any, 0, &client), 0);
    app_drops_open(&drops, &config);
    cr_assert_geq(drops.fd, 0);
    app_drops_poll(&drops, NS_PER_SEC);
    for (size_t i = 0; i < 50; i++)
        cr_assert_eq(send(client.fd, payload, sizeof(payload), 0), sizeof(payload));
    app_drops_poll(&drops, 2 * NS_PER_SEC - 1);
    cr_assert_eq(app_drops_total(&drops), 0, "too early");
    app_drops_poll(&drops, 2 * NS_PER_SEC);
    cr_assert_eq(app_drops_total(&drops), udp_kernel_drops(server.fd), "%s", bind);
    cr_assert_gt(app_drops_total(&drops), 0, "%s", bind);
    udp_close(&server);
    app_drops_poll(&drops, 3 * NS_PER_SEC);
    cr_assert_eq(drops.count, 0);
    app_drops_close(&drops);
    udp_close(&client);
}

Test(app_drops, kernel_is_asked_without_a_privilege)
{
    if (geteuid() == 0)
        cr_assert_eq(setresuid(65534, 65534, 65534), 0);
    drops_at("127.0.79.7:7906", "127.0.79.7:7906");
    drops_at("[::]:7907", "127.0.79.7:7907");
    drops_at("[::1]:7908", "[::1]:7908");
}

Test(app_drops, other_apps_are_not_watched)
{
    const struct config builtin = {.app_target = {.kind = CONFIG_APP_ECHO}};
    const struct config elsewhere = {
        .app_target = {.kind = CONFIG_APP_UDP, .address = at("192.0.2.1:53")}};
    struct app_drops drops;

    app_drops_open(&drops, &builtin);
    cr_assert_eq(drops.fd, -1);
    app_drops_open(&drops, &elsewhere);
    cr_assert_eq(drops.fd, -1);
    app_drops_poll(&drops, NS_PER_SEC);
    app_drops_close(&drops);
}

/* A descriptor that is no netlink socket stands for a failure that passes, such as ENOMEM. */
Test(app_drops, one_failed_look_does_not_end_the_watch)
{
    struct app_drops drops = watched("127.0.0.1:53");

    drops.fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    cr_assert_geq(drops.fd, 0);
    app_drops_poll(&drops, 2 * NS_PER_SEC);
    cr_assert_geq(drops.fd, 0);
    app_drops_close(&drops);
}
