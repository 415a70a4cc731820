/* The part of the data plane that other threads use while it runs. */
#include "data/data_plane_internal.h"

/* ---- the supervisor's ---- */

void data_plane_wake(struct data_plane *data_plane)
{
    for (size_t i = 0; i < data_plane->worker_count; i++)
        waker_wake(&data_plane->workers[i].waker);
    if (data_plane->watcher)
        waker_wake(data_plane->watcher);
}

bool data_plane_take_command(struct data_plane *data_plane, size_t worker,
                             struct queued_command *ret_command)
{
    return command_queue_try_read(&data_plane->workers[worker].classifier.commands, ret_command);
}

bool data_plane_has_command(const struct data_plane *data_plane)
{
    for (size_t i = 0; i < data_plane->worker_count; i++) {
        if (!ring_is_empty(&data_plane->workers[i].classifier.commands.out))
            return true;
    }
    return false;
}

int data_plane_send_reply(struct data_plane *data_plane, const struct address *client,
                          const struct address *local, const char *text, size_t length)
{
    return udp_send_one(&data_plane->data_sockets[0], client, local, text, length);
}

void data_plane_reset_windows(struct data_plane *data_plane, uint16_t member_index,
                              const uint64_t counters[static HANDSHAKE_NONCE_SPACES_MAX])
{
    frame_auth_reset_windows(data_plane->windows, member_index, counters);
}

bool data_plane_has_windows(const struct data_plane *data_plane)
{
    return data_plane->windows != NULL;
}

size_t data_plane_nonce_spaces(const struct data_plane *data_plane,
                               const struct nonce_space *ret_spaces[static WORKERS_MAX])
{
    for (size_t i = 0; i < data_plane->worker_count; i++)
        ret_spaces[i] = &data_plane->workers[i].routing.relay.nonce_space;
    return data_plane->worker_count;
}

/* ---- accessors ---- */

const struct identity *data_plane_identity(const struct data_plane *data_plane)
{
    return &data_plane->identity;
}

const struct address *data_plane_local(const struct data_plane *data_plane)
{
    return &data_plane->data_sockets[0].local;
}

size_t data_plane_worker_count(const struct data_plane *data_plane)
{
    return data_plane->worker_count;
}

uint64_t data_plane_data_rcvbuf_bytes(const struct data_plane *data_plane)
{
    return data_plane->data_sockets[0].rcvbuf_bytes;
}

uint64_t data_plane_relay_rcvbuf_bytes(const struct data_plane *data_plane)
{
    return data_plane->relay_sockets[0].rcvbuf_bytes;
}

struct snapshot_publisher *data_plane_publisher(struct data_plane *data_plane)
{
    return &data_plane->publisher;
}

void data_plane_set_watcher(struct data_plane *data_plane, struct waker *watcher)
{
    data_plane->watcher = watcher;
}

/* ---- numbers ---- */

static void sum_counters(const struct counters *counters, struct data_plane_numbers *numbers)
{
    counters_collect(counters, numbers->counters);
    distributions_collect(counters->distributions, numbers->distributions);
}

static void sum_receiver(const struct receiver *receiver, struct data_plane_numbers *numbers)
{
    sum_counters(&receiver->counters, numbers);
    /* The worker counts the requests of a frame as received, so none is queued before. */
    numbers->queued += receiver->source != SOURCE_RELAY ? receiver_queued(receiver) : 0;
}

static void sum_sequencer(const struct sequencer_runner *runner, struct data_plane_numbers *numbers)
{
    numbers->waiting += atomic_load_explicit(&runner->waiting, memory_order_relaxed);
    numbers->sequencer_last = atomic_load_explicit(&runner->last, memory_order_relaxed);
    numbers->sequencer_is_leading = atomic_load_explicit(&runner->is_leading, memory_order_relaxed);
}

static void sum_app(struct app *app, struct data_plane_numbers *numbers)
{
    const struct app_reader *reader = app_reader(app);
    const struct udp_socket *socket = app_socket(app);

    if (reader) {
        sum_counters(&reader->receiver.counters, numbers);
        numbers->app_kernel_drops +=
            atomic_load_explicit(&reader->ended_drops, memory_order_relaxed);
    }
    if (socket) {
        numbers->app_kernel_drops += udp_kernel_drops(socket->fd);
        numbers->app_rcvbuf_bytes = socket->rcvbuf_bytes;
    }
    numbers->sessions += app_session_count(app);
}

void data_plane_read_numbers(const struct data_plane *data_plane,
                             struct data_plane_numbers *ret_numbers)
{
    struct data_plane_numbers numbers = {0};

    for (size_t i = 0; i < data_plane->receiver_count; i++) {
        sum_receiver(&data_plane->data_receivers[i], &numbers);
        sum_receiver(&data_plane->relay_receivers[i], &numbers);
        numbers.data_kernel_drops += udp_kernel_drops(data_plane->data_sockets[i].fd);
        numbers.relay_kernel_drops += udp_kernel_drops(data_plane->relay_sockets[i].fd);
    }
    for (size_t i = 0; i < data_plane->groups.count; i++)
        sum_receiver(&data_plane->groups.list[i].receiver, &numbers);
    numbers.groups = multicast_groups_joined(&data_plane->groups);
    numbers.app_socket_drops = app_drops_total(&data_plane->app_drops);
    numbers.group_kernel_drops = multicast_groups_kernel_drops(&data_plane->groups);
    if (data_plane->groups.count > 0)
        numbers.group_rcvbuf_bytes = data_plane->groups.list[0].socket.rcvbuf_bytes;
    for (size_t i = 0; i < data_plane->worker_count; i++) {
        struct worker *worker = &data_plane->workers[i];

        sum_counters(&worker->routing.counters, &numbers);
        sum_app(&worker->routing.app, &numbers);
        numbers.held += hold_count(&worker->routing.hold);
        numbers.kept +=
            atomic_load_explicit(&worker->routing.relay.kept_count, memory_order_relaxed);
        if (worker->routing.runner)
            sum_sequencer(worker->routing.runner, &numbers);
    }
    numbers.is_app_up = data_plane_app_is_up(data_plane);
    *ret_numbers = numbers;
}

void data_plane_read_traffic(const struct data_plane *data_plane, uint16_t member_index,
                             uint64_t *ret_relayed, uint64_t *ret_received)
{
    uint64_t relayed = 0, received = 0;

    for (size_t i = 0; i < data_plane->worker_count; i++) {
        const struct traffic *traffic = &data_plane->workers[i].routing.traffic;

        relayed += atomic_load_explicit(&traffic->relayed[member_index], memory_order_relaxed);
        received += atomic_load_explicit(&traffic->received[member_index], memory_order_relaxed);
    }
    *ret_relayed = relayed;
    *ret_received = received;
}

bool data_plane_has_refusal(const struct data_plane *data_plane)
{
    for (size_t i = 0; i < data_plane->worker_count; i++) {
        if (atomic_load_explicit(&data_plane->workers[i].refused_instance, memory_order_seq_cst))
            return true;
    }
    return false;
}

bool data_plane_take_refusal(struct data_plane *data_plane, uint64_t *ret_instance)
{
    uint64_t instance = 0;

    for (size_t i = 0; i < data_plane->worker_count && !instance; i++)
        instance = atomic_exchange_explicit(&data_plane->workers[i].refused_instance, 0,
                                            memory_order_seq_cst);
    if (instance)
        *ret_instance = instance;
    return instance != 0;
}

bool data_plane_has_sessions(const struct data_plane *data_plane)
{
    for (size_t i = 0; i < data_plane->worker_count; i++) {
        if (app_session_count(&data_plane->workers[i].routing.app))
            return true;
    }
    return false;
}

bool data_plane_app_is_up(const struct data_plane *data_plane)
{
    for (size_t i = 0; i < data_plane->worker_count; i++) {
        if (!app_is_up(&data_plane->workers[i].routing.app))
            return false;
    }
    return true;
}

void data_plane_note_no_app(struct data_plane *data_plane, bool is_no_app)
{
    atomic_store_explicit(&data_plane->app_shared.is_no_app, is_no_app, memory_order_relaxed);
}

bool data_plane_needs_request(const struct data_plane *data_plane)
{
    for (size_t i = 0; i < data_plane->worker_count; i++) {
        if (app_needs_request(&data_plane->workers[i].routing.app))
            return true;
    }
    return false;
}

/* All agents in a fixed order, running or not. NULL: there is none at this index; *end: nor past it. */
static const struct agent *agent_at(const struct data_plane *data_plane, size_t index, bool *end)
{
    size_t receivers = data_plane->receiver_count;
    size_t workers = data_plane->worker_count;
    const struct app_reader *reader;

    if (index < receivers)
        return &data_plane->data_receivers[index].agent;
    if (index < 2 * receivers)
        return &data_plane->relay_receivers[index - receivers].agent;
    if (index < 3 * receivers)
        return data_plane->inline_workers ? &data_plane->inline_workers[index - 2 * receivers].agent
                                          : NULL;
    index -= 3 * receivers;
    if (index < data_plane->groups.count)
        return &data_plane->groups.list[index].receiver.agent;
    index -= data_plane->groups.count;
    if (index < workers)
        return &data_plane->workers[index].agent;
    *end = index >= 2 * workers;
    if (*end)
        return NULL;
    reader = app_reader(&data_plane->workers[index - workers].routing.app);
    return reader ? &reader->receiver.agent : NULL;
}

const struct agent *data_plane_agent(const struct data_plane *data_plane, size_t index)
{
    bool end = false;

    for (size_t i = 0; !end; i++) {
        const struct agent *agent = agent_at(data_plane, i, &end);

        if (agent && agent_is_started(agent) && index-- == 0)
            return agent;
    }
    return NULL;
}
