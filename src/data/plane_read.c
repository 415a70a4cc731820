/* What others may know of the plane while it runs, and the line that the supervisor sends through
 * it. */
#include "headless/data/plane.h"

void plane_send_answer(struct plane *plane, const struct address *client,
                       const struct address *local, const char *text, size_t length)
{
    (void)udp_send_one(&plane->data_sockets[0], client, local, text, length);
}

static void add_counters(const struct counters *counters, struct plane_numbers *numbers)
{
    counters_collect(counters, numbers->counters);
    distributions_collect(counters->distributions, numbers->distributions);
}

static void add_receiver(const struct receiver *receiver, struct plane_numbers *numbers)
{
    add_counters(&receiver->counters, numbers);
    /* Those of frames are counted as received by the worker. */
    numbers->queued += receiver->source != SOURCE_RELAY ? receiver_queued(receiver) : 0;
}

static void add_sequence(const struct sequence *sequence, struct plane_numbers *numbers)
{
    numbers->waiting += atomic_load_explicit(&sequence->waiting, memory_order_relaxed);
    numbers->sequencer_last = atomic_load_explicit(&sequence->last, memory_order_relaxed);
    numbers->sequencer_is_leading =
        atomic_load_explicit(&sequence->is_leading, memory_order_relaxed);
}

static void add_app(struct app *app, struct plane_numbers *numbers)
{
    const struct app_reader *reader = app_reader(app);
    const struct udp_socket *socket = app_socket(app);

    if (reader) {
        add_counters(&reader->receiver.counters, numbers);
        numbers->app_kernel_drops +=
            atomic_load_explicit(&reader->ended_drops, memory_order_relaxed);
    }
    if (socket) {
        numbers->app_kernel_drops += udp_kernel_drops(socket->fd);
        numbers->app_rcvbuf_bytes = socket->rcvbuf_bytes;
    }
    numbers->sessions += app_session_count(app);
}

void plane_read_numbers(const struct plane *plane, struct plane_numbers *ret_numbers)
{
    struct plane_numbers numbers = {0};

    for (size_t i = 0; i < plane->receiver_count; i++) {
        add_receiver(&plane->data_receivers[i], &numbers);
        add_receiver(&plane->relay_receivers[i], &numbers);
        numbers.data_kernel_drops += udp_kernel_drops(plane->data_sockets[i].fd);
        numbers.relay_kernel_drops += udp_kernel_drops(plane->relay_sockets[i].fd);
    }
    for (size_t i = 0; i < plane->groups.count; i++)
        add_receiver(&plane->groups.list[i].receiver, &numbers);
    numbers.groups = groups_joined(&plane->groups);
    numbers.group_kernel_drops = groups_kernel_drops(&plane->groups);
    if (plane->groups.count > 0)
        numbers.group_rcvbuf_bytes = plane->groups.list[0].socket.rcvbuf_bytes;
    for (size_t i = 0; i < plane->worker_count; i++) {
        struct worker *worker = &plane->workers[i];

        add_counters(&worker->counters, &numbers);
        add_app(&worker->app, &numbers);
        numbers.held += hold_count(&worker->hold);
        if (worker->sequence)
            add_sequence(worker->sequence, &numbers);
    }
    *ret_numbers = numbers;
}

void plane_read_traffic(const struct plane *plane, uint16_t slot, uint64_t *ret_relayed,
                        uint64_t *ret_received)
{
    uint64_t relayed = 0, received = 0;

    for (size_t i = 0; i < plane->worker_count; i++) {
        const struct traffic *traffic = &plane->workers[i].traffic;

        relayed += atomic_load_explicit(&traffic->relayed[slot], memory_order_relaxed);
        received += atomic_load_explicit(&traffic->received[slot], memory_order_relaxed);
    }
    *ret_relayed = relayed;
    *ret_received = received;
}

bool plane_has_refusal(const struct plane *plane)
{
    for (size_t i = 0; i < plane->worker_count; i++) {
        if (atomic_load_explicit(&plane->workers[i].refused_instance, memory_order_seq_cst))
            return true;
    }
    return false;
}

bool plane_take_refusal(struct plane *plane, uint64_t *ret_instance)
{
    uint64_t instance = 0;

    for (size_t i = 0; i < plane->worker_count && !instance; i++)
        instance =
            atomic_exchange_explicit(&plane->workers[i].refused_instance, 0, memory_order_seq_cst);
    if (instance)
        *ret_instance = instance;
    return instance != 0;
}

bool plane_app_is_up(const struct plane *plane)
{
    for (size_t i = 0; i < plane->worker_count; i++) {
        if (!app_is_up(&plane->workers[i].app))
            return false;
    }
    return true;
}

/* The agents in one order, whether they run or not; NULL where there is none, *end past the last.
 */
static const struct agent *agent_at(const struct plane *plane, size_t index, bool *end)
{
    size_t receivers = plane->receiver_count;
    size_t workers = plane->worker_count;
    const struct app_reader *reader;

    if (index < receivers)
        return &plane->data_receivers[index].agent;
    if (index < 2 * receivers)
        return &plane->relay_receivers[index - receivers].agent;
    if (index < 3 * receivers)
        return plane->completions ? &plane->completions[index - 2 * receivers].agent : NULL;
    index -= 3 * receivers;
    if (index < plane->groups.count)
        return &plane->groups.list[index].receiver.agent;
    index -= plane->groups.count;
    if (index < workers)
        return &plane->workers[index].agent;
    *end = index >= 2 * workers;
    if (*end)
        return NULL;
    reader = app_reader(&plane->workers[index - workers].app);
    return reader ? &reader->receiver.agent : NULL;
}

const struct agent *plane_agent(const struct plane *plane, size_t index)
{
    bool end = false;

    for (size_t i = 0; !end; i++) {
        const struct agent *agent = agent_at(plane, i, &end);

        if (agent && agent_is_started(agent) && index-- == 0)
            return agent;
    }
    return NULL;
}
