/*
 * trains: datagrams for one connected socket, as few sends as GSO allows.
 *
 * Neighbours of one size become one message with UDP_SEGMENT; the kernel cuts it up again, here or
 * in the receiver's host. What the kernel forces: at most 64 segments and 65,507 bytes a message,
 * each segment within the MTU, and only the last may be shorter than the others. Nothing is copied:
 * the vectors point at the caller's bytes, which must stay until trains_send. Owner: one thread.
 */
#ifndef LIMIT_TRAINS_H
#define LIMIT_TRAINS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "limit.h"

#define TRAINS_SEGMENTS_MAX 64
#define TRAINS_SEGMENT_MAX  1472 /* Ethernet's MTU, less the headers of IPv4 and UDP */

struct train {
    size_t bytes, segment;
    unsigned segments, weight; /* weight: the client datagrams in it */
};

struct trains {
    unsigned count, vector_count;
    struct train trains[LIMIT_BATCH];
    struct mmsghdr messages[LIMIT_BATCH];
    struct iovec vectors[LIMIT_BATCH];
    _Alignas(struct cmsghdr) uint8_t controls[LIMIT_BATCH][CMSG_SPACE(sizeof(uint16_t))];
};

void trains_init(struct trains *t);

/*
 * Add bytes that are datagrams of segment bytes each (the last may be shorter) and carry weight
 * client datagrams. At most LIMIT_BATCH times between two sends.
 */
void trains_add(struct trains *t, struct iovec bytes, size_t segment, unsigned weight);

/* Send all that was added, and count it. */
void trains_send(struct trains *t, int fd, struct limit_counts *counts);

#endif
