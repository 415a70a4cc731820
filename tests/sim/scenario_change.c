/* scenario_change: members that stop and join, commands, and changes of the leader's app; exact times. */
#include "scenario.h"

static bool pod_2_has_joined(const struct sim *sim)
{
    return sim->pods[2].leadership.state == ELECTION_FOLLOWER;
}

static unsigned run_step_down(struct sim *sim, bool trace)
{
    scenario_start_settled(sim, 3, trace);
    sim_stop_pod(sim, 0, NS_PER_SEC);
    return scenario_until(sim, scenario_another_is_valid, 5000);
}

static unsigned run_command(struct sim *sim, bool trace)
{
    scenario_start_settled(sim, 3, trace);
    for (uint32_t i = 0; i < 3; i++)
        sim_command(sim, i, 2, i + 1);
    return scenario_until(sim, scenario_all_follow_2, 5000);
}

static unsigned run_join(struct sim *sim, bool trace)
{
    scenario_prepare(sim, 3, trace);
    sim_start_pod(sim, 0, true);
    sim_start_pod(sim, 1, true);
    scenario_wait_ms(sim, 10000);
    sim_start_pod(sim, 2, true);
    return scenario_until(sim, pod_2_has_joined, 5000);
}

static unsigned run_rolling_restart(struct sim *sim, bool trace)
{
    scenario_start_settled(sim, 5, trace);
    for (uint32_t i = 0; i < 5; i++) {
        sim_stop_pod(sim, i, NS_PER_SEC);
        scenario_wait_ms(sim, 3000);
        sim_start_pod(sim, i, false);
        scenario_wait_ms(sim, 3000);
        if (!scenario_has_leader(sim))
            sim_fail(sim, "no leader after the restart of pod %u", i);
    }
    return scenario_until(sim, scenario_has_leader, 0);
}

static void use_automatic_quorum(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->pod_count; i++)
        sim->pods[i].config.quorum = ELECTION_QUORUM_AUTO;
}

static unsigned run_scale_down_and_up(struct sim *sim, bool trace)
{
    scenario_prepare(sim, 5, trace);
    use_automatic_quorum(sim);
    scenario_start_all(sim);
    scenario_wait_ms(sim, 5000);
    for (uint32_t i = 4; i >= 2; i--) {
        sim_stop_pod(sim, i, NS_PER_SEC);
        scenario_wait_ms(sim, 3000);
    }
    if (!scenario_has_leader(sim) || sim->pods[0].election.list.count != 2)
        sim_fail(sim, "the list is not of two members, or has no leader");
    for (uint32_t i = 2; i < 5; i++)
        sim_start_pod(sim, i, false);
    return scenario_until(sim, scenario_has_leader, 5000);
}

static unsigned run_configured_leader(struct sim *sim, bool trace)
{
    scenario_prepare(sim, 3, trace);
    for (uint32_t i = 0; i < 3; i++)
        sim->pods[i].config.leader.name = sim->pods[2].config.self.name;
    sim_start_pod(sim, 0, true);
    sim_start_pod(sim, 1, true);
    scenario_wait_ms(sim, 5000);
    if (sim_agreed_leader(sim) != 0)
        sim_fail(sim, "pod 0 does not lead without pod 2");
    sim_start_pod(sim, 2, true);
    return scenario_until(sim, scenario_all_follow_2, 5000);
}

static unsigned run_app_down(struct sim *sim, bool trace)
{
    scenario_start_settled(sim, 3, trace);
    sim_set_app(sim, 1, false);
    scenario_wait_ms(sim, 1000);
    sim_set_app(sim, 0, false);
    return scenario_until(sim, scenario_all_follow_2, 5000);
}

/* Pod 0 receives only messages that fail authentication: it must not begin a cluster of its own. */
static unsigned run_key_mismatch(struct sim *sim, bool trace)
{
    const struct election_event failed = {.type = ELECTION_AUTH_FAILED};

    scenario_prepare(sim, 2, trace);
    sim_start_pod(sim, 0, true);
    for (unsigned i = 0; i < 100; i++) {
        sim_step(sim, 0, &failed);
        scenario_wait_ms(sim, 100);
    }
    return sim->pods[0].leadership.state == ELECTION_UNAUTHENTICATED ? 0 : SCENARIO_NEVER_MS;
}

static unsigned run_force(struct sim *sim, bool trace)
{
    const struct election_event event = {.type = ELECTION_FORCE};

    scenario_start_settled(sim, 3, trace);
    sim_crash_pod(sim, 1, false);
    sim_crash_pod(sim, 2, false);
    scenario_wait_ms(sim, 10000);
    if (sim->pods[0].leadership.state != ELECTION_ISOLATED)
        sim_fail(sim, "the leader is not isolated");
    sim_step(sim, 0, &event);
    return scenario_until(sim, scenario_has_leader, 5000);
}

const struct scenario scenario_change[] = {
    {"step-down", run_step_down, 2, "the leader is stopped: another leads after two round trips"},
    {"command", run_command, 2, "a command to all three pods at once: one change"},
    {"join", run_join, 1, "a new pod is in the list within 300 ms"},
    {"rolling-restart", run_rolling_restart, 0, "five pods in turn: always a leader"},
    {"scale-5-2-5", run_scale_down_and_up, 3, "five pods, then two, then five: all agree"},
    {"configured-leader", run_configured_leader, 1005,
     "a bootstrapped leader yields to the configured one"},
    {"app-down", run_app_down, 202, "transfer to the first member whose app is up"},
    {"key-mismatch", run_key_mismatch, 0, "no message can be authenticated: never leads"},
    {"force", run_force, 0, "one of three is left, and is forced to lead"},
    {0},
};
