/*
 * preload_hang: a volume that hangs, and threads that stop while they have a lock, for LD_PRELOAD.
 *
 * While the file exists that the variable HANG names, rename() does not return, and nor do open() and
 * opendir() of paths that begin with the variable HANG_PATH. While the file
 * HANG.THREAD exists, the thread of this name does not return a mutex that the supervisor has had,
 * or tried to have, as if it were preempted; it makes the file HANG.THREAD.hangs.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LOCKS 64

typedef int mutex_fn(pthread_mutex_t *mutex);

static _Atomic(pthread_mutex_t *) locks[LOCKS]; /* the supervisor's */

static void wait_while_exists(const char *path)
{
    const struct timespec look = {.tv_nsec = 1000000};

    while (access(path, F_OK) == 0)
        (void)nanosleep(&look, NULL);
}

static const char *hang_file(void)
{
    return getenv("HANG"); /* NOLINT(concurrency-mt-unsafe): nobody changes it */
}

static void hang(void)
{
    const char *file = hang_file();

    if (file)
        wait_while_exists(file);
}

static void hang_at(const char *path)
{
    const char *volume = getenv("HANG_PATH"); /* NOLINT(concurrency-mt-unsafe): as above */

    if (volume && strncmp(path, volume, strlen(volume)) == 0)
        hang();
}

int rename(const char *from, const char *to)
{
    hang();
    return (int)syscall(SYS_rename, from, to);
}

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list args;

    va_start(args, flags);
    if (flags & O_CREAT)
        mode = va_arg(args, mode_t);
    va_end(args);
    hang_at(path);
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/* The fortified open, of flags that the compiler does not know; its name is the C library's. */
int __open_2(const char *path, int flags); // NOLINT
int __open_2(const char *path, int flags)  // NOLINT
{
    return open(path, flags);
}

DIR *opendir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? NULL : fdopendir(fd);
}

/* ---- mutexes ---- */

static mutex_fn *real(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    mutex_fn *function;

    memcpy(&function, &found, sizeof(function));
    return function;
}

static void note(pthread_mutex_t *mutex)
{
    char name[16] = "";

    (void)prctl(PR_GET_NAME, name);
    if (strcmp(name, "supervisor") != 0)
        return;
    for (size_t i = 0; i < LOCKS; i++) {
        pthread_mutex_t *seen = NULL;

        if (atomic_compare_exchange_strong(&locks[i], &seen, mutex) || seen == mutex)
            return;
    }
}

static int is_supervisors(const pthread_mutex_t *mutex)
{
    for (size_t i = 0; i < LOCKS; i++) {
        if (atomic_load(&locks[i]) == mutex)
            return 1;
    }
    return 0;
}

static void hang_if_asked(void)
{
    const char *file = hang_file();
    char name[16] = "", path[512], mark[sizeof(path) + 8];
    int fd;

    if (!file)
        return;
    (void)prctl(PR_GET_NAME, name);
    (void)snprintf(path, sizeof(path), "%s.%s", file, name);
    if (strcmp(name, "supervisor") == 0 || access(path, F_OK) != 0)
        return;
    (void)snprintf(mark, sizeof(mark), "%s.hangs", path);
    fd = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0)
        (void)close(fd);
    wait_while_exists(path);
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    static mutex_fn *function;

    if (!function)
        function = real("pthread_mutex_lock");
    note(mutex);
    return function(mutex);
}

int pthread_mutex_trylock(pthread_mutex_t *mutex)
{
    static mutex_fn *function;

    if (!function)
        function = real("pthread_mutex_trylock");
    note(mutex);
    return function(mutex);
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    static mutex_fn *function;

    if (!function)
        function = real("pthread_mutex_unlock");
    if (is_supervisors(mutex))
        hang_if_asked();
    return function(mutex);
}
