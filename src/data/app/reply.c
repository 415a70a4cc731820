#include "data/app/reply.h"

#include "headless/base/clock.h"

int reply_init(struct replier *replier, const struct udp_socket *socket,
               const struct config *config, struct relay *relay, struct counters *counters)
{
    *replier = (struct replier){
        .socket = socket, .relay = relay, .relay_port = config->relay_port, .counters = counters};
    return outbox_init(&replier->outbox, socket, config->batch, config->gso);
}

void reply_fini(struct replier *replier)
{
    outbox_fini(&replier->outbox);
}

bool reply_send(struct replier *replier, const struct reply *reply)
{
    const struct origin *origin = reply->origin;
    struct address ingress;

    if (!leadership_accepts_reply(&replier->snapshot->leader, reply->term, replier->now_ns)) {
        counters_add(replier->counters, COUNTER_REPLIES_FENCED, 1);
        return false;
    }
    if (address_is_set(&origin->ingress)) {
        ingress = address_with_port(origin->ingress, replier->relay_port);
        relay_reply(replier->relay, &ingress, reply);
        return true;
    }
    if (replier->outbox.count == replier->outbox.capacity)
        reply_flush(replier);
    if (replier->outbox.count == 0 || reply->term < replier->oldest_term)
        replier->oldest_term = reply->term;
    outbox_add(&replier->outbox,
               &(struct outbox_message){.to = &origin->client,
                                        .from = replier->socket->wildcard ? &origin->local : NULL,
                                        .parts = {outbox_part(reply->payload, reply->length)},
                                        .part_count = 1,
                                        .weight = 1,
                                        .account = OUTBOX_REPLIES,
                                        .tos = reply->tos});
    return true;
}

void reply_flush(struct replier *replier)
{
    struct outbox *outbox = &replier->outbox;
    bool is_fenced =
        outbox->count &&
        !leadership_accepts_reply(&replier->snapshot->leader, replier->oldest_term, clock_now_ns());

    if (is_fenced) {
        counters_add(replier->counters, COUNTER_REPLIES_FENCED, outbox->count);
        outbox_discard(outbox);
    }
    if (outbox->count)
        outbox_flush(outbox);
    if (replier->relay->replies.leaving_count)
        kept_replies_flush(&replier->relay->replies, &replier->relay->kept, !is_fenced);
    relay_account(&replier->outbox, replier->counters, COUNTER_RELAYED, COUNTER_REPLIES_SENT);
}
