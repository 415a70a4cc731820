/*
 * waker: how a thread sleeps until one of several others has something for it, and how one of these
 * does the work in its place.
 *
 * The sleeper has inputs (rings, a snapshot pointer); each waking side changes an input and then asks
 * whether the sleeper sleeps. The danger is the wake-up that falls between the sleeper's last look
 * and its sleep. Both sides therefore write first and look second:
 *
 *      sleeper                                  waking side
 *      state = PREPARED     (waker_prepare)     input = new          (ring_publish, snapshot_publish)
 *      look at all inputs                       look at state        (waker_wake)
 *      nothing: ASLEEP      (waker_sleep)       not AWAKE: state = AWAKE, futex_wake
 *
 * All four are sequentially consistent, a Dekker pair: at least one side sees the other's write. If
 * the state changes before the futex call, the kernel sees that it is no longer ASLEEP and returns.
 * No standalone fences, which ThreadSanitizer cannot see. A wake-up costs the waking side one load
 * as long as the sleeper is awake, so it is done once a batch.
 *
 * Waking a thread and falling asleep behind it takes several microseconds, more than a slice of
 * work for one datagram. So whoever has something for a sleeper may borrow it instead: what the
 * sleeper owns becomes the borrower's until it gives it back.
 *
 *      ASLEEP ── waker_borrow ──► LENT ── waker_return ──► ASLEEP     the sleeper never ran
 *                                 │
 *                                 └─ waker_wake, or the sleeper's time is over ──► CALLED
 *                                    CALLED ── waker_return ──► AWAKE     it runs after all
 *
 * Nothing is lost: who changes an input while it is lent finds LENT, and leaves CALLED behind.
 *
 * A thread that must sleep on sockets too (run to completion) gives an eventfd at init and polls it
 * in place of waker_sleep; it cannot be borrowed. Source of the idea: ck_ec.h (event counts), Linux
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

/* with_event_fd: for a sleeper that polls. Returns 0 or a negative errno. */
int waker_init(struct waker *waker, bool with_event_fd) __attribute__((warn_unused_result));
void waker_fini(struct waker *waker);

/* Sleeper: announce that we are about to sleep. Then look at every input once more. */
void waker_prepare(struct waker *waker);
/* Sleeper: an input was there after all. */
void waker_cancel(struct waker *waker);
/* Sleeper: block until woken or for timeout_ns; may return early for no reason. */
void waker_sleep(struct waker *waker, uint64_t timeout_ns);
/* Sleeper with an eventfd, after poll: awake again, eventfd emptied. */
void waker_awake(struct waker *waker);

/* Any thread, after its change to an input is visible. Never blocks. */
void waker_wake(struct waker *waker);

/*
 * Any thread: do the sleeper's work in its place. False when it is not asleep, or lent to another:
 * then waker_wake. waker_return: wake asks that the sleeper goes on with it.
 */
bool waker_borrow(struct waker *waker) __attribute__((warn_unused_result));
void waker_return(struct waker *waker, bool wake);

#endif
