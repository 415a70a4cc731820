/*
 * Members that read the TOS byte of a record.
 *
 * Pods of the version before refuse a frame whose record has another value than 0 there. So a pod
 * writes TOS bytes only while it knows of every listed member that it reads them. What it knows of
 * an instance stays true: another version is another instance.
 *
 * An ACK has the flag where its sender reads TOS bytes: so the leader knows its members. A heartbeat
 * has it where the leader and all members of its list that may be alive do: so the members know each
 * other. A new member is unknown in the first list that has it, and no frame reaches it before: the
 * leader publishes its snapshot before it sends that list, and each member the snapshot with it.
 *
 * A dead member of which nothing is known does not count, since nothing reaches it: otherwise one
 * that a new leader never heard would do so for member.forget. If it returns, it is unknown.
 */
#include "peers.h"

static void learn(struct peers *peers, uint64_t instance, enum peer_tos tos)
{
    struct peer *peer = peers_find(peers, instance);

    if (peer && peer->tos == PEER_TOS_UNKNOWN)
        peer->tos = tos;
}

void peers_learn_tos(struct peers *peers, const struct election_list *list,
                     const struct election_message *message)
{
    bool has_flag = message->flags & ELECTION_FLAG_TOS;

    if (message->type == ELECTION_ACK)
        learn(peers, message->from, has_flag ? PEER_TOS_READ : PEER_TOS_REFUSED);
    if (message->type != ELECTION_HEARTBEAT || !has_flag)
        return;
    learn(peers, message->from, PEER_TOS_READ);
    if (election_list_id_compare(message->list, list->id) != 0)
        return; /* its bits are of another list */
    for (uint16_t i = 0; i < list->count; i++) {
        if (election_bit(message->live, i))
            learn(peers, list->members[i].instance, PEER_TOS_READ);
    }
}

bool peers_read_tos(struct peers *peers, const struct election *election)
{
    for (uint16_t i = 0; i < election->list.count; i++) {
        const struct peer *peer = peers_find(peers, election->list.members[i].instance);
        enum peer_tos tos = peer ? peer->tos : PEER_TOS_UNKNOWN;

        if (i != election->self_index && tos != PEER_TOS_READ &&
            (tos == PEER_TOS_REFUSED || election_may_be_alive(election, i)))
            return false;
    }
    return true;
}

uint16_t peers_tos_flag(const struct election_message *message, const struct election *election,
                        bool carries_tos)
{
    bool is_of_this_list = election_list_id_compare(message->list, election->list.id) == 0;

    if (message->type == ELECTION_ACK)
        return ELECTION_FLAG_TOS;
    return message->type == ELECTION_HEARTBEAT && carries_tos && is_of_this_list ? ELECTION_FLAG_TOS
                                                                                 : 0;
}
