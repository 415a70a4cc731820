/*
 * http_time: measures the response time of an HTTP server.
 *
 *   http_time ADDRESS:PORT COUNT INTERVAL_MS PATH...
 *
 * Requests each PATH COUNT times, each from a new connection, one after another, INTERVAL_MS apart;
 * measured from connect() to the end of the reply. Prints for each PATH
 *
 *   PATH OK MEDIAN P90 P99 MAX
 *
 * OK: number of replies with status 200; times in microseconds (a missing reply counts as 5 s).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "headless/base/address.h"
#include "headless/base/clock.h"

#define PATHS_MAX 8

struct path {
    const char *path;
    unsigned long ok, *us;
};

/* True: a complete reply with status 200. */
static bool ask(const struct address *to, const char *path)
{
    const struct timeval patience = {.tv_sec = 5};
    int family = to->family == ADDRESS_V6 ? AF_INET6 : AF_INET;
    struct sockaddr_storage sa;
    socklen_t sa_length = address_to_sockaddr(to, family, &sa);
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char begin[16] = "", rest[4096];
    bool is_ok = false;
    ssize_t n;

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sa_length) == 0 &&
        dprintf(fd, "GET %s HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n", path) > 0 &&
        recv(fd, begin, sizeof(begin) - 1, MSG_WAITALL) == sizeof(begin) - 1) {
        while ((n = recv(fd, rest, sizeof(rest), 0)) > 0)
            ;
        is_ok = n == 0 && strncmp(begin, "HTTP/1.1 200 ", 13) == 0;
    }
    if (fd >= 0)
        (void)close(fd);
    return is_ok;
}

static int compare(const void *a, const void *b)
{
    const unsigned long *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void print(struct path *path, size_t count)
{
    qsort(path->us, count, sizeof(*path->us), compare);
    (void)printf("%s %lu %lu %lu %lu %lu\n", path->path, path->ok, path->us[(count - 1) / 2],
                 path->us[(count - 1) * 90 / 100], path->us[(count - 1) * 99 / 100],
                 path->us[count - 1]);
}

static void measure(const struct address *to, struct path *path, size_t i)
{
    uint64_t before_ns = clock_now_ns();

    path->ok += ask(to, path->path);
    path->us[i] = (unsigned long)((clock_now_ns() - before_ns) / 1000);
}

int main(int argc, char **argv)
{
    struct path paths[PATHS_MAX] = {0};
    size_t path_count = (size_t)(argc - 4), count;
    struct timespec rest;
    struct address to;

    if (argc < 5 || path_count > PATHS_MAX || address_parse(argv[1], 0, &to) ||
        !(count = strtoul(argv[2], NULL, 10))) {
        (void)fputs("usage: http_time ADDRESS:PORT COUNT INTERVAL_MS PATH...\n", stderr);
        return 2;
    }
    rest = clock_to_timespec(strtoul(argv[3], NULL, 10) * NS_PER_MS);
    for (size_t p = 0; p < path_count; p++) {
        paths[p] = (struct path){.path = argv[4 + p], .us = calloc(count, sizeof(*paths[p].us))};
        if (!paths[p].us)
            return 1;
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t p = 0; p < path_count; p++)
            measure(&to, &paths[p], i);
        (void)nanosleep(&rest, NULL);
    }
    for (size_t p = 0; p < path_count; p++) {
        print(&paths[p], count);
        free(paths[p].us);
    }
    return 0;
}
