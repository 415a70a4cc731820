/*
 * admin_fixture: an admin server on a loopback port, with a data plane that was opened but not started;
 * and a client that speaks to it.
 */
#ifndef ADMIN_FIXTURE_H
#define ADMIN_FIXTURE_H

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "control/supervisor_internal.h"
#include "data/data_plane_internal.h"
#include "headless/admin/admin.h"
#include "headless/base/clock.h"
#include "headless/base/log.h"

static struct config_set *set;
static struct config config;
static struct data_plane *data_plane;
static struct admin admin;
static struct waker waker;
static struct supervisor supervisor;
static char answer[1 << 18];

/* A TCP port that was free a moment ago. */
static uint16_t find_port(const struct address *at)
{
    int family = at->family == ADDRESS_V4 ? AF_INET : AF_INET6;
    struct sockaddr_storage sa;
    socklen_t length = address_to_sockaddr(at, family, &sa);
    struct address bound;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_geq(fd, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&sa, length), 0);
    length = sizeof(sa);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&sa, &length), 0);
    address_from_sockaddr((struct sockaddr *)&sa, &bound);
    (void)close(fd);
    return bound.port;
}

static void setup(void)
{
    static const char yaml[] = "self: 127.0.0.1\nname: pod-1\nbind: 127.0.0.1\nrcvbuf: 64KiB\n";

    log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    cr_assert_eq(config_load_text(yaml, sizeof(yaml) - 1, "test", stderr, &set), 0);
    config = *config_values(set);
    config.data_port = config.relay_port = 0; /* the kernel's choice */
    config.admin_listen = address_with_port(config.bind, find_port(&config.bind));
    atomic_init(&supervisor.report.state, ELECTION_FOLLOWER);
    triple_buffer_init(&supervisor.report.past);
    cr_assert_eq(pthread_mutex_init(&supervisor.report.readers_lock, NULL), 0);
    cr_assert_eq(waker_init(&waker, false), 0);
    cr_assert_eq(data_plane_open(&config, &waker, &data_plane), 0);
    supervisor.data_plane = data_plane;
}

static __attribute__((unused)) void start(void)
{
    cr_assert_eq(admin_start(&admin, &config, data_plane, &supervisor, NULL), 0);
    admin_set_serving(&admin);
}

static void teardown(void)
{
    admin_stop(&admin);
    data_plane_close(data_plane);
    waker_fini(&waker);
    config_destroy(set);
}

static int dial_from(const char *source, const char *ip)
{
    struct address to, from;
    struct sockaddr_storage sa;
    socklen_t length;
    int fd;

    cr_assert_eq(address_parse_ip(ip, &to), 0);
    to.port = config.admin_listen.port;
    fd = socket(to.family == ADDRESS_V4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(fd, 0);
    if (source) {
        cr_assert_eq(address_parse_ip(source, &from), 0);
        length = address_to_sockaddr(&from, from.family == ADDRESS_V4 ? AF_INET : AF_INET6, &sa);
        cr_assert_eq(bind(fd, (struct sockaddr *)&sa, length), 0);
    }
    length = address_to_sockaddr(&to, to.family == ADDRESS_V4 ? AF_INET : AF_INET6, &sa);
    cr_assert_eq(connect(fd, (struct sockaddr *)&sa, length), 0, "%s", strerror(errno));
    return fd;
}

static int dial(const char *ip)
{
    return dial_from(NULL, ip);
}

/* Read to the end into answer; the server closes after one. Returns the HTTP status, 0: none. */
static unsigned hear(int fd)
{
    size_t length = 0;
    ssize_t n;
    unsigned status = 0;

    while ((n = recv(fd, answer + length, sizeof(answer) - 1 - length, 0)) > 0)
        length += (size_t)n;
    answer[length] = '\0';
    (void)close(fd);
    (void)sscanf(answer, "HTTP/1.1 %u", &status);
    return status;
}

static void say(int fd, const char *request)
{
    (void)send(fd, request, strlen(request), MSG_NOSIGNAL);
}

static __attribute__((unused)) unsigned ask(const char *request)
{
    int fd = dial("127.0.0.1");

    say(fd, request);
    return hear(fd);
}

static __attribute__((unused)) unsigned get(const char *path)
{
    char request[128];

    (void)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: pod\r\n\r\n", path);
    return ask(request);
}

static __attribute__((unused)) const char *body(void)
{
    const char *end = strstr(answer, "\r\n\r\n");

    return end ? end + 4 : "";
}

#endif
