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

void reply_begin(struct replier *replier, const struct leader_snapshot *snapshot, bool leads,
                 uint64_t now_ns)
{
    replier->snapshot = snapshot;
    replier->now_ns = now_ns;
    replier->leads = leads;
}

void reply_send(struct replier *replier, const struct origin *origin, uint64_t term,
                const uint8_t *payload, size_t length)
{
    struct address ingress;

    if (!leader_snapshot_accepts_reply(replier->snapshot, term, replier->now_ns)) {
        counters_add(replier->counters, COUNTER_REPLIES_FENCED, 1);
        return;
    }
    if (address_is_set(&origin->ingress)) {
        ingress = address_with_port(origin->ingress, replier->relay_port);
        relay_reply(replier->relay, &ingress, origin, term, payload, length);
        return;
    }
    if (replier->outbox.count == 0 || term < replier->oldest_term)
        replier->oldest_term = term;
    outbox_add(&replier->outbox,
               &(struct outbox_message){.to = &origin->client,
                                        .from = replier->socket->wildcard ? &origin->local : NULL,
                                        .parts = {outbox_part(payload, length)},
                                        .part_count = 1,
                                        .weight = 1,
                                        .account = OUTBOX_REPLIES});
}

void reply_flush(struct replier *replier)
{
    struct outbox *outbox = &replier->outbox;

    if (outbox->count &&
        !leader_snapshot_accepts_reply(replier->snapshot, replier->oldest_term, clock_now_ns())) {
        counters_add(replier->counters, COUNTER_REPLIES_FENCED, outbox->count);
        outbox_discard(outbox);
    }
    outbox_flush(outbox);
    relay_account(&replier->outbox, replier->counters, COUNTER_RELAYED, COUNTER_REPLIES_SENT);
}
