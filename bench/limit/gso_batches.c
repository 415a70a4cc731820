#include "gso_batches.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>

#include "reader.h"

void gso_batches_init(struct gso_batches *t)
{
    memset(t, 0, sizeof(*t));
    for (unsigned i = 0; i < LIMIT_BATCH; i++) {
        struct msghdr *header = &t->messages[i].msg_hdr;
        struct cmsghdr *c;

        header->msg_control = t->controls[i];
        header->msg_controllen = sizeof(t->controls[i]);
        c = CMSG_FIRSTHDR(header);
        c->cmsg_level = SOL_UDP;
        c->cmsg_type = UDP_SEGMENT;
        c->cmsg_len = CMSG_LEN(sizeof(uint16_t));
    }
}

static bool gso_batches_fits(const struct gso_batch *last, size_t bytes, size_t segment,
                             unsigned segments)
{
    return last->segment == segment && segment > 0 && segment <= GSO_SEGMENT_MAX &&
           last->bytes % segment == 0 && last->bytes + bytes <= LIMIT_PAYLOAD_MAX &&
           last->segments + segments <= GSO_SEGMENTS_MAX;
}

void gso_batches_add(struct gso_batches *t, struct iovec bytes, size_t segment, unsigned weight)
{
    size_t length = bytes.iov_len;
    unsigned segments = reader_datagrams(length, segment);
    struct gso_batch *last = t->count ? &t->gso_batches[t->count - 1] : NULL;

    t->vectors[t->vector_count++] = bytes;
    if (last && gso_batches_fits(last, length, segment, segments)) {
        last->bytes += length;
        last->segments += segments;
        last->weight += weight;
        t->messages[t->count - 1].msg_hdr.msg_iovlen++;
        return;
    }
    t->gso_batches[t->count] = (struct gso_batch){length, segment, segments, weight};
    t->messages[t->count].msg_hdr.msg_iov = &t->vectors[t->vector_count - 1];
    t->messages[t->count].msg_hdr.msg_iovlen = 1;
    t->count++;
}

static void seal(struct gso_batches *t)
{
    for (unsigned i = 0; i < t->count; i++) {
        struct msghdr *header = &t->messages[i].msg_hdr;
        uint16_t segment = (uint16_t)t->gso_batches[i].segment;

        header->msg_control = t->controls[i];
        header->msg_controllen = t->gso_batches[i].segments > 1 ? sizeof(t->controls[i]) : 0;
        memcpy(t->controls[i] + CMSG_LEN(0), &segment, sizeof(segment));
    }
}

void gso_batches_send(struct gso_batches *t, int fd, struct limit_counts *counts)
{
    unsigned done = 0;

    seal(t);
    while (done < t->count) {
        int sent = sendmmsg(fd, t->messages + done, t->count - done, 0);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0) /* the first one failed; the next may pass */
            counts->unsent += t->gso_batches[done++].weight;
        for (int i = 0; i < sent; i++, done++) {
            counts->sent += t->gso_batches[done].weight;
            counts->frames += t->gso_batches[done].segments;
            counts->gso_batches++;
        }
    }
    t->count = 0;
    t->vector_count = 0;
}
