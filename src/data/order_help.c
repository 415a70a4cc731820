/*
 * What a member's source no longer has, others may have: a leader that joined late, or whose
 * history is shorter, has less than those whom it leads.
 *
 * They are asked one after the other, for a while. Who has it goes on being asked until what comes
 * next is in the source's history, too. Who has not says where its own begins: if nobody is left to
 * ask, ours goes on where the one begins that reaches back furthest, and the app is told what it
 * misses.
 *
 * A member helps only when its history is known to be the leader's (order_hear_position), and one
 * that learns asks only those whose history is the source's: they agreed with the same leader last.
 * So what comes of it is the common order, and is compared as what the source itself sends.
 */
#include "order_internal.h"

#define HELP_TRIES 5 /* ORDER_RETRY_NS each: then the next one is asked */

/* ---- whom to ask ---- */

static bool can_help(const struct order *order, const struct order_peer *peer)
{
    size_t source = order_find_peer(order, order->source);

    if (!peer->is_alive || peer->has_less || peer->instance == order->source)
        return false;
    return order->role == ORDER_FOLLOWING || (peer->has_answered && source < order->peer_count &&
                                              peer->epoch == order->peers[source].epoch);
}

/* The first question to another than was asked before goes out at once. */
static void turn_to(struct order *order, uint64_t helper)
{
    order->help.helper = helper;
    order->help.tries = 0;
    order->asked = order->asked_ns = 0;
}

void order_help_end(struct order *order)
{
    turn_to(order, 0);
}

/* ---- a round ---- */

/* The gap is told, and what comes behind it is asked for, of whom has it. */
static void give_up(struct order *order)
{
    struct order_help *help = &order->help;

    turn_to(order, help->nearest_from == order->source ? 0 : help->nearest_from);
    help->has_come = true;
    help->since_ns = order->now_ns;
    order_skip_to(order, &help->nearest);
}

/* In turn, those that were silent again, too. */
static void ask_next(struct order *order)
{
    size_t last = order_find_peer(order, order->help.helper);

    for (size_t i = 1; i <= order->peer_count; i++) {
        const struct order_peer *peer = &order->peers[(last + i) % order->peer_count];

        if (can_help(order, peer)) {
            turn_to(order, peer->instance);
            return;
        }
    }
    give_up(order);
}

/* If something came of the round, the next one begins with what is missing then: who was asked
 * before may have that. */
static void leave_helper(struct order *order)
{
    if (order->help.has_come)
        order_help_end(order);
    else
        ask_next(order);
}

static void leave_lacking(struct order *order)
{
    size_t helper = order_find_peer(order, order->help.helper);

    if (helper < order->peer_count)
        order->peers[helper].has_less = true;
    leave_helper(order);
}

static void begin(struct order *order, const struct order_run *run)
{
    for (size_t i = 0; i < order->peer_count; i++)
        order->peers[i].has_less = false;
    order->help = (struct order_help){.until = run->first,
                                      .since_ns = order->now_ns,
                                      .nearest = *run,
                                      .nearest_from = order->source};
    order->progress_ns = order->now_ns; /* whom we learn from has answered */
    ask_next(order);
}

void order_help_seek(struct order *order, const struct order_run *run, size_t records)
{
    struct order_help *help = &order->help;

    if (!help->helper) {
        begin(order, run);
    } else if (help->is_heard) {
        if (records && !help->has_come && run->first < help->nearest.first) {
            help->nearest = *run;
            help->nearest_from = help->helper;
        }
        leave_lacking(order);
    }
}

void order_help_note(struct order *order, size_t records, uint64_t was)
{
    struct order_help *help = &order->help;

    if (order->matched > was) {
        help->has_come = true;
        help->since_ns = order->now_ns;
    }
    if (order->log.next >= help->until && !order->back)
        order_help_end(order);
    else if (records == 0)
        leave_lacking(order); /* it has no more */
}

void order_help_check(struct order *order)
{
    const struct order_help *help = &order->help;
    size_t helper = order_find_peer(order, help->helper);
    bool is_gone = helper == order->peer_count || !order->peers[helper].is_alive;
    uint64_t patience_ns = order->role == ORDER_LEARNING ? ORDER_PATIENCE_NS : ORDER_HELP_NS;
    bool is_silent = help->tries >= HELP_TRIES && order->now_ns >= order->asked_ns + ORDER_RETRY_NS;

    order->is_taking = true; /* a flush in the middle asks nothing */
    if (order->log.next >= help->until && !order->back) {
        order_help_end(order); /* the source had it after all */
    } else if (order->now_ns < help->since_ns + patience_ns) {
        if (is_gone || is_silent)
            leave_helper(order);
    } else if (help->has_come) {
        order_help_end(order);
    } else {
        give_up(order);
    }
    order->is_taking = false;
}
