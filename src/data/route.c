/*
 * Without a leader: hold. Otherwise by the option route:
 *
 *   leader   this pod leads: deliver; another leads: relay, unless it was relayed often enough; while
 *            a former leader serves its sessions, it gets every request first
 *   local    deliver here
 *   all      deliver here, and copy to all other live members, which deliver and never pass on
 *   ordered  as leader, but the leader appends it to the log, from which all deliver (sequencer_runner.h)
 *
 * A datagram to a multicast group is routed as with local. The replies that may leave are chosen
 * where they come in (app.h).
 *
 * The hop limit makes loops impossible: the first hop goes from the ingress pod to the leader that
 * it knows, the second only towards a higher term than the sender knew. The first hop to a former
 * leader carries its term, so that it may pass the request on to the leader.
 */
#include "data/route.h"

#include "data/sequencer_runner.h"

static void route_drop(struct routing *routing, enum drop_reason reason, uint64_t n)
{
    counters_drop(&routing->counters, reason, n);
}

static bool is_probe(const struct routing *routing, const struct request *request,
                     struct probe *ret_probe)
{
    struct leader_command command;

    return routing->snapshot->settings.accept_control && request->record.length > 0 &&
           leader_command_classify(request->record.payload, request->record.length, &command,
                                   ret_probe) == LEADER_COMMAND_CLASS_PROBE;
}

/* Until here a probe is treated as data: the leader replies to it in the app's place. */
void route_deliver(struct routing *routing, const struct request *request)
{
    struct probe probe;

    if (is_probe(routing, request, &probe))
        app_reply_to_probe(&routing->app, request, probe.nonce);
    else
        routing->app.ops->deliver(&routing->app, request);
}

/* In frames to the leader's relay port, otherwise to its data port. */
static struct relay_target find_leader(const struct routing *routing)
{
    const struct config *config = routing->config;
    const struct leadership *leader = &routing->snapshot->leader;
    struct relay_target target = {.to = leader->address,
                                  .instance = leader->instance,
                                  .term = leader->term,
                                  .member_index = leader->member_index};

    if (leader->kind != LEADER_OUTSIDE || !leader->address.port)
        target.to = address_with_port(leader->address, config->relay_format == CONFIG_RELAY_FRAMED
                                                           ? config->relay_port
                                                           : config->data_port);
    return target;
}

static struct relay_target former_target(const struct routing *routing)
{
    const struct former_leader *former = &routing->snapshot->leader.former;

    return (struct relay_target){
        .to = address_with_port(former->address, routing->config->relay_port),
        .instance = former->instance,
        .term = former->term,
        .member_index = former->member_index};
}

/* Two members may have one address, after it was given to another pod: one copy is enough. */
static bool is_among(const struct routing *routing, size_t count, const struct address *address)
{
    for (size_t i = 0; i < count; i++) {
        if (address_equal_ip(&routing->members[i].to, address))
            return true;
    }
    return false;
}

static void find_members(struct routing *routing)
{
    const struct config *config = routing->config;
    const struct leadership *leader = &routing->snapshot->leader;
    size_t count = 0;

    relay_copies_to(&routing->relay, routing->members,
                    0); /* waiting copies go to the former ones */
    for (size_t i = 0; i < leader->member_count; i++) {
        const struct member *member = &leader->members[i];

        if (member->is_alive && !address_equal_ip(&member->address, &config->self) &&
            !is_among(routing, count, &member->address))
            routing->members[count++] =
                (struct relay_target){.to = address_with_port(member->address, config->relay_port),
                                      .instance = member->instance,
                                      .term = leader->term,
                                      .member_index = member->member_index};
    }
    relay_copies_to(&routing->relay, routing->members, count);
}

void route_take_snapshot(struct routing *routing)
{
    const struct data_keys *keys = &routing->snapshot->keys;

    routing->leader = find_leader(routing);
    routing->former = former_target(routing);
    routing->relay.leader_instance = routing->leader.instance;
    routing->relay.carries_tos = routing->snapshot->leader.carries_tos;
    routing->relay.keeps = routing->snapshot->leader.confirms &&
                           routing->snapshot->leader.splits_records &&
                           kept_is_on(&routing->relay.kept);
    routing->relay.leadership = &routing->snapshot->leader;
    routing->relay.leadership_number = routing->snapshot->generation;
    routing->relay.splits_records = routing->snapshot->leader.splits_records;
    routing->relay.former_instance = routing->former.instance;
    relay_seal_with(&routing->relay, keyring_find(&keys->keyring, keys->seal_key),
                    keys->seal_suite);
    if (routing->relay.copies)
        find_members(routing);
}

/* A leader that stepped down confirms what it has got, and its replies pass. */
static bool has_stepped_down(const struct leadership *leader, uint64_t now_ns)
{
    return leader->previous_term && now_ns < leader->previous_until_ns;
}

void route_follow(struct routing *routing)
{
    const struct leadership *leader = &routing->snapshot->leader;
    uint64_t gave_way_term = has_stepped_down(leader, routing->now_ns) ? leader->previous_term : 0;

    if (leader->kind == LEADER_NONE)
        return;
    if (routing->has_former && routing->former.instance != routing->identity->instance)
        relay_follow(&routing->relay, &routing->former, routing->former.term, gave_way_term);
    else
        relay_follow(&routing->relay, leader->kind == LEADER_MEMBER ? &routing->leader : NULL,
                     leader->term, gave_way_term);
}

bool route_takes_kept(const struct routing *routing, const struct frame_header *header)
{
    const struct leadership *leader = &routing->snapshot->leader;
    bool is_former = routing->has_former && routing->former.instance == routing->identity->instance;

    if (header->type == FRAME_KEPT_REPLY)
        return header->term < leader->term || leadership_is_valid(leader, routing->now_ns);
    /* By way of a leader that stepped down: it is older than all that waits here, and may be what is
     * waited for. */
    if (routing->decision == ROUTE_DELIVER && header->hops == FRAME_HOPS_MAX)
        return true;
    if (!hold_is_empty(&routing->hold) || !routing->relay.is_settled)
        return false;
    if (routing->decision == ROUTE_DELIVER)
        return true;
    /* A second hop would be dropped: its sender keeps it, and takes it to the next leader itself. */
    return routing->decision == ROUTE_RELAY &&
           (is_former || (header->hops < FRAME_HOPS_MAX && header->term == leader->previous_term &&
                          has_stepped_down(leader, routing->now_ns)));
}

/* A held request may have no tag yet. Nor has, once in 2^64, a request whose tag is 0. */
static const struct request *tagged(const struct routing *routing, const struct request *request,
                                    struct request *room)
{
    if (request->hops > 0 || request->record.tag ||
        routing->config->relay_format != CONFIG_RELAY_FRAMED)
        return request;
    *room = *request;
    room->record.tag = identity_tag(routing->identity, &room->record.client, &room->record.local);
    return room;
}

/* Counted here as delivered, at the other members as received. */
static void deliver_to_all(struct routing *routing, const struct request *request)
{
    struct request first;

    relay_copy(&routing->relay, routing->snapshot->leader.term, tagged(routing, request, &first));
    route_deliver(routing, request);
}

static void route_relay(struct routing *routing, const struct request *request)
{
    struct request first;

    /* The second hop only towards a higher term; never a third; never back to us. */
    if (request->hops >= FRAME_HOPS_MAX ||
        (request->hops > 0 && routing->snapshot->leader.term <= request->term)) {
        route_drop(routing, DROP_hops, 1);
        return;
    }
    relay_request(&routing->relay, &routing->leader, tagged(routing, request, &first));
}

static void route_hold(struct routing *routing, const struct request *request)
{
    if (routing->snapshot->settings.hold_time_ns == 0)
        route_drop(routing, DROP_no_leader, 1);
    else
        hold_put(&routing->hold, request, routing->now_ns);
}

void route_request(struct routing *routing, const struct request *request)
{
    bool is_settled = routing->relay.is_settled || routing->snapshot->settings.hold_time_ns == 0;

    if (hold_is_empty(&routing->hold) && is_settled)
        route_now(routing, request);
    else
        route_hold(routing, request); /* behind those that came before it */
}

/* The request may have been held, without a tag, until this pod led. */
static void append_to_log(struct routing *routing, const struct request *request)
{
    struct request first;

    sequencer_runner_append(routing, tagged(routing, request, &first));
}

/* True: the former leader serves it, here, or gets it first. */
static bool route_to_former(struct routing *routing, const struct request *request)
{
    bool is_self = routing->former.instance == routing->identity->instance;
    struct request first;
    struct probe probe;

    if (!is_self && request->hops == 0) {
        relay_request(&routing->relay, &routing->former, tagged(routing, request, &first));
        return true;
    }
    if (!is_self || !app_knows(&routing->app, request) || is_probe(routing, request, &probe))
        return false;
    first = *request;
    first.is_former = true;
    counters_add(&routing->counters, COUNTER_DELIVERED_FORMER, 1);
    routing->app.ops->deliver(&routing->app, &first);
    return true;
}

/* There is a leader. */
static void route_by_option(struct routing *routing, const struct request *request)
{
    /* A request that another pod relays is for the leader, whatever the option says there. */
    if (request->is_multicast ||
        (routing->config->route == CONFIG_ROUTE_LOCAL && request->hops == 0))
        route_deliver(routing, request);
    else if (routing->config->route == CONFIG_ROUTE_ALL && request->hops == 0)
        deliver_to_all(routing, request);
    else if (routing->has_former && route_to_former(routing, request))
        return;
    else if (routing->decision == ROUTE_DELIVER && routing->runner)
        append_to_log(routing, request);
    else if (routing->decision == ROUTE_DELIVER)
        route_deliver(routing, request);
    else
        route_relay(routing, request);
}

void route_now(struct routing *routing, const struct request *request)
{
    if (routing->decision == ROUTE_HOLD)
        route_hold(routing, request);
    else if (request->is_copy)
        route_deliver(routing, request);
    else
        route_by_option(routing, request);
}
