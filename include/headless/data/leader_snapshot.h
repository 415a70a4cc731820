/*
 * snapshot: who leads, as the data threads see it.
 *
 * The supervisor prepares an immutable snapshot in a free slot of a small fixed array and publishes it
 * by an atomic pointer. Data threads load the pointer once a batch. A slot is used again only after
 * every reader has announced a later generation or has marked itself asleep; the supervisor never
 * waits for that: snapshot_draft returns NULL and it tries again later.
 *
 * Who synchronizes with whom:
 *   publisher->current     stored seq_cst by the supervisor, loaded by readers: acquire when awake,
 *                      seq_cst on waking
 *   reader->announced  stored release by its reader after it has left older snapshots behind; loaded
 *                      seq_cst by the supervisor. ASLEEP -> 0 is a seq_cst store before the load
 *                      of current: a Dekker pair with (store current, load announced), so that a
 *                      reader that the supervisor still saw asleep will see the new pointer
 *   snapshot->valid_until  the one field that changes after publication: atomic, supervisor only
 *
 * Technique: quiescent-state-based reclamation with one counter a reader (McKenney; liburcu's
 * QSBR), reduced to a fixed number of slots.
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

/* A leader that was followed, as this pod saw it; for whoever shows it. */
struct leader_change {
    uint64_t since_ns; /* clock_now_ns */
    uint64_t gap_ns;   /* without a leader before it */
    uint64_t term;
    struct address leader; /* as in the snapshot */
    char leader_name[CONFIG_NAME_MAX];
    const char *cause;
};

/* The last of them, newest first. */
#define LEADER_CHANGES_MAX 8
struct leader_history {
    struct leader_change changes[LEADER_CHANGES_MAX];
    size_t count;
};

struct leader_snapshot {
    uint64_t generation; /* of the publication: 1, 2, ... */
    uint64_t term;
    enum leader_kind kind;
    struct address leader; /* IP; with its port when outside; unset: none */
    char leader_name[CONFIG_NAME_MAX];
    uint64_t leader_instance;     /* 0: none, or outside */
    uint32_t votes_needed;        /* members that are a majority; 1: no quorum is wanted */
    uint64_t leader_rcvbuf_bytes; /* of its relay socket, by its own word; 0: not known */
    uint16_t leader_index;
    const char *cause;               /* a word: yaml, command, alone */
    _Atomic uint64_t valid_until_ns; /* clock_now_ns; after it nothing of this leader leaves */

    /* The term before this one: its replies still pass until then (reply.grace); 0: none do. */
    uint64_t previous_term, previous_until_ns;

    /* Settings that a reload may change while data flows. */
    uint64_t hold_time_ns, app_idle_ns;
    bool accept_control;
    struct sign_policy signing; /* of commands */
    struct ingress_filter ingress_filter;

    /* With keys: what frames are opened with, and sealed with. */
    struct keyring keyring;
    uint32_t seal_key; /* id; 0: there is none yet */
    enum seal_suite seal_suite;

    /* What the configuration wished; for whoever shows it. */
    char wanted_leader[CONFIG_NAME_MAX]; /* "": nobody in particular */
    bool has_wanted_leader;              /* that one leads, or any will do */
    struct leader_history history;

    size_t member_count; /* this pod included */
    struct member members[MEMBERS_MAX];
};

/* Supervisor: a leader is followed from now on. Its name and address come with its snapshot. */
void leader_history_begin(struct leader_history *history, uint64_t now_ns, uint64_t gap_ns,
                          uint64_t term);
/* Supervisor: who that is, by the snapshot that is drafted, which then tells of it too. */
void leader_history_put(struct leader_history *history, struct leader_snapshot *draft);

/* One per data thread; registered before the threads start. */
struct snapshot_reader {
    _Alignas(64) _Atomic uint64_t announced; /* generation in use, SNAPSHOT_NO_EXPIRY: asleep */
    const struct leader_snapshot *snapshot;  /* reader's own: the last acquired */
};

struct snapshot_publisher {
    _Atomic(struct leader_snapshot *) current;
    struct snapshot_reader *readers[SNAPSHOT_READERS_MAX];
    size_t reader_count;
    struct leader_snapshot slots[SNAPSHOT_BUFFERS];
};

/* The first snapshot (generation 1): no leader, no members. */
void snapshot_publisher_init(struct snapshot_publisher *publisher);
/* When no thread reads any more: no key stays behind. */
void snapshot_publisher_wipe(struct snapshot_publisher *publisher);
/* Before the threads start. Returns 0, or -ENOSPC. */
int snapshot_publisher_register(struct snapshot_publisher *publisher,
                                struct snapshot_reader *reader) __attribute__((warn_unused_result));

/* Supervisor: a free slot, filled as a copy of the present snapshot; NULL: all are still being read. */
struct leader_snapshot *snapshot_draft(struct snapshot_publisher *publisher);
/* Supervisor: make the draft the present snapshot. Then wake the data threads. */
void snapshot_publish(struct snapshot_publisher *publisher, struct leader_snapshot *draft);
/* Supervisor: the present snapshot. */
struct leader_snapshot *snapshot_current(struct snapshot_publisher *publisher);

/* Reader, once a batch: the present snapshot; the one acquired before must no longer be used. */
const struct leader_snapshot *snapshot_acquire(struct snapshot_publisher *publisher,
                                               struct snapshot_reader *reader);
/* Reader, before it sleeps: holds no snapshot. Look at snapshot_is_newer between waker_prepare and sleep. */
void snapshot_release(struct snapshot_reader *reader);
/* Reader, about to sleep: has another snapshot been published than the last acquired? */
bool snapshot_is_newer(struct snapshot_publisher *publisher, const struct snapshot_reader *reader);

/* What is to be done with a request now. */
enum leader_snapshot_decide {
    ROUTE_HOLD,    /* nobody is known to lead at this moment */
    ROUTE_DELIVER, /* to the app of this pod */
    ROUTE_RELAY    /* to the leader */
};

static inline bool leader_snapshot_is_valid(const struct leader_snapshot *snapshot, uint64_t now_ns)
{
    return now_ns < atomic_load_explicit(&snapshot->valid_until_ns, memory_order_relaxed);
}

static inline enum leader_snapshot_decide
leader_snapshot_decide(const struct leader_snapshot *snapshot, uint64_t now_ns)
{
    if (snapshot->kind == LEADER_NONE || !leader_snapshot_is_valid(snapshot, now_ns))
        return ROUTE_HOLD;
    return snapshot->kind == LEADER_SELF ? ROUTE_DELIVER : ROUTE_RELAY;
}

/* May this pod's app be given requests, and its replies leave, now? */
static inline bool leader_snapshot_leads(const struct leader_snapshot *snapshot, uint64_t now_ns)
{
    return leader_snapshot_decide(snapshot, now_ns) == ROUTE_DELIVER;
}

/*
 * May an reply of this term leave through this pod? One whose leader gave way, within its grace;
 * the present term's; and a higher one, whose leader knows of a claim that is still on its way to
 * us.
 */
static inline bool leader_snapshot_accepts_reply(const struct leader_snapshot *snapshot,
                                                 uint64_t term, uint64_t now_ns)
{
    if (term == snapshot->previous_term && now_ns < snapshot->previous_until_ns)
        return true;
    return term >= snapshot->term && leader_snapshot_is_valid(snapshot, now_ns);
}

/*
 * The member with this IP, or NULL. Of two with one IP (it was given to another pod before its dead
 * owner was forgotten) any: ask by instance where it matters which.
 */
const struct member *leader_snapshot_find_member(const struct leader_snapshot *snapshot,
                                                 const struct address *ip);
/* The member that is this instance, or NULL; 0 is nobody. */
const struct member *leader_snapshot_find_instance(const struct leader_snapshot *snapshot,
                                                   uint64_t instance);

#endif
