/*
 * pulse: how well this pod hears the members: when last, how long a heartbeat takes to its ACK and
 * back, and how many were not answered.
 *
 * An ACK brings back the stamp of its heartbeat, by our own clock: so the round trip needs no other
 * clock, and an ACK that comes twice, or replies somebody else's heartbeat, is known. The time
 * includes what both supervisors need to wake up: it is what the election sees. It is smoothed as
 * TCP does it (RFC 6298: an eighth of the new one). A heartbeat counts as lost when it is the
 * PULSE_WINDOW-th before the one that is sent now, and still not answered.
 *
 * Only who leads sends heartbeats. So a leader knows all this of every member, a follower only when
 * it last heard its leader.
 *
 * Owner: the supervisor's thread. Pure; nothing blocks.
 */
#ifndef HEADLESS_CONTROL_PULSE_H
#define HEADLESS_CONTROL_PULSE_H

#include "headless/data/leader_snapshot.h"
#include "headless/wire/election_message.h"

#define PULSE_WINDOW 8 /* heartbeats that may still be answered */

struct pulse_seat {
    uint64_t instance; /* whose numbers these are; 0: nobody's */
    uint64_t heard_ns; /* 0: never */
    uint64_t rtt_ns;   /* smoothed; 0: not known yet */
    uint64_t sent, lost;
    uint64_t stamps[PULSE_WINDOW]; /* of the latest heartbeats; 0: answered */
};

struct pulse {
    struct pulse_seat seats[MEMBERS_MAX]; /* by slot */
};

/* This is about to go to message->to, in this slot. True: an earlier heartbeat is lost. */
bool pulse_send(struct pulse *pulse, uint16_t slot, const struct election_message *message);

/*
 * This came from message->from, in this slot. True: it is the first ACK of a heartbeat of ours,
 * which took *ret_rtt_ns, else untouched.
 */
bool pulse_hear(struct pulse *pulse, uint16_t slot, const struct election_message *message,
                uint64_t now_ns, uint64_t *ret_rtt_ns);

/* What is known of this instance in this slot; all 0 if nothing is. */
struct pulse_seat pulse_read(const struct pulse *pulse, uint16_t slot, uint64_t instance);

#endif
