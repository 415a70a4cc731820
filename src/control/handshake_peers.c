/* The peers of the handshake: a table of fixed size. */
#include <string.h>

#include "handshake_internal.h"
#include "headless/base/clock.h"

#define HANDSHAKE_PEER_MEMORY_NS (600 * NS_PER_SEC) /* unused for this long: evictable */

static bool is_used(const struct handshake_peer *peer)
{
    return peer->instance || address_is_set(&peer->address);
}

struct handshake_peer *handshake_peer_find_instance(struct handshake *handshake, uint64_t instance)
{
    for (size_t k = 0; instance && k < handshake->place_count; k++) {
        if (handshake->peers[k].instance == instance)
            return &handshake->peers[k];
    }
    return NULL;
}

struct handshake_peer *handshake_find(struct handshake *handshake, uint64_t instance)
{
    struct handshake_peer *peer = handshake_peer_find_instance(handshake, instance);

    return peer && peer->is_authenticated ? peer : NULL;
}

uint32_t handshake_count(const struct handshake *handshake)
{
    uint32_t count = 0;

    for (size_t k = 0; k < handshake->place_count; k++)
        count += handshake->peers[k].is_authenticated;
    return count;
}

static struct handshake_peer *find_any(struct handshake *handshake, const struct address *ip,
                                       bool is_authenticated)
{
    for (size_t k = 0; k < handshake->place_count; k++) {
        struct handshake_peer *peer = &handshake->peers[k];

        if (is_used(peer) && peer->is_authenticated == is_authenticated &&
            address_equal_ip(&peer->address, ip))
            return peer;
    }
    return NULL;
}

/* The authenticated peer at this address, otherwise the one that was sent a request there. */
static struct handshake_peer *find_at(struct handshake *handshake, const struct address *ip)
{
    struct handshake_peer *peer = find_any(handshake, ip, true);

    return peer ? peer : find_any(handshake, ip, false);
}

struct handshake_peer *handshake_find_address(struct handshake *handshake, const struct address *ip)
{
    return find_any(handshake, ip, true);
}

static bool is_protected(const struct handshake_peer *peer, uint64_t now_ns)
{
    return peer->is_authenticated && now_ns < peer->used_ns + HANDSHAKE_PEER_MEMORY_NS;
}

/* A free place, otherwise that of the least recently used peer, evictable ones first. */
static struct handshake_peer *find_place(struct handshake *handshake, uint64_t now_ns)
{
    struct handshake_peer *worst = &handshake->peers[0];

    for (size_t k = 0; k < handshake->place_count; k++) {
        struct handshake_peer *peer = &handshake->peers[k];

        if (!is_used(peer))
            return peer;
        if (is_protected(peer, now_ns) != is_protected(worst, now_ns)
                ? is_protected(worst, now_ns)
                : peer->used_ns < worst->used_ns)
            worst = peer;
    }
    return handshake->place_count < HANDSHAKE_PEERS_MAX
               ? &handshake->peers[handshake->place_count++]
               : worst;
}

struct handshake_peer *handshake_peer_add(struct handshake *handshake, uint64_t instance,
                                          const struct address *ip, uint64_t now_ns)
{
    struct handshake_peer *peer = find_place(handshake, now_ns);

    memset(peer, 0, sizeof(*peer));
    peer->instance = instance;
    peer->address = address_with_port(*ip, 0);
    peer->used_ns = now_ns;
    return peer;
}

struct handshake_peer *handshake_peer_at(struct handshake *handshake, const struct address *ip,
                                         uint64_t now_ns)
{
    struct handshake_peer *peer = find_at(handshake, ip);

    return peer ? peer : handshake_peer_add(handshake, 0, ip, now_ns);
}

bool handshake_peer_has_key(const struct handshake_peer *peer, uint32_t id)
{
    for (uint8_t k = 0; k < peer->theirs.key_count; k++) {
        if (peer->theirs.keys[k] == id)
            return true;
    }
    return false;
}

struct handshake_peer *handshake_peer_of(struct handshake *handshake,
                                         const struct handshake_message *theirs,
                                         const struct address *from, uint64_t now_ns)
{
    struct handshake_peer *peer = handshake_peer_find_instance(handshake, theirs->from);

    return peer ? peer : handshake_peer_add(handshake, theirs->from, from, now_ns);
}

void handshake_restart(struct handshake *handshake, struct handshake_peer *peer)
{
    peer->is_authenticated = peer->is_primed = false;
    peer->nonce = 0;
    peer->requests = 0;
    peer->requested_ns = 0;
    handshake->changes++;
}

/* Without its digest of our keys, the next request is due. */
void handshake_suspect(struct handshake *handshake, const struct address *ip)
{
    struct handshake_peer *peer = find_at(handshake, ip);

    if (!peer)
        return;
    peer->theirs.known = 0;
    if (peer->requests > 1)
        peer->requests = 1;
}

void handshake_peer_remove_predecessors(struct handshake *handshake,
                                        const struct handshake_peer *peer)
{
    for (size_t k = 0; k < handshake->place_count; k++) {
        struct handshake_peer *other = &handshake->peers[k];

        if (other != peer && address_equal_ip(&other->address, &peer->address))
            memset(other, 0, sizeof(*other));
    }
}
