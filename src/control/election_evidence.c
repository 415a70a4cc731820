/*
 * Evidence that the leader's process has ended, and hints of it.
 *
 * Evidence ends our lease grant, so it is only what this instance has found out itself: ICMP port
 * unreachable for a message of ours. A hint is less: another member's evidence. It makes this
 * instance probe the leader; the probe is refused if the hint was true, and answered with a
 * heartbeat if it was not. So a member that lies, or that is lied to, deposes nobody.
 *
 * Each evidence is told to the first members in the order of succession, because the first of all
 * may be idle, and then would learn of the death from late heartbeats only. Both kinds of messages
 * are paced: a flood of forged ICMP errors or of false hints causes a burst, then one an interval.
 */
#include "election_internal.h"

#define HINT_PROBES 4 /* of one hint: ICMP errors and probes may be lost */
#define PACE_BURST  4
#define TELL_MAX    8 /* members; the candidate's requests are evidence for all others */

/* As a token bucket: PACE_BURST at once, then one an interval. */
static bool pass_pace(const struct election *e, uint64_t *paced_ns)
{
    if (*paced_ns > e->now_ns + (PACE_BURST - 1) * e->interval_ns)
        return false;
    *paced_ns = election_max(*paced_ns, e->now_ns) + e->interval_ns;
    return true;
}

static bool is_watching(const struct election *e, uint64_t instance)
{
    return e->config.on_refused_fast && instance && instance == e->leader &&
           instance != election_self(e) && e->refused != instance;
}

/* ---- evidence ---- */

/* To the members that follow the leader in the list. A candidate asks all of them for votes, which
 * says the same. */
static void tell_members(struct election *e)
{
    struct election_message told = election_make(e, ELECTION_PROBE_REQUEST);
    uint16_t leader = election_find(e, e->leader), count = 0;

    if (e->candidacy_ns <= e->now_ns || leader == ELECTION_NOT_FOUND ||
        !pass_pace(e, &e->hint.told_paced_ns))
        return;
    told.leader = e->leader;
    told.flags = ELECTION_FLAG_EVIDENCE;
    for (uint16_t i = 1; i < e->list.count && count < TELL_MAX; i++) {
        uint16_t index = (uint16_t)((leader + i) % e->list.count);
        const struct election_member *member = &e->list.members[index];

        if (index == e->self_index)
            continue;
        election_send(e, &member->address, member->instance, &told);
        count++;
    }
    e->counts.evidence_told += count;
}

static void take_evidence(struct election *e)
{
    e->refused = e->leader;
    if (e->granted_to == e->leader)
        e->granted_until_ns = 0;
    if (e->state != ELECTION_CANDIDATE) {
        election_enter(e, ELECTION_SUSPECT, ELECTION_BY_EVIDENCE);
        e->suspicion = 2;
        e->earliest_candidacy_ns = 0;
        election_decide_candidacy(e);
        tell_members(e);
    }
    if (e->pending_request.type)
        election_decide_pending(e);
}

void election_hear_refusal(struct election *e, uint64_t instance)
{
    election_former_hear_refusal(e, instance);
    if (is_watching(e, instance) &&
        (e->state == ELECTION_FOLLOWER || e->state == ELECTION_SUSPECT ||
         e->state == ELECTION_CANDIDATE))
        take_evidence(e);
}

void election_evidence_end(struct election *e)
{
    e->refused = 0;
    e->hint.of = 0;
}

/* ---- hints ---- */

static void probe_on_hint(struct election *e)
{
    struct election_hint *hint = &e->hint;

    hint->probes++;
    hint->probe_ns = e->now_ns + e->interval_ns / 16;
    if (pass_pace(e, &hint->probes_paced_ns))
        election_probe_leader(e);
}

/* A hint during the probes of another one needs no more of them. */
static void take_hint(struct election *e)
{
    if (e->hint.of == e->leader && e->hint.probes < HINT_PROBES)
        return;
    e->hint.of = e->leader;
    e->hint.probes = 0;
    probe_on_hint(e);
}

void election_hear_told(struct election *e, const struct election_message *m)
{
    if (!is_watching(e, m->leader) || election_find(e, m->from) == ELECTION_NOT_FOUND ||
        (e->state != ELECTION_FOLLOWER && e->state != ELECTION_SUSPECT))
        return;
    e->counts.hints_told++;
    take_hint(e);
}

void election_hint_tick(struct election *e)
{
    const struct election_hint *hint = &e->hint;

    if (!is_watching(e, hint->of) || hint->probes >= HINT_PROBES)
        return;
    if (e->now_ns >= hint->probe_ns)
        probe_on_hint(e);
    election_wake_at(e, hint->probe_ns);
}
