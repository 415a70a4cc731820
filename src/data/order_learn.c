/*
 * A new leader's part: it asks every member how far it is, takes over the best history among
 * those of a majority, and leads.
 *
 * Each member follows this leader by the time it replies, and so takes no number of a former one
 * any more: what a majority has by then is all that can ever have been committed.
 *
 * With commits, a member that was restarted has forgotten what it once had, and does not count for
 * the majority, unless all members have answered.
 */
#include "order_internal.h"

static void ask_around(struct order *order)
{
    for (size_t i = 0; i < order->peer_count; i++)
        order->peers[i].has_answered = false;
    order->source = 0;
    order->goal = 0;
    order->learn_ns = order->now_ns;
    order->query_ns = 0;
}

static void query(struct order *order)
{
    const struct order_position position = {.flags = ORDER_POSITION_QUERY};

    for (size_t i = 0; i < order->peer_count; i++) {
        if (!order->peers[i].has_answered)
            order->ops->tell_position(order->context, order->peers[i].member, &position);
    }
    order->query_ns = order->now_ns + ORDER_RETRY_NS;
}

/* ---- who has answered ---- */

struct replies {
    size_t all, knowing; /* ourselves included; knowing: those that are not new */
    bool are_all, are_all_live;
    const struct order_peer *best; /* better than our own history; NULL: none is */
};

static bool is_better(const struct order_peer *peer, uint64_t epoch, uint64_t last)
{
    return peer->epoch != epoch ? peer->epoch > epoch : peer->last > last;
}

static struct replies count_answers(const struct order *order)
{
    const struct order_position own = order_position(order);
    struct replies replies = {
        .all = 1, .knowing = own.epoch != 0, .are_all = true, .are_all_live = true};
    uint64_t epoch = own.epoch, last = own.last;

    for (size_t i = 0; i < order->peer_count; i++) {
        const struct order_peer *peer = &order->peers[i];

        if (!peer->has_answered) {
            replies.are_all = false;
            replies.are_all_live &= !peer->is_alive;
            continue;
        }
        replies.all++;
        replies.knowing += peer->epoch != 0;
        if (is_better(peer, epoch, last)) {
            replies.best = peer;
            epoch = peer->epoch;
            last = peer->last;
        }
    }
    return replies;
}

static bool are_enough(const struct order *order, const struct replies *replies)
{
    if (replies->are_all)
        return true;
    if ((order->commits ? replies->knowing : replies->all) < order->needed)
        return false;
    return replies->are_all_live || order->now_ns >= order->learn_ns + ORDER_PATIENCE_NS;
}

/* ---- and then ---- */

static uint64_t highest_committed(const struct order *order)
{
    uint64_t committed = order->committed;

    for (size_t i = 0; i < order->peer_count; i++)
        committed = order_max(committed, order->peers[i].committed);
    return committed;
}

static void lead(struct order *order)
{
    static const struct order_mark nobody;
    uint64_t committed = highest_committed(order);

    if (order_is_fresh(order)) {
        order_restart(order, 1, &nobody);
        order_report(order, ORDER_JOINED, 1, 0);
    }
    for (size_t i = 0; i < order->peer_count; i++)
        order->peers[i].epoch = order->peers[i].last = 0; /* until it says so of this term */
    order_set_role(order, ORDER_LEADING);
    order->epoch = order->term;
    order->base = order->log.next;
    order_commit(order, order_min(committed, order_last(order)));
    if (!order->commits)
        order_deliver(order);
    order->announce_every_ns = ORDER_RETRY_NS;
    order_announce(order);
}

void order_learn_consider(struct order *order)
{
    const struct replies replies = count_answers(order);

    if (order->source || !are_enough(order, &replies))
        return;
    if (!replies.best) {
        lead(order);
        return;
    }
    order_follow(order, replies.best->instance);
    order->goal = replies.best->last;
    order->goal_committed = highest_committed(order);
    order->progress = 0;
    order->progress_ns = order->now_ns;
}

void order_learn_begin(struct order *order)
{
    for (size_t i = 0; i < order->peer_count; i++)
        order->peers[i].committed = 0;
    ask_around(order);
    order_learn_tick(order);
}

void order_learn_tick(struct order *order)
{
    if (order->source && order->now_ns >= order->progress_ns + ORDER_PROGRESS_NS)
        ask_around(order);
    if (!order->source && order->now_ns >= order->query_ns)
        query(order);
    order_learn_consider(order);
}

uint64_t order_learn_ns(const struct order *order)
{
    uint64_t patience_ns = order->learn_ns + ORDER_PATIENCE_NS;

    if (order->source)
        return order_min(order_ask_ns(order), order->progress_ns + ORDER_PROGRESS_NS);
    return patience_ns > order->now_ns ? order_min(order->query_ns, patience_ns) : order->query_ns;
}

void order_learn_matched(struct order *order)
{
    if (order->matched > order->progress)
        order->progress_ns = order->now_ns;
    order->progress = order->matched;
    if (order->matched < order->goal)
        return;
    if (order_last(order) > order->goal)
        order_diverge(order, order->goal + 1);
    lead(order);
}
