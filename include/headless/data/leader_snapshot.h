/*
 * leader_snapshot: the leader, settings and keys of the data threads, published by an atomic pointer.
 *
 * The supervisor prepares an immutable snapshot in a free buffer of a small fixed array and publishes
 * it by an atomic pointer. Data threads load the pointer once a batch. A buffer is used again only
 * after every reader has announced a later generation or has marked itself asleep; the supervisor
 * never waits for that: snapshot_draft returns NULL and it tries again later.
 *
 * Synchronization:
 *
 *   field                      written                         read
 *   publisher->current         seq_cst, supervisor             readers: acquire when awake, seq_cst
 *                                                              on waking
 *   reader->announced          release, its reader, after it   seq_cst, supervisor
 *                              has left older snapshots;
 *                              ASLEEP -> 0: seq_cst
 *   leader.valid_until_ns      relaxed, supervisor; the one    relaxed, readers
 *                              field that changes after
 *                              publication
 *
 * On waking, the reader's (store announced 0, load current) and the supervisor's (store current,
 * load announced) are a Dekker pair: a reader that the supervisor still saw asleep sees the new
 * pointer.
 *
 * Technique: quiescent-state-based reclamation with one counter a reader (McKenney; liburcu's
 * QSBR), reduced to a fixed number of buffers.
 */
#ifndef HEADLESS_DATA_LEADER_SNAPSHOT_H
#define HEADLESS_DATA_LEADER_SNAPSHOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "headless/base/address.h"
#include "headless/config/config.h"
#include "headless/data/ingress_filter.h"
#include "headless/secure/seal.h"
#include "headless/secure/sign.h"

#define SNAPSHOT_BUFFERS     8
#define MEMBERS_MAX          (CONFIG_PEERS_MAX + 1)
#define SNAPSHOT_READERS_MAX 64
#define SNAPSHOT_NO_EXPIRY   UINT64_MAX
#define MEMBER_INDEX_NONE    UINT16_MAX

struct member {
    uint64_t instance;          /* 0: not known yet */
    char name[CONFIG_NAME_MAX]; /* "" when not known */
    struct address address;     /* IP, port 0 */
    bool is_alive;              /* as far as we know */
    uint16_t member_index; /* data threads count by it what goes to the member and comes from it */
    bool is_authenticated; /* with keys: its replay windows are set, its frames may come in */
};

enum leader_kind {
    LEADER_NONE,   /* hold */
    LEADER_SELF,   /* deliver */
    LEADER_MEMBER, /* relay */
    LEADER_OUTSIDE /* relay raw or with PROXY v2, to an address that is no member */
};

/* A leader that stepped down, and until then serves the sessions of its term (drain.sessions: stay).
 * Requests go to it first; those of other clients come back to the leader. */
struct former_leader {
    uint64_t instance; /* 0: none, or none any more */
    uint64_t term, until_ns;
    uint64_t replies_until_ns; /* its replies pass until then: reply.grace after the end */
    struct address address;    /* IP */
    uint16_t member_index;
};

/* The leader and the members. Field order: what each slice reads comes before the members. */
struct leadership {
    uint64_t term;
    enum leader_kind kind;
    struct address address; /* of the leader: IP; with its port when outside; unset: none */
    char name[CONFIG_NAME_MAX];
    uint64_t instance;               /* of the leader; 0: none, or outside */
    uint64_t takes_from;             /* kept requests of lower terms are for an earlier process */
    uint32_t votes_needed;           /* members that are a majority; 1: no quorum is wanted */
    uint64_t rcvbuf_bytes;           /* of the leader's relay socket, as it reports; 0: unknown */
    uint16_t member_index;           /* of the leader */
    bool carries_tos;                /* all members read TOS byte and TTL of a record */
    bool splits_records;             /* all members read records over frames */
    bool confirms;                   /* all members confirm frames that are kept */
    const char *cause;               /* election_cause_name(), or yaml (leader outside), none */
    _Atomic uint64_t valid_until_ns; /* clock_now_ns; after it nothing of this leader leaves */

    /* The term before this one: its replies still pass until then (reply.grace); 0: none do. */
    uint64_t previous_term, previous_until_ns;

    /* The replies of every earlier leader have ended by then, at every pod. */
    uint64_t settled_ns;

    struct former_leader former;

    /* The leader that the configuration names, for the admin port. */
    char wanted_leader[CONFIG_NAME_MAX]; /* "": none */
    bool has_wanted_leader;              /* it leads, or none is named */

    size_t member_count; /* this pod included */
    struct member members[MEMBERS_MAX];
};

/* Settings that a reload may change while data flows. */
struct data_settings {
    uint64_t hold_time_ns, app_idle_ns, reply_grace_ns;
    bool accept_control;
    struct ingress_filter ingress_filter;
};

/* With keys: frames are opened and sealed, and commands verified, with these. */
struct data_keys {
    struct keyring keyring;
    uint32_t seal_key; /* id; 0: there is none yet */
    enum seal_suite seal_suite;
    struct sign_policy signing; /* of commands */
};

struct leader_snapshot {
    uint64_t generation; /* of the publication: 1, 2, ... */
    struct leadership leader;
    struct data_settings settings;
    struct data_keys keys;
};

/* One per data thread; registered before the threads start. */
struct snapshot_reader {
    _Alignas(64) _Atomic uint64_t announced; /* generation in use, SNAPSHOT_NO_EXPIRY: asleep */
    const struct leader_snapshot *snapshot;  /* reader's own: the last acquired */
};

struct snapshot_publisher {
    _Atomic(struct leader_snapshot *) current;
    struct snapshot_reader *readers[SNAPSHOT_READERS_MAX];
    size_t reader_count;
    struct leader_snapshot buffers[SNAPSHOT_BUFFERS];
};

/* The first snapshot (generation 1): no leader, no members. */
void snapshot_publisher_init(struct snapshot_publisher *publisher);
/* When no thread reads any more: no key stays behind. */
void snapshot_publisher_wipe(struct snapshot_publisher *publisher);
/* Before the threads start. Returns 0, or -ENOSPC. */
int snapshot_publisher_register(struct snapshot_publisher *publisher,
                                struct snapshot_reader *reader) __attribute__((warn_unused_result));

/* Supervisor: a free buffer, filled as a copy of the present snapshot; NULL: all are still read. */
struct leader_snapshot *snapshot_draft(struct snapshot_publisher *publisher);
/* Supervisor: make the draft the present snapshot. Then wake the data threads. */
void snapshot_publish(struct snapshot_publisher *publisher, struct leader_snapshot *draft);
/* Supervisor: the present snapshot. */
struct leader_snapshot *snapshot_current(struct snapshot_publisher *publisher);

/* Reader: announces the present snapshot, when it has changed or the reader wakes. */
const struct leader_snapshot *snapshot_switch(struct snapshot_publisher *publisher,
                                              struct snapshot_reader *reader);
/* Reader, once a batch: the present snapshot; the one acquired before must no longer be used. */
static inline const struct leader_snapshot *snapshot_acquire(struct snapshot_publisher *publisher,
                                                             struct snapshot_reader *reader)
{
    /* acquire: pairs with snapshot_publish. No other snapshot can have this address: its buffer is
     * not used again while the reader has announced it. */
    if (reader->snapshot &&
        atomic_load_explicit(&publisher->current, memory_order_acquire) == reader->snapshot)
        return reader->snapshot;
    return snapshot_switch(publisher, reader);
}
/* Reader, before it sleeps: it holds no snapshot. Call snapshot_is_newer between waker_prepare and
 * the sleep. */
void snapshot_release(struct snapshot_reader *reader);
/* Reader, about to sleep: has another snapshot been published than the last acquired? */
bool snapshot_is_newer(struct snapshot_publisher *publisher, const struct snapshot_reader *reader);

/* The decision on a request now. */
enum route_decision {
    ROUTE_HOLD,    /* no leader is known at this moment */
    ROUTE_DELIVER, /* to the app of this pod */
    ROUTE_RELAY    /* to the leader */
};

static inline bool leadership_is_valid(const struct leadership *leadership, uint64_t now_ns)
{
    return now_ns < atomic_load_explicit(&leadership->valid_until_ns, memory_order_relaxed);
}

static inline enum route_decision leadership_decide(const struct leadership *leadership,
                                                    uint64_t now_ns)
{
    if (leadership->kind == LEADER_NONE || !leadership_is_valid(leadership, now_ns))
        return ROUTE_HOLD;
    return leadership->kind == LEADER_SELF ? ROUTE_DELIVER : ROUTE_RELAY;
}

/* May this pod's app be given requests, and its replies leave, now? */
static inline bool leadership_leads(const struct leadership *leadership, uint64_t now_ns)
{
    return leadership_decide(leadership, now_ns) == ROUTE_DELIVER;
}

/* Does a former leader serve its sessions now? Only while the present leader is valid, too: its
 * heartbeats say so. */
static inline bool leadership_has_former(const struct leadership *leadership, uint64_t now_ns)
{
    return leadership->former.instance && now_ns < leadership->former.until_ns &&
           leadership_is_valid(leadership, now_ns);
}

/*
 * May a reply of this term leave through this pod? Replies of a leader that stepped down pass within
 * its grace; so do those to the sessions that it served after that, while the present leader is valid.
 * So do those of the present term, and of a higher one: its leader knows of a claim that has not
 * reached this pod yet.
 */
static inline bool leadership_accepts_reply(const struct leadership *leadership, uint64_t term,
                                            uint64_t now_ns)
{
    if (term == leadership->previous_term && now_ns < leadership->previous_until_ns)
        return true;
    return (term >= leadership->term ||
            (term == leadership->former.term && now_ns < leadership->former.replies_until_ns)) &&
           leadership_is_valid(leadership, now_ns);
}

/*
 * Is a session independent of who led at its last request? Then the app has replied to that request
 * (an app that replies within reply.grace), and no earlier leader replies any more: what the app
 * sends to it now may leave if this pod leads. With reply.grace 0 a late reply cannot be told from
 * a push: never.
 */
static inline bool snapshot_is_settled(const struct leader_snapshot *snapshot,
                                       uint64_t requested_ns, uint64_t now_ns)
{
    uint64_t grace_ns = snapshot->settings.reply_grace_ns;

    return grace_ns && now_ns >= snapshot->leader.settled_ns && now_ns >= requested_ns + grace_ns &&
           !snapshot->leader.former.instance;
}

/*
 * The member with this IP, or NULL. Two members have one IP while a dead pod, whose IP another pod
 * was given, is not yet forgotten: then either of them is found. Where it matters which, find by
 * instance.
 */
const struct member *leadership_find_member(const struct leadership *leadership,
                                            const struct address *ip);
/* The member that is this instance, or NULL; no member has instance 0. */
const struct member *leadership_find_instance(const struct leadership *leadership,
                                              uint64_t instance);

#endif
