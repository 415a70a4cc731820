/*
 * http_crowd: keeps many useless connections to an HTTP server.
 *
 *   http_crowd ADDRESS:PORT COUNT [SOURCE...]
 *
 * COUNT connections at any time, from the SOURCEs in turn; a quarter each sends nothing, half a
 * request, a byte a second, or a whole request whose reply it never reads. A connection that the
 * server closes is opened again a second later. Writes "ready" to standard error when COUNT have
 * been opened. Ends at SIGTERM, and prints the number opened and the number that the server closed.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "headless/base/address.h"
#include "headless/base/clock.h"

#define SOURCES_MAX 16
#define POLL_MS     20

enum behaviour { SILENT, HALF, SLOW, NOT_READING, BEHAVIOURS };

struct connection {
    int fd; /* -1: closed, to be opened again */
    enum behaviour behaviour;
    bool is_connected;
    size_t sent_bytes;
    uint64_t next_ns; /* next byte, or next opening */
};

struct crowd {
    struct address to, sources[SOURCES_MAX];
    size_t source_count, count;
    struct connection *connections;
    struct pollfd *polls;
    unsigned long opened, closed;
};

static volatile sig_atomic_t is_over; /* set by the signal handler */

static void on_signal(int number)
{
    (void)number;
    is_over = 1;
}

static const char *request_of(enum behaviour behaviour)
{
    static const char *const requests[BEHAVIOURS] = {
        [SILENT] = "",
        [HALF] = "GET /livez HTTP/1.1\r\nHost: p",
        [SLOW] =
            "GET /livez HTTP/1.1\r\nHost: pod\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        [NOT_READING] = "GET /metrics HTTP/1.1\r\nHost: pod\r\n\r\n",
    };

    return requests[behaviour];
}

static int connect_from(const struct crowd *crowd, const struct address *source,
                        bool is_not_reading)
{
    const int small = 2048, family = crowd->to.family == ADDRESS_V6 ? AF_INET6 : AF_INET;
    struct sockaddr_storage sa;
    socklen_t length;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    if (is_not_reading)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    if (source) {
        length = address_to_sockaddr(source, family, &sa);
        if (bind(fd, (struct sockaddr *)&sa, length) < 0) {
            (void)close(fd);
            return -1;
        }
    }
    length = address_to_sockaddr(&crowd->to, family, &sa);
    if (connect(fd, (struct sockaddr *)&sa, length) < 0 && errno != EINPROGRESS) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static void close_and_wait(struct crowd *crowd, struct connection *connection, uint64_t now_ns)
{
    (void)close(connection->fd);
    crowd->closed += connection->is_connected;
    connection->fd = -1;
    connection->next_ns = now_ns + NS_PER_SEC;
}

static void open_again(struct crowd *crowd, size_t i, uint64_t now_ns)
{
    struct connection *connection = &crowd->connections[i];
    const struct address *source =
        crowd->source_count ? &crowd->sources[i % crowd->source_count] : NULL;

    connection->fd = connect_from(crowd, source, connection->behaviour == NOT_READING);
    connection->is_connected = false;
    connection->sent_bytes = 0;
    connection->next_ns = now_ns + NS_PER_SEC;
}

/* Only SLOW connections send byte by byte, the others all at once. */
static void send_request(struct connection *connection, uint64_t now_ns)
{
    const char *request = request_of(connection->behaviour);
    size_t left = strlen(request) - connection->sent_bytes;
    ssize_t n;

    if (left == 0 ||
        (connection->behaviour == SLOW && connection->sent_bytes && now_ns < connection->next_ns))
        return;
    n = send(connection->fd, request + connection->sent_bytes,
             connection->behaviour == SLOW ? 1 : left, MSG_NOSIGNAL);
    connection->sent_bytes += n > 0 ? (size_t)n : 0;
    connection->next_ns = now_ns + NS_PER_SEC;
}

static void handle_connection(struct crowd *crowd, size_t i, short events, uint64_t now_ns)
{
    struct connection *connection = &crowd->connections[i];

    if (connection->fd < 0) {
        if (now_ns >= connection->next_ns)
            open_again(crowd, i, now_ns);
        return;
    }
    if (events & (POLLERR | POLLHUP | POLLRDHUP)) {
        close_and_wait(crowd, connection, now_ns);
        return;
    }
    if (!connection->is_connected && events & POLLOUT) {
        connection->is_connected = true;
        crowd->opened++;
    }
    if (connection->is_connected)
        send_request(connection, now_ns);
}

static void poll_connections(struct crowd *crowd)
{
    uint64_t now_ns;

    for (size_t i = 0; i < crowd->count; i++) {
        const struct connection *connection = &crowd->connections[i];
        short events = connection->is_connected ? POLLRDHUP : POLLRDHUP | POLLOUT;

        crowd->polls[i] = (struct pollfd){.fd = connection->fd, .events = events};
    }
    (void)poll(crowd->polls, crowd->count, POLL_MS);
    now_ns = clock_now_ns();
    for (size_t i = 0; i < crowd->count; i++)
        handle_connection(crowd, i, crowd->polls[i].revents, now_ns);
}

static void run(struct crowd *crowd)
{
    bool is_ready = false;

    for (size_t i = 0; i < crowd->count; i++)
        crowd->connections[i] =
            (struct connection){.fd = -1, .behaviour = (enum behaviour)(i % BEHAVIOURS)};
    while (!is_over) {
        poll_connections(crowd);
        if (!is_ready && crowd->opened >= crowd->count) {
            is_ready = true;
            (void)fputs("ready\n", stderr);
        }
    }
    (void)printf("opened %lu, closed by the server %lu\n", crowd->opened, crowd->closed);
}

static int parse(struct crowd *crowd, int argc, char **argv)
{
    if (argc < 3 || argc > 3 + SOURCES_MAX || address_parse(argv[1], 0, &crowd->to))
        return -1;
    crowd->count = strtoul(argv[2], NULL, 10);
    for (int i = 3; i < argc; i++) {
        if (address_parse_ip(argv[i], &crowd->sources[crowd->source_count++]))
            return -1;
    }
    return crowd->count ? 0 : -1;
}

int main(int argc, char **argv)
{
    const struct sigaction action = {.sa_handler = on_signal};
    struct crowd crowd = {0};
    struct rlimit limit;

    if (parse(&crowd, argc, argv)) {
        (void)fputs("usage: http_crowd ADDRESS:PORT COUNT [SOURCE...]\n", stderr);
        return 2;
    }
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    crowd.connections = calloc(crowd.count, sizeof(*crowd.connections));
    crowd.polls = calloc(crowd.count, sizeof(*crowd.polls));
    if (!crowd.connections || !crowd.polls)
        return 1;
    (void)sigaction(SIGTERM, &action, NULL);
    run(&crowd);
    for (size_t i = 0; i < crowd.count; i++) {
        if (crowd.connections[i].fd >= 0)
            (void)close(crowd.connections[i].fd);
    }
    free(crowd.connections);
    free(crowd.polls);
    return 0;
}
