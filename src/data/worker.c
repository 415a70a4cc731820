#include "data/worker.h"

#include <errno.h>

#define BORROW_MAX 16 /* messages: with more, two threads at once save more than a wake-up costs */

static int open_routing(struct routing *routing, const struct worker_setup *setup,
                        size_t pace_bytes)
{
    const struct config *config = setup->config;
    struct counters *counters = &routing->counters;
    const struct app_setup app = {.config = config,
                                  .identity = setup->identity,
                                  .replier = &routing->replier,
                                  .counters = counters,
                                  .workers = setup->worker_count};
    int rc;

    routing->config = config;
    routing->identity = setup->identity;
    rc = frame_auth_init(&routing->frame_auth, config, setup->identity, setup->windows);
    if (!rc)
        rc = reassembly_init(&routing->reassembly, config->batch, counters, &routing->traffic);
    if (!rc)
        rc = relay_init(&routing->relay, config, setup->identity, (uint16_t)setup->index, counters,
                        &routing->traffic);
    if (!rc)
        rc = relay_keep_init(&routing->relay, config, setup->worker_count);
    if (!rc)
        rc = reply_init(&routing->replier, setup->data_socket, config, &routing->relay, counters);
    if (!rc)
        rc = hold_init(&routing->hold, config->hold_bytes / setup->worker_count, pace_bytes,
                       counters);
    if (!rc)
        rc = app_init(&routing->app, &app);
    routing->app.shared = setup->app_shared;
    routing->mails = setup->mails;
    routing->worker_count = setup->worker_count;
    return rc;
}

int worker_init(struct worker *worker, const struct worker_setup *setup)
{
    int rc;

    memset(worker, 0, sizeof(*worker));
    worker->index = setup->index;
    worker->worker_count = setup->worker_count;
    worker->config = setup->config;
    worker->publisher = setup->publisher;
    worker->own_pace_bytes = setup->rcvbuf_bytes / 4 / setup->worker_count;
    rc = waker_init(&worker->waker, setup->config->workers == 0);
    if (!rc)
        rc = snapshot_publisher_register(setup->publisher, &worker->reader);
    if (setup->mails)
        setup->mails[setup->index].waker = &worker->waker;
    if (!rc)
        rc = classifier_init(&worker->classifier, &worker->routing, setup->data_socket,
                             setup->supervisor_waker);
    if (!rc)
        rc = open_routing(&worker->routing, setup, worker->own_pace_bytes);
    if (!rc)
        rc = sequencer_runner_init(&worker->routing, worker);
    return rc;
}

static void close_routing(struct routing *routing)
{
    hold_clear(&routing->hold, DROP_shutdown, clock_now_ns());
    hold_fini(&routing->hold);
    reply_fini(&routing->replier);
    relay_fini(&routing->relay);
    reassembly_fini(&routing->reassembly);
    frame_auth_fini(&routing->frame_auth);
}

void worker_fini(struct worker *worker)
{
    if (!worker->config)
        return; /* was never initialised */
    if (worker->routing.app.ops)
        app_fini(&worker->routing.app);
    sequencer_runner_fini(&worker->routing);
    close_routing(&worker->routing);
    classifier_fini(&worker->classifier);
    waker_fini(&worker->waker);
}

void worker_attach(struct worker *worker, struct ring_pair *pair, struct waker *receiver_waker)
{
    const struct app_reader *reader = app_reader(&worker->routing.app);

    pair->worker = worker;
    worker->inputs[worker->input_count++] =
        (struct worker_input){.pair = pair,
                              .receiver_waker = receiver_waker,
                              .is_app = reader && pair == reader->receiver.pairs};
}

/*
 * Copies may wait only at the leader, where no reply depends on them: its own app replies. They do
 * not wait where a majority has to have a message first, or where no later slice may come.
 */
static uint64_t linger_of(const struct worker *worker)
{
    const struct routing *routing = &worker->routing;
    bool waits_for_majority = routing->runner && routing->runner->sequencer.commits;

    return routing->snapshot->leader.kind == LEADER_SELF && !worker->is_ending &&
                   !waits_for_majority
               ? worker->config->relay_linger_ns
               : 0;
}

static void take_snapshot(struct worker *worker)
{
    const struct leader_snapshot *snapshot = snapshot_acquire(worker->publisher, &worker->reader);
    struct routing *routing = &worker->routing;
    size_t pace_bytes;

    /* Not by address: during a sleep, other snapshots may have used this buffer. */
    if (snapshot->generation == worker->generation)
        return;
    routing->snapshot = snapshot;
    worker->generation = snapshot->generation;
    route_take_snapshot(routing);
    relay_linger(&routing->relay, linger_of(worker));
    pace_bytes = snapshot->leader.rcvbuf_bytes
                     ? snapshot->leader.rcvbuf_bytes / 4 / worker->worker_count
                     : worker->own_pace_bytes;
    hold_set_pace(&routing->hold, pace_bytes);
    routing->relay.kept.pace_bytes = pace_bytes;
}

/* Last in worker_begin: the actions for a new snapshot, such as deliveries, belong to this slice. */
static void begin_sequencer(struct routing *routing)
{
    if (routing->runner->generation != routing->snapshot->generation)
        sequencer_runner_take_snapshot(routing);
    if (routing->decision == ROUTE_DELIVER && sequencer_runner_must_adopt(routing))
        routing->decision = ROUTE_HOLD;
}

static void begin_relay(struct worker *worker)
{
    struct routing *routing = &worker->routing;
    struct relay *relay = &routing->relay;

    relay->now_ns = relay->kept.now_ns = relay->confirm.now_ns = routing->now_ns;
    if (kept_is_on(&relay->kept)) {
        kept_mail_take(&routing->mails[worker->index], &relay->kept);
        if (worker->followed != worker->generation || worker->had_former != routing->has_former)
            route_follow(routing);
        worker->followed = worker->generation;
        worker->had_former = routing->has_former;
    }
    relay_begin(relay, routing->now_ns);
}

void worker_begin(struct worker *worker)
{
    struct routing *routing = &worker->routing;
    bool leads;

    /* Within a slice: the replies that were accepted by the snapshot before. A request whose reply was
     * counted is not relayed again. */
    if (routing->replier.outbox.count && snapshot_is_newer(worker->publisher, &worker->reader))
        reply_flush(&routing->replier);
    take_snapshot(worker);
    routing->now_ns = clock_now_ns(); /* after the snapshot, for which something may be sent */
    routing->decision = leadership_decide(&routing->snapshot->leader, routing->now_ns);
    leads = routing->decision == ROUTE_DELIVER;
    worker->withholds_app =
        !leads && routing->snapshot->leader.kind == LEADER_SELF && !worker->is_ending;
    routing->has_former = leadership_has_former(&routing->snapshot->leader, routing->now_ns);
    /* An app that refuses would lose the request; a held one may yet reach another leader's app. */
    if (leads && routing->snapshot->settings.hold_time_ns && !app_is_taking(&routing->app))
        routing->decision = ROUTE_HOLD;
    begin_relay(worker);
    routing->reassembly.now_ns = routing->now_ns;
    reply_begin(&routing->replier, routing->snapshot, leads, routing->now_ns);
    if (routing->runner)
        begin_sequencer(routing);
}

void worker_end(struct worker *worker)
{
    worker->is_ending = true;
    relay_linger(&worker->routing.relay, 0);
}

static void pass_refusal(struct worker *worker, uint64_t instance)
{
    /* seq_cst: before the look at the supervisor's state in waker_wake */
    atomic_store_explicit(&worker->refused_instance, instance, memory_order_seq_cst);
    waker_wake(worker->classifier.commands.reader_waker);
}

/* Frames taken of other pods' streams have gone on, except for entries that wait in the ordered log,
 * and requests that this pod has relayed in turn. */
static void settle(struct routing *routing)
{
    const struct sequencer *sequencer = routing->runner ? &routing->runner->sequencer : NULL;
    const struct kept *kept = &routing->relay.kept;
    const uint64_t put[CONFIRM_GATES] = {sequencer ? sequencer_last(sequencer) : 0,
                                         kept->relayed_put};
    const uint64_t left[CONFIRM_GATES] = {sequencer ? sequencer->delivered : 0, kept->relayed_done};

    confirm_settle(&routing->relay.confirm, put, left);
}

void worker_flush(struct worker *worker)
{
    struct routing *routing = &worker->routing;

    if (routing->runner)
        sequencer_runner_flush(routing);
    reply_flush(&routing->replier); /* first: the others may wait for full sockets */
    app_flush(&routing->app);
    settle(routing);
    relay_flush(&routing->relay);
    reassembly_release(&routing->reassembly);
    routing->app.scratch_used = 0;
    if (routing->relay.refused_instance) {
        pass_refusal(worker, routing->relay.refused_instance);
        routing->relay.refused_instance = 0;
    }
}

static void handle_frames(struct worker *worker, const struct datagram *piece)
{
    struct datagram frame = *piece;

    for (uint32_t i = 0; i < datagram_count(piece); i++) {
        datagram_part(piece, i, &frame);
        route_frame(&worker->routing, &frame);
    }
    reassembly_keep(&worker->routing.reassembly);
}

void worker_handle(struct worker *worker, const struct datagram *piece)
{
    if (piece->segment)
        worker_begin(worker); /* the batch before may have waited for a full socket */
    switch ((enum datagram_source)piece->source) {
    case SOURCE_DATA:
    case SOURCE_GROUP:
        classify_piece(&worker->classifier, piece);
        break;
    case SOURCE_RELAY:
        handle_frames(worker, piece);
        break;
    case SOURCE_APP: /* its socket does not merge */
        worker->routing.app.ops->reply(&worker->routing.app, piece);
        break;
    }
}

/* ---- the agent with rings ---- */

static size_t take_input(struct worker *worker, const struct worker_input *input)
{
    struct ring_pair *pair = input->pair;
    uint64_t datagrams = atomic_load_explicit(&pair->taken, memory_order_relaxed);
    void *taken[BATCH_MAX];
    size_t n;

    if (ring_is_empty(&pair->out))
        return 0;
    worker_begin(worker); /* the input before may have waited for a full socket */
    if (input->is_app && worker->withholds_app)
        return 0;
    n = ring_take(&pair->out, taken, worker->config->batch);
    for (size_t i = 0; i < n; i++) {
        worker_handle(worker, taken[i]);
        datagrams += datagram_count(taken[i]);
    }
    worker_flush(worker); /* messages may point into the slots until here */
    /* release: pairs with pair_queued, so that dealt is never seen older than taken */
    atomic_store_explicit(&pair->taken, datagrams, memory_order_release);
    for (size_t i = 0; i < n; i++)
        (void)ring_try_stage(&pair->back, taken[i]); /* never full: a place for every slot */
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
    /* While stopping, held requests that may leave count as work, also between two periods. */
    if (agent_is_stopping(&worker->agent) && !hold_is_empty(&worker->routing.hold))
        done += worker->routing.decision != ROUTE_HOLD;
    return done;
}

static bool worker_has_input(struct worker *worker)
{
    for (size_t i = 0; i < worker->input_count; i++) {
        const struct worker_input *input = &worker->inputs[i];

        if (!ring_is_empty(&input->pair->out) && !(input->is_app && worker->withholds_app))
            return true;
    }
    return app_has_refusals(&worker->routing.app) ||
           snapshot_is_newer(worker->publisher, &worker->reader);
}

/* True: there is no input, and the snapshot is released, which a sleeper must not hold. */
static bool try_rest(struct worker *worker)
{
    if (worker_has_input(worker))
        return false;
    snapshot_release(&worker->reader);
    return true;
}

static void worker_idle(void *self)
{
    struct worker *worker = self;
    uint64_t sleep_ns = worker_sleep_ns(worker), rest_ns = relay_rest_ns(&worker->routing.relay);

    /* A borrower may leave copies behind. This wakes up in time for them, so that the borrower need
     * not wake this thread. */
    if (rest_ns > 0 && rest_ns < sleep_ns)
        sleep_ns = rest_ns;
    worker->until_ns = worker->routing.now_ns + sleep_ns;
    waker_prepare(&worker->waker);
    if (try_rest(worker))
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
    /* Wake it if something is due before it would wake up by itself. */
    waker_return(&worker->waker,
                 worker->routing.now_ns + worker_sleep_ns(worker) < worker->until_ns ||
                     !try_rest(worker));
}

void worker_wake(void *self)
{
    waker_wake(&((struct worker *)self)->waker);
}

const struct agent_ops worker_agent_ops = {.do_work = worker_do_work, .idle = worker_idle};
