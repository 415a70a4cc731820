/*
 * The checks, in this order:
 *
 *   malformed  no source port: a frame with such a client would be refused as a whole
 *   loop       the source is a member's own port, or ours: two pods would reply to each other for
 *              ever
 *   acl, rate  refused by the ingress filter (ingress_filter.h), before the payload is read: so
 *              commands count as well. A datagram that a member relays raw passes: its one source
 *              address stands for all clients of that member
 *   command    {"leader": ...}: to the supervisor, which replies; a malformed one is replied to here
 *   data       everything else. A probe is data too: the leader replies to it
 */
#include "data/ingress/classify.h"

#include "data/loop_guard.h"

int classifier_init(struct classifier *classifier, struct routing *routing,
                    const struct udp_socket *data_socket, struct waker *supervisor_waker)
{
    int rc;

    *classifier = (struct classifier){
        .routing = routing,
        .data_socket = data_socket,
        .bad_json_replies = budget_make(10 * NS_PER_MS, 100),
        .refusals = budget_make(100 * NS_PER_MS, COMMAND_QUEUE_LENGTH / 2),
    };
    sign_seen_init(&classifier->seen, clock_real_s());
    rc = command_queue_init(&classifier->commands, supervisor_waker);
    return rc ? rc : rate_limiter_init(&classifier->limiter, &routing->counters);
}

void classifier_fini(struct classifier *classifier)
{
    rate_limiter_fini(&classifier->limiter);
    command_queue_fini(&classifier->commands);
}

/* A member's own port is its data, relay or peer port; its sending sockets have other ports. */
static bool is_loop(const struct routing *routing, const struct address *source,
                    const struct address *local)
{
    const struct config *config = routing->config;

    if (source->port != config->data_port && source->port != config->relay_port &&
        source->port != config->peer_port)
        return false;
    return leadership_find_member(&routing->snapshot->leader, source) ||
           address_equal_ip(source, &config->self) ||
           address_equal_ip(source, local); /* an address of ours that is not self */
}

/* Its client is not known: it is never a command, and is not relayed again. */
static bool is_raw_from_member(const struct routing *routing, const struct address *source)
{
    return routing->config->relay_format != CONFIG_RELAY_FRAMED &&
           leadership_find_member(&routing->snapshot->leader, source) &&
           !address_equal_ip(source, &routing->config->self);
}

/* ---- commands ---- */

static enum sign_verdict judge_signature(struct classifier *classifier,
                                         const struct datagram *datagram,
                                         const struct leader_command *command)
{
    const struct routing *routing = classifier->routing;
    uint64_t now_s = clock_real_s();
    enum sign_verdict verdict =
        sign_judge(&routing->snapshot->keys.signing, routing->config->cluster, datagram->payload,
                   command, now_s);

    return verdict == SIGN_VALID ? sign_seen_take(&classifier->seen, &command->signature, now_s)
                                 : verdict;
}

/*
 * A forged or replayed command enters the queue only as often as the budget of refusals allows, for
 * the supervisor's log: a flood of them leaves the queue to valid commands.
 */
static void take_command(struct classifier *classifier, const struct datagram *datagram,
                         const struct leader_command *content)
{
    struct routing *routing = classifier->routing;
    const struct queued_command command = {
        .command = *content,
        .verdict = judge_signature(classifier, datagram, content),
        .client = datagram->peer,
        .local = datagram->local,
        .length = datagram->length,
        .is_multicast = datagram->source == SOURCE_GROUP,
    };
    bool is_refused = sign_is_refused(command.verdict);

    /* Counted by the supervisor, under its result. */
    if ((!is_refused || budget_take(&classifier->refusals, routing->now_ns)) &&
        command_queue_try_post(&classifier->commands, &command))
        return;
    if (is_refused) {
        counters_add(&routing->counters, COUNTER_CONTROL_NO_AUTH, 1);
        counters_add(&routing->counters, sign_counter(command.verdict), 1);
    } else {
        counters_drop(&routing->counters, DROP_rate, 1);
    }
}

static void refuse_bad_json(struct classifier *classifier, const struct datagram *datagram)
{
    static const char reply[] = "bad json\n";
    struct routing *routing = classifier->routing;

    counters_add(&routing->counters, COUNTER_CONTROL_BAD_JSON, 1);
    if (datagram->source != SOURCE_GROUP && /* every pod would reply */
        datagram->length >= sizeof(reply) - 1 &&
        budget_take(&classifier->bad_json_replies, routing->now_ns))
        (void)udp_send_one(classifier->data_socket, &datagram->peer, &datagram->local, reply,
                           sizeof(reply) - 1);
}

/* True: it was a leader command, and ends here. */
static bool is_command(struct classifier *classifier, const struct datagram *datagram)
{
    struct leader_command command;
    struct probe probe;

    switch (leader_command_classify(datagram->payload, datagram->length, &command, &probe)) {
    case LEADER_COMMAND_CLASS_COMMAND:
        take_command(classifier, datagram, &command);
        return true;
    case LEADER_COMMAND_CLASS_BAD:
        refuse_bad_json(classifier, datagram);
        return true;
    case LEADER_COMMAND_CLASS_PROBE: /* replied to where requests are delivered */
    case LEADER_COMMAND_CLASS_DATA:
        break;
    }
    return false;
}

/* ---- data ---- */

/* A GRO batch of which every datagram goes to the leader as it came. */
static bool is_passed_on(const struct routing *routing, const struct datagram *piece,
                         bool may_be_command)
{
    struct datagram one;

    if (!piece->segment || loop_guard_note(piece) || routing->decision != ROUTE_RELAY ||
        routing->config->relay_format != CONFIG_RELAY_RAW || !hold_is_empty(&routing->hold))
        return false;
    for (uint32_t i = 0; may_be_command && i < datagram_count(piece); i++) {
        datagram_part(piece, i, &one);
        if (leader_command_is_possible(one.payload, one.length))
            return false;
    }
    return true;
}

/* The fields that all datagrams of a piece have in common. */
static void begin_request(const struct routing *routing, const struct datagram *piece, bool raw,
                          struct request *ret_request)
{
    *ret_request = (struct request){.record = {.client = piece->peer,
                                               .local = piece->local,
                                               .tos = piece->tos,
                                               .ttl = loop_guard_note(piece)},
                                    .hops = raw ? FRAME_HOPS_MAX : 0,
                                    .is_multicast = piece->source == SOURCE_GROUP};

    /* One tag for a GRO batch. On the other routes a request is tagged when it is sent. */
    if (routing->decision == ROUTE_RELAY && !ret_request->is_multicast &&
        routing->config->relay_format == CONFIG_RELAY_FRAMED &&
        routing->config->route == CONFIG_ROUTE_LEADER)
        ret_request->record.tag = identity_tag(routing->identity, &ret_request->record.client,
                                               &ret_request->record.local);
}

static void take_one(struct classifier *classifier, const struct datagram *one, bool may_be_command,
                     struct request *request)
{
    if (may_be_command && leader_command_is_possible(one->payload, one->length) &&
        is_command(classifier, one))
        return;
    request->record.payload = one->payload;
    request->record.length = (uint16_t)one->length;
    route_request(classifier->routing, request);
}

static void take_gro_batch(struct classifier *classifier, const struct datagram *gro_batch,
                           bool may_be_command, struct request *request)
{
    struct datagram one = *gro_batch;

    for (uint32_t i = 0; i < datagram_count(gro_batch); i++) {
        datagram_part(gro_batch, i, &one);
        take_one(classifier, &one, may_be_command, request);
    }
}

/* The part of a piece that the ingress filter admits: all of it, its head in *head, or NULL. Out of
 * line: without a filter the caller pays nothing for it. */
static __attribute__((noinline)) const struct datagram *
admit(struct classifier *classifier, const struct datagram *piece, struct datagram *head)
{
    const struct routing *routing = classifier->routing;
    uint32_t admitted = ingress_filter_admit(&routing->snapshot->settings.ingress_filter,
                                             &classifier->limiter, piece, routing->now_ns);

    if (admitted == 0)
        return NULL;
    if (admitted == datagram_count(piece))
        return piece;
    datagram_head(piece, admitted, head);
    return head;
}

void classify_piece(struct classifier *classifier, const struct datagram *piece)
{
    struct routing *routing = classifier->routing;
    bool raw = is_raw_from_member(routing, &piece->peer);
    bool may_be_command = routing->snapshot->settings.accept_control && !raw;
    struct datagram head;
    struct request request;

    if (piece->peer.port == 0) { /* legal on the wire, but no reply can reach it */
        counters_drop(&routing->counters, DROP_malformed, datagram_count(piece));
        return;
    }
    if (is_loop(routing, &piece->peer, &piece->local)) {
        counters_drop(&routing->counters, DROP_loop, datagram_count(piece));
        return;
    }
    if (routing->snapshot->settings.ingress_filter.is_guarded && !raw) {
        piece = admit(classifier, piece, &head);
        if (!piece)
            return;
    }
    if (!raw && is_passed_on(routing, piece, may_be_command)) {
        relay_raw_batch(&routing->relay, &routing->leader, piece);
        return;
    }
    begin_request(routing, piece, raw, &request);
    (piece->segment ? take_gro_batch : take_one)(classifier, piece, may_be_command, &request);
}
