/*
 * scenario: single faults with exact times.
 *
 * The pods have exact clocks and the default settings (200 ms x 4), and messages take 0.5 ms, so a
 * scenario measures the same number of milliseconds on every machine.
 */
#include <stdio.h>

#include "scenario.h"

bool scenario_has_leader(const struct sim *sim)
{
    return sim_agreed_leader(sim) >= 0;
}

unsigned scenario_until(struct sim *sim, bool (*holds)(const struct sim *), unsigned limit_ms)
{
    for (unsigned ms = 0; ms <= limit_ms && !sim->failed; ms++) {
        if (holds(sim))
            return ms;
        sim_run(sim, sim->now_ns + NS_PER_MS);
    }
    return SCENARIO_NEVER_MS;
}

void scenario_wait_ms(struct sim *sim, unsigned ms)
{
    sim_run(sim, sim->now_ns + ms * NS_PER_MS);
}

void scenario_prepare(struct sim *sim, uint32_t pods, bool trace)
{
    const struct sim_options options = {.seed = 1, .seconds = 600, .trace = trace};

    sim_init(sim, &options, pods);
    for (uint32_t i = 0; i < pods; i++)
        sim->pods[i].config.quorum = pods > 2 ? ELECTION_QUORUM_MAJORITY : ELECTION_QUORUM_AUTO;
    sim->quorum = pods > 2;
}

void scenario_start_all(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->pod_count; i++)
        sim_start_pod(sim, i, true);
}

void scenario_start_settled(struct sim *sim, uint32_t pods, bool trace)
{
    scenario_prepare(sim, pods, trace);
    scenario_start_all(sim);
    scenario_wait_ms(sim, 10000);
    if (sim_agreed_leader(sim) != 0)
        sim_fail(sim, "pod 0 does not lead");
    sim_run(sim, sim_real(&sim->pods[0], sim->pods[0].election.heartbeat_ns) + NS_PER_MS);
}

bool scenario_another_is_valid(const struct sim *sim)
{
    return sim_valid_leader(sim) > 0;
}

void scenario_kill_refused(struct sim *sim, uint32_t pod)
{
    sim_crash_pod(sim, 0, true);
    sim_at(sim, sim->now_ns + 5 * NS_PER_MS, SIM_REFUSAL, pod, sim->pods[0].config.self.instance,
           0);
}

bool scenario_nobody_is_valid(const struct sim *sim)
{
    return sim_valid_leader(sim) < 0;
}

bool scenario_all_follow_2(const struct sim *sim)
{
    return sim_agreed_leader(sim) == 2;
}

static bool run_scenario(struct sim *sim, const struct scenario *scenario, bool trace)
{
    unsigned measured = scenario->run(sim, trace);
    bool ok = !sim->failed && measured == scenario->expected_ms;

    (void)printf("%s %-24s %6u ms  %s%s%s\n", ok ? "ok  " : "FAIL", scenario->name, measured,
                 scenario->text, sim->failed ? ": " : "", sim->failed ? sim->failure : "");
    if (!ok && !sim->failed)
        (void)printf("     expected %u ms\n", scenario->expected_ms);
    return ok;
}

static const struct scenario *const tables[] = {
    scenario_failover, scenario_partition, scenario_change,       scenario_former,
    scenario_names,    scenario_lease,     scenario_lease_faults, scenario_lease_touched};

int sim_run_scenarios(struct sim *sim, const char *name, bool trace)
{
    unsigned passed = 0, failed = 0;

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        for (const struct scenario *scenario = tables[i]; scenario->name; scenario++) {
            if (name && strcmp(name, scenario->name) != 0)
                continue;
            if (run_scenario(sim, scenario, trace))
                passed++;
            else
                failed++;
        }
    }
    (void)printf("%u passed, %u failed\n", passed, failed);
    return passed && !failed ? 0 : 1;
}
