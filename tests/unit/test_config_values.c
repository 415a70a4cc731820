/* Every type of option: what is taken, how it is written back, and the exact words of a refusal. */
#include "config_fixture.h"

TestSuite(config_values, .init = clear_environment, .timeout = 30);

struct good {
    const char *flag, *key, *dumped; /* dumped: the value in its canonical spelling */
};

static void expect_good(const struct good *g)
{
    char expected[512];
    struct loaded l;

    load_flags(&l, g->flag);
    cr_assert_eq(l.rc, 0, "%s: %s", g->flag, l.errors);
    (void)snprintf(expected, sizeof(expected), "%s # --%.*s", g->dumped,
                   (int)strcspn(g->flag + 2, "="), g->flag + 2);
    cr_expect_str_eq(dumped(l.set, g->key), expected);
    cr_expect_str_empty(l.errors);
    unload(&l);
}

#define EXPECT_GOOD(rows)                                         \
    for (size_t i = 0; i < sizeof(rows) / sizeof((rows)[0]); i++) \
    expect_good(&(rows)[i])

/* flag is --name=value; the error begins with --name. */
struct bad {
    const char *flag, *message;
};

static void expect_bad(const struct bad *b)
{
    char expected[1024];
    struct loaded l;

    load_flags(&l, b->flag);
    (void)snprintf(expected, sizeof(expected), "%.*s: %s\n", (int)strcspn(b->flag, "="), b->flag,
                   b->message);
    expect_refused(&l, expected);
}

#define EXPECT_BAD(rows)                                          \
    for (size_t i = 0; i < sizeof(rows) / sizeof((rows)[0]); i++) \
    expect_bad(&(rows)[i])

Test(config_values, numbers)
{
    static const struct good good[] = {
        {"--data-port=1", "data.port", "1"},
        {"--data-port=65535", "data.port", "65535"},
        {"--leader-generation=0", "leader_generation", "0"},
        {"--leader-generation=9223372036854775807", "leader_generation", "9223372036854775807"},
        {"--workers=0", "workers", "0"},
        {"--ring=65536", "ring", "65536"},
        {"--relay-mtu=576", "relay.mtu", "576"},
        {"--app-max-sessions=1048576", "app.max_sessions", "1048576"},
    };
    static const struct bad bad[] = {
        {"--data-port=70000", "\"70000\" is out of range 1..65535"},
        {"--data-port=0", "\"0\" is out of range 1..65535"},
        {"--data-port=65536", "\"65536\" is out of range 1..65535"},
        {"--data-port=08", "\"08\" has a leading zero"},
        {"--data-port=00", "\"00\" has a leading zero"},
        {"--data-port=-1", "\"-1\" is not a whole number"},
        {"--data-port=+1", "\"+1\" is not a whole number"},
        {"--data-port=0x10", "\"0x10\" is not a whole number"},
        {"--data-port=1e3", "\"1e3\" is not a whole number"},
        {"--data-port=12 ", "\"12 \" is not a whole number"},
        {"--data-port=", "\"\" is empty"},
        {"--data-port=18446744073709563616", "\"18446744073709563616\" is out of range 1..65535"},
        {"--data-port=99999999999999999999999", "\"99999999999999999999999\" is out of range "
                                                "1..65535"},
        {"--leader-generation=9223372036854775808",
         "\"9223372036854775808\" is out of range 0..9223372036854775807"},
        {"--receivers=17", "\"17\" is out of range 1..16"},
        {"--batch=257", "\"257\" is out of range 1..256"},
        {"--ring=100", "\"100\" is not a power of two"},
        {"--ring=32", "\"32\" is out of range 64..65536, a power of two"},
    };

    EXPECT_GOOD(good);
    EXPECT_BAD(bad);
}

Test(config_values, durations)
{
    static const struct good good[] = {
        {"--hold-time=0", "hold.time", "0"},         {"--hold-time=0s", "hold.time", "0"},
        {"--hold-time=1ns", "hold.time", "1ns"},     {"--hold-time=5us", "hold.time", "5us"},
        {"--hold-time=200ms", "hold.time", "200ms"}, {"--hold-time=2000ms", "hold.time", "2s"},
        {"--hold-time=60s", "hold.time", "1m"},      {"--app-idle=1h", "app.idle", "1h"},
        {"--drain-time=10m", "drain.time", "10m"},   {"--app-idle=90s", "app.idle", "90s"},
        {"--reply-grace=59s", "reply.grace", "59s"},
    };
    static const struct bad bad[] = {
        {"--hold-time=5", "\"5\" has no unit, use ns, us, ms, s, m or h (for example 200ms)"},
        {"--hold-time=2sec",
         "\"2sec\" has an unknown unit, use ns, us, ms, s, m or h (for example 200ms)"},
        {"--hold-time=2S",
         "\"2S\" has an unknown unit, use ns, us, ms, s, m or h (for example 200ms)"},
        {"--hold-time=1.5s", "\"1.5s\" is not a duration, use a whole number and ns, us, ms, s, m "
                             "or h (for example 200ms)"},
        {"--hold-time=2 s", "\"2 s\" is not a duration, use a whole number and ns, us, ms, s, m or "
                            "h (for example 200ms)"},
        {"--hold-time=fast", "\"fast\" is not a duration, use a whole number and ns, us, ms, s, m "
                             "or h (for example 200ms)"},
        {"--hold-time=02s", "\"02s\" has a leading zero"},
        {"--hold-time=61s", "\"61s\" is out of range 0..1m"},
        {"--hold-time=5124095577h", "\"5124095577h\" is out of range 0..1m"},
        {"--hold-time=99999999999999999999ns", "\"99999999999999999999ns\" is out of range 0..1m"},
        {"--app-idle=0", "\"0\" is out of range 1s..1h"},
        {"--app-idle=999ms", "\"999ms\" is out of range 1s..1h"},
    };

    EXPECT_GOOD(good);
    EXPECT_BAD(bad);
}

Test(config_values, sizes)
{
    static const struct good good[] = {
        {"--hold-bytes=0", "hold.bytes", "0"},
        {"--hold-bytes=1000", "hold.bytes", "1000B"},
        {"--hold-bytes=7B", "hold.bytes", "7B"},
        {"--hold-bytes=4096KiB", "hold.bytes", "4MiB"},
        {"--hold-bytes=4GiB", "hold.bytes", "4GiB"},
        {"--rcvbuf=208KiB", "rcvbuf", "208KiB"},
        {"--rcvbuf=0", "rcvbuf", "max"},
        {"--rcvbuf=max", "rcvbuf", "max"},
        {"--rcvbuf=1GiB", "rcvbuf", "1GiB"},
    };
    static const struct bad bad[] = {
        {"--hold-bytes=16MB",
         "\"16MB\" has an unknown unit, use B, KiB, MiB or GiB (for example 16MiB)"},
        {"--hold-bytes=max", "\"max\" is not a size, use a whole number and B, KiB, MiB or GiB "
                             "(for example 16MiB)"},
        {"--hold-bytes=1.5GiB", "\"1.5GiB\" is not a size, use a whole number and B, KiB, MiB or "
                                "GiB (for example 16MiB)"},
        {"--hold-bytes=5GiB", "\"5GiB\" is out of range 0..4GiB"},
        {"--hold-bytes=17179869184GiB", "\"17179869184GiB\" is out of range 0..4GiB"},
        {"--hold-bytes=016MiB", "\"016MiB\" has a leading zero"},
        {"--rcvbuf=1KiB", "\"1KiB\" is out of range 4KiB..1GiB, or max"},
        {"--rcvbuf=2GiB", "\"2GiB\" is out of range 4KiB..1GiB, or max"},
    };

    EXPECT_GOOD(good);
    EXPECT_BAD(bad);
}

Test(config_values, choices)
{
    static const struct good good[] = {
        {"--relay-format=raw", "relay.format", "raw"},
        {"--relay-format=proxy-v2", "relay.format", "proxy-v2"},
        {"--route=local", "route", "local"},
        {"--route=all", "route", "all"},
        {"--route=ordered", "route", "ordered"},
        {"--ordered-commit=majority", "ordered.commit", "majority"},
        {"--app-proxy-protocol=off", "app.proxy_protocol", "none"},
        {"--app-proxy-protocol=v2", "app.proxy_protocol", "v2"},
        {"--app-source=session", "app.source", "session"},
        {"--app-client-address=hashed", "app.client_address", "hashed"},
        {"--control-accept=off", "control.accept", "none"},
        {"--control-accept=open", "control.accept", "open"},
        {"--log-level=debug", "log.level", "debug"},
        {"--log-format=json", "log.format", "json"},
    };
    static const struct bad bad[] = {
        {"--relay-format=fast", "\"fast\" is not one of framed, raw, proxy-v2"},
        {"--relay-format=Raw", "\"Raw\" is not one of framed, raw, proxy-v2"},
        {"--relay-format=off", "\"off\" is not one of framed, raw, proxy-v2"},
        {"--route=order", "\"order\" is not one of leader, local, all, ordered"},
        {"--control-accept=yes", "\"yes\" is not one of auto, open, signed, none"},
        {"--log-level=trace", "\"trace\" is not one of error, warn, info, debug"},
        {"--log-level=\x1b[31m\xff", "\"?[31m?\" is not one of error, warn, info, debug"},
        {"--log-level=0123456789012345678901234567890123456789012345678901234567890123456789",
         "\"0123456789012345678901234567890123456789012345678901234567890123...\" is not one of "
         "error, warn, info, debug"},
    };

    EXPECT_GOOD(good);
    EXPECT_BAD(bad);
}

#define SIXTY_THREE "0123456789012345678901234567890123456789012345678901234567890ab"

Test(config_values, names)
{
    static const struct good good[] = {
        {"--cluster=a", "cluster", "a"},
        {"--cluster=a\"b\\c#d", "cluster", "\"a\\\"b\\\\c#d\""},
        {"--cluster=" SIXTY_THREE, "cluster", SIXTY_THREE},
        {"--name=web-0.a_b", "name", "web-0.a_b"},
        {"--name=" SIXTY_THREE, "name", SIXTY_THREE},
        {"--leader=web-1", "leader", "web-1"},
        {"--leader=none", "leader", "none"},
        {"--leader=off", "leader", "none"},
    };
    static const struct bad bad[] = {
        {"--cluster=a b", "\"a b\" has a space or a character that is not ASCII"},
        {"--cluster=\xc3\xa4", "\"??\" has a space or a character that is not ASCII"},
        {"--cluster=", "\"\" is empty"},
        {"--cluster=" SIXTY_THREE "x", "\"" SIXTY_THREE "x\" is longer than 63 characters"},
        {"--name=a,b", "\"a,b\" is not a name: use letters, digits and - . _ : %"},
        {"--name=" SIXTY_THREE "x", "\"" SIXTY_THREE "x\" is longer than 63 characters"},
        {"--leader=10.0.0.300", "\"10.0.0.300\" is neither an address nor a name"},
        {"--leader=web:1", "\"web:1\" is neither an address nor a name"},
        {"--leader=a b", "\"a b\" is neither an address nor a name"},
        {"--leader=" SIXTY_THREE "x", "\"" SIXTY_THREE "x\" is longer than 63 characters"},
    };

    EXPECT_GOOD(good);
    EXPECT_BAD(bad);
}

Test(config_values, addresses)
{
    static const struct good good[] = {
        {"--self=10.0.0.1", "self", "10.0.0.1"},
        {"--self=FD00:0::1", "self", "\"fd00::1\""},
        {"--self=::ffff:10.0.0.1", "self", "10.0.0.1"},
        {"--bind=127.0.0.1", "bind", "127.0.0.1"},
        {"--admin-listen=127.0.0.1:9090", "admin.listen", "\"127.0.0.1:9090\""},
        {"--admin-listen=[::1]:9090", "admin.listen", "\"[::1]:9090\""},
        {"--admin-listen=none", "admin.listen", "none"},
        {"--admin-listen=off", "admin.listen", "none"},
        {"--leader=10.0.0.9", "leader", "10.0.0.9"},
        {"--app-target=whoami", "app.target", "whoami"},
        {"--app-target=discard", "app.target", "discard"},
        {"--app-target=udp://127.0.0.1:53", "app.target", "\"udp://127.0.0.1:53\""},
        {"--app=udp://[::1]:53", "app.target", "\"udp://[::1]:53\""},
    };
    static const struct bad bad[] = {
        {"--self=localhost", "\"localhost\" is not an IP address, or auto"},
        {"--self=10.0.0.1:53", "\"10.0.0.1:53\" is not an IP address, or auto"},
        {"--self=010.0.0.1", "\"010.0.0.1\" is not an IP address, or auto"},
        {"--bind=*", "\"*\" is not an IP address, any, or auto"},
        {"--admin-listen=8080",
         "\"8080\" is not ADDRESS:PORT, :PORT for the address of bind, or none"},
        {"--admin-listen=:65536",
         "\":65536\" is not ADDRESS:PORT, :PORT for the address of bind, or none"},
        {"--admin-listen=:80808080",
         "\":80808080\" is not ADDRESS:PORT, :PORT for the address of bind, or none"},
        {"--admin-listen=:0", "\":0\" has no port"},
        {"--admin-listen=127.0.0.1", "\"127.0.0.1\" has no port"},
        {"--leader=10.0.0.9:0", "\"10.0.0.9:0\" has port 0"},
        {"--leader=0.0.0.0", "\"0.0.0.0\" is not the address of one machine"},
        {"--leader=239.1.1.1", "\"239.1.1.1\" is not the address of one machine"},
        {"--leader=255.255.255.255", "\"255.255.255.255\" is not the address of one machine"},
        {"--app-target=proxy",
         "\"proxy\" is not one of echo, whoami, discard, or udp://ADDRESS:PORT"},
        {"--app=tcp://127.0.0.1:53",
         "\"tcp://127.0.0.1:53\" is not one of echo, whoami, discard, or udp://ADDRESS:PORT"},
        {"--app=udp://localhost:53",
         "\"udp://localhost:53\" is not udp://ADDRESS:PORT with a numeric address"},
        {"--app=udp://127.0.0.1", "\"udp://127.0.0.1\" has no port"},
        {"--app=udp://0.0.0.0:53", "\"udp://0.0.0.0:53\" is not the address of one machine"},
    };

    EXPECT_GOOD(good);
    EXPECT_BAD(bad);
}

Test(config_values, peers)
{
    static const struct good good[] = {
        {"--peers=127.0.0.11,127.0.0.12", "peers", "[127.0.0.11, 127.0.0.12]"},
        {"--peers= a=10.0.0.1 , 10.0.0.2 ", "peers", "[\"a=10.0.0.1\", 10.0.0.2]"},
        {"--peers=none", "peers", "[]"},
        {"--peers=off", "peers", "[]"},
        {"--peers=10.0.0.1", "peers", "[10.0.0.1]"},
    };
    static const struct bad bad[] = {
        {"--peers=10.0.0.1,10.0.0.1", "\"10.0.0.1\" has an address that is listed twice"},
        {"--peers=a=10.0.0.1,a=10.0.0.2", "\"a=10.0.0.2\" has a name that is listed twice"},
        {"--peers=10.0.0.1,::ffff:10.0.0.1",
         "\"::ffff:10.0.0.1\" has an address that is listed twice"},
        {"--peers=10.0.0.1,", "\"\" is empty"},
        {"--peers=10.0.0.1:12001",
         "\"10.0.0.1:12001\" has a port; all members use the same relay.port"},
        {"--peers=web-0", "\"web-0\" is not ADDRESS or NAME=ADDRESS"},
        {"--peers==10.0.0.1",
         "\"=10.0.0.1\" has no good name: use 1 to 63 letters, digits and - . _ : %"},
        {"--peers=" SIXTY_THREE "x=10.0.0.1",
         "\"" SIXTY_THREE "x...\" has no good name: use 1 to 63 letters, digits and - . _ : %"},
        {"--peers=0.0.0.0", "\"0.0.0.0\" is not the address of one machine"},
    };

    EXPECT_GOOD(good);
    EXPECT_BAD(bad);
}

Test(config_values, order)
{
    static const struct good good[] = {
        {"--leader-list=b,a, 10.0.0.1", "leader_list", "[b, a, 10.0.0.1]"},
        {"--leader-list=::ffff:10.0.0.1", "leader_list", "[10.0.0.1]"},
        {"--leader-list=none", "leader_list", "[]"},
    };
    static const struct bad bad[] = {
        {"--leader-list=a,b,a", "\"a\" is listed twice"},
        {"--leader-list=10.0.0.1,::ffff:10.0.0.1", "\"::ffff:10.0.0.1\" is listed twice"},
        {"--leader-list=a b", "\"a b\" is neither an address nor a name"},
        {"--leader-list=a,", "\"\" is empty"},
    };

    EXPECT_GOOD(good);
    EXPECT_BAD(bad);
}

Test(config_values, words_for_none)
{
    static const struct good good[] = {
        {"--quorum-expect=auto", "quorum.expect", "auto"},
        {"--quorum-expect=5", "quorum.expect", "5"},
        {"--quorum=off", "quorum", "none"},
        {"--store=off", "store", "none"},
        {"--store=/tmp/x", "store", "/tmp/x"},
        {"--discovery-dns=none", "discovery.dns", "none"},
        {"--discovery-dns=a.b.", "discovery.dns", "a.b."},
        {"--eligible=true", "eligible", "true"},
    };
    static const struct bad bad[] = {
        {"--quorum-expect=0", "\"0\" is out of range 1..129, or auto"},
        {"--quorum-expect=none", "\"none\" is not a whole number"},
        {"--eligible=maybe", "\"maybe\" is not one of false, true"},
        {"--heartbeat-misses=1", "\"1\" is out of range 2..20"},
        {"--heartbeat-interval=9ms", "\"9ms\" is out of range 10ms..30s"},
    };

    EXPECT_GOOD(good);
    EXPECT_BAD(bad);
}

Test(config_values, ranges)
{
    static const struct good good[] = {
        {"--control-allow=10.1.2.3/8,::1", "control.allow", "[10.0.0.0/8, \"::1/128\"]"},
        {"--control-allow=none", "control.allow", "[]"},
        {"--control-allow=0.0.0.0/0", "control.allow", "[0.0.0.0/0]"},
        {"--control-allow=any", "control.allow", "[0.0.0.0/0, \"::/0\"]"},
        {"--data-allow=any", "data.allow", "[0.0.0.0/0, \"::/0\"]"},
        {"--data-allow=10.0.0.0/8, 2001:db8::1/32", "data.allow",
         "[10.0.0.0/8, \"2001:db8::/32\"]"},
        {"--data-rate=1000", "data.rate", "1000"},
        {"--data-rate=none", "data.rate", "none"},
        {"--data-rate=off", "data.rate", "none"},
    };
    static const struct bad bad[] = {
        {"--control-allow=10.0.0.0/33", "\"10.0.0.0/33\" is not ADDRESS or ADDRESS/BITS"},
        {"--control-allow=all", "\"all\" is not ADDRESS or ADDRESS/BITS"},
        {"--control-allow=", "\"\" is empty"},
        {"--data-allow=10.0.0.1:53", "\"10.0.0.1:53\" is not ADDRESS or ADDRESS/BITS"},
        {"--data-rate=0", "\"0\" is out of range 1..1000000, or none"},
        {"--data-rate=1000001", "\"1000001\" is out of range 1..1000000, or none"},
        {"--data-rate=10/s", "\"10/s\" is not a whole number"},
        {"--data-burst=0", "\"0\" is out of range 1..1000000, or auto"},
    };

    EXPECT_GOOD(good);
    EXPECT_BAD(bad);
}

/* count items "PREFIX1,PREFIX2,..." as one flag. */
static void load_many(struct loaded *l, const char *start, const char *prefix, int count)
{
    static char text[8192];
    size_t n = (size_t)snprintf(text, sizeof(text), "%s", start);

    for (int i = 1; i <= count; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%d", i > 1 ? "," : "", prefix, i);
    load_flags(l, text);
}

Test(config_values, list_limits)
{
    struct loaded l;

    load_many(&l, "--peers=", "10.0.0.", CONFIG_PEERS_MAX);
    cr_expect_eq(l.rc, 0, "%s", l.errors);
    cr_expect_eq(config_values(l.set)->peers.count, CONFIG_PEERS_MAX);
    unload(&l);
    load_many(&l, "--peers=", "10.0.0.", CONFIG_PEERS_MAX + 1);
    expect_refused(&l, "--peers: \"10.0.0.129\" is one more than the 128 allowed\n");
    load_many(&l, "--control-allow=", "10.0.0.", CONFIG_CIDRS_MAX + 1);
    expect_refused(&l, "--control-allow: \"10.0.0.33\" is one more than the 32 allowed\n");
    load_many(&l, "--data-allow=any,", "10.0.0.", CONFIG_CIDRS_MAX - 2);
    cr_expect_eq(l.rc, 0, "%s", l.errors);
    cr_expect_eq(config_values(l.set)->data_allow.count, CONFIG_CIDRS_MAX);
    unload(&l);
    load_many(&l, "--data-allow=any,any,", "10.0.0.", CONFIG_CIDRS_MAX - 3);
    expect_refused(&l, "--data-allow: \"10.0.0.29\" is one more than the 32 allowed\n");
}

Test(config_values, fields_are_filled)
{
    const struct config *c;
    struct loaded l;

    load_flags(&l, "--self=10.0.0.1", "--hold-time=1500ms", "--hold-bytes=2MiB", "--rcvbuf=208KiB",
               "--leader=10.0.0.9:9100", "--relay-format=raw", "--app=udp://127.0.0.1:53",
               "--peers=a=10.0.0.1,10.0.0.2", "--leader-generation=4294967297");
    cr_assert_eq(l.rc, 0, "%s", l.errors);
    c = config_values(l.set);
    cr_expect_eq(c->data_port, 12000);
    cr_expect_eq(c->hold_time_ns, UINT64_C(1500000000));
    cr_expect_eq(c->hold_bytes, 2097152);
    cr_expect_eq(c->rcvbuf_bytes, 212992);
    cr_expect_str_eq(c->leader, "10.0.0.9:9100");
    cr_expect_eq(c->leader_generation, UINT64_C(4294967297));
    cr_expect_eq(c->relay_format, CONFIG_RELAY_RAW);
    cr_expect_eq(c->app_target.kind, CONFIG_APP_UDP);
    cr_expect_eq(c->app_target.address.port, 53);
    cr_expect_eq(c->peers.count, 2);
    cr_expect_str_eq(c->peers.list[0].name, "a");
    cr_expect_eq(c->control_accept, CONFIG_CONTROL_AUTO);
    cr_expect_eq(config_control(c), CONFIG_CONTROL_OPEN);
    cr_expect_eq(c->control_allow.count, 9);
    cr_expect_eq(c->data_allow.count, 2, "both families, all of them");
    cr_expect_eq(c->data_rate, 0);
    cr_expect_eq(c->data_burst, 0);
    cr_expect_eq(c->ring, 4096);
    unload(&l);
}
