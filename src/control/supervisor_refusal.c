/*
 * Refusals of the leader's host, before they count as evidence.
 *
 * An ICMP port unreachable that quotes a datagram of this pod can be forged by a host that sees the
 * traffic, also for each probe. But it cannot take away the reply of a leader that lives. So the
 * leader is probed, and the refusal is evidence only if nothing from the leader that can be verified
 * arrives within PROOF_PARTS of an interval. After two refusals that were disproved that way, those
 * of DISTRUST_NS count for nothing, because a leader that is slow once would be deposed otherwise:
 * then missing heartbeats reveal a death.
 *
 * Messages of the leader that were received before the probe prove nothing: they may have waited in
 * the socket while it died. To withhold evidence is always safe, so the election needs no rule for it.
 */
#include "supervisor_internal.h"

#define PROOF_PARTS 16 /* 12.5 ms of the default interval */
#define DISTRUST_NS (10 * NS_PER_SEC)
#define DISPROOFS   2

static void believe(struct supervisor *supervisor, uint64_t instance)
{
    supervisor_feed(supervisor,
                    &(struct election_event){.type = ELECTION_REFUSED, .instance = instance});
}

static bool is_distrusted(const struct refusal *refusal, uint64_t now_ns)
{
    return refusal->disproofs >= DISPROOFS && now_ns < refusal->disproved_ns + DISTRUST_NS;
}

void supervisor_hear_refusal(struct supervisor *supervisor, uint64_t instance)
{
    struct refusal *refusal = &supervisor->refusal;

    counters_add(&supervisor->counters, COUNTER_PEER_REFUSED, 1);
    if (instance != supervisor->election.leader)
        believe(supervisor, instance);
    else if (refusal->instance != instance && !is_distrusted(refusal, clock_now_ns()))
        refusal->instance = instance;
}

void supervisor_disprove_refusal(struct supervisor *supervisor, uint64_t from)
{
    struct refusal *refusal = &supervisor->refusal;
    uint64_t now_ns;

    if (from != refusal->instance || !refusal->probed_ns)
        return;
    now_ns = clock_now_ns();
    if (now_ns >= refusal->disproved_ns + DISTRUST_NS)
        refusal->disproofs = 0;
    refusal->disproofs++;
    refusal->disproved_ns = now_ns;
    refusal->instance = refusal->probed_ns = 0;
    counters_add(&supervisor->counters, COUNTER_REFUSALS_DISPROVED, 1);
}

static void probe_refused(struct supervisor *supervisor, uint64_t now_ns)
{
    const struct election *e = &supervisor->election;
    const struct election_message probe = {
        .type = ELECTION_PROBE,
        .from = data_plane_identity(supervisor->data_plane)->instance,
        .to = supervisor->refusal.instance,
        .term = e->term,
        .seen = e->seen_term,
        .list = e->list.id,
        .stamp_ns = now_ns};

    supervisor->refusal.probed_ns = now_ns;
    peer_transport_send(&supervisor->transport, &e->leader_address, &probe, NULL);
}

void supervisor_check_refusal(struct supervisor *supervisor)
{
    struct refusal *refusal = &supervisor->refusal;
    uint64_t now_ns = clock_now_ns(), instance = refusal->instance;

    if (!instance)
        return;
    if (instance != supervisor->election.leader) {
        refusal->instance = refusal->probed_ns = 0;
    } else if (!refusal->probed_ns) {
        probe_refused(supervisor, now_ns);
    } else if (now_ns >= refusal->probed_ns + supervisor->election.interval_ns / PROOF_PARTS) {
        refusal->instance = refusal->probed_ns = 0;
        believe(supervisor, instance);
    }
}
