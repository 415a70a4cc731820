/*
 * A follower's side: the claim that it follows, the leader's heartbeats, and the failure detection
 * that makes it a candidate; evidence is in election_evidence.c. A late heartbeat leads to a probe, then to indirect probes through
 * other members (as in SWIM), then to the failure verdict and, in the order of succession, to a
 * candidacy.
 */
#include "election_internal.h"

#define INDIRECT_PROBES 3 /* members that are asked whether they hear the leader */

bool election_hears_leader(const struct election *e)
{
    return e->leader && e->heard_ns && e->now_ns < e->heard_ns + e->detection_ns &&
           e->refused != e->leader && e->stepped_down_term != e->term;
}

bool election_is_ready(const struct election *e)
{
    return e->is_app_up && !e->is_stuck && !e->is_stopping;
}

/* ---- claims ---- */

/* Two leaders of one term (possible without quorum): the earlier in the list wins, then the lower
 * instance. */
static bool wins_tie(const struct election *e, uint64_t instance)
{
    uint16_t theirs = election_find(e, instance), current = election_find(e, e->leader);

    if (theirs == ELECTION_NOT_FOUND || current == ELECTION_NOT_FOUND)
        return instance < e->leader;
    return theirs < current;
}

static void end_own_candidacy(struct election *e)
{
    if (e->state == ELECTION_LEADER || e->state == ELECTION_STEPPING_DOWN)
        election_lead_end(e);
    election_campaign_stop(e);
    if (e->state == ELECTION_JOINING || e->state == ELECTION_UNAUTHENTICATED)
        return;
    /* Our draft of a first list, or our own copy with our row, which may have the id of the leader's:
     * there is a leader, and it adds us. */
    if (!election_has_list(e) || e->is_unlisted) {
        election_forget_list(e);
        election_enter(e, ELECTION_JOINING, ELECTION_BY_CLAIM);
        return;
    }
    election_enter(e, ELECTION_FOLLOWER, ELECTION_BY_CLAIM);
}

static void follow_claim(struct election *e, uint64_t term, uint64_t leader,
                         const struct address *address)
{
    if (term != e->term || leader != e->leader) {
        e->claim_cause = ELECTION_BY_CLAIM;
        e->previous_stepped_down = false;
        election_former_change_claim(e, term);
    }
    e->term = term;
    e->leader = leader;
    e->leader_address = address_with_port(*address, 0);
    e->heard_ns = e->now_ns;
    e->suspicion = 0;
    e->candidacy_ns = e->earliest_candidacy_ns = 0;
    election_evidence_end(e);
    end_own_candidacy(e);
}

/* Two clusters that split, with leaders of one term: the winner claims a higher term. */
static bool loses_tie(struct election *e, uint64_t leader)
{
    if (e->state != ELECTION_LEADER || leader == election_self(e))
        return false;
    if (wins_tie(e, leader))
        return true;
    if (e->campaign.stage == ELECTION_STAGE_NONE)
        election_campaign_start(e, ELECTION_STAGE_VOTE, e->claim_cause, 0);
    return false;
}

/* Failure detection of the claimed leader starts now, also if this is another member's report. */
void election_hear_claim(struct election *e, uint64_t term, uint64_t leader,
                         const struct address *address)
{
    struct election_message alive;

    if (!leader || leader == election_self(e) || term < e->term || !election_note_term(e, term) ||
        term < e->list.id.term || (term == e->term && !loses_tie(e, leader)))
        return;
    if (e->list.wants_majority || election_find(e, leader) != ELECTION_NOT_FOUND ||
        e->state == ELECTION_JOINING || e->state == ELECTION_UNAUTHENTICATED) {
        follow_claim(e, term, leader, address);
        return;
    }
    /* The other half of a cluster that split: all members of this half join it. */
    follow_claim(e, term, leader, address);
    alive = election_make(e, ELECTION_ALIVE);
    alive.leader = leader;
    alive.leader_address = e->leader_address;
    election_send_all(e, &alive);
    election_forget_list(e);
    election_enter(e, ELECTION_JOINING, ELECTION_BY_CLAIM);
    e->discover_ns = e->now_ns;
}

/* ---- heartbeats ---- */

bool election_may_grant_lease(const struct election *e, uint64_t to)
{
    return e->now_ns >= e->abstain_ns && (e->granted_to == to || e->now_ns >= e->granted_until_ns);
}

static void acknowledge(struct election *e, const struct election_event *event)
{
    struct election_message ack = election_make(e, ELECTION_ACK);

    if (election_may_grant_lease(e, event->message->from) && e->stepped_down_term != e->term) {
        /* A shorter grant does not end a longer one, on which a lease may still rest. */
        if (e->granted_to != event->message->from)
            e->granted_until_ns = 0;
        e->granted_to = event->message->from;
        e->granted_until_ns = election_max(e->granted_until_ns, e->now_ns + e->detection_ns);
        ack.lease_grant_ns = e->detection_ns;
    }
    ack.stamp_ns = event->message->stamp_ns;
    ack.flags = (uint16_t)((election_is_ready(e) ? ELECTION_FLAG_APP : 0) |
                           (e->is_volatile ? ELECTION_FLAG_VOLATILE : 0) |
                           (e->former.instance == election_self(e) ? ELECTION_FLAG_SERVES : 0));
    election_send(e, &event->from, event->message->from, &ack);
}

static void take_heartbeat_settings(struct election *e, const struct election_event *event)
{
    const struct election_message *m = event->message;
    int newer = election_list_id_compare(m->list, e->list.id);

    e->interval_ns = election_max(m->interval_ns, NS_PER_MS);
    e->detection_ns = e->interval_ns * (m->misses ? m->misses : 1);
    if (m->cause < ELECTION_CAUSE_COUNT)
        e->claim_cause = (enum election_cause)m->cause;
    e->previous_stepped_down = m->flags & ELECTION_FLAG_STEPPED_DOWN;
    e->no_app_term = m->flags & ELECTION_FLAG_NO_APP ? m->term : 0;
    election_former_hear_heartbeat(e, m);
    /* A predecessor's grant may last as long as this leader's detection time. */
    if (e->is_volatile && e->state == ELECTION_JOINING)
        e->abstain_ns = election_max(e->abstain_ns, e->started_ns + e->detection_ns);
    e->is_live_old = newer > 0;
    if (newer == 0) {
        memcpy(e->live, m->live, sizeof(e->live));
        memcpy(e->ready, m->ready, sizeof(e->ready));
        e->live_list = m->list;
        if (m->flags & ELECTION_FLAG_COMMITTED && election_is_member(e))
            e->is_volatile = false;
    } else if (newer > 0) {
        election_request_list(e, &event->from, m->from, m->list);
    }
}

static bool is_claim_too_low(const struct election *e, const struct election_message *m)
{
    return m->term < e->term ||
           (m->term == e->term && e->leader && e->leader != m->from && !wins_tie(e, m->from));
}

void election_hear_heartbeat(struct election *e, const struct election_event *event)
{
    const struct election_message *m = event->message;

    if (is_claim_too_low(e, m)) {
        election_send_claim(e, &event->from, m->from);
        return;
    }
    if (!election_note_term(e, m->term))
        return;
    if (m->term == e->term && e->stepped_down_term == m->term)
        return; /* sent before it stepped down */
    follow_claim(e, m->term, m->from, &event->from);
    take_heartbeat_settings(e, event);
    acknowledge(e, event);
    if (e->pending_request.type)
        election_decide_pending(e);
}

/* ---- the states of members ---- */

/* Followers rarely exchange messages, so a new leader gives every member one detection time to
 * reply, except a deposed leader that failed. */
static bool may_still_reply(const struct election *e, uint16_t index)
{
    bool is_deposed = e->list.members[index].instance == e->campaign.deposed && !e->gave_way_term;

    return !is_deposed && e->now_ns < e->led_since_ns + e->detection_ns;
}

bool election_may_be_alive(const struct election *e, uint16_t index)
{
    if (e->state == ELECTION_LEADER)
        return election_is_live(e, index) || may_still_reply(e, index);
    return index == e->self_index || e->list.members[index].instance == e->leader ||
           election_list_id_compare(e->live_list, e->list.id) != 0 || election_bit(e->live, index);
}

enum election_member_state election_describe(const struct election *e, uint16_t index)
{
    uint64_t instance = e->list.members[index].instance;

    if (instance == e->leader && e->state != ELECTION_LEADER && !election_hears_leader(e))
        return ELECTION_MEMBER_DEAD;
    if (instance == e->leader)
        return e->state == ELECTION_SUSPECT ? ELECTION_MEMBER_SUSPECT : ELECTION_MEMBER_LEADER;
    if (index == e->self_index)
        return ELECTION_MEMBER_SELF;
    if (e->state == ELECTION_LEADER ? election_is_live(e, index) : election_bit(e->live, index))
        return ELECTION_MEMBER_ALIVE;
    return ELECTION_MEMBER_DEAD;
}

/* ---- failure detection ---- */

void election_probe_leader(struct election *e)
{
    struct election_message probe = election_make(e, ELECTION_PROBE);

    probe.stamp_ns = e->now_ns;
    election_send(e, &e->leader_address, e->leader, &probe);
}

/* A leader replies with a heartbeat, others with ALIVE. */
void election_hear_probe(struct election *e, const struct election_event *event)
{
    const struct election_message *m = event->message;
    struct election_message alive = election_make(e, ELECTION_ALIVE);

    if (e->state == ELECTION_LEADER) {
        election_send_heartbeat(e, &event->from, m->from);
        return;
    }
    alive.stamp_ns = m->stamp_ns;
    alive.leader = e->leader;
    alive.leader_address = e->leader_address;
    election_send(e, &event->from, m->from, &alive);
}

void election_hear_alive(struct election *e, const struct election_event *event)
{
    const struct election_message *m = event->message;

    election_hear_claim(e, m->term, m->leader, &m->leader_address);
}

static void send_probe_requests(struct election *e)
{
    struct election_message request = election_make(e, ELECTION_PROBE_REQUEST);
    uint16_t sent = 0;

    request.leader = e->leader;
    for (uint16_t i = 1; i < e->list.count && sent < INDIRECT_PROBES; i++) {
        uint16_t index = (uint16_t)((e->self_index + i) % e->list.count);
        const struct election_member *member = &e->list.members[index];

        if (member->instance == e->leader || !election_bit(e->live, index))
            continue;
        election_send(e, &member->address, member->instance, &request);
        sent++;
    }
}

void election_hear_probe_request(struct election *e, const struct election_event *event)
{
    struct election_message report = election_make(e, ELECTION_PROBE_REPORT);

    if (event->message->flags & ELECTION_FLAG_EVIDENCE) {
        election_hear_told(e, event->message);
        return;
    }
    report.leader = event->message->leader;
    if (e->leader == report.leader && election_hears_leader(e))
        report.wait_ns = e->heard_ns + e->detection_ns - e->now_ns;
    else if (e->leader == report.leader && e->state != ELECTION_LEADER)
        election_probe_leader(e);
    election_send(e, &event->from, event->message->from, &report);
}

/* It only delays our candidacy; the lease grants of members that hear the leader protect it
 * anyway. Members of version N-1 send one in reply to our evidence. */
void election_hear_probe_report(struct election *e, const struct election_event *event)
{
    const struct election_message *m = event->message;

    if (e->state == ELECTION_SUSPECT && m->leader == e->leader && m->wait_ns &&
        e->refused != e->leader)
        e->earliest_candidacy_ns = election_max(
            e->earliest_candidacy_ns, e->now_ns + election_min(m->wait_ns, e->detection_ns));
}

/* Number of ready members between the failed leader and us, going round the list. */
static uint64_t succession_rank(const struct election *e)
{
    uint16_t from = election_find(e, e->leader);
    uint64_t rank = 0, ready = 0;
    bool passed_us = false;

    for (uint16_t i = 1; i <= e->list.count; i++) {
        uint16_t index =
            (uint16_t)((from == ELECTION_NOT_FOUND ? i - 1 : from + i) % e->list.count);

        passed_us |= index == e->self_index;
        if (index == e->self_index || index == from || !election_bit(e->ready, index) ||
            election_is_outgoing(e, index))
            continue;
        ready++;
        rank += !passed_us;
    }
    return election_is_ready(e) && !e->is_self_terminating ? rank : ready;
}

void election_decide_candidacy(struct election *e)
{
    e->candidacy_ns = e->config.self.is_eligible && !e->is_stopping && !e->is_stuck
                          ? e->now_ns + succession_rank(e) * e->interval_ns
                          : ELECTION_NEVER;
}

static void suspect_leader(struct election *e)
{
    uint64_t half = e->heard_ns + e->detection_ns / 2;
    uint64_t verdict = e->heard_ns + e->detection_ns + e->health * e->interval_ns;

    if (e->suspicion < 2 && e->now_ns >= half) {
        send_probe_requests(e);
        e->suspicion = 2;
    }
    if (!e->candidacy_ns && e->now_ns >= verdict)
        election_decide_candidacy(e);
    if (e->candidacy_ns && election_hears_only_unauthenticated(e)) {
        e->verified_ns = e->others_verified_ns; /* the next message of the leader ends it */
        election_enter(e, ELECTION_UNAUTHENTICATED, ELECTION_BY_AUTH);
        return;
    }
    if (e->candidacy_ns && e->now_ns >= election_max(e->candidacy_ns, e->earliest_candidacy_ns)) {
        bool evidence = e->refused && e->refused == e->leader;

        election_enter(e, ELECTION_CANDIDATE,
                       evidence ? ELECTION_BY_EVIDENCE : ELECTION_BY_VERDICT);
        election_campaign_start(e, ELECTION_STAGE_PREVOTE,
                                evidence ? ELECTION_BY_EVIDENCE : ELECTION_BY_VERDICT,
                                evidence ? ELECTION_FLAG_EVIDENCE : 0);
        return;
    }
    if (e->suspicion < 2)
        election_wake_at(e, half);
    election_wake_at(e, e->candidacy_ns ? election_max(e->candidacy_ns, e->earliest_candidacy_ns)
                                        : verdict);
}

void election_suspect_tick(struct election *e)
{
    uint64_t late = e->heard_ns + e->interval_ns * 3 / 2;

    election_hint_tick(e);
    if (e->state == ELECTION_FOLLOWER && e->now_ns >= late) {
        election_enter(e, ELECTION_SUSPECT, ELECTION_BY_SILENCE);
        e->suspicion = 1;
        if (e->leader && e->leader != election_self(e))
            election_probe_leader(e);
    }
    if (e->state == ELECTION_SUSPECT)
        suspect_leader(e);
    else
        election_wake_at(e, late);
}
