/*
 * names: pods that share a name, and pods that return at another address.
 *
 * In a third of the runs, and in all with --shared-names, several living pods have one name (all of
 * them, or in groups): a constant POD_NAME. In half of these a twin of the first pod starts only while
 * the pods are split: a pod that was replaced while its process goes on behind a partition. In a
 * third, restarted pods often have their name at a new address, as those of
 * a StatefulSet do, and the others learn that address from their messages or, later, from DNS.
 * All invariants hold as with distinct names at fixed addresses.
 */
#include <stdio.h>

#include "sim.h"

#define MOVED_PERMILLE 500

void sim_names_init(struct sim *sim)
{
    struct random random = {.state = sim->options.seed ^ 0x6e616d65};
    uint64_t kind = random_below(&random, 3);
    uint32_t groups = (uint32_t)random_between(&random, 1, sim->pod_count - 1);

    sim->names.shared = sim->options.shares_names || kind == 0;
    sim->names.moves = kind == 1 && !sim->names.shared;
    sim->names.twin = SIM_PODS_MAX;
    if (random_chance(&random, 500))
        groups = 1;
    if (sim->names.shared && sim->pod_count > 3 && random_chance(&random, 500)) {
        groups = sim->pod_count - 1;
        sim->names.twin = groups;
    }
    for (uint32_t i = 0; i < sim->pod_count && sim->names.shared; i++) {
        struct election_name *name = &sim->pods[i].config.self.name;

        (void)snprintf(name->text, sizeof(name->text), "pod-%u", i % groups);
    }
    for (uint32_t i = 0; i < sim->pod_count && sim->names.twin < SIM_PODS_MAX; i++)
        sim->pods[i].config.expect = (uint16_t)groups;
    sim->names.random = random;
}

bool sim_may_start(struct sim *sim, uint32_t index)
{
    bool may = index != sim->names.twin || sim->names.is_twin_due || sim->is_healed;

    if (index == sim->names.twin)
        sim->names.is_twin_due = false;
    return may;
}

void sim_start_twin(struct sim *sim)
{
    if (sim->names.twin == SIM_PODS_MAX)
        return;
    sim->names.is_twin_due = true;
    sim_at(sim, sim->now_ns + random_below(&sim->names.random, 2 * NS_PER_SEC), SIM_START,
           sim->names.twin, true, 0);
}

/* DNS does not name the twin before it has started. */
bool sim_is_named(const struct sim *sim, uint32_t index)
{
    return index != sim->names.twin || sim->pods[index].config.self.instance;
}

/* DNS names all pods to all of them. */
void sim_look_up(struct sim *sim)
{
    struct address candidates[SIM_PODS_MAX];
    struct election_event event = {.type = ELECTION_CANDIDATES, .candidates = candidates};

    sim->names.look_up_ns = 0;
    for (uint32_t i = 0; i < sim->pod_count; i++) {
        if (sim_is_named(sim, i))
            candidates[event.candidate_count++] = sim->pods[i].config.self.address;
    }
    for (uint32_t i = 0; i < sim->pod_count; i++) {
        if (!sim->pods[i].is_stalled)
            sim_step(sim, i, &event);
    }
}

void sim_move_pod(struct sim *sim, uint32_t index)
{
    struct sim_pod *pod = &sim->pods[index];

    if (!sim->names.moves || !sim->instances || !pod->config.self.instance ||
        !random_chance(&sim->names.random, MOVED_PERMILLE))
        return;
    pod->config.self.address.ip[1] = (uint8_t)(pod->config.self.address.ip[1] + 1);
    sim_trace(sim, "%u has address 10.%u.0.%u", index, pod->config.self.address.ip[1],
              pod->config.self.address.ip[3]);
    if (sim->names.look_up_ns)
        return;
    sim->names.look_up_ns = sim->now_ns + random_between(&sim->names.random, 1, NS_PER_SEC / 2);
    sim_at(sim, sim->names.look_up_ns, SIM_LOOK_UP, 0, 0, 0);
}

static bool sim_is_alive(const struct sim *sim, uint64_t instance)
{
    for (uint32_t i = 0; i < sim->pod_count; i++) {
        if (sim->pods[i].is_up && sim->pods[i].config.self.instance == instance)
            return true;
    }
    return false;
}

/* As supervisor_check_names: a pod whose predecessor is dead must not report a shared name. */
void sim_check_names(struct sim *sim, uint32_t index)
{
    struct sim_pod *pod = &sim->pods[index];
    const struct election *e = &pod->election;
    uint32_t count;
    uint16_t other;

    if (!election_find_namesakes(e, &count, &other) || count == 0)
        pod->shared_since_ns = 0;
    else if (!pod->shared_since_ns || pod->shared_term != e->term) {
        pod->shared_since_ns = e->now_ns;
        pod->shared_term = e->term;
    } else if (e->now_ns >= pod->shared_since_ns + 2 * e->detection_ns && sim->names.moves &&
               !sim_is_alive(sim, e->list.members[other].instance))
        sim_fail(sim, "pod %u takes its dead predecessor for another pod with its name", index);
}
