/* The faults of the API server, and the people and electors that touch the Lease. */
#include <inttypes.h>
#include <stdio.h>

#include "api.h"

#define ELECTOR_RETRY_NS (2 * NS_PER_SEC)

enum api_fault {
    API_OUTAGE, /* for one pod, often the leader */
    API_OUTAGE_ALL,
    API_FREEZE,
    API_WATCH, /* broken at one pod */
    API_NODE,  /* one pod, often the leader, has neither API server nor peers */
    API_DELETE,
    API_EDIT_HOLDER,
    API_EDIT_DURATION,
    API_RESTORE, /* an old copy, as a new object */
    API_ELECTOR,
    API_FAULT_COUNT
};

/* Mostly short, sometimes long: 50 ms to about 25 s. */
static uint64_t duration(struct sim_api *api)
{
    uint64_t longest = NS_PER_SEC / 5 << random_below(&api->random, 8);

    return random_between(&api->random, 50 * NS_PER_MS, longest + 100 * NS_PER_MS);
}

static void cut_off(struct sim *sim, uint32_t pod, uint64_t for_ns)
{
    sim_trace(sim, "%u has no API server for %.3f s", pod, (double)for_ns / 1e9);
    sim->options.api->pods[pod].outages++;
    sim_at(sim, sim->now_ns + for_ns, SIM_API_FAULT_END, pod, API_OUTAGE, 0);
}

static void break_watch(struct sim *sim, uint32_t pod, uint64_t for_ns)
{
    sim->options.api->pods[pod].watch_broken_ns = sim->now_ns + for_ns;
    sim_at(sim, sim->now_ns + for_ns, SIM_API_FAULT_END, pod, API_WATCH, 0);
}

static void isolate_node(struct sim *sim, uint32_t pod, int change)
{
    for (uint32_t i = 0; i < sim->pod_count; i++) {
        if (i == pod)
            continue;
        sim_cut(sim, i, pod, change);
        sim_cut(sim, pod, i, change);
    }
}

/* For long enough that others may take the Lease; sometimes it is touched meanwhile. */
static void cut_off_node(struct sim *sim, uint32_t pod)
{
    struct sim_api *api = sim->options.api;
    uint64_t for_ns = random_between(&api->random, NS_PER_SEC, 2 * api->duration_ns);

    sim_trace(sim, "%u has neither API server nor peers for %.3f s", pod, (double)for_ns / 1e9);
    isolate_node(sim, pod, 1);
    api->pods[pod].outages++;
    sim_at(sim, sim->now_ns + for_ns, SIM_API_FAULT_END, pod, API_NODE, 0);
    if (api->is_touched && random_chance(&api->random, 500))
        sim_at(sim, sim->now_ns + random_below(&api->random, 2 * NS_PER_SEC), SIM_API_FAULT, 0,
               random_between(&api->random, API_DELETE, API_FAULT_COUNT - 1), 0);
}

/* A watch that is opened again begins with the present record; an empty list has a version, too. */
static void show_record(struct sim *sim, uint32_t pod)
{
    struct sim_api *api = sim->options.api;
    uint32_t index = api->free_slot;

    if (index == API_SLOTS)
        return;
    api->free_slot = api->slots[index].next_free;
    api->slots[index] = (struct sim_api_slot){.record = api->record,
                                              .instance = sim->pods[pod].config.self.instance};
    (void)snprintf(api->slots[index].record.version, sizeof(api->record.version), "%" PRIu64,
                   api->version);
    sim_at(sim, sim->now_ns + api->delay_ns, SIM_API_WATCH, pod, index, 0);
}

void api_fault_end(struct sim *sim, const struct sim_event *event)
{
    struct sim_api_pod *pod = &sim->options.api->pods[event->pod];

    if (event->a == API_NODE && !sim->is_healed)
        isolate_node(sim, event->pod, -1);
    if (event->a != API_WATCH && pod->outages && --pod->outages == 0)
        show_record(sim, event->pod); /* its watch was closed as well */
    else if (event->a == API_WATCH && sim->now_ns >= pod->watch_broken_ns)
        show_record(sim, event->pod);
}

/* ---- the Lease is touched ---- */

/* Often more than once: of two deletions within one duration some pods see the second one only. */
static void delete_lease(struct sim *sim, bool restores)
{
    struct sim_api *api = sim->options.api;

    if (!api->record.exists)
        return;
    if (random_chance(&api->random, 400))
        sim_at(sim, sim->now_ns + random_below(&api->random, 2 * api->duration_ns), SIM_API_FAULT,
               0, API_DELETE, 0);
    sim_trace(sim, "the Lease is deleted%s", restores ? ", and an old copy restored" : "");
    api->deleted_ns = sim->now_ns;
    for (uint32_t i = 0; i < sim->pod_count; i++)
        sim->pods[i].former_done_term = 0; /* a term may be given again */
    api->record.exists = false;
    api_changed(sim);
    if (!restores || !api->backup.exists)
        return;
    api->record = api->backup;
    (void)snprintf(api->record.uid, sizeof(api->record.uid), "uid-%" PRIu64, ++api->uids);
    api_changed(sim);
}

static void edit_holder(struct sim *sim, uint32_t pod)
{
    struct sim_api *api = sim->options.api;
    const char *holder = api->pods[pod].lease.holder;

    if (!api->record.exists)
        return;
    if (random_chance(&api->random, 300))
        holder = "";
    (void)snprintf(api->record.holder, sizeof(api->record.holder), "%s", holder);
    sim_trace(sim, "somebody makes '%s' the holder", holder);
    api_changed(sim);
}

static void edit_duration(struct sim *sim)
{
    struct sim_api *api = sim->options.api;

    if (!api->record.exists)
        return;
    api->record.duration_ns = random_chance(&api->random, 500) ? NS_PER_SEC : API_EDITED_NS;
    sim_trace(sim, "somebody changes the duration");
    api_changed(sim);
}

/* As client-go: it takes what it has not seen change for the record's duration, and renews it. It keeps
 * the annotations. */
void api_elector(struct sim *sim, const struct sim_event *event)
{
    struct sim_api *api = sim->options.api;
    bool is_holder = strcmp(api->record.holder, "elector") == 0;
    bool is_over = sim->now_ns >= api->elector_ns || sim->is_healed;

    (void)event;

    if (is_over && is_holder) {
        api->record.holder[0] = '\0';
        api->record.duration_ns = NS_PER_SEC;
        api_changed(sim);
        return;
    }
    if (is_over)
        return;
    sim_at(sim, sim->now_ns + ELECTOR_RETRY_NS, SIM_API_ELECTOR, 0, 0, 0);
    if (strcmp(api->record.version, api->elector_version) != 0) {
        memcpy(api->elector_version, api->record.version, sizeof(api->elector_version));
        api->elector_seen_ns = sim->now_ns;
    }
    if (!api->record.exists || (!is_holder && api->record.holder[0] &&
                                sim->now_ns < api->elector_seen_ns + api->record.duration_ns))
        return;
    sim_trace(sim, "another elector %s the Lease", is_holder ? "renews" : "takes");
    (void)snprintf(api->record.holder, sizeof(api->record.holder), "elector");
    api->record.duration_ns = 15 * NS_PER_SEC;
    api_changed(sim);
}

static void start_elector(struct sim *sim)
{
    struct sim_api *api = sim->options.api;

    if (sim->now_ns < api->elector_ns)
        return;
    api->elector_ns = sim->now_ns + duration(api);
    api->elector_version[0] = '\0';
    sim_at(sim, sim->now_ns, SIM_API_ELECTOR, 0, 0, 0);
}

/* ---- the next fault ---- */

static void disturb(struct sim *sim, enum api_fault fault)
{
    struct sim_api *api = sim->options.api;
    int leader = sim_valid_leader(sim);
    uint32_t pod = leader >= 0 && random_chance(&api->random, 500)
                       ? (uint32_t)leader
                       : (uint32_t)random_below(&api->random, sim->pod_count);
    uint64_t for_ns = duration(api);

    switch (fault) {
    case API_OUTAGE:
        cut_off(sim, pod, for_ns);
        break;
    case API_OUTAGE_ALL:
        for (uint32_t i = 0; i < sim->pod_count; i++)
            cut_off(sim, i, for_ns);
        break;
    case API_FREEZE:
        api->frozen_ns = sim->now_ns + for_ns / 4;
        break;
    case API_WATCH:
        break_watch(sim, pod, for_ns);
        break;
    case API_NODE:
        cut_off_node(sim, pod);
        break;
    case API_DELETE:
    case API_RESTORE:
        delete_lease(sim, fault == API_RESTORE);
        break;
    case API_EDIT_HOLDER:
        edit_holder(sim, pod);
        break;
    case API_EDIT_DURATION:
        edit_duration(sim);
        break;
    default:
        start_elector(sim);
        break;
    }
    if (api->disturbed_ns < sim->now_ns + for_ns)
        api->disturbed_ns = sim->now_ns + for_ns;
}

void api_fault(struct sim *sim, const struct sim_event *event)
{
    struct sim_api *api = sim->options.api;
    uint64_t kinds = api->is_touched ? API_FAULT_COUNT : API_DELETE;

    if (sim->now_ns >= sim->heal_ns)
        return;
    if (event->a) { /* besides the others */
        disturb(sim, (enum api_fault)event->a);
        return;
    }
    disturb(sim, (enum api_fault)random_below(&api->random, kinds));
    sim_at(sim, sim->now_ns + random_between(&api->random, NS_PER_MS, 10 * NS_PER_SEC),
           SIM_API_FAULT, 0, 0, 0);
}

void api_heal(struct sim *sim)
{
    struct sim_api *api = sim->options.api;

    if (!api)
        return;
    api->frozen_ns = 0;
    api->late_permille = api->lost_permille = api->duplicate_permille = 0;
    for (uint32_t i = 0; i < sim->pod_count; i++) {
        api->pods[i].outages = 0;
        api->pods[i].watch_broken_ns = 0;
        show_record(sim, i);
    }
}

void api_faults_init(struct sim *sim)
{
    static const uint64_t durations_s[] = {5, 8, 15};
    struct sim_api *api = sim->options.api;
    struct random *random;

    if (!api)
        return;
    random = &api->random;
    api->duration_ns = durations_s[random_below(random, 3)] * NS_PER_SEC;
    api->delay_ns = random_between(random, NS_PER_MS / 2, 30 * NS_PER_MS);
    if (random_chance(random, 100))
        api->delay_ns = 300 * NS_PER_MS;
    api->is_touched = random_chance(random, 500);
    if (random_chance(random, 600)) {
        api->late_permille = (uint32_t)random_below(random, 60);
        api->lost_permille = (uint32_t)random_below(random, 60);
        api->duplicate_permille = (uint32_t)random_below(random, 60);
    }
    api->disturbed_ns = api->late_permille || api->lost_permille ? sim->ends_ns : 0;
    sim_at(sim, random_below(random, 20 * NS_PER_SEC), SIM_API_FAULT, 0, 0, 0);
}
