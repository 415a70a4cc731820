#include "reply_grace.h"

bool reply_grace_is_new_leader(const struct reply_grace_leader *before,
                               const struct reply_grace_leader *after)
{
    return after->has_leader &&
           (after->instance != before->instance || after->term != before->term);
}

static uint64_t min_ns(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void settle_at(struct reply_grace *grace, uint64_t at_ns)
{
    if (grace->settled_ns < at_ns)
        grace->settled_ns = at_ns;
}

/* The leader's validity may have ended before the news. */
static uint64_t ended_ns(const struct reply_grace_leader *before,
                         const struct reply_grace_times *times)
{
    return min_ns(before->valid_until_ns, times->now_ns);
}

/*
 * Replies of a leader that stepped down may still be on their way: they pass for reply.grace, at the
 * pod that stepped down and at the others. At the pod that stepped down that time begins when it did
 * so, or when its lease ended before, and no later news prolongs it: the next leader's app may push
 * after reply.grace by a clock that is up to 1.5 times as fast (election.md, the argument). Under the
 * leader before this one a former leader may have served, for two intervals after its last heartbeat.
 */
static void follow_change(struct reply_grace *grace, const struct reply_grace_leader *before,
                          const struct reply_grace_leader *after,
                          const struct reply_grace_times *times)
{
    bool stepped_down = before->is_self && after->is_stepping_down;
    bool is_new = reply_grace_is_new_leader(before, after);

    /* Other members may announce the new leader before its own heartbeat has the cause. */
    bool is_late_news =
        after->gave_way_term && !before->gave_way_term && after->instance == before->instance;

    if (!stepped_down && !is_late_news && !is_new)
        return;
    if (after->instance != before->instance) {
        grace->settled_ns = times->now_ns + times->grace_ns / 2 * 3;
        settle_at(grace, times->now_ns + 3 * times->interval_ns);
    }
    if (stepped_down || (is_new && before->has_leader)) {
        grace->previous_term = before->term;
        grace->is_previous_own = before->is_self;
    } else if (grace->is_previous_own) {
        return;
    }
    if (!stepped_down && !(before->has_leader && after->gave_way_term &&
                           after->gave_way_term == grace->previous_term))
        grace->previous_until_ns = 0;
    else
        grace->previous_until_ns =
            (before->is_self ? ended_ns(before, times) : times->now_ns) + times->grace_ns;
}

/*
 * A former leader goes on until two intervals after the last heartbeat that says that it serves, and
 * after half a detection time more if it got none before (election_former.c); both by a clock that may
 * be 1.5 times as slow as the leader's.
 */
static void end_former(struct reply_grace *grace, const struct reply_grace_leader *before,
                       const struct reply_grace_times *times)
{
    grace->former = 0;
    grace->former_replies_until_ns =
        min_ns(ended_ns(before, times), grace->former_until_ns) + times->grace_ns;
    settle_at(grace, times->now_ns + 3 * times->interval_ns + times->detection_ns / 2 +
                         times->grace_ns / 2 * 3);
}

static void follow_former(struct reply_grace *grace, const struct reply_grace_leader *before,
                          const struct reply_grace_leader *after,
                          const struct election_former *former,
                          const struct reply_grace_times *times)
{
    if (grace->former && former->instance != grace->former)
        end_former(grace, before, times);
    if (reply_grace_is_new_leader(before, after))
        grace->former_replies_until_ns = 0;
    if (!former->instance)
        return;
    grace->former = former->instance;
    grace->former_term = former->term;
    grace->former_until_ns = former->until_ns;
    grace->former_replies_until_ns = former->until_ns + times->grace_ns;
}

void reply_grace_step(struct reply_grace *grace, const struct reply_grace_leader *before,
                      const struct reply_grace_leader *after, const struct election_former *former,
                      const struct reply_grace_times *times)
{
    follow_change(grace, before, after, times);
    follow_former(grace, before, after, former, times);
}

void reply_grace_put(const struct reply_grace *grace, struct leadership *leadership)
{
    leadership->previous_term = grace->previous_term;
    leadership->previous_until_ns = grace->previous_until_ns;
    leadership->settled_ns = grace->settled_ns;
    leadership->former.instance = grace->former;
    leadership->former.term = grace->former_term;
    leadership->former.until_ns = grace->former_until_ns;
    leadership->former.replies_until_ns = grace->former_replies_until_ns;
}
