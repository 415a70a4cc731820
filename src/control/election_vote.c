#include "election_internal.h"

/* Votes bind for a time that the candidate names; nobody may bind us for longer. */
#define PROMISE_MAX_NS (60 * NS_PER_SEC)

static uint64_t detection_of(const struct election_message *m)
{
    return election_min(election_max(m->interval_ns, NS_PER_MS) * (m->misses ? m->misses : 1),
                        PROMISE_MAX_NS);
}

/* It led, gave way, and has had our vote since: what we owe it by that is not over. */
bool election_voted_later(const struct election *e, uint64_t leader, uint64_t term)
{
    return e->voted_for == leader && e->voted_term > term;
}

/* Is what we owe this leader over? It resigned, or its host refused what we sent. */
static bool is_waived(const struct election *e, const struct election_message *m, uint64_t leader)
{
    if (leader == e->leader && e->resigned_term == e->term)
        return !election_voted_later(e, leader, e->term);
    if (m->leader != leader || !leader || m->deposed_term < e->term)
        return false;
    if (m->flags & ELECTION_FLAG_STEPPED_DOWN)
        return !election_voted_later(e, leader, m->deposed_term);
    return m->flags & ELECTION_FLAG_EVIDENCE && e->refused == leader && e->config.on_refused_fast;
}

static uint64_t left(const struct election *e, uint64_t until_ns)
{
    return e->now_ns < until_ns ? until_ns - e->now_ns : 0;
}

/* How long we are still bound not to vote for it. */
static uint64_t bound_for(const struct election *e, const struct election_message *m)
{
    uint64_t wait = left(e, e->abstain_ns);

    if (e->lease_granted_to != m->from && !is_waived(e, m, e->lease_granted_to))
        wait = election_max(wait, left(e, e->lease_granted_ns));
    if (e->leader != m->from && election_hears_leader(e) && !is_waived(e, m, e->leader))
        wait = election_max(wait, e->heard_ns + e->detection_ns - e->now_ns);
    if (e->state == ELECTION_LEADER)
        wait = election_max(wait, left(e, e->valid_until_ns));
    return wait;
}

static bool is_term_free(const struct election *e, const struct election_message *m)
{
    if (m->term <= e->term || m->term < e->voted_term)
        return false;
    return m->term > e->voted_term || e->voted_for == m->from;
}

static bool is_able(const struct election *e, const struct election_message *m)
{
    if (e->state == ELECTION_UNAUTHENTICATED || e->state == ELECTION_OUT)
        return false;
    if (!(m->flags & ELECTION_FLAG_BOOTSTRAP))
        return true;
    if (election_has_list(e))
        return false;
    /* Two that want to be the first leader: the earlier in the draft of the list goes before. */
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

/* A vote is a lease_grant: give it before it is answered, and stop wanting to lead. */
static void give_vote(struct election *e, const struct election_message *m)
{
    e->voted_term = m->term;
    e->voted_for = m->from;
    e->seen_term = election_max(e->seen_term, m->term);
    /* A shorter lease_grant does not end a longer one, on which a lease may still rest. */
    if (e->lease_granted_to != m->from)
        e->lease_granted_ns = 0;
    e->lease_granted_to = m->from;
    e->lease_granted_ns = election_max(e->lease_granted_ns, e->now_ns + detection_of(m));
    e->patience_ns = e->lease_granted_ns;
    if (e->state == ELECTION_LEADER) {
        election_lead_end(e);
        election_campaign_stop(e);
        election_enter(e, ELECTION_FOLLOWER, ELECTION_BY_OWN_VOTE);
    } else if (e->state == ELECTION_CANDIDATE || e->state == ELECTION_ISOLATED) {
        election_campaign_stop(e);
        e->lease_granted_to = m->from; /* stopping released our own vote */
        e->lease_granted_ns = e->patience_ns;
        if (!election_has_list(e))
            election_forget_list(e);
        election_enter(e, election_has_list(e) ? ELECTION_SUSPECT : ELECTION_JOINING,
                       ELECTION_BY_OWN_VOTE);
    }
}

static void reply(struct election *e, const struct election_message *m, const struct address *from,
                  uint16_t flags, uint64_t wait_ns)
{
    bool is_vote = m->type == ELECTION_VOTE;
    struct election_message reply =
        election_make(e, is_vote ? ELECTION_VOTE_REPLY : ELECTION_PREVOTE_REPLY);

    reply.term = m->term;
    reply.stamp_ns = m->stamp_ns;
    reply.leader = e->leader;
    reply.wait_ns = wait_ns;
    reply.lease_grant_ns = detection_of(m);
    reply.flags = (uint16_t)(flags | (e->is_volatile ? ELECTION_FLAG_VOLATILE : 0));
    election_send(e, from, m->from, &reply);
}

static void decide(struct election *e, const struct election_message *m, const struct address *from)
{
    uint64_t wait = bound_for(e, m);
    uint16_t flags = list_flags(e, m);
    bool grant = wait == 0 && flags == 0 && is_able(e, m) && is_term_free(e, m) &&
                 m->term <= election_believable_term(e);

    if (grant && m->type == ELECTION_VOTE)
        give_vote(e, m);
    reply(e, m, from, (uint16_t)(flags | (grant ? ELECTION_FLAG_GRANTED : 0)), wait);
}

void election_hear_request(struct election *e, const struct election_event *event)
{
    const struct election_message *m = event->message;

    decide(e, m, &event->from);
    /* It has evidence and we have none: ask the leader, and reply when we know. */
    if (m->flags & ELECTION_FLAG_EVIDENCE && m->leader == e->leader && e->refused != e->leader &&
        e->state != ELECTION_LEADER && bound_for(e, m) && e->config.on_refused_fast) {
        e->asked = *m;
        e->asked_from = event->from;
        election_probe_leader(e);
    }
}

void election_reply_to_asked(struct election *e)
{
    struct election_message asked = e->asked;

    e->asked.type = ELECTION_MESSAGE_NONE;
    decide(e, &asked, &e->asked_from);
}
