#include "headless/admin/notify.h"

#include <stdlib.h>

#include "headless/admin/admin.h"
#include "headless/admin/pages.h"
#include "headless/base/clock.h"
#include "headless/base/log.h"

static void tell_app(struct notifier *notifier, const struct admin_snapshot *snapshot)
{
    size_t length = 0;
    char *text = page_leader(snapshot, &length);
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
    const struct notice notice = notice_of(&snapshot);
    bool is_news = !notifier->has_told || !notice_is_same(&notice, &notifier->told);

    if (notifier->events && is_news)
        events_change(notifier->events);
    if (notifier->events) {
        events_look(notifier->events, &notice, snapshot.now_ns);
        connections_expire(&notifier->events->admin->connections, snapshot.now_ns);
    }
    if (!is_news)
        return 0;
    if (notifier->socket.fd >= 0)
        tell_app(notifier, &snapshot);
    notifier->told = notice;
    notifier->has_told = true;
    return 1;
}

/* Until the leader's time is over, as far as we know it now. */
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

static int open_socket(struct notifier *notifier)
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

static int start_thread(struct notifier *notifier)
{
    int rc = waker_init(&notifier->waker, false);

    if (!rc)
        rc = snapshot_publisher_register(&notifier->data_plane->publisher, &notifier->reader);
    if (!rc) {
        notifier->data_plane->watcher = &notifier->waker;
        rc = agent_start(&notifier->agent, "notify", &notifier_agent_ops, notifier);
    }
    if (rc)
        log_error("notify_failed", "cannot start who tells of a new leader: %s", strerror(-rc));
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
    rc = open_socket(notifier);
    if (!rc)
        rc = start_thread(notifier);
    if (rc)
        notifier_stop(notifier);
    return rc;
}

static void wake(void *self)
{
    waker_wake(&((struct notifier *)self)->waker);
}

void notifier_stop(struct notifier *notifier)
{
    if (!notifier->data_plane)
        return; /* it was never started */
    agent_stop(&notifier->agent, wake);
    notifier->data_plane->watcher = NULL;
    udp_close(&notifier->socket);
}
