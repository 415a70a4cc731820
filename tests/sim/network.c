/* network: loss, delay, duplication, reordering, cuts, and ICMP port unreachable of dead pods. */
#include "sim.h"

#define REFUSALS_AT_ONCE 6 /* then one a second, as kernels do */

void sim_network_init(struct sim *sim)
{
    for (uint32_t i = 0; i < SIM_PACKETS; i++)
        sim->packets[i].next_free = i + 1;
    sim->free_packet = 0;
}

void sim_release(struct sim *sim, uint32_t packet)
{
    sim->packets[packet].next_free = sim->free_packet;
    sim->free_packet = packet;
}

void sim_cut(struct sim *sim, uint32_t from, uint32_t to, int change)
{
    sim->cuts[from][to] = (uint32_t)((int)sim->cuts[from][to] + change);
    if (sim->disturbed_ns[from][to] < sim->now_ns)
        sim->disturbed_ns[from][to] = sim->now_ns;
}

void sim_disturb(struct sim *sim, uint32_t pod, uint64_t until_ns)
{
    for (uint32_t i = 0; i < sim->pod_count; i++) {
        if (sim->disturbed_ns[pod][i] < until_ns)
            sim->disturbed_ns[pod][i] = until_ns;
        sim->disturbed_ns[i][pod] = sim->disturbed_ns[pod][i];
    }
}

/* A pod's address is 10.MOVES.0.(1 + its number). */
static uint32_t pod_at(const struct sim *sim, const struct address *address)
{
    uint32_t pod = address->ip[3] - 1u;

    return address->family == ADDRESS_V4 && pod < sim->pod_count &&
                   address_equal_ip(address, &sim->pods[pod].config.self.address)
               ? pod
               : SIM_PODS_MAX;
}

static uint64_t transit(struct sim *sim)
{
    uint64_t jitter = sim->jitter_ns + (sim->slow ? sim->slow_ns : 0);

    return sim->delay_ns + random_below(&sim->random, jitter + 1);
}

static void put(struct sim *sim, uint32_t from, uint32_t to, const struct election_action *action,
                uint64_t to_instance)
{
    uint32_t index = sim->free_packet;
    struct sim_packet *packet = &sim->packets[index];

    if (index >= SIM_PACKETS)
        return; /* the network is full: the packet is lost */
    sim->free_packet = packet->next_free;
    packet->from_pod = from;
    packet->from = sim->pods[from].config.self.address;
    packet->to = sim->pods[to].config.self.address;
    packet->message = action->message;
    packet->message.to = to_instance;
    if (action->message.member_count)
        memcpy(packet->members, action->members,
               action->message.member_count * sizeof(packet->members[0]));
    sim_at(sim, sim->now_ns + transit(sim), SIM_PACKET, to, index, 0);
}

static void send_packet(struct sim *sim, uint32_t from, const struct address *address,
                        const struct election_action *action, uint64_t instance)
{
    uint32_t to = pod_at(sim, address);

    sim->messages++;
    if (to == SIM_PODS_MAX || to == from)
        return;
    if (sim->options.trace)
        sim_trace_message(sim, from, "->", to, &action->message);
    if (sim->cuts[from][to] || (sim->lossy && random_chance(&sim->random, sim->loss_permille)))
        return;
    put(sim, from, to, action, instance);
    if (sim->duplicating && random_chance(&sim->random, sim->duplicate_permille))
        put(sim, from, to, action, instance);
}

void sim_send(struct sim *sim, uint32_t from, const struct election_action *action)
{
    const struct election *e = &sim->pods[from].election;

    if (action->type == ELECTION_SEND) {
        send_packet(sim, from, &action->to, action, action->message.to);
        return;
    }
    for (uint16_t i = 0; i < e->list.count; i++) {
        if (e->list.members[i].instance != sim->pods[from].config.self.instance)
            send_packet(sim, from, &e->list.members[i].address, action,
                        e->list.members[i].instance);
    }
}

/* ICMP port unreachable to the sender; the quoted payload names the instance that it is about. */
static void send_refusal(struct sim *sim, uint32_t pod, uint32_t sender, uint64_t instance)
{
    struct sim_pod *dead = &sim->pods[pod];
    uint64_t second = sim->now_ns / NS_PER_SEC;

    if (sim->now_ns >= dead->host_refuses_until || !instance || sim->cuts[pod][sender])
        return;
    if (dead->refusal_second != second && dead->refusals_left == 0) {
        dead->refusal_second = second;
        dead->refusals_left = 1;
    }
    if (dead->refusals_left == 0)
        return;
    dead->refusals_left--;
    sim_at(sim, sim->now_ns + transit(sim), SIM_REFUSAL, sender, instance, 0);
}

void sim_deliver(struct sim *sim, const struct sim_event *event)
{
    uint32_t index = (uint32_t)event->a;
    struct sim_packet *packet = &sim->packets[index];
    struct sim_pod *pod = &sim->pods[event->pod];
    struct election_event message = {
        .type = ELECTION_MESSAGE, .message = &packet->message, .members = packet->members};

    if (!address_equal_ip(&packet->to, &pod->config.self.address)) { /* its host has gone */
        sim_release(sim, index);
        return;
    }
    if (!pod->is_up) {
        send_refusal(sim, event->pod, packet->from_pod, packet->message.to);
        sim_release(sim, index);
        return;
    }
    message.from = packet->from;
    if (sim->options.trace)
        sim_trace_message(sim, event->pod, "<-", packet->from_pod, &packet->message);
    sim_step(sim, event->pod, &message);
    sim_release(sim, index);
}
