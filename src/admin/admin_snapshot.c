#include "admin/admin_snapshot.h"

#include "admin/readiness.h"
#include "headless/base/clock.h"
#include "headless/base/log.h"
#include "headless/secure/confine.h"

void admin_snapshot_take(struct admin *admin, struct admin_snapshot *ret_snapshot)
{
    struct data_plane *data_plane = admin->data_plane;
    const struct leader_snapshot *published =
        snapshot_acquire(data_plane_publisher(data_plane), &admin->reader);
    struct timespec wall;
    struct admin_snapshot snapshot = {
        .config = admin->config,
        .identity = data_plane_identity(data_plane),
        .leadership = &published->leader,
        .keys = &published->keys,
        .data_rcvbuf_bytes = data_plane_data_rcvbuf_bytes(data_plane),
        .relay_rcvbuf_bytes = data_plane_relay_rcvbuf_bytes(data_plane),
        .peer_rcvbuf_bytes = supervisor_peer_rcvbuf_bytes(admin->supervisor),
        .peer_kernel_drops = supervisor_peer_kernel_drops(admin->supervisor),
        .event_streams = events_count(&admin->events),
        .connections = connections_read(&admin->connections),
        .server_failures = atomic_load_explicit(&admin->server_failures, memory_order_relaxed),
        .now_ns = clock_now_ns(),
        .last_reload_succeeded =
            atomic_load_explicit(&admin->last_reload_succeeded, memory_order_relaxed),
        .confined = confine_is_on(),
        .config_loaded_s = atomic_load_explicit(&admin->config_loaded_s, memory_order_relaxed),
        .reloads = atomic_load_explicit(&admin->reloads, memory_order_relaxed),
        .reloads_refused = atomic_load_explicit(&admin->reloads_refused, memory_order_relaxed),
        .started_s = admin->started_s,
        .log = log_count(),
        .report = supervisor_report(admin->supervisor),
        .platform_client = admin->platform,
    };

    (void)clock_gettime(CLOCK_REALTIME, &wall);
    snapshot.wall_ns = (uint64_t)wall.tv_sec * NS_PER_SEC + (uint64_t)wall.tv_nsec;
    snapshot.uptime_ns = snapshot.now_ns - admin->started_ns;
    platform_read_numbers(admin->platform, &snapshot.platform);
    snapshot.has_lease = supervisor_read_lease(admin->supervisor, &snapshot.lease);
    supervisor_read_kubernetes(admin->supervisor, &snapshot.kubernetes);
    supervisor_read_history(admin->supervisor, &snapshot.history);
    data_plane_read_numbers(data_plane, &snapshot.numbers);
    counters_collect(supervisor_counters(admin->supervisor), snapshot.numbers.counters);
    counters_collect(&admin->notifier.counters, snapshot.numbers.counters);
    distributions_collect(supervisor_counters(admin->supervisor)->distributions,
                          snapshot.numbers.distributions);
    for (size_t i = 0; i < snapshot.leadership->member_count; i++) {
        uint16_t index = snapshot.leadership->members[i].member_index;

        if (index < MEMBERS_MAX)
            data_plane_read_traffic(data_plane, index, &snapshot.traffic[i].relayed,
                                    &snapshot.traffic[i].received);
    }
    (void)pthread_mutex_lock(&admin->options_lock);
    snapshot.options = admin->options;
    *ret_snapshot = snapshot;
}

void admin_snapshot_complete(struct admin *admin, struct admin_snapshot *snapshot)
{
    process_read_usage(&snapshot->process);
    snapshot->is_ready = readiness_tell(admin, snapshot->readiness);
}

void admin_snapshot_drop(struct admin *admin)
{
    (void)pthread_mutex_unlock(&admin->options_lock);
    snapshot_release(&admin->reader);
}
