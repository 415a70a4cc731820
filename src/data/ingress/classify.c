/*
 * classify: what a datagram on the data port, or to a multicast group, is. In this order:
 *
 *   malformed no source port: a frame with such a client would be refused as a whole
 *   loop      its source is a member's own port, or ours: two pods would reply each other for ever
 *   acl, rate not let in, or not so many (ingress_filter.h); before anything looks into it, so commands count
 *             as well. What a member relays raw is let in: behind its one address are all clients
 *   control   {"leader": ...}: to the supervisor, who replies; broken ones are answered here
 *   data      everything else, also a probe, which travels like data and is answered by the leader
 */
#include "data/worker.h"

/* A member's own port is its data, relay or peer port; its sending sockets have other ports. */
static bool is_loop(const struct worker *worker, const struct address *source,
                    const struct address *local)
{
    const struct config *config = worker->config;

    if (source->port != config->data_port && source->port != config->relay_port &&
        source->port != config->peer_port)
        return false;
    return leader_snapshot_find_member(worker->snapshot, source) ||
           address_equal_ip(source, &config->self) ||
           address_equal_ip(source, local); /* an address of ours that is not self */
}

/* What a member relays raw is a client's, whom we do not see: no command, and not relayed on. */
static bool is_raw_from_member(const struct worker *worker, const struct address *source)
{
    return worker->config->relay_format != CONFIG_RELAY_FRAMED &&
           leader_snapshot_find_member(worker->snapshot, source) &&
           !address_equal_ip(source, &worker->config->self);
}

static enum sign_verdict judge(struct worker *worker, const struct datagram *datagram,
                               const struct leader_command *command)
{
    uint64_t now_s = clock_real_s();
    enum sign_verdict verdict = sign_judge(&worker->snapshot->signing, worker->config->cluster,
                                           datagram->payload, command, now_s);

    return verdict == SIGN_VALID ? sign_seen_take(&worker->seen, &command->signature, now_s)
                                 : verdict;
}

/*
 * The command_queue is for those who may command. A forged command, and one that has been here, gets
 * there only now and then, so that the supervisor can say so: a flood of them leaves it free.
 */
static void take_command(struct worker *worker, const struct datagram *datagram,
                         const struct leader_command *command)
{
    const struct queued_command queued = {
        .command = *command,
        .verdict = judge(worker, datagram, command),
        .client = datagram->peer,
        .local = datagram->local,
        .length = datagram->length,
        .is_multicast = datagram->source == SOURCE_GROUP,
    };
    bool is_refused = sign_is_refused(queued.verdict);

    /* Counted by the supervisor, under its result. */
    if ((!is_refused || budget_take(&worker->refusals, worker->now_ns)) &&
        command_queue_try_post(&worker->command_queue, &queued))
        return;
    if (is_refused) {
        counters_add(&worker->counters, COUNTER_CONTROL_NO_AUTH, 1);
        counters_add(&worker->counters, sign_counter(queued.verdict), 1);
    } else {
        counters_drop(&worker->counters, DROP_rate, 1);
    }
}

static void refuse_bad_json(struct worker *worker, const struct datagram *datagram)
{
    static const char reply[] = "bad json\n";

    counters_add(&worker->counters, COUNTER_CONTROL_BAD_JSON, 1);
    if (datagram->source != SOURCE_GROUP && /* every pod would reply it */
        datagram->length >= sizeof(reply) - 1 &&
        budget_take(&worker->bad_json_replies, worker->now_ns))
        (void)udp_send_one(worker->data_socket, &datagram->peer, &datagram->local, reply,
                           sizeof(reply) - 1);
}

/* True when it was a control message, and ends here. */
static bool is_control(struct worker *worker, const struct datagram *datagram)
{
    struct leader_command command;
    struct probe probe;

    switch (leader_command_classify(datagram->payload, datagram->length, &command, &probe)) {
    case LEADER_COMMAND_CLASS_COMMAND:
        take_command(worker, datagram, &command);
        return true;
    case LEADER_COMMAND_CLASS_BAD:
        refuse_bad_json(worker, datagram);
        return true;
    case LEADER_COMMAND_CLASS_PROBE: /* answered where requests are delivered */
    case LEADER_COMMAND_CLASS_DATA:
        break;
    }
    return false;
}

/* A gro_batch of which every datagram goes to the leader as it came. */
static bool is_passed_on(const struct worker *worker, const struct datagram *piece,
                         bool may_be_control)
{
    struct datagram one;

    if (!piece->segment || worker->way != ROUTE_RELAY ||
        worker->config->relay_format != CONFIG_RELAY_RAW || !hold_is_empty(&worker->hold))
        return false;
    for (uint32_t i = 0; may_be_control && i < datagram_count(piece); i++) {
        datagram_part(piece, i, &one);
        if (leader_command_is_possible(one.payload, one.length))
            return false;
    }
    return true;
}

/* What all datagrams of a piece have in common. */
static void begin_request(const struct worker *worker, const struct datagram *piece, bool raw,
                          struct request *ret_request)
{
    *ret_request = (struct request){.record = {.client = piece->peer, .local = piece->local},
                                    .hops = raw ? FRAME_HOPS_MAX : 0,
                                    .is_multicast = piece->source == SOURCE_GROUP};

    if (worker->way == ROUTE_RELAY && !ret_request->is_multicast &&
        worker->config->relay_format == CONFIG_RELAY_FRAMED &&
        worker->config->route ==
            CONFIG_ROUTE_LEADER) /* once a gro_batch; the others as they are sent */
        ret_request->record.tag =
            identity_tag(worker->identity, &ret_request->record.client, &ret_request->record.local);
}

static void take_one(struct worker *worker, const struct datagram *one, bool may_be_control,
                     struct request *request)
{
    if (may_be_control && leader_command_is_possible(one->payload, one->length) &&
        is_control(worker, one))
        return;
    request->record.payload = one->payload;
    request->record.length = (uint16_t)one->length;
    route_request(worker, request);
}

static void take_gro_batch(struct worker *worker, const struct datagram *gro_batch,
                           bool may_be_control, struct request *request)
{
    struct datagram one = *gro_batch;

    for (uint32_t i = 0; i < datagram_count(gro_batch); i++) {
        datagram_part(gro_batch, i, &one);
        take_one(worker, &one, may_be_control, request);
    }
}

/* What the ingress_filter lets in of a piece: all of it, its head in *head, or NULL for nothing. Out of line,
 * so that who has no limiter does not pay for it. */
static __attribute__((noinline)) const struct datagram *
let_in(struct worker *worker, const struct datagram *piece, struct datagram *head)
{
    uint32_t admitted = ingress_filter_admit(&worker->snapshot->ingress_filter, &worker->limiter,
                                             piece, worker->now_ns);

    if (admitted == 0)
        return NULL;
    if (admitted == datagram_count(piece))
        return piece;
    datagram_head(piece, admitted, head);
    return head;
}

void classify_piece(struct worker *worker, const struct datagram *piece)
{
    bool raw = is_raw_from_member(worker, &piece->peer);
    bool may_be_control = worker->snapshot->accept_control && !raw;
    struct datagram head;
    struct request request;

    if (piece->peer.port == 0) { /* legal on the wire, but nobody can be answered there */
        counters_drop(&worker->counters, DROP_malformed, datagram_count(piece));
        return;
    }
    if (is_loop(worker, &piece->peer, &piece->local)) {
        counters_drop(&worker->counters, DROP_loop, datagram_count(piece));
        return;
    }
    if (worker->snapshot->ingress_filter.is_guarded && !raw) {
        piece = let_in(worker, piece, &head);
        if (!piece)
            return;
    }
    if (!raw && is_passed_on(worker, piece, may_be_control)) {
        relay_raw_batch(&worker->relay, &worker->leader, piece);
        return;
    }
    begin_request(worker, piece, raw, &request);
    (piece->segment ? take_gro_batch : take_one)(worker, piece, may_be_control, &request);
}
