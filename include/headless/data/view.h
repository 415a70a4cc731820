/*
 * view: who leads, as the data threads see it.
 *
 * The supervisor prepares an immutable view in a free slot of a small fixed array and publishes it
 * by an atomic pointer. Data threads load the pointer once a batch. A slot is used again only after
 * every reader has announced a later generation or has marked itself asleep; the supervisor never
 * waits for that: view_draft returns NULL and it tries again later.
 *
 * Who synchronizes with whom:
 *   board->current     stored seq_cst by the supervisor, loaded by readers: acquire when awake,
 *                      seq_cst on waking
 *   reader->announced  stored release by its reader after it has left older views behind; loaded
 *                      seq_cst by the supervisor. ASLEEP -> 0 is a seq_cst store before the load
 *                      of current: a Dekker pair with (store current, load announced), so that a
 *                      reader that the supervisor still saw asleep will see the new pointer
 *   view->valid_until  the one field that changes after publication: atomic, supervisor only
 *
 * Technique: quiescent-state-based reclamation with one counter a reader (McKenney; liburcu's
 * QSBR), reduced to a fixed number of slots.
 */
#ifndef HEADLESS_DATA_VIEW_H
#define HEADLESS_DATA_VIEW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "headless/base/address.h"
#include "headless/config/config.h"
#include "headless/data/door.h"
#include "headless/secure/seal.h"
#include "headless/secure/sign.h"

#define VIEW_SLOTS       8
#define VIEW_MEMBERS_MAX (CONFIG_PEERS_MAX + 1)
#define VIEW_READERS_MAX 64
#define VIEW_FOREVER     UINT64_MAX
#define VIEW_SLOT_NONE   UINT16_MAX

struct member {
    uint64_t instance;          /* 0: not known yet */
    char name[CONFIG_NAME_MAX]; /* "" when not known */
    struct address address;     /* IP, port 0 */
    bool is_alive;              /* as far as we know */
    uint16_t slot;              /* by which data threads count what goes to it and comes from it */
    bool is_introduced;         /* with keys: its replay windows are set, its frames may come in */
};

enum view_leader {
    VIEW_LEADER_NONE,   /* hold */
    VIEW_LEADER_SELF,   /* deliver */
    VIEW_LEADER_MEMBER, /* relay */
    VIEW_LEADER_OUTSIDE /* relay raw or with PROXY v2, to an address that is no member */
};

/* A leader that was followed, as this pod saw it; for whoever shows it. */
struct view_change {
    uint64_t since_ns; /* clock_now_ns */
    uint64_t gap_ns;   /* without a leader before it */
    uint64_t term;
    struct address leader; /* as in the view */
    char leader_name[CONFIG_NAME_MAX];
    const char *cause;
};

/* The last of them, newest first. */
#define VIEW_CHANGES_MAX 8
struct view_history {
    struct view_change changes[VIEW_CHANGES_MAX];
    size_t count;
};

struct view {
    uint64_t generation; /* of the publication: 1, 2, ... */
    uint64_t term;
    enum view_leader kind;
    struct address leader; /* IP; with its port when outside; unset: none */
    char leader_name[CONFIG_NAME_MAX];
    uint64_t leader_instance;     /* 0: none, or outside */
    uint32_t votes_needed;        /* members that are a majority; 1: no quorum is wanted */
    uint64_t leader_rcvbuf_bytes; /* of its relay socket, by its own word; 0: not known */
    uint16_t leader_slot;
    const char *cause;               /* a word: yaml, command, alone */
    _Atomic uint64_t valid_until_ns; /* clock_now_ns; after it nothing of this leader leaves */

    /* The term before this one: its answers still pass until then (reply.grace); 0: none do. */
    uint64_t previous_term, previous_until_ns;

    /* Settings that a reload may change while data flows. */
    uint64_t hold_time_ns, app_idle_ns;
    bool accept_control;
    struct sign_policy signing; /* of commands */
    struct door door;

    /* With keys: what frames are opened with, and sealed with. */
    struct keyring keyring;
    uint32_t seal_key; /* id; 0: there is none yet */
    enum seal_suite seal_suite;

    /* What the configuration wished; for whoever shows it. */
    char wanted_leader[CONFIG_NAME_MAX]; /* "": nobody in particular */
    bool has_wanted_leader;              /* that one leads, or any will do */
    struct view_history history;

    size_t member_count; /* this pod included */
    struct member members[VIEW_MEMBERS_MAX];
};

/* Supervisor: a leader is followed from now on. Its name and address come with its view. */
void view_history_begin(struct view_history *history, uint64_t now_ns, uint64_t gap_ns,
                        uint64_t term);
/* Supervisor: who that is, by the view that is drafted, which then tells of it too. */
void view_history_put(struct view_history *history, struct view *draft);

/* One per data thread; registered before the threads start. */
struct view_reader {
    _Alignas(64) _Atomic uint64_t announced; /* generation in use, VIEW_FOREVER: asleep */
    const struct view *view;                 /* reader's own: the last acquired */
};

struct view_board {
    _Atomic(struct view *) current;
    struct view_reader *readers[VIEW_READERS_MAX];
    size_t reader_count;
    struct view slots[VIEW_SLOTS];
};

/* The first view (generation 1): no leader, no members. */
void view_board_init(struct view_board *board);
/* When no thread reads any more: no key stays behind. */
void view_board_wipe(struct view_board *board);
/* Before the threads start. Returns 0, or -ENOSPC. */
int view_board_register(struct view_board *board, struct view_reader *reader)
    __attribute__((warn_unused_result));

/* Supervisor: a free slot, filled as a copy of the present view; NULL: all are still being read. */
struct view *view_draft(struct view_board *board);
/* Supervisor: make the draft the present view. Then wake the data threads. */
void view_publish(struct view_board *board, struct view *draft);
/* Supervisor: the present view. */
struct view *view_current(struct view_board *board);

/* Reader, once a batch: the present view; the one acquired before must no longer be used. */
const struct view *view_acquire(struct view_board *board, struct view_reader *reader);
/* Reader, before it sleeps: holds no view. Look at view_is_news between waker_prepare and sleep. */
void view_release(struct view_reader *reader);
/* Reader, about to sleep: has another view been published than the last acquired? */
bool view_is_news(struct view_board *board, const struct view_reader *reader);

/* What is to be done with a request now. */
enum view_way {
    VIEW_HOLD,    /* nobody is known to lead at this moment */
    VIEW_DELIVER, /* to the app of this pod */
    VIEW_RELAY    /* to the leader */
};

static inline bool view_is_valid(const struct view *view, uint64_t now_ns)
{
    return now_ns < atomic_load_explicit(&view->valid_until_ns, memory_order_relaxed);
}

static inline enum view_way view_way(const struct view *view, uint64_t now_ns)
{
    if (view->kind == VIEW_LEADER_NONE || !view_is_valid(view, now_ns))
        return VIEW_HOLD;
    return view->kind == VIEW_LEADER_SELF ? VIEW_DELIVER : VIEW_RELAY;
}

/* May this pod's app be given requests, and its answers leave, now? */
static inline bool view_leads(const struct view *view, uint64_t now_ns)
{
    return view_way(view, now_ns) == VIEW_DELIVER;
}

/*
 * May an answer of this term leave through this pod? One whose leader gave way, within its grace;
 * the present term's; and a higher one, whose leader knows of a claim that is still on its way to
 * us.
 */
static inline bool view_accepts_reply(const struct view *view, uint64_t term, uint64_t now_ns)
{
    if (term == view->previous_term && now_ns < view->previous_until_ns)
        return true;
    return term >= view->term && view_is_valid(view, now_ns);
}

/*
 * The member with this IP, or NULL. Of two with one IP (it was given to another pod before its dead
 * owner was forgotten) any: ask by instance where it matters which.
 */
const struct member *view_find_member(const struct view *view, const struct address *ip);
/* The member that is this instance, or NULL; 0 is nobody. */
const struct member *view_find_instance(const struct view *view, uint64_t instance);

#endif
