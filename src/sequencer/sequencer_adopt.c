/*
 * Log adoption by a new leader: it queries every member for its last index, adopts the best log
 * among those of a majority, and leads.
 *
 * Each member follows this leader by the time it acknowledges, and so takes no entry of a former
 * leader any more: what a majority has by then is all that can ever have been committed.
 *
 * With commits, a member that was restarted has lost what it once acknowledged, and does not count
 * for the majority, unless all members have acknowledged.
 */
#include "sequencer_internal.h"

static void begin_queries(struct sequencer *s)
{
    for (size_t i = 0; i < s->peer_count; i++)
        s->peers[i].has_acked = false;
    s->source = 0;
    s->goal = 0;
    s->adopt_ns = s->now_ns;
    s->query_ns = 0;
}

static void query_members(struct sequencer *s)
{
    const struct entry_ack ack = {.flags = ENTRY_ACK_QUERY};

    for (size_t i = 0; i < s->peer_count; i++) {
        if (!s->peers[i].has_acked)
            sequencer_emit_ack(s, s->peers[i].member, &ack);
    }
    s->query_ns = s->now_ns + SEQUENCER_RETRY_NS;
}

/* ---- acknowledgements ---- */

struct acks {
    size_t all, knowing; /* ourselves included; knowing: those with a normal term */
    bool are_all, are_all_live;
    const struct sequencer_peer *best; /* better than our own log; NULL: none is */
};

static bool is_better(const struct sequencer_peer *peer, uint64_t normal_term, uint64_t last)
{
    return peer->normal_term != normal_term ? peer->normal_term > normal_term : peer->last > last;
}

static struct acks count_acks(const struct sequencer *s)
{
    const struct entry_ack own = sequencer_make_ack(s);
    struct acks acks = {
        .all = 1, .knowing = own.normal_term != 0, .are_all = true, .are_all_live = true};
    uint64_t normal_term = own.normal_term, last = own.last;

    for (size_t i = 0; i < s->peer_count; i++) {
        const struct sequencer_peer *peer = &s->peers[i];

        if (!peer->has_acked) {
            acks.are_all = false;
            acks.are_all_live &= !peer->is_alive;
            continue;
        }
        acks.all++;
        acks.knowing += peer->normal_term != 0;
        if (is_better(peer, normal_term, last)) {
            acks.best = peer;
            normal_term = peer->normal_term;
            last = peer->last;
        }
    }
    return acks;
}

static bool are_enough(const struct sequencer *s, const struct acks *acks)
{
    if (acks->are_all)
        return true;
    if ((s->commits ? acks->knowing : acks->all) < s->needed)
        return false;
    return acks->are_all_live || s->now_ns >= s->adopt_ns + SEQUENCER_PATIENCE_NS;
}

/* ---- adoption ---- */

static uint64_t highest_committed(const struct sequencer *s)
{
    uint64_t committed = s->committed;

    for (size_t i = 0; i < s->peer_count; i++)
        committed = sequencer_max(committed, s->peers[i].committed);
    return committed;
}

static void become_leader(struct sequencer *s)
{
    static const struct entry_id none;
    uint64_t committed = highest_committed(s);

    if (sequencer_is_new(s)) {
        sequencer_restart(s, 1, &none);
        sequencer_report(s, SEQUENCER_JOINED, 1, 0);
    }
    for (size_t i = 0; i < s->peer_count; i++)
        s->peers[i].normal_term = s->peers[i].last = 0; /* until it acknowledges in this term */
    s->role = SEQUENCER_LEADING;
    s->normal_term = s->term;
    s->term_first = s->log.next;
    sequencer_commit(s, sequencer_min(committed, sequencer_last(s)));
    if (!s->commits)
        sequencer_deliver(s);
    s->announce_every_ns = SEQUENCER_RETRY_NS;
    sequencer_announce(s);
}

void sequencer_adopt_consider(struct sequencer *s)
{
    const struct acks acks = count_acks(s);

    if (s->source || !are_enough(s, &acks))
        return;
    if (!acks.best) {
        become_leader(s);
        return;
    }
    sequencer_follow(s, acks.best->instance);
    s->goal = acks.best->last;
    s->goal_committed = highest_committed(s);
    s->progress = 0;
    s->progress_ns = s->now_ns;
}

void sequencer_adopt_begin(struct sequencer *s)
{
    for (size_t i = 0; i < s->peer_count; i++)
        s->peers[i].committed = 0;
    begin_queries(s);
    sequencer_adopt_tick(s);
}

void sequencer_adopt_tick(struct sequencer *s)
{
    if (s->source && s->now_ns >= s->progress_ns + SEQUENCER_PROGRESS_NS)
        begin_queries(s);
    if (!s->source && s->now_ns >= s->query_ns)
        query_members(s);
    sequencer_adopt_consider(s);
}

uint64_t sequencer_adopt_ns(const struct sequencer *s, uint64_t now_ns)
{
    uint64_t patience_ns = s->adopt_ns + SEQUENCER_PATIENCE_NS;

    if (s->source)
        return sequencer_min(sequencer_request_ns(s), s->progress_ns + SEQUENCER_PROGRESS_NS);
    return patience_ns > now_ns ? sequencer_min(s->query_ns, patience_ns) : s->query_ns;
}

void sequencer_adopt_progress(struct sequencer *s)
{
    if (s->match_index > s->progress)
        s->progress_ns = s->now_ns;
    s->progress = s->match_index;
    if (s->match_index < s->goal)
        return;
    if (sequencer_last(s) > s->goal)
        sequencer_diverge(s, s->goal + 1);
    become_leader(s);
}
