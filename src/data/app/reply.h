/*
 * reply: the one ingress_filter through which replies leave.
 *
 * An reply for a client of this pod is checked against the fence (only the present leader's
 * replies leave; leadership_accepts_reply) and sent from the very address and port that the client spoke
 * to. An reply for a client of another pod meets the same fence twice: here, and at that pod, to
 * which it is carried with the term in which its request was delivered. What waited here for a
 * full socket meets it again before it leaves.
 *
 * Every reply that comes in here ends as sent, relayed, fenced or dropped. Payloads must stay
 * until reply_flush. Owner: its worker's thread. Blocking: as outbox_flush.
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
    bool leads;           /* this pod does, in this slice */
    uint64_t oldest_term; /* of the replies in the outbox */
};

int reply_init(struct replier *replier, const struct udp_socket *socket,
               const struct config *config, struct relay *relay, struct counters *counters)
    __attribute__((warn_unused_result));
void reply_fini(struct replier *replier);

/* A slice of work begins. */
static inline void reply_begin(struct replier *replier, const struct leader_snapshot *snapshot,
                               bool leads, uint64_t now_ns)
{
    replier->snapshot = snapshot;
    replier->now_ns = now_ns;
    replier->leads = leads;
}

/* Send an reply on its way: to the client, or to its ingress pod. */
void reply_send(struct replier *replier, const struct origin *origin, uint64_t term,
                const uint8_t *payload, size_t length);

void reply_flush(struct replier *replier);

#endif
