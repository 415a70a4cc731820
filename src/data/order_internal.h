/* order_internal: what the parts of an order tell each other. */
#ifndef DATA_ORDER_INTERNAL_H
#define DATA_ORDER_INTERNAL_H

#include "headless/data/order.h"

#define ORDER_ANSWER_EVERY_NS NS_PER_MS /* to one member */

static inline uint64_t order_max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline uint64_t order_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The highest number that is here. */
static inline uint64_t order_last(const struct order *order)
{
    return order->log.next ? order->log.next - 1 : 0;
}

/* Has it never taken part? Then it does not know any number. */
static inline bool order_is_fresh(const struct order *order)
{
    return order->log.next == 0;
}

/* ---- order.c ---- */

/* Its index among the peers; peer_count: nobody is. */
size_t order_find_peer(const struct order *order, uint64_t instance);
/* Copies it into the history. False: there is no room. */
const struct request *order_keep(struct order *order, struct order_mark mark,
                                 const struct request *request);
void order_set_role(struct order *order, enum order_role role);
/* Gives the app what it may have. */
void order_deliver(struct order *order);
/* The numbers up to this one are a majority's. */
void order_commit(struct order *order, uint64_t upto);
/* Begin with this number: the history is empty. */
void order_restart(struct order *order, uint64_t next, const struct order_mark *before);
/* How far it is; epoch 0 if it knows nothing yet. */
struct order_position order_position(const struct order *order);
void order_report(struct order *order, enum order_event_type type, uint64_t from, uint64_t to);
/* What from here on is in the history is not in the common order. */
void order_diverge(struct order *order, uint64_t from);

/* ---- order_lead.c ---- */

/* Tell everybody the last number, and what a majority has. */
void order_announce(struct order *order);
/* The leader: give what a majority has by now, and tell them so. */
void order_commit_common(struct order *order);
/* To each member that asked, as much of the history as one reply takes. */
void order_answer_all(struct order *order);

/* ---- order_follow.c ---- */

void order_follow(struct order *order, uint64_t source);
/* Ask, if it is time to; and when to ask again for what does not come. UINT64_MAX: nothing is
 * missing. */
void order_ask(struct order *order);
uint64_t order_ask_ns(const struct order *order);

/* This run is the oldest of a history: what lies between is not in it. The history begins there. */
void order_skip_to(struct order *order, const struct order_run *run);

/* ---- order_help.c ---- */

/* Who was asked has nothing between our history and this run, its oldest: ask another. If nobody is
 * left, our history goes on where the nearest one's begins. */
void order_help_seek(struct order *order, const struct order_run *run, size_t records);
/* A run of the helper was taken, up to matched; was: what had been so before. */
void order_help_note(struct order *order, size_t records, uint64_t was);
/* Does the helper still say something? Before it is asked. */
void order_help_check(struct order *order);
void order_help_end(struct order *order);

/* ---- order_learn.c ---- */

void order_learn_begin(struct order *order);
/* A member has answered: is it known by now whose history is the best? */
void order_learn_consider(struct order *order);
void order_learn_tick(struct order *order);
/* When the next thing is due. */
uint64_t order_learn_ns(const struct order *order);
/* Something of the history that is taken over has come. */
void order_learn_matched(struct order *order);

#endif
