/* completion: waits are bounded, and while jobs are late nobody waits. */
#include <criterion/criterion.h>
#include <pthread.h>

#include "headless/base/clock.h"
#include "headless/base/completion.h"

#define LONG_NS (3600 * NS_PER_SEC) /* the timeout of the test ends it earlier */

TestSuite(completion, .timeout = 60);

Test(completion, done_jobs_are_not_waited_for)
{
    struct completion completion = {0};

    cr_assert(completion_wait(&completion, 0, LONG_NS));
    completion_report(&completion, 3, true);
    cr_assert(completion_wait(&completion, 3, LONG_NS));
    cr_assert(completion_wait(&completion, 1, LONG_NS));
}

Test(completion, number_of_jobs_may_wrap)
{
    struct completion completion = {0};

    completion_report(&completion, UINT32_MAX, true);
    cr_assert(completion_wait(&completion, UINT32_MAX, LONG_NS));
    cr_assert_not(completion_wait(&completion, 0, 1));
    completion_report(&completion, 1, true);
    cr_assert(completion_wait(&completion, 0, LONG_NS));
    cr_assert(completion_wait(&completion, 1, LONG_NS));
}

/* The limit is spent once: afterwards a wait of an hour returns at once. */
Test(completion, late_job_is_waited_for_once)
{
    struct completion completion = {0};

    cr_assert_not(completion_wait(&completion, 1, 1));
    cr_assert_not(completion_wait(&completion, 1, LONG_NS));
    cr_assert_not(completion_wait(&completion, 2, LONG_NS));
    completion_report(&completion, 1, false);
    cr_assert_not(completion_wait(&completion, 2, LONG_NS), "one is left");
    completion_report(&completion, 2, true);
    cr_assert(completion_wait(&completion, 2, LONG_NS));
    cr_assert_not(completion_wait(&completion, 3, 1), "waits again");
}

static void *do_jobs(void *context)
{
    for (uint32_t i = 1; i <= 1000; i++)
        completion_report(context, i, i == 1000);
    return NULL;
}

Test(completion, waiting_thread_is_woken)
{
    struct completion completion = {0};
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, do_jobs, &completion), 0);
    for (uint32_t i = 1; i <= 1000; i++)
        cr_assert(completion_wait(&completion, i, LONG_NS));
    cr_assert_eq(pthread_join(thread, NULL), 0);
}
