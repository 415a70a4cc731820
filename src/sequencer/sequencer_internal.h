/* sequencer_internal: what the parts of a sequencer share. */
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

/* Has it never taken part? Then it does not know any index. */
static inline bool sequencer_is_new(const struct sequencer *s)
{
    return s->log.next == 0;
}

/* ---- sequencer.c ---- */

/* One more action of this step. There is room for all of one step: an action a member, and some. */
static inline struct sequencer_action *sequencer_emit(struct sequencer *s,
                                                      enum sequencer_action_type type)
{
    struct sequencer_actions *out = s->out;
    struct sequencer_action *action = &out->list[out->count];

    out->count += out->count < SEQUENCER_ACTIONS_MAX - 1;
    action->type = type;
    return action;
}

void sequencer_emit_ack(struct sequencer *s, uint32_t member, const struct entry_ack *ack);
void sequencer_report(struct sequencer *s, enum sequencer_report_type type, uint64_t from,
                      uint64_t to);

/* Position among the peers; peer_count: it is none. */
size_t sequencer_find_peer(const struct sequencer *s, uint64_t instance);

enum sequencer_kept { SEQUENCER_KEPT, SEQUENCER_NO_ROOM, SEQUENCER_FLUSH_FIRST };
/* Copies the record into the log. */
enum sequencer_kept sequencer_keep(struct sequencer *s, struct entry_id id,
                                   const struct record *record);
/* Delivers all entries that may be. */
void sequencer_deliver(struct sequencer *s);
/* A majority has the entries up to this index. */
void sequencer_commit(struct sequencer *s, uint64_t upto);
/* Begins with this index: the log is empty. */
void sequencer_restart(struct sequencer *s, uint64_t next, const struct entry_id *previous);
/* Our last index; normal term 0 while nothing is known. */
struct entry_ack sequencer_make_ack(const struct sequencer *s);
/* The entries from here on are not in the common log. */
void sequencer_diverge(struct sequencer *s, uint64_t from);

/* ---- sequencer_lead.c ---- */

/* False: flush first. */
bool sequencer_append(struct sequencer *s, const struct record *record);
void sequencer_take_ack(struct sequencer *s, const struct sequencer_event *event);
/* A range without records to all: our last index, and the committed one. */
void sequencer_announce(struct sequencer *s);
/* LEADING: delivers what a majority has by now, and publishes it. */
void sequencer_commit_majority(struct sequencer *s);
/* To each member that requested entries, as many as one reply takes. */
void sequencer_reply_all(struct sequencer *s);

/* ---- sequencer_follow.c ---- */

void sequencer_follow(struct sequencer *s, uint64_t source);
/* False: flush first. */
bool sequencer_take_entries(struct sequencer *s, const struct sequencer_event *event);
/* Requests missing entries, if it is time to; and when that is repeated. UINT64_MAX: none miss. */
void sequencer_request(struct sequencer *s);
uint64_t sequencer_request_ns(const struct sequencer *s);
/* This range begins a log: the entries between ours and it cannot be had. Ours begins there. */
void sequencer_skip_to(struct sequencer *s, const struct entry_range *range);

/* ---- sequencer_catch_up.c ---- */

/* The member that replied has no entries between our log and this range, its oldest: request them
 * from another. If none is left, our log continues where the nearest range begins. */
void sequencer_catch_up_seek(struct sequencer *s, const struct entry_range *range, size_t records);
/* A range of the donor was taken, up to match_index; match_before: what that was before. */
void sequencer_catch_up_note(struct sequencer *s, size_t records, uint64_t match_before);
/* Before a request: does the donor still reply? */
void sequencer_catch_up_check(struct sequencer *s);
void sequencer_catch_up_end(struct sequencer *s);

/* ---- sequencer_adopt.c ---- */

void sequencer_adopt_begin(struct sequencer *s);
/* A member has acknowledged: is the best log known by now? */
void sequencer_adopt_consider(struct sequencer *s);
void sequencer_adopt_tick(struct sequencer *s);
/* When the next of these is due. */
uint64_t sequencer_adopt_ns(const struct sequencer *s, uint64_t now_ns);
/* Entries of the adopted log have come. */
void sequencer_adopt_progress(struct sequencer *s);

#endif
