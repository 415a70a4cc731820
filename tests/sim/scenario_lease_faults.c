/*
 * scenario_lease_faults: a leader that is alive and that nobody hears, while another pod may take the
 * Lease. Random runs find the faults behind these scenarios rarely (tests/sim/faults).
 */
#include <stdio.h>

#include "api.h"
#include "scenario.h"

static struct lease *lease_of(struct sim *sim, uint32_t pod)
{
    return &sim->options.api->pods[pod].lease;
}

static bool leads_pod_0(const struct sim *sim)
{
    return sim_valid_leader(sim) == 0;
}

static void change_link(struct sim *sim, uint32_t a, uint32_t b, int change)
{
    sim_cut(sim, a, b, change);
    sim_cut(sim, b, a, change);
}

static void cut_peers_of_0(struct sim *sim)
{
    for (uint32_t i = 1; i < sim->pod_count; i++)
        change_link(sim, 0, i, 1);
}

static void settle(struct sim *sim, uint32_t pods, bool trace)
{
    scenario_lease_prepare(sim, pods, trace);
    scenario_lease_settle(sim);
}

/* Its last PUT waits in the API server for some seconds; it sees the record a second later than the
 * other pod. Its clock is slow, the other one's is fast. */
static unsigned run_late_answer(struct sim *sim, bool trace)
{
    struct sim_api *api;
    uint64_t served;

    scenario_lease_prepare(sim, 2, trace);
    api = sim->options.api;
    sim->pods[0].clock_ppm = 817000;
    sim->pods[1].clock_ppm = 1224000;
    scenario_lease_settle(sim);
    api->frozen_ns = sim->now_ns + 6 * NS_PER_SEC;
    while (!sim->failed && lease_of(sim, 0)->verb != LEASE_PUT)
        scenario_wait_ms(sim, 1);
    sim_run(sim, api->frozen_ns - NS_PER_MS);
    api->pods[0].outages++;
    scenario_wait_ms(sim, 1000);
    api->pods[0].outages--;
    served = api->served;
    while (!sim->failed && api->served == served) /* it gets the reply to GET, and sends no more */
        sim_run(sim, sim->now_ns + 100 * NS_PER_US);
    api->pods[0].outages++;
    cut_peers_of_0(sim);
    return scenario_until(sim, scenario_another_is_valid, 30000);
}

/* A pod that has not seen the last renewals names the version that it knows, and there is no Lease. */
static unsigned run_deleted_unseen(struct sim *sim, bool trace)
{
    struct sim_api *api;

    settle(sim, 2, trace);
    api = sim->options.api;
    api->pods[1].watch_broken_ns = UINT64_MAX;
    lease_of(sim, 1)->read_ns = sim_local(&sim->pods[1], sim->now_ns);
    cut_peers_of_0(sim);
    scenario_wait_ms(sim, 12000);
    api->pods[0].outages++;
    api->record.exists = false;
    api_changed(sim);
    return scenario_until(sim, scenario_another_is_valid, 60000);
}

/* fence: peers is in the Lease, and its holder has not got the reply. */
static unsigned run_fence_unseen(struct sim *sim, bool trace)
{
    struct sim_api *api;
    uint64_t sent_ns;

    settle(sim, 3, trace);
    api = sim->options.api;
    sim_crash_pod(sim, 1, false);
    sim_crash_pod(sim, 2, false);
    scenario_wait_ms(sim, 5000);
    if (api->record.fence != LEASE_FENCE_LEASE)
        sim_fail(sim, "pod 0 was to lead alone");
    sent_ns = lease_of(sim, 0)->peers_ns;
    sim_start_pod(sim, 1, false);
    sim_start_pod(sim, 2, false);
    while (!sim->failed && lease_of(sim, 0)->peers_ns == sent_ns)
        sim_run(sim, sim->now_ns + 100 * NS_PER_US);
    api->pods[0].outages++;
    scenario_wait_ms(sim, 30);
    if (api->record.fence != LEASE_FENCE_PEERS)
        sim_fail(sim, "the Lease was to say fence: peers");
    cut_peers_of_0(sim);
    return scenario_until(sim, scenario_another_is_valid, 30000);
}

/* Somebody empties the holder. */
static unsigned run_emptied(struct sim *sim, bool trace)
{
    settle(sim, 2, trace);
    cut_peers_of_0(sim);
    sim->options.api->pods[0].outages++;
    sim->options.api->record.holder[0] = '\0';
    api_changed(sim);
    return scenario_until(sim, scenario_another_is_valid, 30000);
}

/* Somebody shortens the duration. */
static unsigned run_shortened(struct sim *sim, bool trace)
{
    settle(sim, 2, trace);
    cut_peers_of_0(sim);
    sim->options.api->pods[0].outages++;
    sim->options.api->record.duration_ns = NS_PER_SEC;
    api_changed(sim);
    return scenario_until(sim, scenario_another_is_valid, 30000);
}

/*
 * Pod 1 is elected by votes, and steps down in favour of pod 4. Its voters never heard that it led, so
 * when their votes have ended they grant leases to pod 0 again, which has time left by the Lease. So
 * pod 4 must not lead by the Lease alone.
 */
static unsigned run_former_returns(struct sim *sim, bool trace)
{
    struct sim_api *api;

    settle(sim, 5, trace);
    sim->grace_ns = 0;
    api = sim->options.api;
    cut_peers_of_0(sim);
    api->pods[0].outages++;
    while (!sim->failed && lease_holder_instance(api->record.holder) == lease_of(sim, 0)->instance)
        sim_run(sim, sim->now_ns + 100 * NS_PER_US);
    change_link(sim, 1, 2, 1);
    change_link(sim, 1, 3, 1);
    change_link(sim, 4, 2, 1);
    change_link(sim, 4, 3, 1);
    change_link(sim, 0, 2, -1);
    change_link(sim, 0, 3, -1);
    if (scenario_until(sim, leads_pod_0, 3000) > 3000)
        sim_fail(sim, "pod 0 was to lead again");
    sim_stop_pod(sim, 1, 10 * NS_PER_SEC);
    scenario_wait_ms(sim, 1000);
    return api->record.fence == LEASE_FENCE_PEERS &&
                   lease_holder_instance(api->record.holder) == lease_of(sim, 4)->instance
               ? 0
               : 1;
}

const struct scenario scenario_lease_faults[] = {
    {"lease-late-answer", run_late_answer, 10001,
     "a PUT waits in the API server: another leads when the first one's time is over"},
    {"lease-deleted-unseen", run_deleted_unseen, 16311,
     "it is deleted, and a pod names an old version"},
    {"lease-fence-unseen", run_fence_unseen, 775,
     "the leader does not know that it needs its majority again"},
    {"lease-emptied", run_emptied, 15005, "somebody empties the holder: expiry"},
    {"lease-shortened", run_shortened, 15005,
     "somebody shortens the duration: expiry after the former one"},
    {"lease-former-returns", run_former_returns, 0,
     "the leader before the last one has its majority back"},
    {0},
};
