/*
 * The leader snapshot of the data threads, made from the state of the election.
 *
 * Most steps only extend the time until which the leader is valid: one atomic field of the published
 * snapshot. Any other change takes a new snapshot.
 */
#include <stdio.h>

#include "supervisor_internal.h"

/* ---- facts ---- */

static enum leader_kind leader_kind(const struct supervisor *supervisor)
{
    const struct election_leadership *leadership = &supervisor->leadership;

    if (address_is_set(&supervisor->outside))
        return LEADER_OUTSIDE;
    /* The leader refuses frames of a pod that is not in its list yet: hold until then. */
    if (!leadership->leader || leadership->state == ELECTION_JOINING ||
        leadership->state == ELECTION_UNAUTHENTICATED)
        return LEADER_NONE;
    return leadership->leader == data_plane_identity(supervisor->data_plane)->instance
               ? LEADER_SELF
               : LEADER_MEMBER;
}

static uint64_t valid_until(const struct supervisor *supervisor)
{
    if (supervisor->facts.kind == LEADER_OUTSIDE)
        return SNAPSHOT_NO_EXPIRY;
    return supervisor->facts.kind == LEADER_NONE ? 0 : supervisor->leadership.valid_until_ns;
}

static struct reply_grace_leader describe_leader(const struct supervisor_facts *facts)
{
    return (struct reply_grace_leader){.has_leader = facts->kind != LEADER_NONE,
                                       .is_self = facts->kind == LEADER_SELF,
                                       .gave_way_term = facts->gave_way_term,
                                       .instance = facts->leader,
                                       .term = facts->term};
}

static bool is_new_leader(const struct supervisor_facts *before,
                          const struct supervisor_facts *facts)
{
    const struct reply_grace_leader was = describe_leader(before), is = describe_leader(facts);

    return reply_grace_is_new_leader(&was, &is);
}

static uint64_t published_valid_until(const struct supervisor *supervisor)
{
    const struct leader_snapshot *current =
        snapshot_current(data_plane_publisher(supervisor->data_plane));

    return atomic_load_explicit(&current->leader.valid_until_ns, memory_order_relaxed);
}

static void step_grace(const struct supervisor *supervisor, const struct supervisor_facts *before,
                       struct supervisor_facts *facts)
{
    struct reply_grace_leader was = describe_leader(before), is = describe_leader(facts);
    const struct election_former none = {0}, *former = &supervisor->leadership.former;
    const struct reply_grace_times times = {.now_ns = clock_now_ns(),
                                            .grace_ns = supervisor->settings.reply_grace_ns,
                                            .interval_ns = supervisor->election.interval_ns,
                                            .detection_ns = supervisor->election.detection_ns};

    was.valid_until_ns = published_valid_until(supervisor);
    is.is_stepping_down = supervisor->leadership.state == ELECTION_STEPPING_DOWN;
    reply_grace_step(&facts->grace, &was, &is, is.has_leader ? former : &none, &times);
}

/* Only for copies and keys. Elsewhere nothing depends on it, so that it makes no new snapshot. */
static bool counts_as_alive(const struct supervisor *supervisor, uint16_t index)
{
    return (!config_makes_copies(supervisor->config) && !config_has_keys(supervisor->config)) ||
           election_may_be_alive(&supervisor->election, index);
}

static struct supervisor_facts gather_facts(struct supervisor *supervisor)
{
    const struct election_list *list = &supervisor->election.list;
    struct supervisor_facts facts = supervisor->facts;

    facts.kind = leader_kind(supervisor);
    facts.term = supervisor->leadership.term;
    facts.leader = facts.kind == LEADER_NONE ? 0 : supervisor->leadership.leader;
    facts.cause = supervisor->leadership.cause;
    facts.list_term = list->id.term;
    facts.list_version = list->id.version;
    facts.list_count = list->count;
    facts.gave_way_term = supervisor->leadership.stepped_down_term;
    facts.votes_needed = election_needed(&supervisor->election);
    facts.additions = peers_additions(&supervisor->peers, &supervisor->election);
    memset(facts.live, 0, sizeof(facts.live));
    for (uint16_t i = 0; i < list->count; i++) {
        if (counts_as_alive(supervisor, i))
            election_set_bit(facts.live, i);
    }
    if (facts.handshake != supervisor->transport.handshake.changes ||
        memcmp(facts.live, supervisor->facts.live, sizeof(facts.live)) != 0 ||
        facts.list_version != supervisor->facts.list_version ||
        facts.list_term != supervisor->facts.list_term)
        supervisor_choose_key(supervisor, &facts);
    step_grace(supervisor, &supervisor->facts, &facts);
    return facts;
}

/* ---- the members ---- */

static void put_member(struct leadership *leadership, uint64_t instance, const char *name,
                       const struct address *address)
{
    struct member *member = &leadership->members[leadership->member_count++];

    *member = (struct member){.instance = instance,
                              .address = address_with_port(*address, 0),
                              .member_index = MEMBER_INDEX_NONE};
    (void)snprintf(member->name, sizeof(member->name), "%s", name);
}

/* Before there is a list: the members that the configuration names. */
static void put_configured(const struct supervisor *supervisor, struct leadership *leadership)
{
    const struct config *config = supervisor->config;
    bool is_listed = false;

    for (size_t i = 0; i < config->peers.count; i++) {
        const struct config_peer *peer = &config->peers.list[i];
        bool is_self = address_equal_ip(&peer->address, &config->self);

        put_member(leadership, is_self ? data_plane_identity(supervisor->data_plane)->instance : 0,
                   is_self ? config->name : peer->name, &peer->address);
        is_listed |= is_self;
    }
    if (!is_listed)
        put_member(leadership, data_plane_identity(supervisor->data_plane)->instance, config->name,
                   &config->self);
}

static void put_members(struct supervisor *supervisor, struct leadership *leadership)
{
    const struct election_list *list = &supervisor->election.list;

    leadership->member_count = 0;
    if (list->count == 0) {
        put_configured(supervisor, leadership);
        return;
    }
    for (uint16_t i = 0; i < list->count; i++) {
        const struct election_member *member = &list->members[i];

        put_member(leadership, member->instance, member->name.text, &member->address);
        leadership->members[i].is_alive = counts_as_alive(supervisor, i);
        leadership->members[i].member_index = peers_index(&supervisor->peers, member->instance);
        leadership->members[i].is_authenticated =
            supervisor_reset_windows(supervisor, member->instance);
    }
}

static void put_leadership(struct supervisor *supervisor, struct leadership *leadership)
{
    const struct supervisor_facts *facts = &supervisor->facts;
    const struct election *e = &supervisor->election;
    const struct member *leader = leadership_find_instance(leadership, facts->leader);

    leadership->address = (struct address){0};
    leadership->name[0] = '\0';
    leadership->instance = facts->leader;
    leadership->member_index = peers_index(&supervisor->peers, facts->leader);
    if (facts->kind == LEADER_OUTSIDE)
        leadership->address = supervisor->outside;
    else if (facts->kind == LEADER_SELF)
        leadership->address = address_with_port(supervisor->config->self, 0);
    else if (facts->kind == LEADER_MEMBER)
        leadership->address = e->leader_address;
    if (leader)
        (void)snprintf(leadership->name, sizeof(leadership->name), "%s", leader->name);
    leadership->former = (struct former_leader){
        .address = supervisor->leadership.former.address,
        .member_index = peers_index(&supervisor->peers, facts->grace.former)};
    reply_grace_put(&facts->grace, leadership);
}

/* ---- publishing ---- */

static const char *cause_word(const struct supervisor *supervisor)
{
    if (supervisor->facts.kind == LEADER_OUTSIDE)
        return "yaml";
    return supervisor->leadership.leader ? election_cause_name(supervisor->facts.cause) : "none";
}

static void set_valid_until(struct leader_snapshot *snapshot, uint64_t until_ns)
{
    atomic_store_explicit(&snapshot->leader.valid_until_ns, until_ns, memory_order_relaxed);
}

void supervisor_publish_again(struct supervisor *supervisor)
{
    struct snapshot_publisher *publisher = data_plane_publisher(supervisor->data_plane);
    const struct supervisor_facts *facts = &supervisor->facts;
    struct leader_snapshot *draft = snapshot_draft(publisher);

    supervisor->is_unpublished = draft == NULL;
    if (!draft) { /* the published snapshot is out of date: its leader is no longer valid */
        set_valid_until(snapshot_current(publisher), 0);
        return;
    }
    put_members(supervisor, &draft->leader);
    draft->leader.term = facts->term;
    draft->leader.takes_from = supervisor->leadership.takes_from;
    draft->leader.kind = facts->kind;
    put_leadership(supervisor, &draft->leader);
    draft->leader.cause = cause_word(supervisor);
    draft->leader.votes_needed = (uint32_t)facts->votes_needed;
    draft->leader.carries_tos = facts->additions & ELECTION_FLAG_TOS;
    draft->leader.splits_records = facts->additions & ELECTION_FLAG_SPLIT;
    draft->leader.confirms = facts->additions & ELECTION_FLAG_KEPT;
    draft->leader.rcvbuf_bytes = facts->rcvbuf_bytes;
    draft->settings.hold_time_ns = supervisor->settings.hold_time_ns;
    draft->settings.app_idle_ns = supervisor->settings.app_idle_ns;
    draft->settings.reply_grace_ns = supervisor->settings.reply_grace_ns;
    draft->settings.ingress_filter = supervisor->settings.ingress_filter;
    draft->settings.accept_control = supervisor->settings.control_accept != CONFIG_CONTROL_NONE;
    draft->keys.keyring = supervisor->settings.keyring;
    draft->keys.seal_key = (uint32_t)facts->seal_key;
    draft->keys.seal_suite = (enum seal_suite)facts->seal_suite;
    sign_policy_make(&supervisor->settings.keyring,
                     supervisor->settings.control_accept == CONFIG_CONTROL_SIGNED,
                     &draft->keys.signing);
    memcpy(draft->leader.wanted_leader, supervisor->settings.leader,
           sizeof(draft->leader.wanted_leader));
    draft->leader.has_wanted_leader = supervisor_has_wanted_leader(supervisor);
    leader_history_put(&supervisor->history, &draft->leader);
    supervisor_report_past(
        supervisor); /* first: a reader of both finds the snapshot's leader in it */
    set_valid_until(draft, valid_until(supervisor));
    snapshot_publish(publisher, draft);
    data_plane_wake(supervisor->data_plane);
}

/* Remembers since when there is no leader: since the last one was no longer valid. */
static void watch_gap(struct supervisor *supervisor, uint64_t now_ns)
{
    uint64_t until_ns = valid_until(supervisor);

    if (until_ns > now_ns)
        supervisor->leaderless_since_ns = until_ns;
    else if (!supervisor->leaderless_since_ns || supervisor->leaderless_since_ns > now_ns)
        supervisor->leaderless_since_ns = now_ns;
}

/* Were requests kept? */
static bool keeps(const struct supervisor *supervisor, const struct supervisor_facts *before)
{
    return config_keeps(supervisor->config) && before->additions & ELECTION_FLAG_KEPT;
}

/* The cost of a change so far, in time and in datagrams. */
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
    /* A leader that stepped down relays what it has got: nothing is lost. Of kept requests, the data
     * threads count those that are lost. */
    if (before->leader && leader != before->leader &&
        supervisor->leadership.stepped_down_term != before->term && !keeps(supervisor, before))
        cost.lost = peers_unconfirmed(&supervisor->peers, before->leader);
    return cost;
}

void supervisor_publish(struct supervisor *supervisor)
{
    struct leader_snapshot *current =
        snapshot_current(data_plane_publisher(supervisor->data_plane));
    const struct supervisor_facts before = supervisor->facts;
    struct supervisor_facts facts = gather_facts(supervisor);
    uint64_t now_ns = clock_now_ns();
    uint64_t until_before_ns, until_ns;
    bool is_new = is_new_leader(&before, &facts);
    struct supervisor_cost cost = {0};

    if (is_new) /* before held requests may leave */
        cost = sum_up(supervisor, &before, facts.leader, now_ns);
    supervisor->facts = facts;
    if (is_new)
        leader_history_begin(&supervisor->history, now_ns, cost.gap_ns, facts.term);
    until_ns = valid_until(supervisor);
    if (memcmp(&facts, &before, sizeof(facts)) != 0) {
        peers_update(&supervisor->peers, &supervisor->election.list);
        supervisor_publish_again(supervisor);
    } else if (!supervisor->is_unpublished) {
        until_before_ns =
            atomic_load_explicit(&current->leader.valid_until_ns, memory_order_relaxed);
        set_valid_until(current, until_ns);
        if (until_before_ns <= now_ns && until_ns > now_ns)
            data_plane_wake(supervisor->data_plane); /* held requests may leave */
    }
    if (is_new)
        supervisor_log_change(supervisor, &cost);
    supervisor_log_former(supervisor, &before);
    watch_gap(supervisor, now_ns);
}
