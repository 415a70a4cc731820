/*
 * The conditions for taking the Lease, and the fence of its holder (docs/election.md, "With a Lease": T1 to T4).
 *
 * A holder whose record says fence: lease is valid without a majority. So it must know that every
 * holder before it is invalid: the last one and, since that one may have been elected by votes while
 * its predecessor was still valid by the Lease, all those before. It knows that (is_clear) if the last
 * record said fence: lease, or if the last holder's term has been in the Lease for its duration.
 */
#include "lease_internal.h"

/* ---- without votes ---- */

static bool has_evidence(struct lease *l, const struct election *e, uint64_t now_ns)
{
    uint64_t at_ns = e->refused_ns + e->interval_ns;

    if (!e->refused || e->refused != lease_holder_instance(l->seen.writer) ||
        !e->config.on_refused_fast || !lease_is_intact(&l->seen))
        return false;
    if (now_ns < at_ns)
        lease_wake_at(l, at_ns);
    return now_ns >= at_ns;
}

/* Its holder gave it up, has told us that it no longer leads, or is this instance. */
static bool is_left(const struct lease *l, const struct election *e)
{
    const struct lease_record *seen = &l->seen;

    return lease_is_mine(l, seen) || (lease_is_ours(seen) && !seen->holder[0]) ||
           (seen->term && seen->term == e->term && e->stepped_down_term == e->term);
}

/* A Lease that was deleted must be created first. */
static enum lease_by find_way(struct lease *l, const struct election *e, uint64_t now_ns)
{
    const struct lease_record *seen = &l->seen;
    uint64_t expiry_ns = l->changed_ns + l->longest_ns;

    if (!seen->exists)
        return LEASE_BY_NOTHING;
    if (now_ns >= expiry_ns)
        return LEASE_BY_EXPIRY;
    lease_wake_at(l, expiry_ns);
    if (!seen->holder[0] && !seen->term)
        return !l->has_held && election_is_first(e, l->changed_ns) ? LEASE_BY_FIRST
                                                                   : LEASE_BY_NOTHING;
    if (is_left(l, e))
        return LEASE_BY_LEAVE;
    return has_evidence(l, e, now_ns) ? LEASE_BY_EVIDENCE : LEASE_BY_NOTHING;
}

/* ---- the plan ---- */

static bool is_clear(struct lease *l, enum lease_by by, uint64_t now_ns)
{
    uint64_t at_ns = l->holding_ns + l->longest_ns;

    if (by == LEASE_BY_FIRST || by == LEASE_BY_EXPIRY || now_ns >= at_ns)
        return true;
    lease_wake_at(l, at_ns);
    return lease_is_intact(&l->seen) && l->seen.fence == LEASE_FENCE_LEASE;
}

/* Its majority is one of a list that the members have. */
static bool has_common_list(const struct election *e)
{
    return e->list.count && e->list.id.term && !e->is_unlisted &&
           !(e->campaign.flags & ELECTION_FLAG_BOOTSTRAP);
}

struct lease_plan lease_plan(struct lease *l, const struct election *e, bool is_voted,
                             uint64_t now_ns)
{
    const struct lease_record *seen = &l->seen;
    bool is_intact = seen->exists && lease_is_intact(seen);
    struct lease_plan plan = {.fence = LEASE_FENCE_PEERS};

    if (!l->is_known)
        return plan;
    plan.is_next = is_intact && election_list_id_compare(e->list.id, seen->list) >= 0;
    plan.by = find_way(l, e, now_ns);
    if (plan.by != LEASE_BY_NOTHING)
        plan.is_clear = is_clear(l, plan.by, now_ns);
    else if (is_voted && plan.is_next && seen->fence == LEASE_FENCE_PEERS)
        plan.by = LEASE_BY_VOTES;
    if (is_voted && e->list.count > 2 && (plan.is_next || plan.is_clear))
        return plan;
    if (plan.is_clear)
        plan.fence = LEASE_FENCE_LEASE;
    else if (!plan.is_next || (!is_voted && !has_common_list(e)))
        plan.by = LEASE_BY_NOTHING;
    return plan;
}

/* ---- the holder's fence ---- */

bool lease_is_alone(const struct lease *l)
{
    const struct lease_record *held = lease_held(l);

    return held && held->fence == LEASE_FENCE_LEASE && held->stamp_ns > l->peers_ns;
}

/*
 * Of two members none is a majority without the other. A leader that has lost its majority first
 * leaves time for that majority to elect another one.
 */
static bool wants_lease(struct lease *l, const struct election *e, uint64_t now_ns)
{
    uint64_t at_ns = e->fenced_ns + e->detection_ns;

    if (e->list.count <= 2)
        return true;
    if (lease_held(l)->fence == LEASE_FENCE_LEASE) {
        at_ns = l->promised_ns + e->detection_ns;
        if (l->promised_ns && now_ns < at_ns)
            lease_wake_at(l, at_ns);
        return !l->promised_ns || now_ns < at_ns;
    }
    if (now_ns < at_ns)
        lease_wake_at(l, at_ns);
    return now_ns >= at_ns;
}

enum lease_fence lease_choose_fence(struct lease *l, const struct election *e, uint64_t now_ns)
{
    if (!wants_lease(l, e, now_ns))
        return LEASE_FENCE_PEERS;
    if (lease_held(l)->fence == LEASE_FENCE_LEASE || now_ns >= l->clear_ns)
        return LEASE_FENCE_LEASE;
    lease_wake_at(l, l->clear_ns);
    return LEASE_FENCE_PEERS;
}
