/*
 * hints: what a pod is told about the leader's death without being able to verify it.
 *
 * In two thirds of the runs broken members tell others that the leader's process has ended, now and
 * then, once or in bursts, to one pod or to all. No invariant is relaxed for that. True messages are
 * those of the election itself; the network loses and delays them as it does all others.
 */
#include "sim.h"

#define BURST_MAX 30

void sim_hints_init(struct sim *sim)
{
    sim->hints.random = (struct random){.state = sim->options.seed ^ 0x41d7};
    if (random_chance(&sim->hints.random, 667))
        sim_at(sim, NS_PER_SEC, SIM_HINT, 0, 0, 0);
}

/* a: the pod that is said to have sent it. */
void sim_tell_falsely(struct sim *sim, const struct sim_event *event)
{
    const struct sim_pod *liar = &sim->pods[event->a];
    const struct sim_pod *pod = &sim->pods[event->pod];
    const struct election_message told = {
        .type = ELECTION_PROBE_REQUEST,
        .flags = ELECTION_FLAG_EVIDENCE,
        .from = liar->config.self.instance,
        .to = pod->config.self.instance,
        .leader = pod->leadership.leader,
        .term = pod->leadership.term,
        .list = pod->election.list.id,
    };
    const struct election_event message = {
        .type = ELECTION_MESSAGE, .message = &told, .from = liar->config.self.address};

    if (pod->is_stalled || event->pod == event->a)
        return;
    sim_trace(sim, "%u tells %u falsely that its leader is dead", (unsigned)event->a, event->pod);
    sim_step(sim, event->pod, &message);
}

static void tell_falsely(struct sim *sim)
{
    struct random *random = &sim->hints.random;
    uint32_t liar = (uint32_t)random_below(random, sim->pod_count);
    uint32_t only = (uint32_t)random_below(random, 2 * sim->pod_count);
    uint64_t n = random_chance(random, 300) ? random_between(random, 2, BURST_MAX) : 1;

    for (uint64_t i = 0; i < n; i++) {
        for (uint32_t pod = 0; pod < sim->pod_count; pod++) {
            if (only >= sim->pod_count || only == pod)
                sim_at(sim, sim->now_ns + random_below(random, n * 10 * NS_PER_MS), SIM_FALSE_TOLD,
                       pod, liar, 0);
        }
    }
}

void sim_hint(struct sim *sim)
{
    struct random *random = &sim->hints.random;

    if (sim->now_ns + NS_PER_SEC >= sim->heal_ns)
        return;
    tell_falsely(sim);
    sim_at(sim, sim->now_ns + random_between(random, NS_PER_MS, 5 * NS_PER_SEC), SIM_HINT, 0, 0, 0);
}
