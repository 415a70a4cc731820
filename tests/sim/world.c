/* world: a run begins; the event loop. */
#include <stdio.h>

#include "api.h"
#include "ordered.h"
#include "relay.h"

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

/* ---- events ---- */

void sim_at(struct sim *sim, uint64_t at_ns, enum sim_event_type type, uint32_t pod, uint64_t a,
            uint64_t b)
{
    const struct sim_event event = {.at_ns = at_ns, .type = type, .pod = pod, .a = a, .b = b};

    sim_queue_push(&sim->queue, &event);
}

static void refuse(struct sim *sim, const struct sim_event *event)
{
    const struct election_event refusal = {.type = ELECTION_REFUSED, .instance = event->a};

    sim_trace(sim, "%u gets port unreachable for instance %llu", event->pod,
              (unsigned long long)event->a);
    sim_step(sim, event->pod, &refusal);
    relay_refused(sim, event->pod, event->a);
}

static void draw_fault(struct sim *sim, const struct sim_event *event)
{
    (void)event;
    sim_fault(sim);
}

static void start(struct sim *sim, const struct sim_event *event)
{
    sim_start_pod(sim, event->pod, event->a);
}

static void set_app(struct sim *sim, const struct sim_event *event)
{
    sim_set_app(sim, event->pod, event->a);
}

static void change_sessions(struct sim *sim, const struct sim_event *event)
{
    (void)event;
    sim_change_sessions(sim);
}

static void look_up(struct sim *sim, const struct sim_event *event)
{
    (void)event;
    sim_look_up(sim);
}

static void heal(struct sim *sim, const struct sim_event *event)
{
    (void)event;
    sim_heal(sim);
}

static void draw_hint(struct sim *sim, const struct sim_event *event)
{
    (void)event;
    sim_hint(sim);
}

static void tick_sequencer(struct sim *sim, const struct sim_event *event)
{
    if (!sim->pods[event->pod].is_stalled)
        ordered_tick(sim, event->pod);
}

static void tick_relay(struct sim *sim, const struct sim_event *event)
{
    if (!sim->pods[event->pod].is_stalled)
        relay_tick(sim, event->pod);
}

static const struct {
    void (*handle)(struct sim *sim, const struct sim_event *event);
    bool must_wait; /* until a paused process resumes */
} handlers[SIM_EVENT_COUNT] = {
    [SIM_TICK] = {.handle = sim_tick},
    [SIM_PACKET] = {.handle = sim_deliver, .must_wait = true},
    [SIM_REFUSAL] = {.handle = refuse, .must_wait = true},
    [SIM_RESUME] = {.handle = sim_resume},
    [SIM_FAULT] = {.handle = draw_fault},
    [SIM_FAULT_END] = {.handle = sim_fault_end},
    [SIM_START] = {.handle = start},
    [SIM_QUIT] = {.handle = sim_quit_pod, .must_wait = true},
    [SIM_COMMAND] = {.handle = sim_draw_command},
    [SIM_NOMINATION] = {.handle = sim_nominate},
    [SIM_APP] = {.handle = set_app},
    [SIM_SESSIONS] = {.handle = change_sessions},
    [SIM_LOOK_UP] = {.handle = look_up},
    [SIM_HEAL] = {.handle = heal},
    [SIM_HINT] = {.handle = draw_hint},
    [SIM_FALSE_TOLD] = {.handle = sim_tell_falsely},
    [SIM_SLICES] = {.handle = sim_slices},
    [SIM_CLOSED] = {.handle = sim_closed, .must_wait = true},
    [SIM_CONNECT] = {.handle = sim_connect},
    [SIM_CONNECT_REFUSED] = {.handle = sim_connect_refused, .must_wait = true},
    [SIM_FRAME] = {.handle = ordered_deliver, .must_wait = true},
    [SIM_SEQUENCER_TICK] = {.handle = tick_sequencer},
    [SIM_CLIENT] = {.handle = ordered_client},
    [SIM_RELAY_FRAME] = {.handle = relay_deliver, .must_wait = true},
    [SIM_RELAY_TICK] = {.handle = tick_relay},
    [SIM_RELAY_CLIENT] = {.handle = relay_client},
    [SIM_RELAY_REPLY] = {.handle = relay_app_replies, .must_wait = true},
    [SIM_API_REQUEST] = {.handle = api_serve},
    [SIM_API_REPLY] = {.handle = api_reply, .must_wait = true},
    [SIM_API_WATCH] = {.handle = api_reply, .must_wait = true},
    [SIM_API_TIMEOUT] = {.handle = api_time_out, .must_wait = true},
    [SIM_API_FAULT] = {.handle = api_fault},
    [SIM_API_FAULT_END] = {.handle = api_fault_end},
    [SIM_API_ELECTOR] = {.handle = api_elector},
};

/* Messages for a paused process wait in its socket. */
static bool must_wait(struct sim *sim, const struct sim_event *event)
{
    const struct sim_pod *pod = &sim->pods[event->pod];

    if (!pod->is_stalled || !handlers[event->type].must_wait)
        return false;
    sim_at(sim, pod->resumes_ns, event->type, event->pod, event->a, event->b);
    return true;
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
        handlers[event.type].handle(sim, &event);
        if (sim->is_healed)
            sim_check_agreement(sim);
    }
    if (!sim->failed)
        sim->now_ns = until_ns;
}
