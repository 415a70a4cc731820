/*
 * Additions to the format of frames: which of them every listed member can read.
 *
 * Pods of the version before refuse a frame with an addition that they do not know. So a pod uses
 * one only while it knows of every listed member that it reads it. What it knows of an instance
 * stays true: another version is another instance.
 *
 * An ACK has the flag of each addition that its sender reads: so the leader knows its members. A
 * heartbeat has the flags of those that the leader and all members of its list that may be alive
 * read: so the members know each other. A new member is unknown in the first list that has it, and
 * no frame reaches it before: the leader publishes its snapshot before it sends that list, and each
 * member the snapshot with it.
 *
 * A dead member of which nothing is known does not count, since nothing reaches it: otherwise one
 * that a new leader never heard would do so for member.forget. If it returns, it is unknown.
 */
#include "peers.h"

/* The first statement about an addition is kept. */
static void learn(struct peers *peers, uint64_t instance, uint16_t reads, uint16_t refuses)
{
    struct peer *peer = peers_find(peers, instance);
    uint16_t known;

    if (!peer)
        return;
    known = peer->reads | peer->refuses;
    peer->reads |= reads & (uint16_t)~known;
    peer->refuses |= refuses & (uint16_t)~known;
}

void peers_learn_additions(struct peers *peers, const struct election_list *list,
                           const struct election_message *message)
{
    const uint16_t reads = message->flags & ELECTION_ADDITIONS;

    if (message->type == ELECTION_ACK)
        learn(peers, message->from, reads, ELECTION_ADDITIONS & (uint16_t)~reads);
    if (message->type != ELECTION_HEARTBEAT || !reads)
        return;
    learn(peers, message->from, reads, 0);
    if (election_list_id_compare(message->list, list->id) != 0)
        return; /* its bits are of another list */
    for (uint16_t i = 0; i < list->count; i++) {
        if (election_bit(message->live, i))
            learn(peers, list->members[i].instance, reads, 0);
    }
}

uint16_t peers_additions(struct peers *peers, const struct election *election)
{
    uint16_t additions = ELECTION_ADDITIONS;

    for (uint16_t i = 0; i < election->list.count; i++) {
        const struct peer *peer = peers_find(peers, election->list.members[i].instance);
        uint16_t reads = peer ? peer->reads : 0, refuses = peer ? peer->refuses : 0;

        if (i != election->self_index)
            additions &= election_may_be_alive(election, i) ? reads : (uint16_t)~refuses;
    }
    return additions;
}

uint16_t peers_addition_flags(const struct election_message *message,
                              const struct election *election, uint16_t additions)
{
    bool is_of_this_list = election_list_id_compare(message->list, election->list.id) == 0;

    if (message->type == ELECTION_ACK)
        return ELECTION_ADDITIONS;
    return message->type == ELECTION_HEARTBEAT && is_of_this_list ? additions : 0;
}
