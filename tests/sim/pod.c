/* pod: a pod's life: it starts, steps its election, is paused, stops or dies. */
#include "api.h"
#include "ordered.h"
#include "relay.h"

/* ---- the election ---- */

static void schedule_tick(struct sim *sim, uint32_t index)
{
    struct sim_pod *pod = &sim->pods[index];
    uint64_t lease_ns = api_deadline_ns(sim, index), deadline_ns = pod->election.deadline_ns;
    uint64_t at = sim_real(pod, lease_ns < deadline_ns ? lease_ns : deadline_ns);

    if (!pod->is_up || at == UINT64_MAX)
        return;
    at = at > sim->now_ns ? at : sim->now_ns + 1000;
    if (pod->tick_ns && pod->tick_ns <= at)
        return; /* an earlier tick is queued, and schedules the next one */
    pod->tick_ns = at;
    sim_at(sim, at, SIM_TICK, index, 0, 0);
}

static void apply_actions(struct sim *sim, uint32_t index)
{
    struct sim_pod *pod = &sim->pods[index];
    struct election_actions *actions = &sim->actions;

    if (actions->stores)
        pod->stored_term = actions->stored_term;
    if (actions->publishes) {
        struct election_leadership before = pod->leadership;

        pod->leadership = actions->leadership;
        sim_check_leadership(sim, index, &before);
    }
    for (size_t i = 0; i < actions->count; i++) {
        if (actions->list[i].type == ELECTION_RESULT)
            sim->commands_answered += actions->list[i].token != 0;
        else
            sim_send(sim, index, &actions->list[i]);
    }
}

void sim_step_only(struct sim *sim, uint32_t index, const struct election_event *event)
{
    struct sim_pod *pod = &sim->pods[index];

    if (!pod->is_up)
        return;
    sim->steps++;
    election_step(&pod->election, event, sim_local(pod, sim->now_ns), &sim->actions);
    if (pod->election.voted_term > sim->top_voted) {
        sim->top_voted = pod->election.voted_term;
        if (pod->config.self.instance != sim->top_leader)
            sim->raised_ns = sim->now_ns;
    }
    apply_actions(sim, index);
    if (pod->election.counts.forbidden_transitions)
        sim_fail(sim, "pod %u: %s -> %s by %s is not in the table", index,
                 election_state_name(pod->election.forbidden >> 12),
                 election_state_name(pod->election.forbidden >> 8 & 15),
                 election_cause_name(pod->election.forbidden & 255));
    sim_check_former_time(sim);
    sim_check_names(sim, index);
    sim_check_pushes(sim);
    if (pod->election.state == ELECTION_OUT) {
        sim_trace(sim, "%u is out", index);
        pod->is_up = false;
        pod->died_ns = sim->now_ns;
        pod->valid_until_ns = 0;
        return;
    }
    schedule_tick(sim, index);
    ordered_refresh(sim, index);
}

void sim_step(struct sim *sim, uint32_t index, const struct election_event *event)
{
    if (!sim->pods[index].is_up)
        return;
    sim_step_only(sim, index, event);
    api_run(sim, index);
    schedule_tick(sim, index);
}

void sim_tick(struct sim *sim, const struct sim_event *tick)
{
    const struct election_event event = {.type = ELECTION_TICK};
    uint32_t index = tick->pod;
    struct sim_pod *pod = &sim->pods[index];

    if (pod->is_stalled || pod->tick_ns != sim->now_ns)
        return; /* of an earlier instance, or replaced by an earlier tick */
    pod->tick_ns = 0;
    if (!pod->is_up)
        return;
    if (sim_local(pod, sim->now_ns) >= pod->election.deadline_ns)
        sim_step(sim, index, &event);
    else if (sim_local(pod, sim->now_ns) >= api_deadline_ns(sim, index))
        api_run(sim, index);
    schedule_tick(sim, index);
}

/* ---- start and end ---- */

void sim_start_pod(struct sim *sim, uint32_t index, bool keeps_file)
{
    struct sim_pod *pod = &sim->pods[index];
    struct address candidates[SIM_PODS_MAX];
    struct election_event event = {.type = ELECTION_CANDIDATES, .candidates = candidates};

    if (pod->is_up || !sim_may_start(sim, index))
        return;
    sim_move_pod(sim, index);
    for (uint32_t i = 0; i < sim->pod_count; i++) {
        if (sim_is_named(sim, i))
            candidates[event.candidate_count++] = sim->pods[i].config.self.address;
    }
    pod->config.self.instance = ++sim->instances * 16 + index;
    sim->files_lost += !keeps_file;
    pod->config.stored_term = keeps_file ? pod->stored_term : 0;
    pod->stored_term = pod->config.stored_term;
    pod->is_up = true;
    pod->is_stalled = false;
    pod->resumes_ns = pod->tick_ns = pod->host_refuses_until = 0;
    pod->started_ns = sim->now_ns;
    pod->shared_since_ns = 0;
    pod->leadership = (struct election_leadership){0};
    pod->grace = (struct reply_grace){0};
    pod->led_term = 0;
    pod->last = pod->before = (struct election_claim){0};
    pod->valid_until_ns = 0;
    sim_trace(sim, "%u starts, instance %llu", index,
              (unsigned long long)pod->config.self.instance);
    election_init(&pod->election, &pod->config, sim_local(pod, sim->now_ns));
    api_start_pod(sim, index);
    ordered_start(sim, index);
    relay_start(sim, index);
    sim_step(sim, index, &event);
    if (sim->former.stay_ns)
        sim_set_sessions(sim, index, true);
}

/* Data planes send all the time, so they get ICMP port unreachable before the election does. */
static void refuse_traffic(struct sim *sim, uint32_t index)
{
    uint64_t instance = sim->pods[index].config.self.instance;

    for (uint32_t i = 0; !sim->hints.is_idle && i < sim->pod_count; i++) {
        if (i != index && sim->pods[i].is_up && sim->pods[i].leadership.leader == instance &&
            !sim->cuts[i][index] && !sim->cuts[index][i] && random_chance(&sim->random, 600))
            sim_at(sim, sim->now_ns + random_between(&sim->random, NS_PER_MS, 30 * NS_PER_MS),
                   SIM_REFUSAL, i, instance, 0);
    }
}

void sim_crash_pod(struct sim *sim, uint32_t index, bool host_lives)
{
    struct sim_pod *pod = &sim->pods[index];

    if (!pod->is_up || !ordered_may_lose(sim, index))
        return;
    sim_trace(sim, "%u dies%s", index, host_lives ? ", its host is alive" : "");
    pod->is_up = false;
    pod->is_stalled = false;
    pod->valid_until_ns = 0;
    pod->died_ns = sim->now_ns;
    sim_disturb(sim, index, sim->now_ns);
    if (!host_lives)
        return;
    pod->host_refuses_until = sim->now_ns + 100 * NS_PER_MS;
    pod->refusals_left = 6;
    refuse_traffic(sim, index);
    sim_close_connections(sim, index);
}

void sim_pause_pod(struct sim *sim, uint32_t index, uint64_t for_ns, bool whole)
{
    struct sim_pod *pod = &sim->pods[index];

    if (!pod->is_up || pod->is_stalled)
        return;
    if (sim->heal_ns && sim->now_ns + for_ns > sim->heal_ns)
        for_ns = sim->heal_ns > sim->now_ns ? sim->heal_ns - sim->now_ns : 0;
    sim_trace(sim, "%u %s for %.3f s", index, whole ? "is paused" : "has a stalled supervisor",
              (double)for_ns / 1e9);
    pod->is_stalled = true;
    pod->resumes_ns = sim->now_ns + for_ns;
    sim_disturb(sim, index, pod->resumes_ns);
    sim_at(sim, pod->resumes_ns, SIM_RESUME, index, 0, 0);
}

void sim_resume(struct sim *sim, const struct sim_event *event)
{
    uint32_t index = event->pod;
    struct sim_pod *pod = &sim->pods[index];

    if (!pod->is_stalled || pod->resumes_ns != sim->now_ns)
        return;
    sim_trace(sim, "%u resumes", index);
    pod->is_stalled = false;
    pod->tick_ns = 0;
    schedule_tick(sim, index);
    ordered_resume(sim, index);
    relay_resume(sim, index);
}

void sim_stop_pod(struct sim *sim, uint32_t index, uint64_t drain_ns)
{
    const struct election_event event = {.type = ELECTION_STOP};

    if (!sim->pods[index].is_up || sim->pods[index].is_stalled || !ordered_may_lose(sim, index))
        return;
    sim_trace(sim, "%u is asked to stop", index);
    sim->pods[index].step_down_ns = sim->now_ns;
    sim_disturb(sim, index, sim->now_ns);
    sim_step(sim, index, &event);
    sim_at(sim, sim->now_ns + drain_ns, SIM_QUIT, index, sim_instance(sim, index), 0);
}

/* Its data plane has stopped. */
void sim_quit_pod(struct sim *sim, const struct sim_event *event)
{
    const struct election_event quit = {.type = ELECTION_QUIT};

    if (sim_instance(sim, event->pod) != event->a)
        return; /* a later instance runs by now */
    sim->pods[event->pod].step_down_ns = sim->now_ns;
    sim_disturb(sim, event->pod, sim->now_ns);
    sim_step(sim, event->pod, &quit);
}
