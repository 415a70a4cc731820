/* relay: requests, held and kept ones of the simulated pods. */
#include "relay.h"

#define TICK_NS NS_PER_MS
#define REST_NS (20 * NS_PER_MS)

static struct relay_pod *pod_of(struct sim *sim, uint32_t index)
{
    return &sim->options.relay->pods[index];
}

static uint64_t local_now(const struct sim *sim, uint32_t index)
{
    return sim_local(&sim->pods[index], sim->now_ns);
}

static uint64_t self_of(const struct sim *sim, uint32_t index)
{
    return sim->pods[index].config.self.instance;
}

/* ---- the leader ---- */

/* As leader_kind and leadership_is_valid. */
static uint64_t leader_of(const struct sim *sim, uint32_t index)
{
    const struct election_leadership *leadership = &sim->pods[index].leadership;

    return local_now(sim, index) < leadership->valid_until_ns ? leadership->leader : 0;
}

bool relay_accepts(const struct sim *sim, uint32_t index, uint64_t term)
{
    const struct relay_pod *pod = &sim->options.relay->pods[index];

    if (term == pod->previous_term && local_now(sim, index) < pod->previous_until_ns)
        return true;
    return term >= sim->pods[index].leadership.term && leader_of(sim, index) != 0;
}

/* As worker_begin. */
bool relay_withholds(const struct sim *sim, uint32_t index)
{
    return sim->options.relay->broken != RELAY_READ_APP &&
           sim->pods[index].leadership.leader == self_of(sim, index) && !leader_of(sim, index);
}

/* As grant_grace and route_take_snapshot. */
void relay_follow(struct sim *sim, uint32_t index)
{
    const struct election_leadership *leadership = &sim->pods[index].leadership;
    struct relay_pod *pod = pod_of(sim, index);
    uint64_t leader = leadership->leader;
    uint32_t to = relay_pod_of(sim, leader);
    uint64_t gave_way_term = leadership->stepped_down_term;

    if (!leader)
        return;
    if (leader == pod->leader && leadership->term == pod->term) {
        if (gave_way_term && !pod->is_told) /* late news */
            kept_follow(&pod->kept, to == index ? KEPT_SLOT_NONE : (uint8_t)to, pod->term,
                        gave_way_term);
        pod->is_told |= gave_way_term != 0;
        return;
    }
    pod->is_told = gave_way_term != 0;
    if (pod->term) {
        pod->previous_term = pod->term;
        pod->previous_until_ns =
            gave_way_term == pod->term ? local_now(sim, index) + RELAY_GRACE_NS : 0;
    }
    pod->leader = leader;
    pod->term = leadership->term;
    if (to == sim->pod_count)
        return; /* it has died already */
    relay_send_packed(sim, index);
    if (to != index && pod->instance_of[to] != leader) {
        kept_lose(&pod->kept, (uint8_t)to, pod->kept.leader_slot == to);
        pod->instance_of[to] = leader;
    }
    kept_follow(&pod->kept, to == index ? KEPT_SLOT_NONE : (uint8_t)to, pod->term, gave_way_term);
}

/* As route_takes_kept. */
bool relay_can_take(const struct sim *sim, uint32_t index, const struct relay_frame *frame)
{
    struct relay_pod *pod = &sim->options.relay->pods[index];
    uint64_t leader = leader_of(sim, index);

    if (sim->options.relay->broken == RELAY_CONFIRM_EARLY)
        return true;
    if (frame->type == FRAME_REPLY)
        return leader || frame->term < sim->pods[index].leadership.term;
    if (leader == self_of(sim, index) && frame->hops == RELAY_HOPS_MAX)
        return pod->is_app_up;
    if (!leader || pod->hold_put != pod->hold_left || !kept_is_settled(&pod->kept))
        return false;
    if (leader == self_of(sim, index))
        return pod->is_app_up;
    return frame->hops < RELAY_HOPS_MAX && frame->term == pod->previous_term &&
           local_now(sim, index) < pod->previous_until_ns;
}

void relay_refused(struct sim *sim, uint32_t index, uint64_t instance)
{
    uint32_t of = relay_pod_of(sim, instance);

    if (sim->options.relay && sim->pods[index].is_up && of < sim->pod_count &&
        pod_of(sim, index)->instance_of[of] == instance)
        kept_refuse(&pod_of(sim, index)->kept, (uint8_t)of);
}

/* ---- requests ---- */

static void hold(struct sim *sim, uint32_t index, const struct relay_record *record)
{
    struct relay_pod *pod = pod_of(sim, index);

    if (pod->hold_put - pod->hold_left == RELAY_HOLD) {
        sim_fail(sim, "too many requests are held");
        return;
    }
    pod->hold[pod->hold_put++ % RELAY_HOLD] =
        (struct relay_held){.record = *record, .since_ns = local_now(sim, index)};
}

static void give_to_app(struct sim *sim, uint32_t index, const struct relay_record *record)
{
    uint32_t client = sim->options.relay->list[record->id].client % RELAY_CLIENTS;

    relay_app_take(sim, index, record);
    sim_at(sim, sim->now_ns + RELAY_REPLY_NS * (1 + client), SIM_RELAY_REPLY, index,
           (uint64_t)record->ingress << 32 | record->id,
           self_of(sim, index) << 32 | (sim->pods[index].leadership.term & UINT32_MAX));
}

void relay_route_now(struct sim *sim, uint32_t index, const struct relay_record *record)
{
    uint64_t leader = leader_of(sim, index), term = sim->pods[index].leadership.term;
    uint32_t to = relay_pod_of(sim, leader);
    struct relay_record next = *record;

    if (!leader || to == sim->pod_count || (to == index && !pod_of(sim, index)->is_app_up)) {
        hold(sim, index, record);
    } else if (to == index) {
        give_to_app(sim, index, record);
    } else if (record->hops >= RELAY_HOPS_MAX || (record->hops > 0 && term <= record->term)) {
        sim->options.relay->list[record->id].is_lost = true; /* dropped: hops */
    } else {
        next.hops++;
        relay_pack_record(sim, index, to, FRAME_DATA, term, &next);
    }
}

void relay_route(struct sim *sim, uint32_t index, const struct relay_record *record)
{
    struct relay_pod *pod = pod_of(sim, index);

    relay_follow(sim, index);
    if (record->hops == RELAY_HOPS_MAX)
        relay_route_now(sim, index, record);
    else if (pod->hold_put != pod->hold_left || !kept_is_settled(&pod->kept))
        hold(sim, index, record);
    else
        relay_route_now(sim, index, record);
}

static void release_held(struct sim *sim, uint32_t index)
{
    struct relay_pod *pod = pod_of(sim, index);
    uint64_t end = pod->hold_put, now_ns = local_now(sim, index);

    while (pod->hold_left < end && !sim->failed) {
        const struct relay_held held = pod->hold[pod->hold_left % RELAY_HOLD];
        uint64_t leader = leader_of(sim, index);

        if (now_ns - held.since_ns >= RELAY_KEEP_NS) {
            if (held.record.ingress == index)
                relay_note_lost(sim, index, held.record.id);
            else
                sim->options.relay->list[held.record.id].is_lost = true;
        } else if (!leader || (leader == self_of(sim, index) && !pod->is_app_up) ||
                   !kept_is_settled(&pod->kept)) {
            return;
        } else {
            relay_route_now(sim, index, &held.record);
        }
        pod->hold_left++;
    }
}

/* ---- what is kept ---- */

static void replay_frame(struct sim *sim, uint32_t index, struct kept_frame *frame)
{
    struct relay_pod *pod = pod_of(sim, index);
    struct relay_record records[RELAY_RECORDS];

    memcpy(records, kept_records(frame), frame->bytes);
    for (uint32_t i = 0; i < frame->records; i++) {
        struct relay_request *request = &sim->options.relay->list[records[i].id];

        if (sim->options.relay->broken == RELAY_FORGET ||
            (pod->kept.needs_replies && frame->hops == 1 &&
             sim->options.relay->broken != RELAY_REPLAY_ALL &&
             !kept_replies_wants(&pod->replies, frame, i)))
            continue;
        request->came_by_two |= frame->hops > 1; /* or would have */
        records[i].hops--;
        records[i].is_replayed = true;
        records[i].term = frame->term;
        request->may_have_two |=
            frame->is_unseen || local_now(sim, index) < pod->previous_until_ns ||
            request->came_by_two || sim->options.relay->is_shifted[request->client];
        sim_trace(sim, "%u routes request %u again, hop %u of slot %u", index, records[i].id,
                  records[i].hops, frame->slot);
        relay_route_now(sim, index, &records[i]);
    }
    kept_move(&pod->kept, frame);
}

static void replay(struct sim *sim, uint32_t index)
{
    struct relay_pod *pod = pod_of(sim, index);
    uint64_t leader = leader_of(sim, index);
    uint32_t to = relay_pod_of(sim, leader);
    struct kept_frame *frame;

    if (!kept_is_settled(&pod->kept) && leader && to < sim->pod_count &&
        (to != index || pod->is_app_up)) {
        kept_pace(&pod->kept, (uint8_t)to, true);
        while ((frame = kept_orphan(&pod->kept, NULL)) && !sim->failed) {
            replay_frame(sim, index, frame);
            kept_end_moves(&pod->kept);
        }
        relay_send_packed(sim, index);
        kept_pace(&pod->kept, (uint8_t)to, false);
    }
}

/* ---- slices ---- */

static void settle(struct sim *sim, uint32_t index)
{
    struct relay_pod *pod = pod_of(sim, index);
    const uint64_t put[CONFIRM_GATES] = {pod->hold_put, pod->kept.relayed_put};
    const uint64_t left[CONFIRM_GATES] = {pod->hold_left, pod->kept.relayed_done};

    confirm_settle(&pod->confirm, put,
                   sim->options.relay->broken == RELAY_CONFIRM_EARLY ? put : left);
}

void relay_schedule(struct sim *sim, uint32_t index)
{
    struct relay_pod *pod = pod_of(sim, index);
    uint64_t sleep_ns = kept_sleep_ns(&pod->kept), other_ns = confirm_sleep_ns(&pod->confirm), at;

    sleep_ns = sleep_ns < other_ns ? sleep_ns : other_ns;
    if (pod->kept.orphans || pod->hold_put != pod->hold_left ||
        pod->withheld_put != pod->withheld_left || sleep_ns < TICK_NS)
        sleep_ns = TICK_NS;
    at = sim->now_ns + (sleep_ns < REST_NS ? sleep_ns : REST_NS);
    if (pod->tick_ns && pod->tick_ns <= at)
        return;
    pod->tick_ns = at;
    sim_at(sim, at, SIM_RELAY_TICK, index, 0, 0);
}

void relay_flush_pod(struct sim *sim, uint32_t index)
{
    relay_follow(sim, index);
    replay(sim, index);
    release_held(sim, index);
    relay_read_app(sim, index);
    kept_tick(&pod_of(sim, index)->kept, RELAY_KEEP_NS);
    if (leader_of(sim, index) && kept_is_settled(&pod_of(sim, index)->kept))
        confirm_resume(&pod_of(sim, index)->confirm);
    settle(sim, index);
    relay_send_confirmations(sim, index);
    relay_send_packed(sim, index);
    relay_send_again(sim, index);
    relay_watch(sim, index);
    sim->steps++;
    relay_schedule(sim, index);
}

void relay_begin_slice(struct sim *sim, uint32_t index)
{
    struct relay_pod *pod = pod_of(sim, index);

    pod->kept.now_ns = pod->confirm.now_ns = local_now(sim, index);
}

void relay_tick(struct sim *sim, uint32_t index)
{
    struct relay_pod *pod = pod_of(sim, index);

    if (pod->tick_ns != sim->now_ns)
        return; /* of a former life, or overtaken by an earlier one */
    pod->tick_ns = 0;
    if (!sim->pods[index].is_up)
        return;
    relay_begin_slice(sim, index);
    relay_flush_pod(sim, index);
}

void relay_resume(struct sim *sim, uint32_t index)
{
    if (!sim->options.relay || !sim->pods[index].is_up)
        return;
    pod_of(sim, index)->tick_ns = pod_of(sim, index)->well_since_ns = 0;
    relay_begin_slice(sim, index);
    relay_schedule(sim, index);
}
