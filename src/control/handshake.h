/*
 * handshake: the instances that have proved to be there, and to have a key of ours.
 *
 * What a pod says is believed only after it has answered a nonce of ours (wire/handshake_message.h).
 * Then its messages are opened and, by counter, taken once. A pod is asked when there is something
 * to be sent to it, when it is in the list, and again after our keys have changed: the replies
 * carry which keys each has, so that nobody seals with one that the other lacks.
 *
 *   A (starts)   nonce a               ─►  B   has a key of ours; not believed yet
 *   A            echo a, nonce b       ◄─  B
 *   A believes B
 *   A            echo b                ─►  B   believes A
 *
 * An reply is as long as the question, goes only to where the question says that it was sent from,
 * and is given once. Asking is paced by address, whatever comes in.
 *
 * A state machine without I/O: the transport carries what it makes. Owner: the supervisor's thread.
 * Nothing blocks or allocates. Units: nanoseconds of clock_now_ns.
 */
#ifndef CONTROL_HANDSHAKE_H
#define CONTROL_HANDSHAKE_H

#include "headless/base/budget.h"
#include "headless/secure/replay.h"
#include "headless/secure/seal.h"
#include "headless/wire/handshake_message.h"

#define HANDSHAKE_PEERS_MAX    ((size_t)2 * ELECTION_MEMBERS_MAX)
#define HANDSHAKE_SEALED       (HANDSHAKE_MESSAGE_BYTES + SEAL_BYTES)
#define HANDSHAKE_RETRY_NS     UINT64_C(200000000) /* asked again after this, then twice as much, */
#define HANDSHAKE_RETRY_MAX_NS UINT64_C(1600000000) /* up to this */

/* A pod: an address to which something is to be sent, an instance that has sent something, both. */
struct handshake_peer {
    uint64_t instance;      /* 0: has not answered yet */
    struct address address; /* IP, port 0 */
    bool is_authenticated;
    uint64_t nonce; /* of our last question; 0: it was answered */
    uint64_t asked_ns;
    uint32_t asked;                  /* times since its last reply */
    struct handshake_message theirs; /* as it proved: keys, suites, counters at that time */
    uint64_t used_ns;                /* the least recently used one makes room */
    bool is_primed;                  /* replay windows of its frames were set by its counters */
    struct replay_window window;     /* also of handshake, and before it is introduced */
};

struct handshake {
    uint64_t cluster, instance;
    struct address self; /* from where we send: nobody replies to elsewhere */
    struct nonce_space nonce_space;
    struct seal_cache cache;
    struct keyring ring;
    const struct nonce_space *const
        *nonce_spaces; /* of the data threads: their counters are told */
    uint8_t nonce_space_count;
    struct budget replies;
    uint64_t changes; /* grows when somebody is introduced, or has other keys */
    struct handshake_peer peers[HANDSHAKE_PEERS_MAX];
};

void handshake_init(struct handshake *i, uint64_t cluster, uint64_t instance,
                    const struct address *self);
/* An array that stays, of pointers to nonce_spaces that stay; at most HANDSHAKE_NONCE_SPACES_MAX. */
void handshake_set_nonce_spaces(struct handshake *i, const struct nonce_space *const *nonce_spaces,
                                uint8_t count);
void handshake_fini(struct handshake *i);

/* Our keys are these now. */
void handshake_set_keys(struct handshake *i, const struct keyring *ring);

/* The peer of an instance that has been introduced, or NULL. */
struct handshake_peer *handshake_find(struct handshake *i, uint64_t instance);
/* Who was introduced at this address, the last of them, or NULL. */
struct handshake_peer *handshake_find_address(struct handshake *i, const struct address *ip);

/* How many have been introduced. */
uint32_t handshake_count(const struct handshake *i);

/*
 * A question to this address, if it is time for one: written to out, its bytes are returned; 0: not
 * now.
 */
size_t handshake_request(struct handshake *i, const struct address *ip, uint64_t now_ns,
                         uint8_t out[static HANDSHAKE_SEALED]);

/* Its counters are needed as they are now: it is introduced once more. */
void handshake_restart(struct handshake *i, struct handshake_peer *peer);

/* What comes from there could not be verified: whoever is there is to be asked again, and does not
 * have to wait for it for long: 2 * HANDSHAKE_RETRY_NS. */
void handshake_suspect(struct handshake *i, const struct address *ip);

enum handshake_verdict {
    HANDSHAKE_OK,
    HANDSHAKE_MALFORMED,
    HANDSHAKE_KEY,         /* sealed with a key that we have not */
    HANDSHAKE_UNKNOWN,     /* not introduced yet */
    HANDSHAKE_MISDIRECTED, /* for another instance than ours; from elsewhere than it says */
    HANDSHAKE_REPLAY,
    HANDSHAKE_FORGED
};
/*
 * A sealed handshake_message has come: data, opened in place. OK: it is authentic and new; *ret_length
 * is of the reply in out, or 0 when there is none to give.
 */
enum handshake_verdict handshake_receive(struct handshake *i, const struct address *from,
                                         uint8_t *data, size_t length, uint64_t now_ns,
                                         uint8_t out[static HANDSHAKE_SEALED], size_t *ret_length);

/* ---- other messages, with who has been introduced ---- */

/* Seal the plain message at buffer + SEAL_BLOCK_BYTES. Returns its bytes at buffer; 0: there is no
 * key that both have. */
size_t handshake_seal(struct handshake *i, const struct handshake_peer *peer, uint8_t *buffer,
                      size_t length);

/*
 * Open a message in place: on OK the plain one is at data + SEAL_BLOCK_BYTES. It must come from
 * where its sender was introduced: it is answered to there, and a leader is taken to be there.
 */
enum handshake_verdict handshake_open(struct handshake *i, const struct address *from,
                                      uint8_t *data, size_t length, uint64_t now_ns);

/* ---- what all have ---- */

bool handshake_peer_has_key(const struct handshake_peer *peer, uint32_t id);

#endif
