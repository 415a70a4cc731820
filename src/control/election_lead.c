/*
 * The leader: its lease, its heartbeats, and stepping down.
 *
 * The leader is valid as long as a majority has granted it a lease; each ack to a heartbeat extends
 * one of them. Before it tells anybody that it steps down, its own validity ends.
 */
#include "election_internal.h"

#define YIELD_WITHIN_NS  (30 * NS_PER_SEC)
#define HOLD_DOWN_MAX_NS (600 * NS_PER_SEC)
#define GRANT_MAX_NS     (120 * NS_PER_SEC) /* an ack that grants more is ignored */
#define DISCOVER_EVERY   5 /* intervals; 2 without quorum, where only this finds the other half */

/* ---- the lease ---- */

/* End of the needed-th longest lease; our own grant to ourselves does not end. */
uint64_t election_lead_lease(const struct election *e, size_t needed)
{
    uint64_t longest[ELECTION_MEMBERS_MAX]; /* of the others, in falling order */
    size_t want = needed - 1;

    memset(longest, 0, want * sizeof(longest[0]));
    for (uint16_t i = 0; i < e->list.count; i++) {
        uint64_t lease = i == e->self_index ? 0 : e->peers[i].lease_until_ns;

        for (size_t at = 0; at < want; at++) {
            uint64_t other = longest[at];

            longest[at] = election_max(lease, other);
            lease = election_min(lease, other);
        }
    }
    return want ? longest[want - 1] : 0;
}

void election_lead_extend(struct election *e)
{
    size_t needed = election_needed(e);

    if (needed == 1)
        e->valid_until_ns = e->now_ns + e->detection_ns;
    else
        e->valid_until_ns = election_max(e->valid_until_ns, election_lead_lease(e, needed));
    if (e->config.has_lease)
        e->valid_until_ns = election_min(e->valid_until_ns, e->lease.until_ns);
    if (e->now_ns < e->valid_until_ns)
        e->fenced_ns = e->valid_until_ns;
}

/* ---- heartbeats ---- */

bool election_is_live(const struct election *e, uint16_t index)
{
    return index == e->self_index ||
           (e->peers[index].heard_ns && e->now_ns < e->peers[index].heard_ns + e->detection_ns);
}

/* Unlike the bits ready, which say who may be the next leader: a leader that is about to stop is not
 * ready, yet its app is up. */
static bool is_no_app_up(const struct election *e)
{
    if (e->is_app_up)
        return false;
    for (uint16_t i = 0; i < e->list.count; i++) {
        if (i != e->self_index && e->list.members[i].is_eligible && e->peers[i].is_app_up &&
            election_may_be_alive(e, i))
            return false;
    }
    return true;
}

bool election_has_no_app(const struct election *e)
{
    if (e->state == ELECTION_LEADER)
        return e->now_ns < e->valid_until_ns && is_no_app_up(e);
    return e->state == ELECTION_FOLLOWER && !e->is_app_up && e->no_app_term == e->term;
}

static struct election_message make_heartbeat(struct election *e)
{
    struct election_message m = election_make(e, ELECTION_HEARTBEAT);

    election_former_tick(e);
    e->live_list = e->list.id;
    memset(e->live, 0, sizeof(e->live));
    memset(e->ready, 0, sizeof(e->ready));
    for (uint16_t i = 0; i < e->list.count; i++) {
        bool is_self = i == e->self_index;

        if (!election_may_be_alive(e, i))
            continue;
        election_set_bit(e->live, i);
        if (e->list.members[i].is_eligible && !election_is_outgoing(e, i) &&
            (is_self ? election_is_ready(e) : e->peers[i].is_app_up))
            election_set_bit(e->ready, i);
    }
    memcpy(m.live, e->live, sizeof(m.live));
    memcpy(m.ready, e->ready, sizeof(m.ready));
    m.stamp_ns = e->now_ns;
    m.interval_ns = e->config.interval_ns;
    m.misses = (uint8_t)e->config.misses;
    m.count = e->list.count;
    m.cause = (uint8_t)e->claim_cause;
    m.flags = (uint16_t)((e->is_list_committed ? ELECTION_FLAG_COMMITTED : 0) |
                         (is_no_app_up(e) ? ELECTION_FLAG_NO_APP : 0) |
                         (e->previous_stepped_down ? ELECTION_FLAG_STEPPED_DOWN : 0) |
                         (e->former.instance ? ELECTION_FLAG_FORMER : 0));
    return m;
}

void election_send_heartbeat(struct election *e, const struct address *to, uint64_t instance)
{
    struct election_message m = make_heartbeat(e);

    election_send(e, to, instance, &m);
}

static void send_heartbeats(struct election *e)
{
    struct election_message m = make_heartbeat(e);

    election_send_all(e, &m);
    e->heartbeat_ns = e->now_ns + e->interval_ns;
}

/* A majority has the list, but too many of it have volatile vote state: a skip to a term above all
 * forgotten votes makes their acks count. */
static bool is_commit_blocked(const struct election *e)
{
    size_t have = 1;

    if (e->is_list_committed || e->now_ns <= e->list_since_ns + 2 * e->interval_ns)
        return false;
    for (uint16_t i = 0; i < e->list.count; i++)
        have += i != e->self_index && election_list_id_compare(e->peers[i].list, e->list.id) == 0;
    return have >= election_needed(e);
}

/* There are votes or a leader of a later term: be elected again above it, and stay valid
 * meanwhile. */
void election_renew_if_behind(struct election *e)
{
    bool blocked = is_commit_blocked(e);

    if (e->state != ELECTION_LEADER || e->campaign.stage != ELECTION_STAGE_NONE ||
        (e->seen_term <= e->term && !blocked) || e->now_ns >= e->valid_until_ns ||
        e->now_ns < e->campaign.started_ns + e->detection_ns)
        return;
    election_campaign_start(e, ELECTION_STAGE_VOTE, e->claim_cause,
                            blocked ? ELECTION_FLAG_TERM_SKIPPED : 0);
}

void election_hear_ack(struct election *e, const struct election_event *event)
{
    const struct election_message *m = event->message;
    uint16_t index = election_find(e, m->from);
    struct election_peer *peer = &e->peers[index];

    if (e->state != ELECTION_LEADER || m->term != e->term || index == ELECTION_NOT_FOUND ||
        m->stamp_ns > e->now_ns)
        return;
    peer->is_app_up = m->flags & ELECTION_FLAG_APP;
    peer->is_volatile = m->flags & ELECTION_FLAG_VOLATILE;
    peer->list = m->list;
    if (m->lease_grant_ns && m->lease_grant_ns <= GRANT_MAX_NS) {
        uint64_t usable = m->lease_grant_ns / 3 * 2;

        peer->lease_until_ns = election_max(peer->lease_until_ns, m->stamp_ns + usable);
    }
    if (!election_note_term(e, m->seen))
        return;
    election_lead_extend(e);
    election_former_hear_ack(e, m);
    if (!e->is_list_committed)
        election_check_list_committed(e);
    election_run_changes(e);
}

/* ---- begin, end, timers ---- */

/* Elected, or elected again: send the list under the new term before any change of it. */
void election_lead_begin(struct election *e)
{
    e->list.id = (struct election_list_id){.term = e->term, .version = 1};
    e->interval_ns = e->config.interval_ns;
    e->detection_ns = e->config.interval_ns * e->config.misses;
    e->is_list_committed = e->is_unlisted = false;
    e->list_since_ns = e->led_since_ns = e->now_ns;
    if (!e->led_from || e->term < e->led_from)
        e->led_from = e->term;
    e->heard_ns = e->now_ns;
    e->stepped_down_term = e->refused = e->transfer_until_ns = 0;
    e->candidacy_ns = e->suspicion = 0;
    election_apply_replacements(e);
    for (uint16_t i = 0; i < e->list.count; i++) {
        e->peers[i].list = (struct election_list_id){0};
        e->peers[i].is_app_up = true;
    }
    election_list_changed(e);
    election_lead_extend(e);
    e->fenced_ns = e->now_ns;
    election_push_list(e);
    send_heartbeats(e);
    election_check_list_committed(e);
}

void election_lead_end(struct election *e)
{
    e->valid_until_ns = 0;
    e->former = (struct election_former){0};
    e->change_count = 0;
    e->has_own_row = false;
    if (e->leader == election_self(e))
        e->leader = 0;
    if (e->granted_to == election_self(e))
        e->granted_until_ns = 0;
    for (uint16_t i = 0; i < e->list.count; i++)
        e->peers[i].lease_until_ns = 0;
}

static void remove_dead_members(struct election *e)
{
    for (uint16_t i = 0; i < e->list.count; i++) {
        uint64_t since = election_max(e->peers[i].heard_ns, e->led_since_ns);

        if (i == e->self_index)
            continue;
        if (e->now_ns > since + election_forget_after(e, i))
            election_request_change(e, &(struct election_change){.type = ELECTION_REMOVE,
                                                                 .member = e->list.members[i]});
        else if (election_is_own_predecessor(e, i))
            election_remove_predecessor(e, i, true);
        else if (election_is_left_behind(e, i))
            election_remove_predecessor(e, i, false);
        else if (e->peers[i].replacement.instance && !election_is_stand_in(e, i))
            election_request_change(e,
                                    &(struct election_change){.type = ELECTION_REPLACE,
                                                              .member = e->peers[i].replacement});
    }
    election_run_changes(e);
    election_lower_floor(e);
}

/* The first other member that the configuration wants as the leader; none if it wants us. */
static uint16_t find_configured(const struct election *e)
{
    uint16_t index = 0;

    if (election_is_wanted(&e->config.self, &e->config.leader))
        return ELECTION_NOT_FOUND;
    while (index < e->list.count && !election_is_wanted(&e->list.members[index], &e->config.leader))
        index++;
    return index < e->list.count ? index : ELECTION_NOT_FOUND;
}

/* Transfers that need no command: to the configured leader, once; or because our app is down. */
static void consider_transfer(struct election *e)
{
    uint16_t wanted = find_configured(e), successor;

    if (!e->is_list_committed || e->campaign.stage != ELECTION_STAGE_NONE)
        return;
    if (e->claim_cause == ELECTION_BY_BOOTSTRAP && !e->has_yielded &&
        wanted != ELECTION_NOT_FOUND && !election_is_outgoing(e, wanted) &&
        e->now_ns < e->led_since_ns + YIELD_WITHIN_NS && election_may_succeed(e, wanted)) {
        e->has_yielded = true;
        election_step_down(e, e->list.members[wanted].instance, ELECTION_BY_YIELD);
        return;
    }
    successor = election_find_successor(e);
    if (e->is_app_up || successor == ELECTION_NOT_FOUND)
        return;
    if (e->now_ns >= e->led_since_ns + 2 * e->hold_down_ns) /* the app has been stable */
        e->hold_down_ns = 0;
    if (e->now_ns < e->led_since_ns + e->hold_down_ns) {
        election_wake_at(e, e->led_since_ns + e->hold_down_ns);
        return;
    }
    e->hold_down_ns =
        e->hold_down_ns ? election_min(2 * e->hold_down_ns, HOLD_DOWN_MAX_NS) : e->config.tenure_ns;
    election_step_down(e, e->list.members[successor].instance, ELECTION_BY_APP);
}

void election_lead_isolate(struct election *e)
{
    election_campaign_stop(e);
    election_lead_end(e);
    election_campaign_start(e, ELECTION_STAGE_PREVOTE, ELECTION_BY_VERDICT, 0);
    election_enter(e, ELECTION_ISOLATED, ELECTION_BY_NO_QUORUM);
}

void election_lead_tick(struct election *e)
{
    uint64_t limit;

    if (e->state != ELECTION_LEADER)
        return;
    if (e->now_ns >= e->heartbeat_ns) {
        send_heartbeats(e);
        election_lead_extend(e);
        remove_dead_members(e);
        election_renew_if_behind(e);
        election_discover(e, (election_needed(e) == 1 ? 2 : DISCOVER_EVERY) * e->interval_ns);
        if (e->is_stopping)
            election_step_down_to_successor(e, ELECTION_BY_STOP);
        else if (e->is_stuck)
            election_step_down_to_successor(e, ELECTION_BY_APP);
        else if (!e->is_app_up || e->claim_cause == ELECTION_BY_BOOTSTRAP)
            consider_transfer(e);
        if (e->state != ELECTION_LEADER)
            return;
    }
    if (e->config.has_lease && election_lease_tick(e))
        return;
    limit = e->fenced_ns + e->detection_ns;
    if (e->now_ns >= limit && !e->config.has_lease) {
        election_lead_isolate(e);
        return;
    }
    if (e->now_ns < limit)
        election_wake_at(e, limit);
    election_wake_at(e, e->heartbeat_ns);
}

/* ---- stepping down ---- */

/* It is eligible, and its lease grant proves it live and free to vote once we have stepped down. */
bool election_may_succeed(const struct election *e, uint16_t index)
{
    return index != e->self_index && e->list.members[index].is_eligible &&
           e->now_ns < e->peers[index].lease_until_ns;
}

/* The first member after us in the list that may succeed and has its app up; one whose pod is to end
 * soon only if there is no other. */
uint16_t election_find_successor(const struct election *e)
{
    uint16_t last = ELECTION_NOT_FOUND;

    for (uint16_t i = 1; i < e->list.count; i++) {
        uint16_t index = (uint16_t)((e->self_index + i) % e->list.count);

        if (!election_may_succeed(e, index) || !e->peers[index].is_app_up)
            continue;
        if (!election_is_outgoing(e, index))
            return index;
        if (last == ELECTION_NOT_FOUND)
            last = index;
    }
    return last;
}

/* Our validity ends before any member learns of it; only therefore may they waive their grants. */
void election_step_down(struct election *e, uint64_t successor, enum election_cause cause)
{
    struct election_message step_down = election_make(e, ELECTION_STEP_DOWN);

    step_down.leader = successor;
    step_down.cause = (uint8_t)cause;
    step_down.flags = election_former_offer(e, cause);
    election_campaign_stop(e);
    election_lead_end(e);
    e->stepped_down_term = e->term;
    e->earliest_candidacy_ns = e->now_ns + e->detection_ns;
    e->stepping_down_until_ns = e->now_ns + 2 * e->detection_ns;
    election_send_all(e, &step_down);
    election_enter(e, ELECTION_STEPPING_DOWN, cause);
}

void election_step_down_to_successor(struct election *e, enum election_cause cause)
{
    uint16_t successor = election_find_successor(e);

    if (e->state == ELECTION_LEADER && successor != ELECTION_NOT_FOUND)
        election_step_down(e, e->list.members[successor].instance, cause);
}

/* The cause with which the successor leads: that of the transfer, or just STEP_DOWN. */
static enum election_cause cause_of_step_down(const struct election_message *m)
{
    return m->cause == ELECTION_BY_COMMAND || m->cause == ELECTION_BY_APP ||
                   m->cause == ELECTION_BY_YIELD
               ? (enum election_cause)m->cause
               : ELECTION_BY_STEP_DOWN;
}

void election_hear_step_down(struct election *e, const struct election_event *event)
{
    const struct election_message *m = event->message;
    bool member = e->state == ELECTION_FOLLOWER || e->state == ELECTION_SUSPECT;

    if (m->term != e->term || m->from != e->leader)
        return;
    e->stepped_down_term = m->term;
    if (e->granted_to == m->from && !election_voted_later(e, m->from, m->term))
        e->granted_until_ns = 0;
    if (m->leader == election_self(e) && member && e->config.self.is_eligible) {
        election_former_hear_offer(e, event);
        election_enter(e, ELECTION_CANDIDATE, ELECTION_BY_STEP_DOWN);
        election_campaign_start(e, ELECTION_STAGE_VOTE, cause_of_step_down(m),
                                ELECTION_FLAG_STEPPED_DOWN);
    } else {
        e->earliest_candidacy_ns = e->now_ns + e->detection_ns / 2;
    }
}
