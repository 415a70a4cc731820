/*
 * Our own candidacy: a campaign first collects pre-votes, then votes of one term.
 *
 * Each member is asked on its own schedule: again after half an interval without a reply, or when
 * the lease grant that it named in a refusal has ended. A pre-vote counts for half the detection
 * time. A round of votes lasts as long; after it the campaign collects pre-votes again.
 */
#include "election_internal.h"

#define ISOLATED_AFTER 2 /* detection times without replies of a majority */

static uint64_t half_detection(const struct election *e)
{
    return e->detection_ns / 2;
}

/* The voter of this row: the member, or the new instance whose existence proves it dead. */
static const struct election_member *voter_of(const struct election *e, uint16_t index)
{
    const struct election_member *replacement = &e->peers[index].replacement;

    return replacement->instance && !election_is_stand_in(e, index) ? replacement
                                                                    : &e->list.members[index];
}

static uint16_t find_voter(const struct election *e, uint64_t instance)
{
    for (uint16_t i = 0; i < e->list.count; i++) {
        if (voter_of(e, i)->instance == instance)
            return i;
    }
    return ELECTION_NOT_FOUND;
}

static uint16_t find_stand_in(const struct election *e, uint64_t instance)
{
    for (uint16_t i = 0; i < e->list.count; i++) {
        if (e->peers[i].replacement.instance == instance && election_is_stand_in(e, i))
            return i;
    }
    return ELECTION_NOT_FOUND;
}

/* ---- rounds ---- */

static void reset_votes(struct election *e)
{
    for (uint16_t i = 0; i < e->list.count; i++) {
        e->peers[i].vote_until_ns = e->peers[i].stand_in_until_ns = 0;
        e->peers[i].ask_ns = 0;
    }
}

/* A leader far below a term that it has seen rises in steps that no member rejects as a leap. */
uint64_t election_next_term(const struct election *e)
{
    uint64_t seen = election_max(election_max(e->seen_term, e->term), e->voted_term);

    if (e->state == ELECTION_LEADER && seen > e->term + ELECTION_TERM_LEAP / 2)
        seen = election_max(e->term + ELECTION_TERM_LEAP / 2, e->voted_term);
    if (!(e->campaign.flags & ELECTION_FLAG_TERM_SKIPPED))
        return seen + 1;
    /* Spread by instance: votes after the skip of another candidate may be forgotten, too. */
    return seen + ELECTION_TERM_SKIP + (election_self(e) * UINT64_C(0x9e3779b97f4a7c15) >> 58);
}

static void start_votes(struct election *e)
{
    struct election_campaign *c = &e->campaign;

    reset_votes(e);
    c->stage = ELECTION_STAGE_VOTE;
    c->term = election_next_term(e);
    c->ends_ns = e->now_ns + half_detection(e);
    e->seen_term = election_max(e->seen_term, c->term);
    e->voted_term = c->term;
    e->voted_for = e->granted_to = election_self(e);
    e->granted_until_ns = c->ends_ns;
}

void election_campaign_start(struct election *e, enum election_stage stage,
                             enum election_cause cause, uint16_t flags)
{
    struct election_campaign *c = &e->campaign;

    if (c->stage == ELECTION_STAGE_NONE)
        c->started_ns = e->now_ns;
    c->cause = cause;
    c->flags = flags;
    c->deposed = e->leader;
    c->deposed_term = e->term;
    c->ends_ns = 0;
    c->stage = ELECTION_STAGE_PREVOTE;
    reset_votes(e);
    if (stage == ELECTION_STAGE_VOTE && election_may_grant_lease(e, election_self(e)))
        start_votes(e);
}

void election_campaign_stop(struct election *e)
{
    if (e->campaign.stage == ELECTION_STAGE_NONE)
        return;
    e->campaign.stage = ELECTION_STAGE_NONE;
    if (e->granted_to == election_self(e))
        e->granted_until_ns = 0; /* no one else relies on our grant to ourselves */
}

/* ---- requests ---- */

static void request_vote(struct election *e, const struct election_member *voter)
{
    const struct election_campaign *c = &e->campaign;
    bool is_vote = c->stage != ELECTION_STAGE_PREVOTE;
    struct election_message m = election_make(e, is_vote ? ELECTION_VOTE : ELECTION_PREVOTE);

    m.term = is_vote ? c->term : election_next_term(e);
    m.stamp_ns = e->now_ns;
    m.interval_ns = e->config.interval_ns;
    m.misses = (uint8_t)e->config.misses;
    m.flags = c->flags;
    m.leader = c->deposed;
    m.deposed_term = c->deposed_term;
    election_send(e, &voter->address, voter->instance, &m);
}

static void request_votes_of_row(struct election *e, uint16_t index)
{
    request_vote(e, voter_of(e, index));
    if (election_is_stand_in(e, index))
        request_vote(e, &e->peers[index].replacement);
    e->peers[index].ask_ns =
        e->now_ns + e->interval_ns / 2 + (e->state == ELECTION_ISOLATED ? e->interval_ns : 0);
}

static void request_votes(struct election *e)
{
    for (uint16_t i = 0; i < e->list.count; i++) {
        if (i == e->self_index || e->peers[i].vote_until_ns > e->now_ns)
            continue;
        if (e->peers[i].ask_ns <= e->now_ns)
            request_votes_of_row(e, i);
        election_wake_at(e, e->peers[i].ask_ns);
    }
}

/* The Lease may take longer than the votes last; then other candidates would begin, and the new leader
 * would not be valid. */
static void extend_votes(struct election *e)
{
    struct election_campaign *c = &e->campaign;

    if (e->now_ns >= c->ends_ns) {
        c->ends_ns = e->now_ns + half_detection(e);
        if (e->granted_to == election_self(e))
            e->granted_until_ns = c->ends_ns;
        for (uint16_t i = 0; i < e->list.count && c->is_voted; i++) {
            if (i != e->self_index)
                request_votes_of_row(e, i);
        }
    }
    election_wake_at(e, c->ends_ns);
}

void election_campaign_win(struct election *e)
{
    struct election_campaign *c = &e->campaign;
    enum election_cause cause = c->cause;

    c->stage = ELECTION_STAGE_NONE;
    election_former_lead(e);
    election_note_succession(e);
    e->term = c->term;
    e->leader = election_self(e);
    e->leader_address = e->config.self.address;
    e->claim_cause = cause;
    e->is_term_skipped =
        c->flags & (ELECTION_FLAG_TERM_SKIPPED | ELECTION_FLAG_BOOTSTRAP) || e->config.has_lease;
    e->counts.elections_won++;
    election_enter(e, ELECTION_LEADER,
                   cause == ELECTION_BY_BOOTSTRAP ? ELECTION_BY_BOOTSTRAP : ELECTION_BY_VOTES);
    election_lead_begin(e);
}

/* ---- counting votes ---- */

static void count_votes(struct election *e)
{
    struct election_campaign *c = &e->campaign;
    const struct election_tally tally = election_tally_votes(e);

    if (e->config.has_lease && !(e->lease.is_writable && e->lease.is_votable))
        return; /* votes without the Lease would only raise the term */
    if (!election_has_majority(e, &tally)) {
        if (e->config.has_lease && election_may_take_lease(e))
            election_seal(e, false);
        return;
    }
    if (c->stage == ELECTION_STAGE_PREVOTE) {
        if (e->now_ns >= c->ends_ns && election_may_grant_lease(e, election_self(e)))
            start_votes(e);
    } else if (tally.certain >= election_needed(e) ||
               c->flags & (ELECTION_FLAG_TERM_SKIPPED | ELECTION_FLAG_BOOTSTRAP) ||
               e->config.has_lease) { /* the Lease has one holder in a term */
        election_settle_stand_ins(e, tally.by_member < election_needed(e));
        if (e->config.has_lease)
            election_seal(e, true);
        else
            election_campaign_win(e);
    } else {
        /* Members may have voted in this term and forgotten it: skip to terms without votes. */
        c->flags |= ELECTION_FLAG_TERM_SKIPPED;
        start_votes(e);
    }
}

/* Two thirds of a lease grant, which lasts no longer than our request asked for. */
static uint64_t usable_grant(const struct election *e, uint64_t lease_grant_ns)
{
    return election_min(lease_grant_ns, e->config.interval_ns * e->config.misses) / 3 * 2;
}

/* True if it is a reply to a request of this round. */
static bool is_reply_wanted(const struct election *e, const struct election_message *m)
{
    const struct election_campaign *c = &e->campaign;
    bool is_vote = m->type == ELECTION_VOTE_REPLY;

    return c->stage != ELECTION_STAGE_NONE && is_vote == (c->stage != ELECTION_STAGE_PREVOTE) &&
           (!is_vote || m->term == c->term) && m->stamp_ns <= e->now_ns &&
           m->stamp_ns >= c->started_ns;
}

static uint64_t vote_until(const struct election *e, const struct election_message *m)
{
    return m->stamp_ns + (m->type == ELECTION_VOTE_REPLY ? usable_grant(e, m->lease_grant_ns)
                                                         : half_detection(e));
}

static void hear_refused_vote(struct election *e, const struct election_event *event)
{
    const struct election_message *m = event->message;

    if (!(m->flags & ELECTION_FLAG_OLD_LIST))
        return;
    if (m->flags & ELECTION_FLAG_NOT_LISTED && e->state != ELECTION_LEADER) {
        election_campaign_stop(e);
        election_forget_list(e);
        election_enter(e, ELECTION_JOINING, ELECTION_BY_LIST);
    } else {
        election_request_list(e, &event->from, m->from, m->list);
    }
}

static void hear_stand_in(struct election *e, uint16_t index, const struct election_event *event)
{
    const struct election_message *m = event->message;
    struct election_peer *peer = &e->peers[index];

    peer->stand_in_heard_ns = e->now_ns;
    if (m->flags & ELECTION_FLAG_GRANTED)
        peer->stand_in_until_ns = vote_until(e, m);
    else
        hear_refused_vote(e, event);
}

void election_hear_vote_reply(struct election *e, const struct election_event *event)
{
    const struct election_message *m = event->message;
    uint16_t index = find_voter(e, m->from), stand_in = find_stand_in(e, m->from);
    struct election_peer *peer = &e->peers[index];

    if ((index == ELECTION_NOT_FOUND && stand_in == ELECTION_NOT_FOUND) || !is_reply_wanted(e, m) ||
        !election_note_term(e, m->seen))
        return;
    if (index == ELECTION_NOT_FOUND) {
        hear_stand_in(e, stand_in, event);
        return;
    }
    peer->heard_ns = e->now_ns;
    peer->is_volatile = m->flags & ELECTION_FLAG_VOLATILE;
    if (m->flags & ELECTION_FLAG_GRANTED) {
        peer->vote_until_ns = vote_until(e, m);
        if (m->type == ELECTION_VOTE_REPLY)
            peer->lease_until_ns = peer->vote_until_ns;
        return;
    }
    peer->ask_ns = e->now_ns + (m->wait_ns ? election_min(m->wait_ns, e->detection_ns) + NS_PER_MS
                                           : e->interval_ns / 2);
    hear_refused_vote(e, event);
}

/* ---- time ---- */

static bool majority_replies(const struct election *e)
{
    size_t n = 1;

    for (uint16_t i = 0; i < e->list.count; i++) {
        uint64_t heard_ns = election_max(e->peers[i].heard_ns, e->peers[i].stand_in_heard_ns);

        n += i != e->self_index && heard_ns && e->now_ns < heard_ns + e->detection_ns;
    }
    return n >= election_needed(e);
}

/* A campaign for a bootstrap or with our own row is limited: the list that it rests on may
 * change. */
static bool is_campaign_limited(const struct election *e)
{
    return e->campaign.flags & ELECTION_FLAG_BOOTSTRAP || e->is_unlisted;
}

/* The round ended without a winner. The next one starts later the later we are in the list. */
void election_campaign_end_round(struct election *e)
{
    struct election_campaign *c = &e->campaign;

    if (is_campaign_limited(e) || e->state == ELECTION_LEADER) {
        election_campaign_stop(e);
        if (e->state != ELECTION_LEADER) {
            election_forget_list(e);
            election_enter(e, ELECTION_JOINING, ELECTION_BY_LIMIT);
        }
        return;
    }
    c->stage = ELECTION_STAGE_PREVOTE;
    reset_votes(e);
    c->ends_ns = e->now_ns + (1u + e->self_index) * e->interval_ns / 2;
}

static void check_isolation(struct election *e)
{
    uint64_t after = e->campaign.started_ns + ISOLATED_AFTER * e->detection_ns;

    if (e->state == ELECTION_LEADER || e->campaign.flags & ELECTION_FLAG_BOOTSTRAP)
        return;
    if (e->state == ELECTION_ISOLATED) {
        election_discover(e, 5 * e->interval_ns);
        if (majority_replies(e)) {
            e->campaign.started_ns = e->now_ns;
            election_enter(e, ELECTION_CANDIDATE, ELECTION_BY_QUORUM);
        }
        return;
    }
    election_discover(e, 5 * e->interval_ns);
    if (e->now_ns < after) {
        election_wake_at(e, after);
    } else if (!majority_replies(e)) {
        election_enter(e, ELECTION_ISOLATED, ELECTION_BY_NO_QUORUM);
    }
}

/* Most campaigns collect pre-votes without a limit. */
static bool is_round_over(struct election *e)
{
    const struct election_campaign *c = &e->campaign;
    uint64_t limit = c->started_ns + (e->is_unlisted ? 2 : 1) * e->detection_ns;

    if (c->stage == ELECTION_STAGE_VOTE)
        return e->now_ns >= c->ends_ns;
    if (!is_campaign_limited(e))
        return false;
    election_wake_at(e, limit);
    return e->now_ns >= limit;
}

void election_campaign_tick(struct election *e)
{
    struct election_campaign *c = &e->campaign;
    uint64_t term;

    if (c->stage == ELECTION_STAGE_SEAL)
        extend_votes(e);
    if (c->stage == ELECTION_STAGE_NONE || c->stage == ELECTION_STAGE_SEAL)
        return;
    if (is_round_over(e)) {
        election_campaign_end_round(e);
        if (c->stage == ELECTION_STAGE_NONE)
            return;
    }
    check_isolation(e);
    do {
        term = c->term;
        count_votes(e);
    } while (c->stage != ELECTION_STAGE_NONE && c->stage != ELECTION_STAGE_SEAL &&
             c->term != term); /* our own vote may be enough */
    if (c->stage == ELECTION_STAGE_NONE || c->stage == ELECTION_STAGE_SEAL)
        return; /* won */
    request_votes(e);
    if (c->ends_ns > e->now_ns)
        election_wake_at(e, c->ends_ns);
    if (e->granted_until_ns > e->now_ns && c->stage == ELECTION_STAGE_PREVOTE)
        election_wake_at(e, e->granted_until_ns);
    /* With the pre-votes there already, only our own vote is missing. */
    if (e->abstain_ns > e->now_ns)
        election_wake_at(e, e->abstain_ns);
}
