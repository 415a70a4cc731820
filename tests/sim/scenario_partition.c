/* scenario_partition: partitions, loss and stalls; exact times. */
#include "scenario.h"

static bool nobody_is_valid(const struct sim *sim)
{
    return sim_valid_leader(sim) < 0;
}

static void cut_link(struct sim *sim, uint32_t a, uint32_t b)
{
    sim_cut(sim, a, b, 1);
    sim_cut(sim, b, a, 1);
}

static void cut_off(struct sim *sim, uint32_t pods)
{
    for (uint32_t a = 0; a < pods; a++) {
        for (uint32_t b = pods; b < sim->pod_count; b++)
            cut_link(sim, a, b);
    }
}

/* The leader cannot be reached: the command waits until its lease grants have ended. */
static unsigned run_command_against_silence(struct sim *sim, bool trace)
{
    scenario_start_settled(sim, 3, trace);
    cut_off(sim, 1);
    sim_command(sim, 1, 2, 1);
    return scenario_until(sim, scenario_another_is_valid, 5000);
}

static unsigned run_partition_fences(struct sim *sim, bool trace)
{
    scenario_start_settled(sim, 5, trace);
    cut_off(sim, 2);
    return scenario_until(sim, nobody_is_valid, 5000);
}

static unsigned run_partition_heals(struct sim *sim, bool trace)
{
    scenario_start_settled(sim, 5, trace);
    cut_off(sim, 2);
    scenario_wait_ms(sim, 10000);
    if (sim_valid_leader(sim) < 2 || sim->pods[0].leadership.state != ELECTION_ISOLATED)
        sim_fail(sim, "the larger side has no leader, or the other is not isolated");
    memset(sim->cuts, 0, sizeof(sim->cuts));
    return scenario_until(sim, scenario_has_leader, 5000);
}

static unsigned run_partition_elects(struct sim *sim, bool trace)
{
    scenario_start_settled(sim, 5, trace);
    cut_off(sim, 2);
    return scenario_until(sim, scenario_another_is_valid, 5000);
}

static unsigned run_stalled_supervisor(struct sim *sim, bool trace)
{
    scenario_start_settled(sim, 3, trace);
    sim_pause_pod(sim, 0, 5 * NS_PER_SEC, false);
    return scenario_until(sim, nobody_is_valid, 5000);
}

/* A fault that leaves the leader its majority changes neither leader nor term, also not at its end. */
static unsigned run_unchanged(struct sim *sim, unsigned ms)
{
    uint64_t term = sim->pods[0].leadership.term;

    scenario_wait_ms(sim, ms);
    if (sim_valid_leader(sim) != 0 || sim->pods[0].leadership.term != term)
        sim_fail(sim, "pod 0 was to lead on, in its term");
    memset(sim->cuts, 0, sizeof(sim->cuts));
    sim->lossy = 0;
    return scenario_until(sim, scenario_has_leader, 5000);
}

static unsigned run_short_pause(struct sim *sim, bool trace)
{
    scenario_start_settled(sim, 5, trace);
    sim_pause_pod(sim, 0, 300 * NS_PER_MS, true);
    return run_unchanged(sim, 3000);
}

static unsigned run_long_pause(struct sim *sim, bool trace)
{
    scenario_start_settled(sim, 5, trace);
    sim_pause_pod(sim, 0, 4 * NS_PER_SEC, true);
    scenario_wait_ms(sim, 4000);
    if (sim_valid_leader(sim) <= 0)
        sim_fail(sim, "another pod was to lead");
    return scenario_until(sim, scenario_has_leader, 5000);
}

static unsigned run_chain(struct sim *sim, bool trace)
{
    scenario_start_settled(sim, 5, trace);
    cut_link(sim, 0, 3);
    cut_link(sim, 0, 4);
    cut_link(sim, 1, 4);
    return run_unchanged(sim, 10000);
}

static unsigned run_loss_of_20_percent(struct sim *sim, bool trace)
{
    scenario_start_settled(sim, 5, trace);
    sim->loss_permille = 200;
    sim->lossy = 1;
    return run_unchanged(sim, 60000);
}

const struct scenario scenario_partition[] = {
    {"partition-fences", run_partition_fences, 533,
     "the leader with two of five: its validity ends"},
    {"partition-elects", run_partition_elects, 1002,
     "three of five without the leader: another leads, later"},
    {"partition-heals", run_partition_heals, 3, "the partition ends: all agree"},
    {"command-against-silence", run_command_against_silence, 803,
     "the leader is silent: waits for the lease grants"},
    {"stalled-supervisor", run_stalled_supervisor, 533, "the supervisor stalls: its validity ends"},
    {"short-pause", run_short_pause, 0, "the leader pauses for 300 ms: it leads on"},
    {"long-pause", run_long_pause, 0,
     "the leader pauses for five detection times: it follows another"},
    {"chain", run_chain, 200, "no pod hears both ends of a chain: the leader at one end leads on"},
    {"loss-of-20-percent", run_loss_of_20_percent, 0, "a minute of 20 % loss: the leader leads on"},
    {0},
};
