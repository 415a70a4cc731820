/*
 * What a member's source no longer has, others may have: a leader that joined late, or whose
 * history is shorter, has less than those whom it leads.
 *
 * They are asked one after the other, for a while. Who has it goes on being asked until what comes
 * next is in the source's history, too. Who has not says where its own begins: if nobody is left to
 * ask, ours goes on where the one begins that reaches back furthest, and the app is told what it
 * misses.
 *
 * A member helps only when its history is known to be the leader's (sequencer_take_ack), and one
 * that learns asks only those whose history is the source's: they agreed with the same leader last.
 * So what comes of it is the common order, and is compared as what the source itself sends.
 */
#include "sequencer_internal.h"

#define HELP_TRIES 5 /* SEQUENCER_RETRY_NS each: then the next one is asked */

/* ---- whom to ask ---- */

static bool can_help(const struct sequencer *s, const struct sequencer_peer *peer)
{
    size_t source = sequencer_find_peer(s, s->source);

    if (!peer->is_alive || peer->lacks_entries || peer->instance == s->source)
        return false;
    return s->role == SEQUENCER_FOLLOWING || (peer->has_acked && source < s->peer_count &&
                                              peer->normal_term == s->peers[source].normal_term);
}

/* The first question to another than was asked before goes out at once. */
static void turn_to(struct sequencer *s, uint64_t donor)
{
    s->catch_up.donor = donor;
    s->catch_up.tries = 0;
    s->requested = s->requested_ns = 0;
}

void sequencer_catch_up_end(struct sequencer *s)
{
    turn_to(s, 0);
}

/* ---- a round ---- */

/* The gap is told, and what comes behind it is asked for, of whom has it. */
static void give_up(struct sequencer *s)
{
    struct sequencer_catch_up *catch_up = &s->catch_up;

    turn_to(s, catch_up->nearest_from == s->source ? 0 : catch_up->nearest_from);
    catch_up->has_progress = true;
    catch_up->since_ns = s->now_ns;
    sequencer_skip_to(s, &catch_up->nearest);
}

/* In turn, those that were silent again, too. */
static void ask_next(struct sequencer *s)
{
    size_t last = sequencer_find_peer(s, s->catch_up.donor);

    for (size_t i = 1; i <= s->peer_count; i++) {
        const struct sequencer_peer *peer = &s->peers[(last + i) % s->peer_count];

        if (can_help(s, peer)) {
            turn_to(s, peer->instance);
            return;
        }
    }
    give_up(s);
}

/* If something came of the round, the next one begins with what is missing then: who was asked
 * before may have that. */
static void leave_helper(struct sequencer *s)
{
    if (s->catch_up.has_progress)
        sequencer_catch_up_end(s);
    else
        ask_next(s);
}

static void leave_lacking(struct sequencer *s)
{
    size_t donor = sequencer_find_peer(s, s->catch_up.donor);

    if (donor < s->peer_count)
        s->peers[donor].lacks_entries = true;
    leave_helper(s);
}

static void begin(struct sequencer *s, const struct entry_range *range)
{
    for (size_t i = 0; i < s->peer_count; i++)
        s->peers[i].lacks_entries = false;
    s->catch_up = (struct sequencer_catch_up){
        .until = range->first, .since_ns = s->now_ns, .nearest = *range, .nearest_from = s->source};
    s->progress_ns = s->now_ns; /* whom we learn from has answered */
    ask_next(s);
}

void sequencer_catch_up_seek(struct sequencer *s, const struct entry_range *range, size_t records)
{
    struct sequencer_catch_up *catch_up = &s->catch_up;

    if (!catch_up->donor) {
        begin(s, range);
    } else if (catch_up->is_from_donor) {
        if (records && !catch_up->has_progress && range->first < catch_up->nearest.first) {
            catch_up->nearest = *range;
            catch_up->nearest_from = catch_up->donor;
        }
        leave_lacking(s);
    }
}

void sequencer_catch_up_note(struct sequencer *s, size_t records, uint64_t was)
{
    struct sequencer_catch_up *catch_up = &s->catch_up;

    if (s->match_index > was) {
        catch_up->has_progress = true;
        catch_up->since_ns = s->now_ns;
    }
    if (s->log.next >= catch_up->until && !s->backtrack)
        sequencer_catch_up_end(s);
    else if (records == 0)
        leave_lacking(s); /* it has no more */
}

void sequencer_catch_up_check(struct sequencer *s)
{
    const struct sequencer_catch_up *catch_up = &s->catch_up;
    size_t donor = sequencer_find_peer(s, catch_up->donor);
    bool is_gone = donor == s->peer_count || !s->peers[donor].is_alive;
    uint64_t patience_ns =
        s->role == SEQUENCER_ADOPTING ? SEQUENCER_PATIENCE_NS : SEQUENCER_CATCH_UP_NS;
    bool is_silent =
        catch_up->tries >= HELP_TRIES && s->now_ns >= s->requested_ns + SEQUENCER_RETRY_NS;

    s->is_taking = true; /* a flush in the middle asks nothing */
    if (s->log.next >= catch_up->until && !s->backtrack) {
        sequencer_catch_up_end(s); /* the source had it after all */
    } else if (s->now_ns < catch_up->since_ns + patience_ns) {
        if (is_gone || is_silent)
            leave_helper(s);
    } else if (catch_up->has_progress) {
        sequencer_catch_up_end(s);
    } else {
        give_up(s);
    }
    s->is_taking = false;
}
