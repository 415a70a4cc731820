#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>

#include "headless/base/clock.h"
#include "headless/base/waker.h"

#define LONG_NS (20 * NS_PER_SEC) /* a sleep that lasts so long was never woken */

TestSuite(waker, .timeout = 60);

static bool is_readable(int fd)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};

    return poll(&polled, 1, 0) == 1;
}

Test(waker, a_wake_between_prepare_and_sleep_is_not_lost)
{
    struct waker waker;
    uint64_t began_ns = clock_now_ns();

    cr_assert_eq(waker_init(&waker, false), 0);
    cr_assert_eq(waker.event_fd, -1);
    waker_prepare(&waker);
    waker_wake(&waker);
    waker_sleep(&waker, LONG_NS);
    cr_assert_lt(clock_now_ns() - began_ns, LONG_NS);
    waker_fini(&waker);
}

Test(waker, sleeps_until_its_timeout_when_nobody_wakes_it)
{
    struct waker waker;
    uint64_t began_ns = clock_now_ns();

    cr_assert_eq(waker_init(&waker, false), 0);
    waker_wake(&waker); /* of one that is awake: leaves nothing behind */
    waker_prepare(&waker);
    waker_sleep(&waker, 20 * NS_PER_MS);
    cr_assert_geq(clock_now_ns() - began_ns, 20 * NS_PER_MS);
    waker_fini(&waker);
}

static void *wake_when_asleep(void *context)
{
    struct waker *waker = context;
    uint64_t began_ns = clock_now_ns();

    while (atomic_load_explicit(&waker->state, memory_order_acquire) == 0 &&
           clock_now_ns() - began_ns < LONG_NS)
        ;
    waker_wake(waker);
    return NULL;
}

Test(waker, another_thread_wakes_a_sleeper)
{
    struct waker waker;
    uint64_t began_ns = clock_now_ns();
    pthread_t thread;

    cr_assert_eq(waker_init(&waker, false), 0);
    cr_assert_eq(pthread_create(&thread, NULL, wake_when_asleep, &waker), 0);
    waker_prepare(&waker);
    waker_sleep(&waker, LONG_NS);
    cr_assert_lt(clock_now_ns() - began_ns, LONG_NS);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    waker_fini(&waker);
}

Test(waker, the_eventfd_is_written_only_for_a_sleeper_and_once)
{
    struct waker waker;

    cr_assert_eq(waker_init(&waker, true), 0);
    waker_wake(&waker);
    cr_assert_not(is_readable(waker.event_fd), "it was awake");
    waker_prepare(&waker);
    cr_assert_not(is_readable(waker.event_fd));
    waker_wake(&waker);
    waker_wake(&waker);
    cr_assert(is_readable(waker.event_fd));
    waker_awake(&waker);
    cr_assert_not(is_readable(waker.event_fd), "emptied");
    waker_prepare(&waker);
    waker_cancel(&waker);
    waker_wake(&waker);
    cr_assert_not(is_readable(waker.event_fd), "it had changed its mind");
    waker_prepare(&waker);
    waker_awake(&waker); /* a socket ended the poll: nothing to read, must not block */
    waker_fini(&waker);
    cr_assert_eq(waker.event_fd, -1);
}
