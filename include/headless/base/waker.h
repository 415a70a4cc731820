/*
 * waker: lets a thread sleep until another one changes an input of it, and lets that other thread
 * do the work in its place.
 *
 * The sleeper has inputs (rings, a snapshot pointer); the waking side changes an input and then
 * checks whether the sleeper sleeps. A wake-up between the sleeper's last check of its inputs and
 * its sleep must not be lost. Both sides therefore write first and read second:
 *
 *      sleeper                                  waking side
 *      state = PREPARED      (waker_prepare)    change an input     (ring_publish, ...)
 *      check all inputs                         check state         (waker_wake)
 *      all empty: ASLEEP     (waker_sleep)      not AWAKE: state = AWAKE, futex_wake
 *
 * All four accesses are sequentially consistent, a Dekker pair: at least one side sees the other's
 * write. If the state changes before the futex call, the kernel sees that it is no longer ASLEEP
 * and returns. Standalone fences are not used: ThreadSanitizer cannot see them. While the sleeper
 * is awake a wake-up costs one load; it is done once a batch.
 *
 * Waking a thread and going to sleep again takes several microseconds, more than a slice of work
 * for one datagram. So a thread with input for a sleeper may borrow it instead: until it returns
 * the sleeper, it owns all that the sleeper owns.
 *
 *      ASLEEP ── waker_borrow ──► LENT ── waker_return ──► ASLEEP     the sleeper did not run
 *                                 │
 *                                 └─ waker_wake, or the sleeper's timeout ──► CALLED
 *                                    CALLED ── waker_return ──► AWAKE     the sleeper runs
 *
 * No wake-up is lost: waker_wake turns LENT into CALLED, and waker_return then wakes the sleeper.
 *
 * A thread that must also sleep on sockets (run to completion) asks for an eventfd at init and
 * polls it in place of waker_sleep; it cannot be borrowed. Technique: ck_ec.h (event counts),
 * futex(2).
 */
#ifndef HEADLESS_BASE_WAKER_H
#define HEADLESS_BASE_WAKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct waker {
    _Alignas(64) _Atomic uint32_t state;
    int event_fd; /* -1: the sleeper uses waker_sleep */
};

/* with_event_fd: the sleeper polls. Returns 0 or a negative errno. */
int waker_init(struct waker *waker, bool with_event_fd) __attribute__((warn_unused_result));
void waker_fini(struct waker *waker);

/* Sleeper: announce the sleep. Then check every input once more. */
void waker_prepare(struct waker *waker);
/* Sleeper: an input was not empty; stay awake. */
void waker_cancel(struct waker *waker);
/* Sleeper: block until woken or for timeout_ns; may return early without a wake-up. */
void waker_sleep(struct waker *waker, uint64_t timeout_ns);
/* Sleeper with an eventfd, after poll: set the state to awake and empty the eventfd. */
void waker_awake(struct waker *waker);

/* Any thread, after it changed an input. Never blocks. */
void waker_wake(struct waker *waker);

/*
 * Any thread: borrow the sleeper. False when it does not sleep, or is lent already: then call
 * waker_wake. waker_return: wake says that work is left for the sleeper.
 */
bool waker_borrow(struct waker *waker) __attribute__((warn_unused_result));
void waker_return(struct waker *waker, bool wake);

#endif
