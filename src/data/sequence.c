/*
 * What an order (order.h) wants done, by the hands of its worker: frames through the relay,
 * requests to the app, and what the app has to know as a datagram to app.notify.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "headless/base/log.h"
#include "headless/data/worker.h"

#define NOTICE_MAX 160

static void deliver(void *context, const struct request *request)
{
    route_deliver(context, request);
}

static void publish(void *context, const struct entry_range *range, const struct request *request)
{
    struct worker *worker = context;

    relay_publish(&worker->relay, worker->order->term, range, request);
}

static struct relay_target target_of(const struct worker *worker, size_t index)
{
    const struct member *member = &worker->view->members[index];

    return (struct relay_target){.to =
                                     address_with_port(member->address, worker->config->relay_port),
                                 .instance = member->instance,
                                 .term = worker->order->term,
                                 .slot = member->slot};
}

static void send_range(void *context, size_t member, const struct entry_range *range,
                       const struct request *request)
{
    struct worker *worker = context;
    const struct relay_target target = target_of(worker, member);

    relay_entries(&worker->relay, &target, range, request);
}

static void send_ack(void *context, size_t member, const struct entry_ack *ack)
{
    struct worker *worker = context;
    const struct relay_target target = target_of(worker, member);

    relay_ack(&worker->relay, &target, ack);
}

static void flush(void *context)
{
    worker_flush(context);
}

/* ---- what the app has to know ---- */

static const char *const event_words[] = {[SEQUENCER_JOINED] = "joined",
                                          [SEQUENCER_MISSING] = "missing",
                                          [SEQUENCER_DIVERGED] = "diverged"};

static void log_event(const struct sequencer_event *event)
{
    unsigned long long from = event->from, to = event->to, term = event->term;

    if (event->type == SEQUENCER_JOINED)
        log_info("order_joined", "the order begins here with number %llu (term %llu)", from, term);
    else if (event->type == SEQUENCER_MISSING)
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
static void report(void *context, const struct sequencer_event *event)
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
    worker->app.ops->flush(&worker->app);
    rc = udp_tell(&worker->order_notice, text, (size_t)length);
    counters_add(&worker->counters, rc ? COUNTER_NOTIFY_FAILED : COUNTER_NOTIFIED, 1);
}

static const struct sequencer_ops ops = {.deliver = deliver,
                                         .publish = publish,
                                         .send = send_range,
                                         .send_ack = send_ack,
                                         .flush = flush,
                                         .report = report};

/* ---- begin and end ---- */

int worker_sequence_init(struct worker *worker)
{
    const struct config *config = worker->config;
    const struct sequencer_setup setup = {.ops = &ops,
                                          .context = worker,
                                          .counters = &worker->counters,
                                          .self = worker->identity->instance,
                                          .self_address = address_with_port(config->self, 0),
                                          .commits =
                                              config->ordered_commit == CONFIG_COMMIT_MAJORITY,
                                          .log_bytes = config->ordered_history_bytes};
    const struct address any = {0};
    int rc;

    worker->order_notice.fd = -1;
    if (config->route != CONFIG_ROUTE_ORDERED)
        return 0;
    worker->order = calloc(1, sizeof(*worker->order));
    if (!worker->order)
        return -ENOMEM;
    rc = sequencer_init(worker->order, &setup);
    if (!rc && config->app_notify.port)
        rc = udp_open_connected(&config->app_notify, &any, 0, &worker->order_notice);
    return rc;
}

void worker_sequence_fini(struct worker *worker)
{
    if (!worker->order)
        return;
    sequencer_fini(worker->order);
    udp_close(&worker->order_notice);
    free(worker->order);
    worker->order = NULL;
}
