/*
 * scenario: single faults with exact times.
 *
 * Pods with exact clocks, 0.5 ms away from each other, in the default settings
 * (200 ms x 4): what a scenario measures is the same on every machine, to the
 * millisecond.
 */
#include <stdio.h>

#include "sim.h"

#define NEVER_MS 999999

static bool has_leader(const struct sim *sim)
{
    return sim_agreed_leader(sim) >= 0;
}

/* Milliseconds until the condition holds; NEVER_MS: not within limit_ms. */
static unsigned until(struct sim *sim, bool (*holds)(const struct sim *), unsigned limit_ms)
{
    for (unsigned ms = 0; ms <= limit_ms && !sim->failed; ms++) {
        if (holds(sim))
            return ms;
        sim_run(sim, sim->now_ns + NS_PER_MS);
    }
    return NEVER_MS;
}

static void wait_ms(struct sim *sim, unsigned ms)
{
    sim_run(sim, sim->now_ns + ms * NS_PER_MS);
}

static void start(struct sim *sim, uint32_t pods, bool trace)
{
    const struct sim_options options = {.seed = 1, .seconds = 600, .trace = trace};

    sim_init(sim, &options, pods);
    for (uint32_t i = 0; i < pods; i++)
        sim->pods[i].config.quorum = pods > 2 ? ELECTION_QUORUM_MAJORITY : ELECTION_QUORUM_AUTO;
    sim->quorum = pods > 2;
}

static void start_all(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->pod_count; i++)
        sim_start_pod(sim, i, true);
}

/* A cluster with pod 0 leading, whose next heartbeat is due now. */
static void settle(struct sim *sim, uint32_t pods, bool trace)
{
    start(sim, pods, trace);
    start_all(sim);
    wait_ms(sim, 10000);
    if (sim_agreed_leader(sim) != 0)
        sim_fail(sim, "pod 0 was to lead");
    sim_run(sim, sim_real(&sim->pods[0], sim->pods[0].election.heartbeat_ns) + NS_PER_MS);
}

static bool another_is_valid(const struct sim *sim)
{
    return sim_valid_leader(sim) > 0;
}

static bool nobody_is_valid(const struct sim *sim)
{
    return sim_valid_leader(sim) < 0;
}

static bool all_follow_2(const struct sim *sim)
{
    return sim_agreed_leader(sim) == 2;
}

static bool pod_2_has_joined(const struct sim *sim)
{
    return sim->pods[2].view.state == ELECTION_FOLLOWER;
}

/* ---- the scenarios: each returns what it measured, in milliseconds ---- */

static unsigned alone(struct sim *sim, bool trace)
{
    start(sim, 1, trace);
    start_all(sim);
    return until(sim, has_leader, 1000);
}

static unsigned cold_start(struct sim *sim, bool trace)
{
    start(sim, 5, trace);
    start_all(sim);
    return until(sim, has_leader, 5000);
}

static unsigned silent_death(struct sim *sim, bool trace)
{
    settle(sim, 3, trace);
    sim_crash_pod(sim, 0, false);
    return until(sim, another_is_valid, 5000);
}

/* Pod 1's relay is refused 5 ms after; pod 2 knows nothing, until it is asked and probes. */
static unsigned refusal(struct sim *sim, bool trace)
{
    settle(sim, 3, trace);
    sim_crash_pod(sim, 0, true);
    sim_at(sim, sim->now_ns + 5 * NS_PER_MS, SIM_REFUSAL, 1, sim->pods[0].config.self.instance, 0);
    return until(sim, another_is_valid, 5000);
}

static unsigned resign(struct sim *sim, bool trace)
{
    settle(sim, 3, trace);
    sim_stop_pod(sim, 0, NS_PER_SEC);
    return until(sim, another_is_valid, 5000);
}

static unsigned command(struct sim *sim, bool trace)
{
    settle(sim, 3, trace);
    for (uint32_t i = 0; i < 3; i++)
        sim_command(sim, i, 2, i + 1);
    return until(sim, all_follow_2, 5000);
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

/* The leader cannot be reached: the command waits until what was promised to it is over. */
static unsigned command_against_silence(struct sim *sim, bool trace)
{
    settle(sim, 3, trace);
    cut_off(sim, 1);
    sim_command(sim, 1, 2, 1);
    return until(sim, another_is_valid, 5000);
}

static unsigned partition_fences(struct sim *sim, bool trace)
{
    settle(sim, 5, trace);
    cut_off(sim, 2);
    return until(sim, nobody_is_valid, 5000);
}

static unsigned partition_heals(struct sim *sim, bool trace)
{
    settle(sim, 5, trace);
    cut_off(sim, 2);
    wait_ms(sim, 10000);
    if (sim_valid_leader(sim) < 2 || sim->pods[0].view.state != ELECTION_ISOLATED)
        sim_fail(sim, "the greater side was to lead, the other to be isolated");
    memset(sim->cuts, 0, sizeof(sim->cuts));
    return until(sim, has_leader, 5000);
}

static unsigned partition_elects(struct sim *sim, bool trace)
{
    settle(sim, 5, trace);
    cut_off(sim, 2);
    return until(sim, another_is_valid, 5000);
}

static unsigned stalled_supervisor(struct sim *sim, bool trace)
{
    settle(sim, 3, trace);
    sim_pause_pod(sim, 0, 5 * NS_PER_SEC, false);
    return until(sim, nobody_is_valid, 5000);
}

/* What leaves the leader its majority changes neither leader nor term, also not when it is over. */
static unsigned leads_on(struct sim *sim, unsigned ms)
{
    uint64_t term = sim->pods[0].view.term;

    wait_ms(sim, ms);
    if (sim_valid_leader(sim) != 0 || sim->pods[0].view.term != term)
        sim_fail(sim, "pod 0 was to lead on, in its term");
    memset(sim->cuts, 0, sizeof(sim->cuts));
    sim->lossy = 0;
    return until(sim, has_leader, 5000);
}

static unsigned short_pause(struct sim *sim, bool trace)
{
    settle(sim, 5, trace);
    sim_pause_pod(sim, 0, 300 * NS_PER_MS, true);
    return leads_on(sim, 3000);
}

static unsigned long_pause(struct sim *sim, bool trace)
{
    settle(sim, 5, trace);
    sim_pause_pod(sim, 0, 4 * NS_PER_SEC, true);
    wait_ms(sim, 4000);
    if (sim_valid_leader(sim) <= 0)
        sim_fail(sim, "another pod was to lead");
    return until(sim, has_leader, 5000);
}

static unsigned chain(struct sim *sim, bool trace)
{
    settle(sim, 5, trace);
    cut_link(sim, 0, 3);
    cut_link(sim, 0, 4);
    cut_link(sim, 1, 4);
    return leads_on(sim, 10000);
}

static unsigned loss_of_20_percent(struct sim *sim, bool trace)
{
    settle(sim, 5, trace);
    sim->loss_permille = 200;
    sim->lossy = 1;
    return leads_on(sim, 60000);
}

static unsigned join(struct sim *sim, bool trace)
{
    start(sim, 3, trace);
    sim_start_pod(sim, 0, true);
    sim_start_pod(sim, 1, true);
    wait_ms(sim, 10000);
    sim_start_pod(sim, 2, true);
    return until(sim, pod_2_has_joined, 5000);
}

static unsigned survivor_of_two(struct sim *sim, bool trace)
{
    settle(sim, 2, trace);
    sim_crash_pod(sim, 0, false);
    return until(sim, another_is_valid, 5000);
}

static unsigned rolling_restart(struct sim *sim, bool trace)
{
    settle(sim, 5, trace);
    for (uint32_t i = 0; i < 5; i++) {
        sim_stop_pod(sim, i, NS_PER_SEC);
        wait_ms(sim, 3000);
        sim_start_pod(sim, i, false);
        wait_ms(sim, 3000);
        if (!has_leader(sim))
            sim_fail(sim, "no leader after pod %u", i);
    }
    return until(sim, has_leader, 0);
}

static unsigned scale_down_and_up(struct sim *sim, bool trace)
{
    start(sim, 5, trace);
    for (uint32_t i = 0; i < 5; i++)
        sim->pods[i].config.quorum = ELECTION_QUORUM_AUTO;
    start_all(sim);
    wait_ms(sim, 5000);
    for (uint32_t i = 4; i >= 2; i--) {
        sim_stop_pod(sim, i, NS_PER_SEC);
        wait_ms(sim, 3000);
    }
    if (!has_leader(sim) || sim->pods[0].election.list.count != 2)
        sim_fail(sim, "two were to be left, and one of them to lead");
    for (uint32_t i = 2; i < 5; i++)
        sim_start_pod(sim, i, false);
    return until(sim, has_leader, 5000);
}

static unsigned kill_all(struct sim *sim, bool trace)
{
    settle(sim, 5, trace);
    for (uint32_t i = 0; i < 5; i++)
        sim_crash_pod(sim, i, false);
    wait_ms(sim, 2000);
    start_all(sim);
    return until(sim, has_leader, 5000);
}

static unsigned configured_leader(struct sim *sim, bool trace)
{
    start(sim, 3, trace);
    for (uint32_t i = 0; i < 3; i++)
        sim->pods[i].config.leader.name = sim->pods[2].config.self.name;
    sim_start_pod(sim, 0, true);
    sim_start_pod(sim, 1, true);
    wait_ms(sim, 5000);
    if (sim_agreed_leader(sim) != 0)
        sim_fail(sim, "without pod 2, pod 0 was to lead");
    sim_start_pod(sim, 2, true);
    return until(sim, all_follow_2, 5000);
}

static unsigned app_down(struct sim *sim, bool trace)
{
    settle(sim, 3, trace);
    sim_set_app(sim, 1, false);
    wait_ms(sim, 1000);
    sim_set_app(sim, 0, false);
    return until(sim, all_follow_2, 5000);
}

/* Pod 0 hears only what it cannot verify: it must not begin a cluster of its own. */
static unsigned key_mismatch(struct sim *sim, bool trace)
{
    const struct election_event failed = {.type = ELECTION_AUTH_FAILED};

    start(sim, 2, trace);
    sim_start_pod(sim, 0, true);
    for (unsigned i = 0; i < 100; i++) {
        sim_step(sim, 0, &failed);
        wait_ms(sim, 100);
    }
    return sim->pods[0].view.state == ELECTION_KEY ? 0 : NEVER_MS;
}

static unsigned force(struct sim *sim, bool trace)
{
    const struct election_event event = {.type = ELECTION_FORCE};

    settle(sim, 3, trace);
    sim_crash_pod(sim, 1, false);
    sim_crash_pod(sim, 2, false);
    wait_ms(sim, 10000);
    if (sim->pods[0].view.state != ELECTION_ISOLATED)
        sim_fail(sim, "it was to be isolated");
    sim_step(sim, 0, &event);
    return until(sim, has_leader, 5000);
}

/* ---- the table ---- */

static const struct {
    const char *name;
    unsigned (*run)(struct sim *sim, bool trace);
    unsigned expected_ms;
    const char *what;
} scenarios[] = {
    {"alone", alone, 0, "one pod, nobody else expected: leads at once"},
    {"cold-start", cold_start, 803, "five pods at once: agree within 3 s"},
    {"silent-death", silent_death, 803, "the host of the leader is gone: another within 1.3 s"},
    {"refusal", refusal, 8, "the leader is killed, its host lives: another within 100 ms"},
    {"resign", resign, 2, "the leader is stopped: another in a round trip or two"},
    {"command", command, 2, "told to all three pods at once: one change"},
    {"command-against-silence", command_against_silence, 803, "waits for the promises"},
    {"partition-fences", partition_fences, 533, "two of five: the leader's time ends"},
    {"partition-elects", partition_elects, 1002, "three of five: another leads, later than that"},
    {"partition-heals", partition_heals, 3, "all agree again"},
    {"stalled-supervisor", stalled_supervisor, 533, "the data plane stops by itself"},
    {"short-pause", short_pause, 0, "300 ms of the whole process: it leads on"},
    {"long-pause", long_pause, 0, "five detection times: it follows another"},
    {"chain", chain, 200, "nobody hears both ends: the leader at one end leads on"},
    {"loss-of-20-percent", loss_of_20_percent, 0, "for a minute: it leads on"},
    {"join", join, 1, "in the list within 300 ms"},
    {"survivor-of-two", survivor_of_two, 800, "no quorum: leads after the detection time"},
    {"rolling-restart", rolling_restart, 0, "five pods, one after the other"},
    {"scale-5-2-5", scale_down_and_up, 3, "all agree after it"},
    {"kill-all", kill_all, 803, "all five return as new instances"},
    {"configured-leader", configured_leader, 1005, "a bootstrapped leader yields to it"},
    {"app-down", app_down, 202, "over to the first whose app is up"},
    {"key-mismatch", key_mismatch, 0, "never leads"},
    {"force", force, 0, "one of three is left, and is told to lead"},
};

int sim_run_scenarios(struct sim *sim, const char *name, bool trace)
{
    unsigned passed = 0, failed = 0;

    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        unsigned measured;
        bool ok;

        if (name && strcmp(name, scenarios[i].name) != 0)
            continue;
        measured = scenarios[i].run(sim, trace);
        ok = !sim->failed && measured == scenarios[i].expected_ms;
        (void)printf("%s %-24s %6u ms  %s%s%s\n", ok ? "ok  " : "FAIL", scenarios[i].name, measured,
                     scenarios[i].what, sim->failed ? ": " : "", sim->failed ? sim->failure : "");
        if (!ok && !sim->failed)
            (void)printf("     expected %u ms\n", scenarios[i].expected_ms);
        passed += ok;
        failed += !ok;
    }
    (void)printf("%u passed, %u failed\n", passed, failed);
    return passed && !failed ? 0 : 1;
}
