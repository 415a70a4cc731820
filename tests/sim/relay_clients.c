/* relay_clients: the clients of the simulated pods, and the replies of their apps. */
#include "relay.h"

#define CLIENTS_END_NS (10 * NS_PER_SEC) /* before the end: until then all must be delivered */

static struct relay_pod *pod_of(struct sim *sim, uint32_t index)
{
    return &sim->options.relay->pods[index];
}

static void send_reply(struct sim *sim, uint32_t index, const struct relay_app_reply *reply)
{
    const struct relay_record record = {
        .id = reply->id, .ingress = (uint8_t)reply->ingress, .hops = 1};

    if (!relay_accepts(sim, index, reply->term))
        return; /* fenced */
    if (reply->ingress == index)
        relay_note_reply(sim, index, reply->id, 0);
    else if (sim->pods[reply->ingress].config.self.instance)
        relay_pack_record(sim, index, reply->ingress, FRAME_REPLY, reply->term, &record);
}

void relay_read_app(struct sim *sim, uint32_t index)
{
    struct relay_pod *pod = pod_of(sim, index);

    while (pod->withheld_left < pod->withheld_put && !relay_withholds(sim, index))
        send_reply(sim, index, &pod->withheld[pod->withheld_left++ % RELAY_WITHHELD]);
}

/* a: ingress and request; b: instance and term of the delivery. */
void relay_app_replies(struct sim *sim, const struct sim_event *event)
{
    const struct relay_app_reply reply = {.id = (uint32_t)event->a,
                                          .ingress = (uint32_t)(event->a >> 32),
                                          .term = event->b & UINT32_MAX};
    uint32_t index = event->pod;
    struct relay_pod *pod = pod_of(sim, index);

    if (!sim->pods[index].is_up || sim->pods[index].config.self.instance != event->b >> 32)
        return; /* it died with its process */
    relay_begin_slice(sim, index);
    relay_follow(sim, index);
    if (pod->withheld_put - pod->withheld_left == RELAY_WITHHELD) {
        sim_fail(sim, "too many replies are withheld");
        return;
    }
    pod->withheld[pod->withheld_put++ % RELAY_WITHHELD] = reply;
    relay_read_app(sim, index);
    relay_schedule(sim, index);
}

void relay_set_app(struct sim *sim, uint32_t index, bool is_up)
{
    if (sim->options.relay)
        pod_of(sim, index)->is_app_up = is_up;
}

void relay_client(struct sim *sim, const struct sim_event *event)
{
    struct sim_relay *relay = sim->options.relay;
    uint32_t index = (uint32_t)random_below(&relay->random, sim->pod_count);
    struct relay_record record = {.ingress = (uint8_t)index};

    (void)event;
    if (sim->now_ns + CLIENTS_END_NS < sim->ends_ns && relay->requests + 1 < RELAY_REQUESTS)
        sim_at(sim, sim->now_ns + random_between(&relay->random, 1, 2 * relay->client_every_ns),
               SIM_RELAY_CLIENT, 0, 0, 0);
    if (!sim->pods[index].is_up || sim->pods[index].is_stalled || sim->failed)
        return;
    record.id = ++relay->requests;
    relay->list[record.id].ingress = sim->pods[index].config.self.instance;
    relay->list[record.id].client =
        (uint8_t)(index * RELAY_CLIENTS + random_below(&relay->random, RELAY_CLIENTS));
    relay_begin_slice(sim, index);
    if (!pod_of(sim, index)->replies.lists[relay->list[record.id].client].first)
        relay->is_shifted[relay->list[record.id].client] = false;
    sim_trace(sim, "%u gets request %u of client %u", index, record.id,
              relay->list[record.id].client);
    relay_route(sim, index, &record);
    if (random_chance(&relay->random, 300))
        relay_flush_pod(sim, index);
    relay_schedule(sim, index);
}
