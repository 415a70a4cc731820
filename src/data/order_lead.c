/*
 * The leader's part: it numbers and publishes, replies the questions of members, and counts what a
 * majority has. And what any member replies a leader that asks.
 */
#include "order_internal.h"

#define ANNOUNCE_FIRST_NS (5 * NS_PER_MS)      /* after the last message; then twice as long, ... */
#define HEADROOM_BYTES    ((size_t)256 * 1024) /* a filler and an entry, of the largest */

/* ---- numbering ---- */

static struct order_run run_at(const struct order *order, uint64_t number)
{
    struct order_run run = {.first = number,
                            .base = order->role == ORDER_LEADING ? order->base : 0,
                            .oldest = order_max(order->log.first, 1),
                            .tail = order_last(order),
                            /* without commits, whatever is there may be given */
                            .committed = order->commits ? order->committed : order_last(order)};

    if (number < order->log.next)
        (void)order_log_mark(&order->log, number, &run.mark);
    (void)order_log_mark(&order->log, number - 1, &run.before);
    return run;
}

static void publish(struct order *order, uint64_t number, const struct request *request)
{
    const struct order_run run = run_at(order, number);

    order->told_committed = order->committed;
    order->ops->publish(order->context, &run, request);
}

void order_announce(struct order *order)
{
    publish(order, order->log.next, NULL);
    order->announce_every_ns = order_min(2 * order->announce_every_ns, ORDER_ANNOUNCE_NS);
    order->announce_ns = order->now_ns + order->announce_every_ns;
}

static bool fits_a_frame(const struct request *request)
{
    return FRAME_HEADER_BYTES + ORDER_RUN_BYTES + record_header_bytes(&request->record) +
               request->record.length <=
           UDP_PAYLOAD_MAX;
}

/* What waits for a majority must fit into every other member's history, too, whose entries lie
 * otherwise: so some is left free. */
static bool has_room(const struct order *order)
{
    const struct order_log *log = &order->log;
    size_t waiting;

    if (!order->commits || order->delivered == order_last(order))
        return true;
    waiting = request_queue_since(&log->queue, order_log_at(log, order->delivered + 1));
    return waiting + HEADROOM_BYTES <= log->queue.arena_bytes;
}

void order_number(struct order *order, const struct request *request)
{
    const struct order_mark mark = {.term = order->term, .leader = order->self};
    struct request named = *request;
    const struct request *kept;

    if (!address_is_set(&named.record.ingress))
        named.record.ingress = order->self_address;
    if (!fits_a_frame(&named)) {
        counters_drop(order->counters, DROP_oversize, 1);
        return;
    }
    kept = has_room(order) ? order_keep(order, mark, &named) : NULL;
    if (!kept) {
        counters_drop(order->counters, DROP_order_full, 1);
        return;
    }
    counters_add(order->counters, COUNTER_ORDER_NUMBERED, 1);
    publish(order, order_last(order), kept);
    order->announce_every_ns = ANNOUNCE_FIRST_NS;
    order->announce_ns = order->now_ns + ANNOUNCE_FIRST_NS;
    if (!order->commits)
        order_deliver(order);
}

/* The highest number that so many of us have, this one included. */
static uint64_t common_number(const struct order *order)
{
    uint64_t had[MEMBERS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < order->peer_count; i++) {
        const struct order_peer *peer = &order->peers[i];
        size_t at = count;

        if (peer->epoch != order->term)
            continue;
        for (; at > 0 && had[at - 1] < peer->last; at--)
            had[at] = had[at - 1];
        had[at] = peer->last;
        count++;
    }
    if (order->needed <= 1)
        return order_last(order);
    return count + 1 >= order->needed ? order_min(had[order->needed - 2], order_last(order)) : 0;
}

void order_commit_common(struct order *order)
{
    order_commit(order, common_number(order));
    if (order->committed != order->told_committed)
        publish(order, order->log.next, NULL);
}

/* ---- positions, and replies to them ---- */

/* Of the history, from where it was asked for: as much as one reply takes. */
static void reply(struct order *order, struct order_peer *peer)
{
    uint64_t first = order_min(order_max(peer->want, order->log.first), order->log.next);
    uint64_t until = first;
    size_t bytes = 0;

    peer->want = 0;
    for (; until < order->log.next && bytes < ORDER_ANSWER_BYTES; until++)
        bytes += RECORD_HEADER_MAX + order_log_at(&order->log, until)->request.record.length;
    for (uint64_t number = first; number < until || number == first; number++) {
        struct order_run run = run_at(order, number);

        run.until = until;
        order->ops->send(order->context, peer->member, &run,
                         number < until ? &order_log_at(&order->log, number)->request : NULL);
    }
    counters_add(order->counters, COUNTER_ORDER_RESENT, until - first);
}

void order_answer_all(struct order *order)
{
    order->is_wanted = false;
    for (size_t i = 0; i < order->peer_count; i++) {
        struct order_peer *peer = &order->peers[i];

        if (!peer->want || order_is_fresh(order))
            continue;
        if (budget_take(&peer->replies, order->now_ns))
            reply(order, peer);
        else
            order->is_wanted = true; /* when it is its turn again */
    }
}

/* To a leader that asks: what we have. */
static void tell_position(struct order *order, const struct order_peer *peer)
{
    const struct order_position position = order_position(order);

    order->ops->tell_position(order->context, peer->member, &position);
}

/* A member replies its leader, and other members once its history is known to be the leader's. */
static bool replies(const struct order *order, bool is_our_leader)
{
    return order->role == ORDER_FOLLOWING ? is_our_leader || order->epoch == order->term
                                          : order->role != ORDER_IDLE;
}

void order_hear_position(struct order *order, uint64_t from, uint64_t term,
                         const struct order_position *position)
{
    size_t index = order_find_peer(order, from);
    struct order_peer *peer = &order->peers[index];
    bool is_our_leader = from == order->source;

    if (index == order->peer_count || term != order->term || !replies(order, is_our_leader)) {
        counters_add(order->counters, COUNTER_ORDER_REFUSED, 1);
        return;
    }
    if (position->want) {
        peer->want = position->want;
        order->is_wanted = true;
    }
    if (order->role == ORDER_FOLLOWING) {
        if (is_our_leader && position->flags & ORDER_POSITION_QUERY)
            tell_position(order, peer);
        return;
    }
    if (position->epoch > peer->epoch) /* what it had before may be gone */
        peer->last = 0;
    if (position->epoch >= peer->epoch) {
        peer->epoch = position->epoch;
        peer->last = order_max(peer->last, position->last);
    }
    peer->committed = order_max(peer->committed, position->committed);
    peer->has_answered = true;
    if (order->role == ORDER_LEARNING)
        order_learn_consider(order);
}
