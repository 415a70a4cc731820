/*
 * grace: replies of earlier terms, and the invariant on pushes.
 *
 * Each pod runs the product's reply_grace, and asks the leader snapshot what its data threads do.
 * The app of every pod that has led sends all the time to the sessions of the last term that it led,
 * and the app of a leader to all sessions that it knows. Checked after each step: never do the apps
 * of two pods send to clients at one moment, of which one leads.
 */
#include "sim.h"

#define CLOCK_SLACK_NS (10 * NS_PER_US)

void sim_grace_init(struct sim *sim)
{
    struct random random = {.state = sim->options.seed ^ 0x9e4ce};

    sim->grace_ns = random_between(&random, 20 * NS_PER_MS, 3 * NS_PER_SEC);
}

static struct reply_grace_leader describe_leader(const struct sim_pod *pod,
                                                 const struct election_leadership *leadership)
{
    return (struct reply_grace_leader){
        .has_leader = leadership->leader && leadership->state != ELECTION_JOINING &&
                      leadership->state != ELECTION_UNAUTHENTICATED,
        .is_self = leadership->leader == pod->config.self.instance,
        .is_stepping_down = leadership->state == ELECTION_STEPPING_DOWN,
        .gave_way_term = leadership->stepped_down_term,
        .instance = leadership->leader,
        .term = leadership->term,
        .valid_until_ns = leadership->valid_until_ns};
}

void sim_step_grace(struct sim *sim, uint32_t index, const struct election_leadership *before)
{
    struct sim_pod *pod = &sim->pods[index];
    const struct election_leadership *now = &pod->leadership;
    const struct reply_grace_leader was = describe_leader(pod, before),
                                    is = describe_leader(pod, now);
    const struct election_former none = {0};
    const struct reply_grace_times times = {.now_ns = sim_local(pod, sim->now_ns),
                                            .grace_ns = sim->grace_ns,
                                            .interval_ns = pod->election.interval_ns,
                                            .detection_ns = pod->election.detection_ns};

    reply_grace_step(&pod->grace, &was, &is, is.has_leader ? &now->former : &none, &times);
    if (now->state == ELECTION_LEADER)
        pod->led_term = now->term;
}

/* ---- what its data threads do at this moment ---- */

static const struct leader_snapshot *snapshot_of(const struct sim *sim, const struct sim_pod *pod)
{
    static struct leader_snapshot snapshot;
    const struct reply_grace_leader leader = describe_leader(pod, &pod->leadership);

    snapshot.settings.reply_grace_ns = sim->grace_ns;
    snapshot.leader.term = leader.term;
    snapshot.leader.kind = !leader.has_leader ? LEADER_NONE
                           : leader.is_self   ? LEADER_SELF
                                              : LEADER_MEMBER;
    reply_grace_put(&pod->grace, &snapshot.leader);
    atomic_store_explicit(&snapshot.leader.valid_until_ns,
                          leader.has_leader ? pod->leadership.valid_until_ns : 0,
                          memory_order_relaxed);
    return &snapshot;
}

bool sim_accepts_reply(const struct sim *sim, uint32_t index, uint64_t term)
{
    const struct sim_pod *pod = &sim->pods[index];

    return pod->is_up && leadership_accepts_reply(&snapshot_of(sim, pod)->leader, term,
                                                  sim_local(pod, sim->now_ns));
}

static bool pushes_as_leader(const struct sim *sim, const struct sim_pod *pod)
{
    const struct leader_snapshot *snapshot;
    uint64_t local_ns = sim_local(pod, sim->now_ns);

    if (!pod->is_up || pod->leadership.state != ELECTION_LEADER)
        return false;
    snapshot = snapshot_of(sim, pod);
    return leadership_leads(&snapshot->leader, local_ns) &&
           snapshot_is_settled(snapshot, 0, local_ns);
}

/* Another pod leads the term that this pod led (docs/election.md, limits): the replies of both are of
 * one term, which nothing tells apart. */
static bool is_term_given_again(const struct sim *sim, const struct sim_pod *pod)
{
    return sim_has_lost_terms(sim) && pod->leadership.term == pod->led_term &&
           pod->leadership.leader && pod->leadership.leader != pod->config.self.instance;
}

/* The time of a former leader ends by messages, which are delayed. */
static bool pushes_as_former(const struct sim *sim, const struct sim_pod *pod)
{
    const struct leadership *leader;
    uint64_t local_ns = sim_local(pod, sim->now_ns) + CLOCK_SLACK_NS;

    if (!pod->is_up || !pod->led_term || pod->leadership.state == ELECTION_LEADER ||
        is_term_given_again(sim, pod))
        return false;
    leader = &snapshot_of(sim, pod)->leader;
    if (pod->led_term != leader->previous_term || local_ns >= leader->previous_until_ns)
        local_ns += sim->delay_ns + sim->jitter_ns + sim->slow_ns;
    return leadership_accepts_reply(leader, pod->led_term, local_ns);
}

void sim_check_pushes(struct sim *sim)
{
    int leader = -1;

    if (!sim->quorum || sim->forges)
        return;
    for (uint32_t i = 0; i < sim->pod_count && leader < 0; i++)
        leader = pushes_as_leader(sim, &sim->pods[i]) ? (int)i : -1;
    for (uint32_t i = 0; i < sim->pod_count && leader >= 0; i++) {
        if ((int)i != leader && pushes_as_former(sim, &sim->pods[i]))
            sim_fail(sim,
                     "the apps of pod %u, which led term %llu, and of the leader, pod %d, push", i,
                     (unsigned long long)sim->pods[i].led_term, leader);
    }
}
