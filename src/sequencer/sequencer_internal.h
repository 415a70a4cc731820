/* sequencer_internal: what the parts of an order tell each other. */
#ifndef SEQUENCER_INTERNAL_H
#define SEQUENCER_INTERNAL_H

#include "headless/sequencer/sequencer.h"

#define SEQUENCER_REPLY_EVERY_NS NS_PER_MS /* to one member */

static inline uint64_t sequencer_max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline uint64_t sequencer_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The highest number that is here. */
static inline uint64_t sequencer_last(const struct sequencer *s)
{
    return s->log.next ? s->log.next - 1 : 0;
}

/* Has it never taken part? Then it does not know any number. */
static inline bool sequencer_is_new(const struct sequencer *s)
{
    return s->log.next == 0;
}

/* ---- order.c ---- */

/* Its index among the peers; peer_count: nobody is. */
size_t sequencer_find_peer(const struct sequencer *s, uint64_t instance);
/* Copies it into the history. False: there is no room. */
const struct request *sequencer_keep(struct sequencer *s, struct entry_id id,
                                     const struct request *request);
void sequencer_set_role(struct sequencer *s, enum sequencer_role role);
/* Gives the app what it may have. */
void sequencer_deliver(struct sequencer *s);
/* The numbers up to this one are a majority's. */
void sequencer_commit(struct sequencer *s, uint64_t upto);
/* Begin with this number: the history is empty. */
void sequencer_restart(struct sequencer *s, uint64_t next, const struct entry_id *before);
/* How far it is; epoch 0 if it knows nothing yet. */
struct entry_ack sequencer_ack(const struct sequencer *s);
void sequencer_report(struct sequencer *s, enum sequencer_event_type type, uint64_t from,
                      uint64_t to);
/* What from here on is in the history is not in the common order. */
void sequencer_diverge(struct sequencer *s, uint64_t from);

/* ---- sequencer_lead.c ---- */

/* Tell everybody the last number, and what a majority has. */
void sequencer_announce(struct sequencer *s);
/* The leader: give what a majority has by now, and tell them so. */
void sequencer_commit_majority(struct sequencer *s);
/* To each member that asked, as much of the history as one answer takes. */
void sequencer_reply_all(struct sequencer *s);

/* ---- sequencer_follow.c ---- */

void sequencer_follow(struct sequencer *s, uint64_t source);
/* Ask, if it is time to; and when to ask again for what does not come. UINT64_MAX: nothing is
 * missing. */
void sequencer_request(struct sequencer *s);
uint64_t sequencer_request_ns(const struct sequencer *s);

/* This run is the oldest of a history: what lies between is not in it. The history begins there. */
void sequencer_skip_to(struct sequencer *s, const struct entry_range *range);

/* ---- sequencer_help.c ---- */

/* Who was asked has nothing between our history and this run, its oldest: ask another. If nobody is
 * left, our history goes on where the nearest one's begins. */
void sequencer_catch_up_seek(struct sequencer *s, const struct entry_range *range, size_t records);
/* A run of the helper was taken, up to matched; was: what had been so before. */
void sequencer_catch_up_note(struct sequencer *s, size_t records, uint64_t was);
/* Does the helper still say something? Before it is asked. */
void sequencer_catch_up_check(struct sequencer *s);
void sequencer_catch_up_end(struct sequencer *s);

/* ---- sequencer_learn.c ---- */

void sequencer_adopt_begin(struct sequencer *s);
/* A member has answered: is it known by now whose history is the best? */
void sequencer_adopt_consider(struct sequencer *s);
void sequencer_adopt_tick(struct sequencer *s);
/* When the next thing is due. */
uint64_t sequencer_adopt_ns(const struct sequencer *s);
/* Something of the history that is taken over has come. */
void sequencer_adopt_progress(struct sequencer *s);

#endif
