#include <string.h>

#include "sequencer_internal.h"

int sequencer_init(struct sequencer *s, const struct sequencer_setup *setup)
{
    *s = (struct sequencer){.ops = setup->ops,
                            .context = setup->context,
                            .counters = setup->counters,
                            .self = setup->self,
                            .self_address = setup->self_address,
                            .commits = setup->commits};
    return entry_log_init(&s->log, setup->log_bytes);
}

void sequencer_fini(struct sequencer *s)
{
    if (sequencer_last(s) > s->delivered)
        counters_drop(s->counters, DROP_shutdown, sequencer_last(s) - s->delivered);
    entry_log_fini(&s->log);
    s->delivered = 0;
}

void sequencer_begin(struct sequencer *s, uint64_t now_ns)
{
    s->now_ns = now_ns;
}

/* ---- the history, and the app ---- */

static void set_waiting(struct sequencer *s)
{
    atomic_store_explicit(&s->waiting, sequencer_last(s) - s->delivered, memory_order_relaxed);
    atomic_store_explicit(&s->last_index, sequencer_last(s), memory_order_relaxed);
}

const struct request *sequencer_keep(struct sequencer *s, struct entry_id id,
                                     const struct request *request)
{
    struct entry_log *log = &s->log;
    const struct request *kept;

    while (!(kept = entry_log_append(log, id, request))) {
        if (log->first < s->pinned)
            entry_log_drop_oldest(log);
        else if (s->pinned <= s->delivered)
            s->ops->flush(s->context); /* what the app was given is free then */
        else
            return NULL;
    }
    set_waiting(s);
    return kept;
}

/* Only what its own leader numbered in this term may be answered: see app_may_answer. */
static void deliver_one(struct sequencer *s, const struct queued_request *entry)
{
    struct request request = entry->request;

    request.term = entry->id.term;
    request.hops = 1;
    request.is_copy =
        s->role != SEQUENCER_LEADING || entry->id.leader != s->self || entry->id.term != s->term;
    if (address_equal_ip(&request.record.ingress, &s->self_address))
        request.record.ingress = (struct address){0};
    s->ops->deliver(s->context, &request);
}

void sequencer_deliver(struct sequencer *s)
{
    uint64_t upto = sequencer_last(s);

    if (s->commits)
        upto = sequencer_min(upto, s->committed);
    while (s->delivered < upto)
        deliver_one(s, entry_log_at(&s->log, ++s->delivered));
    set_waiting(s);
}

void sequencer_commit(struct sequencer *s, uint64_t upto)
{
    if (upto <= s->committed)
        return;
    s->committed = upto;
    sequencer_deliver(s);
}

/* Messages that are in the history from this number on go, and the app is not given them. */
static void forget(struct sequencer *s, uint64_t from)
{
    uint64_t waiting = sequencer_max(from, s->delivered + 1);

    if (s->delivered >= sequencer_max(from, s->pinned))
        s->ops->flush(s->context); /* the app's may still be on their way */
    if (sequencer_last(s) >= waiting)
        counters_drop(s->counters, DROP_diverged, sequencer_last(s) - waiting + 1);
    entry_log_cut(&s->log, from);
    s->committed = sequencer_min(s->committed, from - 1); /* a majority has lost its memory */
}

struct entry_ack sequencer_ack(const struct sequencer *s)
{
    struct entry_ack ack = {
        .normal_term = s->normal_term, .last = sequencer_last(s), .committed = s->committed};

    /* It begins anew, and waits for what it begins with. */
    if (s->log.first == s->log.next && !s->log.knows_previous)
        ack.normal_term = ack.last = 0;
    return ack;
}

void sequencer_report(struct sequencer *s, enum sequencer_event_type type, uint64_t from,
                      uint64_t to)
{
    const struct sequencer_event event = {.type = type, .from = from, .to = to, .term = s->term};

    if (type == SEQUENCER_JOINED)
        s->joined = from;
    s->ops->report(s->context, &event);
}

void sequencer_restart(struct sequencer *s, uint64_t next, const struct entry_id *before)
{
    uint64_t committed = s->committed;

    if (!sequencer_is_new(s))
        forget(s, s->log.first);
    s->committed = sequencer_min(committed, next - 1);
    entry_log_restart(&s->log, next, before);
    s->delivered = next - 1;
    s->pinned = next;
    set_waiting(s);
}

void sequencer_diverge(struct sequencer *s, uint64_t from)
{
    uint64_t told = s->delivered;

    forget(s, from);
    if (told >= from) {
        counters_add(s->counters, COUNTER_ORDER_DIVERGED, told - from + 1);
        s->delivered = from - 1;
        s->pinned = sequencer_min(s->pinned, from);
        sequencer_report(s, SEQUENCER_DIVERGED, from, told);
    }
    set_waiting(s);
}

/* ---- the view ---- */

size_t sequencer_find_peer(const struct sequencer *s, uint64_t instance)
{
    size_t i = 0;

    while (i < s->peer_count && s->peers[i].instance != instance)
        i++;
    return i;
}

static void take_members(struct sequencer *s, const struct view *view)
{
    struct sequencer_peer peers[VIEW_MEMBERS_MAX] = {0};
    size_t count = 0;

    for (size_t i = 0; i < view->member_count; i++) {
        const struct member *member = &view->members[i];
        size_t known = sequencer_find_peer(s, member->instance);

        if (!member->instance || member->instance == s->self)
            continue;
        peers[count] =
            known < s->peer_count
                ? s->peers[known]
                : (struct sequencer_peer){.instance = member->instance,
                                          .replies = budget_make(SEQUENCER_REPLY_EVERY_NS, 4)};
        peers[count].member = i;
        peers[count++].is_alive = member->is_alive;
    }
    memcpy(s->peers, peers, count * sizeof(peers[0]));
    s->peer_count = count;
    s->needed = view->votes_needed;
}

void sequencer_set_role(struct sequencer *s, enum sequencer_role role)
{
    s->role = role;
    atomic_store_explicit(&s->role_now, role, memory_order_relaxed);
}

static void new_leader(struct sequencer *s, const struct view *view)
{
    s->term = view->term;
    for (size_t i = 0; i < s->peer_count; i++)
        s->peers[i].normal_term = s->peers[i].last = s->peers[i].request = 0;
    if (view->kind == VIEW_LEADER_MEMBER) {
        sequencer_set_role(s, SEQUENCER_FOLLOWING);
        sequencer_follow(s, view->leader_instance);
    } else {
        sequencer_set_role(s, SEQUENCER_ADOPTING);
        sequencer_adopt_begin(s);
    }
}

void sequencer_take_view(struct sequencer *s, const struct view *view)
{
    bool is_led = view->kind == VIEW_LEADER_MEMBER || view->kind == VIEW_LEADER_SELF;
    uint64_t leader = s->role == SEQUENCER_FOLLOWING ? s->source
                      : s->role == SEQUENCER_IDLE    ? 0
                                                     : s->self;

    take_members(s, view);
    /* Nobody: whoever led may go on in its term. */
    if (is_led && (view->term != s->term || view->leader_instance != leader))
        new_leader(s, view);
}

/* ---- the end of a batch ---- */

void sequencer_flush(struct sequencer *s)
{
    if (s->role == SEQUENCER_LEADING && s->commits)
        sequencer_commit_majority(s);
    if (s->has_requests)
        sequencer_reply_all(s);
    if ((s->role == SEQUENCER_FOLLOWING || s->role == SEQUENCER_ADOPTING) && !s->is_taking)
        sequencer_request(s);
    s->pinned = s->delivered + 1;
}

/* ---- time ---- */

uint64_t sequencer_sleep_ns(const struct sequencer *s)
{
    uint64_t at_ns = s->now_ns + SEQUENCER_ANNOUNCE_NS;

    if (s->role == SEQUENCER_LEADING)
        at_ns = s->announce_ns;
    else if (s->role == SEQUENCER_ADOPTING)
        at_ns = sequencer_adopt_ns(s);
    else if (s->role == SEQUENCER_FOLLOWING)
        at_ns = sequencer_min(at_ns, sequencer_request_ns(s));
    if (s->has_requests)
        at_ns = sequencer_min(at_ns, s->now_ns + SEQUENCER_REPLY_EVERY_NS);
    return at_ns > s->now_ns ? at_ns - s->now_ns : 1;
}

bool sequencer_tick(struct sequencer *s)
{
    if (sequencer_sleep_ns(s) > 1)
        return s->has_requests;
    if (s->role == SEQUENCER_LEADING)
        sequencer_announce(s);
    if (s->role == SEQUENCER_ADOPTING)
        sequencer_adopt_tick(s);
    return true;
}
