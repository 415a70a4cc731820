#include "endpoint.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

static const char *endpoint_resolve_name(const char *host, const char *port,
                                         struct address *ret_address)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found;
    int rc = getaddrinfo(host, port, &hints, &found);

    if (rc)
        return rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc);
    address_from_sockaddr(found->ai_addr, ret_address);
    freeaddrinfo(found);
    return NULL;
}

const char *endpoint_resolve(const char *text, struct address *ret_address)
{
    char host[ENDPOINT_TEXT_MAX];
    const char *colon = strrchr(text, ':');
    size_t length = strlen(text);
    struct address numeric;

    if (length >= sizeof(host) || !colon || colon == text || !colon[1])
        return "must be HOST:PORT, as in 127.0.0.1:12000, [::1]:12000 or name:12000";
    if (address_parse(text, 0, &numeric) == 0) {
        if (text[0] != '[' && strchr(text, ':') != colon)
            return "an IPv6 address with a port needs brackets, as in [::1]:12000";
        *ret_address = numeric;
        return NULL;
    }
    memcpy(host, text, length + 1);
    host[colon - text] = '\0';
    return endpoint_resolve_name(host, colon + 1, ret_address);
}

const char *endpoint_resolve_list(const char *text, unsigned max, struct address *ret_addresses,
                                  unsigned *ret_count, char bad[static ENDPOINT_TEXT_MAX])
{
    unsigned count = 0;

    for (;;) {
        size_t length = strcspn(text, ",");
        const char *wrong;

        if (length >= ENDPOINT_TEXT_MAX || count == max)
            return "too long, or too many in the list";
        memcpy(bad, text, length);
        bad[length] = '\0';
        wrong = endpoint_resolve(bad, &ret_addresses[count]);
        if (wrong)
            return wrong;
        count++;
        if (text[length] == '\0')
            break;
        text += length + 1;
    }
    *ret_count = count;
    return NULL;
}

static int endpoint_open_socket(int family)
{
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    return fd < 0 ? -errno : fd;
}

static int endpoint_attach(int fd, int family, const struct address *a,
                           int (*attach_fn)(int, const struct sockaddr *, socklen_t))
{
    struct sockaddr_storage sa;
    socklen_t length = address_to_sockaddr(a, family, &sa);

    if (!length)
        return -EAFNOSUPPORT;
    return attach_fn(fd, (struct sockaddr *)&sa, length) < 0 ? -errno : 0;
}

int endpoint_open_client(const struct address *to, const struct address *from, bool connected)
{
    int family = to->family == ADDRESS_V6 ? AF_INET6 : AF_INET;
    struct address any = address_any(to->family);
    int fd = endpoint_open_socket(family);
    int rc;

    if (fd < 0)
        return fd;
    rc = endpoint_attach(fd, family, address_is_set(from) ? from : &any, bind);
    if (!rc && connected)
        rc = endpoint_attach(fd, family, to, connect);
    if (rc) {
        (void)close(fd);
        return rc;
    }
    return fd;
}

static int ask_local_address(int fd, int family)
{
    const int on = 1;
    int rc = family == AF_INET6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on))
                                : setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));

    return rc < 0 ? -errno : 0;
}

int endpoint_open_server(const struct address *at)
{
    int family = at->family == ADDRESS_V6 ? AF_INET6 : AF_INET;
    int fd = endpoint_open_socket(family);
    const int off = 0;
    int rc = 0;

    if (fd < 0)
        return fd;
    if (address_is_any(at))
        rc = ask_local_address(fd, family);
    if (!rc && address_is_any(at) && family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (!rc)
        rc = endpoint_attach(fd, family, at, bind);
    if (rc) {
        (void)close(fd);
        return rc;
    }
    return fd;
}

struct address endpoint_local(int fd)
{
    struct sockaddr_storage sa = {0};
    socklen_t length = sizeof(sa);
    struct address local = {0};

    if (getsockname(fd, (struct sockaddr *)&sa, &length) == 0)
        address_from_sockaddr((struct sockaddr *)&sa, &local);
    return local;
}

uint64_t endpoint_grow_rcvbuf(int fd, uint64_t bytes)
{
    const int most = 1 << 30; /* the kernel limits it to net.core.rmem_max */
    int asked = bytes && bytes < (uint64_t)most ? (int)bytes : most;
    int granted = 0;
    socklen_t length = sizeof(granted);

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &asked, sizeof(asked));
    (void)getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &granted, &length);
    return (uint64_t)granted;
}

uint64_t endpoint_drops(int fd)
{
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t length = sizeof(info);

    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &length) < 0)
        return 0;
    return info[SK_MEMINFO_DROPS];
}
