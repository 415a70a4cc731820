/*
 * running_clock: time passes only while the test runs. For tests in whose order of events real timers are: a busy
 * machine takes the processor from a test for longer than those last. Needs -Wl,--wrap=clock_gettime.
 */
#ifndef RUNNING_CLOCK_H
#define RUNNING_CLOCK_H

#include "headless/base/clock.h"

#define RUNNING_CLOCK_STEP_NS NS_PER_MS /* at most, from one reading to the next */

int __real_clock_gettime(clockid_t id, struct timespec *ret_ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret_ts);

int __wrap_clock_gettime(clockid_t id, struct timespec *ret_ts)
{
    static uint64_t before_ns, shown_ns;
    struct timespec ts;
    uint64_t now_ns, step_ns;

    if (id != CLOCK_BOOTTIME)
        return __real_clock_gettime(id, ret_ts);
    (void)__real_clock_gettime(id, &ts);
    now_ns = (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
    step_ns = before_ns ? now_ns - before_ns : now_ns;
    if (before_ns && step_ns > RUNNING_CLOCK_STEP_NS)
        step_ns = RUNNING_CLOCK_STEP_NS;
    before_ns = now_ns;
    shown_ns += step_ns;
    *ret_ts = clock_to_timespec(shown_ns);
    return 0;
}

#endif
