/* scenario_lease: single faults with election: lease, lease.duration 15 s, a request in 2 to 8 ms. */
#include <stdlib.h>

#include "api.h"
#include "scenario.h"

static struct sim_api *shared_api;

void scenario_lease_prepare(struct sim *sim, uint32_t pods, bool trace)
{
    shared_api = shared_api ? shared_api : calloc(1, sizeof(*shared_api));
    if (!shared_api)
        abort();
    scenario_prepare(sim, pods, trace);
    sim->options.api = shared_api;
    api_init(sim);
    shared_api->is_touched = true;
}

void scenario_lease_settle(struct sim *sim)
{
    scenario_start_all(sim);
    scenario_wait_ms(sim, 40000);
    if (sim_agreed_leader(sim) != 0)
        sim_fail(sim, "pod 0 does not lead");
    sim_run(sim, sim_real(&sim->pods[0], sim->pods[0].election.heartbeat_ns) + NS_PER_MS);
}

static void start_with_lease(struct sim *sim, uint32_t pods, bool trace)
{
    scenario_lease_prepare(sim, pods, trace);
    scenario_start_all(sim);
}

/* Pod 0 has led for longer than its Lease's duration, and its next heartbeat is due now. */
static void settle(struct sim *sim, uint32_t pods, bool trace)
{
    scenario_lease_prepare(sim, pods, trace);
    scenario_lease_settle(sim);
}

static struct lease *lease_of(struct sim *sim, uint32_t pod)
{
    return &sim->options.api->pods[pod].lease;
}

static void expect_fence(struct sim *sim, enum lease_fence fence)
{
    if (sim->options.api->record.fence != fence)
        sim_fail(sim, "the fence is not as expected");
}

static unsigned run_start(struct sim *sim, bool trace)
{
    start_with_lease(sim, 3, trace);
    return scenario_until(sim, scenario_has_leader, 5000);
}

/* The leader dies, its host lives: the votes of the two others, and one PUT. */
static unsigned run_killed(struct sim *sim, bool trace)
{
    settle(sim, 3, trace);
    expect_fence(sim, LEASE_FENCE_PEERS);
    scenario_kill_refused(sim, 1);
    return scenario_until(sim, scenario_another_is_valid, 5000);
}

static unsigned run_silent(struct sim *sim, bool trace)
{
    settle(sim, 3, trace);
    sim_crash_pod(sim, 0, false);
    return scenario_until(sim, scenario_another_is_valid, 5000);
}

static unsigned run_stopped(struct sim *sim, bool trace)
{
    settle(sim, 3, trace);
    sim_stop_pod(sim, 0, NS_PER_SEC);
    return scenario_until(sim, scenario_another_is_valid, 5000);
}

/* Evidence, and a probe that is not answered for an interval. */
static unsigned run_two_killed(struct sim *sim, bool trace)
{
    settle(sim, 2, trace);
    expect_fence(sim, LEASE_FENCE_LEASE);
    scenario_kill_refused(sim, 1);
    return scenario_until(sim, scenario_another_is_valid, 5000);
}

static unsigned run_two_silent(struct sim *sim, bool trace)
{
    settle(sim, 2, trace);
    sim_crash_pod(sim, 0, false);
    return scenario_until(sim, scenario_another_is_valid, 30000);
}

static unsigned run_two_stopped(struct sim *sim, bool trace)
{
    settle(sim, 2, trace);
    sim_stop_pod(sim, 0, NS_PER_SEC);
    return scenario_until(sim, scenario_another_is_valid, 5000);
}

/* The other pod of two dies: nothing changes. */
static unsigned run_two_survives(struct sim *sim, bool trace)
{
    settle(sim, 2, trace);
    sim_crash_pod(sim, 1, false);
    return scenario_until(sim, scenario_nobody_is_valid, 20000) > 20000 ? 0 : 1;
}

/* Both others die at once: the leader has no majority, and goes on by the Lease alone. */
static unsigned run_alone(struct sim *sim, bool trace)
{
    unsigned ms;

    settle(sim, 3, trace);
    sim_crash_pod(sim, 1, false);
    sim_crash_pod(sim, 2, false);
    ms = scenario_until(sim, scenario_nobody_is_valid, 5000);
    ms = scenario_until(sim, scenario_has_leader, 5000);
    expect_fence(sim, LEASE_FENCE_LEASE);
    sim_start_pod(sim, 1, false);
    sim_start_pod(sim, 2, false);
    scenario_wait_ms(sim, 5000);
    expect_fence(sim, LEASE_FENCE_PEERS);
    return ms;
}

static void cut_off_api(struct sim *sim, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        sim->options.api->pods[i].outages++;
}

/* Only the leader has no API server: it leads for its time, and another one at once after that. */
static unsigned run_api_of_leader(struct sim *sim, bool trace)
{
    settle(sim, 3, trace);
    cut_off_api(sim, 0, 1);
    if (scenario_until(sim, scenario_nobody_is_valid, 20000) < 7000)
        sim_fail(sim, "the leader was to lead for half of the duration at least");
    return scenario_until(sim, scenario_another_is_valid, 5000);
}

/* Nobody has it for a while that is shorter than the leader's time. */
static unsigned run_api_away(struct sim *sim, bool trace)
{
    uint64_t term;

    settle(sim, 3, trace);
    term = sim->pods[0].leadership.term;
    cut_off_api(sim, 0, 3);
    if (scenario_until(sim, scenario_nobody_is_valid, 7000) <= 7000)
        sim_fail(sim, "the leader was to lead on");
    for (uint32_t i = 0; i < 3; i++)
        sim->options.api->pods[i].outages = 0;
    scenario_wait_ms(sim, 20000);
    if (sim->pods[0].leadership.term != term)
        sim_fail(sim, "pod 0 was to lead on, in its term");
    return scenario_until(sim, scenario_has_leader, 5000);
}

/* It stays away: nobody leads, and one does when it is back. */
static unsigned run_api_returns(struct sim *sim, bool trace)
{
    settle(sim, 3, trace);
    cut_off_api(sim, 0, 3);
    scenario_wait_ms(sim, 40000);
    if (!scenario_nobody_is_valid(sim))
        sim_fail(sim, "nobody was to lead");
    for (uint32_t i = 0; i < 3; i++)
        sim->options.api->pods[i].outages = 0;
    return scenario_until(sim, scenario_has_leader, 5000);
}

/* Its right to read and write the Lease is taken away from all, and given back. */
static unsigned run_forbidden(struct sim *sim, bool trace)
{
    settle(sim, 3, trace);
    for (uint32_t i = 0; i < 3; i++)
        sim->options.api->pods[i].is_forbidden = true;
    scenario_wait_ms(sim, 20000);
    if (!scenario_nobody_is_valid(sim))
        sim_fail(sim, "nobody was to lead");
    for (uint32_t i = 0; i < 3; i++)
        sim->options.api->pods[i].is_forbidden = false;
    return scenario_until(sim, scenario_has_leader, 5000);
}

/* kubectl delete lease: the leader writes it again, and leads on. */
static unsigned run_deleted(struct sim *sim, bool trace)
{
    uint64_t term;

    settle(sim, 3, trace);
    term = sim->pods[0].leadership.term;
    sim->options.api->record.exists = false;
    api_changed(sim);
    if (scenario_until(sim, scenario_nobody_is_valid, 20000) <= 20000 ||
        !sim->options.api->record.exists || sim->pods[0].leadership.term != term)
        sim_fail(sim, "pod 0 was to write the Lease again");
    return scenario_until(sim, scenario_has_leader, 1000);
}

/* Somebody names another holder: the leader steps down when it sees that. */
static unsigned run_edited(struct sim *sim, bool trace)
{
    settle(sim, 3, trace);
    memcpy(sim->options.api->record.holder, lease_of(sim, 2)->holder, LEASE_HOLDER_MAX);
    api_changed(sim);
    return scenario_until(sim, scenario_another_is_valid, 5000);
}

static unsigned run_command(struct sim *sim, bool trace)
{
    settle(sim, 3, trace);
    sim_command(sim, 1, 2, 1);
    return scenario_until(sim, scenario_all_follow_2, 5000);
}

/* All pods end at once and return as others: the Lease of the last leader must expire. */
static unsigned run_kill_all(struct sim *sim, bool trace)
{
    settle(sim, 3, trace);
    for (uint32_t i = 0; i < 3; i++)
        sim_crash_pod(sim, i, false);
    scenario_wait_ms(sim, 2000);
    for (uint32_t i = 0; i < 3; i++)
        sim_start_pod(sim, i, false);
    return scenario_until(sim, scenario_has_leader, 60000);
}

/* The last pod leaves in order: the next one need not wait until its Lease expires. */
static unsigned run_returns(struct sim *sim, bool trace)
{
    settle(sim, 2, trace);
    sim_stop_pod(sim, 1, 100 * NS_PER_MS);
    scenario_wait_ms(sim, 5000);
    sim_stop_pod(sim, 0, 100 * NS_PER_MS);
    scenario_wait_ms(sim, 5000);
    if (sim->options.api->record.holder[0])
        sim_fail(sim, "the Lease was to be released");
    sim_start_pod(sim, 1, true);
    return scenario_until(sim, scenario_has_leader, 30000);
}

/* Five pods restart in turn, then three leave in order and come back. */
static unsigned run_rolling(struct sim *sim, bool trace)
{
    settle(sim, 5, trace);
    for (uint32_t i = 0; i < 5; i++) {
        sim_stop_pod(sim, i, NS_PER_SEC);
        scenario_wait_ms(sim, 3000);
        sim_start_pod(sim, i, false);
        scenario_wait_ms(sim, 3000);
        if (!scenario_has_leader(sim))
            sim_fail(sim, "no leader after the restart of pod %u", i);
    }
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

const struct scenario scenario_lease[] = {
    {"lease-start", run_start, 808, "three pods begin with a Lease that nobody had"},
    {"lease-killed", run_killed, 13, "the leader dies, its host lives: votes and one PUT"},
    {"lease-silent", run_silent, 809,
     "the leader's host vanishes: the same after the detection time"},
    {"lease-stopped", run_stopped, 9, "the leader is stopped: votes and one PUT"},
    {"lease-two-killed", run_two_killed, 208,
     "the same of two pods: an interval without a reply, and one PUT"},
    {"lease-two-silent", run_two_silent, 13300, "its host vanishes: after lease.duration"},
    {"lease-two-stopped", run_two_stopped, 4, "it is stopped"},
    {"lease-two-survives", run_two_survives, 0, "the other one dies: the leader leads on"},
    {"lease-alone", run_alone, 805, "both others die: the leader leads by the Lease alone"},
    {"lease-api-of-leader", run_api_of_leader, 8,
     "the leader has no API server: it leads for its time"},
    {"lease-api-away", run_api_away, 0, "nobody has one for 7 s: the leader leads on"},
    {"lease-api-returns", run_api_returns, 208, "nobody has one: nobody leads until it is back"},
    {"lease-forbidden", run_forbidden, 211, "all get 403 for 20 s: nobody leads until then"},
    {"lease-deleted", run_deleted, 0, "the Lease is deleted: the leader leads on"},
    {"lease-edited", run_edited, 20, "somebody edits the holder: another leads"},
    {"lease-command", run_command, 10, "a command"},
    {"lease-kill-all", run_kill_all, 15014,
     "all three restart as new instances: after lease.duration"},
    {"lease-rolling", run_rolling, 3, "five pods in turn, then two, then five: always a leader"},
    {"lease-returns", run_returns, 1202,
     "all left in order: the next one does not wait for its expiry"},
    {0},
};
