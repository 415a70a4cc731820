/*
 * The snapshot of the data threads, made from what the election says.
 *
 * Most steps only move the moment until which the leader is valid: that is one atomic field of the
 * snapshot that is there already. Anything else takes a new snapshot.
 */
#include <stdio.h>

#include "supervisor_internal.h"

/* ---- what the snapshot is to say ---- */

static enum leader_kind leader_kind(const struct supervisor *supervisor)
{
    const struct election_leadership *snapshot = &supervisor->snapshot;

    if (address_is_set(&supervisor->outside))
        return LEADER_OUTSIDE;
    /* Who is not in the leader's list yet would be turned away by it: hold until then. */
    if (!snapshot->leader || snapshot->state == ELECTION_JOINING ||
        snapshot->state == ELECTION_UNAUTHENTICATED)
        return LEADER_NONE;
    return snapshot->leader == supervisor->data_plane->identity.instance ? LEADER_SELF
                                                                         : LEADER_MEMBER;
}

static uint64_t valid_until(const struct supervisor *supervisor)
{
    if (supervisor->facts.kind == LEADER_OUTSIDE)
        return SNAPSHOT_NO_EXPIRY;
    return supervisor->facts.kind == LEADER_NONE ? 0 : supervisor->snapshot.valid_until_ns;
}

/* Does this name another leader, or the same one in another term? */
static bool is_new_leader(const struct supervisor_facts *before,
                          const struct supervisor_facts *facts)
{
    return facts->kind != LEADER_NONE &&
           (facts->leader != before->leader || facts->term != before->term);
}

/*
 * A leader that gave way in order may still have replies under way: they pass for a while, at the
 * pod that has resigned as well as at the others.
 */
static void grant_grace(const struct supervisor *supervisor, const struct supervisor_facts *before,
                        struct supervisor_facts *facts)
{
    bool resigned = before->kind == LEADER_SELF && supervisor->snapshot.state == ELECTION_RESIGNING;

    /* Others may tell of the new leader before its own heartbeat says how it came to lead. */
    bool is_late_news = facts->gave_way && !before->gave_way && facts->leader == before->leader;

    if (!resigned && !is_late_news && !is_new_leader(before, facts))
        return;
    if (before->kind != LEADER_NONE && !is_late_news)
        facts->previous_term = before->term;
    facts->previous_until_ns = resigned || supervisor->snapshot.previous_stepped_down
                                   ? clock_now_ns() + supervisor->settings.reply_grace_ns
                                   : 0;
}

/* To whom copies go, and who has to have a key. Else nobody asks, and no snapshot is made for it. */
static bool is_alive(const struct supervisor *supervisor, uint16_t index)
{
    return (!config_makes_copies(supervisor->config) && !config_has_keys(supervisor->config)) ||
           election_may_be_alive(&supervisor->election, index);
}

static struct supervisor_facts gather(struct supervisor *supervisor)
{
    const struct election_list *list = &supervisor->election.list;
    struct supervisor_facts facts = supervisor->facts;

    facts.kind = leader_kind(supervisor);
    facts.term = supervisor->snapshot.term;
    facts.leader = facts.kind == LEADER_NONE ? 0 : supervisor->snapshot.leader;
    facts.cause = supervisor->snapshot.cause;
    facts.list_term = list->id.term;
    facts.list_version = list->id.version;
    facts.list_count = list->count;
    facts.gave_way = supervisor->snapshot.previous_stepped_down;
    facts.votes_needed = election_needed(&supervisor->election);
    memset(facts.live, 0, sizeof(facts.live));
    for (uint16_t i = 0; i < list->count; i++)
        facts.live[i / 64] |= (uint64_t)is_alive(supervisor, i) << i % 64;
    if (facts.handshake != supervisor->transport.handshake.changes ||
        memcmp(facts.live, supervisor->facts.live, sizeof(facts.live)) != 0 ||
        facts.list_version != supervisor->facts.list_version ||
        facts.list_term != supervisor->facts.list_term)
        supervisor_choose_key(supervisor, &facts);
    grant_grace(supervisor, &supervisor->facts, &facts);
    return facts;
}

/* ---- the members ---- */

static void add_member(struct leader_snapshot *snapshot, uint64_t instance, const char *name,
                       const struct address *address)
{
    struct member *member = &snapshot->members[snapshot->member_count++];

    *member = (struct member){.instance = instance,
                              .address = address_with_port(*address, 0),
                              .member_index = MEMBER_INDEX_NONE};
    (void)snprintf(member->name, sizeof(member->name), "%s", name);
}

/* Before there is a list, those that the configuration names: their ports are known already. */
static void put_configured(const struct supervisor *supervisor, struct leader_snapshot *snapshot)
{
    const struct config *config = supervisor->config;
    bool is_listed = false;

    for (size_t i = 0; i < config->peers.count; i++) {
        const struct config_peer *peer = &config->peers.list[i];
        bool is_self = address_equal_ip(&peer->address, &config->self);

        add_member(snapshot, is_self ? supervisor->data_plane->identity.instance : 0,
                   is_self ? config->name : peer->name, &peer->address);
        is_listed |= is_self;
    }
    if (!is_listed)
        add_member(snapshot, supervisor->data_plane->identity.instance, config->name,
                   &config->self);
}

static void put_members(struct supervisor *supervisor, struct leader_snapshot *snapshot)
{
    const struct election_list *list = &supervisor->election.list;

    snapshot->member_count = 0;
    if (list->count == 0) {
        put_configured(supervisor, snapshot);
        return;
    }
    for (uint16_t i = 0; i < list->count; i++) {
        const struct election_member *member = &list->members[i];

        add_member(snapshot, member->instance, member->name.text, &member->address);
        snapshot->members[i].is_alive = is_alive(supervisor, i);
        snapshot->members[i].member_index = peers_index(&supervisor->peers, member->instance);
        snapshot->members[i].is_authenticated =
            supervisor_reset_windows(supervisor, member->instance);
    }
}

static void put_leader(struct supervisor *supervisor, struct leader_snapshot *snapshot)
{
    const struct supervisor_facts *facts = &supervisor->facts;
    const struct election *e = &supervisor->election;
    const struct member *leader = leader_snapshot_find_instance(snapshot, facts->leader);

    snapshot->leader = (struct address){0};
    snapshot->leader_name[0] = '\0';
    snapshot->leader_instance = facts->leader;
    snapshot->leader_index = peers_index(&supervisor->peers, facts->leader);
    if (facts->kind == LEADER_OUTSIDE)
        snapshot->leader = supervisor->outside;
    else if (facts->kind == LEADER_SELF)
        snapshot->leader = address_with_port(supervisor->config->self, 0);
    else if (facts->kind == LEADER_MEMBER)
        snapshot->leader = e->leader_address;
    if (leader)
        (void)snprintf(snapshot->leader_name, sizeof(snapshot->leader_name), "%s", leader->name);
}

/* ---- publishing ---- */

static const char *cause_word(const struct supervisor *supervisor)
{
    if (supervisor->facts.kind == LEADER_OUTSIDE)
        return "yaml";
    return supervisor->snapshot.leader ? election_cause_name(supervisor->facts.cause) : "none";
}

static void set_valid_until(struct leader_snapshot *snapshot, uint64_t until_ns)
{
    atomic_store_explicit(&snapshot->valid_until_ns, until_ns, memory_order_relaxed);
}

void supervisor_publish_again(struct supervisor *supervisor)
{
    struct snapshot_publisher *publisher = &supervisor->data_plane->publisher;
    const struct supervisor_facts *facts = &supervisor->facts;
    struct leader_snapshot *draft = snapshot_draft(publisher);

    supervisor->is_unpublished = draft == NULL;
    if (!draft) { /* whatever the old snapshot says, it says it no longer */
        set_valid_until(snapshot_current(publisher), 0);
        return;
    }
    put_members(supervisor, draft);
    draft->term = facts->term;
    draft->kind = facts->kind;
    put_leader(supervisor, draft);
    draft->cause = cause_word(supervisor);
    draft->votes_needed = (uint32_t)facts->votes_needed;
    draft->leader_rcvbuf_bytes = facts->rcvbuf_bytes;
    draft->previous_term = facts->previous_term;
    draft->previous_until_ns = facts->previous_until_ns;
    draft->hold_time_ns = supervisor->settings.hold_time_ns;
    draft->app_idle_ns = supervisor->settings.app_idle_ns;
    draft->ingress_filter = supervisor->settings.ingress_filter;
    draft->accept_control = supervisor->settings.control_accept != CONFIG_CONTROL_NONE;
    draft->keyring = supervisor->settings.keyring;
    draft->seal_key = (uint32_t)facts->seal_key;
    draft->seal_suite = (enum seal_suite)facts->seal_suite;
    sign_policy_make(&supervisor->settings.keyring,
                     supervisor->settings.control_accept == CONFIG_CONTROL_SIGNED, &draft->signing);
    memcpy(draft->wanted_leader, supervisor->settings.leader, sizeof(draft->wanted_leader));
    draft->has_wanted_leader = supervisor_has_wanted_leader(supervisor);
    leader_history_put(&supervisor->history, draft);
    set_valid_until(draft, valid_until(supervisor));
    snapshot_publish(publisher, draft);
    data_plane_wake(supervisor->data_plane);
}

/* Remember since when nobody leads: from when the last one was no longer valid. */
static void watch_gap(struct supervisor *supervisor, uint64_t now_ns)
{
    uint64_t until_ns = valid_until(supervisor);

    if (until_ns > now_ns)
        supervisor->leaderless_since_ns = until_ns;
    else if (!supervisor->leaderless_since_ns || supervisor->leaderless_since_ns > now_ns)
        supervisor->leaderless_since_ns = now_ns;
}

/* What a change has cost so far, in time and in datagrams. */
static struct supervisor_cost sum_up(struct supervisor *supervisor,
                                     const struct supervisor_facts *before, uint64_t leader,
                                     uint64_t now_ns)
{
    uint64_t since_ns = supervisor->leaderless_since_ns;
    struct supervisor_cost cost = {0};
    struct data_plane_numbers numbers;

    data_plane_read_numbers(supervisor->data_plane, &numbers);
    cost.held = numbers.held;
    cost.gap_ns = since_ns && now_ns > since_ns ? now_ns - since_ns : 0;
    /* In order of loss: who gave way goes on relaying what it got. */
    if (before->leader && leader != before->leader && !supervisor->snapshot.previous_stepped_down)
        cost.lost = peers_unconfirmed(&supervisor->peers, before->leader);
    return cost;
}

void supervisor_publish(struct supervisor *supervisor)
{
    struct leader_snapshot *current = snapshot_current(&supervisor->data_plane->publisher);
    const struct supervisor_facts before = supervisor->facts;
    struct supervisor_facts facts = gather(supervisor);
    uint64_t now_ns = clock_now_ns();
    uint64_t until_before_ns, until_ns;
    bool is_new = is_new_leader(&before, &facts);
    struct supervisor_cost cost = {0};

    if (is_new)
        cost = sum_up(supervisor, &before, facts.leader, now_ns); /* before what is held may go */
    supervisor->facts = facts;
    if (is_new)
        leader_history_begin(&supervisor->history, now_ns, cost.gap_ns, facts.term);
    until_ns = valid_until(supervisor);
    if (memcmp(&facts, &before, sizeof(facts)) != 0) {
        peers_update(&supervisor->peers, &supervisor->election.list);
        supervisor_publish_again(supervisor);
    } else if (!supervisor->is_unpublished) {
        until_before_ns = atomic_load_explicit(&current->valid_until_ns, memory_order_relaxed);
        set_valid_until(current, until_ns);
        if (until_before_ns <= now_ns && until_ns > now_ns)
            data_plane_wake(supervisor->data_plane); /* what is held may go */
    }
    if (is_new)
        supervisor_log_change(supervisor, &cost);
    watch_gap(supervisor, now_ns);
}
