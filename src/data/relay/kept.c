#include "data/relay/kept.h"

#include <string.h>

#include "headless/base/clock.h"

#define TIMEOUT_NS     (20 * NS_PER_MS) /* more than a receiver delays a confirmation */
#define TIMEOUT_MAX_NS (100 * NS_PER_MS)
#define BACK_NS        (2 * NS_PER_MS) /* at least, between two reports of one gap */
#define SMOOTHING      8
#define WINDOW_MIN     ((size_t)16 * 1024) /* some full frames */

int kept_init(struct kept *kept, size_t bytes)
{
    *kept = (struct kept){.due_ns = UINT64_MAX,
                          .pace_bytes = bytes,
                          .leader_slot = KEPT_SLOT_NONE,
                          .ending_slot = KEPT_SLOT_NONE};
    for (size_t i = 0; i < KEPT_STREAMS_MAX; i++) {
        kept->streams[i].next = 1;
        kept->streams[i].due_ns = UINT64_MAX;
    }
    return arena_queue_init(&kept->ring, bytes);
}

void kept_fini(struct kept *kept)
{
    arena_queue_fini(&kept->ring);
    kept->due_ns = UINT64_MAX;
}

static uint64_t timeout_of(const struct kept_stream *stream)
{
    uint64_t timeout_ns = (TIMEOUT_NS + 2 * stream->round_trip_ns) << stream->timeouts;

    return timeout_ns < TIMEOUT_MAX_NS ? timeout_ns : TIMEOUT_MAX_NS;
}

/* From now on, if there is something to wait for. */
static void kept_arm(struct kept *kept, struct kept_stream *stream)
{
    stream->due_ns = stream->oldest ? kept->now_ns + timeout_of(stream) : UINT64_MAX;
    if (stream->due_ns < kept->due_ns)
        kept->due_ns = stream->due_ns;
}

/* Bytes before the next confirmation: after a gap, twice what has passed since the one before. */
static size_t kept_window(const struct kept *kept, const struct kept_stream *stream)
{
    return stream->window_max && stream->window_max < kept->pace_bytes ? stream->window_max
                                                                       : kept->pace_bytes;
}

static void shrink_window(struct kept *kept, struct kept_stream *stream)
{
    size_t limit = kept_window(kept, stream), passed = WINDOW_MIN + 2 * stream->passed_bytes;

    stream->window_max = passed < limit ? passed : limit;
    stream->passed_bytes = 0;
}

/* ---- the end of a frame ---- */

static void count_lost(struct kept *kept, const struct kept_frame *frame)
{
    if (frame->type == FRAME_DATA)
        kept->lost_requests += frame->unreplied;
    else
        kept->lost_replies += frame->records;
}

void kept_end(struct kept *kept, struct kept_frame *frame, bool is_lost)
{
    if (frame->state == KEPT_ORPHAN || frame->state == KEPT_MOVED)
        kept->orphans--;
    frame->state = KEPT_DONE;
    if (frame->type == FRAME_DATA)
        kept->requests -= frame->records;
    if (frame->type == FRAME_DATA && frame->hops > 1)
        kept->relayed_done += frame->records;
    if (is_lost)
        count_lost(kept, frame);
    if (kept->on_end)
        kept->on_end(kept->context, frame, is_lost);
}

void kept_pop_done(struct kept *kept)
{
    const struct kept_frame *frame;

    while ((frame = arena_queue_oldest(&kept->ring)) && frame->state == KEPT_DONE)
        arena_queue_pop(&kept->ring);
}

static bool is_held(const struct kept *kept, const struct kept_frame *frame)
{
    return kept->needs_replies && frame->type == FRAME_DATA && frame->hops == 1 &&
           frame->unreplied > 0;
}

/* The oldest frame of a stream is confirmed, or forgotten. */
static void leave_stream(struct kept_stream *stream)
{
    struct kept_frame *frame = stream->oldest;

    stream->oldest = frame->next;
    if (stream->missing == frame)
        stream->missing = frame->next;
    if (stream->again == frame)
        stream->again = frame->next;
    if (!stream->oldest)
        stream->newest = NULL;
}

/* The oldest of the ring. False: its bytes are in use. */
static bool kept_forget_oldest(struct kept *kept)
{
    struct kept_frame *frame = arena_queue_oldest(&kept->ring);
    struct kept_stream *stream;

    if (!frame || frame->state == KEPT_MOVED)
        return false;
    stream = &kept->streams[frame->slot];
    if (frame->state == KEPT_WAITING) {
        leave_stream(stream);
        if (!stream->oldest)
            stream->due_ns = UINT64_MAX;
    }
    kept_end(kept, frame, frame->state != KEPT_HELD);
    kept_pop_done(kept);
    return true;
}

/* ---- new frames ---- */

static void kept_open(struct kept *kept, struct kept_stream *stream, uint8_t slot)
{
    stream->id = ++kept->ids << KEPT_SLOT_BITS | slot;
    stream->received = stream->confirmed = stream->next - 1;
    stream->round_trip_ns = stream->back_to = stream->past = 0;
    stream->is_refused = false;
    stream->timeouts = 0;
}

struct frame_place kept_place(const struct kept *kept, const struct kept_frame *frame)
{
    const struct kept_stream *stream = &kept->streams[frame->slot];

    return (struct frame_place){.stream = stream->id,
                                .flags = frame->is_replayed ? FRAME_PLACE_REPLAYED : 0,
                                .number = frame->number,
                                .oldest = stream->oldest ? stream->oldest->number : frame->number};
}

static struct kept_frame *kept_make_room(struct kept *kept, size_t bytes)
{
    struct kept_frame *frame;

    kept_pop_done(kept);
    if (arena_queue_bytes(sizeof(*frame) + bytes) > kept->ring.arena_bytes)
        return NULL;
    while (!(frame = arena_queue_put(&kept->ring, sizeof(*frame) + bytes))) {
        if (!kept_forget_oldest(kept))
            return NULL;
    }
    return frame;
}

static void kept_append(struct kept *kept, struct kept_stream *stream, struct kept_frame *frame)
{
    bool is_first = !stream->oldest;

    if (stream->newest)
        stream->newest->next = frame;
    if (is_first)
        stream->oldest = frame;
    if (!stream->missing)
        stream->missing = frame;
    stream->newest = frame;
    if (stream->is_paced && !stream->again) {
        stream->again = frame;
        stream->window_bytes = kept_window(kept, stream);
    }
    if (is_first)
        kept_arm(kept, stream);
}

struct kept_frame *kept_put(struct kept *kept, uint8_t slot, const struct kept_frame *like,
                            struct frame_place *ret_place)
{
    struct kept_stream *stream = &kept->streams[slot];
    struct kept_frame *frame, numbered = *like;

    if (!stream->id)
        kept_open(kept, stream, slot);
    frame = kept_make_room(kept, like->bytes);
    stream->end += like->bytes;
    numbered.slot = slot;
    numbered.number = stream->next++;
    numbered.since_ns = kept->now_ns;
    numbered.sent_ns = stream->again || stream->is_paced ? 0 : kept->now_ns;
    numbered.end = stream->end;
    numbered.unreplied = like->records;
    numbered.state = KEPT_WAITING;
    numbered.next = NULL;
    if (frame) {
        *frame = numbered;
        kept->requests += frame->type == FRAME_DATA ? frame->records : 0;
        kept_append(kept, stream, frame);
    } else {
        count_lost(kept, &numbered);
        if (like->type == FRAME_DATA && like->hops > 1)
            kept->relayed_done += like->records;
    }
    *ret_place = kept_place(kept, frame ? frame : &numbered);
    return frame;
}

/* ---- confirmations ---- */

static void observe_round_trip(struct kept *kept, struct kept_stream *stream,
                               const struct kept_frame *frame)
{
    uint64_t sample_ns = kept->now_ns - frame->sent_ns;

    if (frame->is_again || !frame->sent_ns || frame->sent_ns > kept->now_ns)
        return;
    if (!stream->round_trip_ns)
        stream->round_trip_ns = sample_ns;
    else
        stream->round_trip_ns += sample_ns / SMOOTHING - stream->round_trip_ns / SMOOTHING;
}

static void take_received(struct kept *kept, struct kept_stream *stream, uint64_t received)
{
    stream->received = received;
    while (stream->missing && stream->missing->number <= received) {
        if (stream->missing->number == received)
            observe_round_trip(kept, stream, stream->missing);
        stream->passed_bytes += stream->missing->bytes;
        stream->window_max += stream->window_max ? stream->missing->bytes : 0;
        stream->missing = stream->missing->next;
    }
    if (stream->again && stream->again->number <= received)
        stream->again = stream->missing;
    stream->window_bytes = kept_window(kept, stream);
    stream->timeouts = 0;
    stream->is_probing = false;
}

/* Frames up to this number, the last of which ends with a whole record. */
static uint64_t whole_until(const struct kept_stream *stream, uint64_t confirmed)
{
    uint64_t until = 0;

    for (const struct kept_frame *frame = stream->oldest; frame && frame->number <= confirmed;
         frame = frame->next)
        until = frame->begun ? until : frame->number;
    return until;
}

static void take_confirmed(struct kept *kept, struct kept_stream *stream, uint64_t confirmed)
{
    uint64_t until = whole_until(stream, confirmed);

    while (stream->oldest && stream->oldest->number <= until) {
        struct kept_frame *frame = stream->oldest;

        leave_stream(stream);
        if (is_held(kept, frame))
            frame->state = KEPT_HELD;
        else
            kept_end(kept, frame, false);
    }
    stream->confirmed = confirmed;
}

void kept_confirm(struct kept *kept, uint8_t slot, uint64_t received, uint64_t confirmed)
{
    struct kept_stream *stream = &kept->streams[slot];
    bool is_news = confirmed > stream->confirmed;

    if (!stream->id || received >= stream->next || confirmed > received ||
        confirmed < stream->confirmed)
        return; /* of an earlier stream, out of order, or false */
    if (received > stream->received) {
        take_received(kept, stream, received);
        is_news = true;
    }
    if (!is_news)
        return;
    stream->is_refused = false;
    take_confirmed(kept, stream, confirmed);
    kept_arm(kept, stream);
    kept_pop_done(kept);
}

void kept_report_gap(struct kept *kept, uint8_t slot)
{
    struct kept_stream *stream = &kept->streams[slot];
    uint64_t pause_ns = stream->round_trip_ns > BACK_NS ? stream->round_trip_ns : BACK_NS;

    if (!stream->missing ||
        (stream->missing->number == stream->back_to && kept->now_ns - stream->back_ns < pause_ns))
        return;
    stream->back_to = stream->missing->number;
    stream->again = stream->missing;
    shrink_window(kept, stream);
    stream->window_bytes = stream->window_max;
    stream->back_ns = kept->now_ns;
    kept_arm(kept, stream);
}

/* ---- sending again ---- */

static void mark_sent(struct kept *kept, struct kept_frame *frame)
{
    if (frame->sent_ns)
        kept->sent_again += frame->records;
    frame->is_again |= frame->sent_ns != 0;
    frame->sent_ns = kept->now_ns;
}

struct kept_frame *kept_next(struct kept *kept, uint8_t slot)
{
    struct kept_stream *stream = &kept->streams[slot];
    struct kept_frame *frame = stream->again;

    if (!kept_has_due(kept, slot))
        return NULL;
    if (stream->is_probing) {
        stream->is_probing = false;
        frame = stream->missing ? stream->missing : stream->newest;
    } else {
        stream->window_bytes -=
            frame->bytes < stream->window_bytes ? frame->bytes : stream->window_bytes;
        stream->again = frame->next;
    }
    if (frame)
        mark_sent(kept, frame);
    return frame;
}

static void kept_time_out(struct kept *kept, struct kept_stream *stream)
{
    stream->is_probing = stream->oldest != NULL;
    if (timeout_of(stream) < TIMEOUT_MAX_NS)
        stream->timeouts++;
    kept_arm(kept, stream);
}

static void expire(struct kept *kept, uint64_t keep_ns)
{
    const struct kept_frame *frame;

    while ((frame = arena_queue_oldest(&kept->ring)) && kept->now_ns - frame->since_ns >= keep_ns) {
        if (!kept_forget_oldest(kept))
            return;
    }
}

void kept_tick(struct kept *kept, uint64_t keep_ns)
{
    expire(kept, keep_ns);
    if (kept->now_ns < kept->due_ns)
        return;
    kept->due_ns = UINT64_MAX;
    for (size_t i = 0; i < KEPT_STREAMS_MAX; i++) {
        struct kept_stream *stream = &kept->streams[i];

        if (stream->due_ns <= kept->now_ns)
            kept_time_out(kept, stream);
        if (stream->due_ns < kept->due_ns)
            kept->due_ns = stream->due_ns;
    }
}

size_t kept_in_flight(const struct kept *kept, uint8_t slot)
{
    const struct kept_stream *stream = &kept->streams[slot];

    return stream->missing ? stream->end - (stream->missing->end - stream->missing->bytes) : 0;
}

bool kept_has_requests(const struct kept *kept, uint8_t slot)
{
    const struct kept_frame *frame = kept->streams[slot].oldest;

    while (frame && frame->type != FRAME_DATA)
        frame = frame->next;
    return frame != NULL;
}

void kept_finish(struct kept *kept, struct kept_frame *frame)
{
    if (frame->state == KEPT_HELD) {
        kept_end(kept, frame, false);
        kept_pop_done(kept);
    }
}
