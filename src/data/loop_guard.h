/*
 * loop_guard: ends the circle of a datagram that is sent on by headlessd and comes back to it.
 *
 * app.target, or a leader outside the cluster, may lead back to a pod: by an address of its own, a
 * Service that selects the pods, a NAT rule, or another headlessd that does the same. Addresses do not
 * reveal that: they change at each step, with masquerading also those of the sender. The TTL is kept by
 * NAT, and lowered by routers. So a datagram leaves with a lower TTL than it came with, and ends after
 * LOOP_GUARD_PASSES passes. Between pods its record carries it.
 *
 * It is lowered in few steps, since a batch has one TTL (GSO), and a circle should be short. Clients
 * begin with 64, 128 or 255, rarely 32, and are 30 routers away at most.
 *
 * Pure, except for the log. Any data thread.
 */
#ifndef DATA_LOOP_GUARD_H
#define DATA_LOOP_GUARD_H

#include "data/ingress/slab.h"
#include "headless/config/config.h"
#include "headless/wire/frame.h"

#define LOOP_GUARD_TTL    48 /* of sockets: for datagrams with a higher one */
#define LOOP_GUARD_PASSES 4

/* Can what this pod sends on come back? Otherwise no TTL is read, which costs 60 ns a datagram. An app on
 * loopback is in the same pod: it can only be another headlessd, with the same ports if any. */
bool loop_guard_is_needed(const struct config *config);

/* The TTL for the record of a datagram: 0 if it is as high as that of a client. A datagram to a group
 * begins anew: hosts send to groups with a TTL of 1, and this pod does not send to them. */
static inline uint8_t loop_guard_note(const struct datagram *datagram)
{
    return datagram->ttl > LOOP_GUARD_TTL || datagram->source == SOURCE_GROUP ? 0 : datagram->ttl;
}

/* The TTL with which a datagram that came with this one is sent on; 0: it is not. */
static inline uint8_t loop_guard_next(uint8_t ttl)
{
    if (ttl > LOOP_GUARD_TTL)
        return LOOP_GUARD_TTL;
    if (ttl > 32)
        return 32;
    if (ttl > 16)
        return 16;
    return ttl > 4 ? 4 : 0;
}

/* May a request whose record has a TTL be sent on to this address? False: it may not, which is logged
 * at most once a minute, with the likely cause. */
bool loop_guard_pass(const struct record *record, const struct address *to, uint8_t *ret_ttl);

#endif
