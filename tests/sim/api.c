/* The API server, and the pods' side of it. api.h describes both. */
#include <inttypes.h>
#include <stdio.h>

#include "api.h"

#define TIMEOUT_NS NS_PER_SEC /* lease.timeout */

/* ---- slots ---- */

static uint32_t take_slot(struct sim *sim)
{
    struct sim_api *api = sim->options.api;
    uint32_t index = api->free_slot;

    if (index < API_SLOTS)
        api->free_slot = api->slots[index].next_free;
    else
        sim_fail(sim, "no slot for a request to the API server");
    return index;
}

static void free_slot(struct sim_api *api, uint32_t index)
{
    api->slots[index].next_free = api->free_slot;
    api->free_slot = index;
}

/* ---- the network ---- */

static uint64_t transit(struct sim_api *api)
{
    uint64_t delay_ns = random_between(&api->random, api->delay_ns / 8, api->delay_ns);

    if (random_chance(&api->random, api->late_permille))
        delay_ns += random_below(&api->random, 6 * NS_PER_SEC);
    return delay_ns;
}

static bool is_lost(struct sim *sim, uint32_t pod)
{
    struct sim_api *api = sim->options.api;

    return api->pods[pod].outages || random_chance(&api->random, api->lost_permille);
}

/* ---- the pods' side ---- */

static void send_request(struct sim *sim, uint32_t pod)
{
    struct sim_api *api = sim->options.api;
    const struct lease_actions *actions = &api->actions;
    uint64_t timeout_ns = TIMEOUT_NS * 1000 / sim->pods[pod].clock_ppm * 1000;
    uint32_t copies = random_chance(&api->random, api->duplicate_permille) ? 2 : 1;

    sim_trace(sim, "%u => %s %u: holder %s term %" PRIu64 " %s version %s", pod,
              actions->verb == LEASE_GET   ? "GET"
              : actions->verb == LEASE_PUT ? "PUT"
                                           : "POST",
              actions->request, actions->verb == LEASE_GET ? "" : actions->record.holder,
              actions->record.term, actions->record.fence == LEASE_FENCE_PEERS ? "peers" : "lease",
              actions->record.version);
    sim_at(sim, sim->now_ns + timeout_ns, SIM_API_TIMEOUT, pod, actions->request,
           sim->pods[pod].config.self.instance);
    for (uint32_t i = 0; i < copies; i++) {
        uint32_t index;

        if (is_lost(sim, pod) || (index = take_slot(sim)) == API_SLOTS)
            continue;
        api->slots[index] = (struct sim_api_slot){.request = actions->request,
                                                  .instance = sim->pods[pod].config.self.instance,
                                                  .verb = actions->verb,
                                                  .record = actions->record};
        sim_at(sim, sim->now_ns + transit(api), SIM_API_REQUEST, pod, index, 0);
    }
}

/* Runs lease_step with the event, and the election with its news, until there are no more. */
static void step_lease(struct sim *sim, uint32_t pod, const struct lease_event *event)
{
    struct sim_api *api = sim->options.api;
    struct sim_pod *p = &sim->pods[pod];
    struct election_lease news;
    const struct election_event lease = {.type = ELECTION_LEASE, .lease = &news};
    bool has_news;

    lease_step(&api->pods[pod].lease, event, &p->election, sim_local(p, sim->now_ns),
               &api->actions);
    has_news = api->actions.has_news;
    news = api->actions.news;
    if (has_news && api->actions.verb != LEASE_NOTHING) {
        struct lease_actions first = api->actions;

        sim_step_only(sim, pod, &lease);
        api->actions = first;
        send_request(sim, pod);
    } else if (has_news) {
        sim_step_only(sim, pod, &lease);
    } else if (api->actions.verb != LEASE_NOTHING) {
        send_request(sim, pod);
    }
    if (has_news)
        api_run(sim, pod);
}

void api_run(struct sim *sim, uint32_t pod)
{
    if (sim->options.api && !sim->failed)
        step_lease(sim, pod, &(struct lease_event){.type = LEASE_TICK});
}

uint64_t api_deadline_ns(const struct sim *sim, uint32_t pod)
{
    return sim->options.api ? sim->options.api->pods[pod].lease.deadline_ns : UINT64_MAX;
}

void api_start_pod(struct sim *sim, uint32_t pod)
{
    struct sim_api *api = sim->options.api;
    struct sim_pod *p = &sim->pods[pod];
    struct lease_config config = {.refresh_ns = 20 * NS_PER_SEC};

    if (!api)
        return;
    config.duration_ns = api->duration_ns;
    lease_init(&api->pods[pod].lease, &config, &p->config, sim_local(p, sim->now_ns));
}

/* ---- the server ---- */

void api_changed(struct sim *sim)
{
    struct sim_api *api = sim->options.api;

    (void)snprintf(api->record.version, sizeof(api->record.version), "%" PRIu64, ++api->version);
    for (uint32_t pod = 0; pod < sim->pod_count; pod++) {
        uint32_t index;

        if (!sim->pods[pod].is_up || api->pods[pod].outages ||
            sim->now_ns < api->pods[pod].watch_broken_ns || (index = take_slot(sim)) == API_SLOTS)
            continue;
        api->slots[index] = (struct sim_api_slot){.record = api->record,
                                                  .instance = sim->pods[pod].config.self.instance};
        sim_at(sim, sim->now_ns + transit(api), SIM_API_WATCH, pod, index, 0);
    }
}

static enum lease_outcome create(struct sim *sim, const struct lease_record *record)
{
    struct sim_api *api = sim->options.api;

    api->record = *record;
    api->record.exists = true;
    (void)snprintf(api->record.uid, sizeof(api->record.uid), "uid-%" PRIu64, ++api->uids);
    api_changed(sim);
    return LEASE_OK;
}

static enum lease_outcome put(struct sim *sim, const struct lease_record *record)
{
    struct sim_api *api = sim->options.api;

    if (!record->version[0])
        return LEASE_REFUSED;
    if (!api->record.exists)
        return record->uid[0] ? LEASE_CONFLICT : create(sim, record);
    if ((record->uid[0] && strcmp(record->uid, api->record.uid) != 0) ||
        strcmp(record->version, api->record.version) != 0)
        return LEASE_CONFLICT;
    api->backup = api->record;
    api->record = *record;
    (void)snprintf(api->record.uid, sizeof(api->record.uid), "%s", api->backup.uid);
    api_changed(sim);
    return LEASE_OK;
}

void api_serve(struct sim *sim, const struct sim_event *event)
{
    struct sim_api *api = sim->options.api;
    struct sim_api_slot *slot = &api->slots[event->a];

    if (sim->now_ns < api->frozen_ns) {
        sim_at(sim, api->frozen_ns, SIM_API_REQUEST, event->pod, event->a, 0);
        return;
    }
    api->served++;
    if (api->pods[event->pod].is_forbidden)
        slot->outcome = LEASE_REFUSED;
    else if (slot->verb == LEASE_PUT)
        slot->outcome = put(sim, &slot->record);
    else if (slot->verb == LEASE_POST)
        slot->outcome = api->record.exists ? LEASE_CONFLICT : create(sim, &slot->record);
    else
        slot->outcome = LEASE_OK;
    slot->record = api->record;
    if (!api->record.exists)
        slot->record.version[0] = '\0';
    sim_trace(sim, "API server: request %u of %u: %s; holder %s term %" PRIu64 " version %s",
              slot->request, event->pod, slot->outcome == LEASE_OK ? "ok" : "conflict",
              api->record.exists ? api->record.holder : "(deleted)", api->record.term,
              api->record.version);
    if (is_lost(sim, event->pod))
        free_slot(api, (uint32_t)event->a);
    else
        sim_at(sim, sim->now_ns + transit(api), SIM_API_REPLY, event->pod, event->a, 0);
}

/* ---- what arrives at a pod ---- */

static void arrive(struct sim *sim, uint32_t pod, uint64_t instance,
                   const struct lease_event *event)
{
    const struct sim_pod *p = &sim->pods[pod];

    /* A pod that has left the list still releases the Lease. */
    if ((p->is_up || p->election.state == ELECTION_OUT) && p->config.self.instance == instance)
        step_lease(sim, pod, event);
}

void api_reply(struct sim *sim, const struct sim_event *event)
{
    struct sim_api *api = sim->options.api;
    struct sim_api_slot slot = api->slots[event->a];

    free_slot(api, (uint32_t)event->a);
    arrive(sim, event->pod, slot.instance,
           &(struct lease_event){.type = event->type == SIM_API_WATCH ? LEASE_SEEN : LEASE_REPLY,
                                 .outcome = slot.outcome,
                                 .request = slot.request,
                                 .record = &slot.record});
}

void api_time_out(struct sim *sim, const struct sim_event *event)
{
    arrive(sim, event->pod, event->b,
           &(struct lease_event){
               .type = LEASE_REPLY, .outcome = LEASE_UNKNOWN, .request = (uint32_t)event->a});
}

/* ---- a run ---- */

void api_init(struct sim *sim)
{
    struct sim_api *api = sim->options.api;

    if (!api)
        return;
    memset(api, 0, offsetof(struct sim_api, slots));
    memset(&api->free_slot, 0, sizeof(*api) - offsetof(struct sim_api, free_slot));
    for (uint32_t i = 0; i < API_SLOTS; i++)
        api->slots[i].next_free = i + 1;
    api->random = (struct random){.state = sim->options.seed ^ 0x1ea5e};
    api->delay_ns = 4 * NS_PER_MS;
    api->duration_ns = 15 * NS_PER_SEC;
    for (uint32_t i = 0; i < sim->pod_count; i++)
        sim->pods[i].config.has_lease = true;
    sim->quorum = true; /* of two pods as well never both lead */
}

bool api_is_clear(const struct sim *sim)
{
    const struct sim_api *api = sim->options.api;

    return !api || (!api->is_touched && sim->now_ns > api->disturbed_ns + 2 * api->duration_ns &&
                    sim->now_ns > api->frozen_ns + 2 * api->duration_ns);
}

uint64_t api_patience_ns(const struct sim *sim)
{
    const struct sim_api *api = sim->options.api;

    if (!api)
        return 0;
    return api->is_touched ? 2 * API_EDITED_NS : api->duration_ns / 2 * 5;
}
