/*
 * A member's part: it takes entries of its source in index order and requests missing ones.
 *
 * Entries behind a gap are dropped, and the source is asked to go on from the gap. So a lost frame
 * costs one round trip, and the log has no gaps.
 *
 * A range carries the id of the entry before it. If ours has another id, the two logs diverged
 * earlier: we request again from where our entries of that id begin, and so on back, until the ids
 * agree. Our entries from there on are not in the common log.
 */
#include "sequencer_internal.h"

void sequencer_follow(struct sequencer *s, uint64_t source)
{
    s->source = source;
    s->match_index = s->source_last = s->backtrack = s->reply_end = 0;
    s->requested = s->requested_ns = 0;
    s->has_gap = false;
    s->owes_ack = false;
    s->catch_up = (struct sequencer_catch_up){0};
}

static void drop_records(struct sequencer *s, enum drop_reason reason, uint64_t n)
{
    counters_drop(s->counters, reason, n);
}

/* ---- where a range begins ---- */

/* The first delivered index that neither a majority nor the source is known to have. */
static uint64_t first_unsure(const struct sequencer *s)
{
    return sequencer_max(s->joined, sequencer_max(s->committed, s->match_index) + 1);
}

/* A pod that has just started takes part from the present index on; with commits from the first one
 * that a majority may not have yet. */
static void join(struct sequencer *s, const struct entry_range *range)
{
    uint64_t next = range->first;

    if (s->commits)
        next = sequencer_min(next, range->committed + 1);
    s->join_last = range->last;
    sequencer_restart(s, next, NULL);
    sequencer_report(s, SEQUENCER_JOINED, next, 0);
}

/*
 * No member has the entries between our log and this range. With commits, our entries of this term
 * are a majority's by then: a majority has the entries behind the gap. Delivered entries that were
 * never compared with the source's log cannot be compared any more; except that if our last entry
 * has the id of the entry before the range, it is of the same log.
 */
void sequencer_skip_to(struct sequencer *s, const struct entry_range *range)
{
    struct entry_id id;
    uint64_t from;

    if (s->commits && s->normal_term == s->term)
        sequencer_commit(s, sequencer_last(s));
    if (entry_log_id(&s->log, sequencer_last(s), &id) && entry_id_equal(id, range->previous))
        s->match_index = sequencer_max(s->match_index, sequencer_last(s));
    sequencer_diverge(s, first_unsure(s));
    from = s->delivered + 1;
    counters_add(s->counters, COUNTER_ORDER_MISSED, range->first - from);
    sequencer_restart(s, range->first, &range->previous);
    if (s->commits)
        s->committed = range->first - 1; /* a source drops only entries that a majority has */
    sequencer_report(s, SEQUENCER_MISSING, from, range->first - 1);
}

enum turn { IN_TURN, TOO_EARLY, LONG_KNOWN };

static enum turn turn_of(struct sequencer *s, const struct entry_range *range, size_t records);

/*
 * The logs diverged before the oldest entry that either still has. So no delivered entry is known
 * to be in the common log, except those that a majority had: from there on entries are taken again,
 * as far as the source still has them.
 */
static enum turn restart_log(struct sequencer *s, const struct entry_range *range, size_t records)
{
    uint64_t joined = s->joined, from;

    s->backtrack = 0;
    from = sequencer_min(first_unsure(s), range->last + 1);
    sequencer_diverge(s, sequencer_max(from, joined));
    sequencer_restart(s, from, NULL);
    if (from < joined)
        sequencer_report(s, SEQUENCER_JOINED, from, 0);
    return turn_of(s, range, records);
}

/* The entry before the range has another id here: the logs diverged further back. Later frames of a
 * reply do not move the search forward again. */
static enum turn search_back(struct sequencer *s, const struct entry_range *range, size_t records)
{
    uint64_t before = range->first - 1, start;

    if (before < s->log.first) /* we have nothing older to compare */
        s->match_index = 0;
    if (before < s->log.first || (range->reply_end && range->first == range->oldest))
        return restart_log(s, range, records); /* nor has the source */
    s->has_gap = true;
    if (s->backtrack && before >= s->backtrack)
        return TOO_EARLY;
    /* Probably where its term began; at least where our entries of this id begin. */
    start = range->term_first && range->term_first <= before
                ? range->term_first
                : entry_log_range_start(&s->log, before);
    s->backtrack = sequencer_max(start, s->match_index + 1);
    return TOO_EARLY;
}

/* The range ends before our oldest entry. */
static enum turn far_back(struct sequencer *s, const struct entry_range *range, size_t records)
{
    if (s->match_index || range->last + 1 >= s->log.first)
        return LONG_KNOWN;                 /* a delayed one */
    return restart_log(s, range, records); /* all of ours is beyond the source's last index */
}

/* The range begins before our oldest entry and reaches into our log: are the ids equal there? */
static enum turn compare_first(struct sequencer *s, const struct entry_range *range, size_t records)
{
    if (s->log.knows_previous && !entry_id_equal(s->log.previous, range->id)) {
        s->match_index = 0;
        return restart_log(s, range, records);
    }
    s->log.previous = range->id;
    s->log.knows_previous = true;
    return IN_TURN;
}

/* A gap that a reply on its way will fill is not requested again for published entries. */
static enum turn too_early(struct sequencer *s, const struct entry_range *range, size_t records)
{
    if (range->reply_end && range->first == range->oldest) {
        sequencer_catch_up_seek(s, range, records);
        if (range->first == s->log.next)
            return IN_TURN;
    }
    s->has_gap |= range->reply_end || s->log.next >= s->reply_end;
    return TOO_EARLY;
}

/* Can the range be taken from its first record on? Too early: entries before it are requested. */
static enum turn turn_of(struct sequencer *s, const struct entry_range *range, size_t records)
{
    struct entry_id before;

    if (range->first > s->log.next)
        return too_early(s, range, records);
    if (range->first + records < s->log.first)
        return far_back(s, range, records);
    if (range->first < s->log.first)
        return compare_first(s, range, records);
    if (!entry_log_id(&s->log, range->first - 1, &before)) { /* our log begins here */
        s->log.previous = range->previous;
        s->log.knows_previous = true;
        return IN_TURN;
    }
    if (entry_id_equal(before, range->previous))
        return IN_TURN;
    return search_back(s, range, records);
}

/* ---- its records ---- */

static bool is_known(const struct sequencer *s, uint64_t index, struct entry_id id)
{
    struct entry_id ours;

    return index < s->log.first ||
           (entry_log_id(&s->log, index, &ours) && entry_id_equal(ours, id));
}

static enum sequencer_kept take_record(struct sequencer *s, uint64_t index, struct entry_id id,
                                       const struct record *record)
{
    if (index < s->log.next) {
        if (is_known(s, index, id)) {
            drop_records(s, DROP_duplicate, 1);
            return SEQUENCER_KEPT;
        }
        sequencer_diverge(s, index);
    }
    return sequencer_keep(s, id, record);
}

/* Up to taking.index our log is the source's then. False: flush first, and go on from there. */
static bool take_records(struct sequencer *s, const struct entry_range *range, size_t records,
                         struct frame_reader *reader)
{
    struct frame_reader here = *reader;
    struct record record;

    for (; frame_next(reader, &record); s->taking.index++, here = *reader) {
        enum sequencer_kept kept = take_record(s, s->taking.index, range->id, &record);

        if (kept == SEQUENCER_FLUSH_FIRST) {
            *reader = here;
            return false;
        }
        if (kept == SEQUENCER_NO_ROOM) {
            drop_records(s, DROP_ahead, range->first + records - s->taking.index);
            break;
        }
    }
    return true;
}

/* ---- what else a range carries: agreement and commits ---- */

/* We have the entries that the leader had when its term began: our log is the leader's. */
static void agree(struct sequencer *s, uint64_t match_index)
{
    struct entry_id next;

    if (match_index + 1 >= s->log.first && match_index + 1 < s->log.next) {
        next = entry_log_at(&s->log, match_index + 1)->id;
        if (next.term != s->term || next.leader != s->source)
            sequencer_diverge(s, match_index + 1);
    }
    s->normal_term = s->term;
}

static void deliver_taken(struct sequencer *s, const struct entry_range *range,
                          uint64_t match_index)
{
    if (!s->commits)
        sequencer_deliver(s);
    else if (s->role == SEQUENCER_ADOPTING) /* the source may not have heard of all commits */
        sequencer_commit(
            s, sequencer_min(sequencer_max(range->committed, s->goal_committed), match_index));
    else if (s->normal_term == s->term)
        sequencer_commit(s, sequencer_min(range->committed, match_index));
}

/* Its records have been taken. */
static void finish_range(struct sequencer *s, const struct entry_range *range, size_t records)
{
    const uint64_t match_index = s->taking.index - 1;

    s->match_index = sequencer_max(s->match_index, match_index);
    if (s->backtrack) /* they diverged behind this range: go on comparing */
        s->backtrack =
            match_index < sequencer_min(sequencer_last(s), s->source_last) ? match_index + 1 : 0;
    if (range->term_first && match_index + 1 >= range->term_first && match_index >= s->join_last)
        agree(s, match_index);
    deliver_taken(s, range, match_index);
    s->owes_ack |= s->commits && range->committed < sequencer_last(s);
    if (s->catch_up.is_from_donor)
        sequencer_catch_up_note(s, records, s->taking.match_before);
    if (s->role == SEQUENCER_ADOPTING)
        sequencer_adopt_progress(s);
}

/* Where does the range begin? False: its records are not taken. */
static bool begin_range(struct sequencer *s, const struct entry_range *range, size_t records)
{
    const uint64_t match_before = s->match_index;
    enum turn turn;

    if (sequencer_is_new(s))
        join(s, range);
    s->source_last =
        sequencer_max(s->source_last, sequencer_max(range->last, range->first + records - 1));
    s->reply_end = sequencer_max(s->reply_end, range->reply_end);
    turn = turn_of(s, range, records);
    if (turn != IN_TURN) {
        drop_records(s, turn == TOO_EARLY ? DROP_ahead : DROP_duplicate, records);
        return false;
    }
    if (range->reply_end)
        s->has_gap = false; /* it fills the gap: no second request for that */
    s->taking = (struct sequencer_taking){.index = range->first, .match_before = match_before};
    return true;
}

static bool take_range(struct sequencer *s, const struct sequencer_event *event)
{
    if (!s->taking.is_unfinished && !begin_range(s, event->range, event->records))
        return true;
    s->taking.is_unfinished = !take_records(s, event->range, event->records, event->reader);
    if (s->taking.is_unfinished)
        return false;
    finish_range(s, event->range, event->records);
    return true;
}

bool sequencer_take_entries(struct sequencer *s, const struct sequencer_event *event)
{
    bool is_requested =
        s->taking.is_unfinished ||
        (s->source && (event->from == s->source || event->from == s->catch_up.donor) &&
         event->term == s->term &&
         (s->role == SEQUENCER_FOLLOWING || s->role == SEQUENCER_ADOPTING));
    bool is_done;

    if (!is_requested) {
        drop_records(s, DROP_order, event->records);
        return true;
    }
    if (!s->taking.is_unfinished)
        s->catch_up.is_from_donor = event->from == s->catch_up.donor;
    if (s->catch_up.is_from_donor)
        s->catch_up.tries = 0;
    is_done = take_range(s, event);
    s->catch_up.is_from_donor &= !is_done;
    return is_done;
}

/* ---- requests ---- */

/* The index to request from the source; 0: nothing is missing. */
static uint64_t index_needed(const struct sequencer *s)
{
    if (s->role == SEQUENCER_ADOPTING && sequencer_is_new(s))
        return s->commits ? s->goal_committed + 1 : s->goal + 1;
    if (s->backtrack)
        return s->backtrack;
    if (s->role == SEQUENCER_ADOPTING) /* what we have is compared, too */
        return sequencer_min(s->log.next, s->goal + 1);
    return s->source_last > sequencer_last(s) ? s->log.next : 0;
}

/* At once where entries came out of order, or a reply ended before the last index; otherwise
 * repeated.
 */
static bool is_time_to_request(const struct sequencer *s, uint64_t need)
{
    bool is_replied = need >= s->reply_end;

    if (s->now_ns >= s->requested_ns + SEQUENCER_RETRY_NS)
        return true;
    return need != s->requested && (s->has_gap || is_replied);
}

/* NULL: the source is no member, or has not told its last index yet. */
static const struct sequencer_peer *find_source(const struct sequencer *s)
{
    size_t at = sequencer_find_peer(s, s->source);

    if (at == s->peer_count || (!s->source_last && s->role != SEQUENCER_ADOPTING))
        return NULL;
    return &s->peers[at];
}

uint64_t sequencer_request_ns(const struct sequencer *s)
{
    return find_source(s) && index_needed(s) ? s->requested_ns + SEQUENCER_RETRY_NS : UINT64_MAX;
}

void sequencer_request(struct sequencer *s)
{
    const struct sequencer_peer *source = find_source(s);
    struct entry_ack ack;
    uint64_t need;

    if (source && s->catch_up.donor)
        sequencer_catch_up_check(s);
    need = source ? index_needed(s) : 0;
    ack = sequencer_make_ack(s);
    if (need && is_time_to_request(s, need)) {
        ack.request = s->requested = need;
        s->requested_ns = s->now_ns;
        s->has_gap = false;
        s->reply_end = 0;
        counters_add(s->counters, COUNTER_ORDER_ASKED, 1);
    }
    if (ack.request && s->catch_up.donor) {
        s->catch_up.tries++;
        sequencer_emit_ack(s, s->peers[sequencer_find_peer(s, s->catch_up.donor)].member, &ack);
        ack.request = 0;
    }
    if (source && (ack.request || (s->owes_ack && s->normal_term == s->term))) {
        sequencer_emit_ack(s, source->member, &ack);
        s->owes_ack = false;
    }
}
