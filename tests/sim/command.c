/* command: leader commands, signed ones among them, and changes of the app. */
#include <inttypes.h>

#include "relay.h"

uint64_t sim_instance(const struct sim *sim, uint32_t index)
{
    return sim->pods[index].config.self.instance;
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

void sim_nominate(struct sim *sim, const struct sim_event *event)
{
    if (sim_instance(sim, event->pod) == event->a)
        command(sim, event->pod,
                &(struct election_event){.type = ELECTION_COMMAND, .instance = event->a});
}

void sim_draw_command(struct sim *sim, const struct sim_event *event)
{
    /* A command may take effect up to three seconds after its target has been told. */
    if (sim->now_ns + 7 * NS_PER_SEC >= sim->heal_ns)
        return;
    if (event->a != event->pod && random_chance(&sim->random, 500))
        command_by_nomination(sim, event->pod, (uint32_t)event->a, event->b);
    else
        sim_command(sim, event->pod, (uint32_t)event->a, event->b);
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
