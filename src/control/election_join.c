/*
 * Who is there, and the first leader.
 *
 * WHO goes to every address that discovery or the configuration names; HERE
 * replies. A leader takes whoever says WHO into its list. Where nobody knows of
 * a cluster, and enough have answered, the first in order asks the others for
 * their vote.
 */
#include "election_internal.h"

#define ANSWER_AGE       6 /* intervals for which an reply counts */
#define BOOT_PATIENCE    2 /* detection times between the candidates of a bootstrap */
#define REPLACE_PATIENCE 3 /* detection times for which no leader let us in */
#define AUTH_MEMORY      (5 * NS_PER_SEC)

/* ---- known_peers ---- */

static struct election_known_peer *find_address(struct election *e, const struct address *ip)
{
    for (uint32_t i = 0; i < e->known_peer_count; i++) {
        if (address_equal_ip(&e->known_peers[i].member.address, ip))
            return &e->known_peers[i];
    }
    return NULL;
}

static struct election_known_peer *meet(struct election *e, const struct address *address)
{
    struct election_known_peer *known = find_address(e, address);

    if (known || e->known_peer_count == ELECTION_MEMBERS_MAX ||
        address_equal_ip(address, &e->config.self.address))
        return known;
    known = &e->known_peers[e->known_peer_count++];
    *known = (struct election_known_peer){.member.address = address_with_port(*address, 0)};
    return known;
}

/* Forget whom discovery no longer names and who has not answered for long. */
void election_take_candidates(struct election *e, const struct election_event *event)
{
    uint32_t kept = 0;

    e->is_blind = event->is_blind;
    for (uint32_t i = 0; i < e->known_peer_count; i++) {
        const struct election_known_peer *known = &e->known_peers[i];
        bool keep = known->member.instance && e->now_ns < known->answered_ns + e->config.forget_ns;

        for (size_t k = 0; k < event->candidate_count && !keep; k++)
            keep = address_equal_ip(&event->candidates[k], &known->member.address);
        if (keep)
            e->known_peers[kept++] = *known;
    }
    e->known_peer_count = kept;
    for (size_t k = 0; k < event->candidate_count; k++)
        (void)meet(e, &event->candidates[k]);
}

/* ---- WHO and HERE ---- */

static struct election_message make_card(const struct election *e, enum election_message_type type)
{
    struct election_message m = election_make(e, type);

    m.stamp_ns = e->now_ns;
    m.leader = e->leader;
    m.leader_address = e->leader_address;
    m.flags = (uint16_t)((e->state == ELECTION_LEADER ? ELECTION_FLAG_LEADS : 0) |
                         (election_has_list(e) && !e->is_unlisted ? ELECTION_FLAG_LISTED : 0));
    return m;
}

void election_tell_claim(struct election *e, const struct address *to, uint64_t instance)
{
    election_send_card(e, to, instance, make_card(e, ELECTION_HELLO));
}

/* A leader asks only where no live member is. */
static bool is_known(const struct election *e, const struct address *address)
{
    for (uint16_t i = 0; i < e->list.count; i++) {
        if (address_equal_ip(&e->list.members[i].address, address))
            return election_is_live(e, i);
    }
    return false;
}

void election_look_around(struct election *e, uint64_t every_ns)
{
    struct election_message who;

    if (e->now_ns >= e->discover_ns + every_ns || !e->discover_ns) {
        e->discover_ns = e->now_ns;
        who = make_card(e, ELECTION_DISCOVER);
        for (uint32_t i = 0; i < e->known_peer_count; i++) {
            const struct address *to = &e->known_peers[i].member.address;

            if (e->state != ELECTION_LEADER || !is_known(e, to))
                election_send_card(e, to, 0, who);
        }
    }
    if (e->known_peer_count && e->state != ELECTION_LEADER)
        election_wake_at(e, e->discover_ns + every_ns);
}

static void remember(struct election *e, const struct election_event *event)
{
    const struct election_message *m = event->message;
    struct election_known_peer *known = meet(e, &event->from);
    uint16_t entry;

    if (known) {
        known->member = event->members[0];
        known->member.address = address_with_port(event->from, 0);
        known->answered_ns = e->now_ns;
        known->list = m->list;
        known->is_listed = m->flags & ELECTION_FLAG_LISTED;
    }
    /* A new instance with a listed name proves the old one dead. */
    entry = election_find_entry(e, &event->members[0]);
    if (entry != ELECTION_NOT_FOUND && entry != e->self_index && known &&
        !(m->flags & ELECTION_FLAG_LISTED) && e->list.members[entry].instance != m->from)
        e->peers[entry].successor = known->member;
}

static void let_in(struct election *e, const struct election_event *event)
{
    struct election_member member = event->members[0];

    member.address = address_with_port(event->from, 0);
    if (event->message->flags & ELECTION_FLAG_LISTED ||
        election_find(e, member.instance) != ELECTION_NOT_FOUND)
        return;
    election_request_change(
        e, election_find_entry(e, &member) == ELECTION_NOT_FOUND ? ELECTION_ADD : ELECTION_REPLACE,
        true, &member);
    election_run_changes(e);
}

/* A newcomer; or a leader or a member of another cluster of ours that grew apart. */
static void meet_as_leader(struct election *e, const struct election_event *event)
{
    const struct election_message *m = event->message;

    if (m->flags & ELECTION_FLAG_LEADS)
        election_hear_claim(e, m->term, m->from, &event->from);
    else if (m->flags & ELECTION_FLAG_LISTED && m->term == e->term &&
             election_find(e, m->from) == ELECTION_NOT_FOUND)
        e->seen_term = election_max(e->seen_term, e->term + 1); /* claim above what it knows */
    if (e->state != ELECTION_LEADER)
        return;
    let_in(e, event);
    election_renew_if_behind(e);
}

void election_hear_discover(struct election *e, const struct election_event *event)
{
    const struct election_message *m = event->message;
    struct election_message here = make_card(e, ELECTION_HELLO);

    if (m->member_count != 1 || event->members[0].instance != m->from ||
        !election_see_term(e, election_max(m->term, m->seen)))
        return;
    remember(e, event);
    here.stamp_ns = m->stamp_ns;
    election_send_card(e, &event->from, m->from, here);
    if (e->state == ELECTION_LEADER)
        meet_as_leader(e, event);
    else if (m->flags & ELECTION_FLAG_LEADS) /* and does not have us in its list */
        election_hear_claim(e, m->term, m->from, &event->from);
}

static void ask_leader(struct election *e, const struct address *address, uint64_t instance)
{
    election_send_card(e, address, instance, make_card(e, ELECTION_DISCOVER));
}

void election_hear_hello(struct election *e, const struct election_event *event)
{
    const struct election_message *m = event->message;
    bool from_leader = m->flags & ELECTION_FLAG_LEADS && m->leader == m->from;

    if (m->member_count != 1 || event->members[0].instance != m->from ||
        !election_see_term(e, election_max(m->term, m->seen)))
        return;
    remember(e, event);
    if (e->state == ELECTION_JOINING) {
        if (from_leader && !e->leader && !e->term)
            ask_leader(e, &event->from, m->from);
        if (from_leader)
            election_hear_claim(e, m->term, m->leader, &event->from);
        else if (m->leader && !find_address(e, &m->leader_address))
            ask_leader(e, &m->leader_address, m->leader);
        return;
    }
    /* Uninvited, we know better than to follow the dead, who may be our predecessor. */
    if (!e->is_unlisted || from_leader)
        election_hear_claim(e, m->term, m->leader, &m->leader_address);
    election_renew_if_behind(e);
}

/* ---- the first leader ---- */

static int wish(const struct election *e, const struct election_member *member)
{
    if (election_is_entry(member, &e->config.leader))
        return 0;
    return election_rank(e, member) + 1;
}

static bool comes_before(const struct election *e, const struct election_member *a,
                         const struct election_member *b)
{
    int wish_a = wish(e, a), wish_b = wish(e, b);

    return wish_a != wish_b ? wish_a < wish_b
                            : memcmp(&a->address, &b->address, sizeof(a->address)) < 0;
}

/* A list of all that answered and know of no cluster, in order. False: somebody knows of one. */
static bool draft_list(struct election *e)
{
    struct election_list *list = &e->list;

    election_forget_list(e);
    list->members[list->count++] = e->config.self;
    for (uint32_t i = 0; i < e->known_peer_count; i++) {
        const struct election_known_peer *known = &e->known_peers[i];
        uint16_t at = list->count;

        if (!known->member.instance || e->now_ns > known->answered_ns + ANSWER_AGE * e->interval_ns)
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

bool election_draft_all(struct election *e)
{
    if (!draft_list(e)) {
        election_forget_list(e);
        return false;
    }
    memset(e->peers, 0, e->list.count * sizeof(e->peers[0]));
    for (uint16_t i = 0; i < e->list.count; i++)
        e->peers[i].heard_ns = e->now_ns;
    election_list_changed(e);
    return true;
}

static bool is_patient(const struct election *e)
{
    return e->now_ns >= e->started_ns + 3 * e->detection_ns;
}

/* How many must reply; alone or two of us, after a while, need nobody. */
static size_t bootstrap_quorum(const struct election *e, size_t total)
{
    if (total == 1 || (is_patient(e) && (e->config.quorum == ELECTION_QUORUM_NONE ||
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

static void consider_bootstrap(struct election *e)
{
    size_t total = election_max(e->config.expect, e->known_peer_count + 1);
    uint64_t rank;

    if (e->is_blind || (total == 1 && e->config.is_discovering && !is_patient(e)) ||
        (total > 1 && e->now_ns < e->abstain_ns) || !e->config.self.is_eligible || e->is_stopping ||
        (e->leader && e->now_ns < e->heard_ns + e->detection_ns) ||
        (total > 1 && !election_may_grant_lease(e, election_self(e))))
        return;
    if (!draft_list(e) || e->list.count < bootstrap_quorum(e, total)) {
        e->bootstrap_ns = 0;
        election_forget_list(e);
        return;
    }
    if (!e->bootstrap_ns) /* others may still be about to reply */
        e->bootstrap_ns = e->now_ns + (e->list.count < total ? 2 * e->interval_ns : 0);
    rank = eligible_before(e);
    if (e->now_ns < e->bootstrap_ns + rank * BOOT_PATIENCE * e->detection_ns) {
        election_forget_list(e);
        return;
    }
    e->abstain_ns = election_min(e->abstain_ns, e->now_ns);
    memset(e->peers, 0, e->list.count * sizeof(e->peers[0]));
    e->list.floor = (uint16_t)total;
    e->list.wants_majority = total >= 3;
    election_list_changed(e);
    election_enter(e, ELECTION_CANDIDATE, ELECTION_BY_BOOTSTRAP);
    election_campaign_start(e, ELECTION_STAGE_PREVOTE, ELECTION_BY_BOOTSTRAP,
                            ELECTION_FLAG_BOOTSTRAP);
}

/*
 * There is a cluster, but nobody who leads could let us in, and perhaps nobody else who may lead:
 * ask for the newest list that we hear of (who has it refuses candidates with an older one), to
 * stand for election in our predecessor's entry, or in one more. What it voted we do not know, nor
 * whether there is a newer list: so only votes of others count who have forgotten nothing, as many
 * as a majority; or everybody's.
 */
static void consider_own_entry(struct election *e)
{
    const struct election_known_peer *best = NULL;
    uint64_t rank = 0; /* one after the other: two would each lack the other's vote */

    for (uint32_t i = 0; i < e->known_peer_count; i++) {
        const struct election_known_peer *known = &e->known_peers[i];

        if (!known->member.instance || e->now_ns > known->answered_ns + ANSWER_AGE * e->interval_ns)
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
        e->replace_ns = e->now_ns + REPLACE_PATIENCE * (1 + rank) * e->detection_ns;
    if (e->now_ns < e->replace_ns || e->now_ns < e->replace_asked_ns + e->interval_ns)
        return;
    e->replace_asked_ns = e->now_ns;
    e->arriving.id = (struct election_list_id){0}; /* whatever it was, it did not get here */
    election_want_list(e, &best->member.address, best->member.instance,
                       (struct election_list_id){0});
}

/* ---- time ---- */

bool election_hears_only_unknown(const struct election *e)
{
    /* In a slow cluster even friends are silent for long. */
    uint64_t silence_ns = election_max(AUTH_MEMORY / 5, e->detection_ns);

    return e->auth_failed_ns && e->now_ns < e->auth_failed_ns + AUTH_MEMORY &&
           e->now_ns >= e->verified_ns + silence_ns;
}

void election_join_tick(struct election *e)
{
    bool strangers = election_hears_only_unknown(e);

    if (e->state == ELECTION_UNAUTHENTICATED && !strangers) {
        e->heard_ns = e->now_ns;
        e->candidate_ns = 0;
        election_enter(e, election_is_member(e) ? ELECTION_SUSPECT : ELECTION_JOINING,
                       ELECTION_BY_AUTH);
        return;
    }
    if (e->state == ELECTION_JOINING && strangers) {
        election_enter(e, ELECTION_UNAUTHENTICATED, ELECTION_BY_AUTH);
        return;
    }
    election_look_around(e, e->interval_ns);
    election_wake_at(e, e->now_ns + e->interval_ns);
    if (e->state == ELECTION_JOINING)
        consider_bootstrap(e);
    if (e->state == ELECTION_JOINING)
        consider_own_entry(e);
}
