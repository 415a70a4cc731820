#include "net/control_message.h"

void control_put_source(struct msghdr *header, struct control_buffer *control, int socket_family,
                        const struct address *source)
{
    struct sockaddr_storage sa;
    struct cmsghdr *c = (struct cmsghdr *)control->bytes;

    if (!address_to_sockaddr(source, socket_family, &sa))
        return;
    header->msg_control = control->bytes;
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

void control_get_local(struct msghdr *header, struct address *ret_local)
{
    *ret_local = (struct address){0};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct sockaddr_in in = {.sin_family = AF_INET};
            struct in_pktinfo info;

            memcpy(&info, CMSG_DATA(c), sizeof(info));
            in.sin_addr = info.ipi_addr;
            address_from_sockaddr((struct sockaddr *)&in, ret_local);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
            struct in6_pktinfo info;

            memcpy(&info, CMSG_DATA(c), sizeof(info));
            in6.sin6_addr = info.ipi6_addr;
            address_from_sockaddr((struct sockaddr *)&in6, ret_local);
        }
    }
}
