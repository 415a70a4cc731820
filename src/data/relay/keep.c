/*
 * Keeps the frames that are sent, sends them again, and confirms those of other pods: the modules
 * kept and confirm, with the links.
 */
#include <errno.h>
#include <stdlib.h>

#include "data/relay/link.h"

#define TICKET_BYTES  128 /* of relay.keep for each ticket */
#define TICKETS_MIN   1024

#define KEPT_IDS_BITS (32 - KEPT_SLOT_BITS - 1) /* half of them, so that later ones are higher */

_Static_assert(BATCH_MAX <= KEPT_REPLIES_BATCH, "all replies of a batch can be added");

static void on_end(void *context, const struct kept_frame *frame, bool is_lost)
{
    struct relay *relay = context;

    if (relay->kept.needs_replies && frame->type == FRAME_DATA && frame->hops == 1)
        kept_replies_end(&relay->replies, frame);
    (void)is_lost;
}

static uint32_t tickets_of(size_t bytes)
{
    uint32_t count = TICKETS_MIN;

    while (count < bytes / TICKET_BYTES && count < UINT32_C(1) << 30)
        count *= 2;
    return count;
}

int relay_keep_init(struct relay *relay, const struct config *config, size_t workers)
{
    size_t bytes = config_keeps(config) ? config->relay_keep_bytes / workers : 0;
    int rc = kept_init(&relay->kept, bytes);

    /* An earlier process of this address had others: a late confirmation of its streams says nothing. */
    relay->kept.ids = (uint32_t)(relay->identity->instance >> (64 - KEPT_IDS_BITS));
    relay->keep_ns = config->relay_keep_ns;
    relay->kept.on_end = on_end;
    relay->kept.context = relay;
    relay->is_settled = true;
    if (rc)
        return rc;
    if (bytes > 0 && config->relay_confirm == CONFIG_CONFIRM_REPLIED) {
        relay->kept.needs_replies = true;
        rc = kept_replies_init(&relay->replies, tickets_of(bytes));
    }
    if (!rc && config->relay_format == CONFIG_RELAY_FRAMED)
        rc = confirm_init(&relay->confirm, MEMBERS_MAX * FRAME_AUTH_NONCE_SPACES);
    if (!rc && bytes > 0 && !(relay->unfinished = malloc(RECORD_MAX)))
        rc = -ENOMEM;
    return rc;
}

void relay_keep_fini(struct relay *relay)
{
    kept_fini(&relay->kept);
    kept_replies_fini(&relay->replies);
    confirm_fini(&relay->confirm);
    free(relay->unfinished);
    relay->unfinished = NULL;
}

/* ---- new frames ---- */

/* A request is packed: its reply is waited for. */
void relay_keep_record(struct relay *relay, struct relay_frame *frame, const struct record *record)
{
    uint64_t ticket;

    if (frame->type == FRAME_KEPT_DATA && frame->hops > 1)
        relay->kept.relayed_put++;
    if (!relay->kept.needs_replies || frame->type != FRAME_KEPT_DATA || frame->hops != 1)
        return;
    ticket = kept_replies_issue(&relay->replies, &relay->kept, record->tag);
    if (frame->records == 1)
        frame->first_ticket = ticket;
}

static void count_kept(struct relay *relay, const struct relay_link *link,
                       const struct kept_frame *frame)
{
    if (frame->type == FRAME_REPLY) {
        counters_add(relay->counters, COUNTER_REPLIES_RELAYED, frame->records);
        return;
    }
    counters_add(relay->counters, COUNTER_RELAYED, frame->records);
    traffic_add(relay->traffic->relayed, link->member_index, frame->records);
}

/* Confirm the receiver's last stream along with a frame to it. */
static void confirm_back(struct relay *relay, const struct relay_link *link,
                         struct frame_place *place)
{
    uint32_t index = link->member_index < MEMBERS_MAX ? relay->back[link->member_index] : 0;
    struct confirmation told;

    if (index == 0 || relay->confirm.streams[index - 1].instance != link->instance)
        return;
    told = confirm_tell(&relay->confirm, index - 1);
    if (told.flags & CONFIRMATION_GAP)
        place->flags |= FRAME_PLACE_BACK_GAP;
    place->back_nonce_space = (uint16_t)((index - 1) % FRAME_AUTH_NONCE_SPACES);
    place->back_stream = told.stream;
    place->back_received = told.received;
    place->back_confirmed = told.confirmed;
}

/* start: the frame's first byte, whose place is still to be written. */
static void keep_frame(struct relay *relay, struct relay_link *link, struct relay_frame *frame,
                       uint8_t *start)
{
    const size_t prefix = FRAME_HEADER_BYTES + FRAME_LINK_BYTES + FRAME_PLACE_BYTES;
    const struct kept_frame like = {.type = frame_plain_type(frame->type),
                                    .hops = frame->hops,
                                    .term = frame->term,
                                    .records = frame->records,
                                    .bytes = (uint32_t)(frame->bytes - prefix),
                                    .continued = frame->continued,
                                    .begun = frame->begun,
                                    .first_ticket = frame->first_ticket,
                                    .is_replayed = relay->is_replaying};
    struct frame_place place;
    struct kept_frame *kept = kept_put(&relay->kept, link->slot, &like, &place);

    count_kept(relay, link, &like);
    if (relay->kept.needs_replies && like.type == FRAME_DATA && like.hops == 1)
        kept_replies_bind(&relay->replies, kept, frame->first_ticket, frame->records);
    if (kept)
        memcpy(kept_records(kept), start + prefix, like.bytes);
    frame->is_numbered = true;
    frame->is_withheld = kept && !kept->sent_ns;
    if (frame->is_withheld)
        return;
    confirm_back(relay, link, &place);
    frame_put_place(start + FRAME_HEADER_BYTES + FRAME_LINK_BYTES, &place);
}

void relay_keep_frames(struct relay *relay, struct relay_link *link)
{
    link->is_withholding = false;
    for (size_t i = 0; i < link->frame_count; i++) {
        struct relay_frame *frame = &link->frames[i];

        if (frame_is_kept(frame->type) && !frame->is_numbered)
            keep_frame(relay, link, frame, relay_pack_frame(relay, link, i));
        link->is_withholding |= frame->is_withheld;
    }
}

/* ---- frames that are sent again ---- */

static void send_again(struct relay *relay, struct relay_link *link, struct kept_frame *kept)
{
    const struct frame_header header = {.type = kept->type == FRAME_DATA ? FRAME_KEPT_DATA
                                                                         : FRAME_KEPT_REPLY,
                                        .hops = kept->hops,
                                        .term = kept->term};
    struct frame_place place = kept_place(&relay->kept, kept);
    struct relay_frame *frame = relay_pack_prefix(relay, link, &header);
    uint8_t *start = relay_pack_frame(relay, link, link->frame_count);

    confirm_back(relay, link, &place);
    frame_put_place(start + FRAME_HEADER_BYTES + FRAME_LINK_BYTES, &place);
    frame->continued = kept->continued;
    frame->begun = kept->begun;
    frame->is_numbered = true;
    if (frame->bytes + kept->bytes <= relay_pack_room(relay, link)) {
        memcpy(start + frame->bytes, kept_records(kept), kept->bytes);
        frame->bytes += kept->bytes;
        (void)relay_pack_close(link);
        return;
    }
    frame->payload = kept_records(kept); /* the path takes less by now: IP fragments it */
    frame->payload_bytes = kept->bytes;
    (void)relay_pack_close(link);
    relay_link_flush(relay, link);
}

static void keep_send_due(struct relay *relay, struct relay_link *link)
{
    struct kept_frame *kept;

    if (!kept_has_due(&relay->kept, link->slot) || (relay->is_sealing && !relay->key))
        return;
    while ((kept = kept_next(&relay->kept, link->slot)))
        send_again(relay, link, kept);
    relay_link_flush(relay, link);
}

void relay_keep_flush(struct relay *relay)
{
    struct kept *kept = &relay->kept;

    for (size_t i = 0; i < relay->link_count; i++) {
        if (relay->links[i]->socket.fd >= 0)
            keep_send_due(relay, relay->links[i]);
    }
    counters_add(relay->counters, COUNTER_UNCONFIRMED, kept->lost_requests);
    counters_add(relay->counters, COUNTER_REPLIES_LOST, kept->lost_replies);
    counters_add(relay->counters, COUNTER_SENT_AGAIN, kept->sent_again);
    kept->lost_requests = kept->lost_replies = kept->sent_again = 0;
}

/* ---- confirmations ---- */

static const struct member *confirmed_member(const struct relay *relay, uint64_t instance)
{
    return relay->leadership ? leadership_find_instance(relay->leadership, instance) : NULL;
}

static void confirm_one(struct relay *relay, uint32_t index)
{
    struct confirm *confirm = &relay->confirm;
    const struct member *member = confirmed_member(relay, confirm->streams[index].instance);
    struct relay_link *link;
    union frame_body body;

    if (!member) {
        (void)confirm_tell(confirm, index);
        return;
    }
    link = relay_link_to_member(relay, member);
    if (!link || !confirm_is_due(confirm, index, link->frame_count > 0 || link->is_packing))
        return;
    body.confirmation = confirm_tell(confirm, index);
    body.confirmation.nonce_space = (uint16_t)(index % FRAME_AUTH_NONCE_SPACES);
    relay_link_pack(
        relay, link,
        &(struct frame_header){.type = FRAME_CONFIRM, .hops = 1, .term = relay->leadership->term},
        &body, NULL);
}

void relay_confirm_flush(struct relay *relay)
{
    struct confirm *confirm = &relay->confirm;

    if (!confirm->listed)
        return;
    for (uint32_t i = 0; i < confirm->listed; i++)
        confirm_one(relay, confirm->list[i]);
    confirm_tidy(confirm);
}

bool relay_has_due(const struct relay *relay)
{
    bool has_due = confirm_sleep_ns(&relay->confirm) == 0;

    for (size_t i = 0; i < relay->link_count && !has_due && kept_is_on(&relay->kept); i++)
        has_due = kept_has_due(&relay->kept, relay->links[i]->slot);
    return has_due;
}

/* ---- leaders ---- */

void relay_follow(struct relay *relay, const struct relay_target *target, uint64_t term,
                  uint64_t gave_way_term)
{
    struct relay_link *link = target ? relay_link_to_target(relay, target) : NULL;
    uint8_t slot = link ? link->slot : KEPT_SLOT_NONE, before = relay->kept.leader_slot;

    if (target && !link)
        return;
    /* Within a slice: what is packed for the leader before belongs to what is kept for it. */
    if (slot != before && before != KEPT_SLOT_NONE)
        relay_link_flush(relay, relay->links[before]);
    kept_follow(&relay->kept, slot, term, gave_way_term);
}

void relay_set_replaying(struct relay *relay, bool is_replaying)
{
    uint8_t slot = relay->kept.leader_slot;

    for (size_t i = 0; i < relay->link_count; i++)
        relay_link_flush(relay, relay->links[i]);
    relay->is_replaying = is_replaying;
    if (slot != KEPT_SLOT_NONE)
        kept_pace(&relay->kept, slot, is_replaying);
}
