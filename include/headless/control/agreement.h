/*
 * agreement: which members have another idea of the order (route ordered, ordered.commit) than this
 * pod.
 *
 * With route ordered here and another there, an app gets nothing, or what is in no order. With
 * another ordered.commit an app gets what no majority has while the others' wait for one: nothing
 * breaks at once, and the lease_grant does not hold. No pod can tell which setting is meant, so it is
 * told and nothing else: heartbeats and ACKs carry two flags, so the leader knows of all members,
 * and each of them of the leader.
 *
 * Owner: the supervisor's thread. Pure; nothing blocks.
 */
#ifndef HEADLESS_CONTROL_AGREEMENT_H
#define HEADLESS_CONTROL_AGREEMENT_H

#include "headless/config/config.h"
#include "headless/data/leader_snapshot.h"
#include "headless/wire/election_message.h"

struct agreement {
    uint16_t ours;                   /* flags */
    uint64_t differing[MEMBERS_MAX]; /* by slot: the instance that differs; 0: none does */
};

void agreement_init(struct agreement *agreement, const struct config *config);

/* For a heartbeat or an ACK of ours. */
static inline uint16_t agreement_flags(const struct agreement *agreement)
{
    return agreement->ours;
}

/* A member in this slot has sent this. True: it differs. Other messages say nothing: false. */
bool agreement_hear(struct agreement *agreement, uint16_t slot,
                    const struct election_message *message);

/* By its latest word, does this member differ? */
bool agreement_differs(const struct agreement *agreement, uint16_t slot, uint64_t instance);

/* What a member that sends these flags has set. */
const char *agreement_describe(uint16_t flags);

#endif
