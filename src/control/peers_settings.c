/*
 * Members whose settings for the ordered route (route: ordered, ordered.commit) differ from ours.
 *
 * With route ordered at one pod and another route at the next, an app gets nothing, or messages
 * without an order. With another ordered.commit, an app gets entries that no majority has while
 * the other pods wait for one: nothing fails at once, but the guarantee does not hold. No pod can
 * know which setting is intended, so a mismatch is logged and counted, and changes nothing else.
 * Heartbeats and ACKs carry two flags: the leader knows the settings of all members, and each
 * member those of the leader.
 */
#include "peers.h"

#define PEERS_SETTINGS (ELECTION_FLAG_ORDERED | ELECTION_FLAG_COMMIT)

uint16_t peers_settings_of(const struct config *config)
{
    if (config->route != CONFIG_ROUTE_ORDERED)
        return 0;
    return config->ordered_commit == CONFIG_COMMIT_MAJORITY ? PEERS_SETTINGS
                                                            : ELECTION_FLAG_ORDERED;
}

bool peers_check_settings(struct peers *peers, const struct election_message *message)
{
    struct peer *peer = peers_find(peers, message->from);

    if (!peer || (message->type != ELECTION_HEARTBEAT && message->type != ELECTION_ACK))
        return false;
    peer->is_mismatched = (message->flags & PEERS_SETTINGS) != peers->flags;
    return peer->is_mismatched;
}

const char *peers_describe_settings(uint16_t flags)
{
    if (!(flags & ELECTION_FLAG_ORDERED))
        return "another route than ordered";
    return flags & ELECTION_FLAG_COMMIT ? "route ordered with ordered.commit majority"
                                        : "route ordered with ordered.commit none";
}
