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

Test(waker, wake_between_prepare_and_sleep_is_not_lost)
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

Test(waker, sleep_ends_at_its_timeout_without_a_wake)
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

Test(waker, eventfd_is_written_once_and_only_for_a_sleeper)
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

/* ---- borrowing ---- */

struct sleeper {
    struct waker waker;
    uint64_t timeout_ns;
    _Atomic bool is_awake;
    pthread_t thread;
};

static void *sleep_once(void *context)
{
    struct sleeper *sleeper = context;

    waker_prepare(&sleeper->waker);
    waker_sleep(&sleeper->waker, sleeper->timeout_ns);
    atomic_store_explicit(&sleeper->is_awake, true, memory_order_release);
    return NULL;
}

/* Returns when the sleeper has been borrowed. */
static void borrow_from(struct sleeper *sleeper, uint64_t timeout_ns)
{
    uint64_t began_ns = clock_now_ns();

    atomic_init(&sleeper->is_awake, false);
    sleeper->timeout_ns = timeout_ns;
    cr_assert_eq(waker_init(&sleeper->waker, false), 0);
    cr_assert_not(waker_borrow(&sleeper->waker), "it is awake");
    cr_assert_eq(pthread_create(&sleeper->thread, NULL, sleep_once, sleeper), 0);
    while (!waker_borrow(&sleeper->waker))
        cr_assert_lt(clock_now_ns() - began_ns, LONG_NS);
    cr_assert_not(waker_borrow(&sleeper->waker), "lent to one only");
}

static bool sleeps_on(struct sleeper *sleeper, uint64_t ns)
{
    const struct timespec moment = clock_to_timespec(ns);

    (void)nanosleep(&moment, NULL); /* nothing to wait for: that nothing happens */
    return !atomic_load_explicit(&sleeper->is_awake, memory_order_acquire);
}

static void join(struct sleeper *sleeper)
{
    uint64_t began_ns = clock_now_ns();

    cr_assert_eq(pthread_join(sleeper->thread, NULL), 0);
    cr_assert_lt(clock_now_ns() - began_ns, LONG_NS);
    waker_fini(&sleeper->waker);
}

Test(waker, sleeper_that_prepares_cannot_be_borrowed)
{
    struct waker waker;

    cr_assert_eq(waker_init(&waker, false), 0);
    waker_prepare(&waker);
    cr_assert_not(waker_borrow(&waker));
    waker_fini(&waker);
}

Test(waker, returned_sleeper_sleeps_on)
{
    struct sleeper sleeper;

    borrow_from(&sleeper, 2 * LONG_NS);
    waker_return(&sleeper.waker, false);
    cr_assert(sleeps_on(&sleeper, 20 * NS_PER_MS));
    waker_wake(&sleeper.waker);
    join(&sleeper);
}

Test(waker, borrower_may_wake_the_sleeper_at_return)
{
    struct sleeper sleeper;

    borrow_from(&sleeper, 2 * LONG_NS);
    waker_return(&sleeper.waker, true);
    join(&sleeper);
}

Test(waker, wake_while_lent_wakes_the_sleeper_at_return)
{
    struct sleeper sleeper;

    borrow_from(&sleeper, 2 * LONG_NS);
    waker_wake(&sleeper.waker);
    waker_wake(&sleeper.waker);
    cr_assert(sleeps_on(&sleeper, 20 * NS_PER_MS), "what it owns is still lent");
    waker_return(&sleeper.waker, false);
    join(&sleeper);
}

Test(waker, sleeper_whose_timeout_ends_waits_for_the_borrower)
{
    struct sleeper sleeper;

    borrow_from(&sleeper, NS_PER_SEC); /* enough for a slow machine to borrow it first */
    cr_assert(sleeps_on(&sleeper, NS_PER_SEC + 200 * NS_PER_MS));
    waker_return(&sleeper.waker, false);
    join(&sleeper);
}
