/*
 * kept_replies: which kept requests have their reply (relay.confirm: replied).
 *
 * A reply does not name its request. Each reply to a client counts for the oldest of its requests
 * that has none: so it is right for apps that reply to each request once, and in order. A client
 * is known by the tag of its records, under a secret of this pod (data/identity.h).
 *
 * Each request has a ticket, in the order in which the requests were packed; tickets of clients
 * with one hash are a list. All memory is allocated by init, and touched as far as it was needed.
 *
 * A reply counts when it has left, at the end of the batch: one that is fenced until then leaves its
 * request waiting, for the next leader.
 *
 * Pure. Owner: its worker's thread.
 */
#ifndef DATA_RELAY_KEPT_REPLIES_H
#define DATA_RELAY_KEPT_REPLIES_H

#include "data/relay/kept.h"

#define KEPT_REPLIES_BATCH 256 /* replies of a batch */

struct kept_ticket {
    uint64_t tag;
    struct kept_frame *frame; /* NULL: not kept (yet) */
    uint32_t next;            /* in its list: number + 1; 0: none */
    bool is_over;             /* it has its reply, or its frame has ended */
};

struct kept_list {
    uint32_t first, last; /* low bits of the number, + 1; 0: none */
};

struct kept_replies {
    uint32_t mask;         /* number of tickets - 1 */
    uint64_t oldest, next; /* numbers of tickets */
    struct kept_ticket *tickets;
    struct kept_list *lists;
    uint64_t leaving[KEPT_REPLIES_BATCH]; /* tags of replies that wait for the end of the batch */
    uint32_t leaving_count;
};

/* count: tickets, a power of two. Returns 0 or -ENOMEM. */
int kept_replies_init(struct kept_replies *replies, uint32_t count)
    __attribute__((warn_unused_result));
void kept_replies_fini(struct kept_replies *replies);

/* A ticket for a request; returns its number. With all in use, the oldest one's request counts as
 * replied to. */
uint64_t kept_replies_issue(struct kept_replies *replies, struct kept *kept, uint64_t tag);
/* The tickets of a frame are those from first_ticket on. frame NULL: it could not be kept. */
void kept_replies_bind(struct kept_replies *replies, struct kept_frame *frame, uint64_t first,
                       uint32_t count);
/* A reply to this client has passed. */
void kept_replies_pass(struct kept_replies *replies, struct kept *kept, uint64_t tag);
/* It leaves at the end of the batch. */
void kept_replies_add(struct kept_replies *replies, struct kept *kept, uint64_t tag);
/* The end of the batch: those that were added have passed; or they were fenced, and count for nothing. */
void kept_replies_flush(struct kept_replies *replies, struct kept *kept, bool have_passed);
/* The frame has ended (kept.on_end). */
void kept_replies_end(struct kept_replies *replies, const struct kept_frame *frame);

/* Does the n-th record of the frame wait for its reply? Also if a reply was counted for it, but no pod
 * has said that it received the frame: that reply was another one's. */
static inline bool kept_replies_wants(const struct kept_replies *replies,
                                      const struct kept_frame *frame, uint32_t n)
{
    const struct kept_ticket *ticket = &replies->tickets[(frame->first_ticket + n) & replies->mask];

    return frame->is_unseen || (ticket->frame == frame && !ticket->is_over);
}

#endif
