#include <errno.h>
#include <stdlib.h>

#include "data/relay/link.h"
#include "headless/base/log.h"

int relay_init(struct relay *relay, const struct config *config, const struct identity *identity,
               uint16_t nonce_space, struct counters *counters, struct traffic *traffic)
{
    *relay = (struct relay){.identity = identity,
                            .format = config->relay_format,
                            .mtu = config->relay_mtu,
                            .relay_port = config->relay_port,
                            .batch = config->batch,
                            .gso_max = config->gso,
                            .is_sealing = config_seals(config),
                            .counters = counters,
                            .traffic = traffic};
    nonce_space_init(&relay->nonce_space, KEY_FOR_FRAMES, identity->instance, nonce_space);
    if (relay->is_sealing && !(relay->large = malloc(UDP_PAYLOAD_MAX)))
        return -ENOMEM;
    if (!config_makes_copies(config))
        return 0;
    relay->copies = calloc(1, sizeof(*relay->copies));
    if (!relay->copies)
        return -ENOMEM;
    *relay->copies = (struct relay_link){.to = identity->self, .socket.fd = -1};
    return relay_link_make_room(relay, relay->copies);
}

void relay_fini(struct relay *relay)
{
    for (size_t i = 0; i < relay->link_count; i++) {
        relay_link_close(relay->links[i]);
        free(relay->links[i]);
    }
    relay->link_count = 0;
    if (relay->copies)
        relay_link_close(relay->copies);
    free(relay->copies);
    free(relay->large);
    relay_keep_fini(relay);
    relay->copies = NULL;
    relay->large = NULL;
    sodium_memzero(&relay->nonce_space.subkey, sizeof(relay->nonce_space.subkey));
}

void relay_seal_with(struct relay *relay, const struct key *key, enum seal_suite suite)
{
    relay->key = key;
    relay->suite = suite;
}

/* NULL: the requests were dropped. */
static struct relay_link *link_to_leader(struct relay *relay, const struct relay_target *leader,
                                         uint32_t requests)
{
    struct relay_link *link = relay_link_to_target(relay, leader);

    if (!link)
        counters_drop(relay->counters, DROP_send_failed, requests);
    return link;
}

void relay_raw_batch(struct relay *relay, const struct relay_target *leader,
                     const struct datagram *gro_batch)
{
    struct relay_link *link = link_to_leader(relay, leader, datagram_count(gro_batch));

    if (link)
        outbox_add_run(
            &link->outbox,
            &(struct outbox_message){.parts = {outbox_part(gro_batch->payload, gro_batch->length)},
                                     .part_count = 1,
                                     .weight = 1,
                                     .account = OUTBOX_REQUESTS,
                                     .tos = gro_batch->tos},
            gro_batch->segment);
}

void relay_request(struct relay *relay, const struct relay_target *leader,
                   const struct request *request)
{
    struct relay_link *link = link_to_leader(relay, leader, 1);

    if (!link)
        return;
    if (relay->format != CONFIG_RELAY_FRAMED)
        relay_link_send_plain(relay, link, &request->record);
    else
        relay_link_pack(relay, link,
                        &(struct frame_header){.type = relay->keeps ? FRAME_KEPT_DATA : FRAME_DATA,
                                               .hops = (uint8_t)(request->hops + 1),
                                               .term = leader->term},
                        NULL, &request->record);
}

void relay_reply(struct relay *relay, const struct address *to, const struct reply *reply)
{
    struct relay_link *link = relay_link_to(relay, to);
    const struct record record = {.client = reply->origin->client,
                                  .local = reply->origin->local,
                                  .tag = reply->origin->tag,
                                  .payload = reply->payload,
                                  .length = (uint16_t)reply->length,
                                  .tos = reply->tos};
    bool keeps;

    if (!link) {
        counters_drop_reply(relay->counters, DROP_send_failed, 1);
        return;
    }
    keeps = relay->keeps && relay_link_is_to_member(relay, link);
    relay_link_pack(relay, link,
                    &(struct frame_header){.type = keeps ? FRAME_KEPT_REPLY : FRAME_REPLY,
                                           .hops = 1,
                                           .term = reply->term},
                    NULL, &record);
}

/* ---- copies ---- */

/* Frames of the links are sent first, so that sequences stay in order on each link. */
static void send_copies(struct relay *relay, uint64_t records)
{
    for (size_t i = 0; i < relay->link_count; i++)
        relay_link_flush(relay, relay->links[i]);
    relay_pack_finish(relay, relay->copies);
    for (size_t i = 0; i < relay->member_count; i++) {
        struct relay_link *link = relay_link_to_target(relay, &relay->members[i]);

        if (link)
            relay_link_send_copies(relay, link, relay->copies);
        else
            counters_drop_copies(relay->counters, DROP_send_failed, records);
    }
}

void relay_copies_flush(struct relay *relay)
{
    uint64_t records = relay_pack_close(relay->copies);

    if (relay->copies->frame_count == 0)
        return;
    counters_add(relay->counters, COUNTER_COPIES_MADE, records * relay->member_count);
    if (relay->is_sealing && !relay->key) /* the key was removed while they were delayed */
        counters_drop_copies(relay->counters, DROP_key, records * relay->member_count);
    else
        send_copies(relay, records);
    relay->copies->frame_count = 0;
    relay->copies_due_ns = relay->now_ns + relay->linger_ns;
}

void relay_linger(struct relay *relay, uint64_t linger_ns)
{
    relay->linger_ns = linger_ns;
}

uint64_t relay_rest_ns(const struct relay *relay)
{
    if (relay->linger_ns == 0 || relay->now_ns >= relay->copies_due_ns)
        return 0;
    return relay->copies_due_ns - relay->now_ns;
}

uint64_t relay_copies_sleep_ns(const struct relay *relay)
{
    const struct relay_link *copies = relay->copies;

    if (copies->frame_count == 0 && !copies->is_packing)
        return UINT64_MAX;
    return relay_rest_ns(relay);
}

void relay_copies_size(struct relay *relay)
{
    struct relay_link *copies = relay->copies;

    relay_link_size_frames(relay, copies, 0);
    for (size_t i = 0; i < relay->member_count; i++) {
        const struct relay_link *link = relay_link_to_target(relay, &relay->members[i]);

        if (link && link->frame_bytes < copies->frame_bytes)
            copies->frame_bytes = link->frame_bytes;
    }
    relay->copies_are_sized = true;
}

void relay_copies_to(struct relay *relay, const struct relay_target *members, size_t count)
{
    relay_copies_flush(relay);
    relay->copies_are_sized = false;
    relay->members = members;
    relay->member_count = count;
}

void relay_copy(struct relay *relay, uint64_t term, const struct request *request)
{
    if (relay->member_count)
        relay_link_pack(relay, relay->copies,
                        &(struct frame_header){
                            .type = FRAME_COPY, .hops = (uint8_t)(request->hops + 1), .term = term},
                        NULL, &request->record);
}

/* ---- route ordered ---- */

void relay_publish(struct relay *relay, uint64_t term, const union frame_body *body,
                   const struct record *record)
{
    if (relay->member_count)
        relay_link_pack(relay, relay->copies,
                        &(struct frame_header){.type = FRAME_ENTRIES, .hops = 1, .term = term},
                        body, record);
}

void relay_entries(struct relay *relay, const struct relay_target *member,
                   const union frame_body *body, const struct record *record)
{
    struct relay_link *link;

    relay_copies_flush(relay); /* they precede a range whose last index counts them */
    link = relay_link_to_target(relay, member);
    if (record)
        counters_add(relay->counters, COUNTER_COPIES_MADE, 1);
    if (link)
        relay_link_pack(
            relay, link,
            &(struct frame_header){.type = FRAME_ENTRIES, .hops = 1, .term = member->term}, body,
            record);
    else if (record)
        counters_drop_copies(relay->counters, DROP_send_failed, 1);
}

void relay_ack(struct relay *relay, const struct relay_target *member, const struct entry_ack *ack)
{
    struct relay_link *link = relay_link_to_target(relay, member);

    if (link)
        relay_link_pack(relay, link,
                        &(struct frame_header){.type = FRAME_ACK, .hops = 1, .term = member->term},
                        &(union frame_body){.ack = *ack}, NULL);
}

void relay_flush(struct relay *relay)
{
    if (relay_sleep_ns(relay) == 0)
        relay_copies_flush(relay);
    relay_confirm_flush(relay);
    for (size_t i = 0; i < relay->link_count; i++)
        relay_link_flush(relay, relay->links[i]);
    if (kept_is_on(&relay->kept))
        relay_keep_flush(relay);
}

static const enum drop_reason reason_of_error[UDP_ERROR_COUNT] = {
    [UDP_ERROR_INTERRUPTED] = DROP_send_failed, [UDP_ERROR_REFUSED] = DROP_send_refused,
    [UDP_ERROR_FULL] = DROP_send_full,          [UDP_ERROR_DENIED] = DROP_send_denied,
    [UDP_ERROR_TOO_BIG] = DROP_send_too_big,    [UDP_ERROR_FAILED] = DROP_send_failed,
    [UDP_ERROR_FATAL] = DROP_send_failed,
};

static void account_sends(struct outbox_sends *sends, struct counters *counters)
{
    struct distribution *gso_batches = &counters->distributions[DISTRIBUTION_SEND_GSO_BATCH];

    if (!sends->calls)
        return;
    counters_add(counters, COUNTER_SEND_CALLS, sends->calls);
    counters_add(counters, COUNTER_SEND_GSO_BATCHES, sends->gso_batches);
    counters_add(counters, COUNTER_SEND_DATAGRAMS, sends->datagrams);
    for (size_t i = 0; i < DISTRIBUTION_BUCKETS; i++) {
        if (sends->lengths[i])
            distribution_add(gso_batches, i, sends->lengths[i], 0);
    }
    distribution_add(gso_batches, 0, 0, sends->datagrams);
    *sends = (struct outbox_sends){0};
}

void relay_account(struct outbox *outbox, struct counters *counters, size_t requests_counter,
                   size_t replies_counter)
{
    static const size_t drops[OUTBOX_ACCOUNTS] = {COUNTER_DROPPED, COUNTER_REPLIES_DROPPED,
                                                  COUNTER_COPIES_DROPPED};
    const size_t sent[OUTBOX_ACCOUNTS] = {requests_counter, replies_counter, COUNTER_COPIES_SENT};

    for (size_t account = 0; account < OUTBOX_ACCOUNTS; account++) {
        struct outbox_tally *tally = &outbox->tally[account];

        if (tally->sent)
            counters_add(counters, sent[account], tally->sent);
        for (size_t error = 0; error < UDP_ERROR_COUNT; error++) {
            if (tally->failed[error])
                counters_add(counters, drops[account] + (size_t)reason_of_error[error],
                             tally->failed[error]);
        }
        *tally = (struct outbox_tally){0};
    }
    account_sends(&outbox->sends, counters);
}
