#include "headless/base/agent.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "headless/base/clock.h"

#define SPIN_MAX 256U /* pauses: about 10 us */

static inline void cpu_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

static size_t run_slice(struct agent *agent)
{
    size_t done = agent->ops->do_work(agent->self);

    atomic_store_explicit(&agent->duty_cycles,
                          atomic_load_explicit(&agent->duty_cycles, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    return done;
}

/* The budget doubles when work arrived during a spin, and halves when none did. */
static bool spin(struct agent *agent, unsigned *budget)
{
    for (unsigned i = 0; i < *budget; i++) {
        cpu_pause();
        if (i % 16 == 15 && run_slice(agent) > 0) {
            *budget = *budget * 2 < SPIN_MAX ? *budget * 2 : SPIN_MAX;
            return true;
        }
    }
    *budget = *budget / 2 > 16 ? *budget / 2 : 16;
    return false;
}

static void *agent_run(void *argument)
{
    struct agent *agent = argument;
    unsigned spin_budget = 16;
    uint64_t end_ns;

    /* Only the thread itself can do this: for another thread glibc writes a file of /proc, which
     * confinement (secure/confine.h) forbids. */
    (void)pthread_setname_np(pthread_self(), agent->name);
    while (!agent_is_stopping(agent)) {
        if (run_slice(agent) > 0 || !agent->ops->idle)
            continue;
        if (!spin(agent, &spin_budget))
            agent->ops->idle(agent->self);
    }
    /* Drain the inputs. Bounded: more may arrive as fast as it is handled. */
    end_ns = clock_now_ns() + AGENT_DRAIN_MAX_NS;
    while (run_slice(agent) > 0 && clock_now_ns() < end_ns)
        ;
    return NULL;
}

int agent_start(struct agent *agent, const char *name, const struct agent_ops *ops, void *self)
{
    sigset_t all, before;
    int rc;

    (void)snprintf(agent->name, sizeof(agent->name), "%s", name);
    agent->ops = ops;
    agent->self = self;
    atomic_init(&agent->stopping, false);
    atomic_init(&agent->duty_cycles, 0);

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&agent->thread, NULL, agent_run, agent);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc)
        return -rc;
    atomic_store_explicit(&agent->started, true, memory_order_release);
    return 0;
}

void agent_stop(struct agent *agent, void (*wake)(void *self))
{
    if (!agent_is_started(agent))
        return;
    atomic_store_explicit(&agent->stopping, true, memory_order_seq_cst);
    if (wake)
        wake(agent->self);
    (void)pthread_join(agent->thread, NULL);
    atomic_store_explicit(&agent->started, false, memory_order_release);
}
