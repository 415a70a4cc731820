/*
 * route: where a request goes, and what a frame from another pod holds.
 *
 * Nobody leads: hold. Else by the option route: leader: I lead: deliver; another leads: relay,
 * unless it was relayed often enough. local: deliver here. all: deliver here, and copy to all other
 * live members, which deliver and never pass on. ordered: as leader, but there it is numbered and
 * goes to all (sequencer.h). What came to a multicast group goes as with local. Whose replies leave
 * is decided where they come in (app.h).
 *
 * The hop limit makes loops impossible: the first hop goes from the ingress pod to whom it believes
 * the leader, the second only towards a higher term than the sender knew.
 */
#include "data/worker.h"

static void drop(struct worker *worker, enum drop_reason reason, uint64_t n)
{
    counters_drop(&worker->counters, reason, n);
}

/* A probe looks like data until it is here: the leader replies it in the app's place. */
void route_deliver(struct worker *worker, const struct request *request)
{
    struct leader_command command;
    struct probe probe;

    if (worker->snapshot->accept_control && request->record.length > 0 &&
        leader_command_classify(request->record.payload, request->record.length, &command,
                                &probe) == LEADER_COMMAND_CLASS_PROBE)
        app_reply_to_probe(&worker->app, request, probe.nonce);
    else
        worker->app.ops->deliver(&worker->app, request);
}

struct relay_target route_find_leader(const struct worker *worker)
{
    const struct leader_snapshot *snapshot = worker->snapshot;
    struct relay_target leader = {.to = snapshot->leader,
                                  .instance = snapshot->leader_instance,
                                  .term = snapshot->term,
                                  .member_index = snapshot->leader_index};

    if (snapshot->kind != LEADER_OUTSIDE || !snapshot->leader.port)
        leader.to =
            address_with_port(snapshot->leader, worker->config->relay_format == CONFIG_RELAY_FRAMED
                                                    ? worker->config->relay_port
                                                    : worker->config->data_port);
    return leader;
}

/* An address that has been given to another pod may be two members': one copy is enough. */
static bool is_among(const struct worker *worker, size_t count, const struct address *address)
{
    for (size_t i = 0; i < count; i++) {
        if (address_equal_ip(&worker->members[i].to, address))
            return true;
    }
    return false;
}

void route_find_members(struct worker *worker)
{
    const struct leader_snapshot *snapshot = worker->snapshot;
    size_t count = 0;

    relay_copies_to(&worker->relay, worker->members, 0); /* what waits goes to the former ones */
    for (size_t i = 0; i < snapshot->member_count; i++) {
        const struct member *member = &snapshot->members[i];

        if (member->is_alive && !address_equal_ip(&member->address, &worker->config->self) &&
            !is_among(worker, count, &member->address))
            worker->members[count++] = (struct relay_target){
                .to = address_with_port(member->address, worker->config->relay_port),
                .instance = member->instance,
                .term = snapshot->term,
                .member_index = member->member_index};
    }
    relay_copies_to(&worker->relay, worker->members, count);
}

/* What was held may have no tag yet; nor has, once in 2^64, what has been given 0. */
static const struct request *tagged(const struct worker *worker, const struct request *request,
                                    struct request *room)
{
    if (request->hops > 0 || request->record.tag ||
        worker->config->relay_format != CONFIG_RELAY_FRAMED)
        return request;
    *room = *request;
    room->record.tag = identity_tag(worker->identity, &room->record.client, &room->record.local);
    return room;
}

/* To our app, and to all others': here it is counted as delivered, there as received. */
static void deliver_to_all(struct worker *worker, const struct request *request)
{
    struct request first;

    relay_copy(&worker->relay, worker->snapshot->term, tagged(worker, request, &first));
    route_deliver(worker, request);
}

static void relay(struct worker *worker, const struct request *request)
{
    struct request first;

    /* The second hop only towards a higher term; never a third; never back to us. */
    if (request->hops >= FRAME_HOPS_MAX ||
        (request->hops > 0 && worker->snapshot->term <= request->term)) {
        drop(worker, DROP_hops, 1);
        return;
    }
    relay_request(&worker->relay, &worker->leader, tagged(worker, request, &first));
}

static void hold(struct worker *worker, const struct request *request)
{
    if (worker->snapshot->hold_time_ns == 0)
        drop(worker, DROP_no_leader, 1);
    else
        hold_put(&worker->hold, request, worker->now_ns);
}

void route_request(struct worker *worker, const struct request *request)
{
    if (hold_is_empty(&worker->hold))
        route_now(worker, request);
    else
        hold(worker, request); /* behind those that came before it */
}

static void append(struct worker *worker, const struct request *request)
{
    struct request first;

    sequence_append(worker, tagged(worker, request, &first));
}

/* Whose app is it for? There is a leader. */
static void route_by_option(struct worker *worker, const struct request *request)
{
    /* What another pod relays it has taken for the leader's, whatever the option says there. */
    if (request->is_multicast ||
        (worker->config->route == CONFIG_ROUTE_LOCAL && request->hops == 0))
        route_deliver(worker, request);
    else if (worker->config->route == CONFIG_ROUTE_ALL && request->hops == 0)
        deliver_to_all(worker, request);
    else if (worker->way == ROUTE_DELIVER && worker->sequence)
        append(worker, request);
    else if (worker->way == ROUTE_DELIVER)
        route_deliver(worker, request);
    else
        relay(worker, request);
}

void route_now(struct worker *worker, const struct request *request)
{
    if (worker->way == ROUTE_HOLD)
        hold(worker, request);
    else if (request->is_copy)
        route_deliver(worker, request);
    else
        route_by_option(worker, request);
}

/* ---- frames ---- */

static bool has_our_tag(const struct worker *worker, const struct record *record)
{
    return identity_tag(worker->identity, &record->client, &record->local) == record->tag;
}

static void take_request(struct worker *worker, struct request *request,
                         const struct address *sender)
{
    struct address *ingress = &request->record.ingress;

    if (!address_is_set(ingress))
        *ingress = *sender; /* the first hop: who sent it is the ingress pod */
    if (address_equal_ip(ingress, &worker->config->self)) {
        /* Ours, come back because we lead by now: never relay to self. */
        if (!has_our_tag(worker, &request->record)) {
            drop(worker, DROP_tag, 1);
            return;
        }
        *ingress = (struct address){0};
    } else if (!leader_snapshot_find_member(worker->snapshot, ingress)) {
        drop(worker, DROP_acl, 1); /* replies go to members only, whatever a frame says */
        return;
    }
    route_request(worker, request);
}

static void take_requests(struct worker *worker, const struct frame_header *header,
                          struct frame_reader *reader, const struct address *sender)
{
    struct request request = {.term = header->term, .hops = header->hops};

    while (frame_next(reader, &request.record))
        take_request(worker, &request, sender);
}

/* For our app. A leader that is late, or whose app is, holds it: nobody else would reply. */
static void take_copy(struct worker *worker, const struct request *copy)
{
    if (worker->snapshot->kind == LEADER_SELF)
        route_request(worker, copy);
    else
        route_deliver(worker, copy);
}

static void take_copies(struct worker *worker, const struct frame_header *header,
                        struct frame_reader *reader, const struct address *sender)
{
    struct request request = {.term = header->term, .hops = header->hops, .is_copy = true};

    while (frame_next(reader, &request.record)) {
        if (worker->config->route != CONFIG_ROUTE_ALL) {
            drop(worker, DROP_route, 1);
        } else if (header->hops != 1 || address_is_set(&request.record.ingress)) {
            drop(worker, DROP_hops, 1); /* copies are made by the ingress pod */
        } else {
            request.record.ingress = *sender;
            take_copy(worker, &request);
            request.record.ingress = (struct address){0};
        }
    }
}

/* A frame of the sequencer. Its records are for our app, with the ingress pod in each. */
static void take_sequencer_frame(struct worker *worker, const struct datagram *datagram,
                                 const struct frame_header *header, struct frame_reader *reader,
                                 size_t records)
{
    union frame_body body;

    frame_get_body(datagram->payload, header, &body);
    if (!worker->sequence)
        drop(worker, DROP_route, records);
    else
        sequence_take_frame(worker, header, &body, records, reader);
}

/* An reply to a request of a client of ours: only for origins that we wrote ourselves. */
static void take_answers(struct worker *worker, const struct frame_header *header,
                         struct frame_reader *reader)
{
    struct record record;

    while (frame_next(reader, &record)) {
        const struct origin origin = {
            .client = record.client, .local = record.local, .tag = record.tag};

        if (!has_our_tag(worker, &record))
            counters_drop_reply(&worker->counters, DROP_tag, 1);
        else
            reply_send(&worker->replier, &origin, header->term, record.payload, record.length);
    }
}

/* What a member handed over, for it to know what a dead leader had got. */
static void count_traffic(struct worker *worker, const struct frame_header *header,
                          const struct address *sender, size_t records)
{
    const struct member *member = leader_snapshot_find_instance(worker->snapshot, header->instance);

    if (member && address_equal_ip(&member->address, sender))
        traffic_add(worker->traffic.received, member->member_index, records);
}

void route_frame(struct worker *worker, struct datagram *datagram)
{
    static const enum drop_reason reasons[] = {[FRAME_MALFORMED] = DROP_malformed,
                                               [FRAME_BAD_VERSION] = DROP_version,
                                               [FRAME_BAD_CLUSTER] = DROP_cluster};
    const struct address sender = address_with_port(datagram->peer, 0);
    struct frame_header header;
    struct frame_reader reader;
    enum drop_reason reason;
    enum frame_verdict verdict;
    const struct member *member;
    size_t records;

    counters_add(&worker->counters, COUNTER_FRAMES_RECEIVED, 1);
    counters_add(&worker->counters, COUNTER_BYTES_RELAY, datagram->length);
    reason = frame_auth_check(&worker->frame_auth, worker->snapshot, datagram);
    if (reason != DROP_REASON_COUNT) {
        counters_add(&worker->counters, COUNTER_RECEIVED_RELAY, 1);
        drop(worker, reason, 1);
        return;
    }
    verdict = frame_open(datagram->payload, datagram->length, worker->identity->cluster, &header,
                         &records, &reader);
    member = leader_snapshot_find_member(worker->snapshot, &sender);
    if (verdict != FRAME_OK || !member) {
        counters_add(&worker->counters, COUNTER_RECEIVED_RELAY, 1);
        drop(worker, verdict != FRAME_OK ? reasons[verdict] : DROP_acl, 1);
        return;
    }
    if (header.type == FRAME_REPLY) {
        counters_add(&worker->counters, COUNTER_REPLIES_FROM_RELAY, records);
        take_answers(worker, &header, &reader);
        return;
    }
    counters_add(&worker->counters, COUNTER_RECEIVED_RELAY, records);
    if (header.type == FRAME_DATA) {
        count_traffic(worker, &header, &sender, records);
        take_requests(worker, &header, &reader, &sender);
    } else if (header.type == FRAME_COPY) {
        take_copies(worker, &header, &reader, &sender);
    } else {
        take_sequencer_frame(worker, datagram, &header, &reader, records);
    }
}
