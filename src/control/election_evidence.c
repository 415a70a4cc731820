/*
 * Evidence that the leader's process has ended, and hints of it.
 *
 * Evidence ends our lease grant, so it is only what this instance has found out itself:
 *
 *   - ICMP port unreachable for a message of ours
 *   - our connection to the leader was closed, then a new one was refused, and the leader replied to
 *     no probe; for networks that do not carry ICMP
 *
 * A hint is less: another member's evidence, or that our connection was closed, which a third party
 * can forge. It makes this instance probe the leader; the probe is refused if the hint was true, and
 * answered with a heartbeat if it was not. So a member that lies, or that is lied to, deposes nobody.
 *
 * Each evidence is told to the first members in the order of succession, because the first of all
 * may be idle, and then would learn of the death from late heartbeats only. All messages are paced:
 * a flood of forged ICMP errors, of closed connections or of false hints causes a burst, then one
 * message an interval.
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

/* A refusal by another pod that has the leader's address by now says nothing of the leader. */
static bool is_watching(const struct election *e, uint64_t instance)
{
    return e->config.on_refused_fast && instance && instance == e->leader &&
           instance != election_self(e) && e->refused != instance && !election_is_readdressed(e);
}

/* ---- evidence ---- */

/* To the members that follow the leader in the list. A candidate asks all of them for votes, which
 * says the same. */
static void tell_members(struct election *e)
{
    struct election_message told = election_make(e, ELECTION_PROBE_REQUEST);
    uint16_t leader = election_find(e, e->leader), count = 0;

    if (e->candidacy_ns <= e->now_ns || leader == ELECTION_NOT_FOUND ||
        !pass_pace(e, &e->hint.telling_paced_ns))
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
    if (e->refused != e->leader) {
        e->refused = e->leader;
        e->refused_ns = e->now_ns;
        if (e->config.has_lease) /* its silence allows to take the Lease */
            election_probe_leader(e);
    }
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
    e->hint.is_closed = false;
    e->hint.refused_ns = 0;
}

/* ---- hints ---- */

/* A candidate has asked for votes already. */
static bool is_hint_of_use(const struct election *e, uint64_t instance)
{
    return is_watching(e, instance) &&
           (e->state == ELECTION_FOLLOWER || e->state == ELECTION_SUSPECT);
}

/* Each kind has a pace of its own, so that false hints of members do not suppress true ones. */
static void probe_on_hint(struct election *e)
{
    struct election_hint *hint = &e->hint;

    /* The first one may arrive while the kernel still closes the sockets of the process, one after
     * another: neither refused nor read. */
    hint->probe_ns = e->now_ns + (e->interval_ns / 64 << hint->probes);
    hint->probes++;
    if (pass_pace(e, hint->is_closed ? &hint->closed_paced_ns : &hint->told_paced_ns))
        election_probe_leader(e);
}

/* A hint during the probes of another one of its kind needs no more of them. */
static void take_hint(struct election *e, bool is_closed)
{
    struct election_hint *hint = &e->hint;

    if (hint->of == e->leader && hint->probes < HINT_PROBES && hint->is_closed >= is_closed)
        return;
    hint->of = e->leader;
    hint->is_closed |= is_closed;
    hint->probes = 0;
    probe_on_hint(e);
}

void election_hear_told(struct election *e, const struct election_message *m)
{
    if (!is_hint_of_use(e, m->leader) || election_find(e, m->from) == ELECTION_NOT_FOUND)
        return;
    e->counts.hints_told++;
    take_hint(e, false);
}

void election_hear_closed(struct election *e, uint64_t instance)
{
    if (!is_hint_of_use(e, instance))
        return;
    e->counts.hints_closed++;
    take_hint(e, true);
}

/* Not evidence yet: a firewall may refuse connections only. */
void election_hear_connect_refused(struct election *e, uint64_t instance)
{
    if (is_hint_of_use(e, instance) && e->hint.of == instance && e->hint.is_closed &&
        !e->hint.refused_ns)
        e->hint.refused_ns = e->now_ns;
}

/* The refusal took a round trip, so the reply to a probe would be here by now. */
static uint64_t patience(const struct election *e)
{
    return e->interval_ns / 8;
}

static bool is_unanswered(const struct election *e)
{
    return e->hint.refused_ns && e->now_ns >= e->hint.refused_ns + patience(e);
}

void election_hint_tick(struct election *e)
{
    const struct election_hint *hint = &e->hint;

    if (!is_hint_of_use(e, hint->of))
        return;
    if (is_unanswered(e)) {
        take_evidence(e);
        return;
    }
    if (hint->probes < HINT_PROBES && e->now_ns >= hint->probe_ns)
        probe_on_hint(e);
    if (hint->probes < HINT_PROBES)
        election_wake_at(e, hint->probe_ns);
    if (hint->refused_ns)
        election_wake_at(e, hint->refused_ns + patience(e));
}
