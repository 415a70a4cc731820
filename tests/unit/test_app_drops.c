/* app_drops, udp_diag: drops at the app's own socket. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "data/app_drops.h"
#include "headless/base/clock.h"
#include "headless/net/udp.h"
#include "net/sock_diag.h"

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
    return (struct app_drops){.diag.fd = -1, .app = at(app)};
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

/* The kernel lists them by hash bucket, so that others come first when some are closed. */
Test(app_drops, socket_that_was_left_out_has_no_history)
{
    struct udp_diag_entry found[APP_DROPS_SOCKETS + 2];
    struct app_drops drops = watched("127.0.0.1:53");

    for (size_t i = 0; i < APP_DROPS_SOCKETS + 2; i++)
        found[i] = entry(i, "127.0.0.1:53", 1000);
    cr_assert_eq(app_drops_take(&drops, found, APP_DROPS_SOCKETS + 1), 0);
    found[APP_DROPS_SOCKETS].drops = 1003;
    cr_assert_eq(app_drops_take(&drops, found + 1, APP_DROPS_SOCKETS), 0, "it may be old");
    found[APP_DROPS_SOCKETS].drops = 1004;
    cr_assert_eq(app_drops_take(&drops, found + 1, APP_DROPS_SOCKETS), 1);
    cr_assert_eq(app_drops_take(&drops, found + 2, APP_DROPS_SOCKETS), 1000, "opened since");
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
    cr_assert_geq(drops.diag.fd, 0);
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

/* A descriptor that fails for a while, as ENOBUFS does; what was dropped meanwhile counts. */
Test(app_drops, failed_look_is_made_up_for)
{
    const struct address here = at("127.0.79.7:7909"), any = {0};
    struct config config = {.app_target = {.kind = CONFIG_APP_UDP, .address = here}};
    const struct udp_options options = {.rcvbuf_bytes = 4096};
    struct udp_socket server, client;
    struct app_drops drops;
    char payload[1400] = "";
    int working;

    cr_assert_eq(udp_open(&here, &options, &server), 0);
    cr_assert_eq(udp_open_connected(&here, &any, 0, &client), 0);
    app_drops_open(&drops, &config);
    app_drops_poll(&drops, NS_PER_SEC);
    working = dup(drops.diag.fd);
    cr_assert_geq(dup2(client.fd, drops.diag.fd), 0);
    for (size_t i = 0; i < 50; i++)
        cr_assert_eq(send(client.fd, payload, sizeof(payload), 0), sizeof(payload));
    app_drops_poll(&drops, 2 * NS_PER_SEC);
    cr_assert_eq(app_drops_total(&drops), 0);
    cr_assert_geq(dup2(working, drops.diag.fd), 0);
    app_drops_poll(&drops, 3 * NS_PER_SEC);
    cr_assert_gt(app_drops_total(&drops), 0);
    cr_assert_eq(app_drops_total(&drops), udp_kernel_drops(server.fd));
    app_drops_close(&drops);
    (void)close(working);
    udp_close(&server);
    udp_close(&client);
}

/* The rest of a reply that was not read to its end is not taken for the next one. */
Test(app_drops, rest_of_an_earlier_reply_is_left_out)
{
    const struct address here = at("127.0.79.7:7910");
    struct sock_diag_request request;
    struct udp_diag_entry found[4];
    const struct udp_options options = {0};
    struct udp_socket server;
    struct udp_diag diag;
    size_t count = 0;
    int rc = -EBUSY; /* while the kernel has not made all of the earlier reply */

    cr_assert_eq(udp_diag_open(&diag), 0);
    for (uint32_t sequence = 0; sequence < 16; sequence++) {
        request = sock_diag_prepare(AF_INET, NLM_F_DUMP, sequence);
        request.body.idiag_states = UINT32_MAX;
        request.body.id.idiag_sport = htons(here.port);
        cr_assert_eq(send(diag.fd, &request, sizeof(request), MSG_DONTWAIT), sizeof(request));
    }
    diag.sequence = 15;
    cr_assert_eq(udp_open(&here, &options, &server), 0);
    for (unsigned i = 0; i < 20 && rc; i++)
        rc = udp_diag_list(&diag, here.port, found, 4, &count);
    cr_assert_eq(rc, 0, "%s", strerror(-rc));
    cr_assert_eq(count, 1);
    udp_diag_close(&diag);
    udp_close(&server);
}

Test(app_drops, other_apps_are_not_watched)
{
    const struct config builtin = {.app_target = {.kind = CONFIG_APP_ECHO}};
    const struct config elsewhere = {
        .app_target = {.kind = CONFIG_APP_UDP, .address = at("192.0.2.1:53")}};
    struct app_drops drops;

    app_drops_open(&drops, &builtin);
    cr_assert_eq(drops.diag.fd, -1);
    app_drops_open(&drops, &elsewhere);
    cr_assert_eq(drops.diag.fd, -1);
    app_drops_poll(&drops, NS_PER_SEC);
    app_drops_close(&drops);
}
