#include "headless/base/waker.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "headless/base/clock.h"

enum { AWAKE, PREPARED, ASLEEP, LENT, CALLED };

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
    atomic_store_explicit(&waker->state, PREPARED, memory_order_seq_cst);
}

void waker_cancel(struct waker *waker)
{
    atomic_store_explicit(&waker->state, AWAKE, memory_order_relaxed);
}

/* seq_cst: ordered with the inputs (waker.h), and passes on what the sleeper owns. */
static bool change_state(struct waker *waker, uint32_t from, uint32_t to)
{
    return atomic_compare_exchange_strong_explicit(&waker->state, &from, to, memory_order_seq_cst,
                                                   memory_order_seq_cst);
}

static void futex_wait(struct waker *waker, uint32_t state, const struct timespec *timeout)
{
    (void)syscall(SYS_futex, &waker->state, FUTEX_WAIT_PRIVATE, state, timeout, NULL, 0);
}

static void futex_wake(struct waker *waker)
{
    (void)syscall(SYS_futex, &waker->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void waker_sleep(struct waker *waker, uint64_t timeout_ns)
{
    const struct timespec timeout = clock_to_timespec(timeout_ns);

    if (!change_state(waker, PREPARED, ASLEEP))
        return; /* woken already */
    /* EAGAIN (no longer asleep), EINTR and ETIMEDOUT all mean: check the state again. */
    futex_wait(waker, ASLEEP, &timeout);
    while (!change_state(waker, ASLEEP, AWAKE) &&
           atomic_load_explicit(&waker->state, memory_order_seq_cst) != AWAKE) {
        (void)change_state(waker, LENT, CALLED);
        futex_wait(waker, CALLED, NULL);
    }
}

void waker_awake(struct waker *waker)
{
    uint64_t count;

    waker_cancel(waker);
    while (read(waker->event_fd, &count, sizeof(count)) < 0 && errno == EINTR)
        ; /* EAGAIN: a socket ended the poll, not waker_wake */
}

static void write_event_fd(struct waker *waker)
{
    const uint64_t one = 1;

    while (write(waker->event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

void waker_wake(struct waker *waker)
{
    /* A change fails when another thread changed the state meanwhile: then check it again. */
    for (;;) {
        switch (atomic_load_explicit(&waker->state, memory_order_seq_cst)) {
        case PREPARED: /* on its way into waker_sleep, or in poll */
            if (!change_state(waker, PREPARED, AWAKE))
                break;
            if (waker->event_fd >= 0)
                write_event_fd(waker);
            return;
        case ASLEEP:
            if (!change_state(waker, ASLEEP, AWAKE))
                break;
            futex_wake(waker);
            return;
        case LENT:
            if (!change_state(waker, LENT, CALLED))
                break;
            return;
        default: /* AWAKE, CALLED: the sleeper will check its inputs */
            return;
        }
    }
}

bool waker_borrow(struct waker *waker)
{
    return change_state(waker, ASLEEP, LENT);
}

void waker_return(struct waker *waker, bool wake)
{
    if (!wake && change_state(waker, LENT, ASLEEP))
        return;
    atomic_store_explicit(&waker->state, AWAKE, memory_order_seq_cst);
    futex_wake(waker);
}
