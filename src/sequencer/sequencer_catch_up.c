/*
 * Catch-up: entries that a member's source no longer has may be in another member's log. A leader
 * that joined late, or whose log is shorter, has fewer entries than its followers.
 *
 * Requests go to the other members in turn, each for a limited time. Requests to a donor continue
 * until the next entry is in the source's log, too. A member without these entries replies with the
 * index at which its own log begins: if no donor is left, our log continues at the nearest of these
 * indexes, and the app gets a report of the missing entries.
 *
 * A member replies only when its log is known to be the leader's (sequencer_take_ack), and a new
 * leader asks only those whose log is the source's: they agreed with the same leader last. So a
 * donor's entries are of the common log, and are compared like the source's.
 */
#include "sequencer_internal.h"

#define TRIES_MAX 5 /* SEQUENCER_RETRY_NS each: then the next donor is asked */

/* ---- donors ---- */

static bool can_donate(const struct sequencer *s, const struct sequencer_peer *peer)
{
    size_t source = sequencer_find_peer(s, s->source);

    if (!peer->is_alive || peer->lacks_entries || peer->instance == s->source)
        return false;
    return s->role == SEQUENCER_FOLLOWING || (peer->has_acked && source < s->peer_count &&
                                              peer->normal_term == s->peers[source].normal_term);
}

/* The first request to another donor goes out at once. */
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

/* The gap is reported; the entries behind it are requested from the member that has them. */
static void give_up(struct sequencer *s)
{
    struct sequencer_catch_up *catch_up = &s->catch_up;

    turn_to(s, catch_up->nearest_from == s->source ? 0 : catch_up->nearest_from);
    catch_up->has_progress = true;
    catch_up->has_skipped = true;
    catch_up->since_ns = s->now_ns;
    sequencer_skip_to(s, &catch_up->nearest);
}

/* In turn, silent ones again, too. */
static void ask_next(struct sequencer *s)
{
    size_t last = sequencer_find_peer(s, s->catch_up.donor);

    for (size_t i = 1; i <= s->peer_count; i++) {
        const struct sequencer_peer *peer = &s->peers[(last + i) % s->peer_count];

        if (can_donate(s, peer)) {
            turn_to(s, peer->instance);
            return;
        }
    }
    give_up(s);
}

/* After progress the next catch-up begins with what is missing then: any member may have that. */
static void leave_donor(struct sequencer *s)
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
    leave_donor(s);
}

static void begin_catch_up(struct sequencer *s, const struct entry_range *range)
{
    for (size_t i = 0; i < s->peer_count; i++)
        s->peers[i].lacks_entries = false;
    s->catch_up = (struct sequencer_catch_up){
        .until = range->first, .since_ns = s->now_ns, .nearest = *range, .nearest_from = s->source};
    s->progress_ns = s->now_ns; /* the member whose log is adopted has replied */
    ask_next(s);
}

void sequencer_catch_up_seek(struct sequencer *s, const struct entry_range *range, size_t records)
{
    struct sequencer_catch_up *catch_up = &s->catch_up;

    if (!catch_up->donor && catch_up->has_skipped && s->log.first == s->log.next) {
        /* The source dropped more entries while donors were asked. Its log reached back furthest.
         */
        sequencer_skip_to(s, range);
    } else if (!catch_up->donor) {
        begin_catch_up(s, range);
    } else if (catch_up->is_from_donor) {
        if (records && !catch_up->has_progress && range->first < catch_up->nearest.first) {
            catch_up->nearest = *range;
            catch_up->nearest_from = catch_up->donor;
        }
        leave_lacking(s);
    }
}

void sequencer_catch_up_note(struct sequencer *s, size_t records, uint64_t match_before)
{
    struct sequencer_catch_up *catch_up = &s->catch_up;

    if (s->match_index > match_before) {
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
    struct sequencer_catch_up *catch_up = &s->catch_up;
    size_t donor = sequencer_find_peer(s, catch_up->donor);
    bool is_gone = donor == s->peer_count || !s->peers[donor].is_alive;
    uint64_t patience_ns =
        s->role == SEQUENCER_ADOPTING ? SEQUENCER_PATIENCE_NS : SEQUENCER_CATCH_UP_NS;
    bool is_silent =
        catch_up->tries >= TRIES_MAX && s->now_ns >= s->requested_ns + SEQUENCER_RETRY_NS;

    if (s->has_replied) { /* a restart would remove the entries that SEND actions name */
        catch_up->is_overdue = true;
        return;
    }
    if (s->log.next >= catch_up->until && !s->backtrack) {
        sequencer_catch_up_end(s); /* the source had them */
    } else if (s->now_ns < catch_up->since_ns + patience_ns) {
        if (is_gone || is_silent)
            leave_donor(s);
    } else if (catch_up->has_progress) {
        sequencer_catch_up_end(s);
    } else {
        give_up(s);
    }
}
