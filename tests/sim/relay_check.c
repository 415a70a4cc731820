/*
 * relay_check: what the apps got, and the invariants.
 *
 *   - a request whose ingress pod lives is given to an app, or is counted as lost; it is counted
 *     only if the pod's leader was not well for a second of the time for which it was kept
 *   - an app is not given a request twice, unless it is marked as relayed again or came by two hops
 *   - an app is given the requests of a client in their order, those that an app had before apart
 *   - with replied, a reply is not counted for an earlier request than its own, unless the leader or
 *     its term has changed since that, one of both came by two hops, or a reply was kept for the
 *     longest time
 *   - with replied, a client gets no second reply, unless a leader that had stepped down did not
 *     confirm in time, or relayed it itself, or its frame was not said to have arrived, or a reply was
 *     counted for another request, and since then the client always had a request without a reply
 */
#include "relay.h"

#define WELL_NS     NS_PER_SEC
#define SETTLING_NS (10 * NS_PER_SEC) /* the last requests of a run end by then */

static bool had_before(const struct relay_request *request, uint64_t instance)
{
    for (size_t i = 0; i < 4; i++) {
        if (request->given_to[i] == instance)
            return true;
    }
    return false;
}

void relay_app_take(struct sim *sim, uint32_t index, const struct relay_record *record)
{
    struct sim_relay *relay = sim->options.relay;
    struct relay_request *request = &relay->list[record->id];
    uint64_t instance = sim->pods[index].config.self.instance;
    uint32_t *last = &relay->pods[index].last[record->ingress][request->client % RELAY_CLIENTS];
    bool is_marked = record->is_replayed || record->hops == RELAY_HOPS_MAX;

    if (had_before(request, instance) && !is_marked)
        sim_fail(sim, "the app of pod %u was given request %u twice", index, record->id);
    if (!request->given && record->id < *last && record->hops < RELAY_HOPS_MAX)
        sim_fail(sim, "the app of pod %u was given request %u after %u", index, record->id, *last);
    if (record->id > *last && record->hops < RELAY_HOPS_MAX)
        *last = record->id;
    request->came_by_two |= record->hops == RELAY_HOPS_MAX;
    request->may_have_two |= request->came_by_two && request->given > 0;
    request->given_to[request->given++ % 4] = instance;
    relay->delivered++;
    relay->replayed += record->is_replayed;
    sim_trace(sim, "%u's app gets request %u%s", index, record->id, is_marked ? " (marked)" : "");
}

void relay_note_lost(struct sim *sim, uint32_t index, uint32_t id)
{
    const struct relay_pod *pod = &sim->options.relay->pods[index];

    sim_trace(sim, "%u has lost request %u", index, id);
    sim->options.relay->list[id].is_lost = true;
    sim->options.relay->lost++;
    if (pod->well_since_ns && sim->now_ns - pod->well_since_ns >= WELL_NS &&
        !sim->options.relay->list[id].given)
        sim_fail(sim, "pod %u lost request %u, and its leader was well for %.3f s", index, id,
                 (double)(sim->now_ns - pod->well_since_ns) / 1e9);
}

/* The next reply to this client counts for this ticket; NULL: for none. */
static const struct kept_ticket *next_ticket(const struct kept_replies *replies, uint64_t tag)
{
    uint32_t place = replies->lists[tag & replies->mask].first;

    while (place && (replies->tickets[place - 1].is_over || replies->tickets[place - 1].tag != tag))
        place = replies->tickets[place - 1].next;
    return place ? &replies->tickets[place - 1] : NULL;
}

static void check_count(struct sim *sim, uint32_t index, uint32_t id, uint64_t term)
{
    struct sim_relay *relay = sim->options.relay;
    const struct relay_pod *pod = &relay->pods[index];
    const uint8_t client = relay->list[id].client;
    const struct kept_ticket *ticket = next_ticket(&pod->replies, client);
    const struct kept_frame *frame = ticket ? ticket->frame : NULL;
    struct relay_record records[RELAY_RECORDS];
    uint32_t counted;
    bool may_be;

    if (!frame)
        return;
    memcpy(records, kept_records(frame), frame->bytes);
    counted = records[(uint32_t)(ticket - pod->replies.tickets) -
                      (frame->first_ticket & pod->replies.mask)]
                  .id;
    if (counted >= id) /* above: its own ticket is over; a second reply, or a late one */
        return;
    sim_trace(sim, "%u counts the reply to request %u for request %u", index, id, counted);
    may_be = relay->is_shifted[client] || relay->list[counted].came_by_two ||
             relay->list[id].came_by_two || frame->term < term ||
             frame->term < sim->pods[index].leadership.term;
    relay->is_shifted[client] = true;
    if (!may_be)
        sim_fail(sim, "the reply to request %u was counted for request %u", id, counted);
}

void relay_note_reply(struct sim *sim, uint32_t index, uint32_t id, uint64_t term)
{
    struct sim_relay *relay = sim->options.relay;
    struct relay_request *request = &relay->list[id];
    struct relay_pod *pod = &relay->pods[index];

    if (request->ingress != sim->pods[index].config.self.instance)
        return; /* its tag is another pod's */
    if (request->has_reply && pod->kept.needs_replies && !request->may_have_two)
        sim_fail(sim, "the client of request %u got two replies", id);
    sim_trace(sim, "%u has the reply to request %u", index, id);
    if (pod->kept.needs_replies && term)
        check_count(sim, index, id, term);
    request->has_reply = true;
    relay->replies++;
    if (pod->kept.needs_replies && term)
        kept_replies_pass(&pod->replies, &pod->kept, request->client);
}

static bool is_clear(const struct sim *sim, uint32_t from, uint32_t to)
{
    return !sim->cuts[from][to] && !sim->cuts[to][from];
}

void relay_watch(struct sim *sim, uint32_t index)
{
    struct relay_pod *pod = &sim->options.relay->pods[index];
    const struct sim_pod *self = &sim->pods[index];
    uint32_t leader = relay_pod_of(sim, self->leadership.leader);
    bool is_well = leader < sim->pod_count && sim_valid_leader(sim) == (int)leader &&
                   sim->pods[leader].is_up && !sim->pods[leader].is_stalled && !self->is_stalled &&
                   is_clear(sim, index, leader) && !sim->lossy && !sim->slow &&
                   sim->options.relay->pods[leader].is_app_up &&
                   self->leadership.leader == pod->leader &&
                   sim_local(self, sim->now_ns) < self->leadership.valid_until_ns;

    if (!is_well)
        pod->well_since_ns = 0;
    else if (!pod->well_since_ns)
        pod->well_since_ns = sim->now_ns;
}

void relay_check_end(struct sim *sim)
{
    const struct sim_relay *relay = sim->options.relay;

    if (!relay || sim->failed)
        return;
    for (uint32_t id = 1; id <= relay->requests && !sim->failed; id++) {
        const struct relay_request *request = &relay->list[id];

        if (relay_pod_of(sim, request->ingress) == sim->pod_count || request->is_lost)
            continue;
        if (!request->given)
            sim_fail(sim, "request %u was given to no app, and is not counted as lost", id);
        if (relay->needs_replies && !request->has_reply)
            sim_trace(sim, "request %u has no reply", id);
    }
    for (uint32_t pod = 0; pod < sim->pod_count; pod++) {
        const struct relay_pod *p = &relay->pods[pod];

        if (sim->pods[pod].is_up &&
            (p->kept.requests || p->kept.orphans || p->hold_put != p->hold_left))
            sim_fail(sim, "pod %u keeps %llu requests at the end", pod,
                     (unsigned long long)p->kept.requests);
    }
}
