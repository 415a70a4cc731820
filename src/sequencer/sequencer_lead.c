/*
 * The leader's part: it numbers and publishes, answers the questions of members, and counts what a
 * majority has. And what any member answers a leader that asks.
 */
#include "sequencer_internal.h"

#define ANNOUNCE_FIRST_NS (5 * NS_PER_MS)      /* after the last message; then twice as long, ... */
#define HEADROOM_BYTES    ((size_t)256 * 1024) /* a filler and an entry, of the largest */

/* ---- numbering ---- */

static struct entry_range range_at(const struct sequencer *s, uint64_t index)
{
    struct entry_range range = {.first = index,
                                .term_first = s->role == SEQUENCER_LEADING ? s->term_first : 0,
                                .oldest = sequencer_max(s->log.first, 1),
                                .last = sequencer_last(s),
                                /* without commits, whatever is there may be given */
                                .committed = s->commits ? s->committed : sequencer_last(s)};

    if (index < s->log.next)
        (void)entry_log_id(&s->log, index, &range.id);
    (void)entry_log_id(&s->log, index - 1, &range.previous);
    return range;
}

static void publish(struct sequencer *s, uint64_t index, const struct request *request)
{
    const struct entry_range range = range_at(s, index);

    s->published_committed = s->committed;
    s->ops->publish(s->context, &range, request);
}

void sequencer_announce(struct sequencer *s)
{
    publish(s, s->log.next, NULL);
    s->announce_every_ns = sequencer_min(2 * s->announce_every_ns, SEQUENCER_ANNOUNCE_NS);
    s->announce_ns = s->now_ns + s->announce_every_ns;
}

static bool fits_a_frame(const struct request *request)
{
    return FRAME_HEADER_BYTES + ENTRY_RANGE_BYTES + record_header_bytes(&request->record) +
               request->record.length <=
           UDP_PAYLOAD_MAX;
}

/* What waits for a majority must fit into every other member's history, too, whose entries lie
 * otherwise: so some is left free. */
static bool has_room(const struct sequencer *s)
{
    const struct entry_log *log = &s->log;
    size_t waiting;

    if (!s->commits || s->delivered == sequencer_last(s))
        return true;
    waiting = request_queue_since(&log->queue, entry_log_at(log, s->delivered + 1));
    return waiting + HEADROOM_BYTES <= log->queue.arena_bytes;
}

void sequencer_append(struct sequencer *s, const struct request *request)
{
    const struct entry_id id = {.term = s->term, .leader = s->self};
    struct request named = *request;
    const struct request *kept;

    if (!address_is_set(&named.record.ingress))
        named.record.ingress = s->self_address;
    if (!fits_a_frame(&named)) {
        counters_drop(s->counters, DROP_oversize, 1);
        return;
    }
    kept = has_room(s) ? sequencer_keep(s, id, &named) : NULL;
    if (!kept) {
        counters_drop(s->counters, DROP_order_full, 1);
        return;
    }
    counters_add(s->counters, COUNTER_ORDER_NUMBERED, 1);
    publish(s, sequencer_last(s), kept);
    s->announce_every_ns = ANNOUNCE_FIRST_NS;
    s->announce_ns = s->now_ns + ANNOUNCE_FIRST_NS;
    if (!s->commits)
        sequencer_deliver(s);
}

/* The highest number that so many of us have, this one included. */
static uint64_t majority_index(const struct sequencer *s)
{
    uint64_t had[VIEW_MEMBERS_MAX];
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
        publish(s, s->log.next, NULL);
}

/* ---- positions, and answers to them ---- */

/* Of the history, from where it was asked for: as much as one answer takes. */
static void answer(struct sequencer *s, struct sequencer_peer *peer)
{
    uint64_t first = sequencer_min(sequencer_max(peer->request, s->log.first), s->log.next);
    uint64_t until = first;
    size_t bytes = 0;

    peer->request = 0;
    for (; until < s->log.next && bytes < SEQUENCER_REPLY_BYTES; until++)
        bytes += RECORD_HEADER_MAX + entry_log_at(&s->log, until)->request.record.length;
    for (uint64_t index = first; index < until || index == first; index++) {
        struct entry_range range = range_at(s, index);

        range.reply_end = until;
        s->ops->send(s->context, peer->member, &range,
                     index < until ? &entry_log_at(&s->log, index)->request : NULL);
    }
    counters_add(s->counters, COUNTER_ORDER_RESENT, until - first);
}

void sequencer_reply_all(struct sequencer *s)
{
    s->has_requests = false;
    for (size_t i = 0; i < s->peer_count; i++) {
        struct sequencer_peer *peer = &s->peers[i];

        if (!peer->request || sequencer_is_new(s))
            continue;
        if (budget_take(&peer->replies, s->now_ns))
            answer(s, peer);
        else
            s->has_requests = true; /* when it is its turn again */
    }
}

/* To a leader that asks: what we have. */
static void send_ack(struct sequencer *s, const struct sequencer_peer *peer)
{
    const struct entry_ack ack = sequencer_ack(s);

    s->ops->send_ack(s->context, peer->member, &ack);
}

/* A member answers its leader, and other members once its history is known to be the leader's. */
static bool answers(const struct sequencer *s, bool is_our_leader)
{
    return s->role == SEQUENCER_FOLLOWING ? is_our_leader || s->normal_term == s->term
                                          : s->role != SEQUENCER_IDLE;
}

void sequencer_take_ack(struct sequencer *s, uint64_t from, uint64_t term,
                        const struct entry_ack *ack)
{
    size_t index = sequencer_find_peer(s, from);
    struct sequencer_peer *peer = &s->peers[index];
    bool is_our_leader = from == s->source;

    if (index == s->peer_count || term != s->term || !answers(s, is_our_leader)) {
        counters_add(s->counters, COUNTER_ORDER_REFUSED, 1);
        return;
    }
    if (ack->request) {
        peer->request = ack->request;
        s->has_requests = true;
    }
    if (s->role == SEQUENCER_FOLLOWING) {
        if (is_our_leader && ack->flags & ENTRY_ACK_QUERY)
            send_ack(s, peer);
        return;
    }
    if (ack->normal_term > peer->normal_term) /* what it had before may be gone */
        peer->last = 0;
    if (ack->normal_term >= peer->normal_term) {
        peer->normal_term = ack->normal_term;
        peer->last = sequencer_max(peer->last, ack->last);
    }
    peer->committed = sequencer_max(peer->committed, ack->committed);
    peer->has_acked = true;
    if (s->role == SEQUENCER_ADOPTING)
        sequencer_adopt_consider(s);
}
