#include "headless/base/completion.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "headless/base/clock.h"

static bool has_reached(const struct completion *completion, uint32_t jobs)
{
    return (int32_t)(completion_done(completion) - jobs) >= 0;
}

/*
 * A Dekker pair, as in waker.h: this thread writes done and reads waiters, a waiting one writes
 * waiters and reads done. So at least one of them sees the other's write.
 */
void completion_report(struct completion *completion, uint32_t done, bool is_all)
{
    atomic_store_explicit(&completion->done, done, memory_order_seq_cst);
    if (is_all)
        atomic_store_explicit(&completion->is_late, false, memory_order_relaxed);
    if (atomic_load_explicit(&completion->waiters, memory_order_seq_cst) > 0)
        (void)syscall(SYS_futex, &completion->done, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static bool completion_sleep(struct completion *completion, uint32_t jobs, uint64_t end_ns)
{
    uint32_t done = completion_done(completion);
    uint64_t now_ns = clock_now_ns();

    while ((int32_t)(done - jobs) < 0 && now_ns < end_ns) {
        const struct timespec rest = clock_to_timespec(end_ns - now_ns);

        /* EAGAIN (another job was done), EINTR and ETIMEDOUT all mean: look again. */
        (void)syscall(SYS_futex, &completion->done, FUTEX_WAIT_PRIVATE, done, &rest, NULL, 0);
        done = completion_done(completion);
        now_ns = clock_now_ns();
    }
    return (int32_t)(done - jobs) >= 0;
}

bool completion_wait(struct completion *completion, uint32_t jobs, uint64_t limit_ns)
{
    bool is_done;

    if (has_reached(completion, jobs))
        return true;
    if (atomic_load_explicit(&completion->is_late, memory_order_relaxed))
        return false;
    (void)atomic_fetch_add_explicit(&completion->waiters, 1, memory_order_seq_cst);
    is_done = completion_sleep(completion, jobs, clock_now_ns() + limit_ns);
    (void)atomic_fetch_sub_explicit(&completion->waiters, 1, memory_order_seq_cst);
    if (!is_done) {
        atomic_store_explicit(&completion->is_late, true, memory_order_seq_cst);
        is_done = has_reached(completion, jobs); /* a report just before may have been the last */
        if (is_done)
            atomic_store_explicit(&completion->is_late, false, memory_order_relaxed);
    }
    return is_done;
}
