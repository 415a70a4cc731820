#include "reader.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 64

static void reader_arm(struct reader *r, unsigned i)
{
    struct msghdr *header = &r->messages[i].msg_hdr;

    if (r->with_names)
        header->msg_namelen = sizeof(r->names[i]);
    if (r->with_control)
        header->msg_controllen = sizeof(r->controls[i]);
}

int reader_init(struct reader *r, size_t buffer_bytes, unsigned wants)
{
    memset(r, 0, sizeof(*r));
    r->buffer_bytes = buffer_bytes;
    r->stride = buffer_bytes + LINE_BYTES;
    r->with_names = wants & READER_NAMES;
    r->with_control = wants & READER_CONTROL;
    r->buffers = aligned_alloc(LINE_BYTES, LIMIT_BATCH * r->stride);
    if (!r->buffers)
        return -ENOMEM;
    for (unsigned i = 0; i < LIMIT_BATCH; i++) {
        struct msghdr *header = &r->messages[i].msg_hdr;

        r->vectors[i] = (struct iovec){reader_buffer(r, i), buffer_bytes};
        header->msg_iov = &r->vectors[i];
        header->msg_iovlen = 1;
        if (r->with_names)
            header->msg_name = &r->names[i];
        if (r->with_control)
            header->msg_control = r->controls[i];
        reader_arm(r, i);
    }
    return 0;
}

int reader_init_merged(struct reader *r, int fd)
{
    const int on = 1;

    memset(r, 0, sizeof(*r));
    if (setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof(on)) < 0)
        return -errno;
    return reader_init(r, READER_MERGED_BYTES, READER_CONTROL);
}

void reader_fini(struct reader *r)
{
    free(r->buffers);
    r->buffers = NULL;
}

int reader_receive(struct reader *r, int fd)
{
    int received;

    while (r->used)
        reader_arm(r, --r->used);
    received = recvmmsg(fd, r->messages, LIMIT_BATCH, MSG_WAITFORONE, NULL);
    if (received >= 0) {
        r->used = (unsigned)received;
        return received;
    }
    return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

size_t reader_segment(struct reader *r, unsigned i)
{
    struct msghdr *header = &r->messages[i].msg_hdr;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
            int segment;

            memcpy(&segment, CMSG_DATA(c), sizeof(segment));
            return (size_t)segment;
        }
    }
    return r->messages[i].msg_len;
}
