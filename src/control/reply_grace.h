/*
 * reply_grace: how long replies of an earlier term leave after a change of the leader, and from when
 * on the app of the next leader pushes. docs/routes.md has the rules and the argument.
 *
 *   a leader steps down               replies of its term pass for reply.grace
 *   sessions stayed with it, and end  replies of its term pass for reply.grace again: its app may
 *                                     have got a request just before the end
 *   both                              pushes of the next leader wait for 3/2 of that time
 *
 * Pure: the supervisor runs it with each result of the election, and so does the simulator, which
 * searches for moments at which the apps of two leaders push. Times are this pod's clock.
 * Owner: the supervisor's thread.
 */
#ifndef CONTROL_REPLY_GRACE_H
#define CONTROL_REPLY_GRACE_H

#include "headless/control/election.h"
#include "headless/data/leader_snapshot.h"

/* Compared as bytes, as a part of the supervisor's facts: no padding. */
struct reply_grace {
    uint64_t previous_term, previous_until_ns;
    uint64_t is_previous_own; /* this pod led the previous term */
    uint64_t settled_ns;
    /* A former leader that serves its sessions; former 0: none, or none any more. */
    uint64_t former, former_term, former_until_ns, former_replies_until_ns;
};

/* The leader, as the data threads know it. */
struct reply_grace_leader {
    bool has_leader, is_self;
    bool is_stepping_down; /* this pod */
    uint64_t instance, term;
    uint64_t gave_way_term; /* of the leader before this one, if it stepped down; or 0 */
    uint64_t valid_until_ns;
};

struct reply_grace_times {
    uint64_t now_ns, grace_ns;          /* grace_ns: reply.grace */
    uint64_t interval_ns, detection_ns; /* of the leader */
};

bool reply_grace_is_new_leader(const struct reply_grace_leader *before,
                               const struct reply_grace_leader *after);

/* former->instance 0: none serves. */
void reply_grace_step(struct reply_grace *grace, const struct reply_grace_leader *before,
                      const struct reply_grace_leader *after, const struct election_former *former,
                      const struct reply_grace_times *times);

/* Into the snapshot; not the former leader's address and index. */
void reply_grace_put(const struct reply_grace *grace, struct leadership *leadership);

#endif
