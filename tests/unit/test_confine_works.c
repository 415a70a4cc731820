/*
 * confine: in a confined child process, the calls of serving work, and those of some configurations
 * work with these.
 */
#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>

#include "confine_fixture.h"
#include "directory_fixture.h"

TestSuite(confine_works, .init = setup, .timeout = 60);

/* ---- allowed calls ---- */

static int worked(bool ok)
{
    return ok ? 0 : errno ? errno : EINVAL;
}

/* A datagram to the own socket, by sendmmsg and recvmmsg. */
static int echo(int family)
{
    struct sockaddr_storage at = {.ss_family = (sa_family_t)family};
    socklen_t length = sizeof(at);
    char byte = 'x';
    struct iovec vector = {&byte, 1};
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &vector, .msg_iovlen = 1}};
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), bytes = 65536;
    bool ok;

    if (fd < 0)
        return errno;
    ok = setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) == 0 &&
         bind(fd, (struct sockaddr *)&at, length) == 0 &&
         getsockname(fd, (struct sockaddr *)&at, &length) == 0 &&
         connect(fd, (struct sockaddr *)&at, length) == 0 && sendmmsg(fd, &message, 1, 0) == 1 &&
         recvmmsg(fd, &message, 1, 0, NULL) == 1 && send(fd, "y", 1, 0) == 1 &&
         recv(fd, &byte, 1, 0) == 1;
    (void)close(fd);
    return worked(ok);
}

static int echo_v4(void)
{
    return echo(AF_INET);
}

static int echo_v6(void)
{
    return echo(AF_INET6); /* ENETUNREACH and others without IPv6 */
}

static int sleep_in_epoll(void)
{
    const struct itimerspec soon = {.it_value = {.tv_nsec = 1000000}};
    int epoll = epoll_create1(EPOLL_CLOEXEC), timer = timerfd_create(CLOCK_MONOTONIC, 0);
    int event = eventfd(0, EFD_CLOEXEC);
    struct epoll_event ready, timer_event = {.events = EPOLLIN};

    return worked(epoll >= 0 && timer >= 0 && event >= 0 &&
                  epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &timer_event) == 0 &&
                  timerfd_settime(timer, 0, &soon, NULL) == 0 &&
                  epoll_wait(epoll, &ready, 1, 5000) == 1);
}

static void *name_thread(void *argument)
{
    int *result = argument;

    *result = pthread_setname_np(pthread_self(), "confined");
    return NULL;
}

static int start_thread(void)
{
    pthread_t thread;
    int result = -1, rc = pthread_create(&thread, NULL, name_thread, &result);

    if (!rc)
        rc = pthread_join(thread, NULL);
    return rc ? rc : result;
}

/* Memory, as the C library maps, moves and unmaps it. */
static int use_memory(void)
{
    char *large = malloc(64 << 20), *larger = large ? realloc(large, 128 << 20) : NULL;
    char *mapping = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool ok =
        larger && mapping != MAP_FAILED && mprotect(mapping, 1 << 20, PROT_READ | PROT_WRITE) == 0;

    if (ok) {
        larger[(128 << 20) - 1] = 'x';
        mapping[0] = 'x';
        ok = madvise(mapping, 1 << 20, MADV_DONTNEED) == 0 && munmap(mapping, 1 << 20) == 0;
    }
    free(larger);
    return worked(ok);
}

static int read_file(void)
{
    char line[256];
    FILE *file = fopen("/proc/self/status", "re");
    bool ok = file && fgets(line, sizeof(line), file);

    return worked(ok && fclose(file) == 0);
}

/* The calls of keyring_load. */
static int read_directory(void)
{
    DIR *entries = opendir("/proc/self");

    return worked(entries && readdir(entries) && closedir(entries) == 0);
}

static int sleep_a_moment(void)
{
    const struct timespec moment = {.tv_nsec = 1000};

    return worked(nanosleep(&moment, NULL) == 0 &&
                  clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL) == 0);
}

static int number_of_interface(void)
{
    return worked(if_nametoindex("lo") > 0);
}

static int signal_self(void)
{
    return worked(signal(SIGUSR1, SIG_IGN) != SIG_ERR && raise(SIGUSR1) == 0);
}

static int draw_random(void)
{
    char bytes[16];

    return worked(getentropy(bytes, sizeof(bytes)) == 0);
}

static const struct {
    const char *name;
    int (*try)(void);
} works[] = {
    {"IPv4", echo_v4},
    {"IPv6", echo_v6},
    {"epoll, timerfd, eventfd", sleep_in_epoll},
    {"a thread, and its name", start_thread},
    {"memory", use_memory},
    {"read a file", read_file},
    {"a directory, and its changes", read_directory},
    {"sleep", sleep_a_moment},
    {"the number of an interface", number_of_interface},
    {"a signal to itself", signal_self},
    {"random bytes", draw_random},
};
#define WORKS_COUNT (sizeof(works) / sizeof(works[0]))

static void try_works(void)
{
    for (size_t i = 0; i < WORKS_COUNT; i++) {
        errno = 0;
        results[i] = works[i].try();
    }
}

Test(confine_works, calls_of_serving_work, .disabled = !CONFINE_IS_POSSIBLE)
{
    int unconfined[WORKS_COUNT];

    cr_assert_eq(run_child(NULL, try_works), 0);
    memcpy(unconfined, results, sizeof(unconfined));
    cr_assert_eq(unconfined[0], 0, "IPv4");
    cr_assert_eq(run_child(&nothing_special, try_works), 0);
    for (size_t i = 0; i < WORKS_COUNT; i++)
        cr_expect_eq(results[i], unconfined[i], "%s: %d, and %d without the filter", works[i].name,
                     results[i], unconfined[i]);
}

Test(confine_works, abort_ends_the_process, .disabled = !CONFINE_IS_POSSIBLE)
{
    int status = run_child(&nothing_special, abort);

    cr_assert(WIFSIGNALED(status));
    cr_assert_eq(WTERMSIG(status), SIGABRT);
}

/* ---- calls of some configurations ---- */

static int open_socket(int family, int type)
{
    int fd = socket(family, type | SOCK_CLOEXEC, 0);

    return fd < 0 ? errno : close(fd);
}

static void resolve(void)
{
    struct addrinfo *found = NULL;

    results[0] = getaddrinfo("localhost", NULL, NULL, &found);
    if (results[0] == 0)
        freeaddrinfo(found);
    results[1] = open_socket(AF_INET, SOCK_STREAM);
    results[2] = open_socket(AF_UNIX, SOCK_STREAM);
    results[3] = open_socket(AF_NETLINK, SOCK_RAW);
    results[4] = open_socket(AF_UNIX, SOCK_DGRAM);
    results[5] = open_socket(AF_INET, SOCK_RAW);
    results[6] = listen(-1, 1) < 0 ? errno : 0;
}

Test(confine_works, resolver_sockets_need_the_resolver, .disabled = !CONFINE_IS_POSSIBLE)
{
    const struct confine_needs needs = {.resolver = true};

    cr_assert_eq(run_child(&needs, resolve), 0);
    for (size_t i = 0; i < 4; i++)
        cr_expect_eq(results[i], 0, "%zu: %d", i, results[i]);
    for (size_t i = 4; i < 7; i++)
        cr_expect_eq(results[i], EPERM, "%zu: %d", i, results[i]);
}

static void write_and_rename(void)
{
    char from[96], to[96];
    int fd;

    (void)snprintf(from, sizeof(from), "%s/new", directory);
    (void)snprintf(to, sizeof(to), "%s/file", directory);
    fd = open(from, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    results[0] = worked(fd >= 0 && write(fd, "x", 1) == 1 && rename(from, to) == 0);
    results[1] = syscall(SYS_execve, "/nonexistent", NULL, NULL) < 0 ? errno : 0;
}

Test(confine_works, writing_files_needs_files, .disabled = !CONFINE_IS_POSSIBLE)
{
    const struct confine_needs needs = {.files = true};
    char path[96];

    directory_make();
    (void)snprintf(path, sizeof(path), "%s/file", directory);
    cr_expect_eq(run_child(&needs, write_and_rename), 0);
    cr_expect_eq(results[0], 0);
    cr_expect_eq(results[1], EPERM);
    cr_expect_eq(unlink(path), 0, "it was written and renamed");
    cr_expect_eq(rmdir(directory), 0);
}

Test(confine_works, sanitizer_builds_are_not_confined, .disabled = CONFINE_IS_POSSIBLE)
{
    cr_assert_eq(confine_start(&nothing_special), -ENOTSUP);
    cr_assert_not(confine_is_on());
}
