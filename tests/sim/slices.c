/*
 * slices: what EndpointSlices say of the pods, and how they are wrong.
 *
 * In half of the runs discovery also says which pods end soon, which exist no longer, and which pod has
 * an address. All of it is often wrong, at one pod or at all: living pods are said to end, or are not
 * named at all, as after a deletion by force; dead ones are named; ids change. And the address of a
 * leader is given to another pod while its process goes on: that pod's host refuses what is sent to the
 * leader, once slices have said that the pod is another one.
 *
 * No invariant is relaxed for any of these. But with shared names no living pod is left out: quorum.expect is below the
 * number of pods then, and discovery must name them all (docs/election.md, "Limits").
 */
#include "sim.h"

#define TERMINATING_PERMILLE 300
#define OMITTED_PERMILLE     200
#define OTHER_POD_PERMILLE   100

void sim_slices_init(struct sim *sim)
{
    sim->slices.random = (struct random){.state = sim->options.seed ^ 0x511ce};
    sim->slices.is_used = random_chance(&sim->slices.random, 500);
    for (uint32_t i = 0; i < sim->pod_count; i++)
        sim->slices.ids[i] = ++sim->slices.last_id;
    if (sim->slices.is_used)
        sim_at(sim, NS_PER_SEC, SIM_SLICES, 0, 0, 0);
}

struct sim_slice_list {
    struct address addresses[SIM_PODS_MAX];
    struct election_pod pods[SIM_PODS_MAX];
    struct election_event event;
};

static void add_pod(const struct sim *sim, struct sim_slice_list *list, uint32_t index,
                    bool is_terminating)
{
    size_t at = list->event.candidate_count++;

    list->addresses[at] = sim->pods[index].config.self.address;
    list->pods[at] = (struct election_pod){sim->slices.ids[index], is_terminating};
}

static void slices_begin(struct sim_slice_list *list, bool is_complete)
{
    list->event = (struct election_event){.type = ELECTION_CANDIDATES,
                                          .candidates = list->addresses,
                                          .pods = list->pods,
                                          .is_complete = is_complete};
}

static void tell_pod(struct sim *sim, uint32_t index, const struct sim_slice_list *list)
{
    if (sim->pods[index].is_up && !sim->pods[index].is_stalled)
        sim_step(sim, index, &list->event);
}

/* To one pod, or the same to all. */
static void tell_lies(struct sim *sim)
{
    struct random *random = &sim->slices.random;
    uint32_t only = (uint32_t)random_below(random, 2 * sim->pod_count);
    struct sim_slice_list list;

    slices_begin(&list, random_chance(random, 700));
    for (uint32_t i = 0; i < sim->pod_count; i++) {
        bool is_terminating = random_chance(random, TERMINATING_PERMILLE);

        if (random_chance(random, OTHER_POD_PERMILLE))
            sim->slices.ids[i] = ++sim->slices.last_id;
        if (sim_is_named(sim, i) &&
            !random_chance(random, sim->names.shared ? 0 : OMITTED_PERMILLE))
            add_pod(sim, &list, i, is_terminating);
    }
    sim_trace(sim, "slices name %zu pods, and not always the truth", list.event.candidate_count);
    for (uint32_t i = 0; i < sim->pod_count; i++) {
        if (only >= sim->pod_count || only == i)
            tell_pod(sim, i, &list);
    }
}

static void tell_truth(struct sim *sim)
{
    struct sim_slice_list list;

    slices_begin(&list, true);
    for (uint32_t i = 0; i < sim->pod_count; i++) {
        if (sim_is_named(sim, i))
            add_pod(sim, &list, i, false);
    }
    for (uint32_t i = 0; i < sim->pod_count; i++)
        tell_pod(sim, i, &list);
}

/* Those that follow the leader learn of the new pod, and then are refused by its host. */
static void reuse_address(struct sim *sim)
{
    int leader = sim_valid_leader(sim);
    struct election_event refused = {.type = ELECTION_REFUSED};
    struct sim_slice_list list;

    if (leader < 0)
        return;
    refused.instance = sim->pods[leader].config.self.instance;
    sim->slices.ids[leader] = ++sim->slices.last_id;
    sim_trace(sim, "another pod has the address of %d, which goes on", leader);
    slices_begin(&list, random_chance(&sim->slices.random, 500));
    for (uint32_t i = 0; i < sim->pod_count; i++) {
        if (sim_is_named(sim, i))
            add_pod(sim, &list, i, false);
    }
    for (uint32_t i = 0; i < sim->pod_count; i++) {
        if ((int)i == leader || !sim->pods[i].is_up || sim->pods[i].is_stalled ||
            sim->pods[i].election.leader != refused.instance || !sim->pods[i].election.heard_ns)
            continue;
        tell_pod(sim, i, &list);
        tell_pod(sim, i, &(struct sim_slice_list){.event = refused});
    }
}

/* a: the faults have ended. */
void sim_slices(struct sim *sim, const struct sim_event *event)
{
    struct random *random = &sim->slices.random;

    if (event->a) {
        tell_truth(sim);
        return;
    }
    if (sim->now_ns + NS_PER_SEC >= sim->heal_ns) {
        sim_at(sim, sim->heal_ns + NS_PER_MS, SIM_SLICES, 0, true, 0);
        return;
    }
    if (random_chance(random, 300))
        reuse_address(sim);
    else if (random_chance(random, 300))
        tell_truth(sim);
    else
        tell_lies(sim);
    sim_at(sim, sim->now_ns + random_between(random, NS_PER_MS, 5 * NS_PER_SEC), SIM_SLICES, 0,
           false, 0);
}
