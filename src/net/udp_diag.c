#include "headless/net/udp_diag.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define REPLY_BYTES 8192 /* the kernel makes no part of a reply longer */

struct diag_request {
    struct nlmsghdr header;
    struct inet_diag_req_v2 body;
};

struct diag_list {
    struct udp_diag_entry *entries;
    size_t count, max;
    bool is_done;
    int error;
};

int udp_diag_open(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

    return fd < 0 ? -errno : fd;
}

static int request_list(int fd, int family, uint16_t port)
{
    const struct diag_request request = {
        .header = {.nlmsg_len = sizeof(request),
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                   .nlmsg_seq = (uint32_t)family},
        .body = {.sdiag_family = (uint8_t)family,
                 .sdiag_protocol = IPPROTO_UDP,
                 .idiag_ext = 1 << (INET_DIAG_SKMEMINFO - 1),
                 .idiag_states = UINT32_MAX,
                 .id = {.idiag_sport = htons(port),
                        .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}},
    };
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

    return sendto(fd, &request, sizeof(request), MSG_DONTWAIT, (const struct sockaddr *)&kernel,
                  sizeof(kernel)) < 0
               ? -errno
               : 0;
}

static struct address address_of(const struct inet_diag_msg *message)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = message->id.idiag_sport};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = message->id.idiag_sport};
    struct address address = {0};

    if (message->idiag_family == AF_INET) {
        memcpy(&v4.sin_addr, message->id.idiag_src, sizeof(v4.sin_addr));
        address_from_sockaddr((const struct sockaddr *)&v4, &address);
    } else {
        memcpy(&v6.sin6_addr, message->id.idiag_src, sizeof(v6.sin6_addr));
        address_from_sockaddr((const struct sockaddr *)&v6, &address);
    }
    return address;
}

static uint32_t drops_of(struct nlmsghdr *header)
{
    const uint8_t *at =
        (const uint8_t *)NLMSG_DATA(header) + NLMSG_ALIGN(sizeof(struct inet_diag_msg));
    const uint8_t *end = (const uint8_t *)header + header->nlmsg_len;
    uint32_t drops = 0;
    struct rtattr attribute;

    while (at < end && (size_t)(end - at) >= sizeof(attribute)) {
        memcpy(&attribute, at, sizeof(attribute));
        if (attribute.rta_len < sizeof(attribute) || attribute.rta_len > end - at)
            break;
        if (attribute.rta_type == INET_DIAG_SKMEMINFO &&
            attribute.rta_len >= RTA_LENGTH((SK_MEMINFO_DROPS + 1) * sizeof(uint32_t)))
            memcpy(&drops, at + RTA_LENGTH(SK_MEMINFO_DROPS * sizeof(uint32_t)), sizeof(drops));
        if (RTA_ALIGN(attribute.rta_len) >= (size_t)(end - at))
            break;
        at += RTA_ALIGN(attribute.rta_len);
    }
    return drops;
}

static void take_message(struct nlmsghdr *header, struct diag_list *list)
{
    const struct inet_diag_msg *message = NLMSG_DATA(header);
    const struct nlmsgerr *error = NLMSG_DATA(header);

    if (header->nlmsg_type == NLMSG_DONE) {
        list->is_done = true;
    } else if (header->nlmsg_type == NLMSG_ERROR) {
        list->is_done = true;
        list->error = header->nlmsg_len >= NLMSG_LENGTH(sizeof(*error)) ? error->error : -EIO;
    } else if (header->nlmsg_len >= NLMSG_LENGTH(sizeof(*message)) && list->count < list->max) {
        list->entries[list->count++] = (struct udp_diag_entry){
            .cookie = (uint64_t)message->id.idiag_cookie[1] << 32 | message->id.idiag_cookie[0],
            .local = address_of(message),
            .drops = drops_of(header)};
    }
}

/* The kernel makes the next part of a reply when one is read, so one is always there. */
static int read_list(int fd, int family, struct diag_list *list)
{
    _Alignas(struct nlmsghdr) uint8_t reply[REPLY_BYTES];
    struct sockaddr_nl from = {0};
    socklen_t from_bytes;
    int64_t n; /* may fall below 0 in NLMSG_NEXT */

    while (!list->is_done) {
        from_bytes = sizeof(from);
        n = recvfrom(fd, reply, sizeof(reply), MSG_DONTWAIT, (struct sockaddr *)&from, &from_bytes);
        if (n <= 0)
            return n < 0 ? -errno : -EPROTO;
        if (from.nl_pid != 0) /* not from the kernel */
            continue;
        for (struct nlmsghdr *at = (struct nlmsghdr *)reply; NLMSG_OK(at, n);
             at = NLMSG_NEXT(at, n)) {
            if (at->nlmsg_seq == (uint32_t)family) /* not the rest of an earlier reply */
                take_message(at, list);
        }
    }
    return list->error;
}

int udp_diag_list(int fd, uint16_t port, struct udp_diag_entry *ret_entries, size_t max,
                  size_t *ret_count)
{
    static const int families[] = {AF_INET, AF_INET6};
    struct diag_list list = {.entries = ret_entries, .max = max};
    int rc = 0;

    for (size_t i = 0; !rc && i < sizeof(families) / sizeof(families[0]); i++) {
        list.is_done = false;
        rc = request_list(fd, families[i], port);
        if (!rc)
            rc = read_list(fd, families[i], &list);
    }
    if (!rc)
        *ret_count = list.count;
    return rc;
}
