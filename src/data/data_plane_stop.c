/* Refuses clients, and stops all threads of the data plane when what was received has been handled. */
#include <errno.h>
#include <time.h>

#include "data/data_plane_internal.h"
#include "headless/base/clock.h"

#define STOP_LOOK_NS (10 * NS_PER_MS)

void data_plane_watch(struct data_plane_quiet *quiet, const struct data_plane *data_plane,
                      uint64_t now_ns)
{
    /* Each datagram is counted under one of these first. Frames that the sequencer sends without
     * client traffic are not counted. */
    static const size_t arrivals[] = {COUNTER_RECEIVED_DATA, COUNTER_RECEIVED_GROUP,
                                      COUNTER_RECEIVED_RELAY, COUNTER_REPLIES_FROM_APP,
                                      COUNTER_REPLIES_FROM_RELAY};
    struct data_plane_numbers numbers;
    uint64_t activity = 0;

    data_plane_read_numbers(data_plane, &numbers);
    for (size_t i = 0; i < sizeof(arrivals) / sizeof(arrivals[0]); i++)
        activity += numbers.counters[arrivals[i]];
    if (activity != quiet->activity || data_plane_inside(&numbers) || !quiet->since_ns)
        quiet->since_ns = now_ns;
    quiet->activity = activity;
}

/* No condition says that the last reply has come: wait until none has come for a while. */
static void wait_for_replies(const struct data_plane *data_plane, struct data_plane_quiet *quiet,
                             uint64_t quiet_ns)
{
    const struct timespec look = clock_to_timespec(STOP_LOOK_NS);
    uint64_t now_ns = clock_now_ns(), end_ns = now_ns + 2 * quiet_ns;

    do {
        (void)nanosleep(&look, NULL); /* also for datagrams that came just before the refusal */
        now_ns = clock_now_ns();
        data_plane_watch(quiet, data_plane, now_ns);
    } while (now_ns < end_ns && now_ns - quiet->since_ns < quiet_ns);
}

int data_plane_refuse_clients(struct data_plane *data_plane, bool is_refusing)
{
    const struct udp_socket *socket = &data_plane->data_sockets[0];
    int rc = 0;

    if (data_plane->receiver_count > 1)
        return -ENOTSUP;
    (void)pthread_mutex_lock(&data_plane->refuse_lock);
    if (data_plane->is_ended)
        rc = -ESHUTDOWN;
    else if (is_refusing)
        udp_refuse_new(socket);
    else
        rc = udp_accept_new(socket);
    (void)pthread_mutex_unlock(&data_plane->refuse_lock);
    return rc;
}

static void refuse_for_good(struct data_plane *data_plane)
{
    (void)pthread_mutex_lock(&data_plane->refuse_lock);
    data_plane->is_ended = true;
    for (size_t i = 0; i < data_plane->receiver_count; i++)
        udp_refuse_new(&data_plane->data_sockets[i]);
    (void)pthread_mutex_unlock(&data_plane->refuse_lock);
}

static void wake_inline_worker(void *self)
{
    waker_wake(&((struct inline_worker *)self)->worker->waker);
}

void data_plane_stop(struct data_plane *data_plane, struct data_plane_quiet *quiet,
                     uint64_t quiet_ns)
{
    refuse_for_good(data_plane);
    multicast_groups_leave(&data_plane->groups);
    for (size_t i = 0; i < data_plane->receiver_count; i++)
        agent_stop(&data_plane->data_receivers[i].agent, NULL);
    multicast_groups_stop(&data_plane->groups);
    wait_for_replies(data_plane, quiet, quiet_ns);
    for (size_t i = 0; data_plane->inline_workers && i < data_plane->receiver_count; i++)
        agent_stop(&data_plane->inline_workers[i].agent, wake_inline_worker);
    for (size_t i = 0; i < data_plane->receiver_count; i++)
        agent_stop(&data_plane->relay_receivers[i].agent, NULL);
    for (size_t i = 0; i < data_plane->worker_count; i++) {
        struct app_reader *reader = app_reader(&data_plane->workers[i].routing.app);

        if (reader)
            agent_stop(&reader->receiver.agent, NULL);
        agent_stop(&data_plane->workers[i].agent, worker_wake);
    }
}
