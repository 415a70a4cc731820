#include "headless/wire/proxy.h"

#include <errno.h>

#include "headless/base/bytes.h"

#define FIXED_BYTES 16 /* signature, version and command, family and transport, length */
#define V4_BYTES    12
#define V6_BYTES    36

enum proxy_command { COMMAND_LOCAL = 0, COMMAND_PROXY = 1 };
enum proxy_family { FAMILY_UNSPEC = 0, FAMILY_INET = 1, FAMILY_INET6 = 2, FAMILY_UNIX = 3 };
enum proxy_transport { TRANSPORT_UNSPEC = 0, TRANSPORT_STREAM = 1, TRANSPORT_DGRAM = 2 };

static const uint8_t signature[12] = {'\r', '\n', '\r', '\n', 0,   '\r',
                                      '\n', 'Q',  'U',  'I',  'T', '\n'};
static const uint8_t v4_mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

static uint8_t *proxy_put_ip(uint8_t *out, const struct address *a, bool as_v6)
{
    if (!as_v6) {
        memcpy(out, a->ip, 4);
        return out + 4;
    }
    if (a->family == ADDRESS_V4) {
        memcpy(out, v4_mapped_prefix, 12);
        memcpy(out + 12, a->ip, 4);
    } else {
        memcpy(out, a->ip, 16);
    }
    return out + 16;
}

size_t proxy_put_header(uint8_t out[static PROXY_HEADER_MAX], const struct address *client,
                        const struct address *local)
{
    bool as_v6 = client->family == ADDRESS_V6 || local->family == ADDRESS_V6;
    uint8_t family = as_v6 ? FAMILY_INET6 : FAMILY_INET;
    uint8_t *next = out;

    memcpy(next, signature, sizeof(signature));
    next += sizeof(signature);
    *next++ = 2U << 4 | COMMAND_PROXY;
    *next++ = (uint8_t)(family << 4 | TRANSPORT_DGRAM);
    next = put_be16(next, as_v6 ? V6_BYTES : V4_BYTES);
    next = proxy_put_ip(next, client, as_v6);
    next = proxy_put_ip(next, local, as_v6);
    next = put_be16(next, client->port);
    next = put_be16(next, local->port);
    return (size_t)(next - out);
}

static struct address proxy_get_address(const uint8_t *ip, bool is_v6, const uint8_t *port)
{
    struct address a = {.family = ADDRESS_V4, .port = get_be16(port)};

    if (is_v6 && memcmp(ip, v4_mapped_prefix, sizeof(v4_mapped_prefix)) != 0) {
        a.family = ADDRESS_V6;
        memcpy(a.ip, ip, 16);
    } else {
        memcpy(a.ip, is_v6 ? ip + 12 : ip, 4);
    }
    return a;
}

/* Bytes of the addresses of a PROXY command to read; 0: skip them; -EBADMSG: not in the
 * document. */
static int addresses_bytes(uint8_t family, uint8_t transport)
{
    if (family > FAMILY_UNIX || transport > TRANSPORT_DGRAM)
        return -EBADMSG;
    if (transport == TRANSPORT_UNSPEC || family == FAMILY_UNSPEC || family == FAMILY_UNIX)
        return 0;
    return family == FAMILY_INET ? V4_BYTES : V6_BYTES;
}

int proxy_parse_header(const uint8_t *data, size_t length, struct address *ret_client,
                       struct address *ret_local)
{
    struct address client = {0}, local = {0};
    size_t announced;
    int needed = 0;

    if (length < FIXED_BYTES || memcmp(data, signature, sizeof(signature)) != 0)
        return -EBADMSG;
    announced = get_be16(data + 14);
    if (data[12] >> 4 != 2 || (data[12] & 0xf) > COMMAND_PROXY || announced > length - FIXED_BYTES)
        return -EBADMSG;
    if ((data[12] & 0xf) == COMMAND_PROXY)
        needed = addresses_bytes(data[13] >> 4, data[13] & 0xf);
    if (needed < 0 || announced < (size_t)needed)
        return -EBADMSG;
    if (needed > 0) {
        size_t ip_bytes = needed == V6_BYTES ? 16 : 4;
        const uint8_t *ips = data + FIXED_BYTES;

        client = proxy_get_address(ips, needed == V6_BYTES, ips + 2 * ip_bytes);
        local = proxy_get_address(ips + ip_bytes, needed == V6_BYTES, ips + 2 * ip_bytes + 2);
    }
    *ret_client = client;
    *ret_local = local;
    return (int)(FIXED_BYTES + announced);
}
