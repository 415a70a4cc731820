#include "stop.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

int stop_open(void)
{
    sigset_t set;
    int fd;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

unsigned stop_take(int fd)
{
    struct signalfd_siginfo info;
    unsigned count = 0;

    while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        count++;
    return count;
}
