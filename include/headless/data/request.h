/*
 * request: a client's datagram inside the process, and the destination of its reply.
 *
 * The record is the same as in frames (wire/frame.h), so that relaying only writes it. Its ingress
 * is unset when the client sent to this pod; otherwise it is the pod through which the reply has to
 * leave.
 */
#ifndef HEADLESS_DATA_REQUEST_H
#define HEADLESS_DATA_REQUEST_H

#include "headless/wire/frame.h"

struct request {
    struct record record; /* client, local, tag, ingress, payload */
    uint64_t term;        /* of the frame that brought it; 0 when it came from the client */
    uint8_t hops;         /* relays so far: 0, 1 or 2 */
    bool is_copy;         /* for this pod's app, independent of who leads */
    bool is_former;       /* of a session that stays with this pod, which led when it began */
    bool is_multicast;    /* every pod has it: for this pod's app, whatever the option route says */
};

/* The destination of a reply: a request without its payload. 24-byte addresses, comparable as bytes. */
struct origin {
    struct address client;  /* its sender */
    struct address local;   /* the address and port it was sent to, from which the reply leaves */
    struct address ingress; /* pod of the client; unset: this one */
    uint64_t tag;           /* proves to the ingress pod that it wrote this origin itself */
};

/* A reply on its way out of this process. */
struct reply {
    const struct origin *origin; /* its destination */
    uint64_t term;               /* in which its request was delivered */
    const uint8_t *payload;
    size_t length;
    uint8_t tos; /* of the app's datagram */
};

static inline struct origin request_origin(const struct request *request)
{
    return (struct origin){.client = request->record.client,
                           .local = request->record.local,
                           .ingress = request->record.ingress,
                           .tag = request->record.tag};
}

#endif
