/*
 * peers: one struct peer for each member of the member list, with what this pod knows of it.
 *
 * peers_update follows the member list. It gives a new instance a free member index, and frees the
 * index of an instance that has left. Data threads count datagrams by this index (data/traffic.h),
 * and the report for the admin server is ordered by it. Indexes are assigned in turn, so a freed one
 * is reused as late as possible; another instance at an index starts with an empty struct peer.
 *
 *   peers.c            the table, its three look-ups, requests relayed and confirmed
 *   peers_heartbeat.c  round trip times and lost heartbeats
 *   peers_auth.c       addresses from which nothing can be verified
 *   peers_settings.c   members with other settings for the ordered route
 *   peers_tos.c        members that read the TOS byte of a record
 *
 * The election keeps a list of its own (election.h), so that it stays a pure function. The handshake
 * keeps a table of its own (handshake.h): it deals with pods before they are members.
 *
 * Owner: the supervisor's thread. Nothing blocks or allocates. Times are nanoseconds of
 * clock_now_ns; functions that take an instance do nothing for one that is not a member.
 */
#ifndef CONTROL_PEERS_H
#define CONTROL_PEERS_H

#include "headless/config/config.h"
#include "headless/control/election.h"
#include "headless/data/data_plane.h"

#define PEERS_HEARTBEAT_WINDOW 8 /* heartbeats whose ACKs are still accepted */
/* A failure that is not repeated for this long is forgotten. */
#define PEERS_AUTH_MEMORY_NS   UINT64_C(5000000000)
#define PEERS_AUTH_MAX         ((size_t)2 * MEMBERS_MAX) /* members, and as many other addresses */

/* Failed verifications of messages from one address, since the last one that succeeded. */
struct peer_auth_failure {
    uint64_t first_ns, last_ns; /* last_ns 0: none */
    bool is_reported;           /* peers_auth_take_unverifiable has returned it */
};

struct peer {
    uint64_t instance; /* 0: this index is free */
    struct address address;
    struct election_name name;
    enum election_member_state state; /* as the report last said */

    uint64_t heard_ns; /* last message from it; 0: none yet */
    uint64_t rtt_ns;   /* smoothed; 0: not known yet */
    uint64_t heartbeats_sent, heartbeats_lost;
    uint64_t stamps[PEERS_HEARTBEAT_WINDOW]; /* of the latest heartbeats; 0: replied to */

    uint64_t relayed_before, received_before; /* counts at this index before this instance */
    uint64_t confirmed;                       /* requests of ours that it says it has taken over */

    uint16_t reads, refuses; /* of ELECTION_ADDITIONS; in neither: not known yet */
    bool is_mismatched;      /* it has other settings for the ordered route */
    bool has_replay_windows; /* the data threads' windows at this index are set for it */
    struct peer_auth_failure auth_failure;
};

/* A pod that is not in the list, from whose address something could not be verified. */
struct peers_unlisted {
    struct address address; /* IP, port 0; unset: free */
    struct peer_auth_failure auth_failure;
};

struct peers {
    const struct data_plane *data_plane;
    uint16_t flags;               /* of our own settings, for heartbeats and ACKs */
    uint64_t auth_persistence_ns; /* failing for this long is unverifiable */
    uint64_t auth_failed_ns;      /* the last failure of any address; 0: none */
    uint16_t next;                /* index to be tried first for a new member */
    struct peer members[MEMBERS_MAX];
    struct peers_unlisted unlisted[MEMBERS_MAX];
};

void peers_init(struct peers *peers, const struct config *config);
/* The counters that peers_update and the three functions after it read. */
void peers_set_data_plane(struct peers *peers, const struct data_plane *data_plane);

/* Assign an index to each instance of this list, and free those of all other instances. */
void peers_update(struct peers *peers, const struct election_list *list);

/* ---- look-ups: NULL, or MEMBER_INDEX_NONE, where there is no member ---- */

struct peer *peers_at(struct peers *peers, uint16_t index);
struct peer *peers_find(struct peers *peers, uint64_t instance);
struct peer *peers_find_address(struct peers *peers, const struct address *ip);
uint16_t peers_index(const struct peers *peers, uint64_t instance);

/* ---- requests: by the data threads' counters and by heartbeats ---- */

/* Requests that this pod has taken over from this instance. */
uint64_t peers_received(const struct peers *peers, uint64_t instance);
/* This instance says that it has taken over this many of ours. */
void peers_confirm(struct peers *peers, uint64_t instance, uint64_t received);
/* Requests relayed to it and not confirmed: on their way, lost, or lost with it when it died. */
uint64_t peers_unconfirmed(const struct peers *peers, uint64_t instance);

/* ---- peers_heartbeat.c ---- */

/* This message is about to go to message->to. True: an earlier heartbeat to it is now lost. */
bool peers_note_sent(struct peers *peers, const struct election_message *message);

/*
 * This message has come from message->from. True: it is the first ACK of a heartbeat of ours, whose
 * round trip took *ret_rtt_ns.
 */
bool peers_note_received(struct peers *peers, const struct election_message *message,
                         uint64_t now_ns, uint64_t *ret_rtt_ns);

/* ---- peers_settings.c ---- */

/* Compare the sender's settings with ours; only heartbeats and ACKs carry them. True: they differ. */
bool peers_check_settings(struct peers *peers, const struct election_message *message);
/* Our settings as flags; the settings that flags stand for, in words. */
uint16_t peers_settings_of(const struct config *config);
const char *peers_describe_settings(uint16_t flags);
/* These settings are ours, except for ordered.history. */
bool peers_differ_in_history_only(const struct peers *peers, uint16_t flags);

/* ---- peers_additions.c ---- */

/* Note what this message says, before the election has taken it; list: the present one. */
void peers_learn_additions(struct peers *peers, const struct election_list *list,
                           const struct election_message *message);
/* Those of ELECTION_ADDITIONS that every listed member reads, except dead and unknown members. */
uint16_t peers_additions(struct peers *peers, const struct election *election);
/* The flags that a message of ours is to have; additions: what peers_additions returned last. */
uint16_t peers_addition_flags(const struct election_message *message,
                              const struct election *election, uint16_t additions);

/* ---- peers_auth.c ---- */

/* How long verification must fail until an address counts as unverifiable. */
uint64_t peers_auth_persistence_of(const struct config *config);

/* A message from this address could not be verified; one could. */
void peers_auth_fail(struct peers *peers, const struct address *from, uint64_t now_ns);
void peers_auth_succeed(struct peers *peers, const struct address *from);

/* The address of entry i, below PEERS_AUTH_MAX, if verification fails there now; NULL: it does not. */
const struct address *peers_auth_failing(struct peers *peers, size_t i, uint64_t now_ns);
/* True if nothing from there could be verified for the persistence time. */
bool peers_auth_is_unverifiable(struct peers *peers, size_t i, uint64_t now_ns);
/* The number of such addresses. */
size_t peers_auth_count_unverifiable(struct peers *peers, uint64_t now_ns);
/* One of them that has not been returned yet; false: none. */
bool peers_auth_take_unverifiable(struct peers *peers, uint64_t now_ns,
                                  struct address *ret_address);

/* For peers_update: keep failures with their address when a member comes, leaves or moves. */
void peers_auth_set_aside(struct peers *peers, struct peer *peer);
void peers_auth_take_back(struct peers *peers);

#endif
