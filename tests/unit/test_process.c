#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "headless/base/clock.h"
#include "headless/base/process.h"

TestSuite(process, .timeout = 30);

static struct process_usage usage_now(void)
{
    struct process_usage usage;

    process_read_usage(&usage);
    return usage;
}

/* Use so much CPU time, by the thread's own clock. */
static void *burn(void *wanted_ns)
{
    struct timespec used;

    do
        (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    while ((uint64_t)used.tv_sec * NS_PER_SEC + (uint64_t)used.tv_nsec < *(uint64_t *)wanted_ns);
    return NULL;
}

Test(process, cpu_time_includes_ended_threads)
{
    uint64_t wanted_ns = 20 * NS_PER_MS, before = usage_now().cpu_ns, after;
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, burn, &wanted_ns), 0);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    after = usage_now().cpu_ns;
    cr_assert_geq(after - before, wanted_ns);
    cr_assert_lt(after - before, NS_PER_SEC, "and not its unit's thousandfold");
}

/* mmap, not malloc: a compiler may omit memory that is only written. */
Test(process, used_memory_is_resident)
{
    const size_t bytes = 32 << 20;
    uint64_t before = usage_now().resident_bytes;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    cr_assert_gt(before, 0);
    cr_assert_neq(memory, MAP_FAILED);
    cr_assert_gt(usage_now().resident_bytes, before + bytes / 2);
    cr_assert_eq(munmap(memory, bytes), 0);
    cr_assert_lt(usage_now().resident_bytes, before + bytes / 2);
}

Test(process, open_files_do_not_include_the_one_that_counts)
{
    uint64_t before = usage_now().open_fds;
    int fd;

    cr_assert_gt(before, 0);
    cr_assert_eq(usage_now().open_fds, before, "asking opens none");
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    cr_assert_eq(usage_now().open_fds, before + 1);
    (void)close(fd);
    cr_assert_eq(usage_now().open_fds, before);
}

Test(process, limit_is_the_soft_limit)
{
    struct rlimit limit;

    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 200;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_assert_eq(usage_now().max_fds, 200);
}

/* Started with 2>&-: the next socket would get the number 2, and the log would be sent to it. */
Test(process, closed_standard_descriptors_are_filled)
{
    int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10), next;
    ssize_t written;

    cr_assert_geq(saved, 0);
    (void)close(STDIN_FILENO);
    (void)close(STDERR_FILENO);
    cr_assert_eq(process_fill_descriptors(), 0);
    next = open("/dev/null", O_RDONLY | O_CLOEXEC);
    written = write(STDERR_FILENO, "x", 1);
    (void)dup2(saved, STDERR_FILENO);
    cr_assert_gt(next, STDERR_FILENO);
    cr_assert_eq(written, -1, "writing still fails");
    (void)close(next);
    (void)close(saved);
}

Test(process, inherited_umask_and_stack_size_are_corrected)
{
    pthread_attr_t attributes;
    size_t bytes = 0;

    cr_assert_eq(pthread_attr_init(&attributes), 0);
    cr_assert_eq(pthread_attr_setstacksize(&attributes, (size_t)64 << 10), 0);
    cr_assert_eq(pthread_setattr_default_np(&attributes), 0);
    (void)umask(0727);
    process_correct_inherited();
    cr_expect_eq(umask(0), 027);
    cr_assert_eq(pthread_getattr_default_np(&attributes), 0);
    cr_assert_eq(pthread_attr_getstacksize(&attributes, &bytes), 0);
    cr_expect_eq(bytes, (size_t)1 << 20);
    /* A larger one stays. */
    cr_assert_eq(pthread_attr_setstacksize(&attributes, (size_t)8 << 20), 0);
    cr_assert_eq(pthread_setattr_default_np(&attributes), 0);
    process_correct_inherited();
    cr_assert_eq(pthread_getattr_default_np(&attributes), 0);
    cr_assert_eq(pthread_attr_getstacksize(&attributes, &bytes), 0);
    cr_expect_eq(bytes, (size_t)8 << 20);
}
