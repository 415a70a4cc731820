/*
 * address: an IP address and port in one canonical form.
 *
 * The kernel has several spellings for one client (sockaddr_in, sockaddr_in6, IPv4 mapped into
 * IPv6 on a dual-stack socket). Inside headlessd there is one: IPv4 is always family 4, unused
 * bytes are always zero. So two addresses are equal when their bytes are, and a hash over the
 * bytes is a hash of the address.
 *
 * Threads: pure functions, any thread. Nothing here blocks, allocates or resolves names.
 */
#ifndef HEADLESS_BASE_ADDRESS_H
#define HEADLESS_BASE_ADDRESS_H

#include <endian.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

enum address_family { ADDRESS_NONE = 0, ADDRESS_V4 = 4, ADDRESS_V6 = 6 };

struct address {
    uint8_t family; /* enum address_family; ADDRESS_NONE: no address, all bytes zero */
    uint8_t zero;   /* always 0 */
    uint16_t port;  /* host order; 0 where only the IP counts */
    uint32_t scope; /* interface index of an IPv6 link-local address, otherwise 0 */
    uint8_t ip[16]; /* network order; IPv4 uses the first four, the rest is 0 */
};
_Static_assert(sizeof(struct address) == 24, "addresses are compared and hashed as 24 bytes");

/* A range of addresses such as 10.0.0.0/8; port and scope of base are 0. */
struct cidr {
    struct address base;
    uint8_t bits; /* 0..32 for IPv4, 0..128 for IPv6 */
};

/* Longest text: "[ffff:...:255.255.255.255%4294967295]:65535" and its NUL. */
#define ADDRESS_TEXT_MAX 72

static inline bool address_is_set(const struct address *a)
{
    return a->family != ADDRESS_NONE;
}

/* Called several times a datagram. Compares 64-bit words; compilers do not make these of
 * a memcmp of 24 bytes. */
static inline bool address_equal(const struct address *a, const struct address *b)
{
    uint64_t x[3], y[3];

    memcpy(x, a, sizeof(x));
    memcpy(y, b, sizeof(y));
    return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2])) == 0;
}

/* Same family and IP; ports and scopes may differ. */
static inline bool address_equal_ip(const struct address *a, const struct address *b)
{
    uint64_t x[2], y[2];

    memcpy(x, a->ip, sizeof(x));
    memcpy(y, b->ip, sizeof(y));
    return a->family == b->family && ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

/* IPv6 link-local, fe80::/10: it is reached only through one interface, its zone (scope). */
static inline bool address_is_link_local(const struct address *a)
{
    return a->family == ADDRESS_V6 && a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
}

/*
 * Give a link-local address that came without a zone, from another host or from DNS, the zone of self.
 * A zone is a number of this host, so that messages cannot carry it; members with link-local
 * addresses share one link, on which all of them have their self.
 */
static inline void address_adopt_zone(struct address *a, const struct address *self)
{
    if (a->scope == 0 && address_is_link_local(a) && address_is_link_local(self))
        a->scope = self->scope;
}

/* The same address with another port. */
static inline struct address address_with_port(struct address a, uint16_t port)
{
    a.port = port;
    return a;
}

/* Largest UDP payload of a datagram to this address within an IP MTU (28 or 48 bytes less). */
size_t address_payload_max(const struct address *a, size_t mtu);

/*
 * Parse an IP without port: "10.0.0.1", "fd00::1", "fe80::1%2" (numeric scope or interface name).
 * No names, no surrounding space. Returns 0, or -EINVAL with *ret_address untouched.
 */
int address_parse_ip(const char *text, struct address *ret_address);

/*
 * The same where a zone that this host does not have is no error: it is dropped. For texts that name
 * a pod, which other hosts may have written.
 */
int address_parse_pod(const char *text, struct address *ret_address);

/*
 * Parse an IP with an optional port: "10.0.0.1", "10.0.0.1:53", "[fd00::1]:53", "fd00::1".
 * Without a port the result has default_port. Returns 0, or -EINVAL with *ret_address untouched.
 */
int address_parse(const char *text, uint16_t default_port, struct address *ret_address);

/* Write "10.0.0.1:53" or "[fd00::1]:53" ("none" when unset); returns text for use in calls. */
const char *address_format(const struct address *a, char text[static ADDRESS_TEXT_MAX]);

/* The same without the port and without brackets. */
const char *address_format_ip(const struct address *a, char text[static ADDRESS_TEXT_MAX]);

/* True when the family is set, IPv4 is not mapped into IPv6, and unused bytes are 0: the only form
 * that the wire allows. */
bool address_is_canonical(const struct address *a);

/* From the kernel's form, IPv4-mapped IPv6 unmapped. Unknown families give ADDRESS_NONE. */
void address_from_sockaddr(const struct sockaddr *sa, struct address *ret_address);

/*
 * Into the kernel's form for a socket of socket_family (AF_INET or AF_INET6): IPv4 is mapped
 * when the socket is IPv6. Returns the length, or 0 when such a socket cannot reach the address.
 */
socklen_t address_to_sockaddr(const struct address *a, int socket_family,
                              struct sockaddr_storage *ret_sa);

bool address_is_loopback(const struct address *a);
bool address_is_any(const struct address *a);
bool address_is_multicast(const struct address *a);
bool address_is_broadcast(const struct address *a); /* 255.255.255.255 */

/* The wildcard of a family, port 0. */
struct address address_any(enum address_family family);

/* Parse "10.0.0.0/8" or a lone IP (all bits). Host bits are cleared. Returns 0 or -EINVAL. */
int cidr_parse(const char *text, struct cidr *ret_cidr);

/* Compares 64-bit words: data.allow calls it up to 32 times a datagram. */
static inline bool cidr_contains(const struct cidr *range, const struct address *a)
{
    uint64_t x[2], y[2];

    if (a->family != range->base.family || range->bits == 0)
        return a->family == range->base.family;
    memcpy(x, a->ip, sizeof(x));
    memcpy(y, range->base.ip, sizeof(y));
    if (range->bits <= 64)
        return be64toh(x[0] ^ y[0]) >> (64 - range->bits) == 0;
    return x[0] == y[0] && be64toh(x[1] ^ y[1]) >> (128 - range->bits) == 0;
}

#endif
