/*
 * election: lease. The election finds out that the leader has failed and which member is to succeed;
 * nobody leads before it holds the Lease in its term. lease.c reads and writes the Lease.
 *
 * A campaign that has won its votes, or that may take the Lease without votes, is SEALING until lease.c
 * says that the Lease was written, or that it was not. A leader that rises to a later term seals that
 * as well, and leads in its term meanwhile.
 */
#include "election_internal.h"

#define LEASE_MARGIN_MAX_NS (NS_PER_SEC / 4)

/* ---- taking it ---- */

/* Votes need a round trip; a leader with votes can be succeeded by votes. So ask for them first. */
static uint64_t vote_patience(const struct election *e)
{
    return e->interval_ns / 4;
}

bool election_may_take_lease(struct election *e)
{
    const struct election_campaign *c = &e->campaign;
    uint64_t from_ns = c->started_ns + vote_patience(e);

    if (c->stage == ELECTION_STAGE_PREVOTE)
        from_ns = election_max(from_ns, c->ends_ns);
    if (e->state == ELECTION_LEADER || !e->lease.is_free ||
        !election_may_grant_lease(e, election_self(e)))
        return false;
    if (e->now_ns < from_ns)
        election_wake_at(e, from_ns);
    return e->now_ns >= from_ns;
}

/*
 * Without votes the term is not noted as seen before the Lease has it: attempts that fail while
 * this instance is alone must not raise it.
 */
void election_seal(struct election *e, bool is_voted)
{
    struct election_campaign *c = &e->campaign;

    if (c->stage != ELECTION_STAGE_VOTE) {
        c->term = election_next_term(e);
        c->ends_ns = e->now_ns;
        e->granted_to = election_self(e); /* no vote for another one meanwhile */
    }
    c->stage = ELECTION_STAGE_SEAL;
    c->is_voted = is_voted;
    c->seal++;
    if (e->state != ELECTION_LEADER)
        election_enter(e, ELECTION_SEALING, is_voted ? ELECTION_BY_VOTES : ELECTION_BY_LEASE);
}

static void fail_seal(struct election *e)
{
    if (e->state == ELECTION_LEADER) {
        election_campaign_stop(e);
        return;
    }
    if (!(e->campaign.flags & ELECTION_FLAG_BOOTSTRAP) && !e->is_unlisted) {
        election_campaign_end_round(e);
        election_enter(e, ELECTION_CANDIDATE, ELECTION_BY_LEASE);
        return;
    }
    election_campaign_stop(e);
    election_forget_list(e);
    election_enter(e, ELECTION_JOINING, ELECTION_BY_LEASE);
}

/* ---- holding and losing it ---- */

bool election_has_promises(const struct election *e)
{
    size_t needed = e->list.count / 2u + 1, have = 1;

    for (uint16_t i = 0; i < e->list.count; i++)
        have += i != e->self_index && election_list_id_compare(e->peers[i].list, e->list.id) == 0;
    return have >= needed && (needed == 1 || e->now_ns < election_lead_lease(e, needed));
}

/* Another pod of ours holds it: the members may give it the grants that they gave us. Of a Lease that
 * somebody else changed, this member's successor takes possession. */
static void lose(struct election *e)
{
    uint16_t successor = election_find(e, e->lease.holder);

    if (!e->lease.holder)
        successor = election_find_successor(e);
    election_step_down(e, successor == ELECTION_NOT_FOUND ? 0 : e->list.members[successor].instance,
                       ELECTION_BY_LEASE);
}

/*
 * When it steps down in order: before its time is over, since the data threads fence the replies to
 * requests that they have taken when it ends, and not those after a step down.
 */
static uint64_t end_of_lease(const struct election *e)
{
    uint64_t margin_ns = election_min(e->interval_ns, LEASE_MARGIN_MAX_NS);

    return e->lease.until_ns - election_min(e->lease.until_ns, margin_ns);
}

bool election_lease_tick(struct election *e)
{
    uint64_t end_ns = end_of_lease(e);

    if (e->now_ns < end_ns) {
        election_wake_at(e, end_ns);
        return false;
    }
    election_step_down_to_successor(e, ELECTION_BY_LEASE);
    if (e->state == ELECTION_LEADER)
        election_lead_isolate(e);
    return true;
}

/* ---- news ---- */

void election_hear_lease(struct election *e, const struct election_lease *lease)
{
    bool was_alone = e->lease.is_alone;
    bool seals = e->campaign.stage == ELECTION_STAGE_SEAL;

    e->lease = *lease;
    if (lease->term <= ELECTION_TERM_MAX / 2)
        e->seen_term = election_max(e->seen_term, lease->term);
    if (seals && lease->held_term == e->campaign.term) {
        election_campaign_win(e);
        return;
    }
    if (e->state == ELECTION_LEADER && lease->held_term != e->term) {
        lose(e);
        return;
    }
    if (seals && lease->failed_seal == e->campaign.seal)
        fail_seal(e);
    if (e->state != ELECTION_LEADER)
        return;
    if (was_alone && !lease->is_alone) /* only the majority's grants count from now on */
        e->valid_until_ns = 0;
    election_lead_extend(e);
}
