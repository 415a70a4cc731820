/*
 * The sessions of a former leader (drain.sessions: stay): a leader that stepped down in order may go
 * on serving the clients that its app knows. The other members relay requests to it first.
 *
 *   the leader that steps down   says in STEP_DOWN that it has sessions, and later in each ack
 *   its successor                says in each heartbeat that the former leader serves them
 *   the other members            learn it from these heartbeats, if they followed the former leader
 *
 * The former leader serves only while the successor's heartbeats arrive and say so. Each of them ends
 * it for good by itself: after the time of its own option, with the next claim, with the first
 * heartbeat or ack that does not say so, and when the former leader is dead, its app is down, or its
 * sessions have ended. docs/election.md has the argument.
 */
#include "election_internal.h"

void election_former_end(struct election *e)
{
    e->former = e->previous = (struct election_former){0};
}

void election_set_sessions(struct election *e, const struct election_event *event)
{
    e->has_sessions = event->is_up;
    e->stay_ns = event->stay_ns;
    if (!e->stay_ns)
        election_former_end(e);
}

/* ---- stepping down ---- */

/* An app that is down, or threads that are stuck, serve no sessions. */
uint16_t election_former_offer(struct election *e, enum election_cause cause)
{
    election_former_end(e);
    if (!e->stay_ns || !e->has_sessions || cause == ELECTION_BY_APP)
        return 0;
    e->previous = (struct election_former){.instance = election_self(e),
                                           .term = e->term,
                                           .until_ns = e->now_ns + e->stay_ns,
                                           .address = e->config.self.address};
    return ELECTION_FLAG_SERVES;
}

/* We are the successor. */
void election_former_hear_offer(struct election *e, const struct election_event *event)
{
    const struct election_message *m = event->message;

    election_former_end(e);
    if (m->flags & ELECTION_FLAG_SERVES)
        e->previous = (struct election_former){
            .instance = m->from, .term = m->term, .address = address_with_port(event->from, 0)};
}

/* ---- the next claim ---- */

/*
 * Before the claim changes. Only of the term directly before the new one is it certain that no other
 * leader was between them.
 */
void election_former_change_claim(struct election *e, uint64_t term)
{
    struct election_former previous = e->previous;

    election_former_end(e);
    e->is_asked_first = false;
    if (previous.instance == election_self(e) && previous.term + 1 == term)
        e->previous = previous;
    else if (e->leader && e->leader != election_self(e) && e->term + 1 == term)
        e->previous = (struct election_former){
            .instance = e->leader, .term = e->term, .address = e->leader_address};
}

/* We are elected in the term of our campaign. */
void election_former_lead(struct election *e)
{
    struct election_former previous = e->previous;

    election_former_end(e);
    if (!previous.instance || previous.instance != e->campaign.deposed ||
        previous.term + 1 != e->campaign.term ||
        !(e->campaign.flags & ELECTION_FLAG_STEPPED_DOWN) || !e->stay_ns)
        return;
    e->former = previous;
    e->former.until_ns = e->now_ns + e->stay_ns;
}

/* ---- messages ---- */

/* With a Lease the next leader may begin long after we stepped down, while this process is paused; then
 * it has ended our time, and this is one of its first heartbeats. */
static bool is_asked_late(const struct election *e)
{
    uint64_t detection_ns = e->config.interval_ns * e->config.misses;

    return e->config.has_lease && e->previous.instance == election_self(e) &&
           e->now_ns + detection_ns >= e->stepping_down_until_ns;
}

/* The leader may have ended our time, as we have not acknowledged a heartbeat for that long, and this
 * heartbeat may be one from before. */
static bool is_cut_off(const struct election *e)
{
    return (e->former.instance == election_self(e) && e->now_ns >= e->asked_ns + e->detection_ns) ||
           is_asked_late(e);
}

void election_former_hear_heartbeat(struct election *e, const struct election_message *m)
{
    const uint16_t flags = ELECTION_FLAG_FORMER | ELECTION_FLAG_STEPPED_DOWN;

    if (is_cut_off(e))
        election_former_end(e);
    if (!(m->flags & ELECTION_FLAG_FORMER))
        e->is_asked_first = false;
    else
        e->asked_ns = e->now_ns;
    if ((m->flags & flags) != flags || !e->stay_ns) {
        election_former_end(e);
        return;
    }
    if (!e->previous.instance)
        return; /* it has begun, or we do not know the former leader */
    e->former = e->previous;
    e->previous = (struct election_former){0};
    e->is_asked_first = e->former.instance == election_self(e);
    if (!e->is_asked_first)
        e->former.until_ns = e->now_ns + e->stay_ns;
    election_former_tick(e);
}

/* Its next ack, or our next heartbeat, tells the others. */
void election_former_hear_ack(struct election *e, const struct election_message *m)
{
    if (m->from == e->former.instance && !(m->flags & ELECTION_FLAG_SERVES)) {
        election_former_end(e);
        e->heartbeat_ns = e->now_ns;
    }
}

void election_former_hear_refusal(struct election *e, uint64_t instance)
{
    if (!e->config.on_refused_fast || !e->former.instance || instance != e->former.instance)
        return;
    election_former_end(e);
    e->heartbeat_ns = e->now_ns;
}

/* ---- time ---- */

static bool may_serve(const struct election *e)
{
    uint16_t index = election_find(e, e->former.instance);

    if (e->now_ns >= e->former.until_ns)
        return false;
    if (e->former.instance == election_self(e))
        return e->has_sessions && e->is_app_up && !e->is_stuck;
    if (e->state != ELECTION_LEADER)
        return true;
    return e->now_ns < e->valid_until_ns && index != ELECTION_NOT_FOUND &&
           election_is_live(e, index) && !e->peers[index].replacement.instance;
}

void election_former_tick(struct election *e)
{
    if (!e->former.instance)
        return;
    if (may_serve(e))
        election_wake_at(e, e->former.until_ns);
    else
        election_former_end(e);
}
