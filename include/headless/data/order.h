/*
 * order: every app is given the same messages in the same order (route: ordered).
 *
 * The leader numbers each message and publishes it to the members. Each keeps a history of them
 * (order_log.h), gives its app one after the other, and asks the leader for those that it misses.
 * A new leader first learns the order from the members, then numbers on.
 *
 *   IDLE ──► FOLLOWING ◄──► LEARNING ──► LEADING
 *
 *   order.c         what all have in common: the history, the app, the snapshot, time
 *   order_lead.c    the leader's part: numbers, replies, what a majority has
 *   order_follow.c  a member's part: runs come in, holes are asked for, orders that grew apart
 *   order_learn.c   a new leader's part
 *   order_help.c    what a member's source no longer has, it asks other members for
 *
 * What holds. Two apps never get the same two numbers in different order, nor two messages under
 * one number, unless they were told (order_event): of messages that it can no longer get (MISSING),
 * and of those that it was given under numbers which in the common order belong to others
 * (DIVERGED: a leader that was cut off had given them out, and nobody else has them). With
 * `commits` an app is given a message only when a majority has it, and DIVERGED never happens as
 * long as the majority that the election counts on does.
 *
 * The epoch of a member is the last term in which its history agreed with the leader's. A new
 * leader takes the history of the highest epoch, of these the longest: what a majority had in that
 * term is in it. Source: Viewstamped Replication Revisited (Liskov, Cowling, 2012), snapshot change by
 * the last normal snapshot; going back run by run to where two histories part: Raft (Ongaro,
 * Ousterhout, 2014), 5.3.
 *
 * A pure state machine but for its history: what it wants done it does by order_ops, what happens
 * it is told, and the time too. Owner: its worker's thread. Only init allocates.
 */
#ifndef HEADLESS_DATA_ORDER_H
#define HEADLESS_DATA_ORDER_H

#include "headless/base/budget.h"
#include "headless/base/clock.h"
#include "headless/base/counters.h"
#include "headless/data/leader_snapshot.h"
#include "headless/data/order_log.h"
#include "headless/net/udp.h"

#define ORDER_RETRY_NS     (5 * NS_PER_MS)   /* what was asked for and has not come */
#define ORDER_ANNOUNCE_NS  (100 * NS_PER_MS) /* at rest: the last number */
#define ORDER_PATIENCE_NS  (100 * NS_PER_MS) /* for more replies than a majority's */
#define ORDER_PROGRESS_NS  (200 * NS_PER_MS) /* whom we learn from is silent for so long */
#define ORDER_HELP_NS      (500 * NS_PER_MS) /* for help with what the leader no longer has */
#define ORDER_ANSWER_BYTES 65536             /* of history, for one question */

enum order_role { ORDER_IDLE, ORDER_FOLLOWING, ORDER_LEARNING, ORDER_LEADING };

enum order_event_type {
    ORDER_JOINED,  /* the app's first message here is number `from` */
    ORDER_MISSING, /* from ... to will not come */
    ORDER_DIVERGED /* what came as from ... to is not in the common order; from on comes anew */
};

struct order_event {
    enum order_event_type type;
    uint64_t from, to;
    uint64_t term; /* of the leader from whom we know */
};

/* What an order wants done. run and request are valid during the call, payloads until flush. */
struct order_ops {
    void (*deliver)(void *context, const struct request *request);
    /* To all live members; without a request: only the run. */
    void (*publish)(void *context, const struct order_run *run, const struct request *request);
    /* To one member, by its index in the snapshot. */
    void (*send)(void *context, size_t member, const struct order_run *run,
                 const struct request *request);
    void (*tell_position)(void *context, size_t member, const struct order_position *position);
    /* Everything that was given out is sent, then order_flush is called. */
    void (*flush)(void *context);
    void (*report)(void *context, const struct order_event *event);
};

/* What is known of another member. */
struct order_peer {
    uint64_t instance;
    size_t member; /* its index in the snapshot */
    bool is_alive, has_answered;
    bool has_less;                   /* it cannot help: has said so in this round */
    uint64_t epoch, last, committed; /* by its own word, in this term */
    uint64_t want;                   /* it asked for numbers from here on; 0: nothing */
    struct budget replies;
};

/* Whom we ask for what the source no longer has (order_help.c). */
struct order_help {
    uint64_t helper;   /* 0: nobody */
    uint64_t until;    /* from here on the source has it */
    uint64_t since_ns; /* when something last came of it */
    unsigned tries;    /* questions since the helper was heard */
    bool has_come;     /* something came of this round */
    bool is_heard;     /* the run that is looked at is the helper's */
    struct order_run
        nearest; /* of those that begin behind the gap: of whom reaches back furthest */
    uint64_t nearest_from;
};

struct order {
    const struct order_ops *ops;
    void *context;
    struct counters *counters;
    uint64_t self;               /* instance */
    struct address self_address; /* IP */
    bool commits;                /* ordered.commit: majority */

    struct order_log log;
    uint64_t joined;    /* the first number that the app was given by this process */
    uint64_t delivered; /* the highest number that the app was given */
    uint64_t pinned;    /* numbers from here on may not leave the history yet */
    uint64_t committed, epoch;

    enum order_role role;
    uint64_t term;   /* of the snapshot */
    uint64_t base;   /* LEADING: the first number of our term */
    uint64_t source; /* whose runs are taken: the leader's, or of whom we learn */
    size_t needed;   /* a majority */
    struct order_peer peers[MEMBERS_MAX];
    size_t peer_count;
    uint64_t now_ns;

    /* Where we get our numbers from. */
    uint64_t matched;   /* up to here we have what the source has; 0: not known */
    uint64_t tail;      /* the highest that it is known to have */
    uint64_t back;      /* looking for where we grew apart: ask from here; 0: not so */
    uint64_t until;     /* an reply is coming, up to here */
    uint64_t asked;     /* the number asked for last */
    uint64_t asked_ns;  /* when */
    uint64_t join_tail; /* we are of one mind with a leader only from here on */
    bool has_hole;      /* something came out of turn since */
    bool is_taking;     /* in the middle of a run */
    bool owes_position; /* the leader is to hear what we have */
    struct order_help help;

    /* LEARNING. */
    uint64_t learn_ns, query_ns, progress_ns; /* since; the next query; the last reply */
    uint64_t goal, goal_committed;            /* of the history that we take over */
    uint64_t progress;                        /* so much of it had been compared at progress_ns */

    /* LEADING. */
    uint64_t announce_ns, announce_every_ns;
    bool is_wanted;          /* a peer's want is set */
    uint64_t told_committed; /* by a run */

    _Atomic uint64_t waiting; /* in the history, not yet given to the app; anyone may read */
    _Atomic uint64_t tail_number;
    _Atomic uint32_t role_now;
};

struct order_setup {
    const struct order_ops *ops;
    void *context;
    struct counters *counters;
    uint64_t self;
    struct address self_address;
    bool commits;
    size_t history_bytes;
};

/* Returns 0 or -ENOMEM. */
int order_init(struct order *order, const struct order_setup *setup)
    __attribute__((warn_unused_result));
/* What waits is dropped as shutdown. */
void order_fini(struct order *order);

/* A slice of work begins; a snapshot may be new. */
void order_begin(struct order *order, uint64_t now_ns);
void order_take_snapshot(struct order *order, const struct leadership *snapshot);

/* Does it number, if the snapshot says that we lead? Until then requests have to be held. */
static inline bool order_is_leading(const struct order *order)
{
    return order->role == ORDER_LEADING;
}

/* The leader, LEADING: number a request and publish it. It ends as delivered or dropped, later too.
 */
void order_number(struct order *order, const struct request *request);

/* A frame of type ORDER or POSITION, of this member and term. Each record ends in one counter. */
void order_hear_run(struct order *order, uint64_t from, uint64_t term, const struct order_run *run,
                    size_t records, struct frame_reader *reader);
void order_hear_position(struct order *order, uint64_t from, uint64_t term,
                         const struct order_position *position);

/* Before everything is sent: questions, replies, news of what a majority has. */
void order_flush(struct order *order);

/* When something is due. False: nothing was; else flush. */
bool order_tick(struct order *order);
/* In how long something is due, at most ORDER_ANNOUNCE_NS; at least 1. */
uint64_t order_sleep_ns(const struct order *order);

#endif
