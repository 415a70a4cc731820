/* service: the messages to a service manager, and the variables that it sets. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "headless/base/clock.h"
#include "headless/base/service.h"

static int manager = -1;

/* An abstract name of this process: nothing to clean up. */
static void start_manager(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[64];
    int length;

    (void)clearenv();
    length = snprintf(name, sizeof(name), "@headless-unit-%d", (int)getpid());
    memcpy(address.sun_path, name, (size_t)length);
    address.sun_path[0] = '\0';
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    cr_assert_eq(bind(manager, (struct sockaddr *)&address,
                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length)),
                 0);
    (void)setenv("NOTIFY_SOCKET", name, 1);
}

static void stop_manager(void)
{
    (void)close(manager);
}

TestSuite(service, .init = start_manager, .fini = stop_manager, .timeout = 60);

/* "" when there is no message. */
static const char *told(void)
{
    static char text[256];
    ssize_t n = recv(manager, text, sizeof(text) - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

Test(service, each_message_is_one_datagram)
{
    struct service service;
    unsigned long long usec = 0;
    int end = 0;

    cr_assert_eq(service_open(&service), 0);
    cr_expect_str_eq(told(), "");
    service_ready(&service);
    cr_expect_str_eq(told(), "READY=1");
    service_is_well(&service);
    cr_expect_str_eq(told(), "WATCHDOG=1");
    service_stopping(&service);
    cr_expect_str_eq(told(), "STOPPING=1");
    service_reloading(&service);
    cr_expect_eq(sscanf(told(), "RELOADING=1\nMONOTONIC_USEC=%llu%n", &usec, &end), 1);
    cr_expect_gt(usec, 0);
    cr_expect_gt(end, 0);
    service_close(&service);
    service_ready(&service);
    cr_expect_str_eq(told(), "", "closed");
}

Test(service, variables_are_not_inherited_by_children)
{
    struct service service;

    (void)setenv("WATCHDOG_USEC", "1000", 1);
    cr_assert_eq(service_open(&service), 0);
    cr_expect_null(getenv("NOTIFY_SOCKET"));
    cr_expect_null(getenv("WATCHDOG_USEC"));
    service_close(&service);
}

Test(service, without_a_manager_nothing_happens)
{
    struct service service;

    (void)clearenv();
    (void)setenv("WATCHDOG_USEC", "1000", 1);
    cr_expect_eq(service_open(&service), 0);
    cr_expect_eq(service.watchdog_ns, 0);
    service_ready(&service);
    service_reloading(&service);
    service_close(&service);
}

Test(service, invalid_socket_names_are_refused)
{
    char name[200];
    struct service service;

    memset(name, 'x', sizeof(name) - 1);
    name[0] = '/';
    name[sizeof(name) - 1] = '\0';
    (void)setenv("NOTIFY_SOCKET", name, 1);
    cr_expect_eq(service_open(&service), -EINVAL, "longer than a socket's name");
    (void)setenv("NOTIFY_SOCKET", "relative", 1);
    cr_expect_eq(service_open(&service), -EINVAL);
    (void)setenv("NOTIFY_SOCKET", "@", 1);
    cr_expect_eq(service_open(&service), -EINVAL);
    (void)setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
    cr_expect_eq(service_open(&service), -ENOENT);
    service_ready(&service);
    service_close(&service);
}

static uint64_t watchdog_of(const char *usec, const char *pid)
{
    static char name[64];
    struct service service;

    (void)snprintf(name, sizeof(name), "@headless-unit-%d", (int)getpid());
    (void)setenv("NOTIFY_SOCKET", name, 1);
    (void)setenv("WATCHDOG_USEC", usec, 1);
    if (pid)
        (void)setenv("WATCHDOG_PID", pid, 1);
    cr_assert_eq(service_open(&service), 0);
    service_close(&service);
    return service.watchdog_ns;
}

Test(service, watchdog_period_is_read_in_microseconds)
{
    char pid[16];

    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    cr_expect_eq(watchdog_of("30000000", NULL), 30 * NS_PER_SEC);
    cr_expect_eq(watchdog_of("30000000", pid), 30 * NS_PER_SEC);
    cr_expect_eq(watchdog_of("30000000", "1"), 0, "of another process");
    cr_expect_eq(watchdog_of("30000000s", NULL), 0);
    cr_expect_eq(watchdog_of("-1", NULL), 0);
    cr_expect_eq(watchdog_of("18446744073709551615", NULL), 0, "would overflow");
    cr_expect_eq(watchdog_of("99999999999999999999", NULL), 0);
}

/* ---- the manager's queue is full: other services share it ---- */

static void fill_queue(struct service *service)
{
    for (int i = 0; i < 100000; i++)
        service_is_well(service);
}

static void empty_queue(void)
{
    while (strcmp(told(), "WATCHDOG=1") == 0)
        ;
}

Test(service, manager_that_does_not_read_does_not_block)
{
    struct service service;

    cr_assert_eq(service_open(&service), 0);
    fill_queue(&service);
    cr_expect_str_eq(told(), "WATCHDOG=1");
    service_close(&service);
}

/* Without it the manager would end the service. */
Test(service, ready_is_sent_when_the_queue_has_room_again)
{
    struct service service;

    cr_assert_eq(service_open(&service), 0);
    fill_queue(&service);
    service_ready(&service);
    service_retry(&service);
    empty_queue();
    service_retry(&service);
    cr_expect_str_eq(told(), "READY=1");
    service_retry(&service);
    cr_expect_str_eq(told(), "", "once");
    service_close(&service);
}

Test(service, changes_keep_their_order)
{
    struct service service;

    cr_assert_eq(service_open(&service), 0);
    fill_queue(&service);
    service_reloading(&service);
    service_ready(&service);
    empty_queue();
    service_stopping(&service);
    cr_expect_eq(strncmp(told(), "RELOADING=1\n", 12), 0);
    cr_expect_str_eq(told(), "READY=1");
    cr_expect_str_eq(told(), "STOPPING=1");
    service_close(&service);
}

Test(service, of_many_reloads_the_last_is_sent)
{
    struct service service;

    cr_assert_eq(service_open(&service), 0);
    fill_queue(&service);
    service_ready(&service);
    for (int i = 0; i < 100; i++) {
        service_reloading(&service);
        service_ready(&service);
    }
    empty_queue();
    service_close(&service);
    cr_expect_str_eq(told(), "READY=1");
    cr_expect_eq(strncmp(told(), "RELOADING=1\n", 12), 0);
    cr_expect_str_eq(told(), "READY=1");
    cr_expect_str_eq(told(), "");
}
