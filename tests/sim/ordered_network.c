/* ordered_network: frames of the sequencers, with loss, delay, duplication and cuts. */
#include "ordered.h"

uint32_t ordered_pod_of(const struct sim *sim, uint64_t instance)
{
    uint32_t pod = 0;

    while (pod < sim->pod_count && sim->pods[pod].config.self.instance != instance)
        pod++;
    return pod;
}

/* In order on each link, as networks mostly are; while they are slow, some come late. */
static uint64_t arrival(struct sim *sim, uint32_t from, uint32_t to)
{
    struct ordered *ordered = sim->options.ordered;
    uint64_t *last = &ordered->arrival_ns[from][to];
    uint64_t at = sim->now_ns + sim->delay_ns + random_below(&ordered->random, sim->jitter_ns + 1);

    if (sim->slow && random_chance(&ordered->random, 100))
        return at + random_below(&ordered->random, sim->slow_ns + 1);
    at = at > *last ? at : *last + 1;
    *last = at;
    return at;
}

static void put_frame(struct sim *sim, uint32_t from, uint32_t to,
                      const struct ordered_frame *frame)
{
    struct ordered *ordered = sim->options.ordered;
    uint32_t index = ordered->free_frame;

    if (index >= ORDERED_FRAMES)
        return; /* an overfull network loses */
    ordered->free_frame = ordered->frames[index].next_free;
    ordered->frames[index] = *frame;
    sim_at(sim, arrival(sim, from, to), SIM_FRAME, to, index, 0);
}

void ordered_send(struct sim *sim, uint32_t from, uint64_t instance, struct ordered_frame *frame)
{
    struct ordered *ordered = sim->options.ordered;
    uint32_t to = ordered_pod_of(sim, instance);

    frame->from = ordered->pods[from].sequencer.self;
    frame->term = ordered->pods[from].sequencer.term;
    if (to == sim->pod_count || sim->cuts[from][to] || sim->now_ns < ordered->pods[to].deaf_ns ||
        (sim->lossy && random_chance(&ordered->random, sim->loss_permille)))
        return;
    put_frame(sim, from, to, frame);
    if (sim->duplicating && random_chance(&ordered->random, sim->duplicate_permille))
        put_frame(sim, from, to, frame);
}
