/*
 * What is kept at a leader change.
 *
 * A leader that stepped down is alive: it has given requests to its app, or relays them to the next
 * leader, and confirms both. So its confirmations are waited for, and nothing is sent twice. A
 * leader that was lost confirms nothing any more: all that it had not confirmed goes to the next one.
 */
#include "data/relay/kept.h"
#include "headless/base/clock.h"

#define ENDING_NS (50 * NS_PER_MS) /* some round trips, and some timeouts */

void kept_lose(struct kept *kept, uint8_t slot)
{
    struct kept_stream *stream = &kept->streams[slot];
    struct kept_frame *frame = arena_queue_oldest(&kept->ring);

    for (; frame; frame = arena_queue_next(&kept->ring, frame)) {
        if (frame->slot != slot || (frame->state != KEPT_WAITING && frame->state != KEPT_HELD))
            continue;
        if (frame->type == FRAME_DATA) {
            frame->state = KEPT_ORPHAN;
            kept->orphans++;
        } else {
            kept_end(kept, frame, true);
        }
    }
    stream->id = 0;
    stream->oldest = stream->missing = stream->newest = stream->again = NULL;
    stream->is_probing = false;
    stream->due_ns = UINT64_MAX;
    kept_pop_done(kept);
}

struct kept_frame *kept_orphan(struct kept *kept, const struct kept_frame *behind)
{
    struct kept_frame *frame =
        behind ? arena_queue_next(&kept->ring, behind) : arena_queue_oldest(&kept->ring);

    while (kept->orphans && frame && frame->state != KEPT_ORPHAN)
        frame = arena_queue_next(&kept->ring, frame);
    return kept->orphans ? frame : NULL;
}

void kept_move(struct kept *kept, struct kept_frame *orphan)
{
    (void)kept;
    orphan->state = KEPT_MOVED;
}

void kept_end_moves(struct kept *kept)
{
    struct kept_frame *frame = kept->orphans ? arena_queue_oldest(&kept->ring) : NULL;

    for (; frame; frame = arena_queue_next(&kept->ring, frame)) {
        if (frame->state == KEPT_ORPHAN)
            break; /* they are moved in order */
        if (frame->state == KEPT_MOVED)
            kept_end(kept, frame, false);
    }
    kept_pop_done(kept);
}

/* ---- the next leader ---- */

void kept_follow(struct kept *kept, uint8_t slot, bool stepped_down)
{
    uint8_t before = kept->leader_slot;

    if (slot == before)
        return;
    kept->leader_slot = slot;
    if (kept->ending_slot == slot) /* it leads again, and goes on confirming */
        kept->ending_slot = KEPT_SLOT_NONE;
    if (kept->ending_slot != KEPT_SLOT_NONE) /* it had not confirmed all when the next one ended */
        kept_refuse(kept, kept->ending_slot);
    if (before == KEPT_SLOT_NONE)
        return;
    if (!stepped_down) {
        kept_lose(kept, before);
    } else if (kept_has_requests(kept, before)) {
        kept->ending_slot = before;
        kept->ending_until_ns = kept->now_ns + ENDING_NS;
    }
}

void kept_refuse(struct kept *kept, uint8_t slot)
{
    if (slot != kept->ending_slot)
        return; /* the leader: the election decides */
    kept_lose(kept, slot);
    kept->ending_slot = KEPT_SLOT_NONE;
}

bool kept_is_settled(struct kept *kept)
{
    if (kept->ending_slot != KEPT_SLOT_NONE) {
        if (!kept_has_requests(kept, kept->ending_slot))
            kept->ending_slot = KEPT_SLOT_NONE;
        else if (kept->now_ns >= kept->ending_until_ns)
            kept_refuse(kept, kept->ending_slot);
    }
    return kept->orphans == 0 && kept->ending_slot == KEPT_SLOT_NONE;
}
