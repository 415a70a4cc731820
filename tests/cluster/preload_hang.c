/*
 * preload_hang: a volume that hangs, for LD_PRELOAD. rename() does not return while the file exists
 * that the variable HANG names.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int rename(const char *from, const char *to)
{
    const struct timespec look = {.tv_nsec = 1000000};
    const char *hang = getenv("HANG"); /* NOLINT(concurrency-mt-unsafe): nobody changes it */

    while (hang && access(hang, F_OK) == 0)
        (void)nanosleep(&look, NULL);
    return (int)syscall(SYS_rename, from, to);
}
