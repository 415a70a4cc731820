/* Opens, starts and closes all parts of the data plane, in order. */
#include "data/data_plane_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "data/loop_guard.h"
#include "headless/base/log.h"

/* ---- open ---- */

/* Ancillary data costs 60 ns a message and kind: frames contain what they carry, their links are
 * connected to one address of this pod, and a socket bound to one address receives only what was sent
 * to it. PKTINFO has no scope, and requests to a link-local address have none either. */
static int open_plane_socket(const struct config *config, const char *option, uint16_t port,
                             bool is_relay, struct udp_socket *ret_socket)
{
    bool needs_local = address_is_any(&config->bind) || config->bind.scope;
    const struct udp_options options = {.reuse_port = config->receivers > 1,
                                        .local_address = !is_relay && needs_local,
                                        .tos = !is_relay,
                                        .ttl = !is_relay && loop_guard_is_needed(config),
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

/* All are bound before any is read: with SO_REUSEPORT, a socket that is bound or closed later moves
 * flows to another socket. */
static int open_plane_sockets(struct data_plane *data_plane)
{
    const struct config *config = data_plane->config;
    int rc = 0;

    for (size_t i = 0; !rc && i < data_plane->receiver_count; i++) {
        rc = open_plane_socket(config, "data.port", config->data_port, false,
                               &data_plane->data_sockets[i]);
        if (!rc)
            rc = open_plane_socket(config, "relay.port", config->relay_port, true,
                                   &data_plane->relay_sockets[i]);
    }
    return rc;
}

static void *allocate_aligned(size_t count, size_t size)
{
    /* C11: the size has to be a multiple of the alignment. */
    size_t bytes = (count * size + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES * CACHE_LINE_BYTES;
    void *memory = aligned_alloc(CACHE_LINE_BYTES, bytes);

    if (memory)
        memset(memory, 0, bytes);
    return memory;
}

/* The n-th receiver of a kind deals out to every receiver_count-th worker, or to just one. */
static size_t count_pairs(const struct config *config, size_t receiver)
{
    if (config->workers <= config->receivers)
        return config->workers ? 1 : 0;
    return (config->workers - receiver + config->receivers - 1) / config->receivers;
}

static size_t worker_of_pair(const struct config *config, size_t receiver, size_t pair)
{
    return (receiver + pair * config->receivers) % config->workers;
}

static int open_receivers(struct data_plane *data_plane)
{
    const struct config *config = data_plane->config;
    int rc = 0;

    data_plane->data_receivers =
        allocate_aligned(data_plane->receiver_count, sizeof(*data_plane->data_receivers));
    data_plane->relay_receivers =
        allocate_aligned(data_plane->receiver_count, sizeof(*data_plane->relay_receivers));
    if (!data_plane->data_receivers || !data_plane->relay_receivers)
        return -ENOMEM;
    for (size_t i = 0; !rc && i < data_plane->receiver_count; i++) {
        size_t pairs = count_pairs(config, i);

        rc = receiver_init(&data_plane->data_receivers[i], SOURCE_DATA, config->ring, config->batch,
                           pairs);
        if (!rc)
            rc = receiver_init(&data_plane->relay_receivers[i], SOURCE_RELAY, config->ring,
                               config->batch, pairs);
        data_plane->data_receivers[i].socket = &data_plane->data_sockets[i];
        data_plane->relay_receivers[i].socket = &data_plane->relay_sockets[i];
    }
    return rc;
}

static void attach_workers(const struct data_plane *data_plane, struct receiver *receiver,
                           size_t index)
{
    for (size_t i = 0; i < receiver->pair_count; i++)
        worker_attach(&data_plane->workers[worker_of_pair(data_plane->config, index, i)],
                      &receiver->pairs[i], &receiver->waker);
}

/* The receiver of a multicast group deals out to all workers. */
static void attach_groups(const struct data_plane *data_plane)
{
    for (size_t i = 0; i < data_plane->groups.count; i++) {
        struct receiver *receiver = &data_plane->groups.list[i].receiver;

        for (size_t k = 0; k < receiver->pair_count; k++)
            worker_attach(&data_plane->workers[k], &receiver->pairs[k], &receiver->waker);
    }
}

static int open_windows(struct data_plane *data_plane)
{
    if (config_keeps(data_plane->config)) {
        data_plane->mails = allocate_aligned(data_plane->worker_count, sizeof(*data_plane->mails));
        if (!data_plane->mails)
            return -ENOMEM;
    }
    if (!config_has_keys(data_plane->config))
        return 0;
    data_plane->windows = frame_auth_create_windows();
    return data_plane->windows ? 0 : -ENOMEM;
}

static int open_workers(struct data_plane *data_plane, struct waker *supervisor_waker)
{
    struct worker_setup setup = {.config = data_plane->config,
                                 .identity = &data_plane->identity,
                                 .publisher = &data_plane->publisher,
                                 .supervisor_waker = supervisor_waker,
                                 .windows = data_plane->windows,
                                 .mails = data_plane->mails,
                                 .app_shared = &data_plane->app_shared,
                                 .worker_count = data_plane->worker_count,
                                 .rcvbuf_bytes = data_plane->relay_sockets[0].rcvbuf_bytes};
    int rc = 0;

    data_plane->workers = allocate_aligned(data_plane->worker_count, sizeof(*data_plane->workers));
    if (!data_plane->workers)
        return -ENOMEM;
    for (size_t i = 0; !rc && i < data_plane->worker_count; i++) {
        setup.index = i;
        setup.data_socket = &data_plane->data_sockets[i % data_plane->receiver_count];
        rc = worker_init(&data_plane->workers[i], &setup);
    }
    if (rc) {
        log_error("app_failed", "cannot set up a worker or its app socket (app.target): %s",
                  strerror(-rc));
        return rc;
    }
    for (size_t i = 0; i < data_plane->receiver_count; i++) {
        attach_workers(data_plane, &data_plane->data_receivers[i], i);
        attach_workers(data_plane, &data_plane->relay_receivers[i], i);
    }
    attach_groups(data_plane);
    for (size_t i = 0; i < data_plane->worker_count; i++) {
        struct app_reader *reader = app_reader(&data_plane->workers[i].routing.app);

        if (reader && reader->receiver.pair_count)
            worker_attach(&data_plane->workers[i], &reader->receiver.pairs[0],
                          &reader->receiver.waker);
    }
    return 0;
}

/* Once the ports of all workers' sockets are known. */
static int open_return_path(struct data_plane *data_plane)
{
    uint16_t ports[WORKERS_MAX];
    size_t count = 0;

    if (data_plane->config->app_source == CONFIG_APP_SOURCE_SESSION)
        return 0;
    for (; count < data_plane->worker_count; count++)
        ports[count] = app_socket(&data_plane->workers[count].routing.app)->local.port;
    return app_source_open(data_plane->config, ports, count, &data_plane->return_path);
}

static int open_completions(struct data_plane *data_plane)
{
    int rc = 0;

    data_plane->inline_workers =
        allocate_aligned(data_plane->receiver_count, sizeof(*data_plane->inline_workers));
    if (!data_plane->inline_workers)
        return -ENOMEM;
    for (size_t i = 0; !rc && i < data_plane->receiver_count; i++)
        rc = inline_worker_init(&data_plane->inline_workers[i], &data_plane->data_receivers[i],
                                &data_plane->relay_receivers[i], &data_plane->workers[i]);
    for (size_t i = 0; !rc && i < data_plane->groups.count; i++)
        rc = inline_worker_add_group(&data_plane->inline_workers[i % data_plane->receiver_count],
                                     &data_plane->groups.list[i].receiver);
    return rc;
}

int data_plane_open(const struct config *config, struct waker *supervisor_waker,
                    struct data_plane **ret_data_plane)
{
    struct data_plane *data_plane = allocate_aligned(1, sizeof(*data_plane));
    int rc;

    if (!data_plane)
        return -ENOMEM;
    data_plane->config = config;
    data_plane->receiver_count = config->receivers;
    data_plane->worker_count = config->workers ? config->workers : config->receivers;
    for (size_t i = 0; i < RECEIVERS_MAX; i++)
        data_plane->data_sockets[i].fd = data_plane->relay_sockets[i].fd = -1;
    data_plane->return_path.nft_fd = -1;
    (void)pthread_mutex_init(&data_plane->refuse_lock, NULL);
    app_drops_open(&data_plane->app_drops, config);
    snapshot_publisher_init(&data_plane->publisher);
    rc = identity_init(&data_plane->identity, config);
    if (!rc)
        rc = open_plane_sockets(data_plane);
    if (!rc)
        rc = multicast_groups_open(&data_plane->groups, config, data_plane->data_sockets,
                                   data_plane->receiver_count);
    if (!rc)
        rc = open_receivers(data_plane);
    if (!rc)
        rc = open_windows(data_plane);
    if (!rc)
        rc = app_source_check(config);
    if (!rc)
        rc = open_workers(data_plane, supervisor_waker);
    if (!rc)
        rc = open_return_path(data_plane);
    if (!rc && config->workers == 0)
        rc = open_completions(data_plane);
    if (rc)
        data_plane_close(data_plane);
    else
        *ret_data_plane = data_plane;
    return rc;
}

void data_plane_close(struct data_plane *data_plane)
{
    if (!data_plane)
        return;
    for (size_t i = 0; data_plane->workers && i < data_plane->worker_count; i++)
        worker_fini(&data_plane->workers[i]);
    for (size_t i = 0; i < data_plane->receiver_count; i++) {
        if (data_plane->inline_workers)
            inline_worker_fini(&data_plane->inline_workers[i]);
        if (data_plane->data_receivers)
            receiver_fini(&data_plane->data_receivers[i]);
        if (data_plane->relay_receivers)
            receiver_fini(&data_plane->relay_receivers[i]);
        udp_close(&data_plane->data_sockets[i]);
        udp_close(&data_plane->relay_sockets[i]);
    }
    multicast_groups_close(&data_plane->groups);
    return_path_close(&data_plane->return_path);
    app_drops_close(&data_plane->app_drops);
    (void)pthread_mutex_destroy(&data_plane->refuse_lock);
    snapshot_publisher_wipe(&data_plane->publisher);
    free(data_plane->inline_workers);
    free(data_plane->workers);
    free(data_plane->windows);
    free(data_plane->mails);
    free(data_plane->data_receivers);
    free(data_plane->relay_receivers);
    free(data_plane);
}

/* ---- start ---- */

static int start_agent(struct agent *agent, const char *kind, size_t index,
                       const struct agent_ops *ops, void *self)
{
    char name[16];

    (void)snprintf(name, sizeof(name), "%s-%u", kind, (unsigned)index);
    return agent_start(agent, name, ops, self);
}

static int start_worker(struct worker *worker)
{
    struct app_reader *reader = app_reader(&worker->routing.app);
    int rc = start_agent(&worker->agent, "worker", worker->index, &worker_agent_ops, worker);

    if (!rc && reader)
        rc = start_agent(&reader->receiver.agent, "app", worker->index, &app_reader_agent_ops,
                         reader);
    return rc;
}

int data_plane_start(struct data_plane *data_plane)
{
    int rc = 0;

    for (size_t i = 0; !rc && data_plane->inline_workers && i < data_plane->receiver_count; i++)
        rc = start_agent(&data_plane->inline_workers[i].agent, "data", i, &inline_worker_agent_ops,
                         &data_plane->inline_workers[i]);
    if (data_plane->inline_workers || rc)
        return rc;
    for (size_t i = 0; !rc && i < data_plane->worker_count; i++)
        rc = start_worker(&data_plane->workers[i]);
    for (size_t i = 0; !rc && i < data_plane->receiver_count; i++) {
        rc = start_agent(&data_plane->relay_receivers[i].agent, "relay", i, &receiver_agent_ops,
                         &data_plane->relay_receivers[i]);
        if (!rc)
            rc = start_agent(&data_plane->data_receivers[i].agent, "data", i, &receiver_agent_ops,
                             &data_plane->data_receivers[i]);
    }
    return rc ? rc : multicast_groups_start(&data_plane->groups);
}

void data_plane_rejoin_groups(struct data_plane *data_plane)
{
    multicast_groups_retry(&data_plane->groups);
}

void data_plane_poll_app_drops(struct data_plane *data_plane, uint64_t now_ns)
{
    app_drops_poll(&data_plane->app_drops, now_ns);
}
