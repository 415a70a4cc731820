#include "headless/data/reply.h"

int reply_init(struct replier *replier, const struct udp_socket *socket, size_t batch,
               struct relay *relay, uint16_t relay_port, struct counters *counters)
{
    *replier = (struct replier){
        .socket = socket, .relay = relay, .relay_port = relay_port, .counters = counters};
    return outbox_init(&replier->outbox, socket, batch);
}

void reply_fini(struct replier *replier)
{
    outbox_fini(&replier->outbox);
}

void reply_begin(struct replier *replier, const struct view *view, uint64_t now_ns)
{
    replier->view = view;
    replier->now_ns = now_ns;
}

void reply_send(struct replier *replier, const struct origin *origin, uint64_t term,
                const uint8_t *payload, size_t length)
{
    struct address ingress;

    if (address_is_set(&origin->ingress)) {
        ingress = address_with_port(origin->ingress, replier->relay_port);
        relay_answer(replier->relay, &ingress, origin, term, payload, length);
        return;
    }
    if (!view_accepts_reply(replier->view, term, replier->now_ns)) {
        counters_add(replier->counters, COUNTER_REPLIES_FENCED, 1);
        return;
    }
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
    outbox_flush(&replier->outbox);
    relay_account(&replier->outbox, replier->counters, COUNTER_RELAYED, COUNTER_REPLIES_SENT);
}
