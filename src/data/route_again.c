#include "data/route_again.h"

/* Records of the frames, put together where they are over several. */
struct again {
    struct routing *routing;
    const struct kept_frame *frame;
    bool wants_unfinished; /* the record over frames is to be routed */
    bool
        is_in_use; /* a request to the app is in the buffer for records over frames, until the flush */
    size_t length; /* of it, so far; 0: none */
};

static bool is_wanted(const struct relay *relay, const struct kept_frame *frame, uint32_t n)
{
    return !relay->kept.needs_replies || frame->hops > 1 ||
           kept_replies_wants(&relay->replies, frame, n);
}

static void route_record(struct again *again, const struct record *record)
{
    struct routing *routing = again->routing;
    const struct request request = {
        .record = *record, .term = again->frame->term, .hops = (uint8_t)(again->frame->hops - 1)};

    counters_add(&routing->counters, COUNTER_REPLAYED, 1);
    route_now(routing, &request);
}

/* The end of a record that the frame before began, or a middle part. */
static void continue_record(struct again *again, const uint8_t *part, size_t length)
{
    uint8_t *bytes = again->routing->relay.unfinished;
    struct record record;
    size_t whole;

    if (length == 0 || again->length == 0 || again->length + length > RECORD_MAX) {
        again->length = 0;
        return;
    }
    memcpy(bytes + again->length, part, length);
    again->length += length;
    if (record_measure(bytes, again->length, &whole) && (!whole || again->length < whole))
        return;
    if (again->wants_unfinished && record_read(bytes, again->length, &record)) {
        route_record(again, &record);
        again->is_in_use = again->routing->decision == ROUTE_DELIVER;
    }
    again->length = 0;
}

/* False: the record that begins in it has to wait for the flush. */
static bool route_frame_again(struct again *again, struct kept_frame *frame)
{
    const uint8_t *bytes = kept_records(frame), *end = bytes + frame->bytes;
    struct frame_reader reader = {.next = bytes + frame->continued, .end = end - frame->begun};
    struct record record;
    uint32_t n = 0;

    again->frame = frame;
    if (!frame->is_begun_left)
        continue_record(again, bytes, frame->continued);
    for (; frame_next(&reader, &record); n++) {
        if (!frame->is_begun_left && is_wanted(&again->routing->relay, frame, n))
            route_record(again, &record);
    }
    if (!frame->begun)
        return true;
    frame->is_begun_left = again->is_in_use;
    if (again->is_in_use)
        return false;
    memcpy(again->routing->relay.unfinished, end - frame->begun, frame->begun);
    again->length = frame->begun;
    again->wants_unfinished = is_wanted(&again->routing->relay, frame, n);
    return true;
}

/* To the app, requests are sent from the ring, and from the one buffer for records over frames. */
static bool is_portion_full(const struct again *again, size_t frames, size_t bytes, size_t limit)
{
    return again->routing->decision == ROUTE_DELIVER && again->length == 0 &&
           (frames >= ROUTE_AGAIN_MAX || bytes >= limit);
}

size_t route_again(struct routing *routing, size_t limit)
{
    struct again again = {.routing = routing};
    struct kept *kept = &routing->relay.kept;
    bool is_relayed = routing->decision != ROUTE_DELIVER;
    struct kept_frame *frame = NULL;
    size_t bytes = 0, frames = 0;

    if (is_relayed)
        relay_set_replaying(&routing->relay, true);
    while ((frame = kept_orphan(kept, is_relayed ? NULL : frame))) {
        if (!route_frame_again(&again, frame))
            break;
        bytes += frame->bytes;
        frames++;
        kept_move(kept, frame);
        if (is_relayed)
            kept_end_moves(kept); /* its records are copied: the ring needs the room */
        else if (is_portion_full(&again, frames, bytes, limit))
            break;
    }
    if (is_relayed)
        relay_set_replaying(&routing->relay, false);
    return bytes;
}
