/*
 * preload_hang: a volume that hangs, for LD_PRELOAD. While the file exists that the variable HANG
 * names, rename() does not return, and nor do open() and opendir() of paths that begin with the
 * variable HANG_PATH.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void hang(void)
{
    const struct timespec look = {.tv_nsec = 1000000};
    const char *file = getenv("HANG"); /* NOLINT(concurrency-mt-unsafe): nobody changes it */

    while (file && access(file, F_OK) == 0)
        (void)nanosleep(&look, NULL);
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
