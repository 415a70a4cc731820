#include "data/worker.h"

#include <errno.h>

#define TICK_NS    (100 * NS_PER_MS)
#define BORROW_MAX 16 /* messages: with more, two threads are faster than one wake-up is dear */

int worker_init(struct worker *worker, const struct worker_setup *setup)
{
    const struct config *config = setup->config;
    int rc;

    memset(worker, 0, sizeof(*worker));
    worker->index = setup->index;
    worker->config = config;
    worker->identity = setup->identity;
    worker->publisher = setup->publisher;
    worker->data_socket = setup->data_socket;
    worker->bad_json_replies = budget_make(10 * NS_PER_MS, 100);
    worker->refusals = budget_make(100 * NS_PER_MS, COMMAND_QUEUE_LENGTH / 2);
    sign_seen_init(&worker->seen, clock_real_s());
    rc = waker_init(&worker->waker, config->workers == 0);
    if (!rc)
        rc = snapshot_publisher_register(setup->publisher, &worker->reader);
    if (!rc)
        rc = command_queue_init(&worker->command_queue, setup->supervisor_waker);
    if (!rc)
        rc = rate_limiter_init(&worker->limiter, &worker->counters);
    if (rc)
        return rc;
    rc = frame_auth_init(&worker->frame_auth, config, setup->identity, setup->windows);
    if (rc)
        return rc;
    rc = relay_init(&worker->relay, config, setup->identity, (uint16_t)setup->index,
                    &worker->counters, &worker->traffic);
    if (rc)
        return rc;
    rc =
        reply_init(&worker->replier, setup->data_socket, config, &worker->relay, &worker->counters);
    worker->worker_count = setup->worker_count;
    worker->own_pace_bytes = setup->rcvbuf_bytes / 4 / setup->worker_count;
    if (!rc)
        rc = hold_init(&worker->hold, config->hold_bytes / setup->worker_count,
                       worker->own_pace_bytes, &worker->counters);
    if (!rc)
        rc = app_init(&worker->app, config, setup->identity, &worker->replier, &worker->counters,
                      setup->worker_count);
    if (!rc)
        rc = sequence_init(worker);
    return rc;
}

void worker_fini(struct worker *worker)
{
    if (!worker->config)
        return; /* was never initialised */
    if (worker->app.ops)
        app_fini(&worker->app);
    sequence_fini(worker);
    hold_clear(&worker->hold, DROP_shutdown, clock_now_ns());
    hold_fini(&worker->hold);
    reply_fini(&worker->replier);
    relay_fini(&worker->relay);
    frame_auth_fini(&worker->frame_auth);
    rate_limiter_fini(&worker->limiter);
    command_queue_fini(&worker->command_queue);
    waker_fini(&worker->waker);
}

void worker_attach(struct worker *worker, struct ring_pair *pair, struct waker *receiver_waker)
{
    pair->worker = worker;
    worker->inputs[worker->input_count++] = (struct worker_input){pair, receiver_waker};
}

/* Where nobody waits for the copies: at the leader, whose own app replies, unless a majority has to
 * have a message first, or there may be no later. */
static uint64_t linger_of(const struct worker *worker)
{
    return worker->snapshot->kind == LEADER_SELF && !worker->is_ending &&
                   !(worker->sequence && worker->sequence->sequencer.commits)
               ? worker->config->relay_linger_ns
               : 0;
}

static void take_snapshot(struct worker *worker)
{
    const struct leader_snapshot *snapshot = snapshot_acquire(worker->publisher, &worker->reader);

    /* Not by address: while we slept, other snapshots may have come and gone in this place. */
    if (snapshot->generation == worker->generation)
        return;
    worker->snapshot = snapshot;
    worker->generation = snapshot->generation;
    worker->leader = route_find_leader(worker);
    worker->relay.leader_instance = worker->leader.instance;
    relay_seal_with(&worker->relay, keyring_find(&snapshot->keyring, snapshot->seal_key),
                    snapshot->seal_suite);
    if (worker->relay.copies)
        route_find_members(worker);
    relay_linger(&worker->relay, linger_of(worker));
    hold_set_pace(&worker->hold, snapshot->leader_rcvbuf_bytes
                                     ? snapshot->leader_rcvbuf_bytes / 4 / worker->worker_count
                                     : worker->own_pace_bytes);
}

/* The actions for a new snapshot, such as deliveries, belong to this slice: so it comes last. */
static void begin_sequence(struct worker *worker)
{
    if (worker->sequence->generation != worker->generation)
        sequence_take_view(worker);
    /* A new leader has to adopt a log first. */
    if (worker->way == ROUTE_DELIVER && !sequencer_is_leading(&worker->sequence->sequencer))
        worker->way = ROUTE_HOLD;
}

void worker_begin(struct worker *worker)
{
    bool leads;

    take_snapshot(worker);
    worker->now_ns = clock_now_ns(); /* after: a new snapshot may mean that something is sent */
    worker->way = leader_snapshot_decide(worker->snapshot, worker->now_ns);
    leads = worker->way == ROUTE_DELIVER;
    /* Given to an app that refuses it would be lost; held it may yet reach another leader's. */
    if (worker->way == ROUTE_DELIVER && worker->snapshot->hold_time_ns &&
        !app_is_taking(&worker->app))
        worker->way = ROUTE_HOLD;
    relay_begin(&worker->relay, worker->now_ns);
    reply_begin(&worker->replier, worker->snapshot, leads, worker->now_ns);
    if (worker->sequence)
        begin_sequence(worker);
}

void worker_end(struct worker *worker)
{
    worker->is_ending = true;
    relay_linger(&worker->relay, 0);
}

static void tell_refusal(struct worker *worker)
{
    /* seq_cst: before the look at the supervisor's state in waker_wake */
    atomic_store_explicit(&worker->refused_instance, worker->relay.refused_instance,
                          memory_order_seq_cst);
    worker->relay.refused_instance = 0;
    waker_wake(worker->command_queue.reader_waker);
}

void worker_flush(struct worker *worker)
{
    if (worker->sequence)
        sequence_flush(worker);
    reply_flush(&worker->replier); /* first: the others may wait for full sockets */
    worker->app.ops->flush(&worker->app);
    relay_flush(&worker->relay);
    worker->app.scratch_used = 0;
    if (worker->relay.refused_instance)
        tell_refusal(worker);
}

static void handle_frames(struct worker *worker, const struct datagram *piece)
{
    struct datagram frame = *piece;

    for (uint32_t i = 0; i < datagram_count(piece); i++) {
        datagram_part(piece, i, &frame);
        route_frame(worker, &frame);
    }
}

void worker_handle(struct worker *worker, const struct datagram *piece)
{
    if (piece->segment)
        worker_begin(worker); /* the gro_batch before may have waited for a full socket */
    switch ((enum datagram_source)piece->source) {
    case SOURCE_DATA:
    case SOURCE_GROUP:
        classify_piece(worker, piece);
        break;
    case SOURCE_RELAY:
        handle_frames(worker, piece);
        break;
    case SOURCE_APP: /* its socket does not merge */
        worker->app.ops->reply(&worker->app, piece);
        break;
    }
}

/* ---- held requests and timers ---- */

/* Never back into hold: whether there is a leader is decided once a slice. */
static void route_held(void *context, const struct request *request)
{
    route_now((struct worker *)context, request);
}

/* In portions: before each it is looked whether there is still a leader, and an app that takes. */
static size_t release(struct worker *worker)
{
    size_t released = 0, n = 1;

    hold_expire(&worker->hold, worker->snapshot->hold_time_ns, worker->now_ns);
    while (n > 0 && worker->way != ROUTE_HOLD) {
        n = hold_release(&worker->hold, worker->now_ns, route_held, worker);
        worker_flush(worker); /* what comes next may overwrite the arena */
        worker_begin(worker);
        released += n;
    }
    return released;
}

size_t worker_upkeep(struct worker *worker)
{
    size_t released = 0;

    if (!hold_is_empty(&worker->hold))
        released = release(worker);
    app_report_sessions(&worker->app);
    if (worker->now_ns >= worker->next_tick_ns) {
        worker->next_tick_ns = worker->now_ns + TICK_NS;
        worker->app.ops->tick(&worker->app);
    }
    if (worker->sequence && sequence_tick(worker))
        worker_flush(worker);
    if (relay_sleep_ns(&worker->relay) == 0)
        relay_flush(&worker->relay);
    return released;
}

uint64_t worker_sleep_ns(const struct worker *worker)
{
    uint64_t sleep_ns = hold_is_empty(&worker->hold) ? AGENT_IDLE_MAX_NS : HOLD_RELEASE_PERIOD_NS;
    uint64_t sequence_ns = worker->sequence
                               ? sequencer_sleep_ns(&worker->sequence->sequencer, worker->now_ns)
                               : sleep_ns;
    uint64_t relay_ns = relay_sleep_ns(&worker->relay);

    if (relay_ns < sleep_ns)
        sleep_ns = relay_ns;
    return sequence_ns < sleep_ns ? sequence_ns : sleep_ns;
}

/* ---- the agent with rings ---- */

static size_t take_input(struct worker *worker, const struct worker_input *input)
{
    struct ring_pair *pair = input->pair;
    uint64_t datagrams = atomic_load_explicit(&pair->taken, memory_order_relaxed);
    void *taken[BATCH_MAX];
    size_t n = ring_take(&pair->out, taken, worker->config->batch);

    if (n == 0)
        return 0;
    worker_begin(worker); /* the input before may have waited for a full socket */
    for (size_t i = 0; i < n; i++) {
        worker_handle(worker, taken[i]);
        datagrams += datagram_count(taken[i]);
    }
    worker_flush(worker); /* messages may point into the slots until here */
    /* release: pairs with pair_queued, so that dealt is never seen older than taken */
    atomic_store_explicit(&pair->taken, datagrams, memory_order_release);
    for (size_t i = 0; i < n; i++)
        (void)ring_try_stage(&pair->back, taken[i]); /* a place for every slot */
    if (ring_publish(&pair->back))
        waker_wake(input->receiver_waker);
    return n;
}

static size_t worker_do_work(void *self)
{
    struct worker *worker = self;
    size_t done;

    if (agent_is_stopping(&worker->agent))
        worker_end(worker);
    worker_begin(worker);
    done = worker_upkeep(worker);
    for (size_t i = 0; i < worker->input_count; i++)
        done += take_input(worker, &worker->inputs[i]);
    /* At the end what is held and may go is work, also while it is not yet its turn. */
    if (agent_is_stopping(&worker->agent) && !hold_is_empty(&worker->hold))
        done += worker->way != ROUTE_HOLD;
    return done;
}

static bool has_input(struct worker *worker)
{
    for (size_t i = 0; i < worker->input_count; i++) {
        if (!ring_is_empty(&worker->inputs[i].pair->out))
            return true;
    }
    return snapshot_is_newer(worker->publisher, &worker->reader);
}

/* Leaves nothing behind that a sleeper must not hold; false: there is more to do. */
static bool is_at_rest(struct worker *worker)
{
    if (has_input(worker))
        return false;
    snapshot_release(&worker->reader);
    return true;
}

static void worker_idle(void *self)
{
    struct worker *worker = self;
    uint64_t sleep_ns = worker_sleep_ns(worker), rest_ns = relay_rest_ns(&worker->relay);

    /* Should a borrower leave copies behind, we wake up in time: so it need not wake us for them.
     */
    if (rest_ns > 0 && rest_ns < sleep_ns)
        sleep_ns = rest_ns;
    worker->until_ns = worker->now_ns + sleep_ns;
    waker_prepare(&worker->waker);
    if (is_at_rest(worker))
        waker_sleep(&worker->waker, sleep_ns);
    else
        waker_cancel(&worker->waker);
}

void worker_call(struct worker *worker, size_t received)
{
    if (received > BORROW_MAX || !waker_borrow(&worker->waker)) {
        waker_wake(&worker->waker);
        return;
    }
    (void)worker_do_work(worker);
    /* Something is due before it would wake up: it has to know. */
    waker_return(&worker->waker, worker->now_ns + worker_sleep_ns(worker) < worker->until_ns ||
                                     !is_at_rest(worker));
}

void worker_wake(void *self)
{
    waker_wake(&((struct worker *)self)->waker);
}

const struct agent_ops worker_agent_ops = {.do_work = worker_do_work, .idle = worker_idle};
