/* Log lines about leaders and members: changes, the configured leader, a pod without others. */
#include <stdio.h>

#include "supervisor_internal.h"

#define LEADERLESS_NS      (10 * NS_PER_SEC) /* without a leader, until it is logged */
#define VIRTUAL_NS         (5 * NS_PER_SEC)  /* DNS may not name this pod yet, or an ended one */
#define MISMATCH_PERIOD_NS (60 * NS_PER_SEC) /* each heartbeat would repeat it */

/* ---- the configured leader ---- */

bool supervisor_has_wanted_leader(const struct supervisor *supervisor)
{
    const char *wanted = supervisor->settings.leader;

    if (!wanted[0] || supervisor->facts.kind == LEADER_OUTSIDE)
        return true;
    return command_is_target(&supervisor->election, supervisor->facts.leader, wanted);
}

/* Once, until it joins or another is configured: each leader change would repeat it. */
static void warn_unknown_leader(struct supervisor *supervisor)
{
    if (supervisor->logged.is_leader_unknown)
        return;
    supervisor->logged.is_leader_unknown = true;
    log_warn(
        "leader_unknown",
        "leader: \"%s\" is none of the %u members, another pod leads: check its name or address "
        "(leader, LEADER_IP), and that it runs, with cluster \"%s\"",
        supervisor->settings.leader, (unsigned)supervisor->election.list.count,
        supervisor->config->cluster);
}

void supervisor_check_leader(struct supervisor *supervisor)
{
    const char *wanted = supervisor->settings.leader;
    size_t count;
    bool is_member = command_find_target(&supervisor->election, wanted, &count) != NULL;

    if (is_member)
        supervisor->logged.is_leader_unknown = false;
    if (supervisor->facts.kind == LEADER_NONE || supervisor_has_wanted_leader(supervisor))
        return;
    if (is_member)
        log_warn("leader_differs",
                 "another pod than the configured leader %s leads; to change that, run headlessctl "
                 "leader set %s, or raise leader_generation in the configuration",
                 wanted, wanted);
    else
        warn_unknown_leader(supervisor);
}

/* ---- a pod without others ---- */

/* Once, until another pod has been a member. */
static void log_alone(struct supervisor *supervisor)
{
    const struct config *config = supervisor->config;
    bool is_alone = supervisor->facts.kind == LEADER_SELF && supervisor->election.list.count == 1;

    if (is_alone == supervisor->logged.is_alone)
        return;
    supervisor->logged.is_alone = is_alone;
    if (!is_alone)
        return;
    if (supervisor->election.config.expect > 1 || supervisor->election.known_peer_count > 0)
        log_warn("others_missing",
                 "none of the other configured pods (peers, discovery, quorum.expect) was seen: "
                 "this pod leads alone, as quorum allows");
    else
        log_info("alone", "%s: this pod leads alone",
                 config->discovery_kubernetes[0] ? "discovery.kubernetes names no other pod"
                 : config->discovery_dns[0]      ? "discovery.dns names no other pod"
                                                 : "peers and discovery.dns name no other pod");
}

/* ---- a Service with a cluster IP in place of a headless one ---- */

/*
 * A headless Service has the addresses of its pods, this one among them. Another Service has one
 * address, which is no pod's: a message to it reaches any pod, and its sender is unknown there.
 */
bool supervisor_finds_virtual(const struct supervisor *supervisor)
{
    const struct election *e = &supervisor->election;
    const struct address *only = &supervisor->discovered;

    if (!address_is_set(only) || address_equal_ip(only, &supervisor->config->self))
        return false;
    for (uint32_t i = 0; i < e->known_peer_count; i++) {
        if (e->known_peers[i].member.instance &&
            address_equal_ip(&e->known_peers[i].member.address, only))
            return false; /* a pod replies from this address */
    }
    return e->list.count <= 1;
}

/* Once, until it is over. */
void supervisor_log_virtual(struct supervisor *supervisor, uint64_t now_ns)
{
    char text[ADDRESS_TEXT_MAX];

    if (!supervisor_finds_virtual(supervisor)) {
        supervisor->virtual_since_ns = 0;
        supervisor->logged.is_virtual = false;
        return;
    }
    if (!supervisor->virtual_since_ns)
        supervisor->virtual_since_ns = now_ns;
    if (supervisor->logged.is_virtual || now_ns - supervisor->virtual_since_ns < VIRTUAL_NS)
        return;
    supervisor->logged.is_virtual = true;
    log_warn(
        "discovery_virtual",
        "discovery.dns: \"%s\" has one address, %s, which is not this pod's, and no pod replies "
        "from it: is that Service headless (clusterIP: None)? A cluster IP does not name the "
        "pods%s",
        supervisor->config->discovery_dns, address_format_ip(&supervisor->discovered, text),
        supervisor->config->quorum_expect
            ? ""
            : "; until then each pod leads alone, since quorum.expect is not set");
}

/* ---- no leader ---- */

unsigned supervisor_count_replied(const struct election *e)
{
    unsigned count = 0;

    for (uint32_t i = 0; i < e->known_peer_count; i++)
        count += e->known_peers[i].member.instance != 0;
    return count;
}

void supervisor_log_leaderless(struct supervisor *supervisor, uint64_t now_ns)
{
    const struct election *e = &supervisor->election;
    uint64_t since_ns = supervisor->leaderless_since_ns;

    if (address_is_set(&supervisor->outside) || now_ns < since_ns ||
        now_ns - since_ns < LEADERLESS_NS) { /* since_ns ahead: a leader is valid until then */
        supervisor->logged.is_leaderless = false;
        return;
    }
    if (supervisor->logged.is_leaderless || e->state == ELECTION_ISOLATED ||
        e->state == ELECTION_OUT)
        return;
    supervisor->logged.is_leaderless = true;
    if (e->list.count == 0)
        log_warn("no_leader",
                 "no leader for %llu s; %u of %u other pods have replied: start the others, or "
                 "compare peers, discovery.dns, quorum.expect, cluster and keys",
                 (unsigned long long)(LEADERLESS_NS / NS_PER_SEC), supervisor_count_replied(e),
                 (unsigned)e->known_peer_count);
    else
        log_warn(
            "no_leader",
            "no leader for %llu s, state %s: %zu of %u members have to agree; headlessctl status "
            "shows which are alive",
            (unsigned long long)(LEADERLESS_NS / NS_PER_SEC), election_state_name(e->state),
            election_needed(e), (unsigned)e->list.count);
}

/* ---- a leader change ---- */

static void count_leader_change(struct supervisor *supervisor)
{
    static const size_t rows[ELECTION_CAUSE_COUNT] = {
        [ELECTION_BY_BOOTSTRAP] = COUNTER_LEADER_BOOTSTRAP,
        [ELECTION_BY_VERDICT] = COUNTER_LEADER_VERDICT,
        [ELECTION_BY_EVIDENCE] = COUNTER_LEADER_EVIDENCE,
        [ELECTION_BY_STEP_DOWN] = COUNTER_LEADER_RESIGN,
        [ELECTION_BY_COMMAND] = COUNTER_LEADER_COMMAND,
        [ELECTION_BY_FORCE] = COUNTER_LEADER_FORCE,
    };
    size_t row = rows[supervisor->facts.cause];

    counters_add(&supervisor->counters, row ? row : COUNTER_LEADER_OTHER, 1);
}

/* From the facts: the snapshot may not be published yet. */
static void describe_new_leader(const struct supervisor *supervisor,
                                char text[static SUPERVISOR_LEADER_TEXT])
{
    const struct supervisor_facts *facts = &supervisor->facts;
    const struct election_list *list = &supervisor->election.list;
    const struct address *ip = &supervisor->election.leader_address;
    const char *name = "unnamed";
    char address[ADDRESS_TEXT_MAX];

    if (facts->kind == LEADER_SELF)
        ip = &supervisor->config->self;
    for (uint16_t i = 0; i < list->count; i++) {
        if (list->members[i].instance == facts->leader && list->members[i].name.text[0])
            name = list->members[i].name.text;
    }
    (void)snprintf(text, SUPERVISOR_LEADER_TEXT, "%s (%s), term %llu",
                   address_format_ip(ip, address), name, (unsigned long long)facts->term);
}

void supervisor_log_change(struct supervisor *supervisor, const struct supervisor_cost *cost)
{
    char *former = supervisor->logged.leader;
    char leader[SUPERVISOR_LEADER_TEXT];

    atomic_store_explicit(&supervisor->report.gap_ns, cost->gap_ns, memory_order_relaxed);
    count_leader_change(supervisor);
    if (cost->lost)
        counters_add(&supervisor->counters, COUNTER_UNCONFIRMED, cost->lost);
    describe_new_leader(supervisor, leader);
    log_info("leader_changed",
             "leader %s, by %s, after %s; %llu ms without a leader, %llu held, %llu relayed to the "
             "previous one and not confirmed",
             leader, election_cause_name(supervisor->facts.cause), former[0] ? former : "none",
             (unsigned long long)(cost->gap_ns / NS_PER_MS), (unsigned long long)cost->held,
             (unsigned long long)cost->lost);
    (void)snprintf(former, SUPERVISOR_LEADER_TEXT, "%s", leader);
    log_alone(supervisor);
    supervisor_check_leader(supervisor);
}

void supervisor_log_former(struct supervisor *supervisor, const struct supervisor_facts *before)
{
    const struct supervisor_facts *facts = &supervisor->facts;
    uint64_t now_ns = clock_now_ns();
    struct peer *peer;
    char text[ADDRESS_TEXT_MAX];

    if (facts->grace.former == before->grace.former &&
        facts->grace.former_term == before->grace.former_term)
        return;
    if (before->grace.former)
        log_info("sessions_moved",
                 "requests go to the leader only: sessions of term %llu no longer stay with the "
                 "app of the former leader",
                 (unsigned long long)before->grace.former_term);
    peer = peers_find(&supervisor->peers, facts->grace.former);
    if (facts->grace.former)
        log_info("sessions_stay",
                 "requests go to %s (%s) first, which led in term %llu: its app serves the clients "
                 "that have a session with it, for at most %llu s",
                 address_format_ip(&supervisor->leadership.former.address, text),
                 peer ? peer->name.text : "unnamed", (unsigned long long)facts->grace.former_term,
                 (unsigned long long)((facts->grace.former_until_ns - now_ns) / NS_PER_SEC));
}

/* ---- a member has other settings ---- */

void supervisor_check_settings(struct supervisor *supervisor,
                               const struct election_message *message)
{
    static struct log_limit limit = {.period_ns = MISMATCH_PERIOD_NS};
    const struct peer *peer = peers_find(&supervisor->peers, message->from);
    char text[ADDRESS_TEXT_MAX];
    uint64_t suppressed;

    if (!peers_check_settings(&supervisor->peers, message) ||
        !log_limit_pass(&limit, LOG_LEVEL_WARN, clock_now_ns(), &suppressed))
        return;
    if (peers_differ_in_history_only(&supervisor->peers, message->flags)) {
        log_warn("order_differs",
                 "%s (%s) has another ordered.history than this pod: set the same in all pods, or "
                 "the smaller one lacks messages that the other still gives",
                 address_format_ip(&peer->address, text), peer->name.text);
        return;
    }
    log_warn("order_differs",
             "%s (%s) has %s, and this pod %s: set the same in all pods, or their apps get "
             "different messages",
             address_format_ip(&peer->address, text), peer->name.text,
             peers_describe_settings(message->flags),
             peers_describe_settings(supervisor->peers.flags));
}

/* ---- a pod has the other option election ---- */

void supervisor_check_election(const struct supervisor *supervisor)
{
    const struct election *e = &supervisor->election;
    char text[ADDRESS_TEXT_MAX];

    if (!e->differing_ns || e->differing_ns != e->now_ns)
        return;
    log_warn_minutely("election_differs", e->now_ns,
                      "the pod at %s has election: %s, this pod %s: pods with one of them keep out "
                      "new pods with the other; set the same in all pods, with all of them stopped",
                      address_format_ip(&e->differing, text),
                      e->config.has_lease ? "peers" : "lease",
                      e->config.has_lease ? "lease" : "peers");
}
