/* faults: the faults, clocks and settings of a run, drawn from its seed. */
#include "api.h"

static uint32_t pick(struct sim *sim)
{
    return (uint32_t)random_below(&sim->random, sim->pod_count);
}

/* Mostly short, sometimes long: 50 ms to about 20 s. */
static uint64_t duration(struct sim *sim)
{
    uint64_t longest = NS_PER_SEC / 5 << random_below(&sim->random, 8);

    return random_between(&sim->random, 50 * NS_PER_MS, longest + 100 * NS_PER_MS);
}

static void end_later(struct sim *sim, enum sim_fault fault, uint32_t pod, uint64_t argument)
{
    sim_at(sim, sim->now_ns + duration(sim), SIM_FAULT_END, pod, fault, argument);
}

/* ---- the network ---- */

static void cut_link(struct sim *sim)
{
    uint32_t from = pick(sim), to = pick(sim);

    if (from == to)
        return;
    sim_trace(sim, "cut %u -> %u", from, to);
    sim_cut(sim, from, to, 1);
    sim_at(sim, sim->now_ns + duration(sim), SIM_FAULT_END, from, FAULT_CUT, to);
    if (random_chance(&sim->random, 500)) {
        sim_cut(sim, to, from, 1);
        sim_at(sim, sim->now_ns + duration(sim), SIM_FAULT_END, to, FAULT_CUT, from);
    }
}

static void split(struct sim *sim, uint64_t sides, int change)
{
    for (uint32_t i = 0; i < sim->pod_count; i++) {
        for (uint32_t k = 0; k < sim->pod_count; k++) {
            if ((sides >> i & 1) != (sides >> k & 1))
                sim_cut(sim, i, k, change);
        }
    }
}

/* directions: bit 0: to the pod, bit 1: from the pod */
static void isolate(struct sim *sim, uint32_t pod, uint64_t directions, int change)
{
    for (uint32_t i = 0; i < sim->pod_count; i++) {
        if (i != pod && directions & 1)
            sim_cut(sim, i, pod, change);
        if (i != pod && directions & 2)
            sim_cut(sim, pod, i, change);
    }
}

static void disturb_network(struct sim *sim, enum sim_fault fault)
{
    uint64_t argument = random_between(&sim->random, 1, (1u << sim->pod_count) - 2);
    uint32_t pod = pick(sim);

    switch (fault) {
    case FAULT_SPLIT:
        sim_trace(sim, "split %llx", (unsigned long long)argument);
        split(sim, argument, 1);
        sim_start_twin(sim);
        break;
    case FAULT_ALONE:
        argument = random_between(&sim->random, 1, 3);
        sim_trace(sim, "%u is isolated (%llu)", pod, (unsigned long long)argument);
        isolate(sim, pod, argument, 1);
        sim_start_twin(sim);
        break;
    case FAULT_LOSS:
        sim->loss_permille = (uint32_t)random_between(&sim->random, 10, 500);
        sim->lossy++;
        sim_trace(sim, "loss %u", sim->loss_permille);
        break;
    case FAULT_DELAY:
        sim->slow_ns = random_between(&sim->random, NS_PER_MS, 300 * NS_PER_MS);
        sim->slow++;
        sim_trace(sim, "delay");
        break;
    default:
        sim->duplicate_permille = (uint32_t)random_between(&sim->random, 10, 500);
        sim->duplicating++;
        break;
    }
    end_later(sim, fault, pod, argument);
}

/* ---- pods ---- */

static void restart_later(struct sim *sim, uint32_t pod, uint64_t after_ns)
{
    bool keeps = !sim->loses_files || !random_chance(&sim->random, 300);

    sim_at(sim, sim->now_ns + after_ns, SIM_START, pod, keeps, 0);
}

static void disturb_pod(struct sim *sim, enum sim_fault fault)
{
    int leader = sim_valid_leader(sim);
    bool at_leader = leader >= 0 && random_chance(&sim->random, 400);
    uint32_t pod = at_leader ? (uint32_t)leader : pick(sim);

    switch (fault) {
    case FAULT_CRASH:
        sim_crash_pod(sim, pod, random_chance(&sim->random, 500));
        restart_later(sim, pod, duration(sim));
        break;
    case FAULT_RESTART_FAST:
        sim_crash_pod(sim, pod, random_chance(&sim->random, 500));
        restart_later(sim, pod, random_between(&sim->random, NS_PER_MS, 400 * NS_PER_MS));
        break;
    case FAULT_STOP:
        sim_stop_pod(sim, pod, random_between(&sim->random, 0, 3 * NS_PER_SEC));
        restart_later(sim, pod, 3 * NS_PER_SEC + duration(sim));
        break;
    case FAULT_PAUSE:
        sim_pause_pod(sim, pod, duration(sim), true);
        break;
    case FAULT_STALL:
        sim_pause_pod(sim, pod, duration(sim), false);
        break;
    default:
        sim_set_app(sim, pod, false);
        sim_at(sim, sim->now_ns + duration(sim), SIM_APP, pod, true, 0);
        break;
    }
}

/* ---- commands, and forged refusals ---- */

static void send_commands(struct sim *sim, enum sim_fault fault)
{
    uint64_t n = fault == FAULT_STORM ? random_between(&sim->random, 5, 50) : 1;
    bool to_all = random_chance(&sim->random, 500);
    uint32_t target = pick(sim);

    for (uint64_t i = 0; i < n; i++) {
        uint64_t at = sim->now_ns + (n > 1 ? random_below(&sim->random, NS_PER_SEC) : 0);

        if (n > 1 && random_chance(&sim->random, 500))
            target = pick(sim);
        for (uint32_t pod = 0; pod < sim->pod_count; pod++) {
            if (to_all || pod == i % sim->pod_count)
                sim_at(sim, at + random_below(&sim->random, NS_PER_MS), SIM_COMMAND, pod, target,
                       i + 1);
        }
    }
}

static void forge_refusal(struct sim *sim)
{
    uint32_t at = pick(sim), of = pick(sim);

    sim_at(sim, sim->now_ns, SIM_REFUSAL, at, sim->pods[of].config.self.instance, 0);
}

/* ---- the next fault ---- */

void sim_fault(struct sim *sim)
{
    uint64_t total = 0, drawn;
    enum sim_fault fault = 0;

    if (sim->now_ns >= sim->heal_ns)
        return;
    for (int i = 0; i < FAULT_COUNT; i++)
        total += sim->weights[i];
    drawn = total ? random_below(&sim->random, total) : 0;
    while (total && drawn >= sim->weights[fault])
        drawn -= sim->weights[fault++];
    sim_at(sim, sim->now_ns + random_between(&sim->random, NS_PER_MS, 2 * sim->fault_every_ns),
           SIM_FAULT, 0, 0, 0);
    switch (total ? fault : FAULT_COUNT) {
    case FAULT_CUT:
        cut_link(sim);
        break;
    case FAULT_SPLIT:
    case FAULT_ALONE:
    case FAULT_LOSS:
    case FAULT_DELAY:
    case FAULT_DUPLICATE:
        disturb_network(sim, fault);
        break;
    case FAULT_COMMAND:
    case FAULT_STORM:
        send_commands(sim, fault);
        break;
    case FAULT_FORGE:
        forge_refusal(sim);
        break;
    case FAULT_COUNT:
        break;
    default:
        disturb_pod(sim, fault);
        break;
    }
}

void sim_fault_end(struct sim *sim, const struct sim_event *event)
{
    if (sim->is_healed)
        return; /* ended with all other faults */
    switch ((enum sim_fault)event->a) {
    case FAULT_CUT:
        sim_cut(sim, event->pod, (uint32_t)event->b, -1);
        break;
    case FAULT_SPLIT:
        split(sim, event->b, -1);
        break;
    case FAULT_ALONE:
        isolate(sim, event->pod, event->b, -1);
        break;
    case FAULT_LOSS:
        sim->lossy--;
        sim->loss_ns = sim->now_ns;
        break;
    case FAULT_DELAY:
        sim->slow--;
        sim->loss_ns = sim->now_ns;
        break;
    default:
        sim->duplicating--;
        break;
    }
}

void sim_heal(struct sim *sim)
{
    sim_trace(sim, "all faults end");
    sim->is_healed = true;
    memset(sim->cuts, 0, sizeof(sim->cuts));
    sim->lossy = sim->slow = sim->duplicating = 0;
    api_heal(sim);
    for (uint32_t i = 0; i < sim->pod_count; i++) {
        struct sim_pod *pod = &sim->pods[i];

        if (pod->is_stalled) {
            pod->resumes_ns = sim->now_ns;
            sim_at(sim, sim->now_ns, SIM_RESUME, i, 0, 0);
        }
        if (pod->is_up && pod->election.is_stopping)
            sim_crash_pod(sim, i, false);
        if (pod->is_up)
            sim_at(sim, sim->now_ns, SIM_APP, i, true, 0);
        sim_start_pod(sim, i, true);
    }
}

/* ---- the settings of a run ---- */

static void set_clocks(struct sim *sim)
{
    bool wide = random_chance(&sim->random, 500);

    for (uint32_t i = 0; i < sim->pod_count; i++) {
        struct sim_pod *pod = &sim->pods[i];

        /* At the widest, one clock is 1.5 times as fast as another. */
        pod->clock_ppm = wide ? random_between(&sim->random, 817000, 1224000)
                              : random_between(&sim->random, 999000, 1001000);
        if (wide && random_chance(&sim->random, 500))
            pod->clock_ppm = random_chance(&sim->random, 500) ? 817000 : 1224000;
        pod->clock_offset_ns = random_between(&sim->random, NS_PER_SEC, 1000 * NS_PER_SEC);
    }
}

static void set_intervals(struct sim *sim)
{
    static const uint64_t intervals_ms[] = {50, 100, 200, 200, 500};
    uint64_t interval = intervals_ms[random_below(&sim->random, 5)] * NS_PER_MS;
    uint32_t misses = (uint32_t)random_between(&sim->random, 3, 5);
    bool staggered = random_chance(&sim->random, 200);
    bool automatic = sim->pod_count == 2 || random_chance(&sim->random, 300);

    for (uint32_t i = 0; i < sim->pod_count; i++) {
        sim->pods[i].config.interval_ns =
            staggered ? interval + random_below(&sim->random, interval) : interval;
        sim->pods[i].config.misses = misses;
        sim->pods[i].config.quorum = automatic ? ELECTION_QUORUM_AUTO : ELECTION_QUORUM_MAJORITY;
    }
    sim->shrinks = automatic;
}

/* In some runs not every pod may lead, and leader_list orders them, not their addresses. */
static void set_roles(struct sim *sim)
{
    struct election_member order[SIM_PODS_MAX];
    bool ordered = random_chance(&sim->random, 300), limited = random_chance(&sim->random, 250);

    for (uint32_t i = 0; i < sim->pod_count; i++) {
        uint32_t other = (uint32_t)random_below(&sim->random, i + 1);

        order[i] = order[other];
        order[other] = sim->pods[i].config.self;
    }
    for (uint32_t i = 0; i < sim->pod_count; i++) {
        struct election_config *config = &sim->pods[i].config;

        if (limited && i > 0)
            config->self.is_eligible = random_chance(&sim->random, 400);
        sim->is_limited |= !config->self.is_eligible;
        if (!ordered)
            continue;
        config->order_count = (uint16_t)(sim->pod_count / 2);
        memcpy(config->order, order, config->order_count * sizeof(order[0]));
    }
}

void sim_faults_init(struct sim *sim)
{
    uint64_t quiet_from = sim->ends_ns > SIM_QUIET_NS ? sim->ends_ns - SIM_QUIET_NS : 0;

    set_clocks(sim);
    set_intervals(sim);
    set_roles(sim);
    sim->quorum = sim->pod_count > 2 || sim->options.api;
    sim->delay_ns = random_between(&sim->random, 50 * NS_PER_US, 2 * NS_PER_MS);
    sim->jitter_ns = random_below(&sim->random, 2 * NS_PER_MS);
    sim->fault_every_ns = random_between(&sim->random, NS_PER_SEC, 10 * NS_PER_SEC);
    for (int i = 0; i < FAULT_COUNT; i++)
        sim->weights[i] =
            random_chance(&sim->random, 500) ? (uint32_t)random_between(&sim->random, 1, 8) : 0;
    sim->loses_files = random_chance(&sim->random, 500);
    sim->forges = random_chance(&sim->random, 60);
    if (!sim->forges)
        sim->weights[FAULT_FORGE] = 0;
    sim->weights[FAULT_STORM] /= 4;
    /* Pods that left a list that shrank may return and form a second cluster: see
     * docs/election.md. */
    if (sim->shrinks && sim->weights[FAULT_STOP] && !sim->options.api)
        sim->quorum = false;
    for (uint32_t i = 0; i < sim->pod_count; i++)
        sim_at(sim, random_below(&sim->random, 2 * NS_PER_SEC), SIM_START, i, true, 0);
    sim->heal_ns = quiet_from;
    sim_at(sim, random_between(&sim->random, 0, 5 * NS_PER_SEC), SIM_FAULT, 0, 0, 0);
    sim_at(sim, quiet_from, SIM_HEAL, 0, 0, 0);
}
