/* world: the pods, their clocks, and the event loop. */
#include <inttypes.h>
#include <stdio.h>

#include "api.h"
#include "ordered.h"
#include "relay.h"

/* ---- clocks ---- */

uint64_t sim_local(const struct sim_pod *pod, uint64_t real_ns)
{
    return pod->clock_offset_ns + real_ns / 1000 * pod->clock_ppm / 1000;
}

/* The first real time at which the pod's clock shows local_ns. */
uint64_t sim_real(const struct sim_pod *pod, uint64_t local_ns)
{
    if (local_ns <= pod->clock_offset_ns)
        return 0;
    if (local_ns == UINT64_MAX)
        return UINT64_MAX;
    return ((local_ns - pod->clock_offset_ns) * 1000 + pod->clock_ppm - 1) / pod->clock_ppm * 1000 +
           1000;
}

uint64_t sim_detection(const struct sim *sim)
{
    uint64_t longest = 0;

    for (uint32_t i = 0; i < sim->pod_count; i++) {
        const struct sim_pod *pod = &sim->pods[i];
        uint64_t own = pod->config.interval_ns * pod->config.misses * 1000 / pod->clock_ppm * 1000;

        longest = own > longest ? own : longest;
    }
    return longest;
}

/* ---- events ---- */

void sim_at(struct sim *sim, uint64_t at_ns, enum sim_event_type type, uint32_t pod, uint64_t a,
            uint64_t b)
{
    const struct sim_event event = {.at_ns = at_ns, .type = type, .pod = pod, .a = a, .b = b};

    sim_queue_push(&sim->queue, &event);
}

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

/* ---- pods ---- */

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

static uint64_t pod_instance(const struct sim *sim, uint32_t index)
{
    return sim->pods[index].config.self.instance;
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
    sim_at(sim, sim->now_ns + drain_ns, SIM_QUIT, index, pod_instance(sim, index), 0);
}

/* Its data plane has stopped. */
static void quit_pod(struct sim *sim, const struct sim_event *event)
{
    const struct election_event quit = {.type = ELECTION_QUIT};

    if (pod_instance(sim, event->pod) != event->a)
        return; /* a later instance runs by now */
    sim->pods[event->pod].step_down_ns = sim->now_ns;
    sim_disturb(sim, event->pod, sim->now_ns);
    sim_step(sim, event->pod, &quit);
}

static void command(struct sim *sim, uint32_t index, const struct election_event *event)
{
    if (!sim->pods[index].is_up || sim->pods[index].is_stalled)
        return;
    sim_trace(sim, "%u gets the command: leader %016" PRIx64 "%s", index, event->instance,
              event->is_nominated ? ", which is told" : "");
    for (uint32_t i = 0; i < sim->pod_count; i++)
        sim->pods[i].step_down_ns = sim->now_ns;
    sim->commands_sent += event->token != 0;
    sim_step(sim, index, event);
}

void sim_command(struct sim *sim, uint32_t index, uint32_t target, uint64_t token)
{
    command(sim, index,
            &(struct election_event){.type = ELECTION_COMMAND,
                                     .instance = sim->pods[target].config.self.instance,
                                     .token = token});
}

/* As the supervisor does with signed ones: NOMINATE is repeated for three seconds, or lost. */
static void command_by_nomination(struct sim *sim, uint32_t index, uint32_t target, uint64_t token)
{
    const struct election_event event = {.type = ELECTION_COMMAND,
                                         .instance = sim->pods[target].config.self.instance,
                                         .token = token,
                                         .is_nominated = true};
    uint64_t late_ns = random_chance(&sim->random, 200) ? 3 * NS_PER_SEC : 10 * NS_PER_MS;

    command(sim, index, &event);
    if (!random_chance(&sim->random, 50))
        sim_at(sim, sim->now_ns + random_below(&sim->random, late_ns), SIM_NOMINATION, target,
               event.instance, 0);
}

static void nominate(struct sim *sim, const struct sim_event *event)
{
    if (pod_instance(sim, event->pod) == event->a)
        command(sim, event->pod,
                &(struct election_event){.type = ELECTION_COMMAND, .instance = event->a});
}

void sim_set_app(struct sim *sim, uint32_t index, bool is_up)
{
    const struct election_event event = {.type = ELECTION_APP, .is_up = is_up};

    if (!sim->pods[index].is_up || sim->pods[index].is_stalled)
        return;
    sim_trace(sim, "%u: app %s", index, is_up ? "up" : "down");
    for (uint32_t i = 0; i < sim->pod_count; i++)
        sim->pods[i].step_down_ns = sim->now_ns;
    sim_step(sim, index, &event);
    relay_set_app(sim, index, is_up);
}

void sim_init(struct sim *sim, const struct sim_options *options, uint32_t pod_count)
{
    memset(sim, 0, offsetof(struct sim, queue));
    sim->queue.count = 0;
    sim->queue.sequence = 0;
    memset(&sim->free_packet, 0, sizeof(*sim) - offsetof(struct sim, free_packet));
    sim->options = *options;
    sim->random.state = options->seed * 0x2545f4914f6cdd1d + 1;
    sim->ends_ns = options->seconds * NS_PER_SEC;
    sim->pod_count = pod_count;
    sim->quorum = true;
    sim->names.twin = SIM_PODS_MAX;
    sim->delay_ns = NS_PER_MS / 2;
    sim->grace_ns = 2 * NS_PER_SEC;
    sim_network_init(sim);
    for (uint32_t i = 0; i < pod_count; i++) {
        struct sim_pod *pod = &sim->pods[i];
        struct election_member *self = &pod->config.self;

        pod->clock_ppm = SIM_CLOCK_PPM;
        pod->clock_offset_ns = NS_PER_SEC * (i + 1);
        pod->config = (struct election_config){.interval_ns = 200 * NS_PER_MS,
                                               .misses = 4,
                                               .expect = (uint16_t)pod_count,
                                               .on_refused_fast = true,
                                               .forget_ns = 60 * NS_PER_SEC,
                                               .tenure_ns = 5 * NS_PER_SEC};
        self->address = (struct address){.family = ADDRESS_V4, .ip = {10, 0, 0, (uint8_t)(i + 1)}};
        (void)snprintf(self->name.text, sizeof(self->name.text), "pod-%u", i);
        self->is_eligible = true;
    }
}

/* ---- the loop ---- */

static void tick(struct sim *sim, uint32_t index)
{
    const struct election_event event = {.type = ELECTION_TICK};
    struct sim_pod *pod = &sim->pods[index];

    if (pod->tick_ns != sim->now_ns)
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

static void resume(struct sim *sim, uint32_t index)
{
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

/* Messages for a paused process wait in its socket. */
static bool must_wait(struct sim *sim, const struct sim_event *event)
{
    const struct sim_pod *pod = &sim->pods[event->pod];

    if (!pod->is_stalled ||
        (event->type != SIM_PACKET && event->type != SIM_REFUSAL && event->type != SIM_CLOSED &&
         event->type != SIM_CONNECT_REFUSED && event->type != SIM_QUIT &&
         event->type != SIM_FRAME && event->type != SIM_RELAY_FRAME &&
         event->type != SIM_RELAY_REPLY && event->type != SIM_API_REPLY &&
         event->type != SIM_API_WATCH && event->type != SIM_API_TIMEOUT))
        return false;
    sim_at(sim, pod->resumes_ns, event->type, event->pod, event->a, event->b);
    return true;
}

static void handle_event(struct sim *sim, const struct sim_event *event)
{
    const struct election_event refusal = {.type = ELECTION_REFUSED, .instance = event->a};

    switch (event->type) {
    case SIM_TICK:
        if (!sim->pods[event->pod].is_stalled)
            tick(sim, event->pod);
        break;
    case SIM_PACKET:
        sim_deliver(sim, event);
        break;
    case SIM_REFUSAL:
        sim_trace(sim, "%u gets port unreachable for instance %llu", event->pod,
                  (unsigned long long)event->a);
        sim_step(sim, event->pod, &refusal);
        relay_refused(sim, event->pod, event->a);
        break;
    case SIM_RESUME:
        resume(sim, event->pod);
        break;
    case SIM_FAULT:
        sim_fault(sim);
        break;
    case SIM_FAULT_END:
        sim_fault_end(sim, event);
        break;
    case SIM_START:
        sim_start_pod(sim, event->pod, event->a);
        break;
    case SIM_QUIT:
        quit_pod(sim, event);
        break;
    case SIM_COMMAND:
        /* A command may take effect up to three seconds after its target has been told. */
        if (sim->now_ns + 7 * NS_PER_SEC >= sim->heal_ns)
            break;
        if (event->a != event->pod && random_chance(&sim->random, 500))
            command_by_nomination(sim, event->pod, (uint32_t)event->a, event->b);
        else
            sim_command(sim, event->pod, (uint32_t)event->a, event->b);
        break;
    case SIM_NOMINATION:
        nominate(sim, event);
        break;
    case SIM_APP:
        sim_set_app(sim, event->pod, event->a);
        break;
    case SIM_SESSIONS:
        sim_change_sessions(sim);
        break;
    case SIM_LOOK_UP:
        sim_look_up(sim);
        break;
    case SIM_HEAL:
        sim_heal(sim);
        break;
    case SIM_HINT:
        sim_hint(sim);
        break;
    case SIM_CLOSED:
        sim_closed(sim, event);
        break;
    case SIM_CONNECT:
        sim_connect(sim, event);
        break;
    case SIM_CONNECT_REFUSED:
        sim_connect_refused(sim, event);
        break;
    case SIM_SLICES:
        sim_slices(sim, event);
        break;
    case SIM_FALSE_TOLD:
        sim_tell_falsely(sim, event);
        break;
    case SIM_FRAME:
        ordered_deliver(sim, event);
        break;
    case SIM_SEQUENCER_TICK:
        if (!sim->pods[event->pod].is_stalled)
            ordered_tick(sim, event->pod);
        break;
    case SIM_CLIENT:
        ordered_client(sim, event);
        break;
    case SIM_RELAY_FRAME:
        relay_deliver(sim, event);
        break;
    case SIM_RELAY_TICK:
        if (!sim->pods[event->pod].is_stalled)
            relay_tick(sim, event->pod);
        break;
    case SIM_RELAY_CLIENT:
        relay_client(sim, event);
        break;
    case SIM_RELAY_REPLY:
        relay_app_replies(sim, event);
        break;
    default:
        api_handle(sim, event);
        break;
    }
}

void sim_run(struct sim *sim, uint64_t until_ns)
{
    struct sim_event event;

    while (!sim->failed && sim_queue_pop(&sim->queue, &event)) {
        if (event.at_ns > until_ns) {
            sim_queue_push(&sim->queue, &event);
            break;
        }
        sim->now_ns = event.at_ns;
        if (must_wait(sim, &event))
            continue;
        handle_event(sim, &event);
        if (sim->is_healed)
            sim_check_agreement(sim);
    }
    if (!sim->failed)
        sim->now_ns = until_ns;
}
