/*
 * introductions: the instances that have proved to be there, and to have a key of ours.
 *
 * What a pod says is believed only after it has answered a nonce of ours (wire/introduction.h).
 * Then its messages are opened and, by counter, taken once. A pod is asked when there is something
 * to be sent to it, when it is in the list, and again after our keys have changed: the answers
 * carry which keys each has, so that nobody seals with one that the other lacks.
 *
 *   A (starts)   nonce a               ─►  B   has a key of ours; not believed yet
 *   A            echo a, nonce b       ◄─  B
 *   A believes B
 *   A            echo b                ─►  B   believes A
 *
 * An answer is as long as the question, goes only to where the question says that it was sent from,
 * and is given once. Asking is paced by address, whatever comes in.
 *
 * A state machine without I/O: the transport carries what it makes. Owner: the supervisor's thread.
 * Nothing blocks or allocates. Units: nanoseconds of clock_now_ns.
 */
#ifndef HEADLESS_CONTROL_INTRODUCTIONS_H
#define HEADLESS_CONTROL_INTRODUCTIONS_H

#include "headless/base/budget.h"
#include "headless/secure/replay.h"
#include "headless/secure/seal.h"
#include "headless/wire/introduction.h"

#define CONTACTS_MAX           ((size_t)2 * ELECTION_MEMBERS_MAX)
#define INTRODUCTIONS_SEALED   (INTRODUCTION_BYTES + SEAL_BYTES)
#define INTRODUCTIONS_ASK_NS   UINT64_C(200000000) /* asked again after this, then twice as much, */
#define INTRODUCTIONS_PATIENCE UINT64_C(1600000000) /* up to this */

/* A pod: an address to which something is to be sent, an instance that has sent something, both. */
struct contact {
    uint64_t instance;      /* 0: has not answered yet */
    struct address address; /* IP, port 0 */
    bool is_introduced;
    uint64_t nonce; /* of our last question; 0: it was answered */
    uint64_t asked_ns;
    uint32_t asked;              /* times since its last answer */
    struct introduction theirs;  /* as it proved: keys, suites, counters at that time */
    uint64_t used_ns;            /* the least recently used one makes room */
    bool is_primed;              /* replay windows of its frames were set by its counters */
    struct replay_window window; /* also of introductions, and before it is introduced */
};

struct introductions {
    uint64_t cluster, instance;
    struct address self; /* from where we send: nobody answers to elsewhere */
    struct seal_lane lane;
    struct seal_cache cache;
    struct keyring ring;
    const struct seal_lane *const *lanes; /* of the data threads: their counters are told */
    uint8_t lane_count;
    struct budget answers;
    uint64_t changes; /* grows when somebody is introduced, or has other keys */
    struct contact contacts[CONTACTS_MAX];
};

void introductions_init(struct introductions *i, uint64_t cluster, uint64_t instance,
                        const struct address *self);
/* An array that stays, of pointers to lanes that stay; at most INTRODUCTION_LANES_MAX. */
void introductions_tell_lanes(struct introductions *i, const struct seal_lane *const *lanes,
                              uint8_t count);
void introductions_fini(struct introductions *i);

/* Our keys are these now. */
void introductions_take_keys(struct introductions *i, const struct keyring *ring);

/* The contact of an instance that has been introduced, or NULL. */
struct contact *introductions_find(struct introductions *i, uint64_t instance);
/* Who was introduced at this address, the last of them, or NULL. */
struct contact *introductions_find_address(struct introductions *i, const struct address *ip);

/* How many have been introduced. */
uint32_t introductions_count(const struct introductions *i);

/*
 * A question to this address, if it is time for one: written to out, its bytes are returned; 0: not
 * now.
 */
size_t introductions_ask(struct introductions *i, const struct address *ip, uint64_t now_ns,
                         uint8_t out[static INTRODUCTIONS_SEALED]);

/* Its counters are needed as they are now: it is introduced once more. */
void introductions_begin_anew(struct introductions *i, struct contact *contact);

/* What comes from there could not be verified: whoever is there is to be asked again, and does not
 * have to wait for it for long: 2 * INTRODUCTIONS_ASK_NS. */
void introductions_doubt(struct introductions *i, const struct address *ip);

enum introductions_verdict {
    INTRODUCTIONS_OK,
    INTRODUCTIONS_MALFORMED,
    INTRODUCTIONS_KEY,         /* sealed with a key that we have not */
    INTRODUCTIONS_STRANGER,    /* not introduced yet */
    INTRODUCTIONS_MISDIRECTED, /* for another instance than ours; from elsewhere than it says */
    INTRODUCTIONS_REPLAY,
    INTRODUCTIONS_FORGED
};
/*
 * A sealed introduction has come: data, opened in place. OK: it is authentic and new; *ret_length
 * is of the answer in out, or 0 when there is none to give.
 */
enum introductions_verdict introductions_hear(struct introductions *i, const struct address *from,
                                              uint8_t *data, size_t length, uint64_t now_ns,
                                              uint8_t out[static INTRODUCTIONS_SEALED],
                                              size_t *ret_length);

/* ---- other messages, with who has been introduced ---- */

/* Seal the plain message at buffer + SEAL_BLOCK_BYTES. Returns its bytes at buffer; 0: there is no
 * key that both have. */
size_t introductions_seal(struct introductions *i, const struct contact *contact, uint8_t *buffer,
                          size_t length);

/*
 * Open a message in place: on OK the plain one is at data + SEAL_BLOCK_BYTES. It must come from
 * where its sender was introduced: it is answered to there, and a leader is taken to be there.
 */
enum introductions_verdict introductions_open(struct introductions *i, const struct address *from,
                                              uint8_t *data, size_t length, uint64_t now_ns);

/* ---- what all have ---- */

bool contact_has_key(const struct contact *contact, uint32_t id);

#endif
