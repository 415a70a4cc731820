#include "batch.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static void batch_arm(struct batch *batch, unsigned i)
{
    struct msghdr *header = &batch->messages[i].msg_hdr;

    batch->vectors[i].iov_len = BATCH_STRIDE;
    header->msg_name = &batch->names[i];
    header->msg_namelen = sizeof(batch->names[i]);
    header->msg_control = batch->controls[i];
    header->msg_controllen = sizeof(batch->controls[i]);
    header->msg_flags = 0;
}

int batch_init(struct batch *batch)
{
    memset(batch, 0, sizeof(*batch));
    batch->buffers = malloc((size_t)BATCH_SIZE * BATCH_STRIDE);
    if (!batch->buffers)
        return -ENOMEM;
    for (unsigned i = 0; i < BATCH_SIZE; i++) {
        batch->vectors[i].iov_base = batch_buffer(batch, i);
        batch->messages[i].msg_hdr.msg_iov = &batch->vectors[i];
        batch->messages[i].msg_hdr.msg_iovlen = 1;
        batch_arm(batch, i);
    }
    return 0;
}

void batch_fini(struct batch *batch)
{
    free(batch->buffers);
    batch->buffers = NULL;
}

int batch_receive(struct batch *batch, int fd)
{
    int received;

    while (batch->used)
        batch_arm(batch, --batch->used);
    received = recvmmsg(fd, batch->messages, BATCH_SIZE, MSG_DONTWAIT, NULL);
    if (received >= 0) {
        batch->used = (unsigned)received;
        return received;
    }
    return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

/* Clear the ingress interface, which the kernel would force on the reply: routing chooses. */
static void forget_interface(struct msghdr *header)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo *info = (struct in_pktinfo *)(void *)CMSG_DATA(c);

            info->ipi_ifindex = 0;
        }
    }
}

void batch_turn_around(struct batch *batch, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct msghdr *header = &batch->messages[i].msg_hdr;

        batch->vectors[i].iov_len = batch->messages[i].msg_len;
        if (header->msg_controllen)
            forget_interface(header);
        else
            header->msg_control = NULL;
        header->msg_flags = 0;
    }
}

void batch_address(struct batch *batch, unsigned i, size_t length, struct sockaddr_storage *to,
                   socklen_t to_length)
{
    struct msghdr *header = &batch->messages[i].msg_hdr;

    batch->vectors[i].iov_len = length;
    header->msg_name = to;
    header->msg_namelen = to_length;
    header->msg_control = NULL;
    header->msg_controllen = 0;
    header->msg_flags = 0;
}

enum batch_error batch_classify_error(int error_number)
{
    switch (error_number) {
    case EINTR:
    case ECONNREFUSED:
    case EHOSTUNREACH: /* may be a pending ICMP error: a second try shows */
    case ENETUNREACH:
        return BATCH_RETRY;
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
        return BATCH_FULL;
    case EBADF:
    case EFAULT:
    case ENOTSOCK:
        return BATCH_FATAL;
    default:
        return BATCH_REFUSE;
    }
}
