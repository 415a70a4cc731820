#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "headless/base/clock.h"
#include "watch.h"

TestSuite(watch, .timeout = 60);

/* A child that uses CPU time until its end of the pipe is closed; it signals its begin. */
struct burner {
    pid_t pid;
    int stop, ready;
};

static _Noreturn void burn(int ready, int stop)
{
    char byte = 0;

    (void)!write(ready, &byte, 1);
    for (;;) {
        fd_set set;
        struct timeval now = {0};

        FD_ZERO(&set);
        FD_SET(stop, &set);
        if (select(stop + 1, &set, NULL, NULL, &now) > 0)
            _exit(0);
    }
}

static struct burner start_burner(void)
{
    struct burner b;
    int ready[2];
    int stop[2];
    char byte;

    cr_assert_eq(pipe(ready), 0);
    cr_assert_eq(pipe(stop), 0);
    b.pid = fork();
    cr_assert_geq(b.pid, 0);
    if (b.pid == 0) {
        (void)close(stop[1]);
        burn(ready[1], stop[0]);
    }
    cr_assert_eq(read(ready[0], &byte, 1), 1);
    b.stop = stop[1];
    b.ready = ready[0];
    (void)close(stop[0]);
    (void)close(ready[1]);
    return b;
}

static void stop_burner(struct burner *b)
{
    (void)close(b->stop);
    (void)close(b->ready);
    (void)waitpid(b->pid, NULL, 0);
}

/* CPU time of its only thread according to the scheduler. */
static uint64_t schedstat_ns(pid_t pid)
{
    unsigned long long ns = 0;
    char path[64];
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", pid, pid);
    file = fopen(path, "r");
    if (!file)
        return 0;
    cr_assert_eq(fscanf(file, "%llu", &ns), 1);
    (void)fclose(file);
    return ns;
}

Test(watch, cpu_time_of_a_process_agrees_with_schedstat)
{
    struct burner b = start_burner();
    char bad[WATCH_TEXT_MAX];
    char text[16];
    struct watch w;
    uint64_t before;
    uint64_t after;

    (void)snprintf(text, sizeof(text), "%d", b.pid);
    cr_assert_null(watch_open(&w, text, bad));
    cr_assert_eq(w.count, 1);
    before = schedstat_ns(b.pid);
    watch_begin(&w, 1000);
    do { /* until it has used 50 ms, on any machine */
        watch_end(&w, 3000);
    } while (w.processes[0].cpu_ns < 50 * NS_PER_MS);
    after = schedstat_ns(b.pid);
    cr_assert_eq(w.span_ns, 2000);
    if (after) /* 0: a kernel without schedstat */
        cr_assert_leq(w.processes[0].cpu_ns, after - before);
    cr_assert_gt(w.processes[0].rss_bytes, 0);
    cr_assert_geq(w.processes[0].hwm_bytes, w.processes[0].rss_bytes);
    cr_assert_null(watch_find_ended(&w));
    stop_burner(&b);
}

Test(watch, ended_process_is_found)
{
    struct burner b = start_burner();
    char bad[WATCH_TEXT_MAX];
    char text[16];
    struct watch w;

    (void)snprintf(text, sizeof(text), "%d", b.pid);
    cr_assert_null(watch_open(&w, text, bad));
    watch_begin(&w, 0);
    stop_burner(&b);
    watch_end(&w, 1);
    cr_assert_not_null(watch_find_ended(&w));
    cr_assert_eq(watch_find_ended(&w)->pid, b.pid);
}

Test(watch, zombie_counts_as_ended)
{
    pid_t pid = fork();
    char bad[WATCH_TEXT_MAX];
    char text[16];
    siginfo_t info;
    struct watch w;

    if (pid == 0)
        _exit(0);
    cr_assert_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    (void)snprintf(text, sizeof(text), "%d", pid);
    cr_assert_not_null(watch_open(&w, text, bad));
    (void)waitpid(pid, NULL, 0);
}

Test(watch, missing_process_is_named)
{
    static const char *const wrong[] = {"no-such-name", "4194999", "99999999999", "", "-1"};
    char bad[WATCH_TEXT_MAX];
    struct watch w;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        cr_assert_not_null(watch_open(&w, wrong[i], bad), "%s", wrong[i]);
        cr_assert_str_eq(bad, wrong[i]);
    }
}

Test(watch, empty_watch_reads_nothing)
{
    struct watch w = {0};

    watch_begin(&w, 0);
    watch_end(&w, 1);
    cr_assert_null(watch_find_ended(&w));
    cr_assert_eq(w.machine_ns, 0);
}
