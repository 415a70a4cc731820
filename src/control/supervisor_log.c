/* What the log is told of leaders: who follows whom, who is alone, who was wished for. */
#include <stdio.h>

#include "supervisor_internal.h"

#define LEADERLESS_NS      (10 * NS_PER_SEC) /* without a leader, until it is logged */
#define MISMATCH_PERIOD_NS (60 * NS_PER_SEC) /* each heartbeat would repeat it */

/* ---- whom the configuration wished ---- */

bool supervisor_has_wanted_leader(const struct supervisor *supervisor)
{
    const char *wanted = supervisor->settings.leader;
    const struct election_member *member = command_find_target(&supervisor->election.list, wanted);

    if (!wanted[0] || supervisor->facts.kind == LEADER_OUTSIDE)
        return true;
    return member && member->instance == supervisor->facts.leader;
}

/* Once, until it comes or another is wished for: a mistyped name would be told at each change. */
static void tell_unseen(struct supervisor *supervisor)
{
    if (supervisor->logged.is_leader_unknown)
        return;
    supervisor->logged.is_leader_unknown = true;
    log_warn(
        "leader_unknown",
        "leader: \"%s\" is none of the members that were seen (%u), another leads: is that its "
        "name or address (leader, LEADER_IP), and does it run, with cluster \"%s\"?",
        supervisor->settings.leader, (unsigned)supervisor->election.list.count,
        supervisor->config->cluster);
}

void supervisor_check_leader(struct supervisor *supervisor)
{
    const char *wanted = supervisor->settings.leader;
    bool is_member = command_find_target(&supervisor->election.list, wanted) != NULL;

    if (is_member)
        supervisor->logged.is_leader_unknown = false;
    if (supervisor->facts.kind == LEADER_NONE || supervisor_has_wanted_leader(supervisor))
        return;
    if (is_member)
        log_warn("leader_differs",
                 "another than the configured leader %s leads; to change that: headlessctl leader "
                 "set %s, or a higher leader_generation beside it in the configuration",
                 wanted, wanted);
    else
        tell_unseen(supervisor);
}

/* ---- a pod that is alone ---- */

/* Once, until it has had company. */
static void tell_alone(struct supervisor *supervisor)
{
    const struct config *config = supervisor->config;
    bool is_alone = supervisor->facts.kind == LEADER_SELF && supervisor->election.list.count == 1;

    if (is_alone == supervisor->logged.is_alone)
        return;
    supervisor->logged.is_alone = is_alone;
    if (!is_alone)
        return;
    if (supervisor->election.config.expect > 1)
        log_warn("others_missing",
                 "none of the other pods that are configured (peers, discovery.dns, quorum.expect) "
                 "was seen: this pod leads itself, as quorum lets it");
    else
        log_info("alone", "%s: this pod leads itself",
                 config->discovery_dns[0] ? "no other pod answers at discovery.dns"
                                          : "peers and discovery.dns name no other pod");
}

/* ---- nobody leads ---- */

unsigned supervisor_count_answered(const struct election *e)
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
        now_ns - since_ns < LEADERLESS_NS) { /* in the future: until then one leads */
        supervisor->logged.is_leaderless = false;
        return;
    }
    if (supervisor->logged.is_leaderless || e->state == ELECTION_ISOLATED ||
        e->state == ELECTION_OUT)
        return;
    supervisor->logged.is_leaderless = true;
    if (e->list.count == 0)
        log_warn("no_leader",
                 "none for %llu s: %u of %u other pods have answered: start the others, or compare "
                 "peers, discovery.dns, quorum.expect, cluster and keys",
                 (unsigned long long)(LEADERLESS_NS / NS_PER_SEC), supervisor_count_answered(e),
                 (unsigned)e->known_peer_count);
    else
        log_warn("no_leader",
                 "none for %llu s, state %s: %zu of %u members have to agree; which live: "
                 "headlessctl status",
                 (unsigned long long)(LEADERLESS_NS / NS_PER_SEC), election_state_name(e->state),
                 election_needed(e), (unsigned)e->list.count);
}

/* ---- a leader follows another ---- */

static void count_change(struct supervisor *supervisor)
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

/* By the facts: the snapshot may wait for a free slot. */
static void describe_leader(const struct supervisor *supervisor,
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
    count_change(supervisor);
    if (cost->lost)
        counters_add(&supervisor->counters, COUNTER_UNCONFIRMED, cost->lost);
    describe_leader(supervisor, leader);
    log_info("leader_changed",
             "leader %s, by %s, after %s; %llu ms without one, %llu held, %llu handed to the one "
             "before and not confirmed",
             leader, election_cause_name(supervisor->facts.cause), former[0] ? former : "none",
             (unsigned long long)(cost->gap_ns / NS_PER_MS), (unsigned long long)cost->held,
             (unsigned long long)cost->lost);
    (void)snprintf(former, SUPERVISOR_LEADER_TEXT, "%s", leader);
    tell_alone(supervisor);
    supervisor_check_leader(supervisor);
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
    log_warn("order_differs",
             "%s (%s) has %s, and this pod %s: set the same in all pods, or their apps get "
             "different messages",
             address_format_ip(&peer->address, text), peer->name.text,
             peers_describe_settings(message->flags),
             peers_describe_settings(supervisor->peers.flags));
}
