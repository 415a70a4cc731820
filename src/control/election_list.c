/*
 * The member list: look-ups, the leader's changes of it, and its fragments.
 *
 * A leader changes one member at a time, and the next only when a majority has acknowledged the
 * list (single-server membership changes, as in Raft). Members copy the list fragment by fragment
 * (LIST_PAGE).
 */
#include "election_internal.h"

/* ---- look-ups ---- */

uint16_t election_find(const struct election *e, uint64_t instance)
{
    for (uint16_t i = 0; i < e->list.count; i++) {
        if (e->list.members[i].instance == instance)
            return i;
    }
    return ELECTION_NOT_FOUND;
}

uint16_t election_rank(const struct election *e, const struct election_member *member)
{
    uint16_t rank = 0;

    while (rank < e->config.order_count && !election_is_wanted(member, &e->config.order[rank]))
        rank++;
    return rank;
}

void election_list_changed(struct election *e)
{
    e->self_index = election_find(e, election_self(e));
    if (e->list.count >= 3)
        e->list.wants_majority = true;
    if (e->list.count >= e->list.floor)
        e->list.floor = 0;
    if (e->list.count >= e->config.expect)
        e->list.is_forced = false;
    election_update_pods(e);
}

void election_forget_list(struct election *e)
{
    e->list.count = e->list.floor = 0;
    e->list.wants_majority = e->list.is_forced = false;
    e->list.id = (struct election_list_id){0};
    e->self_index = ELECTION_NOT_FOUND;
    e->is_unlisted = e->has_own_row = false;
}

/* ---- the leader's changes ---- */

/* Expected members keep a row: they count for the majority, and return to it. */
static uint16_t minimum_rows(const struct election *e)
{
    if (e->config.quorum == ELECTION_QUORUM_MAJORITY && e->config.expect > e->list.floor &&
        !e->list.is_forced && !e->config.has_lease)
        return e->config.expect;
    return e->list.floor;
}

bool election_is_list_at_minimum(const struct election *e)
{
    return e->list.count <= minimum_rows(e);
}

void election_request_change(struct election *e, const struct election_change *change)
{
    for (uint32_t i = 0; i < e->change_count; i++) {
        if (e->changes[i].member.instance == change->member.instance)
            return;
    }
    if (change->type == ELECTION_REMOVE && election_is_list_at_minimum(e))
        return;
    if (e->change_count == ELECTION_CHANGES_MAX)
        return; /* a new instance asks again, and a dead one stays dead */
    e->changes[e->change_count++] = *change;
}

static uint16_t rank_at(const struct election *e, uint16_t index)
{
    return election_rank(e, &e->list.members[index]);
}

/* The place of its predecessor, unless other rows are there by now; or at the end. */
static uint16_t first_place(const struct election *e, const struct election_change *change,
                            uint16_t rank)
{
    uint16_t at = change->at, count = e->list.count;

    if (at == 0 || at > count || rank_at(e, at - 1) < rank ||
        (at >= 2 && rank_at(e, at - 2) > rank))
        return count;
    return (uint16_t)(at - 1);
}

/* A new row at its place in leader_list, after the rows of the same rank. */
static uint16_t insert_row(struct election *e, const struct election_change *change)
{
    uint16_t rank = election_rank(e, &change->member);
    uint16_t place = first_place(e, change, rank);
    uint16_t at = e->list.count++;

    for (; at > place || (at > 0 && rank_at(e, at - 1) > rank); at--) {
        e->list.members[at] = e->list.members[at - 1];
        e->peers[at] = e->peers[at - 1];
    }
    return at;
}

static bool add_list_member(struct election *e, const struct election_change *change)
{
    const struct election_member *member = &change->member;
    uint16_t row = election_find_row(e, member);

    if (election_find(e, member->instance) != ELECTION_NOT_FOUND || row == e->self_index)
        return false;
    if (row == ELECTION_NOT_FOUND) {
        if (e->list.count == ELECTION_MEMBERS_MAX)
            return false;
        row = insert_row(e, change);
    }
    e->list.members[row] = *member;
    e->peers[row] = (struct election_peer){.heard_ns = e->now_ns, .is_app_up = true};
    return true;
}

static bool remove_list_member(struct election *e, const struct election_change *change)
{
    uint16_t index = election_find(e, change->member.instance);
    size_t after = (size_t)e->list.count - index - 1;

    if (index == ELECTION_NOT_FOUND || index == e->self_index ||
        (change->type == ELECTION_REMOVE_PREDECESSOR && election_may_be_alive(e, index)))
        return false;
    memmove(&e->list.members[index], &e->list.members[index + 1],
            after * sizeof(e->list.members[0]));
    memmove(&e->peers[index], &e->peers[index + 1], after * sizeof(e->peers[0]));
    e->list.count--;
    if (change->is_graceful && e->list.count <= 2 && e->config.expect <= 2)
        e->list.wants_majority = false;
    return true;
}

static void push_changed_list(struct election *e)
{
    e->list.id.version++;
    e->is_list_committed = false;
    e->list_since_ns = e->now_ns;
    election_list_changed(e);
    election_push_list(e);
}

static void apply_change(struct election *e, const struct election_change *change)
{
    bool removes = change->type == ELECTION_REMOVE || change->type == ELECTION_REMOVE_PREDECESSOR;

    if (!(removes ? remove_list_member(e, change) : add_list_member(e, change)))
        return;
    push_changed_list(e);
    if (removes) /* tells it that it has left */
        election_send_page(e, &change->member.address, change->member.instance, 0);
    election_check_list_committed(e);
}

/*
 * A change of the number of members must wait until the one before it is committed. Another
 * instance of a member changes no majority, so it need not wait. Nor may it wait: the instance that
 * it replaces may be dead, and then acknowledges nothing.
 */
static bool is_change_allowed(const struct election *e, const struct election_change *change)
{
    return e->is_list_committed || change->type == ELECTION_REPLACE;
}

void election_run_changes(struct election *e)
{
    uint32_t i = 0;

    while (i < e->change_count && e->campaign.stage == ELECTION_STAGE_NONE) {
        struct election_change change = e->changes[i];

        if (!is_change_allowed(e, &change)) {
            i++;
            continue;
        }
        e->change_count--;
        memmove(&e->changes[i], &e->changes[i + 1], (e->change_count - i) * sizeof(e->changes[0]));
        apply_change(e, &change);
    }
}

/* quorum.expect, or more known addresses: of members, and of pods that did not join yet. */
static uint16_t count_expected_members(const struct election *e)
{
    uint16_t expected = e->list.count;

    for (uint32_t i = 0; i < e->known_peer_count; i++) {
        const struct address *known = &e->known_peers[i].member.address;
        uint16_t row = 0;

        while (row < e->list.count && !address_equal_ip(&e->list.members[row].address, known))
            row++;
        expected = (uint16_t)(expected + (row == e->list.count));
    }
    return expected > e->config.expect ? expected : e->config.expect;
}

void election_lower_floor(struct election *e)
{
    if (!e->list.floor || !e->is_list_committed || e->is_blind ||
        e->campaign.stage != ELECTION_STAGE_NONE || count_expected_members(e) >= e->list.floor)
        return;
    e->list.floor--;
    if (e->list.floor <= 2 && e->list.count <= 2 && e->config.expect <= 2)
        e->list.wants_majority = false;
    push_changed_list(e);
    election_check_list_committed(e);
}

/* Acks of members with volatile vote state count only if our term is above all forgotten votes. */
void election_check_list_committed(struct election *e)
{
    size_t have = !e->is_volatile || e->is_term_skipped;

    for (uint16_t i = 0; i < e->list.count; i++) {
        const struct election_peer *peer = &e->peers[i];

        have += i != e->self_index && (!peer->is_volatile || e->is_term_skipped) &&
                election_list_id_compare(peer->list, e->list.id) == 0;
    }
    if (have >= election_needed(e)) {
        e->is_list_committed = true;
        e->is_volatile = false;
    }
}

/* ---- list fragments ---- */

void election_request_list(struct election *e, const struct address *from, uint64_t instance,
                           struct election_list_id id)
{
    struct election_message ask = election_make(e, ELECTION_LIST_REQUEST);

    ask.list = id;
    ask.first = election_list_id_compare(id, e->arriving.id) == 0 ? e->arrived : 0;
    election_send(e, from, instance, &ask);
}

void election_hear_list_request(struct election *e, const struct election_event *event)
{
    const struct election_message *m = event->message;
    bool same = election_list_id_compare(m->list, e->list.id) == 0;
    uint16_t first = same ? m->first : 0;

    if (!election_has_list(e))
        return;
    for (; first < e->list.count; first = (uint16_t)(first + ELECTION_PAGE))
        election_send_page(e, &event->from, m->from, first);
}

/* At once, not with the next heartbeat: the leader makes no other change before. */
static void acknowledge_list(struct election *e, const struct election_event *event)
{
    struct election_message ack = election_make(e, ELECTION_ACK);

    ack.flags = (uint16_t)((election_is_ready(e) ? ELECTION_FLAG_APP : 0) |
                           (e->is_volatile ? ELECTION_FLAG_VOLATILE : 0));
    if (event->message->from == e->leader)
        election_send(e, &event->from, e->leader, &ack);
}

static void accept_list(struct election *e, const struct election_message *m)
{
    bool was_member = election_is_member(e);

    e->list.count = e->arriving.count;
    e->list.id = e->arriving.id;
    e->list.floor = m->floor;
    e->list.wants_majority = m->flags & ELECTION_FLAG_MAJORITY;
    e->list.is_forced = m->flags & ELECTION_FLAG_FORCED;
    memcpy(e->list.members, e->arriving.members, e->list.count * sizeof(e->list.members[0]));
    memset(e->peers, 0, e->list.count * sizeof(e->peers[0]));
    election_list_changed(e);
    election_take_own_row(e);
    if (election_is_member(e)) {
        if (e->state == ELECTION_JOINING) {
            e->heard_ns = election_max(e->heard_ns, e->now_ns);
            election_former_end(
                e); /* the leader may have ended its time while we were not in the list */
            election_enter(e, ELECTION_FOLLOWER, ELECTION_BY_LIST);
        }
        if (e->campaign.stage == ELECTION_STAGE_VOTE || e->campaign.stage == ELECTION_STAGE_SEAL)
            election_campaign_start(e, ELECTION_STAGE_PREVOTE, e->campaign.cause,
                                    e->campaign.flags);
        if (e->state == ELECTION_SEALING) /* its votes are those of another list */
            election_enter(e, ELECTION_CANDIDATE, ELECTION_BY_LEASE);
        return;
    }
    election_forget_list(e);
    if (e->is_leaving)
        election_enter(e, ELECTION_OUT, ELECTION_BY_STOP);
    else if (was_member && e->state != ELECTION_JOINING) {
        election_campaign_stop(e);
        election_enter(e, ELECTION_JOINING, ELECTION_BY_LIST);
    }
}

/*
 * After a vote in a later term, a list of an earlier leader is rejected: the candidate may have
 * won, and its majority must not also acknowledge another leader's list. That leader learns of the
 * later term and is elected again above it. A vote for ourselves binds only us: the list ends that
 * round.
 */
static bool is_list_wanted(const struct election *e, const struct election_message *m)
{
    return e->state != ELECTION_LEADER && e->state != ELECTION_UNAUTHENTICATED &&
           (m->list.term >= e->voted_term || e->voted_for == election_self(e)) && m->count > 0 &&
           m->count <= ELECTION_MEMBERS_MAX && election_list_id_compare(m->list, e->list.id) > 0;
}

void election_hear_list_page(struct election *e, const struct election_event *event)
{
    const struct election_message *m = event->message;

    if (!is_list_wanted(e, m) || !election_note_term(e, m->list.term))
        return;
    if (election_list_id_compare(m->list, e->arriving.id) != 0) {
        if (election_list_id_compare(m->list, e->arriving.id) < 0)
            return;
        e->arriving.id = m->list;
        e->arriving.count = m->count;
        e->arrived = 0;
    }
    if (m->first != e->arrived || m->count != e->arriving.count ||
        m->member_count > m->count - m->first)
        return; /* out of order: requested again after the next heartbeat */
    memcpy(&e->arriving.members[m->first], event->members,
           m->member_count * sizeof(event->members[0]));
    e->arrived = (uint16_t)(e->arrived + m->member_count);
    if (e->arrived < e->arriving.count)
        return;
    accept_list(e, m);
    e->arriving.id = (struct election_list_id){0};
    if (election_is_member(e))
        acknowledge_list(e, event);
}
