#include "watch.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "headless/base/clock.h"

#define COMM_LENGTH 15 /* the kernel truncates names to this length */

/* Read the beginning of a file as text. */
static bool watch_read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length;

    if (fd < 0)
        return false;
    length = read(fd, text, size - 1);
    (void)close(fd);
    text[length > 0 ? length : 0] = '\0';
    return length > 0;
}

static bool read_process(int pid, const char *file, char *text, size_t size)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
    return watch_read_text(path, text, size);
}

/*
 * State and start time from /proc/PID/stat: "PID (NAME) S 4th 5th ...", where a name may contain
 * anything, so that the last parenthesis counts. False for ended processes, zombies included.
 */
static bool read_start(int pid, uint64_t *ret_start_ticks)
{
    char text[1024];
    const char *at;

    if (!read_process(pid, "stat", text, sizeof(text)))
        return false;
    at = strrchr(text, ')');
    if (!at || at[1] != ' ' || at[2] == 'Z' || at[2] == 'X')
        return false;
    for (unsigned field = 2; field < 22 && at; field++) /* the start time is the 22nd */
        at = strchr(at + 1, ' ');
    if (!at)
        return false;
    *ret_start_ticks = strtoull(at, NULL, 10);
    return true;
}

static bool read_cpu(int pid, uint64_t *ret_ns)
{
    clockid_t clock;
    struct timespec ts;

    if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &ts))
        return false;
    *ret_ns = (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
    return true;
}

static uint64_t read_kib(const char *status, const char *field)
{
    const char *at = strstr(status, field);

    return at ? strtoull(at + strlen(field), NULL, 10) * 1024 : 0;
}

/* "cpu  user nice system idle iowait irq softirq steal ...", in ticks since the machine started. */
static uint64_t read_machine(void)
{
    static const bool busy[] = {true, true, true, false, false, true, true};
    long ticks_per_second = sysconf(_SC_CLK_TCK);
    uint64_t ticks = 0;
    char text[256];
    char *at = text + 3;

    if (ticks_per_second <= 0 || !watch_read_text("/proc/stat", text, sizeof(text)) ||
        strncmp(text, "cpu ", 4) != 0)
        return 0;
    for (size_t i = 0; i < sizeof(busy) / sizeof(busy[0]); i++) {
        uint64_t value = strtoull(at, &at, 10);

        ticks += busy[i] ? value : 0;
    }
    return ticks * (NS_PER_SEC / (uint64_t)ticks_per_second);
}

/* ---- the list of processes ---- */

static const char *watch_add(struct watch *w, int pid)
{
    struct watched *p = &w->processes[w->count];

    if (w->count == WATCH_MAX)
        return "more than 32 processes: name fewer";
    *p = (struct watched){.pid = pid};
    if (!read_start(pid, &p->start_ticks) || !read_process(pid, "comm", p->name, sizeof(p->name)))
        return NULL; /* it has just ended */
    p->name[strcspn(p->name, "\n")] = '\0';
    w->count++;
    return NULL;
}

static bool has_name(int pid, const char *name)
{
    char comm[WATCH_NAME_MAX + 1];

    if (!read_process(pid, "comm", comm, sizeof(comm)))
        return false;
    comm[strcspn(comm, "\n")] = '\0';
    return strncmp(comm, name, COMM_LENGTH) == 0;
}

static const char *add_named(struct watch *w, const char *name)
{
    const char *wrong = NULL;
    DIR *directory = opendir("/proc");
    const struct dirent *entry;

    if (!directory)
        return "/proc cannot be read";
    while (!wrong && (entry = readdir(directory)) != NULL) {
        int pid = (int)strtol(entry->d_name, NULL, 10);

        if (pid > 0 && pid != getpid() && has_name(pid, name))
            wrong = watch_add(w, pid);
    }
    (void)closedir(directory);
    return wrong;
}

static const char *add_entry(struct watch *w, const char *entry)
{
    unsigned before = w->count;
    const char *wrong;

    if (entry[0] == '\0')
        return "must be names or PIDs of processes, as in headlessd,1234";
    if (entry[strspn(entry, "0123456789")] == '\0')
        wrong = strlen(entry) < 10 ? watch_add(w, (int)strtol(entry, NULL, 10)) : NULL;
    else
        wrong = add_named(w, entry);
    if (!wrong && w->count == before)
        return "no such process: start it first; its name is in /proc/PID/comm";
    return wrong;
}

const char *watch_open(struct watch *w, const char *text, char bad[static WATCH_TEXT_MAX])
{
    *w = (struct watch){0};
    for (;;) {
        size_t length = strcspn(text, ",");
        const char *wrong;

        (void)snprintf(bad, WATCH_TEXT_MAX, "%.*s", (int)length, text);
        wrong = add_entry(w, bad);
        if (wrong)
            return wrong;
        if (text[length] == '\0')
            return NULL;
        text += length + 1;
    }
}

/* ---- CPU time and memory ---- */

static bool is_same_process(const struct watched *p)
{
    uint64_t start_ticks;

    return read_start(p->pid, &start_ticks) && start_ticks == p->start_ticks;
}

void watch_begin(struct watch *w, uint64_t now_ns)
{
    if (!w->count)
        return;
    w->begin_ns = now_ns;
    for (unsigned i = 0; i < w->count; i++) {
        struct watched *p = &w->processes[i];

        p->ended = !is_same_process(p) || !read_cpu(p->pid, &p->begin_ns);
    }
    (void)read_cpu(getpid(), &w->own_begin_ns);
    w->machine_begin_ns = read_machine();
}

static void end_process(struct watched *p)
{
    char status[4096];
    uint64_t cpu_ns;

    if (!is_same_process(p) || !read_cpu(p->pid, &cpu_ns) ||
        !read_process(p->pid, "status", status, sizeof(status))) {
        p->ended = true;
        return;
    }
    p->cpu_ns = cpu_ns - p->begin_ns;
    p->rss_bytes = read_kib(status, "\nVmRSS:");
    p->hwm_bytes = read_kib(status, "\nVmHWM:");
}

void watch_end(struct watch *w, uint64_t now_ns)
{
    uint64_t own_ns;

    if (!w->count)
        return;
    w->machine_ns = read_machine() - w->machine_begin_ns;
    if (read_cpu(getpid(), &own_ns))
        w->own_ns = own_ns - w->own_begin_ns;
    for (unsigned i = 0; i < w->count; i++)
        end_process(&w->processes[i]);
    w->span_ns = now_ns - w->begin_ns;
}

const struct watched *watch_find_ended(const struct watch *w)
{
    for (unsigned i = 0; i < w->count; i++)
        if (w->processes[i].ended)
            return &w->processes[i];
    return NULL;
}
