/*
 * gso_batches: datagrams for one connected socket, in as few sends as GSO allows.
 *
 * Neighbours of one size become one message with UDP_SEGMENT; the kernel splits it, here or in the
 * receiver's host. The kernel's limits: at most 64 segments and 65,507 bytes a message, each
 * segment within the MTU, and only the last may be shorter than the others. Nothing is copied: the
 * vectors point at the caller's bytes, which must stay until gso_batches_send. Owner: one thread.
 */
#ifndef LIMIT_GSO_BATCHES_H
#define LIMIT_GSO_BATCHES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "limit.h"

#define GSO_SEGMENTS_MAX 64
#define GSO_SEGMENT_MAX  1472 /* Ethernet's MTU, less the headers of IPv4 and UDP */

struct gso_batch {
    size_t bytes, segment;
    unsigned segments, weight; /* weight: the client datagrams in it */
};

struct gso_batches {
    unsigned count, vector_count;
    struct gso_batch gso_batches[LIMIT_BATCH];
    struct mmsghdr messages[LIMIT_BATCH];
    struct iovec vectors[LIMIT_BATCH];
    _Alignas(struct cmsghdr) uint8_t controls[LIMIT_BATCH][CMSG_SPACE(sizeof(uint16_t))];
};

void gso_batches_init(struct gso_batches *t);

/*
 * Add bytes that are datagrams of segment bytes each (the last may be shorter) and carry weight
 * client datagrams. At most LIMIT_BATCH times between two sends.
 */
void gso_batches_add(struct gso_batches *t, struct iovec bytes, size_t segment, unsigned weight);

/* Send all added datagrams, and count them. */
void gso_batches_send(struct gso_batches *t, int fd, struct limit_counts *counts);

#endif
