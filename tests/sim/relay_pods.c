/* relay_pods: the beginning and the end of the simulated pods' relays. */
#include "relay.h"

static struct relay_pod *pod_of(struct sim *sim, uint32_t index)
{
    return &sim->options.relay->pods[index];
}

static void on_end(void *context, const struct kept_frame *frame, bool is_lost)
{
    struct sim *sim = ((void **)context)[0];
    struct relay_pod *pod = ((void **)context)[1];
    uint32_t index = (uint32_t)(pod - sim->options.relay->pods);
    struct relay_record records[RELAY_RECORDS];

    memcpy(records, kept_records(frame), frame->bytes);
    for (uint32_t i = 0; i < frame->records && frame->type == FRAME_DATA && is_lost; i++) {
        if (frame->hops > 1)
            sim->options.relay->list[records[i].id].is_lost = true; /* of two pods, both are gone */
        else if (!sim->options.relay->list[records[i].id].has_reply)
            relay_note_lost(sim, index, records[i].id);
    }
    for (uint32_t i = 0; i < frame->records && frame->type == FRAME_REPLY; i++)
        sim->options.relay->is_shifted[sim->options.relay->list[records[i].id].client] |=
            pod->kept.now_ns - frame->since_ns >= RELAY_KEEP_NS;
    if (frame->type == FRAME_DATA && pod->kept.needs_replies)
        kept_replies_end(&pod->replies, frame);
}

static void close_pod(struct relay_pod *pod)
{
    if (!pod->is_open)
        return;
    kept_fini(&pod->kept);
    confirm_fini(&pod->confirm);
    kept_replies_fini(&pod->replies);
    pod->is_open = false;
}

void relay_start(struct sim *sim, uint32_t index)
{
    static void *contexts[SIM_PODS_MAX][2];
    struct sim_relay *relay = sim->options.relay;
    struct relay_pod *pod;

    if (!relay)
        return;
    pod = pod_of(sim, index);
    close_pod(pod);
    memset(pod, 0, sizeof(*pod));
    pod->is_app_up = true;
    pod->is_open = kept_init(&pod->kept, relay->ring_bytes) == 0 &&
                   confirm_init(&pod->confirm, SIM_PODS_MAX) == 0 &&
                   kept_replies_init(&pod->replies, RELAY_TICKETS) == 0;
    if (!pod->is_open)
        sim_fail(sim, "no memory for a relay");
    contexts[index][0] = sim;
    contexts[index][1] = pod;
    pod->kept.context = contexts[index];
    pod->kept.on_end = on_end;
    pod->kept.needs_replies = relay->needs_replies;
    pod->kept.pace_bytes = 4 * RELAY_RECORDS * sizeof(struct relay_record);
    relay_begin_slice(sim, index);
    relay_schedule(sim, index);
}

void relay_init_pods(struct sim *sim)
{
    struct sim_relay *relay = sim->options.relay;

    if (!relay)
        return;
    relay_fini_pods(sim);
    relay->random.state = sim->options.seed * 0x9e3779b97f4a7c15 + 11;
    relay->needs_replies = relay->broken == RELAY_REPLAY_ALL || relay->broken == RELAY_READ_APP ||
                           random_chance(&relay->random, 500);
    relay->loss_permille =
        random_chance(&relay->random, 500) ? (uint32_t)random_below(&relay->random, 100) : 0;
    relay->ring_bytes = (size_t)4 << 20;
    relay->client_every_ns = random_between(&relay->random, 3 * NS_PER_MS, 20 * NS_PER_MS);
    for (uint32_t i = 0; i < RELAY_FRAMES; i++)
        relay->frames[i].next_free = i + 1;
    sim_at(sim, NS_PER_SEC, SIM_RELAY_CLIENT, 0, 0, 0);
}

void relay_fini_pods(struct sim *sim)
{
    struct sim_relay *relay = sim->options.relay;
    enum relay_broken broken;

    if (!relay)
        return;
    broken = relay->broken;
    for (uint32_t i = 0; i < SIM_PODS_MAX; i++)
        close_pod(&relay->pods[i]);
    memset(relay, 0, sizeof(*relay));
    relay->broken = broken;
}
