/*
 * What an order (order.h) wants done, by the hands of its worker: frames through the relay,
 * requests to the app, and what the app has to know as a datagram to app.notify.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "data/worker.h"
#include "headless/base/log.h"

#define NOTICE_MAX 160

static void deliver(void *context, const struct request *request)
{
    struct worker *worker = context;

    route_deliver(&worker->routing, request);
}

static void publish(void *context, const struct order_run *run, const struct request *request)
{
    struct worker *worker = context;

    relay_publish(&worker->routing.relay, worker->routing.order->term, run, request);
}

static struct relay_target target_of(const struct worker *worker, size_t index)
{
    const struct member *member = &worker->routing.snapshot->leader.members[index];

    return (struct relay_target){.to =
                                     address_with_port(member->address, worker->config->relay_port),
                                 .instance = member->instance,
                                 .term = worker->routing.order->term,
                                 .member_index = member->member_index};
}

static void send_run(void *context, size_t member, const struct order_run *run,
                     const struct request *request)
{
    struct worker *worker = context;
    const struct relay_target target = target_of(worker, member);

    relay_run(&worker->routing.relay, &target, run, request);
}

static void tell_position(void *context, size_t member, const struct order_position *position)
{
    struct worker *worker = context;
    const struct relay_target target = target_of(worker, member);

    relay_position(&worker->routing.relay, &target, position);
}

static void flush(void *context)
{
    worker_flush(context);
}

/* ---- what the app has to know ---- */

static const char *const event_words[] = {
    [ORDER_JOINED] = "joined", [ORDER_MISSING] = "missing", [ORDER_DIVERGED] = "diverged"};

static void log_event(const struct order_event *event)
{
    unsigned long long from = event->from, to = event->to, term = event->term;

    if (event->type == ORDER_JOINED)
        log_info("order_joined", "the order begins here with number %llu (term %llu)", from, term);
    else if (event->type == ORDER_MISSING)
        log_warn(
            "order_missing",
            "numbers %llu to %llu of the order are missing here: nobody who answers has them any "
            "longer; a longer ordered.history keeps more",
            from, to);
    else
        log_warn(
            "order_diverged",
            "what the app was given as numbers %llu to %llu is not in the common order of term "
            "%llu; its messages from %llu on follow",
            from, to, term, from);
}

/* After all that it was given before: where app.notify is the app's own port, in the right place.
 */
static void report(void *context, const struct order_event *event)
{
    struct worker *worker = context;
    char text[NOTICE_MAX];
    int length = snprintf(text, sizeof(text),
                          "{\"order\":{\"event\":\"%s\",\"from\":%llu,\"to\":%llu,\"term\":%llu}}",
                          event_words[event->type], (unsigned long long)event->from,
                          (unsigned long long)(event->to ? event->to : event->from),
                          (unsigned long long)event->term);
    int rc;

    log_event(event);
    if (worker->order_notice.fd < 0)
        return;
    app_flush(&worker->routing.app);
    rc = udp_tell(&worker->order_notice, text, (size_t)length);
    counters_add(&worker->routing.counters, rc ? COUNTER_NOTIFY_FAILED : COUNTER_NOTIFIED, 1);
}

static const struct order_ops ops = {.deliver = deliver,
                                     .publish = publish,
                                     .send = send_run,
                                     .tell_position = tell_position,
                                     .flush = flush,
                                     .report = report};

/* ---- begin and end ---- */

int worker_order_init(struct worker *worker)
{
    const struct config *config = worker->config;
    const struct order_setup setup = {.ops = &ops,
                                      .context = worker,
                                      .counters = &worker->routing.counters,
                                      .self = worker->routing.identity->instance,
                                      .self_address = address_with_port(config->self, 0),
                                      .commits = config->ordered_commit == CONFIG_COMMIT_MAJORITY,
                                      .history_bytes = config->ordered_history_bytes};
    const struct address any = {0};
    int rc;

    worker->order_notice.fd = -1;
    if (config->route != CONFIG_ROUTE_ORDERED)
        return 0;
    worker->routing.order = calloc(1, sizeof(*worker->routing.order));
    if (!worker->routing.order)
        return -ENOMEM;
    rc = order_init(worker->routing.order, &setup);
    if (!rc && config->app_notify.port)
        rc = udp_open_connected(&config->app_notify, &any, 0, &worker->order_notice);
    return rc;
}

void worker_order_fini(struct worker *worker)
{
    if (!worker->routing.order)
        return;
    order_fini(worker->routing.order);
    udp_close(&worker->order_notice);
    free(worker->routing.order);
    worker->routing.order = NULL;
}
