/* The table of the return path, as the pod's other rules and its operators see it. */
#include <stdio.h>

#include "return_path_fixture.h"

TestSuite(return_path_table, .timeout = 30);

/* nft(8) ends by an assertion at rules that it cannot put into words. */
Test(return_path_table, operators_can_list_the_rules)
{
    struct way way;

    enter_namespace();
    run_or_skip("nft list ruleset");
    open_way(APP, &way);
    cr_expect_eq(system("nft list ruleset >/dev/null"), 0); /* NOLINT(cert-env33-c): a constant */
    close_way(&way);
    open_way("[::1]:5353", &way);
    cr_expect_eq(system("nft list ruleset >/dev/null"), 0); /* NOLINT(cert-env33-c): a constant */
    close_way(&way);
}

/* As where a rule of the pod asks for the state of connections. */
static void track_connections(const char *family)
{
    char command[256];

    (void)snprintf(
        command, sizeof(command),
        "nft add table %s t && nft add chain %s t c '{ type filter hook output priority 0; }' && "
        "nft add rule %s t c ct state new",
        family, family, family);
    run_or_skip(command);
}

static long tracked_connections(void)
{
    FILE *file = fopen("/proc/sys/net/netfilter/nf_conntrack_count", "re");
    long count = -1;

    if (!file || fscanf(file, "%ld", &count) != 1) /* NOLINT(cert-err34-c): the kernel wrote it */
        cr_skip_test("no connection tracking");
    (void)fclose(file);
    return count;
}

static void expect_untracked(const char *app_text, const char *client_text)
{
    const struct address client = parse(client_text);
    struct sockaddr_storage sa;
    socklen_t length = sizeof(sa);
    struct udp_socket app;
    struct way way;
    char payload[8];

    open_way_and_app(app_text, &client, &way, &app);
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(send_request(&way, &client, 5), 0);
        cr_assert_eq(recvfrom(app.fd, payload, sizeof(payload), 0, (struct sockaddr *)&sa, &length),
                     5);
        cr_assert_eq(sendto(app.fd, payload, 5, 0, (struct sockaddr *)&sa, length), 5);
        expect_reply(&way, &client, 5);
    }
    udp_close(&app);
    expect_refusal(&way, &client);
    cr_expect_eq(tracked_connections(), 0);
    close_way(&way);
}

Test(return_path_table, clients_take_no_entries_of_connection_tracking)
{
    enter_namespace();
    track_connections("ip");
    track_connections("ip6");
    expect_untracked(APP, CLIENT);
    expect_untracked("[::1]:5353", "[2001:db8::9]:4444");
}
