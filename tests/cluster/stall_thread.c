/*
 * stall_thread: stops some threads of a process, and no others.
 *
 *   stall_thread PID NAME MILLISECONDS
 *
 * NAME: the begin of their names, as in /proc/PID/task/TID/comm. It stops them by ptrace, writes
 * "ready" to standard error, and continues them after MILLISECONDS or when a signal ends it.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 64

static void on_signal(int number)
{
    (void)number; /* ends the sleep */
}

static int is_named(const char *pid, const char *tid, const char *name)
{
    char path[512], comm[32] = "";
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%s/task/%s/comm", pid, tid);
    file = fopen(path, "re");
    if (!file)
        return 0;
    if (!fgets(comm, sizeof(comm), file))
        comm[0] = '\0';
    (void)fclose(file);
    return strncmp(comm, name, strlen(name)) == 0;
}

/* Returns the number of stopped threads. */
static size_t stall(const char *pid, const char *name, pid_t *ret_tids)
{
    char path[64];
    struct dirent *entry;
    size_t count = 0;
    DIR *tasks;

    (void)snprintf(path, sizeof(path), "/proc/%s/task", pid);
    tasks = opendir(path);
    while (tasks && count < THREADS_MAX && (entry = readdir(tasks))) {
        pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);

        if (tid <= 0 || !is_named(pid, entry->d_name, name))
            continue;
        if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) || ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) ||
            waitpid(tid, NULL, __WALL) != tid) {
            (void)fprintf(stderr, "stall_thread: %d: %s\n", (int)tid, strerror(errno));
            continue;
        }
        ret_tids[count++] = tid;
    }
    if (tasks)
        (void)closedir(tasks);
    return count;
}

int main(int argc, char *argv[])
{
    const struct sigaction action = {.sa_handler = on_signal};
    struct timespec rest;
    pid_t tids[THREADS_MAX];
    long milliseconds;
    size_t count;

    if (argc != 4) {
        (void)fputs("usage: stall_thread PID NAME MILLISECONDS\n", stderr);
        return 2;
    }
    milliseconds = strtol(argv[3], NULL, 10);
    rest =
        (struct timespec){.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    count = stall(argv[1], argv[2], tids);
    if (count == 0) {
        (void)fprintf(stderr, "stall_thread: no thread of %s is named %s\n", argv[1], argv[2]);
        return 1;
    }
    (void)fputs("ready\n", stderr);
    (void)nanosleep(&rest, NULL);
    for (size_t i = 0; i < count; i++)
        (void)ptrace(PTRACE_DETACH, tids[i], NULL, NULL);
    return 0;
}
