/*
 * app.source client: which clients' addresses can be a source, when the kernel is asked for that, and what it
 * may answer. The two pods are in a network namespace of their own.
 */
#include <errno.h>

#include "namespace_fixture.h"
#include "plane_fixture.h"

#include "data/app/udp_app.h"
#include "headless/net/address_watch.h"
#include "headless/net/transparent.h"

/* ---- the kernel ---- */

static int socket_errno, bind_errno; /* of the next calls; 0: as the kernel decides */
static unsigned binds;

int __real_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol)
{
    errno = socket_errno;
    return socket_errno ? -1 : __real_socket(domain, type, protocol);
}

int __real_bind(int fd, const struct sockaddr *sa, socklen_t length);
int __wrap_bind(int fd, const struct sockaddr *sa, socklen_t length);
int __wrap_bind(int fd, const struct sockaddr *sa, socklen_t length)
{
    binds++;
    errno = bind_errno;
    return bind_errno ? -1 : __real_bind(fd, sa, length);
}

/* ---- fixture ---- */

static struct udp_socket outside; /* sends from any address */
static struct udp_socket app;

static void keep_sessions(void)
{
    struct leader_snapshot *snapshot = snapshot_draft(&data_planes[A]->publisher);

    cr_assert_not_null(snapshot);
    snapshot->settings.app_idle_ns = 3600 * NS_PER_SEC;
    snapshot_publish(&data_planes[A]->publisher, snapshot);
}

static void setup_source(void)
{
    const struct address at = ip("127.0.0.1");
    const struct udp_options options = {0};

    enter_namespace();
    setup();
    cr_assert_eq(udp_open(&at, &options, &app), 0);
    cr_assert_eq(udp_open_transparent(&at, 0, &outside), 0);
    configs[A].app_target = (struct config_app_target){CONFIG_APP_UDP, app.local};
    configs[A].app_source = CONFIG_APP_SOURCE_CLIENT;
    data_plane_close(data_planes[A]);
    cr_assert_eq(data_plane_open(&configs[A], &supervisor_wakers[A], &data_planes[A]), 0);
    publish_both(A, 1);
    keep_sessions();
    binds = 0;
}

static void teardown_source(void)
{
    udp_close(&outside);
    udp_close(&app);
    teardown();
}

TestSuite(plane_app_source, .init = setup_source, .fini = teardown_source, .timeout = 30);

static void client_says(const char *from_ip)
{
    const struct address from = address_with_port(ip(from_ip), 4444);
    const struct address to = address_with_port(configs[A].self, configs[A].data_port);

    cr_assert_eq(udp_send_one(&outside, &to, &from, "hi", 2), 0);
    run(A);
}

static void expect_counts(uint64_t delivered, uint64_t source, uint64_t no_socket)
{
    cr_expect_eq(count(A, COUNTER_DELIVERED), delivered);
    cr_expect_eq(count(A, DROPPED(source)), source);
    cr_expect_eq(count(A, DROPPED(app_no_socket)), no_socket);
}

/* ---- tests ---- */

Test(plane_app_source, kernel_is_asked_once_for_each_new_client)
{
    client_says("192.0.2.1");
    cr_expect_eq(binds, 1);
    client_says("192.0.2.1");
    cr_expect_eq(binds, 1);
    expect_counts(2, 0, 0);
}

Test(plane_app_source, refused_client_is_asked_for_once)
{
    client_says("127.0.0.1");
    cr_expect_eq(binds, 1);
    client_says("127.0.0.1");
    cr_expect_eq(binds, 2);
    expect_counts(0, 2, 0);
}

Test(plane_app_source, missing_descriptors_and_memory_are_no_address_of_the_pod)
{
    static const int errors[] = {EMFILE, ENFILE, ENOMEM, ENOBUFS};
    const size_t n = sizeof(errors) / sizeof(errors[0]);

    for (size_t i = 0; i < n; i++) {
        socket_errno = errors[i];
        client_says("192.0.2.1");
    }
    socket_errno = 0;
    expect_counts(0, 0, n);
    for (size_t i = 0; i < n; i++) {
        bind_errno = errors[i];
        client_says("192.0.2.1");
    }
    bind_errno = 0;
    expect_counts(0, 0, 2 * n);
    client_says("192.0.2.1");
    expect_counts(1, 0, 2 * n);
}

Test(plane_app_source, address_without_a_free_port_is_one_of_the_pod)
{
    static const int errors[] = {EADDRINUSE, EINVAL, ENODEV};
    const size_t n = sizeof(errors) / sizeof(errors[0]);

    for (size_t i = 0; i < n; i++) {
        bind_errno = errors[i];
        client_says("192.0.2.1");
    }
    bind_errno = 0;
    expect_counts(0, n, 0);
}

/* By another program, as this one has given up the capability. The pod learns of it. */
static void change_addresses(const char *command)
{
    run_or_skip(command);
    data_planes[A]->workers[0].next_tick_ns = 0;
    run(A);
}

static uint64_t open_sessions(void)
{
    return app_session_count(&data_planes[A]->workers[0].routing.app);
}

Test(plane_app_source, session_ends_when_its_clients_address_becomes_one_of_the_pod)
{
    client_says("192.0.2.1");
    client_says("192.0.2.2");
    change_addresses("ip address add 192.0.2.1/32 dev lo");
    client_says("192.0.2.1");
    client_says("192.0.2.1");
    expect_counts(2, 2, 0);
    cr_expect_eq(open_sessions(), 1);
    client_says("192.0.2.2");
    expect_counts(3, 2, 0);
    change_addresses("ip address del 192.0.2.1/32 dev lo");
    client_says("192.0.2.1");
    expect_counts(4, 2, 0);
    cr_expect_eq(open_sessions(), 2);
}

Test(plane_app_source, kernel_is_asked_again_only_after_addresses_have_changed)
{
    client_says("192.0.2.1");
    client_says("192.0.2.1");
    cr_expect_eq(binds, 1);
    change_addresses("ip route add 198.51.100.0/24 dev lo");
    client_says("192.0.2.1");
    cr_expect_eq(binds, 1, "a route is no address");
    change_addresses("ip address add 192.0.2.3/32 dev lo");
    client_says("192.0.2.1");
    client_says("192.0.2.1");
    cr_expect_eq(binds, 2);
    expect_counts(5, 0, 0);
}

Test(plane_app_source, session_stays_while_the_kernel_cannot_be_asked)
{
    client_says("192.0.2.1");
    change_addresses("ip address add 192.0.2.3/32 dev lo");
    bind_errno = ENOMEM;
    client_says("192.0.2.1");
    bind_errno = 0;
    cr_expect_eq(open_sessions(), 1);
    client_says("192.0.2.1");
    expect_counts(2, 0, 1);
}

Test(plane_app_source, addresses_of_ipv6_are_noticed)
{
    int fd = address_watch_open(ADDRESS_V6);

    cr_assert_geq(fd, 0);
    cr_expect_not(address_watch_take(fd));
    run_or_skip("ip address add 2001:db8::1/128 dev lo");
    cr_expect(address_watch_take(fd));
    cr_expect_not(address_watch_take(fd));
    (void)close(fd);
}
