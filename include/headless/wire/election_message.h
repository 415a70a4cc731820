/*
 * election_message: the messages between members as scalars; peer.h has their bytes.
 *
 * One struct for all types; the table names the fields that a type uses. Members (a fragment of the
 * list, or the sender alone in DISCOVER and HELLO) are passed separately, at most ELECTION_PAGE a
 * message. Every message has term and list; seen is the highest term that its sender has seen.
 *
 *   type             fields
 *   DISCOVER         stamp, term, seen, members[0]: the sender, flags LEADS, LISTED, LEASE
 *   HELLO            the same (stamp echoed), leader, leader_address, list
 *   HEARTBEAT        term, stamp, interval, misses, list, count, live, ready, cause, received,
 *                    rcvbuf, generation, flags COMMITTED, STEPPED_DOWN, NO_APP, FORMER, ORDERED,
 *                    COMMIT, TOS
 *   ACK              term, stamp echoed, seen, lease_grant (0: none now), list (that it has),
 *                    generation, flags APP, VOLATILE, SERVES, ORDERED, COMMIT, TOS
 *   LIST_REQUEST     list, first
 *   LIST_PAGE        list, count, floor, flags MAJORITY, FORCED, first, members
 *   PROBE            term, stamp
 *   ALIVE            stamp echoed, term, leader, leader_address
 *   PROBE_REQUEST    leader: is it heard by the receiver? Flag EVIDENCE: the sender has evidence that
 *                    its process has ended; N-1 ignores the flag, and reports
 *   PROBE_REPORT     leader, wait (0: it is not heard)
 *   PREVOTE, VOTE    term, stamp, list, interval, misses, leader (deposed), deposed_term,
 *                    flags EVIDENCE, STEPPED_DOWN, BOOTSTRAP, TERM_SKIPPED
 *   PREVOTE_REPLY, VOTE_REPLY
 *                    term, stamp echoed, seen, lease_grant, wait, list,
 *                    flags GRANTED, VOLATILE, OLD_LIST, NOT_LISTED
 *   STEP_DOWN        term, leader (the successor), cause, flag SERVES
 *   LEAVE            term; from the leader: the receiver may go, its list row is kept
 *   TRANSFER         term, leader (the target), generation
 *   NOMINATE         command_nonce, command_time_s: of a signed command that names the receiver; it
 *                    replies with the same and flag GRANTED. For the supervisor
 *
 * Pure values; any thread.
 */
#ifndef HEADLESS_WIRE_ELECTION_MESSAGE_H
#define HEADLESS_WIRE_ELECTION_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "headless/base/address.h"

#define ELECTION_MEMBERS_MAX  129 /* 128 peers and this pod */
#define ELECTION_NAME_MAX     64  /* bytes of a name, with NUL */
#define ELECTION_BITMAP_WORDS ((ELECTION_MEMBERS_MAX + 63) / 64)
#define ELECTION_PAGE         4 /* members a message */

struct election_name {
    char text[ELECTION_NAME_MAX];
};

struct election_member {
    uint64_t instance;
    struct address address; /* IP, port 0 */
    struct election_name name;
    bool is_eligible;
};

/* Lists are ordered by the term of the leader that made them, then by the number of its change. */
struct election_list_id {
    uint64_t term;
    uint32_t version;
};

struct election_list {
    struct election_list_id id;
    uint16_t count;
    uint16_t floor; /* the quorum counts at least this number of members; 0 once they have joined */
    bool wants_majority; /* the list has had three members */
    bool is_forced;      /* quorum.expect is ignored until as many have joined again */
    struct election_member members[ELECTION_MEMBERS_MAX];
};

enum election_message_type {
    ELECTION_MESSAGE_NONE,
    ELECTION_DISCOVER,
    ELECTION_HELLO,
    ELECTION_HEARTBEAT,
    ELECTION_ACK,
    ELECTION_LIST_REQUEST,
    ELECTION_LIST_PAGE,
    ELECTION_PROBE,
    ELECTION_ALIVE,
    ELECTION_PROBE_REQUEST,
    ELECTION_PROBE_REPORT,
    ELECTION_PREVOTE,
    ELECTION_PREVOTE_REPLY,
    ELECTION_VOTE,
    ELECTION_VOTE_REPLY,
    ELECTION_STEP_DOWN,
    ELECTION_LEAVE,
    ELECTION_TRANSFER,
    ELECTION_NOMINATE,
    ELECTION_MESSAGE_COUNT
};

enum election_flag {
    ELECTION_FLAG_GRANTED = 1 << 0,
    ELECTION_FLAG_VOLATILE = 1 << 1,
    ELECTION_FLAG_OLD_LIST = 1 << 2,   /* the receiver's list is older than the sender's */
    ELECTION_FLAG_NOT_LISTED = 1 << 3, /* and the receiver is not in the sender's list */
    ELECTION_FLAG_EVIDENCE = 1 << 4,
    ELECTION_FLAG_STEPPED_DOWN = 1 << 5,
    ELECTION_FLAG_BOOTSTRAP = 1 << 6,
    ELECTION_FLAG_TERM_SKIPPED = 1 << 7,
    ELECTION_FLAG_APP = 1 << 8,
    ELECTION_FLAG_COMMITTED = 1 << 9,
    ELECTION_FLAG_LEADS = 1 << 10,
    ELECTION_FLAG_LISTED = 1 << 11, /* the sender holds a list: there is a cluster */
    ELECTION_FLAG_MAJORITY = 1 << 12,
    ELECTION_FLAG_FORCED = 1 << 13,
    ELECTION_FLAG_ORDERED = 1 << 14, /* route ordered */
    ELECTION_FLAG_COMMIT = 1 << 15,  /* ordered.commit majority */
    /* All bits are in use: the next ones have another meaning in other types. Versions that do not
     * know them ignore them. */
    ELECTION_FLAG_NO_APP = 1 << 0,  /* HEARTBEAT: no live eligible member's app is up */
    ELECTION_FLAG_LEASE = 1 << 1,   /* DISCOVER, HELLO: election: lease */
    ELECTION_FLAG_FORMER = 1 << 10, /* HEARTBEAT: the former leader serves its sessions */
    ELECTION_FLAG_SERVES = 1 << 11, /* ACK, STEP_DOWN: the sender serves those of its former term */
    /* Additions to the format of frames. ACK: the sender reads it; HEARTBEAT: so do the leader and
     * all members of the list that may be alive. */
    ELECTION_FLAG_KEPT = 1 << 4,   /* frames that are kept, and confirmations */
    ELECTION_FLAG_SPLIT = 1 << 12, /* records over frames */
    ELECTION_FLAG_TOS = 1 << 13    /* the TOS byte of a record, and its TTL */
};

#define ELECTION_ADDITIONS (ELECTION_FLAG_TOS | ELECTION_FLAG_SPLIT | ELECTION_FLAG_KEPT)

struct election_message {
    uint8_t type; /* enum election_message_type */
    uint8_t member_count;
    uint8_t misses;
    uint8_t cause;  /* why the leader leads; an enum election_cause */
    uint16_t flags; /* enum election_flag */
    uint16_t count, floor, first;
    uint64_t from, to; /* instances; to 0: not known yet */
    uint64_t term, seen;
    uint64_t leader; /* an instance: see the table */
    uint64_t deposed_term;
    uint64_t stamp_ns;
    uint64_t lease_grant_ns, wait_ns, interval_ns;
    uint64_t received;     /* requests of the receiver that the sender has received so far */
    uint64_t rcvbuf_bytes; /* of the sender's relay socket */
    uint64_t generation;   /* the highest leader_generation that it knows of */
    uint64_t command_nonce, command_time_s;
    struct election_list_id list;
    struct address leader_address;
    uint64_t live[ELECTION_BITMAP_WORDS], ready[ELECTION_BITMAP_WORDS];
};

/* The name in logs and traces. */
const char *election_message_name(enum election_message_type type);

/* -1, 0, 1: a is older than, as old as, newer than b. */
static inline int election_list_id_compare(struct election_list_id a, struct election_list_id b)
{
    if (a.term != b.term)
        return a.term < b.term ? -1 : 1;
    return a.version == b.version ? 0 : a.version < b.version ? -1 : 1;
}

/* Bits of members, as in live and ready. */
static inline bool election_bit(const uint64_t *bits, uint16_t index)
{
    return bits[index / 64] >> (index % 64) & 1;
}

static inline void election_set_bit(uint64_t *bits, uint16_t index)
{
    bits[index / 64] |= UINT64_C(1) << (index % 64);
}

#endif
