/* A receiver does the work of a worker that sleeps, and wakes it only for what is due before it
 * would wake up by itself. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "plane_fixture.h"

#define HOUR_NS (3600 * NS_PER_SEC)

static void lead_with_rings(void)
{
    setup();
    for (int i = 0; i < PODS; i++) {
        configs[i].relay_linger_ns = HOUR_NS;
        configs[i].workers = 1;
    }
    use_route(CONFIG_ROUTE_ALL);
    publish_both(A, 1);
}

TestSuite(worker_call, .init = lead_with_rings, .fini = teardown, .timeout = 60);

static void *sleep_once(void *worker)
{
    worker_agent_ops.idle(worker);
    return NULL;
}

static bool is_asleep(struct worker *worker)
{
    if (!waker_borrow(&worker->waker))
        return false;
    waker_return(&worker->waker, false);
    return true;
}

/* One datagram, read and handed over in this thread. */
static void receive_one(void)
{
    struct receiver *receiver = &data_planes[A]->data_receivers[0];
    int n;

    say(A, "hello");
    receiver_reclaim(receiver);
    n = receiver_read(receiver, receiver->socket->fd, &receiver->socket->local, 0, MSG_DONTWAIT);
    cr_assert_eq(n, 1);
    receiver_dispatch(receiver, 1);
}

/*
 * A datagram for a worker that sleeps until then; does it sleep on? A sleep ends by itself after
 * 0.1 s: where this took longer than half of that, it says nothing, and is done again.
 */
static bool sleeps_on(uint64_t until_ns)
{
    struct worker *worker = &data_planes[A]->workers[0];
    bool sleeps = false, is_valid = false;

    while (!is_valid) {
        uint64_t began_ns = clock_now_ns();
        pthread_t thread;

        (void)worker_agent_ops.do_work(worker);
        cr_assert_eq(pthread_create(&thread, NULL, sleep_once, worker), 0);
        while (!is_asleep(worker) && clock_now_ns() - began_ns < AGENT_IDLE_MAX_NS / 2)
            ;
        if (until_ns)
            worker->until_ns = until_ns;
        receive_one();
        sleeps = is_asleep(worker);
        is_valid = clock_now_ns() - began_ns < AGENT_IDLE_MAX_NS / 2;
        waker_wake(&worker->waker);
        (void)pthread_join(thread, NULL);
    }
    return sleeps;
}

Test(worker_call, worker_sleeps_on_when_nothing_is_left_to_do)
{
    cr_expect(sleeps_on(0));
    cr_expect_eq(count(A, COUNTER_COPIES_SENT), count(A, COUNTER_COPIES_MADE));
    cr_expect_geq(count(A, COUNTER_DELIVERED), 1);
}

Test(worker_call, worker_sleeps_on_when_work_is_due_after_its_wake_up)
{
    (void)sleeps_on(0); /* the first copy does not wait */
    cr_expect(sleeps_on(0));
    cr_expect_eq(count(A, COUNTER_COPIES_SENT), 1);
    cr_expect_geq(count(A, COUNTER_DELIVERED), 2);
}

Test(worker_call, worker_is_woken_when_work_is_due_before_its_wake_up)
{
    (void)sleeps_on(0);
    cr_expect_not(sleeps_on(clock_now_ns() + 2 * HOUR_NS));
    cr_expect_eq(count(A, COUNTER_COPIES_SENT), 1);
}

/* ENOTSOCK stands for every failure of a read; what ends a wait, and ICMP errors, are none. */
Test(worker_call, failed_read_is_counted)
{
    struct receiver *receiver = &data_planes[A]->data_receivers[0];
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    cr_assert_geq(fd, 0);
    cr_assert_eq(
        receiver_read(receiver, receiver->socket->fd, &receiver->socket->local, 0, MSG_DONTWAIT),
        -EAGAIN);
    cr_assert_eq(receiver->counters.value[COUNTER_RECEIVE_FAILED], 0);
    cr_assert_eq(receiver_read(receiver, fd, &receiver->socket->local, 0, MSG_DONTWAIT), -ENOTSOCK);
    cr_assert_eq(receiver->counters.value[COUNTER_RECEIVE_FAILED], 1);
    cr_assert(!udp_is_read_failure(EINTR) && !udp_is_read_failure(ECONNREFUSED));
    cr_assert(udp_is_read_failure(ENOMEM) && udp_is_read_failure(ENETDOWN));
    (void)close(fd);
}
