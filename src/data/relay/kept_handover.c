/*
 * Kept requests and replies at a leader change.
 *
 * A leader that stepped down is alive: it has given requests to its app, or relays them to the next
 * leader, and confirms both; its replies pass. So its confirmations are waited for, and nothing is
 * sent twice. A leader that was lost confirms nothing any more, and its replies are fenced: what it
 * had not confirmed, or not replied to, goes to the next one. Without a refusal of its host that is
 * not certain: a pod may learn of the next leader before it learns that the one before stepped
 * down. So its confirmations are waited for, too.
 */
#include "data/relay/kept.h"
#include "headless/base/clock.h"

#define ENDING_NS (50 * NS_PER_MS) /* some round trips, and some timeouts */

void kept_lose(struct kept *kept, uint8_t slot, bool with_held)
{
    struct kept_stream *stream = &kept->streams[slot];
    struct kept_frame *frame = arena_queue_oldest(&kept->ring);

    for (; frame; frame = arena_queue_next(&kept->ring, frame)) {
        bool is_lost = frame->state == KEPT_WAITING ||
                       (with_held && frame->state == KEPT_HELD && frame->number > stream->past);

        if (frame->slot != slot || !is_lost)
            continue;
        if (frame->type == FRAME_DATA) {
            frame->is_unseen = frame->number > stream->received;
            frame->state = KEPT_ORPHAN;
            kept->orphans++;
        } else {
            kept_end(kept, frame, true);
        }
    }
    stream->id = 0;
    stream->oldest = stream->missing = stream->newest = stream->again = NULL;
    stream->is_probing = stream->is_silent = false;
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

/* Its requests have their replies, or never get one. */
static void note_step_down(struct kept *kept)
{
    struct kept_stream *stream = &kept->streams[kept->ending_slot];

    kept->ending_stepped_down = true;
    stream->is_silent = false;
    stream->past = stream->next - 1;
}

static void resume(struct kept *kept, uint8_t slot)
{
    kept->streams[slot].is_silent = false;
    kept->ending_slot = KEPT_SLOT_NONE;
}

/* The leader before confirms no more. */
static void end_wait(struct kept *kept)
{
    kept_lose(kept, kept->ending_slot, !kept->ending_stepped_down);
    kept->ending_slot = KEPT_SLOT_NONE;
}

static void begin_wait(struct kept *kept, uint8_t before, bool stepped_down)
{
    struct kept_stream *stream = &kept->streams[before];

    kept->ending_slot = before;
    kept->ending_term = kept->leader_term;
    kept->ending_stepped_down = false;
    kept->ending_until_ns = kept->now_ns + ENDING_NS;
    if (stepped_down)
        note_step_down(kept);
    else if (stream->is_refused)
        end_wait(kept);
    else
        stream->is_silent = true; /* its app must be given nothing more of ours */
}

void kept_follow(struct kept *kept, uint8_t slot, uint64_t term, uint64_t gave_way_term)
{
    uint8_t before = kept->leader_slot;

    if (slot == before) {
        if (gave_way_term && gave_way_term == kept->ending_term &&
            kept->ending_slot != KEPT_SLOT_NONE)
            note_step_down(kept);
        kept->leader_term = term;
        return;
    }
    kept->leader_slot = slot;
    if (kept->ending_slot == slot) /* it leads again, and goes on confirming */
        resume(kept, slot);
    if (kept->ending_slot != KEPT_SLOT_NONE) /* it had not confirmed all when the next one ended */
        end_wait(kept);
    if (before != KEPT_SLOT_NONE)
        begin_wait(kept, before, gave_way_term && gave_way_term == kept->leader_term);
    kept->leader_term = term;
}

void kept_refuse(struct kept *kept, uint8_t slot)
{
    kept->streams[slot].is_refused = true;
    if (slot == kept->ending_slot)
        end_wait(kept); /* of a leader, the election decides what to do */
}

/* This pod leads by now: what it has relayed stays with leaders that stepped down, and as no reply to
 * later requests is relayed, none has to be told from theirs. */
static void end_held(struct kept *kept)
{
    struct kept_frame *frame = arena_queue_oldest(&kept->ring);

    for (; frame; frame = arena_queue_next(&kept->ring, frame)) {
        if (frame->state == KEPT_HELD)
            kept_end(kept, frame, false);
    }
    kept_pop_done(kept);
}

bool kept_is_settled(struct kept *kept)
{
    uint8_t ending = kept->ending_slot;

    if (ending != KEPT_SLOT_NONE && kept->now_ns >= kept->ending_until_ns)
        end_wait(kept);
    else if (ending != KEPT_SLOT_NONE && kept->ending_stepped_down &&
             !kept_has_requests(kept, ending))
        kept->ending_slot = KEPT_SLOT_NONE;
    else if (ending != KEPT_SLOT_NONE && !kept_has_requests(kept, ending))
        end_wait(kept); /* all is confirmed; without a reply, it goes to the next leader */
    if (ending != kept->ending_slot && kept->leader_slot == KEPT_SLOT_NONE)
        end_held(kept);
    return kept->orphans == 0 && kept->ending_slot == KEPT_SLOT_NONE;
}
