/*
 * route: where a request goes, and what a frame from another pod holds.
 *
 * Four decisions, in this order: I lead: deliver. Another leads: relay, unless it was relayed often
 * enough. Nobody leads: hold. The hop limit makes loops impossible: the first hop goes from the
 * ingress pod to whom it believes the leader, the second only towards a higher term than the sender
 * knew.
 */
#include "headless/data/worker.h"

static void drop(struct worker *worker, enum drop_reason reason, uint64_t n)
{
    counters_drop(&worker->counters, reason, n);
}

/* A probe looks like data until it is here: the leader answers it in the app's place. */
static void deliver(struct worker *worker, const struct request *request)
{
    struct control_command command;
    struct control_probe probe;

    if (worker->view->accept_control && request->record.length > 0 &&
        control_classify(request->record.payload, request->record.length, &command, &probe) ==
            CONTROL_PROBE)
        app_answer_probe(&worker->app, request, probe.nonce);
    else
        worker->app.ops->deliver(&worker->app, request);
}

struct relay_leader route_find_leader(const struct worker *worker)
{
    const struct view *view = worker->view;
    struct relay_leader leader = {.to = view->leader,
                                  .instance = view->leader_instance,
                                  .term = view->term,
                                  .slot = view->leader_slot};

    if (view->kind != VIEW_LEADER_OUTSIDE || !view->leader.port)
        leader.to =
            address_with_port(view->leader, worker->config->relay_format == CONFIG_RELAY_FRAMED
                                                ? worker->config->relay_port
                                                : worker->config->data_port);
    return leader;
}

static void relay(struct worker *worker, const struct request *request)
{
    struct request first;

    /* The second hop only towards a higher term; never a third; never back to us. */
    if (request->hops >= FRAME_HOPS_MAX ||
        (request->hops > 0 && worker->view->term <= request->term)) {
        drop(worker, DROP_hops, 1);
        return;
    }
    /* What was held has no tag yet; nor has, once in 2^64, what has been given 0. */
    if (request->hops == 0 && !request->record.tag &&
        worker->config->relay_format == CONFIG_RELAY_FRAMED) {
        first = *request;
        first.record.tag =
            identity_tag(worker->identity, &first.record.client, &first.record.local);
        request = &first;
    }
    relay_request(&worker->relay, &worker->leader, request);
}

static void hold(struct worker *worker, const struct request *request)
{
    if (worker->view->hold_time_ns == 0)
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

void route_now(struct worker *worker, const struct request *request)
{
    switch (worker->way) {
    case VIEW_HOLD:
        hold(worker, request);
        break;
    case VIEW_DELIVER:
        deliver(worker, request);
        break;
    case VIEW_RELAY:
        relay(worker, request);
        break;
    }
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
    } else if (!view_find_member(worker->view, ingress)) {
        drop(worker, DROP_acl, 1); /* answers go to members only, whatever a frame says */
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

/* An answer to a request of a client of ours: only for origins that we wrote ourselves. */
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

void route_frame(struct worker *worker, const struct datagram *datagram)
{
    static const enum drop_reason reasons[] = {[FRAME_MALFORMED] = DROP_malformed,
                                               [FRAME_BAD_VERSION] = DROP_version,
                                               [FRAME_BAD_CLUSTER] = DROP_cluster};
    const struct address sender = address_with_port(datagram->peer, 0);
    struct frame_header header;
    struct frame_reader reader;
    enum frame_verdict verdict;
    const struct member *member;
    size_t records;

    counters_add(&worker->counters, COUNTER_FRAMES_RECEIVED, 1);
    counters_add(&worker->counters, COUNTER_BYTES_RELAY, datagram->length);
    verdict = frame_open(datagram->payload, datagram->length, worker->identity->cluster, &header,
                         &records, &reader);
    member = view_find_member(worker->view, &sender);
    if (verdict != FRAME_OK || !member) {
        counters_add(&worker->counters, COUNTER_RECEIVED_RELAY, 1);
        drop(worker, verdict != FRAME_OK ? reasons[verdict] : DROP_acl, 1);
    } else if (header.type == FRAME_DATA) {
        counters_add(&worker->counters, COUNTER_RECEIVED_RELAY, records);
        member = view_find_instance(worker->view, header.instance);
        if (member && address_equal_ip(&member->address, &sender))
            traffic_add(worker->traffic.received, member->slot, records);
        take_requests(worker, &header, &reader, &sender);
    } else {
        counters_add(&worker->counters, COUNTER_ANSWERS_RELAY, records);
        take_answers(worker, &header, &reader);
    }
}
