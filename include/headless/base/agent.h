/*
 * agent: a thread that does bounded slices of work.
 *
 * do_work does one slice and returns how much it did; the runner owns the loop, the idle strategy
 * and the stop flag. A test calls do_work by hand, without a thread. Idle strategy: after a slice
 * without work the runner spins a little (only as long as spinning has lately paid off: pods have
 * CPU quotas), then calls idle, which may block for at most AGENT_IDLE_MAX_NS so that a stop is
 * seen. An agent without idle blocks inside do_work, for at most as long.
 *
 * After agent_stop the runner calls do_work until it returns 0, for at most AGENT_DRAIN_MAX_NS, and
 * ends. So nothing that was in the agent's inputs is lost, provided that its producers were stopped
 * first.
 *
 * Threads: agent_start and agent_stop by one thread. Blocking: agent_stop, until the thread ended.
 *
 * Source: aeron_agent.h (duty cycle, idle strategy owned by the runner).
 */
#ifndef HEADLESS_BASE_AGENT_H
#define HEADLESS_BASE_AGENT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AGENT_IDLE_MAX_NS  UINT64_C(100000000)
#define AGENT_DRAIN_MAX_NS UINT64_C(500000000)

struct agent_ops {
    size_t (*do_work)(void *self);
    void (*idle)(void *self); /* NULL: do_work itself blocks */
};

struct agent {
    char name[16]; /* shown by top -H and ps -L */
    const struct agent_ops *ops;
    void *self;
    pthread_t thread;
    _Atomic bool started;         /* written by agent_start and agent_stop, read by any thread */
    _Atomic bool stopping;        /* written by agent_stop, read by the agent */
    _Atomic uint64_t duty_cycles; /* slices so far: written by the agent, read by any thread */
};

/* Start the thread, with all signals blocked. Returns 0 or a negative errno. */
int agent_start(struct agent *agent, const char *name, const struct agent_ops *ops, void *self)
    __attribute__((warn_unused_result));

/* Ask the agent to end, and wait until it has. wake (may be NULL) is called once, to end its
 * sleep. */
void agent_stop(struct agent *agent, void (*wake)(void *self));

/* Any thread. */
static inline bool agent_is_started(const struct agent *agent)
{
    return atomic_load_explicit(&agent->started, memory_order_acquire);
}

/* For a do_work that may block: true as soon as a stop was asked for; then it must only drain. */
static inline bool agent_is_stopping(struct agent *agent)
{
    return atomic_load_explicit(&agent->stopping, memory_order_acquire);
}

#endif
