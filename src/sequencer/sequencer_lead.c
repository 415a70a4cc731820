/*
 * The leader's part: it appends and publishes, replies to requests of members, and commits what a
 * majority has. And any member's reply to a new leader's query.
 */
#include "sequencer_internal.h"

#define ANNOUNCE_FIRST_NS (5 * NS_PER_MS)      /* after the last entry; then twice as long, ... */
#define HEADROOM_BYTES    ((size_t)256 * 1024) /* a filler and an entry, of the largest */
#define DATAGRAM_MAX      RECORD_PAYLOAD_MAX   /* of UDP over IPv4 */

/* ---- append ---- */

void sequencer_make_range(const struct sequencer *s, const struct sequencer_action *action,
                          uint64_t index, struct entry_range *ret_range)
{
    static const struct entry_id none;
    const uint64_t last = sequencer_last(s);

    ret_range->first = index;
    ret_range->id =
        index >= s->log.first && index <= last ? entry_log_at(&s->log, index)->id : none;
    if (!entry_log_id(&s->log, index - 1, &ret_range->previous))
        ret_range->previous = none;
    ret_range->term_first = s->role == SEQUENCER_LEADING ? s->term_first : 0;
    ret_range->oldest = sequencer_max(s->log.first, 1);
    ret_range->reply_end = action->type == SEQUENCER_SEND ? action->entries.end : 0;
    ret_range->last = last;
    ret_range->committed = s->commits ? s->committed : last; /* without commits: all */
}

/* The entry of this index; of the next one: only a range. */
static void publish_entry(struct sequencer *s, uint64_t index)
{
    struct sequencer_action *action = sequencer_emit(s, SEQUENCER_PUBLISH);

    action->entries.first = index;
    action->entries.end = s->log.next;
    s->published_committed = s->committed;
}

void sequencer_announce(struct sequencer *s)
{
    publish_entry(s, s->log.next);
    s->announce_every_ns = sequencer_min(2 * s->announce_every_ns, SEQUENCER_ANNOUNCE_NS);
    s->announce_ns = s->now_ns + s->announce_every_ns;
}

/* Can it be sent to the members? */
static bool is_sendable(const struct sequencer *s, const struct record *record)
{
    if (s->splits_records)
        return record->length <= RECORD_PAYLOAD_MAX;
    return FRAME_HEADER_BYTES + ENTRY_RANGE_BYTES + record_header_bytes(record) + record->length <=
           DATAGRAM_MAX;
}

/* Entries that are not committed must fit into every other member's log, too, where they may lie
 * less densely: so some of ours is left free. */
static bool has_room(const struct sequencer *s)
{
    size_t waiting;

    if (!s->commits || s->delivered == sequencer_last(s))
        return true;
    waiting = entry_log_bytes_since(&s->log, s->delivered + 1);
    return waiting + HEADROOM_BYTES <= s->log.queue.arena_bytes;
}

bool sequencer_append(struct sequencer *s, const struct record *record)
{
    const struct entry_id id = {.term = s->term, .leader = s->self};
    enum sequencer_kept kept;

    if (!is_sendable(s, record)) {
        counters_drop(s->counters, DROP_oversize, 1);
        return true;
    }
    kept = has_room(s) ? sequencer_keep(s, id, record) : SEQUENCER_NO_ROOM;
    if (kept == SEQUENCER_FLUSH_FIRST)
        return false;
    if (kept == SEQUENCER_NO_ROOM) {
        counters_drop(s->counters, DROP_order_full, 1);
        return true;
    }
    counters_add(s->counters, COUNTER_ORDER_NUMBERED, 1);
    publish_entry(s, sequencer_last(s));
    s->announce_every_ns = ANNOUNCE_FIRST_NS;
    s->announce_ns = s->now_ns + ANNOUNCE_FIRST_NS;
    if (!s->commits)
        sequencer_deliver(s);
    return true;
}

/* The highest index that a majority has, this one included. */
static uint64_t majority_index(const struct sequencer *s)
{
    uint64_t had[SEQUENCER_MEMBERS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < s->peer_count; i++) {
        const struct sequencer_peer *peer = &s->peers[i];
        size_t at = count;

        if (peer->normal_term != s->term)
            continue;
        for (; at > 0 && had[at - 1] < peer->last; at--)
            had[at] = had[at - 1];
        had[at] = peer->last;
        count++;
    }
    if (s->needed <= 1)
        return sequencer_last(s);
    return count + 1 >= s->needed ? sequencer_min(had[s->needed - 2], sequencer_last(s)) : 0;
}

void sequencer_commit_majority(struct sequencer *s)
{
    sequencer_commit(s, majority_index(s));
    if (s->committed != s->published_committed)
        publish_entry(s, s->log.next);
}

/* ---- acknowledgements, and replies to them ---- */

/* Of the log, from where it was requested: as much as one reply takes. */
static void reply_to(struct sequencer *s, struct sequencer_peer *peer)
{
    uint64_t first = sequencer_min(sequencer_max(peer->request, s->log.first), s->log.next);
    struct sequencer_action *action = sequencer_emit(s, SEQUENCER_SEND);
    uint64_t end = first;
    size_t bytes = 0;

    peer->request = 0;
    for (; end < s->log.next && bytes < SEQUENCER_REPLY_BYTES; end++)
        bytes += RECORD_HEADER_MAX + entry_log_at(&s->log, end)->record.length;
    action->member = peer->member;
    action->entries.first = first;
    action->entries.end = end;
    s->has_replied = true;
    counters_add(s->counters, COUNTER_ORDER_RESENT, end - first);
}

void sequencer_reply_all(struct sequencer *s)
{
    s->has_requests = false;
    for (size_t i = 0; i < s->peer_count; i++) {
        struct sequencer_peer *peer = &s->peers[i];

        if (!peer->request || sequencer_is_new(s))
            continue;
        if (budget_take(&peer->replies, s->now_ns))
            reply_to(s, peer);
        else
            s->has_requests = true; /* when its budget allows */
    }
}

/* A member replies to its leader, and to other members once its log is known to be the leader's. */
static bool replies_to(const struct sequencer *s, bool is_our_leader)
{
    return s->role == SEQUENCER_FOLLOWING ? is_our_leader || s->normal_term == s->term
                                          : s->role != SEQUENCER_IDLE;
}

static void note_ack(struct sequencer_peer *peer, const struct entry_ack *ack)
{
    if (ack->normal_term > peer->normal_term) /* what it had before may be gone */
        peer->last = 0;
    if (ack->normal_term >= peer->normal_term) {
        peer->normal_term = ack->normal_term;
        peer->last = sequencer_max(peer->last, ack->last);
    }
    peer->committed = sequencer_max(peer->committed, ack->committed);
    peer->has_acked = true;
}

void sequencer_take_ack(struct sequencer *s, const struct sequencer_event *event)
{
    const struct entry_ack *ack = event->ack;
    size_t at = sequencer_find_peer(s, event->from);
    struct sequencer_peer *peer = &s->peers[at];
    bool is_our_leader = event->from == s->source;

    if (at == s->peer_count || event->term != s->term || !replies_to(s, is_our_leader)) {
        counters_add(s->counters, COUNTER_ORDER_REFUSED, 1);
        return;
    }
    if (ack->request) {
        peer->request = ack->request;
        s->has_requests = true;
    }
    if (s->role != SEQUENCER_FOLLOWING) {
        note_ack(peer, ack);
    } else if (is_our_leader && ack->flags & ENTRY_ACK_QUERY) {
        const struct entry_ack own = sequencer_make_ack(s);

        sequencer_emit_ack(s, peer->member, &own);
    }
    if (s->role == SEQUENCER_ADOPTING)
        sequencer_adopt_consider(s);
}
