/*
 * handshake: authenticates other pods: each must prove that it is live and has one of our keys.
 *
 * A pod is authenticated when it has replied to a nonce of ours (wire/handshake_message.h). From then
 * on its messages are opened, each counter once. A request is sent to a pod when there is something
 * to send to it, when it is in the list, and again after our keys have changed. Requests and replies
 * list the keys of their sender, so that no pod seals with a key that the other lacks.
 *
 *   A  request: nonce a             ─►  B   has one of our keys; not authenticated yet
 *   A  authenticates B              ◄─  B   reply: echo a, nonce b
 *   A  reply: echo b                ─►  B   authenticates A
 *
 * A pod whose keys are changed so that it has none in common with a peer says so as long as it lives:
 * its requests list the new keys, and every other one is sealed with the last common key. Otherwise
 * the peer could not tell it from a dead pod in whose name somebody else sends.
 *
 * A reply is as long as the request, goes only to the address that the request names as its source,
 * and is sent once. Requests are paced by address, independent of what is received.
 *
 * The table of peers is not that of control/peers.h: a handshake begins before a pod is a member,
 * with an address and no instance, and a member's entry may be evicted and authenticated again.
 *
 * A state machine without I/O; the peer transport sends and receives. Owner: the supervisor's
 * thread. Nothing blocks or allocates. Times are nanoseconds of clock_now_ns.
 */
#ifndef CONTROL_HANDSHAKE_H
#define CONTROL_HANDSHAKE_H

#include "headless/base/budget.h"
#include "headless/secure/replay.h"
#include "headless/secure/seal.h"
#include "headless/wire/handshake_message.h"

#define HANDSHAKE_PEERS_MAX      ((size_t)2 * ELECTION_MEMBERS_MAX)
#define HANDSHAKE_SEALED         (HANDSHAKE_MESSAGE_BYTES + SEAL_BYTES)
/* In the field suites, next to the suites: the sender reads NOMINATE. N-1 ignores it. */
#define HANDSHAKE_READS_NOMINATE 0x80U
#define HANDSHAKE_RETRY_NS       UINT64_C(200000000)  /* first retry; doubled each time, */
#define HANDSHAKE_RETRY_MAX_NS   UINT64_C(1600000000) /* up to this */

/* A pod, known by an address that we send to, by an instance that has sent to us, or by both. */
struct handshake_peer {
    uint64_t instance;      /* 0: it has not replied yet */
    struct address address; /* IP, port 0 */
    bool is_authenticated;
    uint64_t nonce;                  /* of our last request; 0: replied to */
    uint64_t requested_ns;           /* last request */
    uint32_t requests;               /* since its last reply */
    struct handshake_message theirs; /* as authenticated: keys, suites, counters at that time */
    uint64_t used_ns;                /* the least recently used peer is evicted */
    uint64_t other_keys_ns;          /* it last said that it has none of our keys; 0: it has one */
    bool has_last_key, is_last_key_next;
    struct key last_key;         /* the last common one, if a change of our keys left none */
    bool is_primed;              /* the replay windows of its frames were set from its counters */
    struct replay_window window; /* also for handshake messages, and before it is authenticated */
};

struct handshake {
    uint64_t cluster, instance;
    struct address self; /* our source address: replies to requests go only there */
    struct nonce_space nonce_space;
    struct seal_cache cache;
    struct keyring ring;
    /* Of the data threads: requests and replies carry their counters. */
    const struct nonce_space *const *nonce_spaces;
    uint8_t nonce_space_count;
    uint8_t abilities; /* HANDSHAKE_READS_NOMINATE */
    struct budget replies;
    uint64_t changes;   /* grows when a peer is authenticated, or has other keys */
    size_t place_count; /* only these were ever used: each message is a search through them */
    struct handshake_peer peers[HANDSHAKE_PEERS_MAX];
};

void handshake_init(struct handshake *handshake, uint64_t cluster, uint64_t instance,
                    const struct address *self);
/* Keeps nonce_spaces, an array of at most HANDSHAKE_NONCE_SPACES_MAX pointers. */
void handshake_set_nonce_spaces(struct handshake *handshake,
                                const struct nonce_space *const *nonce_spaces, uint8_t count);
void handshake_fini(struct handshake *handshake);

/* Replace our keys. */
void handshake_set_keys(struct handshake *handshake, const struct keyring *ring);

/* The authenticated peer with this instance, or NULL. */
struct handshake_peer *handshake_find(struct handshake *handshake, uint64_t instance);
/* The authenticated peer at this address, or NULL. */
struct handshake_peer *handshake_find_address(struct handshake *handshake,
                                              const struct address *ip);

/* The pod that was authenticated at this address has, by the last keys that it listed, one of ours. So
 * messages from there that cannot be verified are forged, or of another process. */
bool handshake_shares_key(struct handshake *handshake, const struct address *ip);
/* When it last said, with a key of ours, that it has none of our keys any more. 0: it has not. */
uint64_t handshake_other_keys_ns(struct handshake *handshake, const struct address *ip);

/* Number of authenticated peers. */
uint32_t handshake_count(const struct handshake *handshake);

/* Write a request to this address to out, if one is due. Returns its bytes; 0: none is due. */
size_t handshake_request(struct handshake *handshake, const struct address *ip, uint64_t now_ns,
                         uint8_t out[static HANDSHAKE_SEALED]);

/* Authenticate this peer again, because its present counters are needed. */
void handshake_restart(struct handshake *handshake, struct handshake_peer *peer);

/* Messages from this address cannot be verified: request a handshake there again, within
 * 2 * HANDSHAKE_RETRY_NS. */
void handshake_suspect(struct handshake *handshake, const struct address *ip);

enum handshake_verdict {
    HANDSHAKE_OK,
    HANDSHAKE_MALFORMED,
    HANDSHAKE_KEY,         /* sealed with a key that we do not have */
    HANDSHAKE_UNKNOWN,     /* sender not authenticated yet */
    HANDSHAKE_MISDIRECTED, /* for another instance; not from the address that it states */
    HANDSHAKE_REPLAY,
    HANDSHAKE_FORGED
};
/*
 * Process a received, sealed handshake message; data is opened in place. OK: it is authentic and
 * new, and *ret_length is the length of the reply in out, or 0 for none.
 */
enum handshake_verdict handshake_receive(struct handshake *handshake, const struct address *from,
                                         uint8_t *data, size_t length, uint64_t now_ns,
                                         uint8_t out[static HANDSHAKE_SEALED], size_t *ret_length);

/* ---- other messages, of authenticated peers ---- */

/* Seal the plain message at buffer + SEAL_BLOCK_BYTES. Returns the bytes at buffer; 0: there is no
 * common key. */
size_t handshake_seal(struct handshake *handshake, const struct handshake_peer *peer,
                      uint8_t *buffer, size_t length);

/*
 * Open a message in place: on OK the plain one is at data + SEAL_BLOCK_BYTES. It must come from the
 * address at which its sender was authenticated: replies, and requests to a leader, go there.
 */
enum handshake_verdict handshake_open(struct handshake *handshake, const struct address *from,
                                      uint8_t *data, size_t length, uint64_t now_ns);

bool handshake_peer_has_key(const struct handshake_peer *peer, uint32_t id);

#endif
