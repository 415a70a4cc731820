/*
 * Pods with the other option election.
 *
 * A leader by the Lease, without votes, and one by the votes of a majority, without the Lease, exclude each
 * other only if all pods have the same option. So a new instance joins no pods that have the other
 * one, and starts no cluster beside them; and no leader adds it. A cluster that has both already is
 * not divided: of two claims in it the later one counts, as always.
 */
#include "election_internal.h"

#define DIFFERING_MEMORY 3 /* detection times without a message of a pod with the other option */

static bool is_differing(const struct election *e, const struct election_message *m)
{
    return (m->type == ELECTION_DISCOVER || m->type == ELECTION_HELLO) &&
           e->config.has_lease != !!(m->flags & ELECTION_FLAG_LEASE);
}

bool election_is_kept_out(const struct election *e)
{
    return e->state == ELECTION_JOINING && e->differing_ns &&
           e->now_ns < e->differing_ns + DIFFERING_MEMORY * e->detection_ns;
}

/*
 * A version without this check adds any pod, and sends it its list and heartbeats. The instance of a
 * known peer is noted from a DISCOVER or HELLO with our option only.
 */
static bool is_from_outside(const struct election *e, const struct election_message *m)
{
    if (!election_is_kept_out(e) || m->type == ELECTION_DISCOVER || m->type == ELECTION_HELLO)
        return false;
    for (uint32_t i = 0; i < e->known_peer_count; i++) {
        if (e->known_peers[i].member.instance == m->from)
            return false;
    }
    return true;
}

bool election_keep_apart(struct election *e, const struct election_event *event)
{
    const struct election_message *m = event->message;

    if (!is_differing(e, m))
        return is_from_outside(e, m);
    e->differing_ns = e->now_ns;
    e->differing = address_with_port(event->from, 0);
    if (e->state != ELECTION_JOINING && m->flags & ELECTION_FLAG_LISTED)
        return false;
    if (m->type == ELECTION_DISCOVER)
        election_send_claim(e, &event->from, m->from); /* so that it learns of us */
    return true;
}
