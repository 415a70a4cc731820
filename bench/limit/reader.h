/*
 * reader: recvmmsg into 64 buffers of one size, reused.
 *
 * Buffers are an odd number of cache lines apart, because at 64 KiB apart they would all map to
 * the same cache sets. Only the messages that the last call filled are reset (recvmmsg overwrites
 * the lengths of names and control data). Longer datagrams are truncated. Owner: one thread; only
 * init allocates.
 */
#ifndef LIMIT_READER_H
#define LIMIT_READER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "limit.h"

#define READER_MERGED_BYTES 65536
#define READER_GRO_CONTROL  CMSG_SPACE(sizeof(int))

struct reader {
    uint8_t *buffers;
    size_t buffer_bytes, stride;
    bool with_names, with_control;
    unsigned used; /* messages that the last call filled */
    struct mmsghdr messages[LIMIT_BATCH];
    struct iovec vectors[LIMIT_BATCH];
    struct sockaddr_in names[LIMIT_BATCH];
    _Alignas(struct cmsghdr) uint8_t controls[LIMIT_BATCH][READER_GRO_CONTROL];
};

enum reader_wants { READER_PAYLOAD = 0, READER_NAMES = 1, READER_CONTROL = 2 };

/* wants: flags of enum reader_wants. Returns 0 or -ENOMEM. */
int reader_init(struct reader *r, size_t buffer_bytes, unsigned wants) LIMIT_MUST_USE;
void reader_fini(struct reader *r);

/* The same for a socket that it sets to merge (UDP_GRO). Returns 0 or a negative errno. */
int reader_init_merged(struct reader *r, int fd) LIMIT_MUST_USE;

/* Wait for the first, take all pending ones. Returns their number; 0: timeout; or -errno. */
int reader_receive(struct reader *r, int fd) LIMIT_MUST_USE;

static inline uint8_t *reader_buffer(const struct reader *r, unsigned i)
{
    return r->buffers + i * r->stride;
}

/* Size of the datagrams that the kernel merged in buffer i; the whole length if not merged. */
size_t reader_segment(struct reader *r, unsigned i);

/* Number of datagrams of segment bytes (the last may be shorter) in length bytes. */
static inline unsigned reader_datagrams(size_t length, size_t segment)
{
    return segment < length ? (unsigned)((length + segment - 1) / segment) : 1;
}

#endif
