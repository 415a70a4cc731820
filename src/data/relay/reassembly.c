#include "data/relay/reassembly.h"

#include <errno.h>
#include <stdlib.h>

/* An odd number of cache lines above 64 KiB, by more than a frame: the beginnings of successive
 * buffers do not share sets of a cache. */
#define BUFFER_BYTES ((size_t)1047 * 64)

_Static_assert(BUFFER_BYTES >= RECORD_MAX, "a buffer has room for every record");

int reassembly_init(struct reassembly *reassembly, size_t batch, struct counters *counters,
                    struct traffic *traffic)
{
    const size_t count = REASSEMBLY_UNFINISHED_MAX + batch;
    struct reassembly made = {.count = count, .counters = counters, .traffic = traffic};

    made.list = calloc(count, sizeof(*made.list));
    made.free = calloc(count, sizeof(*made.free));
    made.done = calloc(count, sizeof(*made.done));
    made.places = calloc((size_t)MEMBERS_MAX * REASSEMBLY_PLACES, sizeof(*made.places));
    made.buffers = calloc(count, BUFFER_BYTES); /* so large that it is mapped, and not touched */
    if (!made.list || !made.free || !made.done || !made.places || !made.buffers) {
        reassembly_fini(&made);
        return -ENOMEM;
    }
    while (made.free_count < count) {
        const uint16_t number = (uint16_t)(count - 1 - made.free_count);

        made.list[number].number = number;
        made.free[made.free_count++] = number;
    }
    *reassembly = made;
    return 0;
}

void reassembly_fini(struct reassembly *reassembly)
{
    free(reassembly->list);
    free(reassembly->free);
    free(reassembly->done);
    free(reassembly->places);
    free(reassembly->buffers);
    *reassembly = (struct reassembly){0};
}

/* ---- places ---- */

/* NULL: that nonce space cannot exist. */
static uint16_t *place_of(const struct reassembly *reassembly, uint16_t member_index,
                          const struct frame_header *header)
{
    size_t place = header->nonce_space;

    if (member_index >= MEMBERS_MAX || header->nonce_space >= FRAME_AUTH_NONCE_SPACES)
        return NULL;
    if (frame_is_kept(header->type))
        place += FRAME_AUTH_NONCE_SPACES;
    return &reassembly->places[member_index * REASSEMBLY_PLACES + place];
}

static struct unfinished *find_unfinished(const struct reassembly *reassembly,
                                          const struct relay_part *part)
{
    const uint16_t *place = place_of(reassembly, part->member_index, part->header);

    return place && *place ? &reassembly->list[*place - 1] : NULL;
}

static uint8_t *buffer_of(const struct reassembly *reassembly, const struct unfinished *record)
{
    return reassembly->buffers + record->number * BUFFER_BYTES;
}

/* It takes no more parts. state: DONE if its buffer is used until the flush. */
static void close_unfinished(struct reassembly *reassembly, struct unfinished *record,
                             enum unfinished_state state)
{
    *record->place = 0;
    reassembly->open_count--;
    if (reassembly->in_place == record)
        reassembly->in_place = NULL;
    record->state = (uint8_t)state;
    if (state == UNFINISHED_DONE)
        reassembly->done[reassembly->done_count++] = record->number;
    else
        reassembly->free[reassembly->free_count++] = record->number;
}

/* ---- counting ---- */

static void count_dropped(struct reassembly *reassembly, const struct frame_header *header,
                          uint16_t member_index, enum drop_reason reason)
{
    if (frame_plain_type(header->type) == FRAME_REPLY) {
        counters_add(reassembly->counters, COUNTER_REPLIES_FROM_RELAY, 1);
        counters_drop_reply(reassembly->counters, reason, 1);
        return;
    }
    counters_add(reassembly->counters, COUNTER_RECEIVED_RELAY, 1);
    counters_drop(reassembly->counters, reason, 1);
    if (frame_plain_type(header->type) == FRAME_DATA)
        traffic_add(reassembly->traffic->received, member_index, 1);
}

static void end_unfinished(struct reassembly *reassembly, struct unfinished *record,
                           enum drop_reason reason)
{
    count_dropped(reassembly, &record->header, record->member_index, reason);
    close_unfinished(reassembly, record, UNFINISHED_FREE);
}

void reassembly_refuse(struct reassembly *reassembly, const struct relay_part *part)
{
    if (part->header->link.begun)
        count_dropped(reassembly, part->header, part->member_index, DROP_incomplete);
}

/* ---- parts ---- */

void reassembly_keep(struct reassembly *reassembly)
{
    struct unfinished *record = reassembly->in_place;

    if (!record)
        return;
    memcpy(buffer_of(reassembly, record), record->bytes, record->length);
    record->bytes = buffer_of(reassembly, record);
    reassembly->in_place = NULL;
}

static bool is_next_part(const struct unfinished *record, const struct frame_header *header)
{
    const struct frame_header *begun = &record->header;

    return header->link.continued && header->instance == begun->instance &&
           header->sequence == begun->sequence + 1 && header->type == begun->type &&
           header->hops == begun->hops && header->term == begun->term;
}

/* False: the parts do not make a record. */
static bool append_part(struct unfinished *record, const struct relay_part *part)
{
    const size_t continued = part->header->link.continued;
    const size_t prefix = frame_prefix_bytes(part->header);

    if (record->length + continued > RECORD_MAX)
        return false;
    memmove(record->bytes + record->length, part->data + prefix, continued);
    record->length += continued;
    record->header.sequence = part->header->sequence;
    if (!record->whole && !record_measure(record->bytes, record->length, &record->whole))
        return false;
    if (record->whole && record->length >= record->whole)
        return record->length == record->whole;
    return prefix + continued == part->length; /* it continues: the frame has nothing else */
}

static bool finish(struct reassembly *reassembly, struct unfinished *record,
                   struct relay_whole *ret_whole)
{
    const bool is_in_place = reassembly->in_place == record;
    struct record read;

    if (!record_read(record->bytes, record->length, &read)) {
        end_unfinished(reassembly, record, DROP_malformed);
        return false;
    }
    *ret_whole = (struct relay_whole){.header = record->header,
                                      .body = record->body,
                                      .reader = {record->bytes, record->bytes + record->length}};
    close_unfinished(reassembly, record, is_in_place ? UNFINISHED_FREE : UNFINISHED_DONE);
    return true;
}

bool reassembly_continue(struct reassembly *reassembly, const struct relay_part *part,
                         struct relay_whole *ret_whole)
{
    struct unfinished *record = find_unfinished(reassembly, part);

    if (reassembly->in_place != record) /* the frame between may be in use where it would grow */
        reassembly_keep(reassembly);
    if (!record)
        return false;
    if (!is_next_part(record, part->header)) {
        end_unfinished(reassembly, record, DROP_incomplete);
        return false;
    }
    if (!append_part(record, part)) {
        end_unfinished(reassembly, record, DROP_malformed);
        return false;
    }
    return record->length == record->whole && finish(reassembly, record, ret_whole);
}

static struct unfinished *find_oldest(struct reassembly *reassembly)
{
    struct unfinished *oldest = NULL;

    for (size_t i = 0; i < reassembly->count; i++) {
        struct unfinished *record = &reassembly->list[i];

        if (record->state == UNFINISHED_OPEN && (!oldest || record->since_ns < oldest->since_ns))
            oldest = record;
    }
    return oldest;
}

/* Its index: behind those of the whole records in its frame. */
static union frame_body body_of(const struct relay_part *part)
{
    union frame_body body = part->body;

    if (part->header->type == FRAME_ENTRIES && part->records > 0) {
        body.range.first += part->records;
        body.range.previous = body.range.id;
    }
    return body;
}

void reassembly_begin(struct reassembly *reassembly, const struct relay_part *part)
{
    const struct frame_header *header = part->header;
    uint16_t *place = place_of(reassembly, part->member_index, header);
    struct unfinished *record;

    if (!header->link.begun)
        return;
    if (!place) {
        count_dropped(reassembly, header, part->member_index, DROP_malformed);
        return;
    }
    record = reassembly->open_count == REASSEMBLY_UNFINISHED_MAX ? find_oldest(reassembly) : NULL;
    if (record)
        end_unfinished(reassembly, record, DROP_incomplete);
    if (reassembly->free_count == 0) { /* forged: several nonce spaces in one GRO batch */
        count_dropped(reassembly, header, part->member_index, DROP_incomplete);
        return;
    }
    reassembly_keep(reassembly);
    record = &reassembly->list[reassembly->free[--reassembly->free_count]];
    *record = (struct unfinished){.state = UNFINISHED_OPEN,
                                  .number = record->number,
                                  .member_index = part->member_index,
                                  .header = *header,
                                  .body = body_of(part),
                                  .place = place,
                                  .bytes = part->data + part->length - header->link.begun,
                                  .length = header->link.begun,
                                  .since_ns = reassembly->now_ns};
    *place = (uint16_t)(record->number + 1);
    reassembly->open_count++;
    reassembly->in_place = record;
    if (!record_measure(record->bytes, record->length, &record->whole) ||
        (record->whole && record->length >= record->whole))
        end_unfinished(reassembly, record, DROP_malformed);
}

void reassembly_release(struct reassembly *reassembly)
{
    while (reassembly->done_count > 0) {
        const uint16_t number = reassembly->done[--reassembly->done_count];

        reassembly->list[number].state = UNFINISHED_FREE;
        reassembly->free[reassembly->free_count++] = number;
    }
}

/* The beginning of a kept one has been confirmed: it is not sent again. */
static uint64_t age_of(const struct unfinished *record)
{
    return frame_is_kept(record->header.type) ? REASSEMBLY_KEPT_AGE_NS : REASSEMBLY_AGE_NS;
}

void reassembly_expire(struct reassembly *reassembly)
{
    for (size_t i = 0; reassembly->open_count > 0 && i < reassembly->count; i++) {
        struct unfinished *record = &reassembly->list[i];

        if (record->state == UNFINISHED_OPEN &&
            reassembly->now_ns >= record->since_ns + age_of(record))
            end_unfinished(reassembly, record, DROP_incomplete);
    }
}
