#include "peers.h"

#include <string.h>

void peers_init(struct peers *peers, const struct config *config)
{
    memset(peers, 0, sizeof(*peers));
    peers->flags = peers_settings_of(config);
    peers->auth_persistence_ns = peers_auth_persistence_of(config);
}

void peers_set_data_plane(struct peers *peers, const struct data_plane *data_plane)
{
    peers->data_plane = data_plane;
}

/* ---- look-ups ---- */

uint16_t peers_index(const struct peers *peers, uint64_t instance)
{
    for (uint16_t i = 0; instance && i < MEMBERS_MAX; i++) {
        if (peers->members[i].instance == instance)
            return i;
    }
    return MEMBER_INDEX_NONE;
}

struct peer *peers_at(struct peers *peers, uint16_t index)
{
    return index < MEMBERS_MAX && peers->members[index].instance ? &peers->members[index] : NULL;
}

struct peer *peers_find(struct peers *peers, uint64_t instance)
{
    return peers_at(peers, peers_index(peers, instance));
}

struct peer *peers_find_address(struct peers *peers, const struct address *ip)
{
    for (size_t i = 0; i < MEMBERS_MAX; i++) {
        struct peer *peer = &peers->members[i];

        if (peer->instance && address_equal_ip(&peer->address, ip))
            return peer;
    }
    return NULL;
}

/* ---- the list ---- */

static bool peers_is_listed(const struct election_list *list, uint64_t instance)
{
    for (uint16_t i = 0; i < list->count; i++) {
        if (list->members[i].instance == instance)
            return true;
    }
    return false;
}

static void peers_remove(struct peers *peers, struct peer *peer)
{
    peers_auth_set_aside(peers, peer);
    *peer = (struct peer){0};
}

/* An index is free: the table has room for a full list, and former members were removed before. */
static struct peer *peers_add(struct peers *peers, uint64_t instance)
{
    struct peer *peer;
    uint16_t index;

    do {
        index = peers->next;
        peer = &peers->members[index];
        peers->next = (uint16_t)((index + 1) % MEMBERS_MAX);
    } while (peer->instance);
    *peer = (struct peer){.instance = instance};
    data_plane_read_traffic(peers->data_plane, index, &peer->relayed_before,
                            &peer->received_before);
    return peer;
}

static void peers_describe(struct peers *peers, struct peer *peer,
                           const struct election_member *member)
{
    if (!address_equal_ip(&peer->address, &member->address))
        peers_auth_set_aside(peers, peer);
    peer->address = member->address;
    peer->name = member->name;
}

void peers_update(struct peers *peers, const struct election_list *list)
{
    for (uint16_t i = 0; i < MEMBERS_MAX; i++) {
        struct peer *peer = peers_at(peers, i);

        if (peer && !peers_is_listed(list, peer->instance))
            peers_remove(peers, peer);
    }
    for (uint16_t i = 0; i < list->count; i++) {
        struct peer *peer = peers_find(peers, list->members[i].instance);

        if (!peer)
            peer = peers_add(peers, list->members[i].instance);
        peers_describe(peers, peer, &list->members[i]);
    }
    peers_auth_take_back(peers);
}

/* ---- requests ---- */

/* Counts of the data threads for this instance. False: it is no member. */
static bool peers_read_traffic(const struct peers *peers, uint64_t instance, uint64_t *ret_relayed,
                               uint64_t *ret_received)
{
    uint16_t index = peers_index(peers, instance);

    if (index == MEMBER_INDEX_NONE)
        return false;
    data_plane_read_traffic(peers->data_plane, index, ret_relayed, ret_received);
    *ret_relayed -= peers->members[index].relayed_before;
    *ret_received -= peers->members[index].received_before;
    return true;
}

uint64_t peers_received(const struct peers *peers, uint64_t instance)
{
    uint64_t relayed, received;

    return peers_read_traffic(peers, instance, &relayed, &received) ? received : 0;
}

void peers_confirm(struct peers *peers, uint64_t instance, uint64_t received)
{
    struct peer *peer = peers_find(peers, instance);

    if (peer && received > peer->confirmed)
        peer->confirmed = received;
}

uint64_t peers_unconfirmed(const struct peers *peers, uint64_t instance)
{
    uint64_t relayed, received, confirmed;

    if (!peers_read_traffic(peers, instance, &relayed, &received))
        return 0;
    confirmed = peers->members[peers_index(peers, instance)].confirmed;
    return relayed > confirmed ? relayed - confirmed : 0;
}
