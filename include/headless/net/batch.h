/*
 * batch: recvmmsg and sendmmsg with their errors handled.
 *
 * An inbox receives into buffers that its owner armed; an outbox collects messages of one socket
 * and sends them with as few system calls as it can. Neighbours of one size to one destination
 * leave as a gso_batch: one message that the kernel, or the network card, cuts into datagrams
 * (UDP_SEGMENT). That saves the walk through the kernel for all but one of them, which costs far
 * more than the system call. The last of a gso_batch may be shorter. The other way round, an inbox may
 * get a gso_batch that the kernel did not cut, or merged, in one message (UDP_GRO).
 *
 * What the kernel forces (net/socket.c: __sys_sendmmsg, do_recvmmsg; net/ipv4/udp.c:
 * udp_send_skb):
 *   - sendmmsg stops at the first message that fails and returns how many went out before it; the
 *     errno is seen only when that message is the first of the next call. So go on from the first
 *     unsent; on -1 that one is the culprit: classify, skip exactly one, go on.
 *   - A pending ICMP error is returned in place of a send: send the same message once more.
 *   - A gso_batch is at most 64 datagrams and 65,507 bytes. One whose datagrams are larger than the
 *     path takes is refused as a whole (EMSGSIZE), as is one that a firewall dislikes: then its
 *     datagrams are sent one by one, and each has its own fate. EIO and EINVAL mean that gso_batches do
 *     not work on this socket: the same, and none are made from then on.
 *   - recvmmsg overwrites name length, cmsg length and flags of the messages that it filled:
 *     only these are set again. Its timeout argument is never used.
 *
 * Threads: an inbox or outbox belongs to one thread. Blocking: inbox_receive as its flags say;
 * outbox flushes wait for room in the send buffer for at most OUTBOX_WAIT_MS, then give the
 * datagram up. Only init allocates.
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
    struct address peer;  /* who sent it */
    struct address local; /* to which address of ours (port 0); unset without PKTINFO */
    uint32_t length;      /* bytes received */
    uint32_t
        segment;    /* it is several datagrams of so many bytes, the last may be shorter; 0: one */
    bool truncated; /* it was larger than the armed buffers */
};

int inbox_init(struct inbox *inbox, size_t batch) __attribute__((warn_unused_result));
void inbox_fini(struct inbox *inbox);

/* Give position index (0..batch-1) its buffers: head first, the rest of a large one into spill. */
void inbox_arm(struct inbox *inbox, size_t index, void *head, size_t head_bytes, void *spill,
               size_t spill_bytes);

/* Receive into the first count positions, all armed. Returns how many, or a negative errno. */
int inbox_receive(struct inbox *inbox, int fd, size_t count, int flags);

/* What came into position index. */
void inbox_read(const struct inbox *inbox, size_t index, struct inbox_message *ret_message);

/* ---- sending ---- */

#define OUTBOX_PARTS  3  /* iovecs a message */
#define GSO_BATCH_MAX 64 /* UDP_MAX_SEGMENTS of the oldest kernels that know gso_batches */
#define OUTBOX_SEGMENT_MAX \
    1472 /* larger ones are no gso_batches, unless the owner knows the path */
#define OUTBOX_SEGMENT_SAFE 1232 /* what every path takes: IPv6's least MTU */

/* Accounts, so that one socket's requests, replies and copies are counted apart. */
enum outbox_account { OUTBOX_REQUESTS, OUTBOX_REPLIES, OUTBOX_COPIES, OUTBOX_ACCOUNTS };

/* What became of the messages, each with its weight (the client datagrams in it). */
struct outbox_tally {
    uint64_t messages; /* datagrams that left */
    uint64_t sent;     /* their weight */
    uint64_t failed[UDP_ERROR_COUNT];
};

/* How it was sent: datagrams / gso_batches is the length of gso_batches, gso_batches / calls that of batches. */
struct outbox_sends {
    uint64_t calls, gso_batches, datagrams;
    uint32_t lengths[DISTRIBUTION_BUCKETS]; /* of gso_batches: DISTRIBUTION_SEND_GSO_BATCH */
};

/* What one header sends: entries first ... first + entries, of `count` messages together. */
struct outbox_span {
    size_t first, entries, count;
};

struct outbox_entry;
struct gso_batch;
struct outbox {
    const struct udp_socket *socket;
    size_t capacity, count; /* entries: messages, or runs of them */
    size_t gso_max;         /* datagrams a gso_batch; 1: none are made, or no longer */
    size_t segment_max;     /* bytes of a datagram in a gso_batch; the owner may set it */
    size_t gso_batch_count, part_count;
    struct mmsghdr *headers;
    struct gso_batch *gso_batches;
    struct outbox_span *spans;
    struct outbox_entry *entries;
    struct iovec *parts;
    struct outbox_sends sends;                  /* since the owner last took it */
    struct outbox_tally tally[OUTBOX_ACCOUNTS]; /* since the owner last took it */
    /* An error was pending, or may have been: look into the error queue. The owner clears it. */
    bool may_be_refused;
};

struct outbox_message {
    const struct address *to;   /* NULL on a connected socket */
    const struct address *from; /* source IP for an unconnected socket, NULL: kernel's choice */
    struct iovec parts[OUTBOX_PARTS]; /* memory must stay until the flush */
    size_t part_count;
    uint32_t weight;
    enum outbox_account account;
};

/* Bytes to send: an iovec is not const because receiving uses it too; sending does not write. */
static inline struct iovec outbox_part(const void *bytes, size_t length)
{
    struct iovec part = {.iov_len = length};

    memcpy(&part.iov_base, &bytes, sizeof(bytes));
    return part;
}

/* gso_max: datagrams a gso_batch at most, 1 to GSO_BATCH_MAX. Returns 0 or -ENOMEM. */
int outbox_init(struct outbox *outbox, const struct udp_socket *socket, size_t capacity,
                size_t gso_max) __attribute__((warn_unused_result));
void outbox_fini(struct outbox *outbox);

/* Add a message; a full outbox is flushed first. An address that the socket cannot reach fails. */
void outbox_add(struct outbox *outbox, const struct outbox_message *message);

/*
 * Add messages that lie in one piece, of segment bytes each, the last may be shorter: parts[0] is
 * the whole. The same as adding them one by one, each with this weight; only quicker.
 */
void outbox_add_run(struct outbox *outbox, const struct outbox_message *message, size_t segment);

/* Forget all that was added; none of it is counted. */
void outbox_discard(struct outbox *outbox);

/* Send all that was added. Every message ends in its account's tally. */
void outbox_flush(struct outbox *outbox);
/* The same without waiting for a full socket: what it does not take now has failed. */
void outbox_flush_now(struct outbox *outbox);

#endif
