/*
 * order: every app is given the same messages in the same order (route: ordered).
 *
 * The leader numbers each message and publishes it to the members. Each keeps a history of them
 * (entry_log.h), gives its app one after the other, and asks the leader for those that it misses.
 * A new leader first learns the order from the members, then numbers on.
 *
 *   IDLE ──► FOLLOWING ◄──► LEARNING ──► LEADING
 *
 *   order.c         what all have in common: the history, the app, the view, time
 *   sequencer_lead.c    the leader's part: numbers, answers, what a majority has
 *   sequencer_follow.c  a member's part: runs come in, holes are asked for, orders that grew apart
 *   sequencer_learn.c   a new leader's part
 *   sequencer_help.c    what a member's source no longer has, it asks other members for
 *
 * What holds. Two apps never get the same two numbers in different order, nor two messages under
 * one number, unless they were told (sequencer_event): of messages that it can no longer get
 * (MISSING), and of those that it was given under numbers which in the common order belong to
 * others (DIVERGED: a leader that was cut off had given them out, and nobody else has them). With
 * `commits` an app is given a message only when a majority has it, and DIVERGED never happens as
 * long as the majority that the election counts on does.
 *
 * The epoch of a member is the last term in which its history agreed with the leader's. A new
 * leader takes the history of the highest epoch, of these the longest: what a majority had in that
 * term is in it. Source: Viewstamped Replication Revisited (Liskov, Cowling, 2012), view change by
 * the last normal view; going back run by run to where two histories part: Raft (Ongaro,
 * Ousterhout, 2014), 5.3.
 *
 * A pure state machine but for its history: what it wants done it does by sequencer_ops, what
 * happens it is told, and the time too. Owner: its worker's thread. Only init allocates.
 */
#ifndef HEADLESS_SEQUENCER_H
#define HEADLESS_SEQUENCER_H

#include "headless/base/budget.h"
#include "headless/base/clock.h"
#include "headless/base/counters.h"
#include "headless/data/view.h"
#include "headless/net/udp.h"
#include "headless/sequencer/entry_log.h"

#define SEQUENCER_RETRY_NS    (5 * NS_PER_MS)   /* what was asked for and has not come */
#define SEQUENCER_ANNOUNCE_NS (100 * NS_PER_MS) /* at rest: the last number */
#define SEQUENCER_PATIENCE_NS (100 * NS_PER_MS) /* for more answers than a majority's */
#define SEQUENCER_PROGRESS_NS (200 * NS_PER_MS) /* whom we learn from is silent for so long */
#define SEQUENCER_CATCH_UP_NS (500 * NS_PER_MS) /* for help with what the leader no longer has */
#define SEQUENCER_REPLY_BYTES 65536             /* of history, for one question */

enum sequencer_role { SEQUENCER_IDLE, SEQUENCER_FOLLOWING, SEQUENCER_ADOPTING, SEQUENCER_LEADING };

enum sequencer_event_type {
    SEQUENCER_JOINED,  /* the app's first message here is number `from` */
    SEQUENCER_MISSING, /* from ... to will not come */
    SEQUENCER_DIVERGED /* what came as from ... to is not in the common order; from on comes anew */
};

struct sequencer_event {
    enum sequencer_event_type type;
    uint64_t from, to;
    uint64_t term; /* of the leader from whom we know */
};

/* What an order wants done. run and request are valid during the call, payloads until flush. */
struct sequencer_ops {
    void (*deliver)(void *context, const struct request *request);
    /* To all live members; without a request: only the run. */
    void (*publish)(void *context, const struct entry_range *range, const struct request *request);
    /* To one member, by its index in the view. */
    void (*send)(void *context, size_t member, const struct entry_range *range,
                 const struct request *request);
    void (*send_ack)(void *context, size_t member, const struct entry_ack *ack);
    /* Everything that was given out is sent, then sequencer_flush is called. */
    void (*flush)(void *context);
    void (*report)(void *context, const struct sequencer_event *event);
};

/* What is known of another member. */
struct sequencer_peer {
    uint64_t instance;
    size_t member; /* its index in the view */
    bool is_alive, has_acked;
    bool lacks_entries;                    /* it cannot help: has said so in this round */
    uint64_t normal_term, last, committed; /* by its own word, in this term */
    uint64_t request;                      /* it asked for numbers from here on; 0: nothing */
    struct budget replies;
};

/* Whom we ask for what the source no longer has (sequencer_help.c). */
struct sequencer_catch_up {
    uint64_t donor;     /* 0: nobody */
    uint64_t until;     /* from here on the source has it */
    uint64_t since_ns;  /* when something last came of it */
    unsigned tries;     /* questions since the helper was heard */
    bool has_progress;  /* something came of this round */
    bool is_from_donor; /* the run that is looked at is the helper's */
    struct entry_range
        nearest; /* of those that begin behind the gap: of whom reaches back furthest */
    uint64_t nearest_from;
};

struct sequencer {
    const struct sequencer_ops *ops;
    void *context;
    struct counters *counters;
    uint64_t self;               /* instance */
    struct address self_address; /* IP */
    bool commits;                /* ordered.commit: majority */

    struct entry_log log;
    uint64_t joined;    /* the first number that the app was given by this process */
    uint64_t delivered; /* the highest number that the app was given */
    uint64_t pinned;    /* numbers from here on may not leave the history yet */
    uint64_t committed, normal_term;

    enum sequencer_role role;
    uint64_t term;       /* of the view */
    uint64_t term_first; /* LEADING: the first number of our term */
    uint64_t source;     /* whose runs are taken: the leader's, or of whom we learn */
    size_t needed;       /* a majority */
    struct sequencer_peer peers[VIEW_MEMBERS_MAX];
    size_t peer_count;
    uint64_t now_ns;

    /* Where we get our numbers from. */
    uint64_t match_index;  /* up to here we have what the source has; 0: not known */
    uint64_t source_last;  /* the highest that it is known to have */
    uint64_t backtrack;    /* looking for where we grew apart: ask from here; 0: not so */
    uint64_t reply_end;    /* an answer is coming, up to here */
    uint64_t requested;    /* the number asked for last */
    uint64_t requested_ns; /* when */
    uint64_t join_last;    /* we are of one mind with a leader only from here on */
    bool has_gap;          /* something came out of turn since */
    bool is_taking;        /* in the middle of a run */
    bool owes_ack;         /* the leader is to hear what we have */
    struct sequencer_catch_up catch_up;

    /* LEARNING. */
    uint64_t adopt_ns, query_ns, progress_ns; /* since; the next query; the last answer */
    uint64_t goal, goal_committed;            /* of the history that we take over */
    uint64_t progress;                        /* so much of it had been compared at progress_ns */

    /* LEADING. */
    uint64_t announce_ns, announce_every_ns;
    bool has_requests;            /* a peer's want is set */
    uint64_t published_committed; /* by a run */

    _Atomic uint64_t waiting; /* in the history, not yet given to the app; anyone may read */
    _Atomic uint64_t last_index;
    _Atomic uint32_t role_now;
};

struct sequencer_setup {
    const struct sequencer_ops *ops;
    void *context;
    struct counters *counters;
    uint64_t self;
    struct address self_address;
    bool commits;
    size_t log_bytes;
};

/* Returns 0 or -ENOMEM. */
int sequencer_init(struct sequencer *s, const struct sequencer_setup *setup)
    __attribute__((warn_unused_result));
/* What waits is dropped as shutdown. */
void sequencer_fini(struct sequencer *s);

/* A slice of work begins; a view may be new. */
void sequencer_begin(struct sequencer *s, uint64_t now_ns);
void sequencer_take_view(struct sequencer *s, const struct view *view);

/* Does it number, if the view says that we lead? Until then requests have to be held. */
static inline bool sequencer_is_leading(const struct sequencer *s)
{
    return s->role == SEQUENCER_LEADING;
}

/* The leader, LEADING: number a request and publish it. It ends as delivered or dropped, later too.
 */
void sequencer_append(struct sequencer *s, const struct request *request);

/* A frame of type ORDER or POSITION, of this member and term. Each record ends in one counter. */
void sequencer_take_entries(struct sequencer *s, uint64_t from, uint64_t term,
                            const struct entry_range *range, size_t records,
                            struct frame_reader *reader);
void sequencer_take_ack(struct sequencer *s, uint64_t from, uint64_t term,
                        const struct entry_ack *ack);

/* Before everything is sent: questions, answers, news of what a majority has. */
void sequencer_flush(struct sequencer *s);

/* When something is due. False: nothing was; else flush. */
bool sequencer_tick(struct sequencer *s);
/* In how long something is due, at most SEQUENCER_ANNOUNCE_NS; at least 1. */
uint64_t sequencer_sleep_ns(const struct sequencer *s);

#endif
