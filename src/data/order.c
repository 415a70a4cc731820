#include <string.h>

#include "order_internal.h"

int order_init(struct order *order, const struct order_setup *setup)
{
    *order = (struct order){.ops = setup->ops,
                            .context = setup->context,
                            .counters = setup->counters,
                            .self = setup->self,
                            .self_address = setup->self_address,
                            .commits = setup->commits};
    return order_log_init(&order->log, setup->history_bytes);
}

void order_fini(struct order *order)
{
    if (order_last(order) > order->delivered)
        counters_drop(order->counters, DROP_shutdown, order_last(order) - order->delivered);
    order_log_fini(&order->log);
    order->delivered = 0;
}

void order_begin(struct order *order, uint64_t now_ns)
{
    order->now_ns = now_ns;
}

/* ---- the history, and the app ---- */

static void set_waiting(struct order *order)
{
    atomic_store_explicit(&order->waiting, order_last(order) - order->delivered,
                          memory_order_relaxed);
    atomic_store_explicit(&order->tail_number, order_last(order), memory_order_relaxed);
}

const struct request *order_keep(struct order *order, struct order_mark mark,
                                 const struct request *request)
{
    struct order_log *log = &order->log;
    const struct request *kept;

    while (!(kept = order_log_append(log, mark, request))) {
        if (log->first < order->pinned)
            order_log_drop_oldest(log);
        else if (order->pinned <= order->delivered)
            order->ops->flush(order->context); /* what the app was given is free then */
        else
            return NULL;
    }
    set_waiting(order);
    return kept;
}

/* Only what its own leader numbered in this term may be answered: see app_may_reply. */
static void deliver_one(struct order *order, const struct queued_request *entry)
{
    struct request request = entry->request;

    request.term = entry->mark.term;
    request.hops = 1;
    request.is_copy = order->role != ORDER_LEADING || entry->mark.leader != order->self ||
                      entry->mark.term != order->term;
    if (address_equal_ip(&request.record.ingress, &order->self_address))
        request.record.ingress = (struct address){0};
    order->ops->deliver(order->context, &request);
}

void order_deliver(struct order *order)
{
    uint64_t upto = order_last(order);

    if (order->commits)
        upto = order_min(upto, order->committed);
    while (order->delivered < upto)
        deliver_one(order, order_log_at(&order->log, ++order->delivered));
    set_waiting(order);
}

void order_commit(struct order *order, uint64_t upto)
{
    if (upto <= order->committed)
        return;
    order->committed = upto;
    order_deliver(order);
}

/* Messages that are in the history from this number on go, and the app is not given them. */
static void forget(struct order *order, uint64_t from)
{
    uint64_t waiting = order_max(from, order->delivered + 1);

    if (order->delivered >= order_max(from, order->pinned))
        order->ops->flush(order->context); /* the app's may still be on their way */
    if (order_last(order) >= waiting)
        counters_drop(order->counters, DROP_diverged, order_last(order) - waiting + 1);
    order_log_cut(&order->log, from);
    order->committed = order_min(order->committed, from - 1); /* a majority has lost its memory */
}

struct order_position order_position(const struct order *order)
{
    struct order_position position = {
        .epoch = order->epoch, .last = order_last(order), .committed = order->committed};

    /* It begins anew, and waits for what it begins with. */
    if (order->log.first == order->log.next && !order->log.knows_before)
        position.epoch = position.last = 0;
    return position;
}

void order_report(struct order *order, enum order_event_type type, uint64_t from, uint64_t to)
{
    const struct order_event event = {.type = type, .from = from, .to = to, .term = order->term};

    if (type == ORDER_JOINED)
        order->joined = from;
    order->ops->report(order->context, &event);
}

void order_restart(struct order *order, uint64_t next, const struct order_mark *before)
{
    uint64_t committed = order->committed;

    if (!order_is_fresh(order))
        forget(order, order->log.first);
    order->committed = order_min(committed, next - 1);
    order_log_restart(&order->log, next, before);
    order->delivered = next - 1;
    order->pinned = next;
    set_waiting(order);
}

void order_diverge(struct order *order, uint64_t from)
{
    uint64_t told = order->delivered;

    forget(order, from);
    if (told >= from) {
        counters_add(order->counters, COUNTER_ORDER_DIVERGED, told - from + 1);
        order->delivered = from - 1;
        order->pinned = order_min(order->pinned, from);
        order_report(order, ORDER_DIVERGED, from, told);
    }
    set_waiting(order);
}

/* ---- the snapshot ---- */

size_t order_find_peer(const struct order *order, uint64_t instance)
{
    size_t i = 0;

    while (i < order->peer_count && order->peers[i].instance != instance)
        i++;
    return i;
}

static void take_members(struct order *order, const struct leadership *snapshot)
{
    struct order_peer peers[MEMBERS_MAX] = {0};
    size_t count = 0;

    for (size_t i = 0; i < snapshot->member_count; i++) {
        const struct member *member = &snapshot->members[i];
        size_t known = order_find_peer(order, member->instance);

        if (!member->instance || member->instance == order->self)
            continue;
        peers[count] = known < order->peer_count
                           ? order->peers[known]
                           : (struct order_peer){.instance = member->instance,
                                                 .replies = budget_make(ORDER_ANSWER_EVERY_NS, 4)};
        peers[count].member = i;
        peers[count++].is_alive = member->is_alive;
    }
    memcpy(order->peers, peers, count * sizeof(peers[0]));
    order->peer_count = count;
    order->needed = snapshot->votes_needed;
}

void order_set_role(struct order *order, enum order_role role)
{
    order->role = role;
    atomic_store_explicit(&order->role_now, role, memory_order_relaxed);
}

static void new_leader(struct order *order, const struct leadership *snapshot)
{
    order->term = snapshot->term;
    for (size_t i = 0; i < order->peer_count; i++)
        order->peers[i].epoch = order->peers[i].last = order->peers[i].want = 0;
    if (snapshot->kind == LEADER_MEMBER) {
        order_set_role(order, ORDER_FOLLOWING);
        order_follow(order, snapshot->instance);
    } else {
        order_set_role(order, ORDER_LEARNING);
        order_learn_begin(order);
    }
}

void order_take_snapshot(struct order *order, const struct leadership *snapshot)
{
    bool is_led = snapshot->kind == LEADER_MEMBER || snapshot->kind == LEADER_SELF;
    uint64_t leader = order->role == ORDER_FOLLOWING ? order->source
                      : order->role == ORDER_IDLE    ? 0
                                                     : order->self;

    take_members(order, snapshot);
    /* Nobody: whoever led may go on in its term. */
    if (is_led && (snapshot->term != order->term || snapshot->instance != leader))
        new_leader(order, snapshot);
}

/* ---- the end of a batch ---- */

void order_flush(struct order *order)
{
    if (order->role == ORDER_LEADING && order->commits)
        order_commit_common(order);
    if (order->is_wanted)
        order_answer_all(order);
    if ((order->role == ORDER_FOLLOWING || order->role == ORDER_LEARNING) && !order->is_taking)
        order_ask(order);
    order->pinned = order->delivered + 1;
}

/* ---- time ---- */

uint64_t order_sleep_ns(const struct order *order)
{
    uint64_t at_ns = order->now_ns + ORDER_ANNOUNCE_NS;

    if (order->role == ORDER_LEADING)
        at_ns = order->announce_ns;
    else if (order->role == ORDER_LEARNING)
        at_ns = order_learn_ns(order);
    else if (order->role == ORDER_FOLLOWING)
        at_ns = order_min(at_ns, order_ask_ns(order));
    if (order->is_wanted)
        at_ns = order_min(at_ns, order->now_ns + ORDER_ANSWER_EVERY_NS);
    return at_ns > order->now_ns ? at_ns - order->now_ns : 1;
}

bool order_tick(struct order *order)
{
    if (order_sleep_ns(order) > 1)
        return order->is_wanted;
    if (order->role == ORDER_LEADING)
        order_announce(order);
    if (order->role == ORDER_LEARNING)
        order_learn_tick(order);
    return true;
}
