/* Every number that the admin port shows, as one list. */
#include "headless/admin/pages.h"
#include "headless/base/clock.h"

struct list {
    struct sample *samples;
    size_t count;
};

static void add(struct list *list, enum sample_type type, struct counter_info info, uint64_t value)
{
    list->samples[list->count++] = (struct sample){type, info, value};
}

static void add_gauge(struct list *list, const char *metric, uint64_t value, const char *help)
{
    add(list, SAMPLE_GAUGE, (struct counter_info){metric, "", "", help}, value);
}

static void add_counters(struct list *list, const struct plane_numbers *numbers)
{
    static const char drops_help[] = "Datagrams that the kernel dropped at a full socket";

    for (size_t i = 0; i < COUNTER_COUNT; i++)
        add(list, SAMPLE_COUNTER, counter_describe(i), numbers->counters[i]);
    add(list, SAMPLE_COUNTER,
        (struct counter_info){"socket_drops_total", "socket", "data", drops_help},
        numbers->data_kernel_drops);
    add(list, SAMPLE_COUNTER,
        (struct counter_info){"socket_drops_total", "socket", "relay", drops_help},
        numbers->relay_kernel_drops);
}

static void add_sockets(struct list *list, const struct reading *reading)
{
    static const char help[] = "Receive buffer of one socket, as the kernel granted it";

    add(list, SAMPLE_GAUGE, (struct counter_info){"socket_rcvbuf_bytes", "socket", "data", help},
        reading->data_rcvbuf_bytes);
    add(list, SAMPLE_GAUGE, (struct counter_info){"socket_rcvbuf_bytes", "socket", "relay", help},
        reading->relay_rcvbuf_bytes);
}

static void add_leadership(struct list *list, const struct reading *reading)
{
    add_gauge(list, "is_leader", reading_is_leader(reading), "1 if this pod leads");
    add_gauge(list, "has_leader", reading_has_leader(reading), "1 if this pod knows a leader");
    add_gauge(list, "term", reading->view->term, "Term of the leader; grows with every change");
    add_gauge(list, "members", reading->view->member_count, "Members, this pod included");
}

bool reading_is_leader(const struct reading *reading)
{
    return view_leads(reading->view, reading->now_ns);
}

bool reading_has_leader(const struct reading *reading)
{
    return reading->view->kind != VIEW_LEADER_NONE &&
           reading->now_ns <
               atomic_load_explicit(&reading->view->valid_until_ns, memory_order_relaxed);
}

size_t samples_list(const struct reading *reading, struct sample ret_samples[static SAMPLES_MAX])
{
    const struct plane_numbers *numbers = &reading->numbers;
    const struct ledger ledger = counters_ledger(numbers->counters, numbers->held, numbers->queued);
    struct list list = {.samples = ret_samples};

    add_counters(&list, numbers);
    add_gauge(&list, "datagrams_held", numbers->held, "Datagrams held for want of a leader");
    add_gauge(&list, "datagrams_queued", numbers->queued, "Datagrams between two threads");
    add_gauge(&list, "sessions", numbers->sessions, "Sessions towards the app");
    add_gauge(&list, "ledger_requests", (uint64_t)ledger.requests,
              "Requests received minus all that became of them: 0 at rest");
    add_gauge(&list, "ledger_answers", (uint64_t)ledger.answers,
              "Answers received minus all that became of them: 0 at rest");
    add_sockets(&list, reading);
    add_leadership(&list, reading);
    add_gauge(&list, "config_last_reload_successful", reading->last_reload_succeeded,
              "0 if the last reload of the configuration was refused");
    add_gauge(&list, "uptime_seconds", reading->uptime_ns / NS_PER_SEC,
              "Seconds since the process started");
    add(&list, SAMPLE_GAUGE,
        (struct counter_info){"build_info", "version", HEADLESS_VERSION, "Version, as a label"}, 1);
    return list.count;
}
