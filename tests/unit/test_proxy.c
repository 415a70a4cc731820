/* proxy: PROXY protocol v2 headers by HAProxy's document, and malformed ones. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "headless/wire/proxy.h"

#define SIGNATURE '\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n'

static const uint8_t known_v4[] = {SIGNATURE, 0x21, 0x12, 0, 12,   192,  0,    2,   1,
                                   10,        0,    0,    2, 0x9c, 0x40, 0x2e, 0xe0};
static const uint8_t known_v6[] = {SIGNATURE, 0x21, 0x22, 0, 36,
                                   /* 2001:db8::1, fd00::2, ports 40000 and 12000 */
                                   0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xfd,
                                   0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x9c, 0x40, 0x2e,
                                   0xe0};

static struct address address_of(const char *text)
{
    struct address a;

    cr_assert_eq(address_parse(text, 0, &a), 0, "%s", text);
    return a;
}

/* Parse a copy of exactly this length, so that the sanitizer sees a read behind it. */
static int parse_exact(const uint8_t *data, size_t length, struct address *ret_client,
                       struct address *ret_local)
{
    uint8_t *exact = malloc(length + 1);
    int rc;

    cr_assert_not_null(exact);
    memcpy(exact + 1, data, length);
    rc = proxy_parse_header(exact + 1, length, ret_client, ret_local);
    free(exact);
    return rc;
}

Test(proxy, writes_exactly_these_bytes)
{
    struct address client = address_of("192.0.2.1:40000"), local = address_of("10.0.0.2:12000");
    uint8_t out[PROXY_HEADER_MAX];

    cr_assert_eq(proxy_put_header(out, &client, &local), sizeof(known_v4));
    cr_assert_arr_eq(out, known_v4, sizeof(known_v4));
    client = address_of("[2001:db8::1]:40000");
    local = address_of("[fd00::2]:12000");
    cr_assert_eq(proxy_put_header(out, &client, &local), sizeof(known_v6));
    cr_assert_arr_eq(out, known_v6, sizeof(known_v6));
}

Test(proxy, addresses_round_trip)
{
    static const char *const texts[] = {"192.0.2.1:40000", "[2001:db8::1]:65535", "0.0.0.0:0",
                                        "[::]:1"};
    uint8_t out[PROXY_HEADER_MAX];

    for (size_t i = 0; i < 16; i++) {
        struct address client = address_of(texts[i / 4]), local = address_of(texts[i % 4]);
        struct address got_client, got_local;
        size_t bytes = proxy_put_header(out, &client, &local);

        cr_assert_eq(parse_exact(out, bytes, &got_client, &got_local), (int)bytes);
        cr_assert(address_equal(&got_client, &client), "%zu", i);
        cr_assert(address_equal(&got_local, &local), "%zu", i);
    }
}

Test(proxy, mixed_families_are_written_as_ipv6)
{
    struct address client = address_of("192.0.2.1:40000"), local = address_of("[fd00::2]:12000");
    static const uint8_t mapped[] = {[10] = 0xff, 0xff, 192, 0, 2, 1};
    uint8_t out[PROXY_HEADER_MAX];

    cr_assert_eq(proxy_put_header(out, &client, &local), PROXY_HEADER_MAX);
    cr_assert_eq(out[13], 0x22);
    cr_assert_arr_eq(out + 16, mapped, sizeof(mapped));
}

Test(proxy, unset_local_is_written_as_zeros_of_the_clients_family)
{
    struct address client = address_of("192.0.2.1:40000"), none = {0}, got_client, got_local;
    uint8_t out[PROXY_HEADER_MAX];

    cr_assert_eq(proxy_put_header(out, &client, &none), 28);
    cr_assert_eq(proxy_parse_header(out, 28, &got_client, &got_local), 28);
    cr_assert(address_is_any(&got_local));
    client = address_of("[fd00::1]:1");
    cr_assert_eq(proxy_put_header(out, &client, &none), 52);
    cr_assert_eq(proxy_parse_header(out, 52, &got_client, &got_local), 52);
    cr_assert(address_is_any(&got_local));
}

Test(proxy, tlvs_are_skipped_and_the_payload_is_not_read)
{
    uint8_t datagram[sizeof(known_v4) + 5 + 7];
    struct address client, local;

    memset(datagram, 0xff, sizeof(datagram));
    memcpy(datagram, known_v4, sizeof(known_v4));
    cr_assert_eq(parse_exact(datagram, sizeof(datagram), &client, &local), 28);
    datagram[15] = 12 + 5; /* five bytes of TLV: also part of the header */
    cr_assert_eq(parse_exact(datagram, sizeof(datagram), &client, &local), 33);
    cr_assert_eq(client.port, 40000);
}

/* Bytes 12 to 15 of an IPv4 header with 12 address bytes replaced; rc 0: addresses unset. */
static const struct {
    const char *what;
    uint8_t version_command, family, length_high, length_low;
    int rc;
    bool is_set;
} cases[] = {
    {"UDP over IPv4", 0x21, 0x12, 0, 12, 28, true},
    {"TCP over IPv4, taken alike", 0x21, 0x11, 0, 12, 28, true},
    {"LOCAL with nothing", 0x20, 0x00, 0, 0, 16, false},
    {"LOCAL with bytes to skip", 0x20, 0x00, 0, 12, 28, false},
    {"LOCAL with a family: ignored", 0x20, 0x12, 0, 12, 28, false},
    {"LOCAL with a family that is none: ignored", 0x20, 0xff, 0, 12, 28, false},
    {"PROXY of unspecified", 0x21, 0x00, 0, 0, 16, false},
    {"IPv4, unspecified transport", 0x21, 0x10, 0, 12, 28, false},
    {"unspecified family, DGRAM", 0x21, 0x02, 0, 12, 28, false},
    {"UNIX datagram", 0x21, 0x32, 0, 12, 28, false},
    {"version 1", 0x11, 0x12, 0, 12, -EBADMSG, false},
    {"version 3", 0x31, 0x12, 0, 12, -EBADMSG, false},
    {"command 2", 0x22, 0x12, 0, 12, -EBADMSG, false},
    {"family 4", 0x21, 0x42, 0, 12, -EBADMSG, false},
    {"transport 3", 0x21, 0x13, 0, 12, -EBADMSG, false},
    {"length one short of the addresses", 0x21, 0x12, 0, 11, -EBADMSG, false},
    {"no addresses at all", 0x21, 0x12, 0, 0, -EBADMSG, false},
    {"IPv6 in an IPv4 length", 0x21, 0x22, 0, 12, -EBADMSG, false},
    {"length one beyond the datagram", 0x21, 0x12, 0, 13, -EBADMSG, false},
    {"length far beyond the datagram", 0x21, 0x12, 0xff, 0xff, -EBADMSG, false},
    {"LOCAL beyond the datagram", 0x20, 0x00, 0, 13, -EBADMSG, false},
};

Test(proxy, each_field_has_its_verdict)
{
    const struct address untouched = address_of("198.51.100.1:1");
    uint8_t header[sizeof(known_v4)];

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct address client = untouched, local = untouched;

        memcpy(header, known_v4, sizeof(header));
        header[12] = cases[i].version_command;
        header[13] = cases[i].family;
        header[14] = cases[i].length_high;
        header[15] = cases[i].length_low;
        cr_assert_eq(parse_exact(header, sizeof(header), &client, &local), cases[i].rc, "%s",
                     cases[i].what);
        if (cases[i].rc < 0)
            cr_assert(address_equal(&client, &untouched) && address_equal(&local, &untouched));
        else
            cr_assert_eq(address_is_set(&client), cases[i].is_set, "%s", cases[i].what);
    }
}

Test(proxy, every_bit_of_the_signature_is_checked)
{
    struct address client, local;
    uint8_t header[sizeof(known_v4)];

    for (size_t bit = 0; bit < 12 * 8; bit++) {
        memcpy(header, known_v4, sizeof(header));
        header[bit / 8] ^= (uint8_t)(1U << bit % 8);
        cr_assert_eq(parse_exact(header, sizeof(header), &client, &local), -EBADMSG);
    }
}

Test(proxy, truncated_at_every_byte_is_refused)
{
    struct address client, local;

    for (size_t length = 0; length < sizeof(known_v4); length++)
        cr_assert_eq(parse_exact(known_v4, length, &client, &local), -EBADMSG, "%zu", length);
    for (size_t length = 0; length < sizeof(known_v6); length++)
        cr_assert_eq(parse_exact(known_v6, length, &client, &local), -EBADMSG, "%zu", length);
}

Test(proxy, largest_announced_length_is_skipped)
{
    static uint8_t datagram[16 + 65535] = {SIGNATURE, 0x20, 0, 0xff, 0xff};
    struct address client, local;

    cr_assert_eq(proxy_parse_header(datagram, sizeof(datagram), &client, &local), 16 + 65535);
    cr_assert_eq(proxy_parse_header(datagram, sizeof(datagram) - 1, &client, &local), -EBADMSG);
}
