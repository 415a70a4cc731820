#include "headless/base/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "headless/base/clock.h"

#define THREAD_STACK_BYTES ((size_t)1 << 20)

static uint64_t read_cpu_ns(void)
{
    struct timespec used;

    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) < 0)
        return 0;
    return (uint64_t)used.tv_sec * NS_PER_SEC + (uint64_t)used.tv_nsec;
}

/* The file holds "SIZE RESIDENT ...", in pages. */
static uint64_t read_resident_bytes(void)
{
    char text[128] = "", *resident = text;
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t length;

    if (fd < 0)
        return 0;
    length = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    if (length <= 0)
        return 0;
    (void)strtoull(text, &resident, 10);
    return strtoull(resident, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Descriptors in /proc/self/fd, without the one that reads it. */
static uint64_t count_entries(void)
{
    DIR *directory = opendir("/proc/self/fd");
    const struct dirent *entry;
    uint64_t count = 0;

    if (!directory)
        return 0;
    while ((entry = readdir(directory))) /* NOLINT(concurrency-mt-unsafe): the stream is local */
        count += entry->d_name[0] != '.';
    (void)closedir(directory);
    return count > 0 ? count - 1 : 0;
}

/* Since Linux 6.2 the size of the directory is the number of descriptors. */
static uint64_t read_open_fds(void)
{
    struct stat status;

    if (stat("/proc/self/fd", &status) == 0 && status.st_size > 0)
        return (uint64_t)status.st_size;
    return count_entries();
}

static uint64_t read_max_fds(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

void process_read_usage(struct process_usage *ret_usage)
{
    *ret_usage = (struct process_usage){.cpu_ns = read_cpu_ns(),
                                        .resident_bytes = read_resident_bytes(),
                                        .open_fds = read_open_fds(),
                                        .max_fds = read_max_fds()};
}

/* The wrong direction, as coreutils' stdopen does: a program that prints must not believe that it did. */
static int open_unusable(int fd)
{
    int opened = open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);

    return opened >= 0 ? opened : open("/", O_RDONLY | O_DIRECTORY); /* a root without /dev */
}

int process_fill_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
            continue;
        if (open_unusable(fd) != fd) /* the lowest that is free */
            return errno ? -errno : -EBADF;
    }
    return 0;
}

void process_correct_inherited(void)
{
    pthread_attr_t attributes;
    size_t bytes = 0;

    (void)umask(umask(S_IRWXG | S_IRWXO) & (S_IRWXG | S_IRWXO));
    if (pthread_getattr_default_np(&attributes))
        return;
    (void)pthread_attr_getstacksize(&attributes, &bytes);
    if (bytes < THREAD_STACK_BYTES &&
        pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES) == 0)
        (void)pthread_setattr_default_np(&attributes);
    (void)pthread_attr_destroy(&attributes);
}
