#include <errno.h>
#include <stdlib.h>

#include "headless/net/batch.h"
#include "net/cmsg.h"

struct inbox_slot {
    struct sockaddr_storage name;
    struct iovec parts[2];
    struct cmsg_buffer cmsg;
};

int inbox_init(struct inbox *inbox, size_t batch)
{
    struct inbox made = {.batch = batch};

    made.headers = calloc(batch, sizeof(*made.headers));
    made.slots = calloc(batch, sizeof(*made.slots));
    if (!made.headers || !made.slots) {
        inbox_fini(&made);
        return -ENOMEM;
    }
    *inbox = made;
    return 0;
}

void inbox_fini(struct inbox *inbox)
{
    free(inbox->headers);
    free(inbox->slots);
    inbox->headers = NULL;
    inbox->slots = NULL;
}

void inbox_arm(struct inbox *inbox, size_t index, void *head, size_t head_bytes, void *spill,
               size_t spill_bytes)
{
    struct inbox_slot *slot = &inbox->slots[index];
    struct msghdr *header = &inbox->headers[index].msg_hdr;

    slot->parts[0] = (struct iovec){.iov_base = head, .iov_len = head_bytes};
    slot->parts[1] = (struct iovec){.iov_base = spill, .iov_len = spill_bytes};
    *header = (struct msghdr){
        .msg_name = &slot->name,
        .msg_namelen = sizeof(slot->name),
        .msg_iov = slot->parts,
        .msg_iovlen = spill ? 2 : 1,
        .msg_control = slot->cmsg.bytes,
        .msg_controllen = sizeof(slot->cmsg.bytes),
    };
}

int inbox_receive(struct inbox *inbox, int fd, size_t count, int flags)
{
    int n = recvmmsg(fd, inbox->headers, (unsigned)count, flags, NULL);

    return n < 0 ? -errno : n;
}

void inbox_read(const struct inbox *inbox, size_t index, struct inbox_message *ret_message)
{
    struct mmsghdr *received = &inbox->headers[index];

    address_from_sockaddr((struct sockaddr *)&inbox->slots[index].name, &ret_message->peer);
    cmsg_read(&received->msg_hdr, &ret_message->local, &ret_message->segment, &ret_message->tos,
              &ret_message->ttl);
    ret_message->length = received->msg_len;
    ret_message->truncated = received->msg_hdr.msg_flags & MSG_TRUNC;
}
