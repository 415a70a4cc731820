/* scenario_failover: first elections, and what follows the death of a leader; exact times. */
#include "scenario.h"

static unsigned run_alone(struct sim *sim, bool trace)
{
    scenario_prepare(sim, 1, trace);
    scenario_start_all(sim);
    return scenario_until(sim, scenario_has_leader, 1000);
}

static unsigned run_cold_start(struct sim *sim, bool trace)
{
    scenario_prepare(sim, 5, trace);
    scenario_start_all(sim);
    return scenario_until(sim, scenario_has_leader, 5000);
}

static unsigned run_silent_death(struct sim *sim, bool trace)
{
    scenario_start_settled(sim, 3, trace);
    sim_crash_pod(sim, 0, false);
    return scenario_until(sim, scenario_another_is_valid, 5000);
}

/* Pod 1 has evidence after 5 ms; pod 2 has none until the vote request makes it probe. */
static unsigned run_port_unreachable(struct sim *sim, bool trace)
{
    scenario_start_settled(sim, 3, trace);
    sim_crash_pod(sim, 0, true);
    sim_at(sim, sim->now_ns + 5 * NS_PER_MS, SIM_REFUSAL, 1, sim->pods[0].config.self.instance, 0);
    return scenario_until(sim, scenario_another_is_valid, 5000);
}

static unsigned kill_refused_at(struct sim *sim, uint32_t pods, uint32_t at, bool trace)
{
    scenario_start_settled(sim, pods, trace);
    sim->hints.is_idle = true;
    sim_crash_pod(sim, 0, true);
    sim_at(sim, sim->now_ns + 5 * NS_PER_MS, SIM_REFUSAL, at, sim->pods[0].config.self.instance, 0);
    return scenario_until(sim, scenario_another_is_valid, 5000);
}

/* The client uses the last follower only: this one tells the first in the order of succession. */
static unsigned run_refused_last(struct sim *sim, bool trace)
{
    return kill_refused_at(sim, 5, 4, trace);
}

/* No client sends; the kernel closes the connections of the dead process. */
static void kill_idle(struct sim *sim, bool trace)
{
    scenario_start_settled(sim, 5, trace);
    sim->hints.is_idle = sim->hints.is_connected = sim->hints.is_exact = true;
    sim_crash_pod(sim, 0, true);
}

static unsigned run_idle(struct sim *sim, bool trace)
{
    kill_idle(sim, trace);
    return scenario_until(sim, scenario_another_is_valid, 5000);
}

/* A new connection is refused, and probes are not answered. */
static unsigned run_idle_without_icmp(struct sim *sim, bool trace)
{
    kill_idle(sim, trace);
    sim->pods[0].refusals_left = 0;
    sim->pods[0].refusal_second = sim->now_ns / NS_PER_SEC;
    return scenario_until(sim, scenario_another_is_valid, 5000);
}

/* Connections are not allowed, and no ICMP error arrives. */
static unsigned run_idle_without_both(struct sim *sim, bool trace)
{
    scenario_start_settled(sim, 5, trace);
    sim->hints.is_idle = true;
    sim_crash_pod(sim, 0, true);
    sim->pods[0].host_refuses_until = 0;
    return scenario_until(sim, scenario_another_is_valid, 5000);
}

static unsigned run_survivor_of_two(struct sim *sim, bool trace)
{
    scenario_start_settled(sim, 2, trace);
    sim_crash_pod(sim, 0, false);
    return scenario_until(sim, scenario_another_is_valid, 5000);
}

static unsigned run_kill_all(struct sim *sim, bool trace)
{
    scenario_start_settled(sim, 5, trace);
    for (uint32_t i = 0; i < 5; i++)
        sim_crash_pod(sim, i, false);
    scenario_wait_ms(sim, 2000);
    scenario_start_all(sim);
    return scenario_until(sim, scenario_has_leader, 5000);
}

const struct scenario scenario_failover[] = {
    {"alone", run_alone, 0, "one pod, no other expected: leads at once"},
    {"cold-start", run_cold_start, 803, "five pods at once: agree within 3 s"},
    {"silent-death", run_silent_death, 803,
     "the leader's host vanishes: another leads within 1.3 s"},
    {"port-unreachable", run_port_unreachable, 8,
     "the leader dies, its host lives: another leads within 100 ms"},
    {"refused-last", run_refused_last, 9, "the same, and only the last of five has evidence"},
    {"idle", run_idle, 4, "the same without clients: the kernel closes the connections"},
    {"idle-without-icmp", run_idle_without_icmp, 29, "the same, and no ICMP error arrives"},
    {"idle-without-both", run_idle_without_both, 803, "neither: after the detection time"},
    {"survivor-of-two", run_survivor_of_two, 800,
     "one of two is left: leads after the detection time"},
    {"kill-all", run_kill_all, 803, "all five restart as new instances: all agree"},
    {0},
};
