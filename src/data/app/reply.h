/*
 * reply: the one place where replies are sent.
 *
 * A reply to a client of this pod is checked against the fence (only replies of the present leader
 * are sent; leadership_accepts_reply) and sent from the address and port to which the client sent
 * its request. A reply to a client of another pod is checked twice: here, and at that pod, to which
 * it is relayed with the term in which its request was delivered. Replies that waited for the end of
 * the batch are checked again before they are sent.
 *
 * Every reply ends as sent, relayed, fenced or dropped. Payloads must stay until reply_flush.
 * Owner: its worker's thread. Blocking: as outbox_flush.
 */
#ifndef DATA_APP_REPLY_H
#define DATA_APP_REPLY_H

#include "data/relay/relay.h"
#include "headless/data/leader_snapshot.h"

struct replier {
    const struct udp_socket *socket; /* the data socket of this worker */
    struct outbox outbox;
    struct relay *relay;
    uint16_t relay_port;
    struct counters *counters;
    const struct leader_snapshot *snapshot; /* of this slice: set by reply_begin */
    uint64_t now_ns;
    bool leads;           /* this pod leads in this slice */
    uint64_t oldest_term; /* of the replies in the outbox */
};

int reply_init(struct replier *replier, const struct udp_socket *socket,
               const struct config *config, struct relay *relay, struct counters *counters)
    __attribute__((warn_unused_result));
void reply_fini(struct replier *replier);

/* Begin a slice of work. */
static inline void reply_begin(struct replier *replier, const struct leader_snapshot *snapshot,
                               bool leads, uint64_t now_ns)
{
    replier->snapshot = snapshot;
    replier->now_ns = now_ns;
    replier->leads = leads;
}

/* Send a reply to the client, at the end of the batch, or to its ingress pod. False: fenced. */
bool reply_send(struct replier *replier, const struct reply *reply);

void reply_flush(struct replier *replier);

#endif
