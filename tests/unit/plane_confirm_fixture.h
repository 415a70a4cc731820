/*
 * plane_confirm_fixture: plane_fixture with relay.confirm, and with several workers. B relays to A. A
 * frame is lost by reading it off A's socket before A does.
 *
 * Times pass really, so the tests wait for what has to happen. PATIENCE_NS ends a wait for something that
 * never does; no verdict depends on it.
 */
#ifndef PLANE_CONFIRM_FIXTURE_H
#define PLANE_CONFIRM_FIXTURE_H

#include "plane_fixture.h"

#define PATIENCE_NS (30 * NS_PER_SEC)

/* until(CONDITION, ACTION): repeats the action until the condition is true. */
#define until(condition, action)                                                           \
    do {                                                                                   \
        const uint64_t since_ns = clock_now_ns();                                          \
                                                                                           \
        while (!(condition)) {                                                             \
            cr_assert_lt(clock_now_ns() - since_ns, PATIENCE_NS, "never: %s", #condition); \
            action;                                                                        \
        }                                                                                  \
    } while (0)

static bool a_is_dead;

/* Without threads: as many data threads as workers. */
static __attribute__((unused)) void open_again(enum config_confirm confirm, uint32_t workers)
{
    for (int i = 0; i < PODS; i++) {
        struct leader_snapshot *snapshot;

        data_plane_close(data_planes[i]);
        configs[i].relay_confirm = confirm;
        configs[i].relay_keep_bytes = 1 << 20;
        configs[i].relay_keep_ns = 60 * NS_PER_SEC;
        configs[i].rcvbuf_bytes = 1 << 20;
        configs[i].receivers = workers;
        cr_assert_eq(data_plane_open(&configs[i], &supervisor_wakers[i], &data_planes[i]), 0);
        snapshot = snapshot_draft(&data_planes[i]->publisher);
        snapshot->leader.confirms = snapshot->leader.splits_records = true;
        snapshot->leader.carries_tos = true;
        snapshot_publish(&data_planes[i]->publisher, snapshot);
    }
    publish_both(A, 1);
}

static __attribute__((unused)) uint64_t kept(int pod)
{
    struct data_plane_numbers numbers;

    data_plane_read_numbers(data_planes[pod], &numbers);
    return numbers.kept;
}

static __attribute__((unused)) const struct kept *kept_of(int pod, size_t worker)
{
    return &data_planes[pod]->workers[worker].routing.relay.kept;
}

/* Slices of all data threads of a pod. */
static __attribute__((unused)) void run_all(int pod)
{
    for (size_t i = 0; i < data_planes[pod]->receiver_count; i++)
        run_thread(pod, i);
}

/* Slices of both pods; frames between them arrive. */
static __attribute__((unused)) void run_both(void)
{
    for (int i = 0; i < 4; i++) {
        run_all(B);
        if (!a_is_dead)
            run_all(A);
    }
}

/* All frames to this pod are lost. */
static __attribute__((unused)) size_t lose(int pod)
{
    static uint8_t bytes[65536];
    size_t frames = 0;

    for (size_t i = 0; i < data_planes[pod]->receiver_count; i++) {
        while (recv(data_planes[pod]->relay_sockets[i].fd, bytes, sizeof(bytes), MSG_DONTWAIT) >= 0)
            frames++;
    }
    return frames;
}

static __attribute__((unused)) bool is_anything_kept(int pod)
{
    for (size_t i = 0; i < data_planes[pod]->worker_count; i++) {
        if (kept_of(pod, i)->ring.used)
            return true;
    }
    return false;
}

/* Until nothing is kept, since all is confirmed. */
static __attribute__((unused)) void settle_all(void)
{
    until(!is_anything_kept(A) && !is_anything_kept(B), run_both());
}

#endif
