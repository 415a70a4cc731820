#include "headless/data/worker.h"

#include <errno.h>

#define TICK_NS (100 * NS_PER_MS)

int worker_init(struct worker *worker, const struct worker_setup *setup)
{
    const struct config *config = setup->config;
    int rc;

    memset(worker, 0, sizeof(*worker));
    worker->index = setup->index;
    worker->config = config;
    worker->identity = setup->identity;
    worker->board = setup->board;
    worker->data_socket = setup->data_socket;
    worker->bad_json_answers = budget_make(10 * NS_PER_MS, 100);
    rc = waker_init(&worker->waker, config->workers == 0);
    if (!rc)
        rc = view_board_register(setup->board, &worker->reader);
    if (!rc)
        rc = mailbox_init(&worker->mailbox, setup->supervisor_waker);
    if (rc)
        return rc;
    relay_init(&worker->relay, config, setup->identity, (uint16_t)setup->index, &worker->counters);
    rc = reply_init(&worker->replier, setup->data_socket, config->batch, &worker->relay,
                    config->relay_port, &worker->counters);
    if (!rc)
        rc = hold_init(&worker->hold, config->hold_bytes / setup->worker_count,
                       setup->rcvbuf_bytes / 4 / setup->worker_count, &worker->counters);
    if (!rc)
        rc = app_init(&worker->app, config, setup->identity, &worker->replier, &worker->counters,
                      setup->worker_count);
    return rc;
}

void worker_fini(struct worker *worker)
{
    if (!worker->config)
        return; /* was never initialised */
    if (worker->app.ops)
        app_fini(&worker->app);
    hold_clear(&worker->hold, DROP_shutdown);
    hold_fini(&worker->hold);
    reply_fini(&worker->replier);
    relay_fini(&worker->relay);
    mailbox_fini(&worker->mailbox);
    waker_fini(&worker->waker);
}

void worker_attach(struct worker *worker, struct receiver_lane *lane, struct waker *receiver_waker)
{
    lane->worker_waker = &worker->waker;
    worker->inputs[worker->input_count++] = (struct worker_input){lane, receiver_waker};
}

void worker_begin(struct worker *worker)
{
    worker->now_ns = clock_now_ns();
    worker->view = view_acquire(worker->board, &worker->reader);
    worker->leads = view_leads(worker->view, worker->now_ns);
    relay_begin(&worker->relay, worker->now_ns);
    reply_begin(&worker->replier, worker->view, worker->now_ns);
}

void worker_flush(struct worker *worker)
{
    worker->app.ops->flush(&worker->app);
    relay_flush(&worker->relay);
    reply_flush(&worker->replier);
    worker->app.scratch_used = 0;
}

void worker_handle(struct worker *worker, const struct datagram *datagram)
{
    switch ((enum datagram_source)datagram->source) {
    case SOURCE_DATA:
        classify_datagram(worker, datagram);
        break;
    case SOURCE_RELAY:
        route_frame(worker, datagram);
        break;
    case SOURCE_APP:
        worker->app.ops->answer(&worker->app, datagram);
        break;
    }
}

/* ---- held requests and timers ---- */

static bool has_leader(const struct worker *worker)
{
    return worker->view->kind == VIEW_LEADER_SELF ? worker->leads
                                                  : worker->view->kind != VIEW_LEADER_NONE;
}

/* Never back into hold: whether there is a leader is decided once a slice. */
static void route_held(void *context, const struct request *request)
{
    route_now((struct worker *)context, request);
}

size_t worker_upkeep(struct worker *worker)
{
    size_t released = 0;

    if (!hold_is_empty(&worker->hold)) {
        hold_expire(&worker->hold, worker->view->hold_time_ns, worker->now_ns);
        if (has_leader(worker))
            released = hold_release(&worker->hold, worker->now_ns, route_held, worker);
        worker_flush(worker); /* what comes next may overwrite the arena */
    }
    if (worker->now_ns >= worker->next_tick_ns) {
        worker->next_tick_ns = worker->now_ns + TICK_NS;
        worker->app.ops->tick(&worker->app);
    }
    return released;
}

uint64_t worker_sleep_ns(const struct worker *worker)
{
    return hold_is_empty(&worker->hold) ? AGENT_IDLE_MAX_NS : HOLD_RELEASE_PERIOD_NS;
}

/* ---- the agent with rings ---- */

static size_t take_input(struct worker *worker, const struct worker_input *input)
{
    void *taken[BATCH_MAX];
    size_t n = ring_take(&input->lane->out, taken, worker->config->batch);

    if (n == 0)
        return 0;
    for (size_t i = 0; i < n; i++)
        worker_handle(worker, taken[i]);
    worker_flush(worker); /* messages may point into the slots until here */
    for (size_t i = 0; i < n; i++)
        (void)ring_try_stage(&input->lane->back, taken[i]); /* a place for every slot */
    if (ring_publish(&input->lane->back))
        waker_wake(input->receiver_waker);
    return n;
}

static size_t worker_do_work(void *self)
{
    struct worker *worker = self;
    size_t done;

    worker_begin(worker);
    done = worker_upkeep(worker);
    for (size_t i = 0; i < worker->input_count; i++)
        done += take_input(worker, &worker->inputs[i]);
    return done;
}

static bool has_input(struct worker *worker)
{
    for (size_t i = 0; i < worker->input_count; i++) {
        if (!ring_is_empty(&worker->inputs[i].lane->out))
            return true;
    }
    return view_is_news(worker->board, &worker->reader);
}

static void worker_idle(void *self)
{
    struct worker *worker = self;

    waker_prepare(&worker->waker);
    if (has_input(worker)) {
        waker_cancel(&worker->waker);
        return;
    }
    view_release(&worker->reader);
    waker_sleep(&worker->waker, worker_sleep_ns(worker));
}

void worker_wake(void *self)
{
    waker_wake(&((struct worker *)self)->waker);
}

const struct agent_ops worker_agent_ops = {.do_work = worker_do_work, .idle = worker_idle};
