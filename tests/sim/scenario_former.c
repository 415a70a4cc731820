/* scenario_former: sessions that stay with a leader that stops; exact times. */
#include "scenario.h"

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
    scenario_start_settled(sim, 3, trace);
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
    return scenario_until(sim, scenario_all_follow_2, 5000);
}

const struct scenario scenario_former[] = {
    {"sessions-stay", run_sessions_stay, 2, "the leader stops with sessions: all ask it first"},
    {"sessions-end", run_sessions_end, 4, "its last session ends: all ask the new leader"},
    {"sessions-expire", run_sessions_expire, 25003, "drain.time is over"},
    {"former-dies", run_former_dies, 803, "the former leader's host vanishes"},
    {"next-leader-dies", run_next_leader_dies, 606, "a third pod leads: the sessions move there"},
    {0},
};
