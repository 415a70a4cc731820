#include "headless/base/service.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "headless/base/clock.h"

/* name: a path, or @ and an abstract name. */
static int connect_to(const char *name, int *ret_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(name);
    int fd, rc;

    if ((*name != '/' && *name != '@') || length < 2 || length >= sizeof(address.sun_path))
        return -EINVAL;
    memcpy(address.sun_path, name, length);
    if (*name == '@')
        address.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&address,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) == 0) {
        *ret_fd = fd;
        return 0;
    }
    rc = -errno;
    (void)close(fd);
    return rc;
}

/* WATCHDOG_USEC in nanoseconds when it is meant for this process; otherwise 0. */
static uint64_t read_watchdog(void)
{
    const char *usec = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");
    unsigned long long number;
    char *end;

    if (!usec || *usec < '0' || *usec > '9')
        return 0;
    if (pid && strtol(pid, NULL, 10) != getpid())
        return 0;
    errno = 0;
    number = strtoull(usec, &end, 10);
    return errno || *end || number > UINT64_MAX / NS_PER_US ? 0 : number * NS_PER_US;
}

int service_open(struct service *ret_service)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct service service = {.fd = -1};
    int rc = 0;

    if (name && *name)
        rc = connect_to(name, &service.fd);
    if (service.fd >= 0)
        service.watchdog_ns = read_watchdog();
    (void)unsetenv("NOTIFY_SOCKET");
    (void)unsetenv("WATCHDOG_USEC");
    (void)unsetenv("WATCHDOG_PID");
    *ret_service = service;
    return rc;
}

void service_close(struct service *service)
{
    service_retry(service);
    if (service->fd >= 0)
        (void)close(service->fd);
    service->fd = -1;
}

/* False: the queue of the manager's socket is full. Other errors are for good. */
static bool try_send(const struct service *service, const char *text)
{
    return send(service->fd, text, strlen(text), MSG_NOSIGNAL) >= 0 ||
           (errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM);
}

static void forget_first(struct service *service, unsigned count)
{
    service->kept_count -= count;
    memmove(service->kept, service->kept[count], sizeof(service->kept[0]) * service->kept_count);
}

void service_retry(struct service *service)
{
    while (service->fd >= 0 && service->kept_count > 0 && try_send(service, service->kept[0]))
        forget_first(service, 1);
}

/* Of many reloads the last counts: when the room is used up, the two oldest changes are forgotten. */
static void notify_change(struct service *service, const char *text)
{
    service_retry(service);
    if (service->fd < 0 || (service->kept_count == 0 && try_send(service, text)))
        return;
    if (service->kept_count == SERVICE_KEPT_MAX)
        forget_first(service, 2);
    (void)snprintf(service->kept[service->kept_count++], SERVICE_TEXT_MAX, "%s", text);
}

void service_ready(struct service *service)
{
    notify_change(service, "READY=1");
}

/* The manager matches the reload by its time, which must be CLOCK_MONOTONIC. */
void service_reloading(struct service *service)
{
    struct timespec now;
    char text[SERVICE_TEXT_MAX];

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    (void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu",
                   (unsigned long long)now.tv_sec * 1000000 +
                       (unsigned long long)now.tv_nsec / NS_PER_US);
    notify_change(service, text);
}

void service_stopping(struct service *service)
{
    notify_change(service, "STOPPING=1");
}

void service_is_well(struct service *service)
{
    service_retry(service);
    if (service->fd >= 0)
        (void)try_send(service, "WATCHDOG=1");
}
