#include "gso_batches.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>

#define BYTES_MAX    65507
#define SEGMENTS_MAX 64

/* Number of messages from first on that fit into one GSO batch. */
static unsigned gso_batch_length(const struct batch *batch, unsigned first, unsigned end)
{
    size_t size = batch->vectors[first].iov_len;
    size_t bytes = size;
    unsigned at = first + 1;

    while (at < end && at - first < SEGMENTS_MAX) {
        size_t next = batch->vectors[at].iov_len;

        if (next > size || bytes + next > BYTES_MAX)
            break;
        bytes += next;
        at++;
        if (next < size)
            break;
    }
    return at - first;
}

static void add_segment_size(struct msghdr *header, uint8_t *control, size_t room, size_t size)
{
    const uint16_t segment = (uint16_t)size;
    struct cmsghdr *c = (struct cmsghdr *)(void *)control; /* aligned: the first and only one */

    memset(control, 0, room);
    header->msg_control = control;
    header->msg_controllen = room;
    c->cmsg_level = SOL_UDP;
    c->cmsg_type = UDP_SEGMENT;
    c->cmsg_len = CMSG_LEN(sizeof(segment));
    memcpy(CMSG_DATA(c), &segment, sizeof(segment));
}

void gso_batches_build(struct gso_batches *t, struct batch *batch, unsigned first, unsigned end,
                       bool merge)
{
    t->count = 0;
    while (first < end) {
        unsigned length = merge ? gso_batch_length(batch, first, end) : 1;
        struct mmsghdr *gso_batch = &t->headers[t->count];

        *gso_batch = batch->messages[first];
        gso_batch->msg_hdr.msg_iovlen = length;
        if (length > 1)
            add_segment_size(&gso_batch->msg_hdr, t->controls[t->count], sizeof(t->controls[0]),
                             batch->vectors[first].iov_len);
        t->datagrams[t->count++] = length;
        first += length;
    }
}

unsigned gso_batches_datagrams(const struct gso_batches *t, unsigned from, unsigned count)
{
    unsigned datagrams = 0;

    for (unsigned i = from; i < from + count; i++)
        datagrams += t->datagrams[i];
    return datagrams;
}
