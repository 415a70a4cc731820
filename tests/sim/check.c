/*
 * check: the invariants.
 *
 * After each published leadership: one leader a term; terms never fall; with quorum, never two
 * valid leaders at one moment; a leader that exchanges messages with a majority is not deposed.
 * After all faults have ended: all pods agree within a limit, nothing changes after that, the number
 * of messages is bounded, and each pod has a row in the leader's list.
 */
#include <stdio.h>

#include "api.h"

#define CLEAR_NS       (4 * NS_PER_SEC)  /* a link counts as clear this long after its last fault */
#define DEPOSED_NS     (100 * NS_PER_MS) /* a leader that stopped longer ago is not deposed */
#define AGREE_SLACK_NS (300 * NS_PER_MS) /* for messages, and for joining after a restart */

void sim_fail(struct sim *sim, const char *format, ...)
{
    va_list arguments;

    if (sim->failed)
        return;
    sim->failed = true;
    va_start(arguments, format);
    (void)vsnprintf(sim->failure, sizeof(sim->failure), format, arguments);
    va_end(arguments);
    sim_trace(sim, "FAILED: %s", sim->failure);
}

/* ---- one leader a term ---- */

/*
 * If all pods that knew a term have lost their files, it may be given again, for no pod remembers
 * it. In a run that keeps all files this is never accepted. With election: lease the Lease keeps it, unless
 * it is deleted, or an old copy restored.
 */
bool sim_has_lost_terms(const struct sim *sim)
{
    return sim->options.api ? sim->options.api->deleted_ns > 0 : sim->files_lost > 0;
}

static void forget_terms(struct sim *sim, uint64_t term)
{
    if (!sim_has_lost_terms(sim) || term > sim->top_term)
        return;
    memset(sim->terms, 0, sizeof(sim->terms));
    sim->top_term = 0;
}

static void check_term(struct sim *sim, uint64_t term, uint64_t leader)
{
    size_t at = term * 0x9e3779b97f4a7c15 >> 51;

    while (sim->terms[at].term && sim->terms[at].term != term)
        at = (at + 1) % SIM_TERMS;
    if (!sim->terms[at].term) {
        sim->terms[at].term = term;
        sim->terms[at].leader = leader;
    } else if (sim->terms[at].leader != leader) {
        sim_fail(sim, "two leaders in term %llu: %llu and %llu", (unsigned long long)term,
                 (unsigned long long)sim->terms[at].leader, (unsigned long long)leader);
    }
}

/* ---- a leader with a majority ---- */

static bool is_clear(const struct sim *sim, uint32_t a, uint32_t b)
{
    return !sim->cuts[a][b] && !sim->cuts[b][a] &&
           sim->now_ns > sim->disturbed_ns[a][b] + CLEAR_NS &&
           sim->now_ns > sim->disturbed_ns[b][a] + CLEAR_NS;
}

static bool has_listed(const struct election *e, uint64_t instance)
{
    for (uint16_t i = 0; i < e->list.count; i++) {
        if (e->list.members[i].instance == instance)
            return true;
    }
    return false;
}

static bool is_heard_by_majority(const struct sim *sim, uint32_t leader)
{
    const struct sim_pod *pod = &sim->pods[leader];
    uint32_t heard = 1;

    if (!pod->is_up || pod->is_stalled || sim->now_ns > pod->stopped_leading_ns + DEPOSED_NS ||
        sim->lossy || sim->slow || sim->now_ns < sim->loss_ns + CLEAR_NS ||
        sim->now_ns < pod->led_since_ns + CLEAR_NS || sim->now_ns < pod->step_down_ns + CLEAR_NS)
        return false;
    for (uint32_t i = 0; i < sim->pod_count; i++)
        heard += i != leader && sim->pods[i].is_up && !sim->pods[i].is_stalled &&
                 sim->now_ns > sim->pods[i].started_ns + CLEAR_NS && is_clear(sim, leader, i) &&
                 has_listed(&pod->election, sim->pods[i].config.self.instance);
    return heard >= election_needed(&pod->election);
}

static void check_succession(struct sim *sim, uint64_t term, uint64_t leader)
{
    if (term <= sim->top_term)
        return;
    for (uint32_t i = 0; i < sim->pod_count; i++) {
        /* Election of the same leader again, above a voted term, is no deposition. */
        bool renewed = leader == sim->top_leader && (term >= sim->top_term + ELECTION_TERM_SKIP ||
                                                     sim->now_ns > sim->raised_ns + CLEAR_NS);

        if (sim->pods[i].config.self.instance == sim->top_leader && sim->quorum && !sim->forges &&
            !renewed && api_is_clear(sim) && is_heard_by_majority(sim, i))
            sim_fail(sim, "pod %u, the leader of term %llu with a majority, was deposed", i,
                     (unsigned long long)sim->top_term);
    }
    if (sim->agreed_ns)
        sim_fail(sim, "leader %llu of term %llu appeared after all pods had agreed",
                 (unsigned long long)leader, (unsigned long long)term);
    sim->top_term = term;
    sim->top_leader = leader;
    sim->former.elected_ns = sim->now_ns;
}

/* ---- after each step ---- */

static void check_valid(struct sim *sim, uint32_t index)
{
    const struct sim_pod *pod = &sim->pods[index];

    if (!sim->quorum || sim->forges || pod->valid_until_ns <= sim->now_ns)
        return;
    for (uint32_t i = 0; i < sim->pod_count; i++) {
        if (i != index && sim->pods[i].valid_until_ns > sim->now_ns)
            sim_fail(sim, "two valid leaders: pod %u in term %llu, pod %u in term %llu", i,
                     (unsigned long long)sim->pods[i].leadership.term, index,
                     (unsigned long long)pod->leadership.term);
    }
}

void sim_check_leadership(struct sim *sim, uint32_t index, const struct election_leadership *before)
{
    struct sim_pod *pod = &sim->pods[index];
    const struct election_leadership *leadership = &pod->leadership;

    pod->valid_until_ns = 0;
    if (leadership->state == ELECTION_LEADER || before->state != ELECTION_LEADER)
        pod->stopped_leading_ns =
            leadership->state == ELECTION_LEADER ? UINT64_MAX / 2 : pod->stopped_leading_ns;
    else
        pod->stopped_leading_ns = sim->now_ns;
    if (leadership->state == ELECTION_STEPPING_DOWN)
        pod->step_down_ns = sim->now_ns;
    if (leadership->state == ELECTION_STEPPING_DOWN && before->state == ELECTION_LEADER)
        sim_note_step_down(sim, index);
    sim_check_former(sim, index, before);
    sim_step_grace(sim, index, before);
    if (leadership->term < before->term)
        sim_fail(sim, "pod %u: term fell from %llu to %llu", index,
                 (unsigned long long)before->term, (unsigned long long)leadership->term);
    if (leadership->state == ELECTION_LEADER) {
        uint64_t until = sim_real(pod, leadership->valid_until_ns);

        pod->valid_until_ns = until > 4 * NS_PER_US ? until - 4 * NS_PER_US : 0;
        if (before->state != ELECTION_LEADER)
            pod->led_since_ns = sim->now_ns;
        if (leadership->term != before->term || before->state != ELECTION_LEADER) {
            if (pod->election.is_term_skipped)
                forget_terms(sim, leadership->term);
            if (sim->quorum)
                check_term(sim, leadership->term, leadership->leader);
            check_succession(sim, leadership->term, leadership->leader);
        }
        check_valid(sim, index);
    }
    if (sim->options.trace &&
        (leadership->state != before->state || leadership->term != before->term ||
         leadership->leader != before->leader))
        sim_trace_leadership(sim, index);
}

/* ---- after the faults have ended ---- */

int sim_valid_leader(const struct sim *sim)
{
    for (uint32_t i = 0; i < sim->pod_count; i++) {
        if (sim->pods[i].is_up && sim->pods[i].valid_until_ns > sim->now_ns)
            return (int)i;
    }
    return -1;
}

int sim_agreed_leader(const struct sim *sim)
{
    int leader = sim_valid_leader(sim);

    for (uint32_t i = 0; i < sim->pod_count && leader >= 0; i++) {
        const struct sim_pod *pod = &sim->pods[i];

        /* SUSPECT is allowed: by a fast clock a heartbeat is late although nothing is wrong. */
        if (pod->is_up && (int)i != leader &&
            ((pod->leadership.state != ELECTION_FOLLOWER &&
              pod->leadership.state != ELECTION_SUSPECT) ||
             pod->leadership.leader != sim->pods[leader].config.self.instance))
            return -1;
    }
    return leader;
}

static bool has_name_twice(const struct election_list *list)
{
    for (uint16_t i = 0; i < list->count; i++) {
        for (uint16_t k = 0; k < i; k++) {
            if (strcmp(list->members[i].name.text, list->members[k].name.text) == 0)
                return true;
        }
    }
    return false;
}

/*
 * Pods that moved may have lost a majority for good, as pods with new names do (docs/election.md):
 * where two rows have one name, of which one is a predecessor that no leader has removed yet, and
 * where a first leader counted addresses of before a move among the expected members.
 */
static bool has_lost_majority(const struct sim *sim)
{
    for (uint32_t i = 0; i < sim->pod_count; i++) {
        const struct election_list *list = &sim->pods[i].election.list;

        if (sim->names.moves && (list->floor > sim->pod_count || has_name_twice(list)))
            return true;
    }
    return false;
}

void sim_check_agreement(struct sim *sim)
{
    /* New instances may first have to wait, in turn, until it is known that no other one can
     * lead. */
    unsigned detections = sim->is_limited ? 5 + 3 * sim->pod_count : 3;
    bool is_agreed = sim_agreed_leader(sim) >= 0;
    uint64_t patience_ns = detections * sim_detection(sim) + AGREE_SLACK_NS;

    /* A pod that moved gets its row by two changes, one pod after another. */
    if (sim->names.moves)
        patience_ns += (2 + sim->pod_count) * sim_detection(sim);
    patience_ns += api_patience_ns(sim);
    if (patience_ns > SIM_QUIET_NS * 3 / 4)
        patience_ns = SIM_QUIET_NS * 3 / 4;
    if (sim->agreed_ns || sim->now_ns < sim->heal_ns + patience_ns ||
        (!is_agreed && has_lost_majority(sim)))
        return;
    sim->agreed_ns = sim->now_ns;
    sim->quiet_messages = sim->messages;
    if (!is_agreed)
        sim_fail(sim, "no agreement %u detection times after the last fault", detections);
    if (!is_agreed && sim->options.trace) {
        for (uint32_t i = 0; i < sim->pod_count; i++)
            sim_trace_leadership(sim, i);
    }
}

/* A pod that follows the leader without a row would get no heartbeats, except in reply to probes. */
static void check_rows(struct sim *sim, const struct election *leader)
{
    for (uint32_t i = 0; i < sim->pod_count; i++) {
        const struct election *e = &sim->pods[i].election;

        if (!sim->pods[i].is_up)
            continue;
        if (!has_listed(leader, sim->pods[i].config.self.instance))
            sim_fail(sim, "pod %u has no row in its leader's list", i);
        else if (election_list_id_compare(e->list.id, leader->list.id) == 0 &&
                 e->list.count != leader->list.count)
            sim_fail(sim, "pod %u has changed its copy of the leader's list", i);
    }
}

void sim_check_end(struct sim *sim)
{
    uint64_t per_second, interval = UINT64_MAX;
    int leader = sim_agreed_leader(sim);

    if (sim->failed || !sim->agreed_ns)
        return;
    if (leader < 0) {
        sim_fail(sim, "no agreement at the end of the run");
        return;
    }
    check_rows(sim, &sim->pods[leader].election);
    for (uint32_t i = 0; i < sim->pod_count; i++) {
        const struct sim_pod *pod = &sim->pods[i];
        uint64_t own = pod->config.interval_ns * 1000 / pod->clock_ppm * 1000;

        interval = own < interval ? own : interval;
    }
    /* A heartbeat and an ack for each follower; by a fast clock each is late and causes a probe. */
    per_second = 5 * (sim->pod_count - 1) * NS_PER_SEC / interval + 10;
    if ((sim->messages - sim->quiet_messages) / ((sim->ends_ns - sim->agreed_ns) / NS_PER_SEC) >
        per_second)
        sim_fail(sim, "%llu messages without faults, more than the limit",
                 (unsigned long long)(sim->messages - sim->quiet_messages));
}
