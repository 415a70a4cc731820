#include "headless/sequencer/sequencer.h"

#include <string.h>

#include "sequencer_internal.h"

int sequencer_init(struct sequencer *s, const struct sequencer_setup *setup)
{
    *s = (struct sequencer){
        .counters = setup->counters, .self = setup->self, .commits = setup->commits};
    return entry_log_init(&s->log, setup->log_bytes);
}

void sequencer_fini(struct sequencer *s)
{
    if (sequencer_last(s) > s->delivered)
        counters_drop(s->counters, DROP_shutdown, sequencer_last(s) - s->delivered);
    entry_log_fini(&s->log);
    s->delivered = 0;
}

/* ---- actions ---- */

void sequencer_emit_ack(struct sequencer *s, uint32_t member, const struct entry_ack *ack)
{
    struct sequencer_action *action = sequencer_emit(s, SEQUENCER_SEND_ACK);

    action->member = member;
    action->ack = *ack;
}

void sequencer_report(struct sequencer *s, enum sequencer_report_type type, uint64_t from,
                      uint64_t to)
{
    if (type == SEQUENCER_JOINED)
        s->joined = from;
    sequencer_emit(s, SEQUENCER_REPORT)->report =
        (struct sequencer_report){.type = type, .from = from, .to = to, .term = s->term};
}

/* ---- the log, and delivery ---- */

enum sequencer_kept sequencer_keep(struct sequencer *s, struct entry_id id,
                                   const struct record *record)
{
    struct entry_log *log = &s->log;

    if (s->needs_flush)
        return SEQUENCER_FLUSH_FIRST;
    while (!entry_log_append(log, id, record)) {
        if (log->first < s->pinned)
            entry_log_drop_oldest(log);
        else
            return s->pinned <= s->delivered ? SEQUENCER_FLUSH_FIRST : SEQUENCER_NO_ROOM;
    }
    return SEQUENCER_KEPT;
}

void sequencer_deliver(struct sequencer *s)
{
    uint64_t upto = sequencer_last(s);
    struct sequencer_action *action;

    if (s->commits)
        upto = sequencer_min(upto, s->committed);
    if (s->delivered >= upto)
        return;
    action = sequencer_emit(s, SEQUENCER_DELIVER);
    action->entries.first = s->delivered + 1;
    action->entries.end = upto + 1;
    s->delivered = upto;
}

void sequencer_commit(struct sequencer *s, uint64_t upto)
{
    if (upto <= s->committed)
        return;
    s->committed = upto;
    sequencer_deliver(s);
}

/* The entries from here on leave the log, and those that were not delivered will not be. Delivered
 * ones may still be on their way to the app: their memory is used again only after a flush. */
static void remove_entries(struct sequencer *s, uint64_t from)
{
    uint64_t waiting = sequencer_max(from, s->delivered + 1);

    s->needs_flush |= s->delivered >= sequencer_max(from, s->pinned);
    if (sequencer_last(s) >= waiting)
        counters_drop(s->counters, DROP_diverged, sequencer_last(s) - waiting + 1);
    entry_log_cut(&s->log, from);
    s->committed = sequencer_min(s->committed, from - 1); /* a majority has lost its memory */
}

struct entry_ack sequencer_make_ack(const struct sequencer *s)
{
    struct entry_ack ack = {
        .normal_term = s->normal_term, .last = sequencer_last(s), .committed = s->committed};

    /* The log was restarted, and its first entry has not come. */
    if (s->log.first == s->log.next && !s->log.knows_previous)
        ack.normal_term = ack.last = 0;
    return ack;
}

void sequencer_restart(struct sequencer *s, uint64_t next, const struct entry_id *previous)
{
    uint64_t committed = s->committed;

    if (!sequencer_is_new(s))
        remove_entries(s, s->log.first);
    s->committed = sequencer_min(committed, next - 1);
    entry_log_restart(&s->log, next, previous);
    s->delivered = next - 1;
    s->pinned = next;
}

void sequencer_diverge(struct sequencer *s, uint64_t from)
{
    uint64_t delivered = s->delivered;

    remove_entries(s, from);
    if (delivered < from)
        return;
    counters_add(s->counters, COUNTER_ORDER_DIVERGED, delivered - from + 1);
    s->delivered = from - 1;
    s->pinned = sequencer_min(s->pinned, from);
    sequencer_report(s, SEQUENCER_DIVERGED, from, delivered);
}

/* ---- membership ---- */

size_t sequencer_find_peer(const struct sequencer *s, uint64_t instance)
{
    size_t i = 0;

    while (i < s->peer_count && s->peers[i].instance != instance)
        i++;
    return i;
}

static void take_members(struct sequencer *s, const struct sequencer_membership *membership)
{
    struct sequencer_peer peers[SEQUENCER_MEMBERS_MAX] = {0};
    size_t count = 0;

    for (size_t i = 0; i < membership->member_count; i++) {
        const struct sequencer_member *member = &membership->members[i];
        size_t known = sequencer_find_peer(s, member->instance);

        if (!member->instance || member->instance == s->self)
            continue;
        peers[count] =
            known < s->peer_count
                ? s->peers[known]
                : (struct sequencer_peer){.instance = member->instance,
                                          .replies = budget_make(SEQUENCER_REPLY_EVERY_NS, 4)};
        peers[count].member = (uint32_t)i;
        peers[count++].is_alive = member->is_alive;
    }
    memcpy(s->peers, peers, count * sizeof(peers[0]));
    s->peer_count = count;
    s->needed = membership->votes_needed;
    s->splits_records = membership->splits_records;
}

static void new_leader(struct sequencer *s, const struct sequencer_membership *membership)
{
    s->term = membership->term;
    for (size_t i = 0; i < s->peer_count; i++)
        s->peers[i].normal_term = s->peers[i].last = s->peers[i].request = 0;
    if (membership->leader != s->self) {
        s->role = SEQUENCER_FOLLOWING;
        sequencer_follow(s, membership->leader);
    } else {
        s->role = SEQUENCER_ADOPTING;
        sequencer_adopt_begin(s);
    }
}

static void take_membership(struct sequencer *s, const struct sequencer_membership *membership)
{
    uint64_t leader = s->role == SEQUENCER_FOLLOWING ? s->source
                      : s->role == SEQUENCER_IDLE    ? 0
                                                     : s->self;

    take_members(s, membership);
    if (membership->leader && (membership->term != s->term || membership->leader != leader))
        new_leader(s, membership);
}

/* ---- the end of a batch ---- */

static void request_missing(struct sequencer *s)
{
    if ((s->role == SEQUENCER_FOLLOWING || s->role == SEQUENCER_ADOPTING) &&
        !s->taking.is_unfinished)
        sequencer_request(s);
}

/* Requests come after replies, as they may restart the log; but first when that was put off in the
 * batch before, so that constant requests of others do not keep this member behind. */
static void end_batch(struct sequencer *s)
{
    bool requests_first = s->catch_up.is_overdue;

    s->catch_up.is_overdue = false;
    if (s->role == SEQUENCER_LEADING && s->commits)
        sequencer_commit_majority(s);
    if (requests_first)
        request_missing(s);
    if (s->has_requests)
        sequencer_reply_all(s);
    if (!requests_first)
        request_missing(s);
    s->pinned = s->delivered + 1;
    s->needs_flush = false;
}

/* ---- time ---- */

uint64_t sequencer_sleep_ns(const struct sequencer *s, uint64_t now_ns)
{
    uint64_t at_ns = now_ns + SEQUENCER_ANNOUNCE_NS;

    if (s->role == SEQUENCER_LEADING)
        at_ns = s->announce_ns;
    else if (s->role == SEQUENCER_ADOPTING)
        at_ns = sequencer_adopt_ns(s, now_ns);
    else if (s->role == SEQUENCER_FOLLOWING)
        at_ns = sequencer_min(at_ns, sequencer_request_ns(s));
    if (s->has_requests)
        at_ns = sequencer_min(at_ns, now_ns + SEQUENCER_REPLY_EVERY_NS);
    return at_ns > now_ns ? at_ns - now_ns : 1;
}

bool sequencer_is_due(const struct sequencer *s, uint64_t now_ns)
{
    return s->has_requests || sequencer_sleep_ns(s, now_ns) <= 1;
}

static void act_on_time(struct sequencer *s)
{
    if (sequencer_sleep_ns(s, s->now_ns) > 1)
        return;
    if (s->role == SEQUENCER_LEADING)
        sequencer_announce(s);
    if (s->role == SEQUENCER_ADOPTING)
        sequencer_adopt_tick(s);
}

/* ---- a step ---- */

bool sequencer_step(struct sequencer *s, const struct sequencer_event *event, uint64_t now_ns,
                    struct sequencer_actions *ret_actions)
{
    bool is_done = true;

    ret_actions->count = 0;
    s->out = ret_actions;
    s->now_ns = now_ns;
    s->has_replied = false;
    switch (event->type) {
    case SEQUENCER_MEMBERSHIP:
        take_membership(s, event->membership);
        break;
    case SEQUENCER_APPEND:
        is_done = sequencer_append(s, event->record);
        break;
    case SEQUENCER_ENTRIES:
        is_done = sequencer_take_entries(s, event);
        break;
    case SEQUENCER_ACK:
        sequencer_take_ack(s, event);
        break;
    case SEQUENCER_FLUSH:
        end_batch(s);
        break;
    case SEQUENCER_TICK:
        act_on_time(s);
        break;
    }
    s->out = NULL;
    return is_done;
}
