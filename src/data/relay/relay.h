/*
 * relay: sends requests to the leader, copies to members and replies to their ingress pods.
 *
 * One link per destination: a connected socket bound to this pod's address with a port of its own
 * (so that SO_REUSEPORT at the receiver spreads the workers of this pod, and an ICMP error belongs
 * to one destination), the frame being packed, and an outbox. Records are packed into frames, in
 * which they continue from one to the next (splits_records), and are, except for copies, sent at the
 * end of the current batch (relay_flush). Where a member of the version before does not read such
 * frames, a record too large for a frame is sent alone, its payload as an iovec (without keys: no
 * copy), and IP fragments it. In the formats raw and proxy-v2 a request is sent unchanged, also as an iovec, to the data port of
 * the leader.
 *
 * Copies (routes all and ordered) are packed once for all members: the same bytes are sent over
 * each link. Each send wakes a member, so copies are delayed for up to relay.linger after the last
 * ones were sent, and coalesced (like interrupt moderation): the first after a pause is not
 * delayed. A copy whose payload is sent as an iovec flushes them.
 *
 * With keys each frame is padded and then sealed in its buffer at the flush; copies once for all
 * members. Sequences count the frames of this thread over all destinations: they are the nonces. A
 * record that needs a frame of its own is then copied into one buffer and sent at once.
 *
 * The TOS byte of a datagram is in its record, and a low TTL; frames themselves have TOS 0. Until all
 * members read both (carries_tos), records are written with TOS 0 and without TTL, since an older pod
 * would refuse their frames.
 *
 * With relay.confirm (and members that confirm), requests and replies are kept until their receiver
 * has confirmed them (kept.h); what it confirms is at the end of a slice (relay_settle), and leaves
 * with the other frames. A kept request or reply counts as relayed when it is kept.
 *
 * Every request and every reply is counted as relayed or as dropped, when its message was sent or
 * not.
 *
 * When the leader's process has gone, its host sends ICMP port unreachable, and the kernel
 * returns the beginning of the refused frame. If this link sent that frame lately, it is evidence
 * against the leader at the other end: refused_instance. Only a sender that knows this pod's
 * instance and the port of the link can forge it; see docs/threat-model.md.
 *
 * Owner: its worker's thread. Memory: the buffers of a link are allocated when it is opened (for a
 * new destination, not for a datagram). At RELAY_LINKS_MAX links the least recently used one is
 * closed for a new destination. Blocking: as outbox_flush.
 */
#ifndef DATA_RELAY_RELAY_H
#define DATA_RELAY_RELAY_H

#include "data/ingress/slab.h"
#include "data/relay/confirm.h"
#include "data/relay/frame_auth.h"
#include "data/relay/kept_replies.h"
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
    bool
        carries_tos; /* of the present snapshot: every receiver reads TOS byte and TTL of a record */
    bool splits_records;   /* of the present snapshot: every receiver reads records over frames */
    bool copies_are_sized; /* by the links of all their receivers */
    bool is_sealing;       /* frames are sealed; relay_seal_with says how */
    struct nonce_space nonce_space; /* of this thread: its counter is the sequence */
    const struct key *key;          /* of the present snapshot; NULL: none, frames are dropped */
    enum seal_suite suite;
    uint8_t *large; /* a buffer for a sealed frame of any size; NULL: frames are not sealed */
    struct relay_link *links[RELAY_LINKS_MAX];
    size_t link_count;
    struct relay_link *copies; /* packs copies, has no socket; NULL: the route makes none */
    const struct relay_target *members; /* the receivers of copies */
    size_t member_count;
    uint64_t linger_ns;     /* least time between two sends of copies */
    uint64_t copies_due_ns; /* delayed copies are sent at this time */
    uint64_t now_ns;        /* of this slice: set by relay_begin */
    /* By the present snapshot; only their ICMP errors are evidence. 0: none. */
    uint64_t leader_instance, former_instance;
    /* relay.confirm */
    struct kept kept;            /* off: nothing is kept */
    struct kept_replies replies; /* only with needs_replies */
    uint32_t back[MEMBERS_MAX];  /* by member: the last stream that was taken, index + 1; 0: none */
    struct confirm confirm;      /* of the streams of other pods */
    bool keeps;                  /* of the present snapshot: new frames are kept */
    bool is_settled;             /* of this slice: new requests may be sent */
    bool is_replaying;           /* frames packed now were sent to another pod before */
    uint64_t keep_ns;
    uint8_t *unfinished;                 /* a record over kept frames that are routed again */
    const struct leadership *leadership; /* of the present snapshot */
    uint64_t leadership_number;          /* its generation */
    uint16_t relay_port;
    _Atomic uint64_t kept_count; /* requests; written by the owner, read by anyone */

    struct counters *counters;
    struct traffic *traffic;
    uint64_t refused_instance; /* evidence since the worker last took it; 0: none */
};

/* A destination of requests or copies. */
struct relay_target {
    struct address to;     /* its relay port if framed, otherwise its data port */
    uint64_t instance;     /* 0: outside the cluster */
    uint64_t term;         /* of the snapshot */
    uint16_t member_index; /* MEMBER_INDEX_NONE: outside the list */
};

/* Returns 0 or -ENOMEM. */
int relay_init(struct relay *relay, const struct config *config, const struct identity *identity,
               uint16_t nonce_space, struct counters *counters, struct traffic *traffic)
    __attribute__((warn_unused_result));
/* After relay_init: memory for what is kept, a share of relay.keep. */
int relay_keep_init(struct relay *relay, const struct config *config, size_t workers)
    __attribute__((warn_unused_result));
void relay_keep_fini(struct relay *relay);
void relay_fini(struct relay *relay);

/* Set key and suite; the key must stay until the next call. */
void relay_seal_with(struct relay *relay, const struct key *key, enum seal_suite suite);

/* Begin a slice of work. */
static inline void relay_begin(struct relay *relay, uint64_t now_ns)
{
    relay->now_ns = relay->kept.now_ns = relay->confirm.now_ns = now_ns;
    relay->is_settled = kept_is_settled(&relay->kept);
}

/* Are there frames to be sent again, or confirmations, without others? */
bool relay_has_due(const struct relay *relay);

/* Requests go to this target from now on; NULL: to this pod's app. Once a leader, and again when it is
 * known that the leader before stepped down. */
void relay_follow(struct relay *relay, const struct relay_target *target, uint64_t term,
                  uint64_t gave_way_term);

/* While it is set, requests were sent to another pod before. Sends what is packed. */
void relay_set_replaying(struct relay *relay, bool is_replaying);

/* Send a request to the leader. Its payload must stay until relay_flush. */
void relay_request(struct relay *relay, const struct relay_target *leader,
                   const struct request *request);

/* The same for a whole GRO batch, in the format raw: its payloads are sent unchanged, as one
 * run. */
void relay_raw_batch(struct relay *relay, const struct relay_target *leader,
                     const struct datagram *gro_batch);

/* Set the receivers of copies; delayed copies are first sent to the former ones. The array must
 * stay. */
void relay_copies_to(struct relay *relay, const struct relay_target *members, size_t count);
/* Copy a request to each receiver, for its app. Its payload must stay until relay_flush. */
void relay_copy(struct relay *relay, uint64_t term, const struct request *request);

/* Set the least time between two sends of copies; 0: they are sent at the end of each batch. */
void relay_linger(struct relay *relay, uint64_t linger_ns);

/* Route ordered: send a range (in body) with one of its entries, or none, to each receiver of copies or to
 * one member; and an acknowledgement to one member. A range that continues the one before joins its
 * frame. */
void relay_publish(struct relay *relay, uint64_t term, const union frame_body *body,
                   const struct record *record);
void relay_entries(struct relay *relay, const struct relay_target *member,
                   const union frame_body *body, const struct record *record);
void relay_ack(struct relay *relay, const struct relay_target *member, const struct entry_ack *ack);

/* Send a reply of this term to the relay port of its ingress pod. */
void relay_reply(struct relay *relay, const struct address *to, const struct reply *reply);

/* Send everything except copies that are not due. */
void relay_flush(struct relay *relay);
/* Time until delayed copies are due: 0: now; UINT64_MAX: there are none. */
uint64_t relay_copies_sleep_ns(const struct relay *relay);
static inline uint64_t relay_sleep_ns(const struct relay *relay)
{
    return relay->copies ? relay_copies_sleep_ns(relay) : UINT64_MAX;
}
/* Time by which a copy made now would be delayed. */
uint64_t relay_rest_ns(const struct relay *relay);

/* Count the results of an outbox in the ledger; for all owners of an outbox. */
void relay_account(struct outbox *outbox, struct counters *counters, size_t requests_counter,
                   size_t replies_counter);

#endif
