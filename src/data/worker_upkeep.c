/* worker_upkeep: held requests, kept ones, and timers of a worker. */
#include "data/route_again.h"
#include "data/worker.h"

#define TICK_NS (100 * NS_PER_MS)

/* Never back into hold: the decision is made once a slice. */
static void route_held(void *context, const struct request *request)
{
    route_now(context, request);
}

/* In portions: before each, worker_begin looks whether there is still a leader, and whether its app
 * takes requests. */
static size_t release_held(struct worker *worker)
{
    struct routing *routing = &worker->routing;
    size_t released = 0, n = 1;

    hold_expire(&routing->hold, routing->snapshot->settings.hold_time_ns, routing->now_ns);
    while (n > 0 && routing->decision != ROUTE_HOLD && routing->relay.is_settled) {
        n = hold_release(&routing->hold, routing->now_ns, route_held, routing);
        worker_flush(worker); /* the next requests may overwrite the arena */
        worker_begin(worker);
        released += n;
    }
    return released;
}

/* To an app that is not up: whether it takes this one is its health check. */
static size_t release_trial(struct worker *worker)
{
    struct routing *routing = &worker->routing;
    size_t released;

    if (!routing->replier.leads || hold_is_empty(&routing->hold) ||
        !app_wants_trial(&routing->app) || sequencer_runner_must_adopt(routing))
        return 0;
    routing->decision = ROUTE_DELIVER;
    released = hold_release_one(&routing->hold, routing->now_ns, route_held, routing);
    worker_flush(worker);
    worker_begin(worker);
    return released;
}

/* Kept requests of a lost leader, before held ones. */
static size_t release_kept(struct worker *worker)
{
    struct routing *routing = &worker->routing;
    struct kept *kept = &routing->relay.kept;
    size_t released = 0, limit = worker->own_pace_bytes;

    if (!kept->orphans || routing->decision == ROUTE_HOLD ||
        (routing->decision == ROUTE_DELIVER && routing->now_ns < worker->again_ns))
        return 0;
    worker->again_ns = routing->now_ns + HOLD_RELEASE_PERIOD_NS;
    while (kept->orphans && routing->decision != ROUTE_HOLD && released < limit) {
        released += route_again(routing, limit - released);
        worker_flush(worker);
        kept_end_moves(kept);
        worker_begin(worker);
    }
    return released;
}

/* Timeouts; and frames that were refused can be taken by now. */
static void upkeep_kept(struct worker *worker)
{
    struct routing *routing = &worker->routing;
    struct relay *relay = &routing->relay;

    if (relay->confirm.has_refused && routing->decision != ROUTE_HOLD && relay->is_settled &&
        hold_is_empty(&routing->hold))
        confirm_resume(&relay->confirm);
    if (kept_is_on(&relay->kept) && kept_sleep_ns(&relay->kept) == 0)
        kept_tick(&relay->kept, relay->keep_ns);
    atomic_store_explicit(&relay->kept_count, relay->kept.requests, memory_order_relaxed);
    if (relay_has_due(relay))
        worker_flush(worker);
}

size_t worker_upkeep(struct worker *worker)
{
    struct routing *routing = &worker->routing;
    size_t released = 0;

    app_watch_health(&routing->app);
    released = release_trial(worker);
    if (!routing->relay.is_settled)
        released += release_kept(worker);
    if (!hold_is_empty(&routing->hold))
        released += release_held(worker);
    upkeep_kept(worker);
    app_report_sessions(&routing->app);
    if (routing->now_ns >= worker->next_tick_ns) {
        worker->next_tick_ns = routing->now_ns + TICK_NS;
        app_tick(&routing->app);
        reassembly_expire(&routing->reassembly);
        if (kept_is_on(&routing->relay.kept))
            kept_tick(&routing->relay.kept, routing->relay.keep_ns);
    }
    if (routing->runner && sequencer_runner_tick(routing))
        worker_flush(worker);
    if (relay_sleep_ns(&routing->relay) == 0)
        relay_flush(&routing->relay);
    return released;
}

uint64_t worker_sleep_ns(const struct worker *worker)
{
    const struct routing *routing = &worker->routing;
    /* No one wakes this thread when the time of a leader is extended. */
    bool is_waiting = !hold_is_empty(&routing->hold) || !routing->relay.is_settled ||
                      (worker->withholds_app && routing->app.udp);
    uint64_t sleep_ns = is_waiting ? HOLD_RELEASE_PERIOD_NS : AGENT_IDLE_MAX_NS;
    uint64_t sequence_ns = routing->runner
                               ? sequencer_sleep_ns(&routing->runner->sequencer, routing->now_ns)
                               : sleep_ns;
    uint64_t relay_ns = relay_sleep_ns(&routing->relay), app_ns = app_sleep_ns(&routing->app);
    uint64_t kept_ns = kept_sleep_ns(&routing->relay.kept);
    uint64_t confirm_ns = confirm_sleep_ns(&routing->relay.confirm);

    if (app_ns < sleep_ns)
        sleep_ns = app_ns;
    if (kept_ns < sleep_ns)
        sleep_ns = kept_ns;
    if (confirm_ns < sleep_ns)
        sleep_ns = confirm_ns;
    if (relay_ns < sleep_ns)
        sleep_ns = relay_ns;
    return sequence_ns < sleep_ns ? sequence_ns : sleep_ns;
}
