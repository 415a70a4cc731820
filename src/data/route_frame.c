/*
 * Frames from other pods: requests to route, copies and entries for this pod's app, and replies to
 * send. Records that begin in one frame and end in another are put together (relay/reassembly.h).
 */
#include "data/route.h"
#include "data/sequencer_runner.h"

static void frame_drop(struct routing *routing, enum drop_reason reason, uint64_t n)
{
    counters_drop(&routing->counters, reason, n);
}

static bool has_our_tag(const struct routing *routing, const struct record *record)
{
    return identity_tag(routing->identity, &record->client, &record->local) == record->tag;
}

static void take_request(struct routing *routing, struct request *request,
                         const struct address *sender, bool is_kept)
{
    struct address *ingress = &request->record.ingress;

    address_adopt_zone(ingress, &routing->config->self);
    if (!address_is_set(ingress))
        *ingress = *sender; /* the first hop: its sender is the ingress pod */
    if (address_equal_ip(ingress, &routing->config->self)) {
        /* Ours, come back because this pod leads by now: never relay to self. */
        if (!has_our_tag(routing, &request->record)) {
            frame_drop(routing, DROP_tag, 1);
            return;
        }
        *ingress = (struct address){0};
    } else if (!leadership_find_member(&routing->snapshot->leader, ingress)) {
        frame_drop(routing, DROP_acl, 1); /* replies go to members only, whatever a frame says */
        return;
    }
    if (request->hops == FRAME_HOPS_MAX && is_kept)
        route_now(routing, request); /* route_takes_kept */
    else
        route_request(routing, request);
}

static void take_requests(struct routing *routing, const struct frame_header *header,
                          struct frame_reader *reader, const struct address *sender)
{
    struct request request = {.term = header->term, .hops = header->hops};

    while (frame_next(reader, &request.record))
        take_request(routing, &request, sender, frame_is_kept(header->type));
}

/* For this pod's app. A leader that has no valid time yet, or whose app refuses, holds it: no other
 * pod's reply leaves. */
static void take_copy(struct routing *routing, const struct request *copy)
{
    if (routing->snapshot->leader.kind == LEADER_SELF)
        route_request(routing, copy);
    else
        route_deliver(routing, copy);
}

static void take_copies(struct routing *routing, const struct frame_header *header,
                        struct frame_reader *reader, const struct address *sender)
{
    struct request request = {.term = header->term, .hops = header->hops, .is_copy = true};

    while (frame_next(reader, &request.record)) {
        if (routing->config->route != CONFIG_ROUTE_ALL) {
            frame_drop(routing, DROP_route, 1);
        } else if (header->hops != 1 || address_is_set(&request.record.ingress)) {
            frame_drop(routing, DROP_hops, 1); /* copies are made by the ingress pod */
        } else {
            request.record.ingress = *sender;
            take_copy(routing, &request);
            request.record.ingress = (struct address){0};
        }
    }
}

/* A frame of the sequencer. Its records are for this pod's app, with the ingress pod in each. */
static void take_sequencer_frame(struct routing *routing, const struct frame_header *header,
                                 const union frame_body *body, size_t records,
                                 struct frame_reader *reader)
{
    if (!routing->runner)
        frame_drop(routing, DROP_route, records);
    else
        sequencer_runner_take_frame(routing, header, body, records, reader);
}

/* A reply to a client of this pod: only for origins that this pod wrote itself. */
static void take_replies(struct routing *routing, const struct frame_header *header,
                         struct frame_reader *reader)
{
    struct record record;

    while (frame_next(reader, &record)) {
        const struct origin origin = {
            .client = record.client, .local = record.local, .tag = record.tag};

        if (!has_our_tag(routing, &record)) {
            counters_drop_reply(&routing->counters, DROP_tag, 1);
            continue;
        }
        /* Its request need not be kept any longer, if the reply passes. */
        if (reply_send(&routing->replier, &(struct reply){.origin = &origin,
                                                          .term = header->term,
                                                          .payload = record.payload,
                                                          .length = record.length,
                                                          .tos = record.tos}) &&
            routing->relay.kept.needs_replies)
            kept_replies_add(&routing->relay.replies, &routing->relay.kept, record.tag);
    }
}

/* The sender compares it with what it relayed, to know what a dead leader had received. */
static void count_traffic(struct routing *routing, const struct frame_header *header,
                          const struct address *sender, size_t records)
{
    const struct member *member =
        leadership_find_instance(&routing->snapshot->leader, header->instance);

    if (member && address_equal_ip(&member->address, sender))
        traffic_add(routing->traffic.received, member->member_index, records);
}

/* Whole records, of one frame. */
static void route_take_records(struct routing *routing, const struct frame_header *header,
                               const union frame_body *body, size_t records,
                               struct frame_reader *reader, const struct address *sender)
{
    uint8_t type = frame_plain_type(header->type);

    if (type == FRAME_REPLY) {
        counters_add(&routing->counters, COUNTER_REPLIES_FROM_RELAY, records);
        take_replies(routing, header, reader);
        return;
    }
    counters_add(&routing->counters, COUNTER_RECEIVED_RELAY, records);
    if (type == FRAME_DATA) {
        count_traffic(routing, header, sender, records);
        take_requests(routing, header, reader, sender);
    } else if (type == FRAME_COPY) {
        take_copies(routing, header, reader, sender);
    } else {
        take_sequencer_frame(routing, header, body, records, reader);
    }
}

/* The member that sent the frame, by its instance; NULL: unknown, or at another address. */
static const struct member *sender_of(const struct routing *routing,
                                      const struct member *by_address,
                                      const struct frame_header *header,
                                      const struct address *sender)
{
    const struct member *member = by_address;

    if (member->instance != header->instance)
        member = leadership_find_instance(&routing->snapshot->leader, header->instance);
    return member && address_equal_ip(&member->address, sender) ? member : NULL;
}

/* A frame whose records may begin or end in other frames. */
static void take_parts(struct routing *routing, const struct member *member,
                       struct relay_part *part, struct frame_reader *reader,
                       const struct address *sender)
{
    const struct frame_link *link = &part->header->link;
    struct reassembly *reassembly = &routing->reassembly;
    struct relay_whole whole;

    part->member_index = member ? member->member_index : MEMBER_INDEX_NONE;
    if (member && reassembly_continue(reassembly, part, &whole))
        route_take_records(routing, &whole.header, &whole.body, 1, &whole.reader, sender);
    if (part->records > 0 || !(link->continued || link->begun))
        route_take_records(routing, part->header, &part->body, part->records, reader, sender);
    if (member)
        reassembly_begin(reassembly, part);
    else
        reassembly_refuse(reassembly, part);
}

/* ---- kept frames ---- */

static void take_confirmation(struct routing *routing, const struct confirmation *confirmation)
{
    struct kept_mail *mail;

    if (confirmation->to != routing->identity->instance ||
        confirmation->nonce_space >= routing->worker_count || !routing->mails) {
        counters_add(&routing->counters, COUNTER_RECEIVED_RELAY, 1);
        frame_drop(routing, DROP_misdirected, 1);
        return;
    }
    if (confirmation->nonce_space == routing->relay.nonce_space.nonce_space) {
        kept_take(&routing->relay.kept, confirmation);
        return;
    }
    mail = &routing->mails[confirmation->nonce_space];
    kept_mail_put(mail, confirmation);
    waker_wake(mail->waker);
}

/* A kept frame confirms, too. */
static void take_back(struct routing *routing, const struct frame_place *place)
{
    const struct confirmation back = {
        .to = routing->identity->instance,
        .stream = place->back_stream,
        .nonce_space = place->back_nonce_space,
        .flags = place->flags & FRAME_PLACE_BACK_GAP ? CONFIRMATION_GAP : 0,
        .received = place->back_received,
        .confirmed = place->back_confirmed};

    if (place->back_stream && place->back_nonce_space < routing->worker_count && routing->mails)
        take_confirmation(routing, &back);
}

/* Its sender has its records. */
static void drop_kept(struct routing *routing, const struct relay_part *part,
                      enum drop_reason reason)
{
    const size_t records = part->records + (part->header->link.begun > 0);

    if (part->header->type == FRAME_KEPT_REPLY) {
        counters_add(&routing->counters, COUNTER_REPLIES_FROM_RELAY, records);
        counters_drop_reply(&routing->counters, reason, records);
        return;
    }
    counters_add(&routing->counters, COUNTER_RECEIVED_RELAY, records);
    frame_drop(routing, reason, records);
}

/* Sent again by a pod that does not know yet that the process is another: its records would come before
 * older ones, which that pod relays again when it knows. */
static bool is_for_earlier_process(const struct routing *routing, const struct frame_header *header)
{
    return header->type == FRAME_KEPT_DATA && header->term < routing->snapshot->leader.takes_from;
}

/* Is it the next of its stream, and can it be taken? Then it has its number in place of its sequence,
 * as a record continues in the next number. */
static bool admit_kept(struct routing *routing, const struct member *member,
                       struct frame_header *header, const struct relay_part *part)
{
    const struct frame_place *place = &part->body.place;
    enum confirm_verdict verdict;
    uint32_t index;

    if (!member || member->member_index >= MEMBERS_MAX ||
        header->nonce_space >= FRAME_AUTH_NONCE_SPACES) {
        drop_kept(routing, part, DROP_acl);
        return false;
    }
    if (is_for_earlier_process(routing, header)) {
        drop_kept(routing, part, DROP_misdirected);
        return false;
    }
    index = (uint32_t)member->member_index * FRAME_AUTH_NONCE_SPACES + header->nonce_space;
    take_back(routing, place);
    if (!route_takes_kept(routing, header)) {
        confirm_refuse(&routing->relay.confirm, index, header->instance, place);
        drop_kept(routing, part, DROP_unready);
        return false;
    }
    verdict = confirm_take(&routing->relay.confirm, index, header->instance, place);
    if (verdict != CONFIRM_TAKEN) {
        drop_kept(routing, part, verdict == CONFIRM_AHEAD ? DROP_ahead : DROP_duplicate);
        return false;
    }
    if (place->flags & FRAME_PLACE_REPLAYED)
        counters_add(&routing->counters, COUNTER_RECEIVED_AGAIN, part->records);
    routing->relay.back[member->member_index] = index + 1;
    header->sequence = place->number;
    return true;
}

/* A frame that could not be opened, or not from a member, is one datagram. */
static void refuse_frame(struct routing *routing, enum drop_reason reason)
{
    counters_add(&routing->counters, COUNTER_RECEIVED_RELAY, 1);
    frame_drop(routing, reason, 1);
}

void route_frame(struct routing *routing, struct datagram *datagram)
{
    static const enum drop_reason reasons[] = {[FRAME_MALFORMED] = DROP_malformed,
                                               [FRAME_BAD_VERSION] = DROP_version,
                                               [FRAME_BAD_CLUSTER] = DROP_cluster};
    const struct address sender = address_with_port(datagram->peer, 0);
    struct frame_header header;
    struct relay_part part = {.header = &header};
    struct frame_reader reader;
    enum drop_reason reason;
    enum frame_verdict verdict;
    const struct member *member;

    counters_add(&routing->counters, COUNTER_FRAMES_RECEIVED, 1);
    counters_add(&routing->counters, COUNTER_BYTES_RELAY, datagram->length);
    reason = frame_auth_check(&routing->frame_auth, routing->snapshot, datagram);
    if (reason != DROP_REASON_COUNT) {
        refuse_frame(routing, reason);
        return;
    }
    verdict = frame_open(datagram->payload, datagram->length, routing->identity->cluster, &header,
                         &part.records, &reader);
    member = leadership_find_member(&routing->snapshot->leader, &sender);
    if (verdict != FRAME_OK || !member) {
        refuse_frame(routing, verdict != FRAME_OK ? reasons[verdict] : DROP_acl);
        return;
    }
    if (frame_body_bytes(header.type) > 0)
        frame_get_body(datagram->payload, &header, &part.body);
    part.data = datagram_bytes(datagram);
    part.length = datagram->length;
    member = sender_of(routing, member, &header, &sender);
    if (header.type == FRAME_CONFIRM)
        take_confirmation(routing, &part.body.confirmation);
    else if (!frame_is_kept(header.type) || admit_kept(routing, member, &header, &part))
        take_parts(routing, member, &part, &reader, &sender);
}
