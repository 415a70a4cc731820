/*
 * Addresses from which nothing can be verified.
 *
 * A wrong or missing key must not look like a dead pod. An address is unverifiable when for the
 * persistence time every message from it failed verification: unsealed where it should be sealed,
 * sealed with a key that this pod does not have, or not authentic. One verified message clears it,
 * and the supervisor requests a handshake from a failing address, so a spoofed address of a live
 * member raises no alarm.
 *
 * Failures belong to an address. A pod with a wrong key usually is no member yet, so failures of
 * addresses outside the list have a table of their own; peers_update moves them when a member comes
 * or leaves.
 */
#include "handshake.h"
#include "headless/base/clock.h"
#include "peers.h"

/* The detection time within these limits. A failing address has been asked twice by then. */
#define PERSISTENCE_MIN_NS (3 * HANDSHAKE_RETRY_NS)
#define PERSISTENCE_MAX_NS NS_PER_SEC

uint64_t peers_auth_persistence_of(const struct config *config)
{
    uint64_t detection_ns = config->heartbeat_interval_ns * config->heartbeat_misses;

    if (detection_ns > PERSISTENCE_MAX_NS)
        return PERSISTENCE_MAX_NS;
    return detection_ns < PERSISTENCE_MIN_NS ? PERSISTENCE_MIN_NS : detection_ns;
}

/* ---- entries: the members, then the unlisted ---- */

/* NULL: entry i is free. */
static struct peer_auth_failure *peers_auth_entry(struct peers *peers, size_t i,
                                                  const struct address **ret_address)
{
    struct peers_unlisted *unlisted;

    if (i < MEMBERS_MAX) {
        *ret_address = &peers->members[i].address;
        return peers->members[i].instance ? &peers->members[i].auth_failure : NULL;
    }
    unlisted = &peers->unlisted[i - MEMBERS_MAX];
    *ret_address = &unlisted->address;
    return address_is_set(&unlisted->address) ? &unlisted->auth_failure : NULL;
}

static struct peers_unlisted *peers_find_unlisted(struct peers *peers, const struct address *ip)
{
    for (size_t i = 0; i < MEMBERS_MAX; i++) {
        struct peers_unlisted *unlisted = &peers->unlisted[i];

        if (address_is_set(&unlisted->address) && address_equal_ip(&unlisted->address, ip))
            return unlisted;
    }
    return NULL;
}

/* In a free entry, or in that of the least recent failure. */
static struct peers_unlisted *peers_add_unlisted(struct peers *peers, const struct address *ip)
{
    struct peers_unlisted *place = &peers->unlisted[0];

    for (size_t i = 0; i < MEMBERS_MAX && address_is_set(&place->address); i++) {
        struct peers_unlisted *other = &peers->unlisted[i];

        if (!address_is_set(&other->address) ||
            other->auth_failure.last_ns < place->auth_failure.last_ns)
            place = other;
    }
    *place = (struct peers_unlisted){.address = address_with_port(*ip, 0)};
    return place;
}

void peers_auth_set_aside(struct peers *peers, struct peer *peer)
{
    if (peer->auth_failure.last_ns)
        peers_add_unlisted(peers, &peer->address)->auth_failure = peer->auth_failure;
    peer->auth_failure = (struct peer_auth_failure){0};
}

void peers_auth_take_back(struct peers *peers)
{
    for (size_t i = 0; i < MEMBERS_MAX; i++) {
        struct peers_unlisted *unlisted = &peers->unlisted[i];
        struct peer *peer = address_is_set(&unlisted->address)
                                ? peers_find_address(peers, &unlisted->address)
                                : NULL;

        if (!peer)
            continue;
        peer->auth_failure = unlisted->auth_failure;
        *unlisted = (struct peers_unlisted){0};
    }
}

/* ---- failures ---- */

static bool peers_auth_is_current(const struct peer_auth_failure *failure, uint64_t now_ns)
{
    return failure->last_ns && now_ns < failure->last_ns + PEERS_AUTH_MEMORY_NS;
}

static bool has_failed_long(const struct peers *peers, const struct peer_auth_failure *failure,
                            uint64_t now_ns)
{
    return peers_auth_is_current(failure, now_ns) &&
           failure->last_ns - failure->first_ns >= peers->auth_persistence_ns;
}

void peers_auth_fail(struct peers *peers, const struct address *from, uint64_t now_ns)
{
    struct peer *peer = peers_find_address(peers, from);
    struct peers_unlisted *unlisted = peer ? NULL : peers_find_unlisted(peers, from);
    struct peer_auth_failure *failure;

    if (!peer && !unlisted)
        unlisted = peers_add_unlisted(peers, from);
    failure = peer ? &peer->auth_failure : &unlisted->auth_failure;
    if (!peers_auth_is_current(failure, now_ns))
        *failure = (struct peer_auth_failure){.first_ns = now_ns};
    failure->last_ns = peers->auth_failed_ns = now_ns;
}

void peers_auth_succeed(struct peers *peers, const struct address *from)
{
    struct peers_unlisted *unlisted = peers_find_unlisted(peers, from);

    /* Two members have one address after it was given to another pod. */
    for (size_t i = 0; i < MEMBERS_MAX; i++) {
        struct peer *peer = &peers->members[i];

        if (peer->instance && address_equal_ip(&peer->address, from))
            peer->auth_failure = (struct peer_auth_failure){0};
    }
    if (unlisted)
        *unlisted = (struct peers_unlisted){0};
}

const struct address *peers_auth_failing(struct peers *peers, size_t i, uint64_t now_ns)
{
    const struct address *address;
    const struct peer_auth_failure *failure = peers_auth_entry(peers, i, &address);

    return failure && peers_auth_is_current(failure, now_ns) ? address : NULL;
}

bool peers_auth_is_unverifiable(struct peers *peers, size_t i, uint64_t now_ns)
{
    const struct address *address;
    const struct peer_auth_failure *failure = peers_auth_entry(peers, i, &address);

    return failure && has_failed_long(peers, failure, now_ns);
}

size_t peers_auth_count_unverifiable(struct peers *peers, uint64_t now_ns)
{
    size_t count = 0;

    if (!peers->auth_failed_ns || now_ns >= peers->auth_failed_ns + PEERS_AUTH_MEMORY_NS)
        return 0;
    for (size_t i = 0; i < PEERS_AUTH_MAX; i++)
        count += peers_auth_is_unverifiable(peers, i, now_ns);
    return count;
}

bool peers_auth_take_unverifiable(struct peers *peers, uint64_t now_ns, struct address *ret_address)
{
    const struct address *address;

    for (size_t i = 0; i < PEERS_AUTH_MAX; i++) {
        struct peer_auth_failure *failure = peers_auth_entry(peers, i, &address);

        if (!failure || failure->is_reported || !has_failed_long(peers, failure, now_ns))
            continue;
        failure->is_reported = true;
        *ret_address = address_with_port(*address, 0);
        return true;
    }
    return false;
}
