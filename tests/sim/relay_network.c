/* relay_network: frames of the pods, with loss, delay, reordering, duplication and cuts. */
#include "relay.h"

static struct relay_pod *pod_of(struct sim *sim, uint32_t index)
{
    return &sim->options.relay->pods[index];
}

uint32_t relay_pod_of(const struct sim *sim, uint64_t instance)
{
    uint32_t pod = 0;

    while (pod < sim->pod_count && sim->pods[pod].config.self.instance != instance)
        pod++;
    return pod;
}

static uint64_t arrival(struct sim *sim)
{
    struct random *random = &sim->options.relay->random;
    uint64_t at = sim->now_ns + sim->delay_ns + random_below(random, sim->jitter_ns + 1);

    return sim->slow && random_chance(random, 100) ? at + random_below(random, sim->slow_ns + 1)
                                                   : at;
}

static void put_frame(struct sim *sim, uint32_t to, const struct relay_frame *frame)
{
    struct sim_relay *relay = sim->options.relay;
    uint32_t index = relay->free_frame;

    if (index >= RELAY_FRAMES)
        return; /* an overfull network loses */
    relay->free_frame = relay->frames[index].next_free;
    relay->frames[index] = *frame;
    sim_at(sim, arrival(sim), SIM_RELAY_FRAME, to, index, 0);
}

static void send_frame(struct sim *sim, uint32_t from, uint32_t to, struct relay_frame *frame)
{
    struct sim_relay *relay = sim->options.relay;

    frame->from = sim->pods[from].config.self.instance;
    if (sim->cuts[from][to] ||
        (!sim->is_healed && random_chance(&relay->random, relay->loss_permille)) ||
        (sim->lossy && random_chance(&relay->random, sim->loss_permille)))
        return;
    put_frame(sim, to, frame);
    if (sim->duplicating && random_chance(&relay->random, sim->duplicate_permille))
        put_frame(sim, to, frame);
}

static void send_kept(struct sim *sim, uint32_t from, struct kept_frame *kept_frame)
{
    struct relay_frame frame = {.type = kept_frame->type,
                                .hops = kept_frame->hops,
                                .term = kept_frame->term,
                                .count = kept_frame->records};

    frame.place = kept_place(&pod_of(sim, from)->kept, kept_frame);
    memcpy(frame.records, kept_records(kept_frame), kept_frame->bytes);
    send_frame(sim, from, kept_frame->slot, &frame);
}

/* ---- packing ---- */

static void send_one(struct sim *sim, uint32_t from, uint32_t to)
{
    struct relay_pod *pod = pod_of(sim, from);
    struct relay_record *records = pod->out[to];
    uint32_t count = pod->out_count[to];
    struct kept_frame like = {.type = pod->out_type[to],
                              .hops = records[0].hops,
                              .term = pod->out_term[to],
                              .records = count,
                              .bytes = (uint32_t)(count * sizeof(*records)),
                              .is_replayed = records[0].is_replayed};
    bool has_tickets = like.type == FRAME_DATA && pod->kept.needs_replies;
    struct kept_frame *frame;
    struct frame_place place;

    if (count == 0)
        return;
    pod->out_count[to] = 0;
    for (uint32_t i = 0; i < count && has_tickets; i++) {
        uint64_t ticket = kept_replies_issue(&pod->replies, &pod->kept,
                                             sim->options.relay->list[records[i].id].client);

        like.first_ticket = i == 0 ? ticket : like.first_ticket;
    }
    frame = kept_put(&pod->kept, (uint8_t)to, &like, &place);
    if (has_tickets)
        kept_replies_bind(&pod->replies, frame, like.first_ticket, count);
    if (!frame) {
        sim_fail(sim, "pod %u cannot keep a frame", from);
        return;
    }
    memcpy(kept_records(frame), records, like.bytes);
    if (!kept_goes_back(&pod->kept, (uint8_t)to))
        send_kept(sim, from, frame);
}

void relay_pack_record(struct sim *sim, uint32_t from, uint32_t to, uint8_t type, uint64_t term,
                       const struct relay_record *record)
{
    struct relay_pod *pod = pod_of(sim, from);
    uint64_t instance = sim->pods[to].config.self.instance;

    if (pod->out_count[to] == RELAY_RECORDS ||
        (pod->out_count[to] > 0 && (pod->out_type[to] != type || pod->out_term[to] != term ||
                                    pod->out[to][0].hops != record->hops ||
                                    pod->out[to][0].is_replayed != record->is_replayed)))
        send_one(sim, from, to);
    if (pod->instance_of[to] != instance) { /* another process at this address */
        send_one(sim, from, to);
        kept_lose(&pod->kept, (uint8_t)to, pod->kept.leader_slot == to);
        pod->instance_of[to] = instance;
    }
    pod->kept.relayed_put += type == FRAME_DATA && record->hops == RELAY_HOPS_MAX;
    pod->out_type[to] = type;
    pod->out_term[to] = term;
    pod->out[to][pod->out_count[to]++] = *record;
}

void relay_send_packed(struct sim *sim, uint32_t from)
{
    for (uint32_t to = 0; to < sim->pod_count; to++)
        send_one(sim, from, to);
}

void relay_send_again(struct sim *sim, uint32_t from)
{
    struct relay_pod *pod = pod_of(sim, from);
    struct kept_frame *frame;

    for (uint32_t to = 0; to < sim->pod_count; to++) {
        while ((frame = kept_next(&pod->kept, (uint8_t)to)))
            send_kept(sim, from, frame);
    }
}

void relay_send_confirmations(struct sim *sim, uint32_t from)
{
    struct confirm *confirm = &pod_of(sim, from)->confirm;

    for (uint32_t i = 0; i < confirm->listed; i++) {
        uint32_t to = confirm->list[i];
        struct relay_frame frame = {.type = 0};

        if (!confirm_is_due(confirm, to, pod_of(sim, from)->out_count[to] > 0))
            continue;
        frame.confirmation = confirm_tell(confirm, to);
        send_frame(sim, from, to, &frame);
    }
    confirm_tidy(confirm);
}

/* ---- arrival ---- */

static void take_records(struct sim *sim, uint32_t index, const struct relay_frame *frame)
{
    for (uint32_t i = 0; i < frame->count && !sim->failed; i++) {
        struct relay_record record = frame->records[i];

        record.term = frame->term;
        if (frame->type == FRAME_REPLY && relay_accepts(sim, index, frame->term))
            relay_note_reply(sim, index, record.id, frame->term);
        else if (frame->type == FRAME_DATA)
            relay_route(sim, index, &record);
    }
}

static void take_confirmation(struct sim *sim, uint32_t index, uint32_t from,
                              const struct confirmation *told)
{
    struct kept *kept = &pod_of(sim, index)->kept;

    if (told->to != sim->pods[index].config.self.instance || told->stream != kept->streams[from].id)
        return;
    kept_confirm(kept, (uint8_t)from, told->received, told->confirmed);
    if (told->flags & CONFIRMATION_GAP)
        kept_report_gap(kept, (uint8_t)from);
}

static void take_frame(struct sim *sim, uint32_t index, const struct relay_frame *frame)
{
    struct relay_pod *pod = pod_of(sim, index);
    enum relay_broken broken = sim->options.relay->broken;
    uint32_t from = relay_pod_of(sim, frame->from);
    enum confirm_verdict verdict;

    if (from == sim->pod_count || !pod->is_open) { /* of a former process */
        return;
    }
    if (frame->type == 0) {
        take_confirmation(sim, index, from, &frame->confirmation);
        return;
    }
    if (frame->type == FRAME_DATA && frame->term < sim->pods[index].leadership.takes_from)
        return; /* for an earlier process of this pod */
    if (!relay_can_take(sim, index, frame)) {
        confirm_refuse(&pod->confirm, from, frame->from, &frame->place);
        return;
    }
    verdict = confirm_take(&pod->confirm, from, frame->from, &frame->place);
    if (verdict == CONFIRM_AHEAD && broken == RELAY_NO_GAPS) {
        pod->confirm.streams[from].next = frame->place.number + 1;
        verdict = CONFIRM_TAKEN;
    }
    if (verdict == CONFIRM_TAKEN || (verdict == CONFIRM_DUPLICATE && broken == RELAY_NO_DUPLICATES))
        take_records(sim, index, frame);
}

void relay_deliver(struct sim *sim, const struct sim_event *event)
{
    struct sim_relay *relay = sim->options.relay;
    const struct relay_frame frame = relay->frames[event->a];

    relay->frames[event->a].next_free = relay->free_frame;
    relay->free_frame = (uint32_t)event->a;
    if (!sim->pods[event->pod].is_up)
        return;
    pod_of(sim, event->pod)->kept.now_ns = sim_local(&sim->pods[event->pod], sim->now_ns);
    pod_of(sim, event->pod)->confirm.now_ns = pod_of(sim, event->pod)->kept.now_ns;
    take_frame(sim, event->pod, &frame);
    if (random_chance(&relay->random, 300)) /* a batch ends */
        relay_flush_pod(sim, event->pod);
}
