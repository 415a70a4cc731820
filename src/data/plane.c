#include "headless/data/plane.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "headless/base/clock.h"
#include "headless/base/log.h"

#define STOP_LOOK_NS (10 * NS_PER_MS)

/* ---- open ---- */

static int open_socket(const struct config *config, const char *option, uint16_t port,
                       struct udp_socket *ret_socket)
{
    const struct udp_options options = {.reuse_port = config->receivers > 1,
                                        .local_address = true,
                                        .merged = config->gro,
                                        .rcvbuf_bytes = config->rcvbuf_bytes,
                                        .receive_timeout_ns = AGENT_IDLE_MAX_NS};
    const struct address at = address_with_port(config->bind, port);
    char text[ADDRESS_TEXT_MAX];
    int rc = udp_open(&at, &options, ret_socket);

    if (rc)
        log_error("bind_failed", "cannot bind %s (%s): %s", address_format(&at, text), option,
                  strerror(-rc));
    return rc;
}

/* All are bound before any is read: a socket that joins or leaves later moves flows. */
static int open_sockets(struct plane *plane)
{
    const struct config *config = plane->config;
    int rc = 0;

    for (size_t i = 0; !rc && i < plane->receiver_count; i++) {
        rc = open_socket(config, "data.port", config->data_port, &plane->data_sockets[i]);
        if (!rc)
            rc = open_socket(config, "relay.port", config->relay_port, &plane->relay_sockets[i]);
    }
    return rc;
}

static void *allocate(size_t count, size_t size)
{
    /* C11: the size has to be a multiple of the alignment. */
    size_t bytes = (count * size + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES * CACHE_LINE_BYTES;
    void *memory = aligned_alloc(CACHE_LINE_BYTES, bytes);

    if (memory)
        memset(memory, 0, bytes);
    return memory;
}

/* Whom the n-th receiver of a kind deals out to: every receiver_count-th worker, or just one. */
static size_t count_lanes(const struct config *config, size_t receiver)
{
    if (config->workers <= config->receivers)
        return config->workers ? 1 : 0;
    return (config->workers - receiver + config->receivers - 1) / config->receivers;
}

static size_t worker_of_lane(const struct config *config, size_t receiver, size_t lane)
{
    return (receiver + lane * config->receivers) % config->workers;
}

static int open_receivers(struct plane *plane)
{
    const struct config *config = plane->config;
    int rc = 0;

    plane->data_receivers = allocate(plane->receiver_count, sizeof(*plane->data_receivers));
    plane->relay_receivers = allocate(plane->receiver_count, sizeof(*plane->relay_receivers));
    if (!plane->data_receivers || !plane->relay_receivers)
        return -ENOMEM;
    for (size_t i = 0; !rc && i < plane->receiver_count; i++) {
        size_t lanes = count_lanes(config, i);

        rc = receiver_init(&plane->data_receivers[i], SOURCE_DATA, config->ring, config->batch,
                           lanes);
        if (!rc)
            rc = receiver_init(&plane->relay_receivers[i], SOURCE_RELAY, config->ring,
                               config->batch, lanes);
        plane->data_receivers[i].socket = &plane->data_sockets[i];
        plane->relay_receivers[i].socket = &plane->relay_sockets[i];
    }
    return rc;
}

static void attach(const struct plane *plane, struct receiver *receiver, size_t index)
{
    for (size_t i = 0; i < receiver->lane_count; i++)
        worker_attach(&plane->workers[worker_of_lane(plane->config, index, i)], &receiver->lanes[i],
                      &receiver->waker);
}

/* A group's receiver deals out to all workers. */
static void attach_groups(const struct plane *plane)
{
    for (size_t i = 0; i < plane->groups.count; i++) {
        struct receiver *receiver = &plane->groups.list[i].receiver;

        for (size_t k = 0; k < receiver->lane_count; k++)
            worker_attach(&plane->workers[k], &receiver->lanes[k], &receiver->waker);
    }
}

static int open_gates(struct plane *plane)
{
    if (!config_has_keys(plane->config))
        return 0;
    plane->windows = gate_make_windows();
    return plane->windows ? 0 : -ENOMEM;
}

static int open_workers(struct plane *plane, struct waker *supervisor_waker)
{
    struct worker_setup setup = {.config = plane->config,
                                 .identity = &plane->identity,
                                 .publisher = &plane->publisher,
                                 .supervisor_waker = supervisor_waker,
                                 .windows = plane->windows,
                                 .worker_count = plane->worker_count,
                                 .rcvbuf_bytes = plane->relay_sockets[0].rcvbuf_bytes};
    int rc = 0;

    plane->workers = allocate(plane->worker_count, sizeof(*plane->workers));
    if (!plane->workers)
        return -ENOMEM;
    for (size_t i = 0; !rc && i < plane->worker_count; i++) {
        setup.index = i;
        setup.data_socket = &plane->data_sockets[i % plane->receiver_count];
        rc = worker_init(&plane->workers[i], &setup);
    }
    if (rc) {
        log_error("app_failed", "cannot set up a worker or its app socket (app.target): %s",
                  strerror(-rc));
        return rc;
    }
    for (size_t i = 0; i < plane->receiver_count; i++) {
        attach(plane, &plane->data_receivers[i], i);
        attach(plane, &plane->relay_receivers[i], i);
    }
    attach_groups(plane);
    for (size_t i = 0; i < plane->worker_count; i++) {
        struct app_reader *reader = app_reader(&plane->workers[i].app);

        if (reader && reader->receiver.lane_count)
            worker_attach(&plane->workers[i], &reader->receiver.lanes[0], &reader->receiver.waker);
    }
    return 0;
}

static int open_completions(struct plane *plane)
{
    int rc = 0;

    plane->completions = allocate(plane->receiver_count, sizeof(*plane->completions));
    if (!plane->completions)
        return -ENOMEM;
    for (size_t i = 0; !rc && i < plane->receiver_count; i++)
        rc = completion_init(&plane->completions[i], &plane->data_receivers[i],
                             &plane->relay_receivers[i], &plane->workers[i]);
    for (size_t i = 0; !rc && i < plane->groups.count; i++)
        rc = completion_add_group(&plane->completions[i % plane->receiver_count],
                                  &plane->groups.list[i].receiver);
    return rc;
}

int plane_open(struct plane *plane, const struct config *config, struct waker *supervisor_waker)
{
    int rc;

    memset(plane, 0, sizeof(*plane));
    plane->config = config;
    plane->receiver_count = config->receivers;
    plane->worker_count = config->workers ? config->workers : config->receivers;
    for (size_t i = 0; i < RECEIVERS_MAX; i++)
        plane->data_sockets[i].fd = plane->relay_sockets[i].fd = -1;
    snapshot_publisher_init(&plane->publisher);
    rc = identity_init(&plane->identity, config);
    if (!rc)
        rc = open_sockets(plane);
    if (!rc)
        rc = groups_open(&plane->groups, config, plane->data_sockets, plane->receiver_count);
    if (!rc)
        rc = open_receivers(plane);
    if (!rc)
        rc = open_gates(plane);
    if (!rc)
        rc = open_workers(plane, supervisor_waker);
    if (!rc && config->workers == 0)
        rc = open_completions(plane);
    if (rc)
        plane_close(plane);
    return rc;
}

void plane_close(struct plane *plane)
{
    for (size_t i = 0; plane->workers && i < plane->worker_count; i++)
        worker_fini(&plane->workers[i]);
    for (size_t i = 0; i < plane->receiver_count; i++) {
        if (plane->completions)
            completion_fini(&plane->completions[i]);
        if (plane->data_receivers)
            receiver_fini(&plane->data_receivers[i]);
        if (plane->relay_receivers)
            receiver_fini(&plane->relay_receivers[i]);
        udp_close(&plane->data_sockets[i]);
        udp_close(&plane->relay_sockets[i]);
    }
    groups_close(&plane->groups);
    snapshot_publisher_wipe(&plane->publisher);
    free(plane->completions);
    free(plane->workers);
    free(plane->windows);
    free(plane->data_receivers);
    free(plane->relay_receivers);
    plane->completions = NULL;
    plane->workers = NULL;
    plane->windows = NULL;
    plane->data_receivers = plane->relay_receivers = NULL;
}

/* ---- start and stop ---- */

static int start(struct agent *agent, const char *kind, size_t index, const struct agent_ops *ops,
                 void *self)
{
    char name[16];

    (void)snprintf(name, sizeof(name), "%s-%u", kind, (unsigned)index);
    return agent_start(agent, name, ops, self);
}

static int start_worker(struct worker *worker)
{
    struct app_reader *reader = app_reader(&worker->app);
    int rc = start(&worker->agent, "worker", worker->index, &worker_agent_ops, worker);

    if (!rc && reader)
        rc = start(&reader->receiver.agent, "app", worker->index, &app_reader_agent_ops, reader);
    return rc;
}

int plane_start(struct plane *plane)
{
    int rc = 0;

    for (size_t i = 0; !rc && plane->completions && i < plane->receiver_count; i++)
        rc = start(&plane->completions[i].agent, "data", i, &completion_agent_ops,
                   &plane->completions[i]);
    if (plane->completions || rc)
        return rc;
    for (size_t i = 0; !rc && i < plane->worker_count; i++)
        rc = start_worker(&plane->workers[i]);
    for (size_t i = 0; !rc && i < plane->receiver_count; i++) {
        rc = start(&plane->relay_receivers[i].agent, "relay", i, &receiver_agent_ops,
                   &plane->relay_receivers[i]);
        if (!rc)
            rc = start(&plane->data_receivers[i].agent, "data", i, &receiver_agent_ops,
                       &plane->data_receivers[i]);
    }
    return rc ? rc : groups_start(&plane->groups);
}

static void wake_completion(void *self)
{
    waker_wake(&((struct completion *)self)->worker->waker);
}

/* ---- is it quiet? ---- */

void plane_watch(struct plane_quiet *quiet, const struct plane *plane, uint64_t now_ns)
{
    /* Each datagram is one of these first; what the order says at rest is none. */
    static const size_t comings[] = {COUNTER_RECEIVED_DATA, COUNTER_RECEIVED_GROUP,
                                     COUNTER_RECEIVED_RELAY, COUNTER_ANSWERS_APP,
                                     COUNTER_ANSWERS_RELAY};
    struct plane_numbers numbers;
    uint64_t activity = 0;

    plane_read_numbers(plane, &numbers);
    for (size_t i = 0; i < sizeof(comings) / sizeof(comings[0]); i++)
        activity += numbers.counters[comings[i]];
    if (activity != quiet->activity || plane_inside(&numbers) || !quiet->since_ns)
        quiet->since_ns = now_ns;
    quiet->activity = activity;
}

/* No condition tells that the last answer has come: wait until there has been none for a while. */
static void wait_for_answers(const struct plane *plane, struct plane_quiet *quiet,
                             uint64_t quiet_ns)
{
    const struct timespec look = clock_to_timespec(STOP_LOOK_NS);
    uint64_t now_ns = clock_now_ns(), end_ns = now_ns + 2 * quiet_ns;

    do {
        (void)nanosleep(&look, NULL); /* also for what came just before clients were refused */
        now_ns = clock_now_ns();
        plane_watch(quiet, plane, now_ns);
    } while (now_ns < end_ns && now_ns - quiet->since_ns < quiet_ns);
}

void plane_stop(struct plane *plane, struct plane_quiet *quiet, uint64_t quiet_ns)
{
    for (size_t i = 0; i < plane->receiver_count; i++)
        udp_refuse_new(&plane->data_sockets[i]);
    groups_leave(&plane->groups);
    for (size_t i = 0; i < plane->receiver_count; i++)
        agent_stop(&plane->data_receivers[i].agent, NULL);
    groups_stop(&plane->groups);
    wait_for_answers(plane, quiet, quiet_ns);
    for (size_t i = 0; plane->completions && i < plane->receiver_count; i++)
        agent_stop(&plane->completions[i].agent, wake_completion);
    for (size_t i = 0; i < plane->receiver_count; i++)
        agent_stop(&plane->relay_receivers[i].agent, NULL);
    for (size_t i = 0; i < plane->worker_count; i++) {
        struct app_reader *reader = app_reader(&plane->workers[i].app);

        if (reader)
            agent_stop(&reader->receiver.agent, NULL);
        agent_stop(&plane->workers[i].agent, worker_wake);
    }
}

void plane_wake(struct plane *plane)
{
    for (size_t i = 0; i < plane->worker_count; i++)
        waker_wake(&plane->workers[i].waker);
    if (plane->watcher)
        waker_wake(plane->watcher);
}
