/*
 * relay: carries requests to the leader and replies to their ingress pods.
 *
 * One link per destination: a connected socket bound to our own address with a port of its own (so
 * that the other side's SO_REUSEPORT spreads our workers, and a refusal is attributed to one
 * destination), the frame being packed, and an outbox. Records are packed into frames and, but for
 * copies, never wait for more than the current batch: relay_flush ends it. A record larger than a
 * frame's room travels alone, its payload by iovec (without keys: no copy), and is left to IP
 * fragmentation. In the formats raw and proxy-v2 a request is sent as it came, to the leader's data
 * port, also by iovec.
 *
 * Copies (routes all and ordered) are packed once for all members: the same bytes go out over each
 * link. Each send wakes a member, so copies may wait for more of them, up to relay.linger after the
 * last ones left (as interrupt moderation does): the first after a pause never waits. One whose
 * payload is not packed takes them along at once.
 *
 * With keys each frame is sealed at the flush, in its buffer, when it has been padded; copies once
 * for all. Sequences count the frames of this thread, whoever they go to: they are the nonces. A
 * record that needs a frame of its own is then put together in one piece and sent at once.
 *
 * Every request ends as relayed or as dropped, every reply likewise, when its message was sent or
 * not.
 *
 * A host whose process has gone refuses frames, and the kernel gives back what was refused. If that
 * is the beginning of a frame that this link sent lately, it is evidence against the leader that
 * the link serves: refused_instance. Who does not know our instance and the link's port cannot
 * forge it; docs/threat-model.md says who may.
 *
 * Owner: its worker's thread. Memory: a link's buffers are allocated when it is opened (a new
 * destination, not a new datagram); RELAY_LINKS_MAX links, the least recently used one is closed
 * for a new destination. Blocking: as outbox_flush.
 */
#ifndef DATA_RELAY_RELAY_H
#define DATA_RELAY_RELAY_H

#include "data/ingress/slab.h"
#include "data/traffic.h"
#include "headless/base/counters.h"
#include "headless/config/config.h"
#include "headless/data/identity.h"
#include "headless/data/request.h"
#include "headless/net/batch.h"
#include "headless/secure/seal.h"

#define RELAY_LINKS_MAX (CONFIG_PEERS_MAX + 2) /* every member, and a leader outside */

struct relay_link;

struct relay {
    const struct identity *identity;
    enum config_relay format;
    size_t mtu;
    size_t batch;
    size_t gso_max;
    bool is_sealing;                /* frames are sealed; relay_seal_with says how */
    struct nonce_space nonce_space; /* of this thread: numbers its frames, and seals them */
    const struct key *key; /* of the present snapshot; NULL: there is none, frames are dropped */
    enum seal_suite suite;
    uint8_t *large; /* room for a sealed frame of any size; NULL: nothing is sealed */
    struct relay_link *links[RELAY_LINKS_MAX];
    size_t link_count;
    struct relay_link *copies;          /* packs them, has no socket; NULL: the route makes none */
    const struct relay_target *members; /* to whom copies go */
    size_t member_count;
    uint64_t linger_ns;       /* copies leave at most so often */
    uint64_t copies_due_ns;   /* those that wait, not before */
    uint64_t now_ns;          /* of this slice: set by relay_begin */
    uint64_t leader_instance; /* by the present snapshot; only its refusals are evidence */
    struct counters *counters;
    struct traffic *traffic;
    uint64_t refused_instance; /* seen since the worker last took it; 0: none */
};

/* Where requests, or copies of them, go. */
struct relay_target {
    struct address to; /* its relay port if framed, else its data port */
    uint64_t instance; /* 0: outside the cluster */
    uint64_t term;     /* the snapshot's */
    uint16_t member_index;
};

/* Returns 0 or -ENOMEM. */
int relay_init(struct relay *relay, const struct config *config, const struct identity *identity,
               uint16_t nonce_space, struct counters *counters, struct traffic *traffic)
    __attribute__((warn_unused_result));
void relay_fini(struct relay *relay);

/* Key and suite from now on; the key must stay until the next call. */
void relay_seal_with(struct relay *relay, const struct key *key, enum seal_suite suite);

/* A slice of work begins. */
static inline void relay_begin(struct relay *relay, uint64_t now_ns)
{
    relay->now_ns = now_ns;
}

/* Carry a request to the leader. Its payload must stay until relay_flush. */
void relay_request(struct relay *relay, const struct relay_target *leader,
                   const struct request *request);

/* The same for a whole gro_batch, in the format raw: its payloads leave as they came, in one go. */
void relay_raw_batch(struct relay *relay, const struct relay_target *leader,
                     const struct datagram *gro_batch);

/* Copies go to these from now on; those that wait still go to the former ones. The array must stay.
 */
void relay_copies_to(struct relay *relay, const struct relay_target *members, size_t count);
/* Copy a request to each of them, for its own app. Its payload must stay until relay_flush. */
void relay_copy(struct relay *relay, uint64_t term, const struct request *request);

/* How long copies may wait for more of them, since those before have left; 0: for the end of the
 * batch. */
void relay_linger(struct relay *relay, uint64_t linger_ns);

/* The order: a run with one of its messages, or none, to each of them, or to one member; and to one
 * member how far we are. The run goes on where the one before ended, if it can. */
void relay_publish(struct relay *relay, uint64_t term, const struct order_run *run,
                   const struct request *request);
void relay_run(struct relay *relay, const struct relay_target *member, const struct order_run *run,
               const struct request *request);
void relay_position(struct relay *relay, const struct relay_target *member,
                    const struct order_position *position);

/* Carry an reply of that term to the relay port of its ingress pod. */
void relay_reply(struct relay *relay, const struct address *to, const struct origin *origin,
                 uint64_t term, const uint8_t *payload, size_t length);

/* Send everything, but for copies whose time has not come. */
void relay_flush(struct relay *relay);
/* In how long they are due: 0, now; UINT64_MAX: none waits. */
uint64_t relay_copies_sleep_ns(const struct relay *relay);
static inline uint64_t relay_sleep_ns(const struct relay *relay)
{
    return relay->copies ? relay_copies_sleep_ns(relay) : UINT64_MAX;
}
/* In how long copies would be due that come now; 0: at once. */
uint64_t relay_rest_ns(const struct relay *relay);

/* What became of a batch's messages, into the ledger: shared by all that own an outbox. */
void relay_account(struct outbox *outbox, struct counters *counters, size_t requests_counter,
                   size_t replies_counter);

#endif
