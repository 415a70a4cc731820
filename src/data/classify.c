/*
 * classify: what a datagram on the data port is.
 *
 *   malformed no source port: a frame with such a client would be refused as a whole
 *   loop      its source is a member's own port, or ours: two pods would answer each other for ever
 *   control   {"leader": ...}: to the supervisor, who answers; broken ones are answered here
 *   data      everything else, also a probe, which travels like data and is answered by the leader
 */
#include "headless/data/worker.h"

/* A member's own port is one of its data, relay or peer port; its sending sockets have other ports.
 */
static bool is_loop(const struct worker *worker, const struct address *source)
{
    const struct config *config = worker->config;

    if (source->port != config->data_port && source->port != config->relay_port &&
        source->port != config->peer_port)
        return false;
    return view_find_member(worker->view, source) || address_equal_ip(source, &config->self);
}

/* What a member relays raw is a client's, whom we do not see: never a command, and never relayed
 * on. */
static bool is_raw_from_member(const struct worker *worker, const struct address *source)
{
    return worker->config->relay_format != CONFIG_RELAY_FRAMED &&
           view_find_member(worker->view, source) &&
           !address_equal_ip(source, &worker->config->self);
}

static void take_command(struct worker *worker, const struct datagram *datagram,
                         const struct control_command *command)
{
    const struct letter letter = {
        .command = *command,
        .client = datagram->peer,
        .local = datagram->local,
        .length = datagram->length,
    };

    /* Counted by the supervisor, under its result. */
    if (!mailbox_try_post(&worker->mailbox, &letter))
        counters_drop(&worker->counters, DROP_rate, 1);
}

static void refuse_bad_json(struct worker *worker, const struct datagram *datagram)
{
    static const char answer[] = "bad json\n";

    counters_add(&worker->counters, COUNTER_CONTROL_BAD_JSON, 1);
    if (datagram->length >= sizeof(answer) - 1 &&
        budget_take(&worker->bad_json_answers, worker->now_ns))
        (void)udp_send_one(worker->data_socket, &datagram->peer, &datagram->local, answer,
                           sizeof(answer) - 1);
}

void classify_datagram(struct worker *worker, const struct datagram *datagram)
{
    bool raw = is_raw_from_member(worker, &datagram->peer);
    struct request request;

    if (datagram->peer.port == 0) { /* legal on the wire, but nobody can be answered there */
        counters_drop(&worker->counters, DROP_malformed, 1);
        return;
    }
    if (is_loop(worker, &datagram->peer)) {
        counters_drop(&worker->counters, DROP_loop, 1);
        return;
    }
    if (worker->view->accept_control && !raw) {
        struct control_command command;
        struct control_probe probe;

        switch (control_classify(datagram->payload, datagram->length, &command, &probe)) {
        case CONTROL_COMMAND:
            take_command(worker, datagram, &command);
            return;
        case CONTROL_BAD:
            refuse_bad_json(worker, datagram);
            return;
        case CONTROL_PROBE: /* answered where requests are delivered */
        case CONTROL_DATA:
            break;
        }
    }
    request = (struct request){
        .record = {.client = datagram->peer,
                   .local = datagram->local,
                   .payload = datagram->payload,
                   .length = (uint16_t)datagram->length},
        .hops = raw ? FRAME_HOPS_MAX : 0,
    };
    route_request(worker, &request);
}
