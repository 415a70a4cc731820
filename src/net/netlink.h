/*
 * netlink: builds requests to the kernel, sends them, reads the replies.
 *
 * Private to net/. A request has one or several messages of nested attributes (struct nlattr, which
 * has the layout of struct rtattr). Requests are built at the start of the process, not on the data
 * path. Never blocks: the kernel replies within the call that sends. Source: netlink(7), lib/nlattr.c.
 */
#ifndef HEADLESS_NET_NETLINK_H
#define HEADLESS_NET_NETLINK_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NETLINK_REQUEST_BYTES 65536

/* One process builds few of them, one after the other: large, and on the stack. */
struct netlink_request {
    _Alignas(struct nlmsghdr) uint8_t bytes[NETLINK_REQUEST_BYTES];
    size_t used;
    size_t message; /* offset of the last one */
    unsigned acks;  /* messages that ask for one */
    bool is_full;   /* something did not fit: netlink_ask returns -ENOBUFS */
};

/* Returns a descriptor, or a negative errno. */
int netlink_open(int protocol) __attribute__((warn_unused_result));

/* Begin a message. NLM_F_REQUEST is added. */
void netlink_begin(struct netlink_request *request, uint16_t type, uint16_t flags, const void *body,
                   size_t bytes);

/* Attributes of the last message; values in the byte order that the attribute has. */
void netlink_put(struct netlink_request *request, uint16_t type, const void *value, size_t bytes);
void netlink_put_u32(struct netlink_request *request, uint16_t type, uint32_t value);
void netlink_put_text(struct netlink_request *request, uint16_t type, const char *text);

/* A nested attribute: everything that is put until netlink_unnest(request, the returned offset). */
size_t netlink_nest(struct netlink_request *request, uint16_t type);
void netlink_unnest(struct netlink_request *request, size_t nest);

/* Send, and read as many acknowledgements as messages asked for. Returns the first error. */
int netlink_ask(int fd, struct netlink_request *request) __attribute__((warn_unused_result));

/* Handle one message of a reply; false: it is complete, or no more is wanted. */
typedef bool (*netlink_take_fn)(void *context, struct nlmsghdr *message);

/* Read the kernel's messages until take returns false. Returns 0, or a negative errno: -EAGAIN, the
 * reply ended before. */
int netlink_read(int fd, netlink_take_fn take, void *context) __attribute__((warn_unused_result));

/* The negative errno of a message NLMSG_ERROR, 0 for an acknowledgement; -EIO: it is cut. */
int netlink_error(const struct nlmsghdr *message);

/* Handle one message of a dump. */
typedef void (*netlink_each_fn)(void *context, const struct nlmsghdr *message);

/* Send a request with NLM_F_DUMP, and handle all messages of the reply. */
int netlink_dump(int fd, struct netlink_request *request, netlink_each_fn each, void *context)
    __attribute__((warn_unused_result));

/* The value of an attribute behind a body of this size, if it has so many bytes; or NULL. */
const void *netlink_find(const struct nlmsghdr *message, size_t body, uint16_t type, size_t bytes);

#endif
