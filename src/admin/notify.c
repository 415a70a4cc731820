#include "headless/admin/notify.h"

#include <stdlib.h>

#include "admin/documents.h"
#include "headless/admin/admin.h"
#include "headless/base/clock.h"
#include "headless/base/log.h"

static void notify_app(struct notifier *notifier, const struct admin_snapshot *snapshot)
{
    size_t length = 0;
    char *text = admin_document_leader(snapshot, &length);
    bool sent = text && udp_tell(&notifier->socket, text, length) == 0;

    counters_add(&notifier->counters, sent ? COUNTER_NOTIFIED : COUNTER_NOTIFY_FAILED, 1);
    free(text);
}

static size_t notifier_do_work(void *self)
{
    struct notifier *notifier = self;
    const struct admin_snapshot snapshot = {
        .config = notifier->config,
        .identity = &notifier->data_plane->identity,
        .leadership = snapshot_acquire(&notifier->data_plane->publisher, &notifier->reader),
        .report = notifier->report,
        .now_ns = clock_now_ns(),
    };
    const struct leader_event event = leader_event_of(&snapshot);
    bool is_change = !notifier->has_sent || !leader_event_is_same(&event, &notifier->sent);

    if (notifier->events && is_change)
        events_change(notifier->events);
    if (notifier->events) {
        events_look(notifier->events, &event, snapshot.now_ns);
        connections_expire(&notifier->events->admin->connections, snapshot.now_ns);
    }
    if (!is_change)
        return 0;
    if (notifier->socket.fd >= 0)
        notify_app(notifier, &snapshot);
    notifier->sent = event;
    notifier->has_sent = true;
    return 1;
}

/* Until the leader's lease ends, as far as it is known now. */
static uint64_t sleep_ns(const struct leader_snapshot *leadership)
{
    uint64_t until_ns = atomic_load_explicit(&leadership->valid_until_ns, memory_order_relaxed);
    uint64_t now_ns = clock_now_ns();

    return until_ns > now_ns && until_ns - now_ns < AGENT_IDLE_MAX_NS ? until_ns - now_ns
                                                                      : AGENT_IDLE_MAX_NS;
}

static void notifier_idle(void *self)
{
    struct notifier *notifier = self;
    uint64_t limit_ns = sleep_ns(notifier->reader.snapshot);

    waker_prepare(&notifier->waker);
    if (snapshot_is_newer(&notifier->data_plane->publisher, &notifier->reader)) {
        waker_cancel(&notifier->waker);
        return;
    }
    snapshot_release(&notifier->reader);
    waker_sleep(&notifier->waker, limit_ns);
}

static const struct agent_ops notifier_agent_ops = {.do_work = notifier_do_work,
                                                    .idle = notifier_idle};

static int notifier_open_socket(struct notifier *notifier)
{
    const struct address any = {0};
    char text[ADDRESS_TEXT_MAX];
    int rc;

    if (notifier->config->app_notify.port == 0)
        return 0;
    rc = udp_open_connected(&notifier->config->app_notify, &any, 0, &notifier->socket);
    if (rc)
        log_error("notify_failed", "cannot send to %s (app.notify): %s",
                  address_format(&notifier->config->app_notify, text), strerror(-rc));
    return rc;
}

static int notifier_start_thread(struct notifier *notifier)
{
    int rc = waker_init(&notifier->waker, false);

    if (!rc)
        rc = snapshot_publisher_register(&notifier->data_plane->publisher, &notifier->reader);
    if (!rc) {
        notifier->data_plane->watcher = &notifier->waker;
        rc = agent_start(&notifier->agent, "notify", &notifier_agent_ops, notifier);
    }
    if (rc)
        log_error("notify_failed", "cannot start the notifier thread: %s", strerror(-rc));
    return rc;
}

int notifier_start(struct notifier *notifier, const struct config *config,
                   struct data_plane *data_plane, const struct supervisor_report *report,
                   struct events *events)
{
    int rc;

    *notifier = (struct notifier){.config = config,
                                  .data_plane = data_plane,
                                  .report = report,
                                  .socket.fd = -1,
                                  .events = events};
    if (config->app_notify.port == 0 && !events)
        return 0;
    rc = notifier_open_socket(notifier);
    if (!rc)
        rc = notifier_start_thread(notifier);
    if (rc)
        notifier_stop(notifier);
    return rc;
}

static void notifier_wake(void *self)
{
    waker_wake(&((struct notifier *)self)->waker);
}

void notifier_stop(struct notifier *notifier)
{
    if (!notifier->data_plane)
        return; /* it was never started */
    agent_stop(&notifier->agent, notifier_wake);
    notifier->data_plane->watcher = NULL;
    udp_close(&notifier->socket);
}
