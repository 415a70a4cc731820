#include "admin/reading.h"

#include "admin/readiness.h"
#include "headless/base/clock.h"
#include "headless/base/log.h"
#include "headless/secure/confine.h"

void reading_take(struct admin *admin, struct reading *ret_reading)
{
    struct data_plane *data_plane = admin->data_plane;
    struct timespec wall;
    struct reading reading = {
        .config = admin->config,
        .identity = &data_plane->identity,
        .leadership = snapshot_acquire(&data_plane->publisher, &admin->reader),
        .data_rcvbuf_bytes = data_plane->data_sockets[0].rcvbuf_bytes,
        .relay_rcvbuf_bytes = data_plane->relay_sockets[0].rcvbuf_bytes,
        .peer_rcvbuf_bytes = admin->supervisor->transport.socket.rcvbuf_bytes,
        .peer_kernel_drops = udp_kernel_drops(admin->supervisor->transport.socket.fd),
        .event_streams = events_count(&admin->events),
        .connections = connections_read(&admin->connections),
        .now_ns = clock_now_ns(),
        .last_reload_succeeded =
            atomic_load_explicit(&admin->last_reload_succeeded, memory_order_relaxed),
        .confined = confine_is_on(),
        .config_loaded_s = atomic_load_explicit(&admin->config_loaded_s, memory_order_relaxed),
        .reloads = atomic_load_explicit(&admin->reloads, memory_order_relaxed),
        .reloads_refused = atomic_load_explicit(&admin->reloads_refused, memory_order_relaxed),
        .started_s = admin->started_s,
        .log = log_count(),
        .report = &admin->supervisor->report,
    };

    (void)clock_gettime(CLOCK_REALTIME, &wall);
    reading.wall_ns = (uint64_t)wall.tv_sec * NS_PER_SEC + (uint64_t)wall.tv_nsec;
    reading.uptime_ns = reading.now_ns - admin->started_ns;
    data_plane_read_numbers(data_plane, &reading.numbers);
    counters_collect(&admin->supervisor->counters, reading.numbers.counters);
    counters_collect(&admin->notifier.counters, reading.numbers.counters);
    distributions_collect(admin->supervisor->counters.distributions, reading.numbers.distributions);
    for (size_t i = 0; i < reading.leadership->member_count; i++) {
        uint16_t slot = reading.leadership->members[i].slot;

        if (slot < MEMBERS_MAX)
            data_plane_read_traffic(data_plane, slot, &reading.traffic[i].relayed,
                                    &reading.traffic[i].received);
    }
    (void)pthread_mutex_lock(&admin->options_lock);
    reading.options = admin->options;
    *ret_reading = reading;
}

void reading_complete(struct admin *admin, struct reading *reading)
{
    process_read_usage(&reading->process);
    reading->is_ready = readiness_tell(admin, reading->readiness);
}

void reading_drop(struct admin *admin)
{
    (void)pthread_mutex_unlock(&admin->options_lock);
    snapshot_release(&admin->reader);
}
