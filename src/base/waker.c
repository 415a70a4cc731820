#include "headless/base/waker.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "headless/base/clock.h"

enum { AWAKE, SLEEPING };

int waker_init(struct waker *waker, bool with_event_fd)
{
    atomic_init(&waker->state, AWAKE);
    waker->event_fd = -1;
    if (!with_event_fd)
        return 0;
    waker->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return waker->event_fd < 0 ? -errno : 0;
}

void waker_fini(struct waker *waker)
{
    if (waker->event_fd >= 0)
        (void)close(waker->event_fd);
    waker->event_fd = -1;
}

void waker_prepare(struct waker *waker)
{
    atomic_store_explicit(&waker->state, SLEEPING, memory_order_seq_cst);
}

void waker_cancel(struct waker *waker)
{
    atomic_store_explicit(&waker->state, AWAKE, memory_order_relaxed);
}

void waker_sleep(struct waker *waker, uint64_t timeout_ns)
{
    struct timespec timeout = clock_to_timespec(timeout_ns);

    /* EAGAIN (already awake), EINTR and ETIMEDOUT all mean: look at the inputs again. */
    (void)syscall(SYS_futex, &waker->state, FUTEX_WAIT_PRIVATE, SLEEPING, &timeout, NULL, 0);
    waker_cancel(waker);
}

void waker_awake(struct waker *waker)
{
    uint64_t count;

    waker_cancel(waker);
    while (read(waker->event_fd, &count, sizeof(count)) < 0 && errno == EINTR)
        ; /* EAGAIN: nobody woke us, a socket did */
}

void waker_wake(struct waker *waker)
{
    const uint64_t one = 1;

    if (atomic_load_explicit(&waker->state, memory_order_seq_cst) != SLEEPING)
        return;
    if (atomic_exchange_explicit(&waker->state, AWAKE, memory_order_seq_cst) != SLEEPING)
        return; /* somebody else wakes it */
    if (waker->event_fd >= 0) {
        while (write(waker->event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
            ;
    } else {
        (void)syscall(SYS_futex, &waker->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
}
