/*
 * A member's part: the runs of its source come in, and what is missing is asked for.
 *
 * Nothing is kept out of turn: what comes after a hole is dropped, and the source is asked to go on
 * from there. So a lost frame costs one round trip, and the history needs no holes.
 *
 * A run tells the mark of the message in front of it. Where ours has another, the two histories
 * parted before: we ask again from the beginning of our run of that mark, and so on back, until the
 * marks agree. What we have from there on is not in the common order.
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

static void drop(struct sequencer *s, enum drop_reason reason, uint64_t n)
{
    counters_drop(s->counters, reason, n);
}

/* ---- where a run begins ---- */

/* The first number that the app was given and that neither a majority is known to have, nor the
 * source. */
static uint64_t first_unsure(const struct sequencer *s)
{
    return sequencer_max(s->joined, sequencer_max(s->committed, s->match_index) + 1);
}

/* A pod that has just started takes part from the present number on; with commits from the first
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
 * Nobody has what lies between our history and this run: it will not come. What we have of its
 * order by then is a majority's, where that is waited for: it keeps the rest. What the app was
 * given, and was never compared with this source's, cannot be any more; unless the mark of our last
 * is that of the message in front of the run, for then it is of the same history.
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
        s->committed = range->first - 1; /* what a source has dropped is a majority's */
    sequencer_report(s, SEQUENCER_MISSING, from, range->first - 1);
}

enum turn { IN_TURN, TOO_EARLY, LONG_KNOWN };

static enum turn turn_of(struct sequencer *s, const struct entry_range *range, size_t records);

/*
 * The histories parted before the oldest number that either still has. So nothing that the app was
 * given is known to be in the common order, but for what a majority had: from there on it comes
 * anew, as far as the source still has it.
 */
static enum turn begin_anew(struct sequencer *s, const struct entry_range *range, size_t records)
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

/* The message in front of the run is another here: the histories parted further back. Later frames
 * of an answer do not turn the search round. */
static enum turn find_parting(struct sequencer *s, const struct entry_range *range, size_t records)
{
    uint64_t before = range->first - 1, start;

    if (before < s->log.first) /* we have nothing older to compare */
        s->match_index = 0;
    if (before < s->log.first || (range->reply_end && range->first == range->oldest))
        return begin_anew(s, range, records); /* nor has the source */
    s->has_gap = true;
    if (s->backtrack && before >= s->backtrack)
        return TOO_EARLY;
    /* Probably where its term began; at least where our mark began. */
    start = range->term_first && range->term_first <= before
                ? range->term_first
                : entry_log_range_start(&s->log, before);
    s->backtrack = sequencer_max(start, s->match_index + 1);
    return TOO_EARLY;
}

/* It ends before what we still have. */
static enum turn far_back(struct sequencer *s, const struct entry_range *range, size_t records)
{
    if (s->match_index || range->last + 1 >= s->log.first)
        return LONG_KNOWN;                /* an old one */
    return begin_anew(s, range, records); /* ours is all beyond the end of the source's history */
}

/* It begins before what we still have, and reaches into it: is it the same there? */
static enum turn compare_first(struct sequencer *s, const struct entry_range *range, size_t records)
{
    if (s->log.knows_previous && !entry_id_equal(s->log.previous, range->id)) {
        s->match_index = 0;
        return begin_anew(s, range, records);
    }
    s->log.previous = range->id;
    s->log.knows_previous = true;
    return IN_TURN;
}

/* What is on its way as an answer is not asked for again for what comes beside it. */
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

/* Can the run be taken from its first record on? If it is too early, more is to be asked for. */
static enum turn turn_of(struct sequencer *s, const struct entry_range *range, size_t records)
{
    struct entry_id before;

    if (range->first > s->log.next)
        return too_early(s, range, records);
    if (range->first + records < s->log.first)
        return far_back(s, range, records);
    if (range->first < s->log.first)
        return compare_first(s, range, records);
    if (!entry_log_id(&s->log, range->first - 1, &before)) { /* we begin here */
        s->log.previous = range->previous;
        s->log.knows_previous = true;
        return IN_TURN;
    }
    if (entry_id_equal(before, range->previous))
        return IN_TURN;
    return find_parting(s, range, records);
}

/* ---- its records ---- */

static bool is_known(const struct sequencer *s, uint64_t index, struct entry_id id)
{
    struct entry_id ours;

    return index < s->log.first ||
           (entry_log_id(&s->log, index, &ours) && entry_id_equal(ours, id));
}

/* One message; false: it cannot be taken now. */
static bool take(struct sequencer *s, uint64_t index, struct entry_id id,
                 const struct record *record)
{
    const struct request request = {.record = *record};

    if (index < s->log.next) {
        if (is_known(s, index, id)) {
            drop(s, DROP_duplicate, 1);
            return true;
        }
        sequencer_diverge(s, index);
    }
    if (sequencer_keep(s, id, &request))
        return true;
    drop(s, DROP_ahead, 1);
    return false;
}

/* Returns the number up to which we have what the source has. */
static uint64_t take_all(struct sequencer *s, const struct entry_range *range, size_t records,
                         struct frame_reader *reader)
{
    uint64_t index = range->first;
    struct record record;

    for (; frame_next(reader, &record); index++, records--) {
        if (!take(s, index, range->id, &record)) {
            drop(s, DROP_ahead, records - 1);
            break;
        }
    }
    return index - 1;
}

/* ---- what a run says besides ---- */

/* We have what the leader had when its term began: from now on our history is its own. */
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

static void take_range(struct sequencer *s, const struct entry_range *range, size_t records,
                       struct frame_reader *reader)
{
    const uint64_t was = s->match_index;
    enum turn turn;
    uint64_t match_index;

    if (sequencer_is_new(s))
        join(s, range);
    s->source_last =
        sequencer_max(s->source_last, sequencer_max(range->last, range->first + records - 1));
    s->reply_end = sequencer_max(s->reply_end, range->reply_end);
    turn = turn_of(s, range, records);
    if (turn != IN_TURN) {
        drop(s, turn == TOO_EARLY ? DROP_ahead : DROP_duplicate, records);
        return;
    }
    if (range->reply_end)
        s->has_gap = false; /* that it filled is not asked for again */
    match_index = take_all(s, range, records, reader);
    s->match_index = sequencer_max(s->match_index, match_index);
    if (s->backtrack) /* they parted behind this run: go on comparing */
        s->backtrack =
            match_index < sequencer_min(sequencer_last(s), s->source_last) ? match_index + 1 : 0;
    if (range->term_first && match_index + 1 >= range->term_first && match_index >= s->join_last)
        agree(s, match_index);
    if (!s->commits)
        sequencer_deliver(s);
    else if (s->role == SEQUENCER_ADOPTING) /* what it learns from may have fallen behind itself */
        sequencer_commit(
            s, sequencer_min(sequencer_max(range->committed, s->goal_committed), match_index));
    else if (s->normal_term == s->term)
        sequencer_commit(s, sequencer_min(range->committed, match_index));
    s->owes_ack |= s->commits && range->committed < sequencer_last(s);
    if (s->catch_up.is_from_donor)
        sequencer_catch_up_note(s, records, was);
    if (s->role == SEQUENCER_ADOPTING)
        sequencer_adopt_progress(s);
}

void sequencer_take_entries(struct sequencer *s, uint64_t from, uint64_t term,
                            const struct entry_range *range, size_t records,
                            struct frame_reader *reader)
{
    bool is_asked = s->source && (from == s->source || from == s->catch_up.donor) &&
                    term == s->term &&
                    (s->role == SEQUENCER_FOLLOWING || s->role == SEQUENCER_ADOPTING);

    if (!is_asked) {
        drop(s, DROP_order, records);
        return;
    }
    s->is_taking = true; /* a flush in the middle asks nothing */
    s->catch_up.is_from_donor = from == s->catch_up.donor;
    if (s->catch_up.is_from_donor)
        s->catch_up.tries = 0;
    take_range(s, range, records, reader);
    s->catch_up.is_from_donor = false;
    s->is_taking = false;
}

/* ---- asking ---- */

/* The number to ask the source for; 0: nothing is missing. */
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

/* At once where something came out of turn, or an answer ended short of the tail; else again. */
static bool is_time_to_request(const struct sequencer *s, uint64_t need)
{
    bool is_answered = need >= s->reply_end;

    if (s->now_ns >= s->requested_ns + SEQUENCER_RETRY_NS)
        return true;
    return need != s->requested && (s->has_gap || is_answered);
}

/* Whom we can ask; NULL: nobody, or there is nothing to ask yet. */
static const struct sequencer_peer *find_source(const struct sequencer *s)
{
    size_t index = sequencer_find_peer(s, s->source);

    if (index == s->peer_count || (!s->source_last && s->role != SEQUENCER_ADOPTING))
        return NULL;
    return &s->peers[index];
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
    ack = sequencer_ack(s);
    if (need && is_time_to_request(s, need)) {
        ack.request = s->requested = need;
        s->requested_ns = s->now_ns;
        s->has_gap = false;
        s->reply_end = 0;
        counters_add(s->counters, COUNTER_ORDER_ASKED, 1);
    }
    if (ack.request && s->catch_up.donor) {
        s->catch_up.tries++;
        s->ops->send_ack(s->context, s->peers[sequencer_find_peer(s, s->catch_up.donor)].member,
                         &ack);
        ack.request = 0;
    }
    if (source && (ack.request || (s->owes_ack && s->normal_term == s->term))) {
        s->ops->send_ack(s->context, source->member, &ack);
        s->owes_ack = false;
    }
}
