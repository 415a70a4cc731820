/*
 * hints: what a pod is told about the leader's death without being able to verify it.
 *
 * Connections. In three quarters of the runs each follower has a connection to its leader, mostly.
 * The kernel of a dead process closes it; the message is sometimes lost or late. Then the follower's
 * next connection is refused while the host refuses, and otherwise not answered. Closed connections
 * are also forged, at one pod or at all, true refusals of the next one are not, except in the runs
 * with forged evidence.
 *
 * Members. In two thirds of the runs broken members tell others that the leader's process has ended,
 * now and then, once or in bursts, to one pod or to all. True messages are those of the election
 * itself; the network loses and delays them as it does all others.
 *
 * No invariant is relaxed for any of these.
 */
#include "sim.h"

#define BURST_MAX   30
#define INSTANCE_OF 16 /* an instance modulo this is its pod */

void sim_hints_init(struct sim *sim)
{
    sim->hints.random = (struct random){.state = sim->options.seed ^ 0x41d7};
    sim->hints.is_told = random_chance(&sim->hints.random, 667);
    sim->hints.is_connected = random_chance(&sim->hints.random, 750);
    sim_at(sim, NS_PER_SEC, SIM_HINT, 0, 0, 0);
}

/* ---- connections ---- */

static uint64_t transit(struct sim *sim)
{
    uint64_t jitter = sim->jitter_ns + (sim->slow ? sim->slow_ns : 0);

    return sim->delay_ns + random_below(&sim->hints.random, jitter + 1);
}

void sim_close_connections(struct sim *sim, uint32_t index)
{
    struct random *random = &sim->hints.random;
    uint64_t instance = sim->pods[index].config.self.instance;

    for (uint32_t i = 0; sim->hints.is_connected && i < sim->pod_count; i++) {
        bool is_late = random_chance(random, 50);

        if (i == index || !sim->pods[i].is_up || sim->pods[i].leadership.leader != instance ||
            sim->cuts[index][i] || (!sim->hints.is_exact && random_chance(random, 150)))
            continue;
        sim_at(sim,
               sim->now_ns + transit(sim) +
                   (is_late && !sim->hints.is_exact ? random_below(random, 3 * NS_PER_SEC) : 0),
               SIM_CLOSED, i, instance, 0);
    }
}

/* The pod connects again at once. */
void sim_closed(struct sim *sim, const struct sim_event *event)
{
    const struct election_event closed = {.type = ELECTION_CLOSED, .instance = event->a};

    sim_trace(sim, "%u: its connection to instance %llu is closed", event->pod,
              (unsigned long long)event->a);
    sim_step(sim, event->pod, &closed);
    sim_at(sim, sim->now_ns + transit(sim), SIM_CONNECT, event->pod, event->a, 0);
}

void sim_connect(struct sim *sim, const struct sim_event *event)
{
    uint32_t to = (uint32_t)(event->a % INSTANCE_OF);
    bool is_lost = sim->lossy && random_chance(&sim->hints.random, 2 * sim->loss_permille);

    if (sim->pods[to].is_up || sim->now_ns >= sim->pods[to].host_refuses_until || is_lost ||
        sim->cuts[to][event->pod] || sim->cuts[event->pod][to])
        return;
    sim_at(sim, sim->now_ns + transit(sim), SIM_CONNECT_REFUSED, event->pod, event->a, 0);
}

void sim_connect_refused(struct sim *sim, const struct sim_event *event)
{
    const struct election_event refused = {.type = ELECTION_CONNECT_REFUSED, .instance = event->a};

    sim_trace(sim, "%u: no connection to instance %llu, refused", event->pod,
              (unsigned long long)event->a);
    sim_step(sim, event->pod, &refused);
}

static void forge_closed(struct sim *sim)
{
    struct random *random = &sim->hints.random;
    uint32_t only = (uint32_t)random_below(random, 2 * sim->pod_count);

    for (uint32_t i = 0; i < sim->pod_count; i++) {
        uint64_t instance = sim->pods[i].leadership.leader;

        if (only < sim->pod_count && only != i)
            continue;
        sim_at(sim, sim->now_ns, SIM_CLOSED, i, instance, 0);
        if (sim->forges && random_chance(random, 300))
            sim_at(sim, sim->now_ns + random_below(random, 10 * NS_PER_MS), SIM_CONNECT_REFUSED, i,
                   instance, 0);
    }
}

/* ---- members ---- */

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
    if (sim->hints.is_told && random_chance(random, 500))
        tell_falsely(sim);
    else
        forge_closed(sim);
    sim_at(sim, sim->now_ns + random_between(random, NS_PER_MS, 5 * NS_PER_SEC), SIM_HINT, 0, 0, 0);
}
