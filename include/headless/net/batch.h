/*
 * batch: recvmmsg and sendmmsg with their errors handled.
 *
 * An inbox receives into buffers that its owner armed; an outbox collects messages of one socket
 * and sends them with as few system calls as it can. The unit of sending is the batch to one
 * socket, so that equal neighbours can later leave as one GSO train without a change for the
 * callers.
 *
 * What the kernel forces (net/socket.c: __sys_sendmmsg, do_recvmmsg):
 *   - sendmmsg stops at the first message that fails and returns how many went out before it; the
 *     errno is seen only when that message is the first of the next call. So go on from the first
 *     unsent; on -1 that one is the culprit: classify, skip exactly one, go on.
 *   - A pending ICMP error is returned in place of a send: send the same message once more.
 *   - recvmmsg overwrites name length, control length and flags of the messages that it filled:
 * only these are set again. Its timeout argument is never used.
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
#include "headless/net/udp.h"

#define BATCH_MAX      256
#define OUTBOX_WAIT_MS 20

/* ---- receiving ---- */

struct inbox_slot;
struct inbox {
    size_t batch;
    struct mmsghdr *headers;
    struct inbox_slot *slots; /* names, control buffers, iovecs */
};

struct inbox_message {
    struct address peer;  /* who sent it */
    struct address local; /* to which address of ours (port 0); unset without PKTINFO */
    uint32_t length;      /* bytes received */
    bool truncated;       /* it was larger than the armed buffers */
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

#define OUTBOX_PARTS 3 /* iovecs a message */

/* Two accounts, so that one socket's requests and replies are counted apart. */
enum outbox_account { OUTBOX_REQUESTS, OUTBOX_REPLIES, OUTBOX_ACCOUNTS };

/* What became of the messages, each with its weight (the client datagrams in it). */
struct outbox_tally {
    uint64_t messages; /* datagrams that left */
    uint64_t sent;     /* their weight */
    uint64_t failed[UDP_ERROR_COUNT];
};

struct outbox_entry;
struct outbox {
    const struct udp_socket *socket;
    size_t capacity, count;
    struct mmsghdr *headers;
    struct outbox_entry *entries;
    struct outbox_tally tally[OUTBOX_ACCOUNTS]; /* since the owner last took it */
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

int outbox_init(struct outbox *outbox, const struct udp_socket *socket, size_t capacity)
    __attribute__((warn_unused_result));
void outbox_fini(struct outbox *outbox);

/* Add a message; a full outbox is flushed first. An address that the socket cannot reach fails. */
void outbox_add(struct outbox *outbox, const struct outbox_message *message);

/* Send all that was added. Every message ends in its account's tally. */
void outbox_flush(struct outbox *outbox);

#endif
