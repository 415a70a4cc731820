#include "headless/base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

static const uint8_t v4_mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

size_t address_payload_max(const struct address *a, size_t mtu)
{
    size_t headers = a->family == ADDRESS_V6 ? 48 : 28;

    return mtu > headers ? mtu - headers : 0;
}

static bool address_parse_number(const char *text, unsigned long max, unsigned long *ret_number)
{
    char *end;
    unsigned long number;

    if (*text < '0' || *text > '9')
        return false; /* strtoul would take signs and spaces */
    errno = 0;
    number = strtoul(text, &end, 10);
    if (errno || *end || number > max)
        return false;
    *ret_number = number;
    return true;
}

static bool parse_scope(const char *text, uint32_t *ret_scope)
{
    unsigned long number;

    if (address_parse_number(text, UINT32_MAX, &number))
        *ret_scope = (uint32_t)number;
    else
        *ret_scope = if_nametoindex(text);
    return *ret_scope != 0;
}

int address_parse_ip(const char *text, struct address *ret_address)
{
    struct address a = {0};
    char copy[ADDRESS_TEXT_MAX];
    char *percent;
    size_t length = strlen(text);

    if (length >= sizeof(copy))
        return -EINVAL;
    memcpy(copy, text, length + 1);
    if (inet_pton(AF_INET, copy, a.ip) == 1) {
        a.family = ADDRESS_V4;
        *ret_address = a;
        return 0;
    }
    percent = strchr(copy, '%');
    if (percent) {
        *percent = '\0';
        if (!parse_scope(percent + 1, &a.scope))
            return -EINVAL;
    }
    if (inet_pton(AF_INET6, copy, a.ip) != 1)
        return -EINVAL;
    a.family = ADDRESS_V6;
    if (memcmp(a.ip, v4_mapped_prefix, sizeof(v4_mapped_prefix)) == 0) {
        a.family = ADDRESS_V4;
        a.scope = 0;
        memmove(a.ip, a.ip + 12, 4);
        memset(a.ip + 4, 0, 12);
    }
    *ret_address = a;
    return 0;
}

int address_parse_pod(const char *text, struct address *ret_address)
{
    char ip[ADDRESS_TEXT_MAX];
    size_t length = strcspn(text, "%");

    if (address_parse_ip(text, ret_address) == 0)
        return 0;
    if (!text[length] || length >= sizeof(ip))
        return -EINVAL;
    memcpy(ip, text, length);
    ip[length] = '\0';
    return address_parse_ip(ip, ret_address);
}

int address_parse(const char *text, uint16_t default_port, struct address *ret_address)
{
    char host[ADDRESS_TEXT_MAX];
    const char *port_text = NULL;
    const char *host_start = text;
    const char *host_end = text + strlen(text);
    const char *colon = strchr(text, ':');
    unsigned long port = default_port;
    struct address a;
    int rc;

    if (*text == '[') {
        host_start = text + 1;
        host_end = strchr(text, ']');
        if (!host_end || (host_end[1] != '\0' && host_end[1] != ':'))
            return -EINVAL;
        if (host_end[1] == ':')
            port_text = host_end + 2;
    } else if (colon && !strchr(colon + 1, ':')) { /* exactly one colon: IPv4 with a port */
        host_end = colon;
        port_text = colon + 1;
    }
    if ((size_t)(host_end - host_start) >= sizeof(host))
        return -EINVAL;
    memcpy(host, host_start, (size_t)(host_end - host_start));
    host[host_end - host_start] = '\0';
    if (port_text && !address_parse_number(port_text, UINT16_MAX, &port))
        return -EINVAL;
    rc = address_parse_ip(host, &a);
    if (rc)
        return rc;
    if (*text == '[' && a.family == ADDRESS_V4 && !strchr(host, ':'))
        return -EINVAL; /* brackets are for IPv6 only */
    a.port = (uint16_t)port;
    *ret_address = a;
    return 0;
}

const char *address_format_ip(const struct address *a, char text[static ADDRESS_TEXT_MAX])
{
    size_t length;

    if (a->family == ADDRESS_NONE) {
        memcpy(text, "none", 5);
        return text;
    }
    (void)inet_ntop(a->family == ADDRESS_V4 ? AF_INET : AF_INET6, a->ip, text, ADDRESS_TEXT_MAX);
    if (a->scope) {
        length = strlen(text);
        (void)snprintf(text + length, ADDRESS_TEXT_MAX - length, "%%%u", a->scope);
    }
    return text;
}

const char *address_format(const struct address *a, char text[static ADDRESS_TEXT_MAX])
{
    char ip[ADDRESS_TEXT_MAX];

    address_format_ip(a, ip);
    if (a->family == ADDRESS_NONE)
        memcpy(text, "none", 5);
    else if (a->family == ADDRESS_V6)
        (void)snprintf(text, ADDRESS_TEXT_MAX, "[%.60s]:%u", ip, a->port);
    else
        (void)snprintf(text, ADDRESS_TEXT_MAX, "%.60s:%u", ip, a->port);
    return text;
}

void address_from_sockaddr(const struct sockaddr *sa, struct address *ret_address)
{
    struct address a = {0};

    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, sa, sizeof(in));
        a.family = ADDRESS_V4;
        a.port = ntohs(in.sin_port);
        memcpy(a.ip, &in.sin_addr, 4);
    } else if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, sa, sizeof(in6));
        a.port = ntohs(in6.sin6_port);
        if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
            a.family = ADDRESS_V4;
            memcpy(a.ip, (const uint8_t *)&in6.sin6_addr + 12, 4);
        } else {
            a.family = ADDRESS_V6;
            a.scope = in6.sin6_scope_id;
            memcpy(a.ip, &in6.sin6_addr, 16);
        }
    }
    *ret_address = a;
}

socklen_t address_to_sockaddr(const struct address *a, int socket_family,
                              struct sockaddr_storage *ret_sa)
{
    if (socket_family == AF_INET) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};

        if (a->family != ADDRESS_V4)
            return 0;
        memcpy(&in.sin_addr, a->ip, 4);
        memcpy(ret_sa, &in, sizeof(in));
        return sizeof(in);
    }
    if (socket_family == AF_INET6) {
        struct sockaddr_in6 in6 = {
            .sin6_family = AF_INET6, .sin6_port = htons(a->port), .sin6_scope_id = a->scope};

        if (a->family == ADDRESS_V4) {
            memcpy(&in6.sin6_addr, v4_mapped_prefix, 12);
            memcpy((uint8_t *)&in6.sin6_addr + 12, a->ip, 4);
        } else if (a->family == ADDRESS_V6) {
            memcpy(&in6.sin6_addr, a->ip, 16);
        } else {
            return 0;
        }
        memcpy(ret_sa, &in6, sizeof(in6));
        return sizeof(in6);
    }
    return 0;
}

bool address_is_loopback(const struct address *a)
{
    static const uint8_t v6_loopback[16] = {[15] = 1};

    if (a->family == ADDRESS_V4)
        return a->ip[0] == 127;
    return a->family == ADDRESS_V6 && memcmp(a->ip, v6_loopback, 16) == 0;
}

bool address_is_any(const struct address *a)
{
    static const uint8_t zero[16];

    return a->family != ADDRESS_NONE && memcmp(a->ip, zero, 16) == 0;
}

bool address_is_multicast(const struct address *a)
{
    if (a->family == ADDRESS_V4)
        return (a->ip[0] & 0xf0) == 0xe0;
    return a->family == ADDRESS_V6 && a->ip[0] == 0xff;
}

bool address_is_broadcast(const struct address *a)
{
    static const uint8_t ones[4] = {255, 255, 255, 255};

    return a->family == ADDRESS_V4 && memcmp(a->ip, ones, 4) == 0;
}

struct address address_any(enum address_family family)
{
    return (struct address){.family = (uint8_t)family};
}

static void clear_host_bits(struct cidr *range)
{
    for (unsigned bit = range->bits; bit < 128; bit++)
        range->base.ip[bit / 8] &= (uint8_t) ~(0x80U >> (bit % 8));
}

int cidr_parse(const char *text, struct cidr *ret_cidr)
{
    struct cidr range = {0};
    char host[ADDRESS_TEXT_MAX];
    const char *slash = strchr(text, '/');
    size_t host_length = slash ? (size_t)(slash - text) : strlen(text);
    unsigned long bits;

    if (host_length >= sizeof(host))
        return -EINVAL;
    memcpy(host, text, host_length);
    host[host_length] = '\0';
    if (address_parse_ip(host, &range.base) || range.base.scope)
        return -EINVAL;
    bits = range.base.family == ADDRESS_V4 ? 32 : 128;
    if (slash && !address_parse_number(slash + 1, bits, &bits))
        return -EINVAL;
    range.bits = (uint8_t)bits;
    clear_host_bits(&range);
    *ret_cidr = range;
    return 0;
}

bool address_is_canonical(const struct address *a)
{
    static const uint8_t zeros[12];

    if (a->family == ADDRESS_V4)
        return memcmp(a->ip + 4, zeros, sizeof(zeros)) == 0 && a->scope == 0;
    return a->family == ADDRESS_V6 &&
           memcmp(a->ip, v4_mapped_prefix, sizeof(v4_mapped_prefix)) != 0;
}
