/*
 * former: sessions that stay with a leader that stepped down, and their invariants.
 *
 * In half of the runs leaders have sessions that may stay (drain.sessions: stay). A pod that
 * publishes a former leader accepts its replies and relays requests to it first; the former leader
 * itself serves. Checked after each step:
 *
 *   - a leader that a pod says stepped down did so, or leads again: the last one that this pod followed
 *   - a former leader stepped down in order, and led the term directly before the present one
 *   - no pod's time for it is longer than stay_ns, is prolonged, or begins again in the same term
 *   - no pod goes on with it for long after it died, or after a further leader was elected
 */
#include "sim.h"

#define CLOCK_SLACK_NS (10 * NS_PER_US)

void sim_former_init(struct sim *sim)
{
    struct random random = {.state = sim->options.seed ^ 0x5e5510e5};

    if (random_chance(&random, 500))
        return;
    sim->former.random = random;
    sim->former.stay_ns = random_between(&random, NS_PER_SEC, 60 * NS_PER_SEC);
    sim_at(sim, NS_PER_SEC, SIM_SESSIONS, 0, 0, 0);
}

void sim_set_sessions(struct sim *sim, uint32_t index, bool has_sessions)
{
    const struct election_event event = {
        .type = ELECTION_SESSIONS, .is_up = has_sessions, .stay_ns = sim->former.stay_ns};

    if (sim->pods[index].is_up && !sim->pods[index].is_stalled)
        sim_step(sim, index, &event);
}

/* Mostly there are some; now and then the last one of a pod ends. */
void sim_change_sessions(struct sim *sim)
{
    struct random *random = &sim->former.random;
    uint32_t pod = (uint32_t)random_below(random, sim->pod_count);

    sim_set_sessions(sim, pod, random_chance(random, 800));
    sim_at(sim, sim->now_ns + random_between(random, 100 * NS_PER_MS, 5 * NS_PER_SEC), SIM_SESSIONS,
           0, 0, 0);
}

void sim_note_step_down(struct sim *sim, uint32_t index)
{
    const struct sim_pod *pod = &sim->pods[index];

    sim->former.steps[sim->former.step_count++ % SIM_STEPS] = (struct sim_step_down){
        .instance = pod->config.self.instance, .term = pod->leadership.term, .at_ns = sim->now_ns};
}

static bool has_stepped_down(const struct sim *sim, uint64_t instance, uint64_t term)
{
    /* All of them: a pod may have been paused for a hundred terms before it reads that one stepped down. */
    for (size_t i = 0; i < SIM_STEPS && i < sim->former.step_count; i++) {
        if (sim->former.steps[i].instance == instance && sim->former.steps[i].term == term)
            return true;
    }
    return false;
}

/* ---- what a pod publishes ---- */

static void check_begin(struct sim *sim, uint32_t index)
{
    struct sim_pod *pod = &sim->pods[index];
    const struct election_former *former = &pod->leadership.former;

    if (!has_stepped_down(sim, former->instance, former->term))
        sim_fail(sim, "pod %u: the former leader of term %llu did not step down", index,
                 (unsigned long long)former->term);
    if (former->term + 1 != pod->leadership.term)
        sim_fail(sim, "pod %u: the former leader of term %llu serves in term %llu", index,
                 (unsigned long long)former->term, (unsigned long long)pod->leadership.term);
    if (pod->former_done_term == pod->leadership.term)
        sim_fail(sim, "pod %u: the former leader of term %llu serves again", index,
                 (unsigned long long)former->term);
    if (former->until_ns > sim_local(pod, sim->now_ns) + sim->former.stay_ns)
        sim_fail(sim, "pod %u: the former leader of term %llu serves for too long", index,
                 (unsigned long long)former->term);
    sim->former.begun++;
}

/* Replies of its term pass, and its requests stay with it. */
static void check_step_down(struct sim *sim, uint32_t index)
{
    struct sim_pod *pod = &sim->pods[index];
    const struct election_leadership *now = &pod->leadership;

    if (now->leader && (now->leader != pod->last.leader || now->term != pod->last.term)) {
        pod->before = pod->last;
        pod->last = (struct election_claim){now->leader, now->term};
    }
    if (!now->leader || !now->stepped_down_term || pod->before.leader == now->leader)
        return;
    if (now->stepped_down_term != pod->before.term ||
        !has_stepped_down(sim, pod->before.leader, pod->before.term))
        sim_fail(sim, "pod %u: the leader of term %llu, which it followed, did not step down",
                 index, (unsigned long long)pod->before.term);
}

void sim_check_former(struct sim *sim, uint32_t index, const struct election_leadership *before)
{
    struct sim_pod *pod = &sim->pods[index];
    const struct election_leadership *now = &pod->leadership;

    if (!sim->quorum || sim->forges)
        return;
    check_step_down(sim, index);
    if (before->former.instance && (before->former.instance != now->former.instance ||
                                    before->former.term != now->former.term))
        pod->former_done_term = before->term;
    if (now->former.instance && (before->former.instance != now->former.instance ||
                                 before->former.term != now->former.term))
        check_begin(sim, index);
    else if (now->former.instance &&
             (now->former.until_ns != before->former.until_ns || now->term != before->term))
        sim_fail(sim, "pod %u: the time of the former leader of term %llu is prolonged", index,
                 (unsigned long long)now->former.term);
}

/* ---- what its data threads do with it at this moment ---- */

/* Not between a list of a later term and that leader's heartbeat, which was sent with it. */
static bool goes_on(const struct sim *sim, const struct sim_pod *pod)
{
    uint64_t local_ns = sim_local(pod, sim->now_ns);

    return pod->is_up && pod->leadership.former.instance &&
           pod->leadership.term >= pod->election.list.id.term &&
           local_ns + CLOCK_SLACK_NS < pod->leadership.former.until_ns &&
           local_ns + CLOCK_SLACK_NS < pod->leadership.valid_until_ns;
}

/* A message that waited in the socket of a paused process counts from when it is read. */
static uint64_t last_resumed(const struct sim *sim)
{
    uint64_t last = 0;

    for (uint32_t i = 0; i < sim->pod_count; i++) {
        if (sim->pods[i].is_stalled)
            return sim->now_ns;
        last = sim->pods[i].resumes_ns > last ? sim->pods[i].resumes_ns : last;
    }
    return last;
}

static uint64_t died_ns(const struct sim *sim, uint64_t instance)
{
    const struct sim_pod *pod = &sim->pods[instance % 16];

    return pod->config.self.instance == instance && pod->is_up ? UINT64_MAX : pod->died_ns;
}

void sim_check_former_time(struct sim *sim)
{
    uint64_t limit_ns = 2 * sim_detection(sim) + 2 * NS_PER_SEC, resumed_ns;

    if (!sim->former.stay_ns || !sim->quorum || sim->forges)
        return;
    resumed_ns = last_resumed(sim);
    for (uint32_t i = 0; i < sim->pod_count; i++) {
        const struct sim_pod *pod = &sim->pods[i];
        uint64_t over_ns;

        if (!goes_on(sim, pod))
            continue;
        over_ns = died_ns(sim, pod->leadership.former.instance);
        if (sim->top_term > pod->leadership.term && sim->former.elected_ns < over_ns)
            over_ns = sim->former.elected_ns;
        if (over_ns == UINT64_MAX)
            continue;
        over_ns = over_ns > resumed_ns ? over_ns : resumed_ns;
        if (sim->now_ns > over_ns + limit_ns)
            sim_fail(sim, "pod %u goes on with the former leader of term %llu", i,
                     (unsigned long long)pod->leadership.former.term);
    }
}
