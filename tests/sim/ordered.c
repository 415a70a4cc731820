/* ordered: sequencers over the simulated network, and clients. */
#include "ordered.h"

#define BATCH_NS NS_PER_MS /* a batch ends by then */

static uint64_t local_now(const struct sim *sim, uint32_t index)
{
    return sim_local(&sim->pods[index], sim->now_ns);
}

static bool is_running(const struct sim *sim, uint32_t index)
{
    return sim->pods[index].is_up && !sim->pods[index].is_stalled;
}

/* ---- actions ---- */

static void send_entry(struct sim *sim, uint32_t index, const struct sequencer_action *action,
                       uint64_t entry)
{
    const struct ordered_pod *pod = &sim->options.ordered->pods[index];
    struct ordered_frame frame = {.is_range = true};

    sequencer_make_range(&pod->sequencer, action, entry, &frame.range);
    if (entry < action->entries.end) {
        const struct record *record = &entry_log_at(&pod->sequencer.log, entry)->record;

        frame.bytes = record_put_header(frame.record, record);
        memcpy(frame.record + frame.bytes, record->payload, record->length);
        frame.bytes += record->length;
    }
    for (size_t i = 0; i < pod->known.member_count; i++) {
        if (action->type == SEQUENCER_SEND ? i == action->member
                                           : pod->members[i].instance != pod->sequencer.self)
            ordered_send(sim, index, pod->members[i].instance, &frame);
    }
}

static void deliver(struct sim *sim, uint32_t index, uint64_t entry)
{
    const struct ordered_pod *pod = &sim->options.ordered->pods[index];
    uint32_t message;

    memcpy(&message, entry_log_at(&pod->sequencer.log, entry)->record.payload, sizeof(message));
    ordered_app_take(sim, index, entry, message);
}

static void carry_out_one(struct sim *sim, uint32_t index, const struct sequencer_action *action)
{
    const struct ordered_pod *pod = &sim->options.ordered->pods[index];
    struct ordered_frame frame = {0};
    uint64_t entry = action->entries.first;

    switch (action->type) {
    case SEQUENCER_DELIVER:
        for (; entry < action->entries.end; entry++)
            deliver(sim, index, entry);
        break;
    case SEQUENCER_PUBLISH:
    case SEQUENCER_SEND:
        do {
            send_entry(sim, index, action, entry);
        } while (++entry < action->entries.end);
        break;
    case SEQUENCER_SEND_ACK:
        frame.ack = action->ack;
        ordered_send(sim, index, pod->members[action->member].instance, &frame);
        break;
    case SEQUENCER_REPORT:
        ordered_app_report(sim, index, &action->report);
        break;
    }
}

/* ---- steps ---- */

static bool step_once(struct sim *sim, uint32_t index, const struct sequencer_event *event)
{
    struct ordered *ordered = sim->options.ordered;
    bool is_done = sequencer_step(&ordered->pods[index].sequencer, event, local_now(sim, index),
                                  &ordered->actions);

    sim->steps++;
    for (size_t i = 0; i < ordered->actions.count; i++)
        carry_out_one(sim, index, &ordered->actions.list[i]);
    return is_done;
}

static void flush(struct sim *sim, uint32_t index)
{
    const struct sequencer_event event = {.type = SEQUENCER_FLUSH};

    (void)step_once(sim, index, &event);
    sim->options.ordered->pods[index].has_batch = false;
}

static void schedule(struct sim *sim, uint32_t index)
{
    struct ordered_pod *pod = &sim->options.ordered->pods[index];
    uint64_t at = sim->now_ns + sequencer_sleep_ns(&pod->sequencer, local_now(sim, index)) + 1000;

    if (pod->has_batch && at > sim->now_ns + BATCH_NS)
        at = sim->now_ns + BATCH_NS;
    if (pod->tick_ns && pod->tick_ns <= at)
        return;
    pod->tick_ns = at;
    sim_at(sim, at, SIM_SEQUENCER_TICK, index, 0, 0);
}

static void step(struct sim *sim, uint32_t index, const struct sequencer_event *event)
{
    struct ordered *ordered = sim->options.ordered;

    while (!step_once(sim, index, event))
        flush(sim, index);
    ordered->pods[index].has_batch = true;
    if (random_chance(&ordered->random, 333)) /* a batch ends */
        flush(sim, index);
    schedule(sim, index);
}

/* ---- events ---- */

static uint64_t leader_of(const struct sim *sim, uint32_t index)
{
    const struct election_leadership *leadership = &sim->pods[index].leadership;

    if (leadership->state == ELECTION_LEADER)
        return sim->pods[index].config.self.instance;
    return leadership->state == ELECTION_FOLLOWER || leadership->state == ELECTION_SUSPECT
               ? leadership->leader
               : 0;
}

/* Falsify the membership as the broken variant does. */
static void falsify(struct sim *sim, uint32_t index, struct sequencer_membership *membership)
{
    const struct ordered_pod *pod = &sim->options.ordered->pods[index];
    bool leads = membership->leader == pod->sequencer.self;
    struct sequencer_membership alone = *membership;
    const struct sequencer_event event = {.type = SEQUENCER_MEMBERSHIP, .membership = &alone};

    if (sim->options.ordered->broken == ORDERED_COMMIT_ALONE &&
        sequencer_is_leading(&pod->sequencer) && leads)
        membership->votes_needed = 1;
    if (sim->options.ordered->broken == ORDERED_NO_ADOPTION && leads &&
        membership->term != pod->known.term) {
        alone.member_count = 0;
        step(sim, index, &event);
    }
}

static bool is_same(const struct sequencer_membership *a, const struct sequencer_membership *b)
{
    bool same = a->term == b->term && a->leader == b->leader &&
                a->votes_needed == b->votes_needed && a->member_count == b->member_count;

    for (size_t i = 0; same && i < a->member_count; i++)
        same = a->members[i].instance == b->members[i].instance &&
               a->members[i].is_alive == b->members[i].is_alive;
    return same;
}

void ordered_refresh(struct sim *sim, uint32_t index)
{
    struct ordered *ordered = sim->options.ordered;
    const struct election *e = &sim->pods[index].election;
    struct sequencer_member members[SIM_PODS_MAX * 2];
    struct sequencer_membership membership = {.term = sim->pods[index].leadership.term,
                                              .members = members};
    struct sequencer_event event = {.type = SEQUENCER_MEMBERSHIP, .membership = &membership};
    struct ordered_pod *pod;

    if (!ordered || !sim->pods[index].is_up)
        return;
    pod = &ordered->pods[index];
    membership.leader = leader_of(sim, index);
    membership.votes_needed = election_needed(e);
    for (uint16_t i = 0; i < e->list.count && i < SIM_PODS_MAX * 2; i++)
        members[membership.member_count++] = (struct sequencer_member){
            .instance = e->list.members[i].instance, .is_alive = election_may_be_alive(e, i)};
    falsify(sim, index, &membership);
    if (is_same(&membership, &pod->known))
        return;
    memcpy(pod->members, members, sizeof(members));
    pod->known = membership;
    pod->known.members = pod->members;
    step(sim, index, &event);
}

void ordered_deliver(struct sim *sim, const struct sim_event *happening)
{
    struct ordered *ordered = sim->options.ordered;
    struct ordered_frame *frame = &ordered->frames[happening->a];
    struct frame_reader reader = {.next = frame->record, .end = frame->record + frame->bytes};
    const struct sequencer_event event = {.type =
                                              frame->is_range ? SEQUENCER_ENTRIES : SEQUENCER_ACK,
                                          .from = frame->from,
                                          .term = frame->term,
                                          .range = &frame->range,
                                          .records = frame->bytes > 0,
                                          .reader = &reader,
                                          .ack = &frame->ack};

    if (sim->pods[happening->pod].is_up)
        step(sim, happening->pod, &event);
    frame->next_free = ordered->free_frame;
    ordered->free_frame = (uint32_t)happening->a;
}

/* Does it wait until the leader forgets a dead member? A pod that died and moved before the first leader
 * wrote the list may have two rows. Until a log is known, all rows must acknowledge. */
static bool waits_for_a_dead_pod(const struct sim *sim, uint32_t index)
{
    const struct sequencer *s = &sim->options.ordered->pods[index].sequencer;
    bool waits = false;

    for (size_t i = 0; i < s->peer_count; i++)
        waits |= ordered_pod_of(sim, s->peers[i].instance) == sim->pod_count;
    return waits && sim->names.moves && s->commits && s->role == SEQUENCER_ADOPTING;
}

void ordered_tick(struct sim *sim, uint32_t index)
{
    const struct sequencer_event event = {.type = SEQUENCER_TICK};
    struct ordered_pod *pod = &sim->options.ordered->pods[index];

    if (pod->tick_ns != sim->now_ns)
        return; /* of a former life, or overtaken by an earlier one */
    pod->tick_ns = 0;
    if (!sim->pods[index].is_up)
        return;
    if (sequencer_is_due(&pod->sequencer, local_now(sim, index)))
        (void)step_once(sim, index, &event);
    flush(sim, index);
    ordered_refresh(sim, index);
    if (waits_for_a_dead_pod(sim, index))
        sim->options.ordered->waited_ns = sim->now_ns;
    schedule(sim, index);
}

void ordered_resume(struct sim *sim, uint32_t index)
{
    if (!sim->options.ordered || !sim->pods[index].is_up)
        return;
    sim->options.ordered->pods[index].tick_ns = 0;
    schedule(sim, index);
}

/* ---- clients ---- */

static void append(struct sim *sim, uint32_t index, uint32_t message)
{
    struct record record = {.client = sim->pods[0].config.self.address,
                            .local = sim->pods[index].config.self.address,
                            .ingress = sim->pods[index].config.self.address,
                            .payload = (const uint8_t *)&message,
                            .length = sizeof(message)};
    const struct sequencer_event event = {.type = SEQUENCER_APPEND, .record = &record};

    record.client.port = 5000;
    record.local.port = 12000;
    if (sim->agreed_ns && !sim->options.ordered->healed_first)
        sim->options.ordered->healed_first =
            sequencer_last(&sim->options.ordered->pods[index].sequencer) + 1;
    sim->options.ordered->appended++;
    step(sim, index, &event);
}

/* While the election's messages come through, the entries to one pod do not. */
static void make_one_deaf(struct sim *sim)
{
    struct ordered *ordered = sim->options.ordered;
    uint64_t until_ns = sim->now_ns + random_between(&ordered->random, NS_PER_MS, 3 * NS_PER_SEC);
    uint32_t index = (uint32_t)random_below(&ordered->random, sim->pod_count);

    if (sim->now_ns < sim->heal_ns && random_chance(&ordered->random, ordered->deaf_permille))
        ordered->pods[index].deaf_ns = until_ns < sim->heal_ns ? until_ns : sim->heal_ns;
}

/* a: the message, b: hops. It goes to the pod that leads, as far as the pods know. */
void ordered_client(struct sim *sim, const struct sim_event *event)
{
    struct ordered *ordered = sim->options.ordered;
    const struct sim_pod *pod = &sim->pods[event->pod];
    uint32_t leader = ordered_pod_of(sim, leader_of(sim, event->pod));

    if (event->b == 0 && sim->now_ns + ORDERED_CLIENTS_END_NS < sim->ends_ns)
        sim_at(sim, sim->now_ns + random_between(&ordered->random, 1, 2 * ordered->client_every_ns),
               SIM_CLIENT, (uint32_t)random_below(&ordered->random, sim->pod_count),
               ++ordered->message, 0);
    make_one_deaf(sim);
    if (!is_running(sim, event->pod))
        return;
    if (pod->valid_until_ns > sim->now_ns &&
        sequencer_is_leading(&ordered->pods[event->pod].sequencer))
        append(sim, event->pod, (uint32_t)event->a);
    else if (event->b == 0 && leader < sim->pod_count && !sim->cuts[event->pod][leader])
        sim_at(sim, sim->now_ns + sim->delay_ns, SIM_CLIENT, leader, event->a, 1);
}

/* ---- memory, begin and end ---- */

static bool has_memory(const struct sim *sim, uint32_t index)
{
    return sim->pods[index].is_up && !sim->pods[index].election.is_stopping &&
           sim->options.ordered->pods[index].sequencer.normal_term != 0;
}

bool ordered_may_lose(const struct sim *sim, uint32_t index)
{
    const struct ordered *ordered = sim->options.ordered;
    uint32_t without = 1;

    if (!ordered || !ordered->commits || ordered->delivered_last == 0)
        return true;
    for (uint32_t i = 0; i < sim->pod_count; i++)
        without += i != index && !has_memory(sim, i);
    return without <= (sim->pod_count - 1) / 2;
}

void ordered_start(struct sim *sim, uint32_t index)
{
    struct ordered *ordered = sim->options.ordered;
    struct ordered_pod *pod;
    struct sequencer_setup setup;

    if (!ordered)
        return;
    pod = &ordered->pods[index];
    setup = (struct sequencer_setup){.counters = &pod->counters,
                                     .self = sim->pods[index].config.self.instance,
                                     .commits = ordered->commits,
                                     .log_bytes = ordered->log_bytes};
    if (pod->is_open)
        sequencer_fini(&pod->sequencer);
    memset(&pod->known, 0, sizeof(pod->known));
    pod->tick_ns = 0;
    pod->has_batch = false;
    pod->is_open = sequencer_init(&pod->sequencer, &setup) == 0;
    if (!pod->is_open)
        sim_fail(sim, "no memory for a log");
    ordered_app_restart(sim, index);
}

void ordered_init(struct sim *sim)
{
    struct ordered *ordered = sim->options.ordered;

    if (!ordered)
        return;
    ordered_fini(sim);
    ordered->random.state = sim->options.seed * 0x9e3779b97f4a7c15 + 7;
    ordered->commits = sim->quorum && !sim->options.api && !sim->shrinks && !sim->forges &&
                       (ordered->broken || random_chance(&ordered->random, 600));
    ordered->log_bytes = (size_t)64 * 1024 << random_below(&ordered->random, 6);
    if (ordered->commits) /* the leader keeps headroom in it */
        ordered->log_bytes += (size_t)1024 * 1024;
    ordered->client_every_ns = random_between(&ordered->random, 10 * NS_PER_MS, 60 * NS_PER_MS);
    ordered->deaf_permille = (uint32_t)random_below(&ordered->random, 30);
    ordered->message = 1;
    for (uint32_t i = 0; i < ORDERED_FRAMES; i++)
        ordered->frames[i].next_free = i + 1;
    sim_at(sim, NS_PER_SEC, SIM_CLIENT, 0, 1, 0);
}

void ordered_fini(struct sim *sim)
{
    struct ordered *ordered = sim->options.ordered;
    enum ordered_broken broken;

    if (!ordered)
        return;
    broken = ordered->broken;
    for (uint32_t i = 0; i < SIM_PODS_MAX; i++) {
        if (ordered->pods[i].is_open)
            sequencer_fini(&ordered->pods[i].sequencer);
    }
    memset(ordered, 0, sizeof(*ordered));
    ordered->broken = broken;
}
