/*
 * Discovery and the first leader.
 *
 * DISCOVER goes to every address from the configuration and from DNS; HELLO is its reply. A leader
 * adds the sender of a DISCOVER to its list. Where no known peer has a list and enough have
 * replied, the first in order asks the others to vote for it.
 */
#include "election_internal.h"

#define REPLY_AGE       6 /* intervals for which a reply counts */
#define BOOTSTRAP_DELAY 2 /* detection times between the candidates of a bootstrap */
#define REPLACE_DELAY   3 /* detection times without a leader that adds us */
#define AUTH_MEMORY     (5 * NS_PER_SEC)

/* ---- DISCOVER and HELLO ---- */

static struct election_message make_discovery(const struct election *e,
                                              enum election_message_type type)
{
    struct election_message m = election_make(e, type);

    m.stamp_ns = e->now_ns;
    m.leader = e->leader;
    m.leader_address = e->leader_address;
    m.flags = (uint16_t)((e->state == ELECTION_LEADER ? ELECTION_FLAG_LEADS : 0) |
                         (election_has_list(e) && !e->is_unlisted ? ELECTION_FLAG_LISTED : 0) |
                         (e->config.has_lease ? ELECTION_FLAG_LEASE : 0));
    return m;
}

void election_send_claim(struct election *e, const struct address *to, uint64_t instance)
{
    election_send_with_self(e, to, instance, make_discovery(e, ELECTION_HELLO));
}

/* A leader sends no DISCOVER to the addresses of live members. */
static bool has_live_member_at(const struct election *e, const struct address *address)
{
    for (uint16_t i = 0; i < e->list.count; i++) {
        if (address_equal_ip(&e->list.members[i].address, address) && election_is_live(e, i))
            return true;
    }
    return false;
}

void election_discover(struct election *e, uint64_t every_ns)
{
    struct election_message discover;

    if (e->now_ns >= e->discover_ns + every_ns || !e->discover_ns) {
        e->discover_ns = e->now_ns;
        discover = make_discovery(e, ELECTION_DISCOVER);
        for (uint32_t i = 0; i < e->known_peer_count; i++) {
            const struct address *to = &e->known_peers[i].member.address;

            if (e->state != ELECTION_LEADER || !has_live_member_at(e, to))
                election_send_with_self(e, to, 0, discover);
        }
    }
    if (e->known_peer_count && e->state != ELECTION_LEADER)
        election_wake_at(e, e->discover_ns + every_ns);
}

static void note_sender(struct election *e, const struct election_event *event)
{
    const struct election_message *m = event->message;
    struct election_known_peer *known = election_add_known_peer(e, &event->from);

    if (!known)
        return;
    if (known->member.instance != m->from)
        known->since_ns = e->now_ns;
    known->member = event->members[0];
    known->member.address = address_with_port(event->from, 0);
    known->replied_ns = e->now_ns;
    known->list = m->list;
    known->is_listed = m->flags & ELECTION_FLAG_LISTED;
    if (!known->is_listed)
        election_note_replacement(e, &known->member);
}

static void admit_member(struct election *e, const struct election_event *event)
{
    const struct election_known_peer *known = election_find_known_peer(e, &event->from);
    struct election_member member = event->members[0];

    member.address = address_with_port(event->from, 0);
    if (event->message->flags & ELECTION_FLAG_LISTED)
        return;
    election_admit(e, &member, known ? known->since_ns : 0);
    election_run_changes(e);
}

/* From a new instance, or from the other half of a cluster that split. */
static void hear_discover_as_leader(struct election *e, const struct election_event *event)
{
    const struct election_message *m = event->message;

    if (m->flags & ELECTION_FLAG_LEADS)
        election_hear_claim(e, m->term, m->from, &event->from);
    else if (m->flags & ELECTION_FLAG_LISTED && m->term == e->term &&
             election_find(e, m->from) == ELECTION_NOT_FOUND)
        e->seen_term = election_max(e->seen_term, e->term + 1); /* claim a term above its own */
    if (e->state != ELECTION_LEADER)
        return;
    admit_member(e, event);
    election_renew_if_behind(e);
}

/* A leader whose list lacks us. It may have removed our row while we were cut off: no heartbeat tells
 * us, and without the right to stand for election, no refused vote either. */
static void hear_discover_of_leader(struct election *e, const struct election_event *event)
{
    const struct election_message *m = event->message;

    election_hear_claim(e, m->term, m->from, &event->from);
    if (election_is_member(e) && m->from == e->leader &&
        election_list_id_compare(m->list, e->list.id) > 0)
        election_request_list(e, &event->from, m->from, m->list);
}

void election_hear_discover(struct election *e, const struct election_event *event)
{
    const struct election_message *m = event->message;
    struct election_message hello = make_discovery(e, ELECTION_HELLO);

    if (m->member_count != 1 || event->members[0].instance != m->from ||
        !election_note_term(e, election_max(m->term, m->seen)))
        return;
    note_sender(e, event);
    hello.stamp_ns = m->stamp_ns;
    election_send_with_self(e, &event->from, m->from, hello);
    if (e->state == ELECTION_LEADER)
        hear_discover_as_leader(e, event);
    else if (m->flags & ELECTION_FLAG_LEADS)
        hear_discover_of_leader(e, event);
}

static void send_discover(struct election *e, const struct address *address, uint64_t instance)
{
    election_send_with_self(e, address, instance, make_discovery(e, ELECTION_DISCOVER));
}

void election_hear_hello(struct election *e, const struct election_event *event)
{
    const struct election_message *m = event->message;
    bool from_leader = m->flags & ELECTION_FLAG_LEADS && m->leader == m->from;

    if (m->member_count != 1 || event->members[0].instance != m->from ||
        !election_note_term(e, election_max(m->term, m->seen)))
        return;
    note_sender(e, event);
    if (e->state == ELECTION_JOINING) {
        if (from_leader && !e->leader && !e->term)
            send_discover(e, &event->from, m->from);
        if (from_leader)
            election_hear_claim(e, m->term, m->leader, &event->from);
        else if (m->leader && !election_find_known_peer(e, &m->leader_address))
            send_discover(e, &m->leader_address, m->leader);
        return;
    }
    /* With our own row, a third party's claim does not count: its leader is dead, and may be our
     * predecessor. */
    if (!e->is_unlisted || from_leader)
        election_hear_claim(e, m->term, m->leader, &m->leader_address);
    election_renew_if_behind(e);
}

/* ---- the first leader ---- */

static int bootstrap_rank(const struct election *e, const struct election_member *member)
{
    if (election_is_wanted(member, &e->config.leader))
        return 0;
    return election_rank(e, member) + 1;
}

static bool comes_before(const struct election *e, const struct election_member *a,
                         const struct election_member *b)
{
    int rank_a = bootstrap_rank(e, a), rank_b = bootstrap_rank(e, b);

    return rank_a != rank_b ? rank_a < rank_b
                            : memcmp(&a->address, &b->address, sizeof(a->address)) < 0;
}

/* Drafts a list, in order, of all that replied. False: one of them has a list already. */
static bool draft_members(struct election *e)
{
    struct election_list *list = &e->list;

    election_forget_list(e);
    list->members[list->count++] = e->config.self;
    for (uint32_t i = 0; i < e->known_peer_count; i++) {
        const struct election_known_peer *known = &e->known_peers[i];
        uint16_t at = list->count;

        if (!known->member.instance || e->now_ns > known->replied_ns + REPLY_AGE * e->interval_ns)
            continue;
        if (known->is_listed)
            return false;
        for (; at > 0 && comes_before(e, &known->member, &list->members[at - 1]); at--)
            list->members[at] = list->members[at - 1];
        list->members[at] = known->member;
        list->count++;
    }
    return true;
}

bool election_draft_list(struct election *e)
{
    if (!draft_members(e)) {
        election_forget_list(e);
        return false;
    }
    memset(e->peers, 0, e->list.count * sizeof(e->peers[0]));
    for (uint16_t i = 0; i < e->list.count; i++)
        e->peers[i].heard_ns = e->now_ns;
    election_list_changed(e);
    return true;
}

static bool has_waited(const struct election *e)
{
    return e->now_ns >= e->started_ns + 3 * e->detection_ns;
}

/* Members that must have replied, with us. One of one, or after a while one of two, is enough. */
static size_t bootstrap_quorum(const struct election *e, size_t total)
{
    if (total == 1 || (has_waited(e) && (e->config.quorum == ELECTION_QUORUM_NONE ||
                                         (e->config.quorum == ELECTION_QUORUM_AUTO && total == 2))))
        return 1;
    return total / 2 + 1;
}

static uint16_t eligible_before(const struct election *e)
{
    uint16_t n = 0;

    for (uint16_t i = 0; i < e->list.count && e->list.members[i].instance != election_self(e); i++)
        n = (uint16_t)(n + e->list.members[i].is_eligible);
    return n;
}

bool election_is_first(const struct election *e, uint64_t since_ns)
{
    for (uint32_t i = 0; i < e->known_peer_count; i++) {
        const struct election_known_peer *known = &e->known_peers[i];

        if (!known->member.instance || known->is_listed || known->replied_ns < since_ns ||
            e->now_ns > known->replied_ns + REPLY_AGE * e->interval_ns)
            return false;
    }
    return !e->is_blind && !e->leader && !election_has_list(e);
}

static void consider_bootstrap(struct election *e)
{
    /* A Lease that was held has shown that there is no leader. That nobody ever held it says nothing:
     * the cluster may have had another option election. */
    bool has_lease = e->config.has_lease && e->lease.term;
    size_t total = election_max(has_lease ? 1 : e->config.expect, e->known_peer_count + 1);
    uint64_t rank;

    if (e->is_blind || election_is_kept_out(e) ||
        (total == 1 && e->config.is_discovering && !has_waited(e)) ||
        (total > 1 && e->now_ns < e->abstain_ns) || !e->config.self.is_eligible || e->is_stopping ||
        (e->leader && e->now_ns < e->heard_ns + e->detection_ns) ||
        (total > 1 && !election_may_grant_lease(e, election_self(e))) ||
        (e->config.has_lease && !(e->lease.is_free && e->lease.is_writable)))
        return;
    if (!draft_members(e) || (!has_lease && e->list.count < bootstrap_quorum(e, total))) {
        e->bootstrap_ns = 0;
        election_forget_list(e);
        return;
    }
    if (!e->bootstrap_ns) /* replies of the others may still arrive */
        e->bootstrap_ns = e->now_ns + (e->list.count < total ? 2 * e->interval_ns : 0);
    rank = eligible_before(e);
    if (e->now_ns < e->bootstrap_ns + rank * BOOTSTRAP_DELAY * e->detection_ns) {
        election_forget_list(e);
        return;
    }
    e->abstain_ns = election_min(e->abstain_ns, e->now_ns);
    memset(e->peers, 0, e->list.count * sizeof(e->peers[0]));
    e->list.floor = e->config.has_lease ? 0 : (uint16_t)total;
    e->list.wants_majority = total >= 3;
    election_list_changed(e);
    election_enter(e, ELECTION_CANDIDATE, ELECTION_BY_BOOTSTRAP);
    election_campaign_start(e, ELECTION_STAGE_PREVOTE, ELECTION_BY_BOOTSTRAP,
                            ELECTION_FLAG_BOOTSTRAP);
}

/*
 * There is a cluster, but no leader could add us, and perhaps no other eligible member is left.
 * Then this instance asks for the newest list that a known peer has (a member with a newer list
 * would reject the candidacy), takes its predecessor's row in its own copy, or adds one, and
 * stands for election. It knows neither what its predecessor voted nor whether there is a newer
 * list, so only votes of members without volatile vote state count, and they must be a majority; or
 * every member must vote for it.
 */
static void consider_own_row(struct election *e)
{
    const struct election_known_peer *best = NULL;
    uint64_t rank = 0; /* in turn: two at once would lack each other's vote */

    for (uint32_t i = 0; i < e->known_peer_count; i++) {
        const struct election_known_peer *known = &e->known_peers[i];

        if (!known->member.instance || e->now_ns > known->replied_ns + REPLY_AGE * e->interval_ns)
            continue;
        if (known->is_listed && (!best || election_list_id_compare(known->list, best->list) > 0))
            best = known;
        rank += !known->is_listed && known->member.is_eligible &&
                comes_before(e, &known->member, &e->config.self);
    }
    if (!best || !e->config.self.is_eligible || e->is_stopping ||
        (e->leader && e->now_ns < e->heard_ns + e->detection_ns)) {
        e->replace_ns = 0;
        return;
    }
    if (!e->replace_ns)
        e->replace_ns = e->now_ns + REPLACE_DELAY * (1 + rank) * e->detection_ns;
    if (e->now_ns < e->replace_ns || e->now_ns < e->replace_asked_ns + e->interval_ns)
        return;
    e->replace_asked_ns = e->now_ns;
    e->arriving.id = (struct election_list_id){0}; /* its fragments did not arrive */
    election_request_list(e, &best->member.address, best->member.instance,
                          (struct election_list_id){0});
}

/* ---- time ---- */

bool election_hears_only_unauthenticated(const struct election *e)
{
    /* With long intervals, members that can be authenticated are silent for long, too. */
    uint64_t silence_ns = election_max(AUTH_MEMORY / 5, e->detection_ns);
    /* A suspected leader was verified until its silence, which has lasted for the detection time. */
    uint64_t verified_ns = e->state == ELECTION_SUSPECT ? e->others_verified_ns : e->verified_ns;

    return e->auth_failed_ns && e->now_ns < e->auth_failed_ns + AUTH_MEMORY &&
           e->now_ns >= verified_ns + silence_ns;
}

void election_join_tick(struct election *e)
{
    bool unauthenticated = election_hears_only_unauthenticated(e);

    if (e->state == ELECTION_UNAUTHENTICATED && !unauthenticated) {
        e->heard_ns = e->now_ns;
        e->candidacy_ns = 0;
        election_enter(e, election_is_member(e) ? ELECTION_SUSPECT : ELECTION_JOINING,
                       ELECTION_BY_AUTH);
        return;
    }
    if (e->state == ELECTION_JOINING && unauthenticated) {
        election_enter(e, ELECTION_UNAUTHENTICATED, ELECTION_BY_AUTH);
        return;
    }
    election_discover(e, e->interval_ns);
    election_wake_at(e, e->now_ns + e->interval_ns);
    if (e->state == ELECTION_JOINING)
        consider_bootstrap(e);
    if (e->state == ELECTION_JOINING)
        consider_own_row(e);
}
