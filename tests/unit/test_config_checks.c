/* Derived settings, and the rules between options. */
#include "config_fixture.h"

TestSuite(config_checks, .init = clear_environment, .timeout = 30);

#define expect_values(l, ...)                        \
    do {                                             \
        load_flags(l, __VA_ARGS__);                  \
        cr_assert_eq((l)->rc, 0, "%s", (l)->errors); \
    } while (0)

static void expect_dumped(const struct config_set *set, const char *key, const char *value)
{
    char expected[256];

    (void)snprintf(expected, sizeof(expected), "%s # ", value);
    cr_expect_eq(strncmp(dumped(set, key), expected, strlen(expected)), 0, "%s is %s, not %s", key,
                 dumped(set, key), value);
}

static void expect_derived(struct loaded *l, const char *self, const char *bind, const char *name,
                           const char *admin)
{
    expect_dumped(l->set, "self", self);
    expect_dumped(l->set, "bind", bind);
    expect_dumped(l->set, "name", name);
    expect_dumped(l->set, "admin.listen", admin);
    unload(l);
}

Test(config_checks, loopback_binds_itself)
{
    struct loaded l;

    expect_values(&l, "--self=127.0.0.11");
    expect_derived(&l, "127.0.0.11", "127.0.0.11", "127.0.0.11", "\"127.0.0.11:8080\"");
    expect_values(&l, "--self=::1");
    expect_derived(&l, "\"::1\"", "\"::1\"", "\"::1\"", "\"[::1]:8080\"");
}

Test(config_checks, other_addresses_bind_any)
{
    struct loaded l;

    expect_values(&l, "--self=10.0.0.1", "--admin-listen=:9090");
    if (config_values(l.set)->bind.family == ADDRESS_V6)
        expect_derived(&l, "10.0.0.1", "any", "10.0.0.1", "\"[::]:9090\"");
    else /* a kernel without IPv6 */
        expect_derived(&l, "10.0.0.1", "0.0.0.0", "10.0.0.1", "\"0.0.0.0:9090\"");
}

Test(config_checks, signed_commands_need_keys)
{
    struct loaded l;

    expect_flags_refused(
        "--control-accept: control.accept signed needs keys, a directory of those "
        "that commands are signed with: without any, no command would be accepted\n",
        "--control-accept=signed");
    expect_values(&l, "--control-accept=signed", "--keys=/etc/keys");
    unload(&l);
}

Test(config_checks, auto_is_signed_with_keys_and_open_without)
{
    static const struct {
        const char *accept, *keys;
        enum config_control control;
    } rows[] = {
        {"--control-accept=auto", "--keys=none", CONFIG_CONTROL_OPEN},
        {"--control-accept=auto", "--keys=/etc/keys", CONFIG_CONTROL_SIGNED},
        {"--control-accept=open", "--keys=/etc/keys", CONFIG_CONTROL_OPEN},
        {"--control-accept=none", "--keys=/etc/keys", CONFIG_CONTROL_NONE},
        {"--control-accept=none", "--keys=none", CONFIG_CONTROL_NONE},
    };
    struct loaded l;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        expect_values(&l, rows[i].accept, rows[i].keys);
        cr_expect_eq(config_control(config_values(l.set), config_values(l.set)), rows[i].control,
                     "%s %s", rows[i].accept, rows[i].keys);
        unload(&l);
    }
}

Test(config_checks, any_is_both_families)
{
    const char *any = "any";
    struct loaded l;

    expect_values(&l, "--self=10.0.0.1", "--bind=any", "--admin-listen=none");
    if (config_values(l.set)->bind.family == ADDRESS_V4)
        any = "0.0.0.0"; /* a kernel without IPv6 */
    expect_derived(&l, "10.0.0.1", any, "10.0.0.1", "none");
    expect_values(&l, "--self=10.0.0.1", "--bind=::", "--admin-listen=none");
    expect_derived(&l, "10.0.0.1", any, "10.0.0.1", "none");
    expect_values(&l, "--self=10.0.0.1", "--bind=0.0.0.0", "--admin-listen=none");
    expect_derived(&l, "10.0.0.1", "0.0.0.0", "10.0.0.1", "none");
}

Test(config_checks, one_bound_address_is_self)
{
    struct loaded l;

    expect_values(&l, "--bind=127.0.0.11");
    expect_derived(&l, "127.0.0.11", "127.0.0.11", "127.0.0.11", "\"127.0.0.11:8080\"");
    expect_values(&l, "--bind=127.0.0.11", "--self=127.0.0.12", "--admin-listen=none");
    expect_derived(&l, "127.0.0.12", "127.0.0.11", "127.0.0.12", "none");
}

Test(config_checks, self_and_name_are_derived_without_options)
{
    const struct config *c;
    struct loaded l;

    expect_values(&l, "--batch=64");
    c = config_values(l.set);
    cr_expect(address_is_set(&c->self));
    cr_expect_not(address_is_any(&c->self));
    cr_expect_eq(c->self.port, 0);
    cr_expect_eq(c->admin_listen.port, 8080);
    cr_expect_str_not_empty(c->name);
    unload(&l);
}

Test(config_checks, name_comes_from_peers)
{
    struct loaded l;

    expect_values(&l, "--self=127.0.0.12", "--peers=a=127.0.0.11,b=127.0.0.12");
    expect_dumped(l.set, "name", "b");
    unload(&l);
    expect_values(&l, "--self=127.0.0.12", "--peers=127.0.0.11,127.0.0.12", "--name=x");
    expect_dumped(l.set, "name", "x");
    unload(&l);
}

Test(config_checks, leader_in_its_one_spelling)
{
    struct loaded l;

    expect_values(&l, "--self=fd00::1", "--leader=FD00:0:0::9");
    expect_dumped(l.set, "leader", "\"fd00::9\"");
    unload(&l);
    expect_values(&l, "--self=fd00::1", "--leader=[FD00::9]:53", "--relay-format=raw");
    expect_dumped(l.set, "leader", "\"[fd00::9]:53\"");
    unload(&l);
    expect_values(&l, "--self=10.0.0.1", "--leader=10.0.0.9:9100", "--relay-format=proxy-v2");
    expect_dumped(l.set, "leader", "\"10.0.0.9:9100\"");
    unload(&l);
}

Test(config_checks, ports_differ)
{
    expect_flags_refused("--relay-port: data.port and relay.port are both 12000\n",
                         "--relay-port=12000");
    expect_flags_refused("--data-port: data.port and relay.port are both 12001\n",
                         "--data-port=12001");
    expect_flags_refused("--peer-port: data.port and peer.port are both 12000\n",
                         "--peer-port=12000");
    expect_flags_refused("--peer-port: relay.port and peer.port are both 7\n", "--relay-port=7",
                         "--peer-port=7");
    expect_text_refused("data.port: 12002\n",
                        "t.yaml:1: data.port: data.port and peer.port are both 12002\n");
}

Test(config_checks, self_and_bind)
{
    expect_flags_refused("--self: \"0.0.0.0\" is not the address of one machine\n",
                         "--self=0.0.0.0");
    expect_flags_refused("--self: \"239.0.0.1\" is not the address of one machine\n",
                         "--self=239.0.0.1");
    expect_flags_refused("--self: \"ff02::1\" is not the address of one machine\n",
                         "--self=ff02::1");
    expect_flags_refused("--bind: \"239.0.0.1\" cannot be bound\n", "--bind=239.0.0.1",
                         "--self=10.0.0.1");
    expect_flags_refused("--admin-listen: \"239.0.0.1:80\" cannot be bound\n",
                         "--admin-listen=239.0.0.1:80");
    expect_flags_refused("--bind: bind 0.0.0.0 and self fd00::1 are of different address "
                         "families\n",
                         "--self=fd00::1", "--bind=0.0.0.0");
    expect_flags_refused("--bind: bind fd00::1 and self 10.0.0.1 are of different address "
                         "families\n",
                         "--self=10.0.0.1", "--bind=fd00::1");
}

Test(config_checks, members)
{
    expect_flags_refused("--peers: peer fd00::2 and self 10.0.0.1 are of different address "
                         "families\n",
                         "--self=10.0.0.1", "--peers=10.0.0.1,fd00::2");
    expect_flags_refused("--name: \"10.0.0.2\" is an address, but not self, which is 10.0.0.1\n",
                         "--self=10.0.0.1", "--name=10.0.0.2");
    expect_flags_refused("--name: name \"x\" does not agree with the list of peers\n",
                         "--self=10.0.0.1", "--name=x", "--peers=a=10.0.0.1");
    expect_flags_refused("--name: name \"a\" does not agree with the list of peers\n",
                         "--self=10.0.0.1", "--name=a", "--peers=a=10.0.0.2");
}

Test(config_checks, leader)
{
    expect_flags_refused("--leader: \"10.0.0.9:9100\" has a port, so it is outside the cluster: "
                         "that needs relay.format raw or proxy-v2 (a member has no port)\n",
                         "--self=10.0.0.1", "--leader=10.0.0.9:9100");
    expect_flags_refused("--leader: leader fd00::9 and self 10.0.0.1 are of different address "
                         "families\n",
                         "--self=10.0.0.1", "--leader=fd00::9");
    expect_flags_refused("--leader: \"10.0.0.1:12000\" is a port of this pod itself, datagrams "
                         "would go in circles\n",
                         "--self=10.0.0.1", "--leader=10.0.0.1:12000", "--relay-format=raw");
}

Test(config_checks, multicast_needs_frames_and_a_way_back)
{
    struct loaded l;

    expect_flags_refused(
        "--multicast-groups: multicast.groups needs relay.format framed: the others end "
        "at one leader, whose replies do not come back through this pod\n",
        "--self=10.0.0.1", "--multicast-groups=239.1.2.3", "--relay-format=raw");
    expect_flags_refused("--multicast-groups: multicast group ff02::12 and bind 10.0.0.1 are of "
                         "different address families, so that no reply could be sent; bind: any "
                         "has both\n",
                         "--multicast-groups=239.1.2.3,ff02::12%eth0", "--bind=10.0.0.1");
    expect_values(&l, "--self=10.0.0.1", "--multicast-groups=239.1.2.3,ff02::12%eth0");
    unload(&l);
}

Test(config_checks, routes_with_replies_need_frames)
{
    expect_flags_refused(
        "--route: routes local, all and ordered need relay.format framed: the others "
        "end at one leader, whose replies do not come back through this pod\n",
        "--route=all", "--relay-format=raw");
}

Test(config_checks, an_order_needs_one_thread_and_its_commit_a_quorum)
{
    struct loaded l;

    expect_flags_refused("--workers: route ordered needs one thread that orders: workers 1, or "
                         "workers 0 with receivers 1\n",
                         "--route=ordered", "--workers=2");
    expect_flags_refused("--workers: route ordered needs one thread that orders: workers 1, or "
                         "workers 0 with receivers 1\n",
                         "--route=ordered", "--workers=0", "--receivers=2");
    expect_flags_refused("--ordered-commit: ordered.commit majority needs quorum auto or majority: "
                         "without one there may be two leaders\n",
                         "--route=ordered", "--ordered-commit=majority", "--quorum=none");
    load_flags(&l, "--self=10.0.0.1", "--route=ordered", "--receivers=4",
               "--ordered-commit=majority");
    cr_assert_eq(l.rc, 0, "%s", l.errors);
    unload(&l);
}

Test(config_checks, a_lease_has_whole_seconds_and_time_for_a_second_renewal)
{
    struct loaded l;

    expect_flags_refused("--lease-duration: lease.duration is not a number of whole seconds\n",
                         "--lease-duration=7500ms");
    expect_flags_refused("--lease-renew: lease.renew and lease.timeout together are 8000 ms, more "
                         "than half of lease.duration\n",
                         "--election=lease", "--lease-renew=7s");
    expect_flags_refused("--lease-name: \"My.Lease\" is not a name in Kubernetes: 1 to 63 "
                         "lower-case letters, digits and -\n",
                         "--lease-name=My.Lease");
    load_flags(&l, "--self=10.0.0.1", "--election=lease", "--lease-duration=5s");
    cr_assert_eq(l.rc, 0, "%s", l.errors);
    unload(&l);
    load_flags(&l, "--self=10.0.0.1", "--lease-renew=auto", "--lease-timeout=10s");
    cr_assert_eq(l.rc, 0, "%s", l.errors);
    unload(&l);
}

Test(config_checks, the_lease_does_not_decide_on_a_log_that_a_majority_commits)
{
    expect_flags_refused("--election: ordered.commit majority needs election peers: the Lease may "
                         "name a leader that lacks entries which a majority has\n",
                         "--election=lease", "--route=ordered", "--receivers=1",
                         "--ordered-commit=majority");
}

Test(config_checks, replied_needs_one_thread_that_sees_requests_and_replies)
{
    static const char *const error =
        "--workers: relay.confirm replied needs one thread that sees requests and replies: "
        "workers 1, or workers 0 with receivers 1\n";
    struct loaded l;

    expect_flags_refused(error, "--relay-confirm=replied", "--workers=2");
    expect_flags_refused(error, "--relay-confirm=replied", "--workers=0", "--receivers=2");
    expect_values(&l, "--relay-confirm=replied", "--receivers=4");
    unload(&l);
    expect_values(&l, "--relay-confirm=delivered", "--workers=4", "--receivers=2");
    unload(&l);
}

Test(config_checks, source_client_needs_an_app_in_this_pod)
{
    struct loaded l;

    expect_flags_refused("--app-source: app.source client needs app.target udp:// at a loopback "
                         "address or at self (is 10.0.0.9:53)\n",
                         "--self=10.0.0.1", "--app-source=client", "--app=udp://10.0.0.9:53");
    expect_flags_refused("--app-source: app.source client needs app.target udp:// at a loopback "
                         "address or at self (is a built-in app)\n",
                         "--self=10.0.0.1", "--app-source=client");
    expect_flags_refused("--app-reply-from: app.reply_from must be same unless app.target is on "
                         "IPv4 loopback (is 127.0.0.1:53) and app.source is session\n",
                         "--self=10.0.0.1", "--app-source=client", "--app=udp://127.0.0.1:53",
                         "--app-reply-from=any");
    expect_values(&l, "--self=10.0.0.1", "--app-source=client", "--app=udp://127.0.0.1:53");
    unload(&l);
    expect_values(&l, "--self=10.0.0.1", "--app-source=client", "--app=udp://10.0.0.1:53");
    unload(&l);
    expect_values(&l, "--self=10.0.0.1", "--app-source=client", "--app=udp://[::1]:53");
    unload(&l);
}

Test(config_checks, app_target_is_not_an_own_socket)
{
    struct loaded l;

    expect_flags_refused("--app: \"10.0.0.1:12000\" is a port of this pod itself, datagrams would "
                         "go in circles\n",
                         "--self=10.0.0.1", "--app=udp://10.0.0.1:12000");
    expect_flags_refused("--app: \"127.0.0.1:12001\" is a port of this pod itself, datagrams would "
                         "go in circles\n",
                         "--self=10.0.0.1", "--app=udp://127.0.0.1:12001");
    expect_values(&l, "--self=127.0.0.11", "--app=udp://127.0.0.1:12000");
    unload(&l);
    expect_values(&l, "--self=10.0.0.1", "--app=udp://127.0.0.1:53");
    unload(&l);
}

Test(config_checks, detection_time_is_at_most_a_minute)
{
    struct loaded l;

    expect_flags_refused("--heartbeat-interval: heartbeat.interval x heartbeat.misses is more than "
                         "a minute, in which a failed leader is not detected\n",
                         "--heartbeat-interval=16s");
    expect_values(&l, "--heartbeat-interval=15s");
    unload(&l);
}

Test(config_checks, one_source_must_be_allowed_to_send)
{
    struct loaded l;

    expect_flags_refused("--data-allow: no source could send: name the ranges that may, or "
                         "write any\n",
                         "--data-allow=none");
    expect_text_refused("data:\n  allow: []\n",
                        "t.yaml:2: data.allow: no source could send: name the ranges that "
                        "may, or write any\n");
    expect_values(&l, "--data-allow=10.0.0.0/8");
    unload(&l);
}

Test(config_checks, a_burst_needs_a_rate)
{
    struct loaded l;

    expect_flags_refused("--data-burst: data.burst 64 limits nothing without data.rate: set that "
                         "too, or data.burst auto\n",
                         "--data-burst=64");
    expect_text_refused("data.burst: 9\ndata.rate: none\n",
                        "t.yaml:1: data.burst: data.burst 9 limits nothing without data.rate: set "
                        "that too, or data.burst auto\n");
    expect_values(&l, "--data-burst=64", "--data-rate=10");
    unload(&l);
    expect_values(&l, "--data-burst=auto");
    unload(&l);
}

static void expect_reloadable(const char *option, bool reloadable, void *context)
{
    size_t *count = context;

    cr_expect(reloadable, "%s", option);
    (*count)++;
}

Test(config_checks, ingress_filter_options_are_reloadable)
{
    struct loaded before, after;
    size_t count = 0;

    expect_values(&before, "--self=10.0.0.1");
    expect_values(&after, "--self=10.0.0.1", "--data-allow=10.0.0.0/8", "--data-rate=10",
                  "--data-burst=20");
    cr_expect_eq(config_diff(before.set, after.set, expect_reloadable, &count), 3);
    cr_expect_eq(count, 3);
    unload(&before);
    unload(&after);
}

Test(config_checks, one_pod_must_be_eligible)
{
    struct loaded l;

    expect_flags_refused("--eligible: this pod may not lead, and there are no others: set peers or "
                         "discovery.dns\n",
                         "--eligible=false");
    expect_values(&l, "--eligible=false", "--self=10.0.0.1", "--peers=10.0.0.2");
    unload(&l);
    expect_values(&l, "--eligible=false", "--discovery-dns=pods.example.");
    unload(&l);
}

Test(config_checks, all_peers_are_expected)
{
    struct loaded l;

    expect_flags_refused("--quorum-expect: quorum.expect 2 is less than the 3 members of peers: "
                         "each half of them could be a majority\n",
                         "--self=10.0.0.1", "--peers=10.0.0.1,10.0.0.2,10.0.0.3",
                         "--quorum-expect=2");
    expect_values(&l, "--self=10.0.0.1", "--peers=10.0.0.1,10.0.0.2", "--quorum-expect=2");
    unload(&l);
}

Test(config_checks, the_api_server_has_an_address)
{
    expect_flags_refused("--platform-api: \"https://api.example:6443\" has a name for a host: use "
                         "the IP address of the API server\n",
                         "--platform-api=https://api.example:6443");
    expect_flags_refused("--platform-api: \"http://10.0.0.1:80\" sends the token unencrypted to "
                         "another host: use https\n",
                         "--platform-api=http://10.0.0.1:80");
    expect_flags_refused("--platform-api: \"https://u@10.0.0.1\" is not https://ADDRESS:PORT, or "
                         "auto\n",
                         "--platform-api=https://u@10.0.0.1");
    expect_flags_refused("--platform-api: \"https://10.0.0.1/api\" is not https://ADDRESS:PORT, or "
                         "auto\n",
                         "--platform-api=https://10.0.0.1/api");
    expect_flags_refused("--platform-api: \"10.0.0.1:443\" is not https://ADDRESS:PORT, or auto\n",
                         "--platform-api=10.0.0.1:443");
    expect_flags_refused("--platform-token: \"token\" is not an absolute path\n",
                         "--platform-token=token");
    expect_flags_refused("--platform-ca: \"ca.crt\" is not an absolute path\n",
                         "--platform-ca=ca.crt");
    expect_flags_refused("--discovery-kubernetes: \"a/b\" is not a name in Kubernetes: 1 to 63 "
                         "lower-case letters, digits and -\n",
                         "--discovery-kubernetes=a/b");
    expect_flags_refused("--platform-namespace: \"-a\" is not a name in Kubernetes: 1 to 63 "
                         "lower-case letters, digits and -\n",
                         "--platform-namespace=-a");
}

Test(config_checks, the_address_of_the_api_server_is_parsed)
{
    struct config_api api;
    struct address expected;

    cr_assert_eq(config_parse_api("https://10.96.0.1", &api), 0);
    cr_assert_eq(address_parse("10.96.0.1:443", 0, &expected), 0);
    cr_expect(api.is_tls && address_equal(&api.address, &expected));
    cr_assert_eq(config_parse_api("https://[fd00::1]:6443/", &api), 0);
    cr_assert_eq(address_parse("[fd00::1]:6443", 0, &expected), 0);
    cr_expect(api.is_tls && address_equal(&api.address, &expected));
    cr_assert_eq(config_parse_api("http://127.0.0.1:8001", &api), 0);
    cr_expect_not(api.is_tls);
    cr_expect_eq(config_parse_api("https://", &api), -EINVAL);
    cr_expect_eq(config_parse_api("https://localhost", &api), -EDESTADDRREQ);
    cr_expect_eq(config_parse_api("http://10.0.0.1", &api), -EPERM);
}

Test(config_checks, the_store_is_found_from_anywhere)
{
    expect_flags_refused("--store: \"term\" is not an absolute path\n", "--store=term");
}

Test(config_checks, ring_holds_a_batch)
{
    expect_flags_refused("--ring: ring 64 does not hold one batch of 256\n", "--ring=64",
                         "--batch=256");
    expect_text_refused("batch: 128\nring: 64\n",
                        "t.yaml:2: ring: ring 64 does not hold one batch of 128\n");
}

Test(config_checks, sessions_stay_with_route_leader_and_frames)
{
    expect_flags_refused("--drain-sessions: drain.sessions stay needs route leader and "
                         "relay.format framed: with the others a former leader cannot pass "
                         "requests on\n",
                         "--route=all", "--drain-sessions=stay");
}

/* An option that is wrong by itself causes no second complaint. */
Test(config_checks, wrong_options_are_not_judged_together)
{
    expect_flags_refused("--data-port: \"0\" is out of range 1..65535\n", "--data-port=0",
                         "--self=10.0.0.1", "--app=udp://10.0.0.1:12000");
    expect_flags_refused("--batch: \"999\" is out of range 1..256\n"
                         "--peer-port: data.port and peer.port are both 12000\n",
                         "--batch=999", "--peer-port=12000");
}
