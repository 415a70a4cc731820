/*
 * request: a client's datagram inside the process, and where its reply must go.
 *
 * The record is the same that travels in frames (wire/frame.h), so relaying is writing it down. Its
 * ingress is unset when the client spoke to this very pod; else it is the pod through which the
 * reply has to leave.
 */
#ifndef HEADLESS_DATA_REQUEST_H
#define HEADLESS_DATA_REQUEST_H

#include "headless/wire/frame.h"

struct request {
    struct record record; /* client, local, tag, ingress, payload */
    uint64_t term;        /* of the frame that brought it; 0 when it came from the client */
    uint8_t hops;         /* relays so far: 0, 1 or 2 */
    bool is_copy;         /* for this pod's app, whoever leads */
    bool is_multicast;    /* every pod has been sent it: for this pod's app, whatever route says */
};

/* Where an reply goes: a request without its payload. 24-byte addresses, comparable as bytes. */
struct origin {
    struct address client;  /* who asked */
    struct address local;   /* the address and port that was asked, and has to reply */
    struct address ingress; /* pod of the client; unset: this one */
    uint64_t tag;           /* proves to the ingress pod that it wrote this origin itself */
};

static inline struct origin request_origin(const struct request *request)
{
    return (struct origin){.client = request->record.client,
                           .local = request->record.local,
                           .ingress = request->record.ingress,
                           .tag = request->record.tag};
}

#endif
