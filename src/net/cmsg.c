#include "net/cmsg.h"

#include <netinet/udp.h>

void cmsg_put_source(struct msghdr *header, struct cmsg_buffer *cmsg, int socket_family,
                     const struct address *source)
{
    struct sockaddr_storage sa;
    struct cmsghdr *c = (struct cmsghdr *)cmsg->bytes;

    if (!address_to_sockaddr(source, socket_family, &sa))
        return;
    header->msg_control = cmsg->bytes;
    if (socket_family == AF_INET6) {
        struct in6_pktinfo info = {.ipi6_addr = ((struct sockaddr_in6 *)&sa)->sin6_addr};

        *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(info)),
                              .cmsg_level = IPPROTO_IPV6,
                              .cmsg_type = IPV6_PKTINFO};
        memcpy(CMSG_DATA(c), &info, sizeof(info));
        header->msg_controllen = CMSG_SPACE(sizeof(info));
    } else {
        struct in_pktinfo info = {.ipi_spec_dst = ((struct sockaddr_in *)&sa)->sin_addr};

        *c = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(info)), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO};
        memcpy(CMSG_DATA(c), &info, sizeof(info));
        header->msg_controllen = CMSG_SPACE(sizeof(info));
    }
}

/* Append a cmsg of this level and type, with a value of `bytes` bytes, behind those of header. */
static void cmsg_append(struct msghdr *header, struct cmsg_buffer *cmsg, const struct cmsghdr *type,
                        const void *value, size_t bytes)
{
    size_t used = header->msg_control ? header->msg_controllen : 0;
    struct cmsghdr *c = (struct cmsghdr *)(void *)(cmsg->bytes + used);

    *c = *type;
    c->cmsg_len = CMSG_LEN(bytes);
    memcpy(CMSG_DATA(c), value, bytes);
    header->msg_control = cmsg->bytes;
    header->msg_controllen = used + CMSG_SPACE(bytes);
}

void cmsg_put_tos(struct msghdr *header, struct cmsg_buffer *cmsg, int socket_family,
                  const struct address *to, uint8_t tos)
{
    const struct cmsghdr ipv4 = {.cmsg_level = IPPROTO_IP, .cmsg_type = IP_TOS};
    const struct cmsghdr ipv6 = {.cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_TCLASS};
    bool is_to_ipv4 = socket_family == AF_INET || (to && to->family == ADDRESS_V4);
    int value = tos;

    cmsg_append(header, cmsg, is_to_ipv4 ? &ipv4 : &ipv6, &value, sizeof(value));
}

void cmsg_put_ttl(struct msghdr *header, struct cmsg_buffer *cmsg, int socket_family, uint8_t ttl)
{
    const struct cmsghdr ipv4 = {.cmsg_level = IPPROTO_IP, .cmsg_type = IP_TTL};
    const struct cmsghdr ipv6 = {.cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_HOPLIMIT};
    int value = ttl;

    cmsg_append(header, cmsg, socket_family == AF_INET ? &ipv4 : &ipv6, &value, sizeof(value));
}

void cmsg_put_segment(struct msghdr *header, struct cmsg_buffer *cmsg, uint16_t bytes)
{
    const struct cmsghdr type = {.cmsg_level = IPPROTO_UDP, .cmsg_type = UDP_SEGMENT};

    cmsg_append(header, cmsg, &type, &bytes, sizeof(bytes));
}

void cmsg_drop_segment(struct msghdr *header)
{
    header->msg_controllen -= CMSG_SPACE(sizeof(uint16_t)); /* it is the last one */
    if (header->msg_controllen == 0)
        header->msg_control = NULL;
}

/* Run for every datagram: an IPv4 address needs no detour over a sockaddr. */
static void read_ipv4(const struct cmsghdr *c, struct address *ret_local)
{
    struct in_pktinfo info;

    memcpy(&info, CMSG_DATA(c), sizeof(info));
    ret_local->family = ADDRESS_V4;
    memcpy(ret_local->ip, &info.ipi_addr, sizeof(info.ipi_addr));
}

static void read_ipv6(const struct cmsghdr *c, struct address *ret_local)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct in6_pktinfo info;

    memcpy(&info, CMSG_DATA(c), sizeof(info));
    in6.sin6_addr = info.ipi6_addr;
    address_from_sockaddr((struct sockaddr *)&in6, ret_local);
}

static int read_int(const struct cmsghdr *c)
{
    int value;

    memcpy(&value, CMSG_DATA(c), sizeof(value));
    return value;
}

/* One cmsg of a received message. */
static void read_one(const struct cmsghdr *c, struct address *ret_local, uint32_t *ret_segment,
                     uint8_t *ret_tos, uint8_t *ret_ttl)
{
    if (c->cmsg_level == IPPROTO_IP) {
        if (c->cmsg_type == IP_PKTINFO)
            read_ipv4(c, ret_local);
        else if (c->cmsg_type == IP_TOS)
            *ret_tos = *CMSG_DATA(c); /* one byte, unlike IPV6_TCLASS */
        else if (c->cmsg_type == IP_TTL)
            *ret_ttl = (uint8_t)read_int(c);
    } else if (c->cmsg_level == IPPROTO_IPV6) {
        if (c->cmsg_type == IPV6_PKTINFO)
            read_ipv6(c, ret_local);
        else if (c->cmsg_type == IPV6_TCLASS)
            *ret_tos = (uint8_t)read_int(c);
        else if (c->cmsg_type == IPV6_HOPLIMIT)
            *ret_ttl = (uint8_t)read_int(c);
    } else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO && read_int(c) > 0) {
        *ret_segment = (uint32_t)read_int(c);
    }
}

/* Without CMSG_NXTHDR, which takes as long as the rest: the kernel wrote the lengths. */
void cmsg_read(struct msghdr *header, struct address *ret_local, uint32_t *ret_segment,
               uint8_t *ret_tos, uint8_t *ret_ttl)
{
    const unsigned char *at = header->msg_control;
    size_t left = header->msg_controllen;

    *ret_local = (struct address){0};
    *ret_segment = 0;
    *ret_tos = *ret_ttl = 0;
    while (left >= sizeof(struct cmsghdr)) {
        const struct cmsghdr *c = (const struct cmsghdr *)(const void *)at;
        size_t bytes = CMSG_ALIGN(c->cmsg_len);

        read_one(c, ret_local, ret_segment, ret_tos, ret_ttl);
        if (bytes < sizeof(*c) || bytes >= left)
            return;
        at += bytes;
        left -= bytes;
    }
}
