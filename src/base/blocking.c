#include "headless/base/blocking.h"

#include "headless/base/clock.h"

#define BLOCKING_SLEEP_NS (3600 * NS_PER_SEC)

static bool blocking_has_job(const struct blocking *blocking)
{
    return atomic_load_explicit(&blocking->jobs, memory_order_acquire) !=
           completion_done(&blocking->completion);
}

static size_t blocking_do_work(void *self)
{
    struct blocking *blocking = self;

    if (!blocking_has_job(blocking))
        return 0;
    blocking->call(blocking->context);
    completion_report(&blocking->completion,
                      atomic_load_explicit(&blocking->jobs, memory_order_relaxed), true);
    return 1;
}

static void blocking_idle(void *self)
{
    struct blocking *blocking = self;

    waker_prepare(&blocking->waker);
    if (blocking_has_job(blocking) || agent_is_stopping(&blocking->agent))
        waker_cancel(&blocking->waker);
    else
        waker_sleep(&blocking->waker, BLOCKING_SLEEP_NS);
}

static const struct agent_ops blocking_agent_ops = {.do_work = blocking_do_work,
                                                    .idle = blocking_idle};

int blocking_start(struct blocking *blocking, const char *name)
{
    int rc = waker_init(&blocking->waker, false);

    return rc ? rc : agent_start(&blocking->agent, name, &blocking_agent_ops, blocking);
}

bool blocking_call(struct blocking *blocking, void (*call)(void *context), void *context,
                   uint64_t limit_ns)
{
    blocking->call = call;
    blocking->context = context;
    blocking->posted++;
    atomic_store_explicit(&blocking->jobs, blocking->posted, memory_order_seq_cst);
    waker_wake(&blocking->waker);
    return completion_wait(&blocking->completion, blocking->posted, limit_ns);
}

bool blocking_is_busy(const struct blocking *blocking)
{
    return completion_done(&blocking->completion) != blocking->posted;
}

static void blocking_wake(void *self)
{
    waker_wake(&((struct blocking *)self)->waker);
}

bool blocking_stop(struct blocking *blocking)
{
    if (blocking_is_busy(blocking))
        return false;
    agent_stop(&blocking->agent, blocking_wake);
    return true;
}
