/*
 * sequencer: every app is given the same messages in the same order (route: ordered).
 *
 * The leader appends each message to its log and publishes the entry to the members. Each member
 * keeps a log (entry_log.h), delivers its entries to its app in turn, and requests those that it
 * misses from the leader. A new leader first adopts the best log among the members, then appends.
 *
 *   IDLE ──► FOLLOWING ◄──► ADOPTING ──► LEADING
 *
 *   sequencer.c           what all roles share: the log, delivery, membership, time
 *   sequencer_lead.c      leader: append, reply to requests, commit what a majority has
 *   sequencer_follow.c    member: take entries, request gaps, find where two logs diverged
 *   sequencer_adopt.c     new leader: log adoption
 *   sequencer_catch_up.c  entries that the source no longer has, from another member (a donor)
 *
 * Guarantee. No two apps get the same two entries in different order, nor two messages under one
 * index, unless it is reported: entries that can no longer be had (MISSING), and entries that were
 * delivered under indices which in the common log belong to others (DIVERGED: a leader that was cut
 * off had appended them, and nobody else has them). With `commits` an entry is delivered only when
 * a majority has it, and nothing diverges as long as the election's majority holds.
 *
 * Rules. Normal term: the last term in which a log agreed with the leader's. A new leader adopts
 * the log of the highest normal term, of these the longest: entries that a majority had in that
 * term are in it. Source: Viewstamped Replication Revisited (Liskov, Cowling, 2012), view change by
 * the last normal view; searching back for the last common entry: Raft (Ongaro, Ousterhout, 2014),
 * 5.3.
 *
 * Pure like the election (control/election.h): one event in, a bounded list of actions out; no I/O,
 * no clock, no allocation in a step. The owner (data/sequencer_runner.c, or the simulator) carries the
 * actions out in their order before the next step. Actions name entries by index: payloads stay in
 * the log, where the owner's sockets may still point until its next flush.
 *
 * Owner: its worker's thread. Only init allocates.
 */
#ifndef HEADLESS_SEQUENCER_SEQUENCER_H
#define HEADLESS_SEQUENCER_SEQUENCER_H

#include "headless/base/budget.h"
#include "headless/base/clock.h"
#include "headless/base/counters.h"
#include "headless/sequencer/entry_log.h"
#include "headless/wire/election_message.h"

#define SEQUENCER_MEMBERS_MAX ELECTION_MEMBERS_MAX
#define SEQUENCER_ACTIONS_MAX (SEQUENCER_MEMBERS_MAX + 31)

#define SEQUENCER_RETRY_NS    (5 * NS_PER_MS)   /* a request without reply is repeated */
#define SEQUENCER_ANNOUNCE_NS (100 * NS_PER_MS) /* at rest: interval of ranges without records */
#define SEQUENCER_PATIENCE_NS (100 * NS_PER_MS) /* for more acknowledgements than a majority's */
#define SEQUENCER_PROGRESS_NS (200 * NS_PER_MS) /* silence of the member whose log is adopted */
#define SEQUENCER_CATCH_UP_NS (500 * NS_PER_MS) /* for donors, when the leader lacks entries */
#define SEQUENCER_REPLY_BYTES 65536             /* of the log, in reply to one request */

enum sequencer_role { SEQUENCER_IDLE, SEQUENCER_FOLLOWING, SEQUENCER_ADOPTING, SEQUENCER_LEADING };

/* ---- events ---- */

struct sequencer_member {
    uint64_t instance; /* 0: not known yet */
    bool is_alive;
};

struct sequencer_membership {
    uint64_t term;
    uint64_t leader;     /* instance; 0: none at present, a former one may continue in its term */
    size_t votes_needed; /* a majority; 1: no quorum is wanted */
    bool splits_records; /* every member reads an entry that is larger than a frame */
    size_t member_count; /* this one included or not; actions name the others by their position */
    const struct sequencer_member *members;
};

enum sequencer_event_type {
    SEQUENCER_MEMBERSHIP, /* the leader or the members may have changed */
    SEQUENCER_APPEND,     /* LEADING: a client's message; it ends as delivered or dropped */
    SEQUENCER_ENTRIES,    /* a frame ENTRIES; each of its records ends in one counter */
    SEQUENCER_ACK,        /* a frame ACK */
    SEQUENCER_FLUSH,      /* the owner is about to send what it was given; payloads are free then */
    SEQUENCER_TICK        /* sequencer_is_due */
};

struct sequencer_event {
    enum sequencer_event_type type;
    const struct sequencer_membership *membership;
    const struct record *record;     /* APPEND: with its ingress pod */
    uint64_t from, term;             /* ENTRIES, ACK: the frame's */
    const struct entry_range *range; /* ENTRIES */
    size_t records;                  /* ENTRIES: in reader */
    struct frame_reader *reader;     /* ENTRIES: is moved on */
    const struct entry_ack *ack;     /* ACK */
};

/* ---- actions ---- */

enum sequencer_action_type {
    SEQUENCER_DELIVER,  /* entries to the app */
    SEQUENCER_PUBLISH,  /* entries, or a range without records, to all live members */
    SEQUENCER_SEND,     /* the same to one member: a reply */
    SEQUENCER_SEND_ACK, /* to one member */
    SEQUENCER_REPORT    /* to the app, after all that it was given before */
};

enum sequencer_report_type {
    SEQUENCER_JOINED,  /* the app's first entry here has the index `from` */
    SEQUENCER_MISSING, /* from ... to will not be delivered */
    SEQUENCER_DIVERGED /* delivered as from ... to, but not in the common log; from follows next */
};

struct sequencer_report {
    enum sequencer_report_type type;
    uint64_t from, to;
    uint64_t term; /* of the leader that reported it */
};

struct sequencer_action {
    enum sequencer_action_type type;
    uint32_t member; /* SEND, SEND_ACK: its position in the membership */
    union {
        struct {
            uint64_t first, end; /* end is not among them; first == end: only a range */
        } entries;               /* DELIVER, PUBLISH, SEND: of the log, by index */
        struct entry_ack ack;
        struct sequencer_report report;
    };
};

struct sequencer_actions {
    size_t count;
    struct sequencer_action list[SEQUENCER_ACTIONS_MAX];
};

/* ---- state ---- */

/* The state of another member, as this one knows it. */
struct sequencer_peer {
    uint64_t instance;
    uint32_t member; /* its position in the membership */
    bool is_alive, has_acked;
    bool lacks_entries;                    /* not a donor: it said so since this catch-up began */
    uint64_t normal_term, last, committed; /* as it acknowledged in this term */
    uint64_t request;                      /* it requested entries from here on; 0: nothing */
    struct budget replies;
};

/* A donor is asked for entries that the source no longer has (sequencer_catch_up.c). */
struct sequencer_catch_up {
    uint64_t donor;             /* 0: no catch-up */
    uint64_t until;             /* from here on the source has the entries */
    uint64_t since_ns;          /* the last progress */
    unsigned tries;             /* requests since the donor was heard */
    bool has_progress;          /* since this catch-up began */
    bool has_skipped;           /* no donor had the entries: our log began again behind the gap */
    bool is_from_donor;         /* the range in this step */
    bool is_overdue;            /* its patience ended in a step with replies */
    struct entry_range nearest; /* of those beyond the gap: the one that begins first */
    uint64_t nearest_from;
};

/* An ENTRIES event that waits for a flush in its middle. */
struct sequencer_taking {
    bool is_unfinished;
    uint64_t index;        /* of the next record */
    uint64_t match_before; /* match_index when it began */
};

struct sequencer {
    struct counters *counters;
    uint64_t self;       /* instance */
    bool commits;        /* ordered.commit: majority */
    bool splits_records; /* as the membership says */

    struct entry_log log;
    uint64_t joined;    /* the first index that this process delivered */
    uint64_t delivered; /* the last one */
    uint64_t pinned;  /* from here on entries may not leave the log: the owner may point to them */
    bool needs_flush; /* before the next append: removed entries may still be pointed to */
    uint64_t committed, normal_term;

    enum sequencer_role role;
    uint64_t term;       /* of the membership */
    uint64_t term_first; /* LEADING: the first index of our term */
    uint64_t source;     /* the member whose entries are taken: the leader, or adopted from */
    size_t needed;       /* a majority */
    struct sequencer_peer peers[SEQUENCER_MEMBERS_MAX];
    size_t peer_count;
    uint64_t now_ns;

    /* FOLLOWING and ADOPTING. */
    uint64_t match_index;  /* up to here our log is the source's; 0: not known */
    uint64_t source_last;  /* the highest last index that it told */
    uint64_t backtrack;    /* searching for the last common entry: request from here; 0: no */
    uint64_t reply_end;    /* a reply is on its way, up to here */
    uint64_t requested;    /* the index requested last */
    uint64_t requested_ns; /* when */
    uint64_t join_last;    /* the source's last index when we joined: not normal before */
    bool has_gap;          /* entries came out of turn since the last request */
    bool owes_ack;         /* the leader needs our last index */
    struct sequencer_taking taking;
    struct sequencer_catch_up catch_up;

    /* ADOPTING. */
    uint64_t adopt_ns, query_ns, progress_ns; /* since; the next query; the last progress */
    uint64_t goal, goal_committed;            /* last and committed index of the adopted log */
    uint64_t progress;                        /* match_index at progress_ns */

    /* LEADING. */
    uint64_t announce_ns, announce_every_ns;
    bool has_replied;             /* in this step: SEND actions name entries of the present log */
    bool has_requests;            /* a peer's request is set */
    uint64_t published_committed; /* in the last range */

    struct sequencer_actions *out; /* during a step only */
};

struct sequencer_setup {
    struct counters *counters;
    uint64_t self;
    bool commits;
    size_t log_bytes;
};

/* Returns 0 or -ENOMEM. */
int sequencer_init(struct sequencer *s, const struct sequencer_setup *setup)
    __attribute__((warn_unused_result));
/* Entries that were not delivered are dropped as shutdown. */
void sequencer_fini(struct sequencer *s);

/*
 * One event. Actions are replaced; the entries that they name can be read (entry_log_at) until the
 * next step. False, for APPEND and ENTRIES only: the log has no room before a flush. Carry the
 * actions out, step FLUSH and send everything, then step the same event again.
 */
bool sequencer_step(struct sequencer *s, const struct sequencer_event *event, uint64_t now_ns,
                    struct sequencer_actions *ret_actions) __attribute__((warn_unused_result));

/* PUBLISH and SEND: what is sent in front of the entry of this index, or of no entry. */
void sequencer_make_range(const struct sequencer *s, const struct sequencer_action *action,
                          uint64_t index, struct entry_range *ret_range);

/* Did we append it, as the present leader? Only then may the app's replies to it leave. */
static inline bool sequencer_owns(const struct sequencer *s, const struct log_entry *entry)
{
    return s->role == SEQUENCER_LEADING && entry->id.leader == s->self && entry->id.term == s->term;
}

/* Are APPEND events taken? A new leader holds requests until it has adopted a log. */
static inline bool sequencer_is_leading(const struct sequencer *s)
{
    return s->role == SEQUENCER_LEADING;
}

/* The last index in the log; 0: none yet. */
static inline uint64_t sequencer_last(const struct sequencer *s)
{
    return s->log.next ? s->log.next - 1 : 0;
}

/* How long until a TICK is due, at most SEQUENCER_ANNOUNCE_NS; at least 1. */
uint64_t sequencer_sleep_ns(const struct sequencer *s, uint64_t now_ns);
/* Is a TICK due now, and a flush after it? */
bool sequencer_is_due(const struct sequencer *s, uint64_t now_ns);

#endif
