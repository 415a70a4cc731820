/*
 * A campaign asks every entry of the list, each at its own time: again after
 * half an interval when it did not reply, and when its lease_grant has run out
 * when it said so. Pre-votes count for half a detection time. A round of votes
 * lasts as long; then it is pre-votes again.
 */
#include "election_internal.h"

#define ISOLATED_AFTER 2 /* detection times without a majority that replies */

static uint64_t half_detection(const struct election *e)
{
    return e->detection_ns / 2;
}

/* Whom to ask for this entry: the member, or the new instance that proves it dead. */
static const struct election_member *voter_of(const struct election *e, uint16_t index)
{
    return e->peers[index].successor.instance ? &e->peers[index].successor
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

/* ---- rounds ---- */

static void forget_grants(struct election *e)
{
    for (uint16_t i = 0; i < e->list.count; i++) {
        e->peers[i].grant_ns = 0;
        e->peers[i].ask_ns = 0;
    }
}

/* A leader far behind a term that it heard of climbs by steps that nobody refuses as a leap. */
static uint64_t next_term(const struct election *e)
{
    uint64_t seen = election_max(election_max(e->seen_term, e->term), e->voted_term);

    if (e->state == ELECTION_LEADER && seen > e->term + ELECTION_TERM_LEAP / 2)
        seen = election_max(e->term + ELECTION_TERM_LEAP / 2, e->voted_term);
    if (!(e->campaign.flags & ELECTION_FLAG_TERM_SKIPPED))
        return seen + 1;
    /* Not all to the same place: who jumped before us may be forgotten too. */
    return seen + ELECTION_TERM_SKIP + (election_self(e) * UINT64_C(0x9e3779b97f4a7c15) >> 58);
}

static void start_votes(struct election *e)
{
    struct election_campaign *c = &e->campaign;

    forget_grants(e);
    c->stage = ELECTION_STAGE_VOTE;
    c->term = next_term(e);
    c->ends_ns = e->now_ns + half_detection(e);
    e->seen_term = election_max(e->seen_term, c->term);
    e->voted_term = c->term;
    e->voted_for = e->lease_granted_to = election_self(e);
    e->lease_granted_ns = c->ends_ns;
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
    forget_grants(e);
    if (stage == ELECTION_STAGE_VOTE && election_may_grant_lease(e, election_self(e)))
        start_votes(e);
}

void election_campaign_stop(struct election *e)
{
    if (e->campaign.stage == ELECTION_STAGE_NONE)
        return;
    e->campaign.stage = ELECTION_STAGE_NONE;
    if (e->lease_granted_to == election_self(e))
        e->lease_granted_ns = 0; /* only we could have used our own vote */
}

/* ---- asking ---- */

static void ask(struct election *e, uint16_t index)
{
    const struct election_campaign *c = &e->campaign;
    const struct election_member *voter = voter_of(e, index);
    bool is_vote = c->stage == ELECTION_STAGE_VOTE;
    struct election_message m = election_make(e, is_vote ? ELECTION_VOTE : ELECTION_PREVOTE);

    m.term = is_vote ? c->term : next_term(e);
    m.stamp_ns = e->now_ns;
    m.interval_ns = e->config.interval_ns;
    m.misses = (uint8_t)e->config.misses;
    m.flags = c->flags;
    m.leader = c->deposed;
    m.deposed_term = c->deposed_term;
    election_send(e, &voter->address, voter->instance, &m);
    e->peers[index].ask_ns =
        e->now_ns + e->interval_ns / 2 + (e->state == ELECTION_ISOLATED ? e->interval_ns : 0);
}

static void ask_all(struct election *e)
{
    for (uint16_t i = 0; i < e->list.count; i++) {
        if (i == e->self_index || e->peers[i].grant_ns > e->now_ns)
            continue;
        if (e->peers[i].ask_ns <= e->now_ns)
            ask(e, i);
        election_wake_at(e, e->peers[i].ask_ns);
    }
}

static void win(struct election *e)
{
    struct election_campaign *c = &e->campaign;
    enum election_cause cause = c->cause;

    c->stage = ELECTION_STAGE_NONE;
    e->term = c->term;
    e->leader = election_self(e);
    e->leader_address = e->config.self.address;
    e->claim_cause = cause;
    /* Who is elected again while it leads has not broken off either. */
    e->gave_way = c->flags & ELECTION_FLAG_STEPPED_DOWN || e->state == ELECTION_LEADER;
    e->is_term_skipped = c->flags & (ELECTION_FLAG_TERM_SKIPPED | ELECTION_FLAG_BOOTSTRAP);
    e->counts.elections_won++;
    election_enter(e, ELECTION_LEADER,
                   cause == ELECTION_BY_BOOTSTRAP ? ELECTION_BY_BOOTSTRAP : ELECTION_BY_VOTES);
    election_lead_begin(e);
}

/* ---- counting ---- */

static void count(struct election *e)
{
    struct election_campaign *c = &e->campaign;
    size_t grants = election_may_grant_lease(e, election_self(e)), remember, needed;

    remember = grants && !e->is_volatile && !e->is_unlisted;
    for (uint16_t i = 0; i < e->list.count; i++) {
        bool granted = i != e->self_index && e->peers[i].grant_ns > e->now_ns;

        grants += granted;
        remember += granted && !e->peers[i].is_volatile;
    }
    needed = election_needed(e);
    if (grants < needed || (e->is_unlisted && remember < needed && grants < e->list.count))
        return;
    if (c->stage == ELECTION_STAGE_PREVOTE) {
        if (e->now_ns >= c->ends_ns && election_may_grant_lease(e, election_self(e)))
            start_votes(e);
    } else if (remember >= needed ||
               c->flags & (ELECTION_FLAG_TERM_SKIPPED | ELECTION_FLAG_BOOTSTRAP)) {
        win(e);
    } else {
        /* Votes of this term may have been given and forgotten: go where none was. */
        c->flags |= ELECTION_FLAG_TERM_SKIPPED;
        start_votes(e);
    }
}

/* Nobody lease_grants for longer than a request of ours asks for. */
static uint64_t usable(const struct election *e, uint64_t lease_grant_ns)
{
    return election_min(lease_grant_ns, e->config.interval_ns * e->config.misses) / 3 * 2;
}

void election_hear_grant(struct election *e, const struct election_event *event)
{
    const struct election_message *m = event->message;
    const struct election_campaign *c = &e->campaign;
    bool is_vote = m->type == ELECTION_VOTE_REPLY;
    uint16_t index = find_voter(e, m->from);
    struct election_peer *peer = &e->peers[index];

    if (c->stage == ELECTION_STAGE_NONE || index == ELECTION_NOT_FOUND ||
        is_vote != (c->stage == ELECTION_STAGE_VOTE) || (is_vote && m->term != c->term) ||
        m->stamp_ns > e->now_ns || m->stamp_ns < c->started_ns || !election_see_term(e, m->seen))
        return;
    peer->heard_ns = e->now_ns;
    peer->is_volatile = m->flags & ELECTION_FLAG_VOLATILE;
    if (m->flags & ELECTION_FLAG_GRANTED) {
        peer->grant_ns = m->stamp_ns + (is_vote ? usable(e, m->lease_grant_ns) : half_detection(e));
        if (is_vote)
            peer->lease_ns = peer->grant_ns;
        return;
    }
    peer->ask_ns = e->now_ns + (m->wait_ns ? election_min(m->wait_ns, e->detection_ns) + NS_PER_MS
                                           : e->interval_ns / 2);
    if (!(m->flags & ELECTION_FLAG_OLD_LIST))
        return;
    if (m->flags & ELECTION_FLAG_NOT_LISTED && e->state != ELECTION_LEADER) {
        election_campaign_stop(e);
        election_forget_list(e);
        election_enter(e, ELECTION_JOINING, ELECTION_BY_LIST);
    } else {
        election_want_list(e, &event->from, m->from, m->list);
    }
}

/* ---- time ---- */

static bool majority_answers(const struct election *e)
{
    size_t n = 1;

    for (uint16_t i = 0; i < e->list.count; i++)
        n += i != e->self_index && e->peers[i].heard_ns &&
             e->now_ns < e->peers[i].heard_ns + e->detection_ns;
    return n >= election_needed(e);
}

/* For the first leader, or unlisted: what it rests on may have changed, so look again. */
static bool is_short(const struct election *e)
{
    return e->campaign.flags & ELECTION_FLAG_BOOTSTRAP || e->is_unlisted;
}

/* A round is over without a winner: the later in the list, the later again. */
static void end_round(struct election *e)
{
    struct election_campaign *c = &e->campaign;

    if (is_short(e) || e->state == ELECTION_LEADER) {
        election_campaign_stop(e);
        if (e->state != ELECTION_LEADER) {
            election_forget_list(e);
            election_enter(e, ELECTION_JOINING, ELECTION_BY_LIMIT);
        }
        return;
    }
    c->stage = ELECTION_STAGE_PREVOTE;
    forget_grants(e);
    c->ends_ns = e->now_ns + (1u + e->self_index) * e->interval_ns / 2;
}

static void check_isolation(struct election *e)
{
    uint64_t after = e->campaign.started_ns + ISOLATED_AFTER * e->detection_ns;

    if (e->state == ELECTION_LEADER || e->campaign.flags & ELECTION_FLAG_BOOTSTRAP)
        return;
    if (e->state == ELECTION_ISOLATED) {
        election_look_around(e, 5 * e->interval_ns);
        if (majority_answers(e)) {
            e->campaign.started_ns = e->now_ns;
            election_enter(e, ELECTION_CANDIDATE, ELECTION_BY_QUORUM);
        }
        return;
    }
    election_look_around(e, 5 * e->interval_ns);
    if (e->now_ns < after) {
        election_wake_at(e, after);
    } else if (!majority_answers(e)) {
        election_enter(e, ELECTION_ISOLATED, ELECTION_BY_NO_QUORUM);
    }
}

/* Pre-votes may be asked for as long as it takes, in most campaigns. */
static bool is_over(struct election *e)
{
    const struct election_campaign *c = &e->campaign;
    uint64_t limit = c->started_ns + (e->is_unlisted ? 2 : 1) * e->detection_ns;

    if (c->stage == ELECTION_STAGE_VOTE)
        return e->now_ns >= c->ends_ns;
    if (!is_short(e))
        return false;
    election_wake_at(e, limit);
    return e->now_ns >= limit;
}

void election_campaign_tick(struct election *e)
{
    struct election_campaign *c = &e->campaign;
    uint64_t term;

    if (c->stage == ELECTION_STAGE_NONE)
        return;
    if (is_over(e)) {
        end_round(e);
        if (c->stage == ELECTION_STAGE_NONE)
            return;
    }
    check_isolation(e);
    do {
        term = c->term;
        count(e);
    } while (c->stage != ELECTION_STAGE_NONE && c->term != term); /* our own vote may be enough */
    if (c->stage == ELECTION_STAGE_NONE)
        return; /* won */
    ask_all(e);
    if (c->ends_ns > e->now_ns)
        election_wake_at(e, c->ends_ns);
    if (e->lease_granted_ns > e->now_ns && c->stage == ELECTION_STAGE_PREVOTE)
        election_wake_at(e, e->lease_granted_ns);
}
