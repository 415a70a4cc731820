/*
 * Known peers: the addresses that discovery names, and what it says of the pods there.
 *
 * EndpointSlices are written by controllers from what they know, which may be late or wrong: a pod that
 * was deleted by force is in none, and may go on. So they are no evidence that a process has ended,
 * and none that it lives. They only decide
 *
 *   - who is asked: a pod that is new at an address has not replied yet, whatever the one before did;
 *   - the order of succession: members whose pods end soon, or exist no longer, are last;
 *   - when a row is removed: a member that is silent and whose pod exists no longer, sooner;
 *   - that evidence is withheld: a refusal by the host of an address that another pod has now says
 *     nothing of the process that had it.
 */
#include "election_internal.h"

#define VANISHED_AFTER 3 /* detection times without a message, if the pod exists no longer */

/* ---- known peers ---- */

static uint32_t known_peer_at(const struct election *e, const struct address *ip)
{
    uint32_t i = 0;

    while (i < e->known_peer_count && !address_equal_ip(&e->known_peers[i].member.address, ip))
        i++;
    return i;
}

struct election_known_peer *election_find_known_peer(struct election *e, const struct address *ip)
{
    uint32_t i = known_peer_at(e, ip);

    return i < e->known_peer_count ? &e->known_peers[i] : NULL;
}

struct election_known_peer *election_add_known_peer(struct election *e,
                                                    const struct address *address)
{
    struct election_known_peer *known = election_find_known_peer(e, address);

    if (known || e->known_peer_count == ELECTION_MEMBERS_MAX ||
        address_equal_ip(address, &e->config.self.address))
        return known;
    known = &e->known_peers[e->known_peer_count++];
    *known = (struct election_known_peer){.member.address = address_with_port(*address, 0)};
    return known;
}

/* Forgets those that discovery no longer names and that have not replied for forget_ns. */
static void forget_known_peers(struct election *e, const struct election_event *event)
{
    uint64_t memory_ns = e->is_complete
                             ? election_min(VANISHED_AFTER * e->detection_ns, e->config.forget_ns)
                             : e->config.forget_ns;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < e->known_peer_count; i++) {
        struct election_known_peer *known = &e->known_peers[i];

        known->is_named = known->is_terminating = false;
        for (size_t k = 0; k < event->candidate_count && !known->is_named; k++)
            known->is_named = address_equal_ip(&event->candidates[k], &known->member.address);
        if (known->is_named ||
            (known->member.instance && e->now_ns < known->replied_ns + memory_ns))
            e->known_peers[kept++] = *known;
    }
    e->known_peer_count = kept;
}

/* ---- the pods at the addresses ---- */

static void note_candidate(struct election *e, const struct address *address,
                           const struct election_pod *pod)
{
    struct election_known_peer *known = election_add_known_peer(e, address);

    if (address_equal_ip(address, &e->config.self.address))
        e->is_self_terminating = pod->is_terminating;
    if (!known)
        return;
    known->is_named = true;
    known->is_terminating = pod->is_terminating;
    if (!pod->id || pod->id == known->pod)
        return;
    if (known->pod) { /* the replies were another pod's */
        known->member.instance = known->replied_ns = 0;
        known->is_listed = false;
    }
    known->pod = pod->id;
    known->pod_since_ns = e->now_ns;
}

void election_set_candidates(struct election *e, const struct election_event *event)
{
    const struct election_pod unknown = {0};

    e->is_blind = event->is_blind;
    e->is_complete = event->is_complete && event->pods;
    e->is_self_terminating = false;
    forget_known_peers(e, event);
    for (size_t k = 0; k < event->candidate_count; k++)
        note_candidate(e, &event->candidates[k], event->pods ? &event->pods[k] : &unknown);
    election_update_pods(e);
}

void election_update_pods(struct election *e)
{
    memset(e->terminating, 0, sizeof(e->terminating));
    memset(e->vanished, 0, sizeof(e->vanished));
    for (uint16_t i = 0; i < e->list.count; i++) {
        uint32_t known = known_peer_at(e, &e->list.members[i].address);
        bool is_known = known < e->known_peer_count;

        if (i == e->self_index)
            continue;
        if (is_known && e->known_peers[known].is_terminating)
            election_set_bit(e->terminating, i);
        if (e->is_complete && (is_known ? !e->known_peers[known].is_named
                                        : e->known_peer_count < ELECTION_MEMBERS_MAX))
            election_set_bit(e->vanished, i);
    }
}

/* ---- what follows from it ---- */

bool election_is_outgoing(const struct election *e, uint16_t index)
{
    return index == e->self_index
               ? e->is_self_terminating
               : election_bit(e->terminating, index) || election_bit(e->vanished, index);
}

uint64_t election_forget_after(const struct election *e, uint16_t index)
{
    if (!election_bit(e->vanished, index) || !election_is_dispensable(e, index))
        return e->config.forget_ns;
    return election_min(VANISHED_AFTER * e->detection_ns, e->config.forget_ns);
}

bool election_is_readdressed(const struct election *e)
{
    uint32_t known = known_peer_at(e, &e->leader_address);

    return known < e->known_peer_count && e->known_peers[known].pod_since_ns &&
           e->known_peers[known].pod_since_ns >= e->heard_ns;
}
