/*
 * Round trips and lost heartbeats of each member.
 *
 * An ACK returns the stamp of its heartbeat, taken from this pod's clock: the round trip needs no
 * other clock, and a duplicate ACK, or one of another pod's heartbeat, is recognized. The time
 * includes the wake-up of both supervisors, as the election sees it. It is smoothed as TCP does
 * (RFC 6298: an eighth of the new value). A heartbeat counts as lost when it is the
 * PEERS_HEARTBEAT_WINDOW-th before the one that is sent now, and has no ACK yet.
 *
 * Only a leader sends heartbeats: a leader has these numbers of every member, a follower only knows
 * when it last heard its leader.
 */
#include "peers.h"

#define SMOOTHING 8

bool peers_note_sent(struct peers *peers, const struct election_message *message)
{
    struct peer *peer = peers_find(peers, message->to);
    uint64_t *stamp;
    bool is_lost;

    if (!peer || message->type != ELECTION_HEARTBEAT)
        return false;
    stamp = &peer->stamps[peer->heartbeats_sent++ % PEERS_HEARTBEAT_WINDOW];
    is_lost = *stamp != 0;
    peer->heartbeats_lost += is_lost;
    *stamp = message->stamp_ns;
    return is_lost;
}

static void peers_smooth(struct peer *peer, uint64_t rtt_ns)
{
    if (!peer->rtt_ns)
        peer->rtt_ns = rtt_ns;
    else
        peer->rtt_ns = peer->rtt_ns - peer->rtt_ns / SMOOTHING + rtt_ns / SMOOTHING;
}

bool peers_note_received(struct peers *peers, const struct election_message *message,
                         uint64_t now_ns, uint64_t *ret_rtt_ns)
{
    struct peer *peer = peers_find(peers, message->from);

    if (!peer)
        return false;
    peer->heard_ns = now_ns;
    if (message->type != ELECTION_ACK || !message->stamp_ns || message->stamp_ns > now_ns)
        return false;
    for (size_t i = 0; i < PEERS_HEARTBEAT_WINDOW; i++) {
        if (peer->stamps[i] != message->stamp_ns)
            continue;
        peer->stamps[i] = 0;
        *ret_rtt_ns = now_ns - message->stamp_ns;
        peers_smooth(peer, *ret_rtt_ns);
        return true;
    }
    return false;
}
