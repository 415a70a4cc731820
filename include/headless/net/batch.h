/*
 * batch: recvmmsg and sendmmsg with their errors handled.
 *
 * An inbox receives into buffers that its owner armed; an outbox collects messages of one socket
 * and sends them with as few system calls as possible. Consecutive datagrams of one size, one TOS
 * byte and one TTL to one destination leave as a GSO batch: one message that the kernel, or the network card,
 * cuts into datagrams (UDP_SEGMENT). All but the first then skip the path through the kernel, which
 * costs far more than the system call. The last datagram of a GSO batch may be shorter. In the other
 * direction, an inbox may receive several datagrams in one message (UDP_GRO).
 *
 * Forced by the kernel (net/socket.c: __sys_sendmmsg, do_recvmmsg; net/ipv4/udp.c: udp_send_skb):
 *   - sendmmsg stops at the first message that fails and returns the number sent before it; its
 *     errno is seen only when that message is the first of the next call. So continue at the first
 *     unsent one; on -1 that message failed: classify the error, skip exactly one, continue.
 *   - A pending ICMP error is returned in place of a send: send the same message once more.
 *   - A GSO batch has at most 64 datagrams and 65,507 bytes. It is refused as a whole when its
 *     datagrams are larger than the path takes (EMSGSIZE) or a firewall rejects it: then its
 *     datagrams are sent one by one, and each succeeds or fails by itself. EIO and EINVAL mean that
 *     GSO does not work on this socket: the same, and no more GSO batches are made.
 *   - recvmmsg overwrites name length, cmsg length and flags of the messages that it filled:
 *     only these are set again. Its timeout argument is never used.
 *
 * Threads: an inbox or outbox belongs to one thread. Blocking: inbox_receive as its flags say;
 * outbox_flush waits for room in the send buffer for at most OUTBOX_WAIT_MS, then the datagram has
 * failed. Only init allocates.
 */
#ifndef HEADLESS_NET_BATCH_H
#define HEADLESS_NET_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "headless/base/address.h"
#include "headless/base/distribution.h"
#include "headless/net/udp.h"

#define BATCH_MAX      256
#define OUTBOX_WAIT_MS 20

/* ---- receiving ---- */

struct inbox_slot;
struct inbox {
    size_t batch;
    struct mmsghdr *headers;
    struct inbox_slot *slots; /* names, cmsg buffers, iovecs */
};

struct inbox_message {
    struct address peer;  /* source */
    struct address local; /* destination (port 0); unset without PKTINFO */
    uint32_t length;      /* bytes received */
    uint32_t segment;     /* bytes of each datagram of a GRO batch but the last; 0: one datagram */
    bool truncated;       /* it was larger than the armed buffers */
    uint8_t tos;          /* TOS byte, or traffic class; 0 on a socket that does not report it */
    uint8_t ttl;          /* TTL, or hop limit; 0 on a socket that does not report it */
};

int inbox_init(struct inbox *inbox, size_t batch) __attribute__((warn_unused_result));
void inbox_fini(struct inbox *inbox);

/* Set the buffers of position index (0..batch-1): head is filled first, then spill. */
void inbox_arm(struct inbox *inbox, size_t index, void *head, size_t head_bytes, void *spill,
               size_t spill_bytes);

/* Receive into the first count positions, all armed. Returns their number, or a negative errno. */
int inbox_receive(struct inbox *inbox, int fd, size_t count, int flags);

/* The message received into position index. */
void inbox_read(const struct inbox *inbox, size_t index, struct inbox_message *ret_message);

/* ---- sending ---- */

#define OUTBOX_PARTS        3  /* iovecs a message */
#define GSO_BATCH_MAX       64 /* UDP_MAX_SEGMENTS of the oldest kernels with UDP_SEGMENT */
/* Bytes: larger datagrams are not batched, unless the owner sets segment_max by its path. */
#define OUTBOX_SEGMENT_MAX  1472
/* Bytes that every path takes: the minimum MTU of IPv6. */
#define OUTBOX_SEGMENT_SAFE 1232

/* Requests, replies and copies of one socket are counted separately. */
enum outbox_account { OUTBOX_REQUESTS, OUTBOX_REPLIES, OUTBOX_COPIES, OUTBOX_ACCOUNTS };

/* Results of messages; weight: the client datagrams in a message. */
struct outbox_tally {
    uint64_t messages;                /* datagrams sent */
    uint64_t sent;                    /* their weight */
    uint64_t failed[UDP_ERROR_COUNT]; /* weight, by error */
};

/* Mean length of a GSO batch: datagrams / gso_batches; of a sendmmsg: gso_batches / calls. */
struct outbox_sends {
    uint64_t calls, gso_batches, datagrams;
    uint32_t lengths[DISTRIBUTION_BUCKETS]; /* of GSO batches: DISTRIBUTION_SEND_GSO_BATCH */
};

/* The entries that one header sends: first ... first + entries - 1, of `count` messages. */
struct outbox_span {
    size_t first, entries, count;
};

struct outbox_entry;
struct gso_batch;
struct outbox {
    const struct udp_socket *socket;
    size_t capacity, count; /* entries: messages, or runs of them */
    size_t gso_max;         /* datagrams a GSO batch; 1: off, or refused by the kernel */
    size_t segment_max;     /* bytes of a datagram in a GSO batch; the owner may set it */
    size_t gso_batch_count, part_count;
    struct mmsghdr *headers;
    struct gso_batch *gso_batches;
    struct outbox_span *spans;
    struct outbox_entry *entries;
    struct iovec *parts;
    struct outbox_sends sends;                  /* since the owner last took it */
    struct outbox_tally tally[OUTBOX_ACCOUNTS]; /* since the owner last took it */
    /* An error is or was pending: the owner reads the error queue and clears this. */
    bool may_be_refused;
    int error_number; /* errno of the last message that failed; the owner clears it */
};

struct outbox_message {
    const struct address *to;   /* NULL on a connected socket */
    const struct address *from; /* source IP for an unconnected socket, NULL: the kernel's choice */
    struct iovec parts[OUTBOX_PARTS]; /* memory must stay until the flush */
    size_t part_count;
    uint32_t weight;
    enum outbox_account account;
    uint8_t tos; /* TOS byte, or traffic class */
    uint8_t ttl; /* TTL, or hop limit; 0: the socket's. Not on a dual-stack socket */
};

/* Bytes to send. An iovec is not const, because receiving uses it too; sending does not write. */
static inline struct iovec outbox_part(const void *bytes, size_t length)
{
    struct iovec part = {.iov_len = length};

    memcpy(&part.iov_base, &bytes, sizeof(bytes));
    return part;
}

/* gso_max: datagrams a GSO batch, 1 to GSO_BATCH_MAX. Returns 0 or -ENOMEM. */
int outbox_init(struct outbox *outbox, const struct udp_socket *socket, size_t capacity,
                size_t gso_max) __attribute__((warn_unused_result));
void outbox_fini(struct outbox *outbox);

/* Add a message; a full outbox is flushed first. It fails if the socket cannot reach the
 * address. */
void outbox_add(struct outbox *outbox, const struct outbox_message *message);

/*
 * Add contiguous messages of segment bytes each, the last may be shorter: parts[0] spans all. The
 * same as adding them one by one, each with this weight, but faster.
 */
void outbox_add_run(struct outbox *outbox, const struct outbox_message *message, size_t segment);

/* Remove all messages without counting them. */
static inline void outbox_discard(struct outbox *outbox)
{
    outbox->count = outbox->gso_batch_count = outbox->part_count = 0;
}

/* Send all messages. Every message ends in the tally of its account. */
void outbox_flush(struct outbox *outbox);
/* The same without waiting for a full socket: messages that it does not take have failed. */
void outbox_flush_now(struct outbox *outbox);

#endif
