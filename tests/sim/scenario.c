/*
 * scenario: single faults with exact times.
 *
 * The pods have exact clocks and the default settings (200 ms x 4), and messages take 0.5 ms, so a
 * scenario measures the same number of milliseconds on every machine.
 */
#include <stdio.h>

#include "scenario.h"

#define NEVER_MS 999999

static bool has_leader(const struct sim *sim)
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
    return NEVER_MS;
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

static void start_all(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->pod_count; i++)
        sim_start_pod(sim, i, true);
}

/* A cluster with pod 0 leading, whose next heartbeat is due now. */
static void start_settled(struct sim *sim, uint32_t pods, bool trace)
{
    scenario_prepare(sim, pods, trace);
    start_all(sim);
    scenario_wait_ms(sim, 10000);
    if (sim_agreed_leader(sim) != 0)
        sim_fail(sim, "pod 0 does not lead");
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
    return sim->pods[2].leadership.state == ELECTION_FOLLOWER;
}

/* ---- the scenarios: each returns the milliseconds that it measured ---- */

static unsigned run_alone(struct sim *sim, bool trace)
{
    scenario_prepare(sim, 1, trace);
    start_all(sim);
    return scenario_until(sim, has_leader, 1000);
}

static unsigned run_cold_start(struct sim *sim, bool trace)
{
    scenario_prepare(sim, 5, trace);
    start_all(sim);
    return scenario_until(sim, has_leader, 5000);
}

static unsigned run_silent_death(struct sim *sim, bool trace)
{
    start_settled(sim, 3, trace);
    sim_crash_pod(sim, 0, false);
    return scenario_until(sim, another_is_valid, 5000);
}

/* Pod 1 has evidence after 5 ms; pod 2 has none until the vote request makes it probe. */
static unsigned run_port_unreachable(struct sim *sim, bool trace)
{
    start_settled(sim, 3, trace);
    sim_crash_pod(sim, 0, true);
    sim_at(sim, sim->now_ns + 5 * NS_PER_MS, SIM_REFUSAL, 1, sim->pods[0].config.self.instance, 0);
    return scenario_until(sim, another_is_valid, 5000);
}

static unsigned kill_refused_at(struct sim *sim, uint32_t pods, uint32_t at, bool trace)
{
    start_settled(sim, pods, trace);
    sim->hints.is_idle = true;
    sim_crash_pod(sim, 0, true);
    sim_at(sim, sim->now_ns + 5 * NS_PER_MS, SIM_REFUSAL, at, sim->pods[0].config.self.instance, 0);
    return scenario_until(sim, another_is_valid, 5000);
}

/* The client uses the last follower only: this one tells the first in the order of succession. */
static unsigned run_refused_last(struct sim *sim, bool trace)
{
    return kill_refused_at(sim, 5, 4, trace);
}

/* No client sends; the kernel closes the connections of the dead process. */
static void kill_idle(struct sim *sim, bool trace)
{
    start_settled(sim, 5, trace);
    sim->hints.is_idle = sim->hints.is_connected = sim->hints.is_exact = true;
    sim_crash_pod(sim, 0, true);
}

static unsigned run_idle(struct sim *sim, bool trace)
{
    kill_idle(sim, trace);
    return scenario_until(sim, another_is_valid, 5000);
}

/* A new connection is refused, and probes are not answered. */
static unsigned run_idle_without_icmp(struct sim *sim, bool trace)
{
    kill_idle(sim, trace);
    sim->pods[0].refusals_left = 0;
    sim->pods[0].refusal_second = sim->now_ns / NS_PER_SEC;
    return scenario_until(sim, another_is_valid, 5000);
}

/* Connections are not allowed, and no ICMP error arrives. */
static unsigned run_idle_without_both(struct sim *sim, bool trace)
{
    start_settled(sim, 5, trace);
    sim->hints.is_idle = true;
    sim_crash_pod(sim, 0, true);
    sim->pods[0].host_refuses_until = 0;
    return scenario_until(sim, another_is_valid, 5000);
}

static unsigned run_step_down(struct sim *sim, bool trace)
{
    start_settled(sim, 3, trace);
    sim_stop_pod(sim, 0, NS_PER_SEC);
    return scenario_until(sim, another_is_valid, 5000);
}

static unsigned run_command(struct sim *sim, bool trace)
{
    start_settled(sim, 3, trace);
    for (uint32_t i = 0; i < 3; i++)
        sim_command(sim, i, 2, i + 1);
    return scenario_until(sim, all_follow_2, 5000);
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
    start_settled(sim, 3, trace);
    cut_off(sim, 1);
    sim_command(sim, 1, 2, 1);
    return scenario_until(sim, another_is_valid, 5000);
}

static unsigned run_partition_fences(struct sim *sim, bool trace)
{
    start_settled(sim, 5, trace);
    cut_off(sim, 2);
    return scenario_until(sim, nobody_is_valid, 5000);
}

static unsigned run_partition_heals(struct sim *sim, bool trace)
{
    start_settled(sim, 5, trace);
    cut_off(sim, 2);
    scenario_wait_ms(sim, 10000);
    if (sim_valid_leader(sim) < 2 || sim->pods[0].leadership.state != ELECTION_ISOLATED)
        sim_fail(sim, "the larger side has no leader, or the other is not isolated");
    memset(sim->cuts, 0, sizeof(sim->cuts));
    return scenario_until(sim, has_leader, 5000);
}

static unsigned run_partition_elects(struct sim *sim, bool trace)
{
    start_settled(sim, 5, trace);
    cut_off(sim, 2);
    return scenario_until(sim, another_is_valid, 5000);
}

static unsigned run_stalled_supervisor(struct sim *sim, bool trace)
{
    start_settled(sim, 3, trace);
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
    return scenario_until(sim, has_leader, 5000);
}

static unsigned run_short_pause(struct sim *sim, bool trace)
{
    start_settled(sim, 5, trace);
    sim_pause_pod(sim, 0, 300 * NS_PER_MS, true);
    return run_unchanged(sim, 3000);
}

static unsigned run_long_pause(struct sim *sim, bool trace)
{
    start_settled(sim, 5, trace);
    sim_pause_pod(sim, 0, 4 * NS_PER_SEC, true);
    scenario_wait_ms(sim, 4000);
    if (sim_valid_leader(sim) <= 0)
        sim_fail(sim, "another pod was to lead");
    return scenario_until(sim, has_leader, 5000);
}

static unsigned run_chain(struct sim *sim, bool trace)
{
    start_settled(sim, 5, trace);
    cut_link(sim, 0, 3);
    cut_link(sim, 0, 4);
    cut_link(sim, 1, 4);
    return run_unchanged(sim, 10000);
}

static unsigned run_loss_of_20_percent(struct sim *sim, bool trace)
{
    start_settled(sim, 5, trace);
    sim->loss_permille = 200;
    sim->lossy = 1;
    return run_unchanged(sim, 60000);
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

static unsigned run_survivor_of_two(struct sim *sim, bool trace)
{
    start_settled(sim, 2, trace);
    sim_crash_pod(sim, 0, false);
    return scenario_until(sim, another_is_valid, 5000);
}

static unsigned run_rolling_restart(struct sim *sim, bool trace)
{
    start_settled(sim, 5, trace);
    for (uint32_t i = 0; i < 5; i++) {
        sim_stop_pod(sim, i, NS_PER_SEC);
        scenario_wait_ms(sim, 3000);
        sim_start_pod(sim, i, false);
        scenario_wait_ms(sim, 3000);
        if (!has_leader(sim))
            sim_fail(sim, "no leader after the restart of pod %u", i);
    }
    return scenario_until(sim, has_leader, 0);
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
    start_all(sim);
    scenario_wait_ms(sim, 5000);
    for (uint32_t i = 4; i >= 2; i--) {
        sim_stop_pod(sim, i, NS_PER_SEC);
        scenario_wait_ms(sim, 3000);
    }
    if (!has_leader(sim) || sim->pods[0].election.list.count != 2)
        sim_fail(sim, "the list is not of two members, or has no leader");
    for (uint32_t i = 2; i < 5; i++)
        sim_start_pod(sim, i, false);
    return scenario_until(sim, has_leader, 5000);
}

static unsigned run_kill_all(struct sim *sim, bool trace)
{
    start_settled(sim, 5, trace);
    for (uint32_t i = 0; i < 5; i++)
        sim_crash_pod(sim, i, false);
    scenario_wait_ms(sim, 2000);
    start_all(sim);
    return scenario_until(sim, has_leader, 5000);
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
    return scenario_until(sim, all_follow_2, 5000);
}

static unsigned run_app_down(struct sim *sim, bool trace)
{
    start_settled(sim, 3, trace);
    sim_set_app(sim, 1, false);
    scenario_wait_ms(sim, 1000);
    sim_set_app(sim, 0, false);
    return scenario_until(sim, all_follow_2, 5000);
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
    return sim->pods[0].leadership.state == ELECTION_UNAUTHENTICATED ? 0 : NEVER_MS;
}

static unsigned run_force(struct sim *sim, bool trace)
{
    const struct election_event event = {.type = ELECTION_FORCE};

    start_settled(sim, 3, trace);
    sim_crash_pod(sim, 1, false);
    sim_crash_pod(sim, 2, false);
    scenario_wait_ms(sim, 10000);
    if (sim->pods[0].leadership.state != ELECTION_ISOLATED)
        sim_fail(sim, "the leader is not isolated");
    sim_step(sim, 0, &event);
    return scenario_until(sim, has_leader, 5000);
}

static bool all_ask_0_first(const struct sim *sim)
{
    for (uint32_t i = 0; i < sim->pod_count; i++) {
        const struct election_leadership *leadership = &sim->pods[i].leadership;

        if (leadership->leader == sim->pods[0].config.self.instance ||
            leadership->former.instance != sim->pods[0].config.self.instance)
            return false;
    }
    return true;
}

static bool others_ask_nobody_first(const struct sim *sim)
{
    return !sim->pods[1].leadership.former.instance && !sim->pods[2].leadership.former.instance;
}

/* Its app got the last requests just before its sessions ended: their replies leave, for a while. */
static unsigned end_with_replies(struct sim *sim, unsigned limit_ms)
{
    unsigned ms = scenario_until(sim, others_ask_nobody_first, limit_ms);
    uint64_t term = sim->pods[0].led_term;

    for (uint32_t i = 0; i < 3; i++) {
        if (!sim_accepts_reply(sim, i, term))
            sim_fail(sim, "pod %u drops the former leader's last replies", i);
    }
    scenario_wait_ms(sim, (unsigned)(sim->grace_ns / NS_PER_MS) + 1);
    for (uint32_t i = 0; i < 3; i++) {
        if (sim_accepts_reply(sim, i, term))
            sim_fail(sim, "pod %u passes replies of the former leader for too long", i);
    }
    return ms;
}

static void stop_with_sessions(struct sim *sim, bool trace)
{
    start_settled(sim, 3, trace);
    sim->former.stay_ns = 30 * NS_PER_SEC;
    for (uint32_t i = 0; i < 3; i++)
        sim_set_sessions(sim, i, true);
    sim_stop_pod(sim, 0, 60 * NS_PER_SEC);
}

static unsigned run_sessions_stay(struct sim *sim, bool trace)
{
    stop_with_sessions(sim, trace);
    return scenario_until(sim, all_ask_0_first, 5000);
}

static unsigned run_sessions_end(struct sim *sim, bool trace)
{
    stop_with_sessions(sim, trace);
    scenario_wait_ms(sim, 5000);
    sim_set_sessions(sim, 0, false);
    return end_with_replies(sim, 5000);
}

static unsigned run_sessions_expire(struct sim *sim, bool trace)
{
    stop_with_sessions(sim, trace);
    scenario_wait_ms(sim, 5000);
    if (!all_ask_0_first(sim))
        sim_fail(sim, "the sessions did not stay");
    return end_with_replies(sim, 60000);
}

static unsigned run_former_dies(struct sim *sim, bool trace)
{
    stop_with_sessions(sim, trace);
    scenario_wait_ms(sim, 5000);
    sim_crash_pod(sim, 0, false);
    return scenario_until(sim, others_ask_nobody_first, 5000);
}

static unsigned run_next_leader_dies(struct sim *sim, bool trace)
{
    stop_with_sessions(sim, trace);
    scenario_wait_ms(sim, 5000);
    sim_crash_pod(sim, 1, false);
    return scenario_until(sim, all_follow_2, 5000);
}

/* ---- the table ---- */

static const struct {
    const char *name;
    unsigned (*run)(struct sim *sim, bool trace);
    unsigned expected_ms;
    const char *text;
} scenarios[] = {
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
    {"step-down", run_step_down, 2, "the leader is stopped: another leads after two round trips"},
    {"command", run_command, 2, "a command to all three pods at once: one change"},
    {"command-against-silence", run_command_against_silence, 803,
     "the leader is silent: waits for the lease grants"},
    {"partition-fences", run_partition_fences, 533,
     "the leader with two of five: its validity ends"},
    {"partition-elects", run_partition_elects, 1002,
     "three of five without the leader: another leads, later"},
    {"partition-heals", run_partition_heals, 3, "the partition ends: all agree"},
    {"stalled-supervisor", run_stalled_supervisor, 533, "the supervisor stalls: its validity ends"},
    {"short-pause", run_short_pause, 0, "the leader pauses for 300 ms: it leads on"},
    {"long-pause", run_long_pause, 0,
     "the leader pauses for five detection times: it follows another"},
    {"chain", run_chain, 200, "no pod hears both ends of a chain: the leader at one end leads on"},
    {"loss-of-20-percent", run_loss_of_20_percent, 0, "a minute of 20 % loss: the leader leads on"},
    {"join", run_join, 1, "a new pod is in the list within 300 ms"},
    {"survivor-of-two", run_survivor_of_two, 800,
     "one of two is left: leads after the detection time"},
    {"rolling-restart", run_rolling_restart, 0, "five pods in turn: always a leader"},
    {"scale-5-2-5", run_scale_down_and_up, 3, "five pods, then two, then five: all agree"},
    {"kill-all", run_kill_all, 803, "all five restart as new instances: all agree"},
    {"configured-leader", run_configured_leader, 1005,
     "a bootstrapped leader yields to the configured one"},
    {"app-down", run_app_down, 202, "transfer to the first member whose app is up"},
    {"key-mismatch", run_key_mismatch, 0, "no message can be authenticated: never leads"},
    {"force", run_force, 0, "one of three is left, and is forced to lead"},
    {"sessions-stay", run_sessions_stay, 2, "the leader stops with sessions: all ask it first"},
    {"sessions-end", run_sessions_end, 4, "its last session ends: all ask the new leader"},
    {"sessions-expire", run_sessions_expire, 25003, "drain.time is over"},
    {"former-dies", run_former_dies, 803, "the former leader's host vanishes"},
    {"next-leader-dies", run_next_leader_dies, 606, "a third pod leads: the sessions move there"},
    {"twin-in-partition", scenario_twin_in_partition, 107,
     "a pod's successor on the other side of a partition: one leader"},
    {"twin-changes-sides", scenario_twin_changes_sides, 203,
     "the same, and a voter changes sides: one leader"},
    {"shared-name-joins", scenario_shared_name_joins, 402, "a fourth pod with the name of three"},
    {"shared-name-returns", scenario_shared_name_returns, 1,
     "one of three with one name restarts: it has its row again"},
    {"moved-pod", scenario_moved_pod, 2, "a pod returns at another address: it has its row again"},
    {"moved-at-once", scenario_moved_at_once, 803,
     "the same, before the leader knows that it died"},
    {"two-moved", scenario_two_moved, 807, "two of three return at other addresses: all agree"},
    {"eligible-moved", scenario_eligible_moved, 4006,
     "the only eligible pod returns at another address: it leads"},
    {"lease-start", scenario_lease_start, 807,
     "lease: three pods begin with a Lease that nobody had"},
    {"lease-killed", scenario_lease_killed, 12,
     "lease: the leader dies, its host lives: votes and one PUT"},
    {"lease-silent", scenario_lease_silent, 804,
     "lease: the leader's host vanishes: the same after the detection time"},
    {"lease-stopped", scenario_lease_stopped, 7, "lease: the leader is stopped: votes and one PUT"},
    {"lease-two-killed", scenario_lease_two_killed, 209,
     "lease: the same of two pods: an interval without a reply, and one PUT"},
    {"lease-two-silent", scenario_lease_two_silent, 13305,
     "lease: its host vanishes: after lease.duration"},
    {"lease-two-stopped", scenario_lease_two_stopped, 5, "lease: it is stopped"},
    {"lease-two-survives", scenario_lease_two_survives, 0,
     "lease: the other one dies: the leader leads on"},
    {"lease-alone", scenario_lease_alone, 803,
     "lease: both others die: the leader leads by the Lease alone"},
    {"lease-api-of-leader", scenario_lease_api_of_leader, 4,
     "lease: the leader has no API server: it leads for its time"},
    {"lease-api-away", scenario_lease_api_away, 0,
     "lease: nobody has one for 7 s: the leader leads on"},
    {"lease-api-returns", scenario_lease_api_returns, 158,
     "lease: nobody has one: nobody leads until it is back"},
    {"lease-forbidden", scenario_lease_forbidden, 61,
     "lease: all get 403 for 20 s: nobody leads until then"},
    {"lease-deleted", scenario_lease_deleted, 0,
     "lease: the Lease is deleted: the leader leads on"},
    {"lease-edited", scenario_lease_edited, 17, "lease: somebody edits the holder: another leads"},
    {"lease-command", scenario_lease_command, 11, "lease: a command"},
    {"lease-kill-all", scenario_lease_kill_all, 15009,
     "lease: all three restart as new instances: after lease.duration"},
    {"lease-rolling", scenario_lease_rolling, 3,
     "lease: five pods in turn, then two, then five: always a leader"},
    {"lease-returns", scenario_lease_returns, 1203,
     "lease: all left in order: the next one does not wait for its expiry"},
    {"lease-late-answer", scenario_lease_late_answer, 9996,
     "lease: a PUT waits in the API server: another leads when the first one's time is over"},
    {"lease-deleted-unseen", scenario_lease_deleted_unseen, 16312,
     "lease: it is deleted, and a pod names an old version"},
    {"lease-fence-unseen", scenario_lease_fence_unseen, 777,
     "lease: the leader does not know that it needs its majority again"},
    {"lease-emptied", scenario_lease_emptied, 15005, "lease: somebody empties the holder: expiry"},
    {"lease-shortened", scenario_lease_shortened, 15005,
     "lease: somebody shortens the duration: expiry after the former one"},
    {"lease-former-returns", scenario_lease_former_returns, 0,
     "lease: the leader before the last one has its majority back"},
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
                     scenarios[i].text, sim->failed ? ": " : "", sim->failed ? sim->failure : "");
        if (!ok && !sim->failed)
            (void)printf("     expected %u ms\n", scenarios[i].expected_ms);
        passed += ok;
        failed += !ok;
    }
    (void)printf("%u passed, %u failed\n", passed, failed);
    return passed && !failed ? 0 : 1;
}
