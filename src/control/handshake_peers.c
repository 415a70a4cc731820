/* Whom we have met: a table that does not grow. */
#include <string.h>

#include "handshake_internal.h"
#include "headless/base/clock.h"

#define HANDSHAKE_PEER_MEMORY_NS (600 * NS_PER_SEC) /* unused for so long: a friend no more */

static bool is_used(const struct handshake_peer *peer)
{
    return peer->instance || address_is_set(&peer->address);
}

struct handshake_peer *handshake_peer_find_instance(struct handshake *i, uint64_t instance)
{
    for (size_t k = 0; instance && k < HANDSHAKE_PEERS_MAX; k++) {
        if (i->peers[k].instance == instance)
            return &i->peers[k];
    }
    return NULL;
}

struct handshake_peer *handshake_find(struct handshake *i, uint64_t instance)
{
    struct handshake_peer *peer = handshake_peer_find_instance(i, instance);

    return peer && peer->is_authenticated ? peer : NULL;
}

uint32_t handshake_count(const struct handshake *i)
{
    uint32_t count = 0;

    for (size_t k = 0; k < HANDSHAKE_PEERS_MAX; k++)
        count += i->peers[k].is_authenticated;
    return count;
}

static struct handshake_peer *find_any(struct handshake *i, const struct address *ip,
                                       bool introduced)
{
    for (size_t k = 0; k < HANDSHAKE_PEERS_MAX; k++) {
        struct handshake_peer *peer = &i->peers[k];

        if (is_used(peer) && peer->is_authenticated == introduced &&
            address_equal_ip(&peer->address, ip))
            return peer;
    }
    return NULL;
}

/* Who was introduced at this address, else whom we have asked there. */
static struct handshake_peer *find_at(struct handshake *i, const struct address *ip)
{
    struct handshake_peer *peer = find_any(i, ip, true);

    return peer ? peer : find_any(i, ip, false);
}

struct handshake_peer *handshake_find_address(struct handshake *i, const struct address *ip)
{
    return find_any(i, ip, true);
}

static bool is_friend(const struct handshake_peer *peer, uint64_t now_ns)
{
    return peer->is_authenticated && now_ns < peer->used_ns + HANDSHAKE_PEER_MEMORY_NS;
}

/* The least recently used place, of those that are no friends if there are any. */
static struct handshake_peer *make_room(struct handshake *i, uint64_t now_ns)
{
    struct handshake_peer *worst = &i->peers[0];

    for (size_t k = 0; k < HANDSHAKE_PEERS_MAX; k++) {
        struct handshake_peer *peer = &i->peers[k];

        if (!is_used(peer))
            return peer;
        if (is_friend(peer, now_ns) != is_friend(worst, now_ns) ? is_friend(worst, now_ns)
                                                                : peer->used_ns < worst->used_ns)
            worst = peer;
    }
    return worst;
}

struct handshake_peer *handshake_peer_add(struct handshake *i, uint64_t instance,
                                          const struct address *ip, uint64_t now_ns)
{
    struct handshake_peer *peer = make_room(i, now_ns);

    memset(peer, 0, sizeof(*peer));
    peer->instance = instance;
    peer->address = address_with_port(*ip, 0);
    peer->used_ns = now_ns;
    return peer;
}

struct handshake_peer *handshake_peer_at(struct handshake *i, const struct address *ip,
                                         uint64_t now_ns)
{
    struct handshake_peer *peer = find_at(i, ip);

    return peer ? peer : handshake_peer_add(i, 0, ip, now_ns);
}

bool handshake_peer_has_key(const struct handshake_peer *peer, uint32_t id)
{
    for (uint8_t k = 0; k < peer->theirs.key_count; k++) {
        if (peer->theirs.keys[k] == id)
            return true;
    }
    return false;
}

struct handshake_peer *handshake_peer_of(struct handshake *i,
                                         const struct handshake_message *theirs,
                                         const struct address *from, uint64_t now_ns)
{
    struct handshake_peer *peer = handshake_peer_find_instance(i, theirs->from);

    return peer ? peer : handshake_peer_add(i, theirs->from, from, now_ns);
}

void handshake_restart(struct handshake *i, struct handshake_peer *peer)
{
    peer->is_authenticated = peer->is_primed = false;
    peer->nonce = 0;
    peer->asked = 0;
    peer->asked_ns = 0;
    i->changes++;
}

/* As if it knew nothing of us. */
void handshake_suspect(struct handshake *i, const struct address *ip)
{
    struct handshake_peer *peer = find_at(i, ip);

    if (!peer)
        return;
    peer->theirs.known = 0;
    if (peer->asked > 1)
        peer->asked = 1;
}

void handshake_peer_remove_predecessors(struct handshake *i, const struct handshake_peer *peer)
{
    for (size_t k = 0; k < HANDSHAKE_PEERS_MAX; k++) {
        struct handshake_peer *other = &i->peers[k];

        if (other != peer && address_equal_ip(&other->address, &peer->address))
            memset(other, 0, sizeof(*other));
    }
}
