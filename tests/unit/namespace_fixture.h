/* namespace_fixture: a network namespace of its own for a test, with nothing but loopback. */
#ifndef NAMESPACE_FIXTURE_H
#define NAMESPACE_FIXTURE_H

#include <criterion/criterion.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static inline void enter_namespace(void)
{
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd;

    if (unshare(CLONE_NEWNET) != 0)
        cr_skip_test("no network namespace without CAP_SYS_ADMIN");
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    cr_assert_eq(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
    (void)close(fd);
}

static inline void run_or_skip(const char *command)
{
    if (system(command) != 0) /* NOLINT(cert-env33-c): a constant */
        cr_skip_test("%s", command);
}

#endif
