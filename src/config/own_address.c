/* The addresses of this machine or pod, as far as the kernel tells. */
#include <sys/socket.h>
#include <unistd.h>

#include "loader.h"

/* Addresses of documents, which no host has (RFC 5737, RFC 3849). */
#define FOREIGN_V4 "198.51.100.1"
#define FOREIGN_V6 "2001:db8::1"

static bool can_bind(const struct address *ip)
{
    const struct address at = address_with_port(*ip, 0);
    int family = ip->family == ADDRESS_V6 ? AF_INET6 : AF_INET;
    struct sockaddr_storage sa;
    socklen_t length = address_to_sockaddr(&at, family, &sa);
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool is_bound = fd >= 0 && bind(fd, (struct sockaddr *)&sa, length) == 0;

    if (fd >= 0)
        (void)close(fd);
    return is_bound;
}

bool config_is_own_address(const struct address *ip)
{
    struct address foreign = {0};

    if (address_is_loopback(ip))
        return true;
    if (address_is_any(ip) || address_is_multicast(ip) || !can_bind(ip))
        return false;
    /* With net.ipv4.ip_nonlocal_bind every address can be bound, and tells nothing. */
    (void)address_parse_ip(ip->family == ADDRESS_V6 ? FOREIGN_V6 : FOREIGN_V4, &foreign);
    return !can_bind(&foreign);
}
