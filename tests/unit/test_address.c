/* address: the kernel and users have several forms of an address, struct address has one. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>

#include "headless/base/address.h"

static struct address ip_of(const char *text)
{
    struct address a;

    cr_assert_eq(address_parse_ip(text, &a), 0, "%s", text);
    return a;
}

static struct cidr cidr_of(const char *text)
{
    struct cidr range;

    cr_assert_eq(cidr_parse(text, &range), 0, "%s", text);
    return range;
}

/* Text that is parsed, and the text that it is printed as; NULL: refused. The default port is 9. */
static const struct {
    const char *typed, *printed;
} texts[] = {
    {"10.0.0.1", "10.0.0.1:9"},
    {"10.0.0.1:53", "10.0.0.1:53"},
    {"10.0.0.1:0", "10.0.0.1:0"},
    {"10.0.0.1:65535", "10.0.0.1:65535"},
    {"0.0.0.0", "0.0.0.0:9"},
    {"fd00::1", "[fd00::1]:9"},
    {"[fd00::1]", "[fd00::1]:9"},
    {"[fd00::1]:53", "[fd00::1]:53"},
    {"FD00:0:0::0001", "[fd00::1]:9"},
    {"::", "[::]:9"},
    {"fe80::1%2", "[fe80::1%2]:9"},
    {"[fe80::1%4294967295]:53", "[fe80::1%4294967295]:53"},
    {"fe80::1%lo", "[fe80::1%1]:9"},
    {"::ffff:10.0.0.1", "10.0.0.1:9"},
    {"[::ffff:10.0.0.1]:53", "10.0.0.1:53"},
    {"::ffff:a00:1", "10.0.0.1:9"},
    {"", NULL},
    {"localhost", NULL},
    {" 10.0.0.1", NULL},
    {"10.0.0.1 ", NULL},
    {"10.0.0", NULL},
    {"10.0.0.256", NULL},
    {"010.0.0.1", NULL},
    {"10.0.0.1:", NULL},
    {"10.0.0.1:+5", NULL},
    {"10.0.0.1: 5", NULL},
    {"10.0.0.1:5x", NULL},
    {"10.0.0.1:65536", NULL},
    {"10.0.0.1:18446744073709551617", NULL},
    {":53", NULL},
    {"[10.0.0.1]", NULL},
    {"[10.0.0.1]:53", NULL},
    {"[fd00::1", NULL},
    {"fd00::1]", NULL},
    {"[fd00::1]53", NULL},
    {"[fd00::1]:", NULL},
    {"[]:53", NULL},
    {"fd00::1::2", NULL},
    {"fd00::g", NULL},
    {"10.0.0.1%1", NULL},
    {"fe80::1%", NULL},
    {"fe80::1%0", NULL},
    {"fe80::1%4294967296", NULL},
    {"fe80::1%no-such-interface", NULL},
    {"1111111111111111111111111111111111111111111111111111111111111111111111111111111", NULL},
};

Test(address, typed_address_is_printed_in_one_form_or_refused)
{
    char text[ADDRESS_TEXT_MAX];

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        const struct address untouched = {.family = 77};
        struct address a = untouched;
        int rc = address_parse(texts[i].typed, 9, &a);

        if (texts[i].printed) {
            cr_expect_eq(rc, 0, "%s", texts[i].typed);
            cr_expect_str_eq(address_format(&a, text), texts[i].printed);
        } else {
            cr_expect_eq(rc, -EINVAL, "%s", texts[i].typed);
            cr_expect(address_equal(&a, &untouched), "%s", texts[i].typed);
        }
    }
}

Test(address, printed_form_is_read_back_as_the_same_address)
{
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct address a, again;
        char text[ADDRESS_TEXT_MAX];

        if (address_parse(texts[i].typed, 9, &a))
            continue;
        cr_expect_eq(address_parse(address_format(&a, text), 1, &again), 0, "%s", text);
        cr_expect(address_equal(&a, &again), "%s", text);
        a.port = 0;
        cr_expect_eq(address_parse_ip(address_format_ip(&a, text), &again), 0, "%s", text);
        cr_expect(address_equal(&a, &again), "%s", text);
    }
}

Test(address, longest_text_fits)
{
    struct address a = {.family = ADDRESS_V6, .port = 65535, .scope = UINT32_MAX};
    char text[ADDRESS_TEXT_MAX];

    memset(a.ip, 0xff, 16);
    cr_assert_str_eq(address_format(&a, text),
                     "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535");
}

Test(address, unset_address_is_none)
{
    struct address none = {0};
    char text[ADDRESS_TEXT_MAX];

    cr_assert_str_eq(address_format(&none, text), "none");
    cr_assert_str_eq(address_format_ip(&none, text), "none");
    cr_assert_not(address_is_set(&none));
    cr_assert_not(address_is_any(&none));
    cr_assert_not(address_is_loopback(&none));
    cr_assert_not(address_is_multicast(&none));
}

Test(address, mapped_client_of_a_dual_stack_socket_equals_the_ipv4_client)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(40000)};
    struct sockaddr_in6 in6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(40000), .sin6_scope_id = 5};
    struct address plain, mapped;

    memset(in.sin_zero, 0x55, sizeof(in.sin_zero)); /* must not get into the hash */
    cr_assert_eq(inet_pton(AF_INET, "10.0.0.1", &in.sin_addr), 1);
    cr_assert_eq(inet_pton(AF_INET6, "::ffff:10.0.0.1", &in6.sin6_addr), 1);
    address_from_sockaddr((const struct sockaddr *)&in, &plain);
    address_from_sockaddr((const struct sockaddr *)&in6, &mapped);
    cr_assert_eq(plain.family, ADDRESS_V4);
    cr_assert_eq(plain.port, 40000);
    cr_assert(address_equal(&plain, &mapped));
}

Test(address, sockaddr_round_trip_on_both_kinds_of_socket)
{
    static const struct {
        const char *text;
        int family;
        socklen_t length; /* 0: such a socket cannot reach it */
    } rows[] = {
        {"10.0.0.1:53", AF_INET, sizeof(struct sockaddr_in)},
        {"10.0.0.1:53", AF_INET6, sizeof(struct sockaddr_in6)},
        {"[fe80::1%3]:53", AF_INET6, sizeof(struct sockaddr_in6)},
        {"[fe80::1%3]:53", AF_INET, 0},
        {"10.0.0.1:53", AF_UNIX, 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct sockaddr_storage sa;
        struct address a, again;

        cr_assert_eq(address_parse(rows[i].text, 0, &a), 0);
        cr_assert_eq(address_to_sockaddr(&a, rows[i].family, &sa), rows[i].length);
        if (rows[i].length == 0)
            continue;
        address_from_sockaddr((const struct sockaddr *)&sa, &again);
        cr_assert(address_equal(&a, &again), "%s", rows[i].text);
    }
}

Test(address, unset_address_and_unknown_family_have_no_sockaddr)
{
    struct sockaddr unknown = {.sa_family = AF_UNIX};
    struct sockaddr_storage sa;
    struct address a = ip_of("10.0.0.1"), none = {0};

    cr_assert_eq(address_to_sockaddr(&none, AF_INET, &sa), 0);
    cr_assert_eq(address_to_sockaddr(&none, AF_INET6, &sa), 0);
    address_from_sockaddr(&unknown, &a);
    cr_assert(address_equal(&a, &none));
}

Test(address, a_pods_zone_may_be_unknown_here)
{
    struct address a;

    cr_assert_eq(address_parse_pod("fe80::1%no-such-interface", &a), 0);
    cr_expect_eq(a.scope, 0);
    cr_assert_eq(address_parse_pod("fe80::1%lo", &a), 0);
    cr_expect_eq(a.scope, 1);
    cr_assert_eq(address_parse_pod("10.0.0.1", &a), 0);
    cr_expect_neq(address_parse_pod("web-0", &a), 0);
    cr_expect_neq(address_parse_pod("web%lo", &a), 0);
    cr_expect_neq(address_parse_pod("%lo", &a), 0);
}

Test(address, only_a_link_local_address_adopts_a_zone)
{
    static const struct {
        const char *address, *self;
        uint32_t scope;
    } rows[] = {
        {"fe80::2", "fe80::1%3", 3}, {"febf::2", "fe80::1%3", 3}, {"fe80::2%4", "fe80::1%3", 4},
        {"fec0::2", "fe80::1%3", 0}, {"fd00::2", "fe80::1%3", 0}, {"169.254.0.2", "fe80::1%3", 0},
        {"fe80::2", "fd00::1", 0},   {"fe80::2", "10.0.0.1", 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct address a = ip_of(rows[i].address), self = ip_of(rows[i].self);

        address_adopt_zone(&a, &self);
        cr_expect_eq(a.scope, rows[i].scope, "%s at %s", rows[i].address, rows[i].self);
    }
}

Test(address, equal_ip_ignores_port_and_scope)
{
    struct address a = ip_of("fe80::1%1"), b = ip_of("fe80::1%2"), v4 = ip_of("10.0.0.1");

    cr_assert(address_equal_ip(&a, &b));
    cr_assert_not(address_equal(&a, &b));
    b = address_with_port(v4, 7);
    cr_assert(address_equal_ip(&v4, &b));
    cr_assert_not(address_equal(&v4, &b));
    b = v4;
    b.family = ADDRESS_V6; /* the same bytes, another address */
    cr_assert_not(address_equal_ip(&v4, &b));
}

Test(address, kinds_of_addresses)
{
    static const struct {
        const char *text;
        bool is_loopback, is_any, is_multicast, is_broadcast;
    } rows[] = {
        {"127.0.0.1", true, false, false, false},
        {"127.255.0.1", true, false, false, false},
        {"128.0.0.1", false, false, false, false},
        {"::1", true, false, false, false},
        {"::2", false, false, false, false},
        {"0.0.0.0", false, true, false, false},
        {"::", false, true, false, false},
        {"0.0.0.1", false, false, false, false},
        {"223.255.255.255", false, false, false, false},
        {"224.0.0.1", false, false, true, false},
        {"239.255.255.255", false, false, true, false},
        {"240.0.0.1", false, false, false, false},
        {"ff02::1", false, false, true, false},
        {"fe80::1", false, false, false, false},
        {"255.255.255.255", false, false, false, true},
        {"255.255.255.254", false, false, false, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct address a = ip_of(rows[i].text);

        cr_expect_eq(address_is_loopback(&a), rows[i].is_loopback, "%s", rows[i].text);
        cr_expect_eq(address_is_any(&a), rows[i].is_any, "%s", rows[i].text);
        cr_expect_eq(address_is_multicast(&a), rows[i].is_multicast, "%s", rows[i].text);
        cr_expect_eq(address_is_broadcast(&a), rows[i].is_broadcast, "%s", rows[i].text);
    }
}

Test(address, any_is_the_wildcard_of_its_family)
{
    struct address v4 = address_any(ADDRESS_V4), v6 = address_any(ADDRESS_V6);
    struct address parsed_v4 = ip_of("0.0.0.0"), parsed_v6 = ip_of("::");

    cr_assert(address_equal(&v4, &parsed_v4));
    cr_assert(address_equal(&v6, &parsed_v6));
}

Test(address, payload_within_an_mtu)
{
    struct address v4 = ip_of("10.0.0.1"), v6 = ip_of("fd00::1");

    cr_assert_eq(address_payload_max(&v4, 1400), 1372);
    cr_assert_eq(address_payload_max(&v6, 1400), 1352);
    cr_assert_eq(address_payload_max(&v4, 28), 0);
    cr_assert_eq(address_payload_max(&v6, 40), 0, "never wraps");
}

Test(cidr, contains_exactly_its_range)
{
    static const struct {
        const char *range, *ip;
        bool is_inside;
    } rows[] = {
        {"10.0.0.0/8", "10.255.255.255", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.1.2.3/8", "10.9.9.9", true}, /* host bits do not count */
        {"172.16.0.0/12", "172.31.255.255", true},
        {"172.16.0.0/12", "172.32.0.0", false},
        {"10.0.0.1", "10.0.0.1", true},
        {"10.0.0.1", "10.0.0.2", false},
        {"10.0.0.0/31", "10.0.0.1", true},
        {"10.0.0.0/31", "10.0.0.2", false},
        {"0.0.0.0/0", "255.255.255.255", true},
        {"0.0.0.0/0", "::1", false},
        {"::/0", "fd00::1", true},
        {"::/0", "10.0.0.1", false},
        {"fe80::/10", "febf::1", true},
        {"fe80::/10", "fec0::1", false},
        {"fd00::1/128", "fd00::1", true},
        {"fd00::1/128", "fd00::2", false},
        {"fd00::/127", "fd00::1", true},
        {"fd00::/127", "fd00::2", false},
        {"2001:db8:0:2::/63", "2001:db8:0:3:ffff::", true},
        {"2001:db8:0:2::/63", "2001:db8:0:4::", false},
        {"2001:db8:0:2::/64", "2001:db8:0:2:ffff::", true},
        {"2001:db8:0:2::/64", "2001:db8:0:3::", false},
        {"2001:db8:0:2::/65", "2001:db8:0:2:7fff::", true},
        {"2001:db8:0:2::/65", "2001:db8:0:2:8000::", false},
        {"2001:db8:0:2::/65", "2001:db8:0:3::", false},
        {"::ffff:10.0.0.0/8", "10.1.1.1", true}, /* becomes IPv4, so do the bits */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct cidr range = cidr_of(rows[i].range);
        struct address a = address_with_port(ip_of(rows[i].ip), 53);

        cr_expect_eq(cidr_contains(&range, &a), rows[i].is_inside, "%s in %s", rows[i].ip,
                     rows[i].range);
    }
}

Test(cidr, host_bits_are_cleared)
{
    struct cidr range = cidr_of("10.1.2.255/25");
    struct address base = ip_of("10.1.2.128");

    cr_assert(address_equal(&range.base, &base));
    cr_assert_eq(range.bits, 25);
}

Test(cidr, invalid_text_is_refused)
{
    static const char *const rows[] = {"",
                                       "/8",
                                       "10.0.0.0/",
                                       "10.0.0.0/33",
                                       "10.0.0.0/-1",
                                       "10.0.0.0/ 8",
                                       "10.0.0.0/8x",
                                       "fd00::/129",
                                       "10.0.0/8",
                                       "name/8",
                                       "fe80::1%1/64",
                                       "10.0.0.0/8/8",
                                       "10.0.0.0:53",
                                       "[fd00::]/8",
                                       "::ffff:10.0.0.0/104"};

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct cidr range;

        cr_expect_eq(cidr_parse(rows[i], &range), -EINVAL, "%s", rows[i]);
    }
}
