/*
 * scenario_lease_touched: somebody changes the Lease soon after a take-over, when holders before the last one may
 * still have time; or the reply to a take-over is lost.
 */
#include <stdio.h>

#include "api.h"
#include "scenario.h"

static struct lease *lease_of(struct sim *sim, uint32_t pod)
{
    return &sim->options.api->pods[pod].lease;
}

static bool leads_pod_1(const struct sim *sim)
{
    return sim_valid_leader(sim) == 1;
}

static bool leads_after_pod_1(const struct sim *sim)
{
    return sim_valid_leader(sim) >= 0 && sim_valid_leader(sim) != 1;
}

/* Pod 0 has been killed a second ago; pod 1 was elected by votes. */
static void take_over(struct sim *sim, bool trace)
{
    scenario_lease_prepare(sim, 3, trace);
    scenario_lease_settle(sim);
    scenario_kill_refused(sim, 1);
    if (scenario_until(sim, leads_pod_1, 1000) > 1000)
        sim_fail(sim, "pod 1 was to lead");
    sim_start_pod(sim, 0, false);
    scenario_wait_ms(sim, 1000);
}

static void name_holder(struct sim *sim, const char *holder)
{
    struct lease_record *record = &sim->options.api->record;

    (void)snprintf(record->holder, sizeof(record->holder), "%s", holder);
    api_changed(sim);
}

static unsigned run_edited(struct sim *sim, bool trace)
{
    take_over(sim, trace);
    name_holder(sim, "nobody");
    return scenario_until(sim, leads_after_pod_1, 30000);
}

static unsigned run_emptied(struct sim *sim, bool trace)
{
    take_over(sim, trace);
    name_holder(sim, "");
    return scenario_until(sim, leads_after_pod_1, 30000);
}

/* The leader that is to see it has no API server and no peers: the votes of the others. */
static unsigned run_edited_unseen(struct sim *sim, bool trace)
{
    take_over(sim, trace);
    for (uint32_t i = 0; i < 3; i += 2) {
        sim_cut(sim, 1, i, 1);
        sim_cut(sim, i, 1, 1);
    }
    sim->options.api->pods[1].outages++;
    name_holder(sim, "nobody");
    return scenario_until(sim, leads_after_pod_1, 30000);
}

/* No pod hears that the leader has stepped down, since it is alone. */
static unsigned run_edited_alone(struct sim *sim, bool trace)
{
    scenario_lease_prepare(sim, 2, trace);
    scenario_lease_settle(sim);
    sim_crash_pod(sim, 1, false);
    name_holder(sim, "nobody");
    if (scenario_until(sim, scenario_nobody_is_valid, 1000) > 1000)
        sim_fail(sim, "pod 0 was to step down");
    return scenario_until(sim, scenario_has_leader, 30000);
}

/* Pod 1 leads on, in its term, and writes it. */
static unsigned expect_on(struct sim *sim, uint64_t term)
{
    if (scenario_until(sim, scenario_nobody_is_valid, 20000) <= 20000 ||
        sim->options.api->record.term != term || sim->pods[1].leadership.term != term)
        sim_fail(sim, "pod 1 was to lead on in term %llu", (unsigned long long)term);
    return 0;
}

static unsigned run_restored(struct sim *sim, bool trace)
{
    struct sim_api *api;
    uint64_t term;

    take_over(sim, trace);
    api = sim->options.api;
    term = sim->pods[1].leadership.term;
    api->record = api->backup;
    (void)snprintf(api->record.uid, sizeof(api->record.uid), "uid-restored");
    api_changed(sim);
    return expect_on(sim, term);
}

/* The manifest's Lease, which is empty, is applied in the place of the one that was deleted. */
static unsigned run_applied(struct sim *sim, bool trace)
{
    struct sim_api *api;
    uint64_t term;

    take_over(sim, trace);
    api = sim->options.api;
    term = sim->pods[1].leadership.term;
    api->record = (struct lease_record){.exists = true, .uid = "uid-applied"};
    api_changed(sim);
    return expect_on(sim, term);
}

static unsigned run_term_edited(struct sim *sim, bool trace)
{
    uint64_t term;

    take_over(sim, trace);
    term = sim->pods[1].leadership.term;
    sim->options.api->record.term = UINT64_MAX;
    api_changed(sim);
    return expect_on(sim, term);
}

/* The API server's data are a second older than they were, and its versions begin there again. */
static unsigned run_backup(struct sim *sim, bool trace)
{
    struct sim_api *api;
    struct lease_record record;
    uint64_t term, version;

    take_over(sim, trace);
    api = sim->options.api;
    term = sim->pods[1].leadership.term;
    record = api->record;
    version = api->version;
    scenario_wait_ms(sim, 6000);
    api->record = record;
    api->version = version;
    return expect_on(sim, term);
}

/* The reply to the PUT of the take-over is lost: a read shows that it was ours, and its term counts. */
static unsigned run_seal_unseen(struct sim *sim, bool trace)
{
    struct sim_api *api;
    uint64_t term;
    unsigned ms;

    scenario_lease_prepare(sim, 3, trace);
    scenario_lease_settle(sim);
    api = sim->options.api;
    term = api->record.term;
    scenario_kill_refused(sim, 1);
    while (!sim->failed && lease_of(sim, 1)->verb != LEASE_PUT)
        sim_run(sim, sim->now_ns + 100 * NS_PER_US);
    api->pods[1].outages++;
    scenario_wait_ms(sim, 30);
    api->pods[1].outages--;
    ms = scenario_until(sim, leads_pod_1, 5000);
    if (api->record.term != term + 1)
        sim_fail(sim, "the term was to be one more");
    return ms;
}

const struct scenario scenario_lease_touched[] = {
    {"lease-edited-early", run_edited, 6,
     "the holder is edited soon after a take-over: another leads"},
    {"lease-emptied-early", run_emptied, 6, "it is emptied: another leads"},
    {"lease-edited-unseen", run_edited_unseen, 807,
     "the leader is cut off and does not see it: votes"},
    {"lease-edited-alone", run_edited_alone, 1653,
     "a leader without peers sees it: it leads again"},
    {"lease-restored", run_restored, 0, "an old copy is restored: the leader leads on"},
    {"lease-applied", run_applied, 0, "an empty Lease takes its place: the leader leads on"},
    {"lease-term-edited", run_term_edited, 0, "the term is edited: the leader leads on"},
    {"lease-backup", run_backup, 0, "the API server has old data again: the leader leads on"},
    {"lease-seal-unseen", run_seal_unseen, 977,
     "the reply to a take-over is lost: a read is enough"},
    {0},
};
