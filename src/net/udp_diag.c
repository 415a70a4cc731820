#include "headless/net/udp_diag.h"

#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "net/sock_diag.h"

struct diag_list {
    struct udp_diag_entry *entries;
    size_t count, max;
};

int udp_diag_open(struct udp_diag *diag)
{
    int fd = sock_diag_open();

    *diag = (struct udp_diag){.fd = fd < 0 ? -1 : fd};
    return fd < 0 ? fd : 0;
}

void udp_diag_close(struct udp_diag *diag)
{
    if (diag->fd >= 0)
        (void)close(diag->fd);
    diag->fd = -1;
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

static bool diag_add_entry(void *context, struct nlmsghdr *header)
{
    const struct inet_diag_msg *message = NLMSG_DATA(header);
    struct diag_list *list = context;

    if (list->count < list->max)
        list->entries[list->count++] = (struct udp_diag_entry){
            .cookie = (uint64_t)message->id.idiag_cookie[1] << 32 | message->id.idiag_cookie[0],
            .local = sock_diag_address(message->idiag_family, message->id.idiag_src,
                                       message->id.idiag_sport),
            .drops = drops_of(header)};
    return true; /* the rest of the reply has to be read */
}

int udp_diag_list(struct udp_diag *diag, uint16_t port, struct udp_diag_entry *ret_entries,
                  size_t max, size_t *ret_count)
{
    static const int families[] = {AF_INET, AF_INET6};
    struct diag_list list = {.entries = ret_entries, .max = max};
    int rc = 0;

    for (size_t i = 0; !rc && i < sizeof(families) / sizeof(families[0]); i++) {
        struct sock_diag_request request =
            sock_diag_prepare(families[i], NLM_F_DUMP, ++diag->sequence);

        request.body.idiag_ext = 1 << (INET_DIAG_SKMEMINFO - 1);
        request.body.idiag_states = UINT32_MAX;
        request.body.id.idiag_sport = htons(port);
        rc = sock_diag_ask(diag->fd, &request, diag_add_entry, &list);
    }
    if (!rc)
        *ret_count = list.count;
    return rc;
}
