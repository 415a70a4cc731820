/*
 * Votes for others: decides pre-vote and vote requests.
 *
 * A vote is also a lease grant to the candidate for its detection time. A request is refused, with
 * the time to wait, while a grant to another one lasts or its heartbeats arrive, unless that one
 * stepped down or its host refused what we sent.
 */
#include "election_internal.h"

/* The candidate names how long a vote binds us; longer than this it does not. */
#define GRANT_MAX_NS (60 * NS_PER_SEC)

static uint64_t requested_grant(const struct election_message *m)
{
    return election_min(election_max(m->interval_ns, NS_PER_MS) * (m->misses ? m->misses : 1),
                        GRANT_MAX_NS);
}

bool election_voted_later(const struct election *e, uint64_t leader, uint64_t term)
{
    return e->voted_for == leader && e->voted_term > term;
}

/* True if our grant to this leader no longer binds: it stepped down, or there is evidence that its
 * process died. A vote in a later term than the one in which it stepped down still binds. */
static bool is_waived(const struct election *e, const struct election_message *m, uint64_t leader)
{
    if (leader == e->leader && e->stepped_down_term == e->term)
        return !election_voted_later(e, leader, e->term);
    if (m->leader != leader || !leader || m->deposed_term < e->term)
        return false;
    if (m->flags & ELECTION_FLAG_STEPPED_DOWN)
        return !election_voted_later(e, leader, m->deposed_term);
    return m->flags & ELECTION_FLAG_EVIDENCE && e->refused == leader && e->config.on_refused_fast;
}

static uint64_t time_left(const struct election *e, uint64_t until_ns)
{
    return e->now_ns < until_ns ? until_ns - e->now_ns : 0;
}

/* Time until we may vote for the sender; 0: now. */
static uint64_t bound_for(const struct election *e, const struct election_message *m)
{
    uint64_t wait = time_left(e, e->abstain_ns);

    if (e->granted_to != m->from && !is_waived(e, m, e->granted_to))
        wait = election_max(wait, time_left(e, e->granted_until_ns));
    if (e->leader != m->from && election_hears_leader(e) && !is_waived(e, m, e->leader))
        wait = election_max(wait, e->heard_ns + e->detection_ns - e->now_ns);
    if (e->state == ELECTION_LEADER)
        wait = election_max(wait, time_left(e, e->valid_until_ns));
    return wait;
}

static bool is_term_free(const struct election *e, const struct election_message *m)
{
    if (m->term <= e->term || m->term < e->voted_term)
        return false;
    return m->term > e->voted_term || e->voted_for == m->from;
}

static bool is_candidate_allowed(const struct election *e, const struct election_message *m)
{
    if (e->state == ELECTION_UNAUTHENTICATED || e->state == ELECTION_OUT)
        return false;
    if (!(m->flags & ELECTION_FLAG_BOOTSTRAP))
        return true;
    if (election_has_list(e))
        return false;
    /* Of two candidates for the first leader, the earlier in the draft of the list has
     * precedence. */
    return e->state == ELECTION_JOINING || (e->campaign.stage == ELECTION_STAGE_PREVOTE &&
                                            election_find(e, m->from) < e->self_index);
}

static uint16_t list_flags(const struct election *e, const struct election_message *m)
{
    if (election_list_id_compare(m->list, e->list.id) >= 0)
        return 0;
    return (
        uint16_t)(ELECTION_FLAG_OLD_LIST |
                  (election_find(e, m->from) == ELECTION_NOT_FOUND ? ELECTION_FLAG_NOT_LISTED : 0));
}

/* Records the vote and its lease grant before the reply is sent, and ends our own candidacy. */
static void give_vote(struct election *e, const struct election_message *m)
{
    e->voted_term = m->term;
    e->voted_for = m->from;
    e->seen_term = election_max(e->seen_term, m->term);
    /* A shorter grant does not end a longer one, on which a lease may still rest. */
    if (e->granted_to != m->from)
        e->granted_until_ns = 0;
    e->granted_to = m->from;
    e->granted_until_ns = election_max(e->granted_until_ns, e->now_ns + requested_grant(m));
    e->earliest_candidacy_ns = e->granted_until_ns;
    if (e->state == ELECTION_LEADER) {
        election_lead_end(e);
        election_campaign_stop(e);
        election_enter(e, ELECTION_FOLLOWER, ELECTION_BY_OWN_VOTE);
    } else if (e->state == ELECTION_CANDIDATE || e->state == ELECTION_SEALING ||
               e->state == ELECTION_ISOLATED) {
        election_campaign_stop(e);
        e->granted_to = m->from; /* election_campaign_stop ended our own grant */
        e->granted_until_ns = e->earliest_candidacy_ns;
        if (!election_has_list(e))
            election_forget_list(e);
        election_enter(e, election_has_list(e) ? ELECTION_SUSPECT : ELECTION_JOINING,
                       ELECTION_BY_OWN_VOTE);
    }
}

static void send_vote_reply(struct election *e, const struct election_message *m,
                            const struct address *from, uint16_t flags, uint64_t wait_ns)
{
    bool is_vote = m->type == ELECTION_VOTE;
    struct election_message reply =
        election_make(e, is_vote ? ELECTION_VOTE_REPLY : ELECTION_PREVOTE_REPLY);

    reply.term = m->term;
    reply.stamp_ns = m->stamp_ns;
    reply.leader = e->leader;
    reply.wait_ns = wait_ns;
    reply.lease_grant_ns = requested_grant(m);
    reply.flags = (uint16_t)(flags | (e->is_volatile ? ELECTION_FLAG_VOLATILE : 0));
    election_send(e, from, m->from, &reply);
}

static void decide(struct election *e, const struct election_message *m, const struct address *from)
{
    uint64_t wait = bound_for(e, m);
    uint16_t flags = list_flags(e, m);
    bool grant = wait == 0 && flags == 0 && is_candidate_allowed(e, m) && is_term_free(e, m) &&
                 m->term <= election_term_limit(e);

    if (grant && m->type == ELECTION_VOTE)
        give_vote(e, m);
    send_vote_reply(e, m, from, (uint16_t)(flags | (grant ? ELECTION_FLAG_GRANTED : 0)), wait);
}

void election_hear_vote_request(struct election *e, const struct election_event *event)
{
    const struct election_message *m = event->message;

    decide(e, m, &event->from);
    /* It has evidence and we have none: probe the leader, and decide again after that. */
    if (m->flags & ELECTION_FLAG_EVIDENCE && m->leader == e->leader && e->refused != e->leader &&
        e->state != ELECTION_LEADER && bound_for(e, m) && e->config.on_refused_fast) {
        e->pending_request = *m;
        e->pending_from = event->from;
        election_probe_leader(e);
    }
}

void election_decide_pending(struct election *e)
{
    struct election_message asked = e->pending_request;

    e->pending_request.type = ELECTION_MESSAGE_NONE;
    decide(e, &asked, &e->pending_from);
}
