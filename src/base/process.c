#include "headless/base/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "headless/base/clock.h"

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

/* open returns the lowest descriptor that is free. */
void process_open_standard(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        (void)close(fd);
}
