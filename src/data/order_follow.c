/*
 * A member's part: the runs of its source come in, and what is missing is asked for.
 *
 * Nothing is kept out of turn: what comes after a hole is dropped, and the source is asked to go on
 * from there. So a lost frame costs one round trip, and the history needs no holes.
 *
 * A run tells the mark of the message in front of it. Where ours has another, the two histories
 * parted before: we ask again from the beginning of our run of that mark, and so on back, until the
 * marks agree. What we have from there on is not in the common order.
 */
#include "order_internal.h"

void order_follow(struct order *order, uint64_t source)
{
    order->source = source;
    order->matched = order->tail = order->back = order->until = 0;
    order->asked = order->asked_ns = 0;
    order->has_hole = false;
    order->owes_position = false;
    order->help = (struct order_help){0};
}

static void drop(struct order *order, enum drop_reason reason, uint64_t n)
{
    counters_drop(order->counters, reason, n);
}

/* ---- where a run begins ---- */

/* The first number that the app was given and that neither a majority is known to have, nor the
 * source. */
static uint64_t first_unsure(const struct order *order)
{
    return order_max(order->joined, order_max(order->committed, order->matched) + 1);
}

/* A pod that has just started takes part from the present number on; with commits from the first
 * that a majority may not have yet. */
static void join(struct order *order, const struct order_run *run)
{
    uint64_t next = run->first;

    if (order->commits)
        next = order_min(next, run->committed + 1);
    order->join_tail = run->tail;
    order_restart(order, next, NULL);
    order_report(order, ORDER_JOINED, next, 0);
}

/*
 * Nobody has what lies between our history and this run: it will not come. What we have of its
 * order by then is a majority's, where that is waited for: it keeps the rest. What the app was
 * given, and was never compared with this source's, cannot be any more; unless the mark of our last
 * is that of the message in front of the run, for then it is of the same history.
 */
void order_skip_to(struct order *order, const struct order_run *run)
{
    struct order_mark mark;
    uint64_t from;

    if (order->commits && order->epoch == order->term)
        order_commit(order, order_last(order));
    if (order_log_mark(&order->log, order_last(order), &mark) &&
        order_mark_equal(mark, run->before))
        order->matched = order_max(order->matched, order_last(order));
    order_diverge(order, first_unsure(order));
    from = order->delivered + 1;
    counters_add(order->counters, COUNTER_ORDER_MISSED, run->first - from);
    order_restart(order, run->first, &run->before);
    if (order->commits)
        order->committed = run->first - 1; /* what a source has dropped is a majority's */
    order_report(order, ORDER_MISSING, from, run->first - 1);
}

enum turn { IN_TURN, TOO_EARLY, LONG_KNOWN };

static enum turn turn_of(struct order *order, const struct order_run *run, size_t records);

/*
 * The histories parted before the oldest number that either still has. So nothing that the app was
 * given is known to be in the common order, but for what a majority had: from there on it comes
 * anew, as far as the source still has it.
 */
static enum turn begin_anew(struct order *order, const struct order_run *run, size_t records)
{
    uint64_t joined = order->joined, from;

    order->back = 0;
    from = order_min(first_unsure(order), run->tail + 1);
    order_diverge(order, order_max(from, joined));
    order_restart(order, from, NULL);
    if (from < joined)
        order_report(order, ORDER_JOINED, from, 0);
    return turn_of(order, run, records);
}

/* The message in front of the run is another here: the histories parted further back. Later frames
 * of an reply do not turn the search round. */
static enum turn find_parting(struct order *order, const struct order_run *run, size_t records)
{
    uint64_t before = run->first - 1, start;

    if (before < order->log.first) /* we have nothing older to compare */
        order->matched = 0;
    if (before < order->log.first || (run->until && run->first == run->oldest))
        return begin_anew(order, run, records); /* nor has the source */
    order->has_hole = true;
    if (order->back && before >= order->back)
        return TOO_EARLY;
    /* Probably where its term began; at least where our mark began. */
    start = run->base && run->base <= before ? run->base : order_log_run_start(&order->log, before);
    order->back = order_max(start, order->matched + 1);
    return TOO_EARLY;
}

/* It ends before what we still have. */
static enum turn far_back(struct order *order, const struct order_run *run, size_t records)
{
    if (order->matched || run->tail + 1 >= order->log.first)
        return LONG_KNOWN;                  /* an old one */
    return begin_anew(order, run, records); /* ours is all beyond the end of the source's history */
}

/* It begins before what we still have, and reaches into it: is it the same there? */
static enum turn compare_first(struct order *order, const struct order_run *run, size_t records)
{
    if (order->log.knows_before && !order_mark_equal(order->log.before, run->mark)) {
        order->matched = 0;
        return begin_anew(order, run, records);
    }
    order->log.before = run->mark;
    order->log.knows_before = true;
    return IN_TURN;
}

/* What is on its way as an reply is not asked for again for what comes beside it. */
static enum turn too_early(struct order *order, const struct order_run *run, size_t records)
{
    if (run->until && run->first == run->oldest) {
        order_help_seek(order, run, records);
        if (run->first == order->log.next)
            return IN_TURN;
    }
    order->has_hole |= run->until || order->log.next >= order->until;
    return TOO_EARLY;
}

/* Can the run be taken from its first record on? If it is too early, more is to be asked for. */
static enum turn turn_of(struct order *order, const struct order_run *run, size_t records)
{
    struct order_mark before;

    if (run->first > order->log.next)
        return too_early(order, run, records);
    if (run->first + records < order->log.first)
        return far_back(order, run, records);
    if (run->first < order->log.first)
        return compare_first(order, run, records);
    if (!order_log_mark(&order->log, run->first - 1, &before)) { /* we begin here */
        order->log.before = run->before;
        order->log.knows_before = true;
        return IN_TURN;
    }
    if (order_mark_equal(before, run->before))
        return IN_TURN;
    return find_parting(order, run, records);
}

/* ---- its records ---- */

static bool is_known(const struct order *order, uint64_t number, struct order_mark mark)
{
    struct order_mark ours;

    return number < order->log.first ||
           (order_log_mark(&order->log, number, &ours) && order_mark_equal(ours, mark));
}

/* One message; false: it cannot be taken now. */
static bool take(struct order *order, uint64_t number, struct order_mark mark,
                 const struct record *record)
{
    const struct request request = {.record = *record};

    if (number < order->log.next) {
        if (is_known(order, number, mark)) {
            drop(order, DROP_duplicate, 1);
            return true;
        }
        order_diverge(order, number);
    }
    if (order_keep(order, mark, &request))
        return true;
    drop(order, DROP_ahead, 1);
    return false;
}

/* Returns the number up to which we have what the source has. */
static uint64_t take_all(struct order *order, const struct order_run *run, size_t records,
                         struct frame_reader *reader)
{
    uint64_t number = run->first;
    struct record record;

    for (; frame_next(reader, &record); number++, records--) {
        if (!take(order, number, run->mark, &record)) {
            drop(order, DROP_ahead, records - 1);
            break;
        }
    }
    return number - 1;
}

/* ---- what a run says besides ---- */

/* We have what the leader had when its term began: from now on our history is its own. */
static void agree(struct order *order, uint64_t matched)
{
    struct order_mark next;

    if (matched + 1 >= order->log.first && matched + 1 < order->log.next) {
        next = order_log_at(&order->log, matched + 1)->mark;
        if (next.term != order->term || next.leader != order->source)
            order_diverge(order, matched + 1);
    }
    order->epoch = order->term;
}

static void hear_run(struct order *order, const struct order_run *run, size_t records,
                     struct frame_reader *reader)
{
    const uint64_t was = order->matched;
    enum turn turn;
    uint64_t matched;

    if (order_is_fresh(order))
        join(order, run);
    order->tail = order_max(order->tail, order_max(run->tail, run->first + records - 1));
    order->until = order_max(order->until, run->until);
    turn = turn_of(order, run, records);
    if (turn != IN_TURN) {
        drop(order, turn == TOO_EARLY ? DROP_ahead : DROP_duplicate, records);
        return;
    }
    if (run->until)
        order->has_hole = false; /* that it filled is not asked for again */
    matched = take_all(order, run, records, reader);
    order->matched = order_max(order->matched, matched);
    if (order->back) /* they parted behind this run: go on comparing */
        order->back = matched < order_min(order_last(order), order->tail) ? matched + 1 : 0;
    if (run->base && matched + 1 >= run->base && matched >= order->join_tail)
        agree(order, matched);
    if (!order->commits)
        order_deliver(order);
    else if (order->role == ORDER_LEARNING) /* what it learns from may have fallen behind itself */
        order_commit(order, order_min(order_max(run->committed, order->goal_committed), matched));
    else if (order->epoch == order->term)
        order_commit(order, order_min(run->committed, matched));
    order->owes_position |= order->commits && run->committed < order_last(order);
    if (order->help.is_heard)
        order_help_note(order, records, was);
    if (order->role == ORDER_LEARNING)
        order_learn_matched(order);
}

void order_hear_run(struct order *order, uint64_t from, uint64_t term, const struct order_run *run,
                    size_t records, struct frame_reader *reader)
{
    bool is_asked = order->source && (from == order->source || from == order->help.helper) &&
                    term == order->term &&
                    (order->role == ORDER_FOLLOWING || order->role == ORDER_LEARNING);

    if (!is_asked) {
        drop(order, DROP_order, records);
        return;
    }
    order->is_taking = true; /* a flush in the middle asks nothing */
    order->help.is_heard = from == order->help.helper;
    if (order->help.is_heard)
        order->help.tries = 0;
    hear_run(order, run, records, reader);
    order->help.is_heard = false;
    order->is_taking = false;
}

/* ---- asking ---- */

/* The number to ask the source for; 0: nothing is missing. */
static uint64_t number_needed(const struct order *order)
{
    if (order->role == ORDER_LEARNING && order_is_fresh(order))
        return order->commits ? order->goal_committed + 1 : order->goal + 1;
    if (order->back)
        return order->back;
    if (order->role == ORDER_LEARNING) /* what we have is compared, too */
        return order_min(order->log.next, order->goal + 1);
    return order->tail > order_last(order) ? order->log.next : 0;
}

/* At once where something came out of turn, or an reply ended short of the tail; else again. */
static bool is_time_to_ask(const struct order *order, uint64_t need)
{
    bool is_answered = need >= order->until;

    if (order->now_ns >= order->asked_ns + ORDER_RETRY_NS)
        return true;
    return need != order->asked && (order->has_hole || is_answered);
}

/* Whom we can ask; NULL: nobody, or there is nothing to ask yet. */
static const struct order_peer *find_source(const struct order *order)
{
    size_t index = order_find_peer(order, order->source);

    if (index == order->peer_count || (!order->tail && order->role != ORDER_LEARNING))
        return NULL;
    return &order->peers[index];
}

uint64_t order_ask_ns(const struct order *order)
{
    return find_source(order) && number_needed(order) ? order->asked_ns + ORDER_RETRY_NS
                                                      : UINT64_MAX;
}

void order_ask(struct order *order)
{
    const struct order_peer *source = find_source(order);
    struct order_position position;
    uint64_t need;

    if (source && order->help.helper)
        order_help_check(order);
    need = source ? number_needed(order) : 0;
    position = order_position(order);
    if (need && is_time_to_ask(order, need)) {
        position.want = order->asked = need;
        order->asked_ns = order->now_ns;
        order->has_hole = false;
        order->until = 0;
        counters_add(order->counters, COUNTER_ORDER_ASKED, 1);
    }
    if (position.want && order->help.helper) {
        order->help.tries++;
        order->ops->tell_position(order->context,
                                  order->peers[order_find_peer(order, order->help.helper)].member,
                                  &position);
        position.want = 0;
    }
    if (source && (position.want || (order->owes_position && order->epoch == order->term))) {
        order->ops->tell_position(order->context, source->member, &position);
        order->owes_position = false;
    }
}
