/*
 * http_crowd: connections to an HTTP server that are of no use, many and for long.
 *
 *   http_crowd ADDRESS:PORT COUNT [SOURCE...]
 *
 * COUNT connections at any time, from the SOURCEs in turn; a quarter each says nothing, half a
 * request, a byte a second, or a whole request whose reply it never reads. One that the server
 * closes is opened again a second later. "ready" is written to standard error when so many were
 * opened. Ends at SIGTERM, and prints how often they were opened and how often the server closed
 * them.
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
#define LOOK_MS     20

enum manner { SILENT, HALF, SLOW, DEAF, MANNERS };

struct guest {
    int fd; /* -1: waits to come again */
    enum manner manner;
    bool is_connected;
    size_t said;
    uint64_t next_ns; /* to say a byte, or to come again */
};

struct crowd {
    struct address to, sources[SOURCES_MAX];
    size_t source_count, count;
    struct guest *guests;
    struct pollfd *polls;
    unsigned long opened, closed;
};

static volatile sig_atomic_t is_over; /* the one thing that a handler may touch */

static void on_signal(int number)
{
    (void)number;
    is_over = 1;
}

static const char *words_of(enum manner manner)
{
    static const char *const words[MANNERS] = {
        [SILENT] = "",
        [HALF] = "GET /livez HTTP/1.1\r\nHost: p",
        [SLOW] =
            "GET /livez HTTP/1.1\r\nHost: pod\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        [DEAF] = "GET /metrics HTTP/1.1\r\nHost: pod\r\n\r\n",
    };

    return words[manner];
}

static int connect_from(const struct crowd *crowd, const struct address *source, bool is_deaf)
{
    const int small = 2048, family = crowd->to.family == ADDRESS_V6 ? AF_INET6 : AF_INET;
    struct sockaddr_storage sa;
    socklen_t length;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    if (is_deaf)
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

static void leave(struct crowd *crowd, struct guest *guest, uint64_t now_ns)
{
    (void)close(guest->fd);
    crowd->closed += guest->is_connected;
    guest->fd = -1;
    guest->next_ns = now_ns + NS_PER_SEC;
}

static void come(struct crowd *crowd, size_t i, uint64_t now_ns)
{
    struct guest *guest = &crowd->guests[i];
    const struct address *source =
        crowd->source_count ? &crowd->sources[i % crowd->source_count] : NULL;

    guest->fd = connect_from(crowd, source, guest->manner == DEAF);
    guest->is_connected = false;
    guest->said = 0;
    guest->next_ns = now_ns + NS_PER_SEC;
}

/* All but the slow say at once what they have to say. */
static void speak(struct guest *guest, uint64_t now_ns)
{
    const char *words = words_of(guest->manner);
    size_t left = strlen(words) - guest->said;
    ssize_t n;

    if (left == 0 || (guest->manner == SLOW && guest->said && now_ns < guest->next_ns))
        return;
    n = send(guest->fd, words + guest->said, guest->manner == SLOW ? 1 : left, MSG_NOSIGNAL);
    guest->said += n > 0 ? (size_t)n : 0;
    guest->next_ns = now_ns + NS_PER_SEC;
}

static void tend(struct crowd *crowd, size_t i, short events, uint64_t now_ns)
{
    struct guest *guest = &crowd->guests[i];

    if (guest->fd < 0) {
        if (now_ns >= guest->next_ns)
            come(crowd, i, now_ns);
        return;
    }
    if (events & (POLLERR | POLLHUP | POLLRDHUP)) {
        leave(crowd, guest, now_ns);
        return;
    }
    if (!guest->is_connected && events & POLLOUT) {
        guest->is_connected = true;
        crowd->opened++;
    }
    if (guest->is_connected)
        speak(guest, now_ns);
}

static void look(struct crowd *crowd)
{
    uint64_t now_ns;

    for (size_t i = 0; i < crowd->count; i++) {
        const struct guest *guest = &crowd->guests[i];
        short events = guest->is_connected ? POLLRDHUP : POLLRDHUP | POLLOUT;

        crowd->polls[i] = (struct pollfd){.fd = guest->fd, .events = events};
    }
    (void)poll(crowd->polls, crowd->count, LOOK_MS);
    now_ns = clock_now_ns();
    for (size_t i = 0; i < crowd->count; i++)
        tend(crowd, i, crowd->polls[i].revents, now_ns);
}

static void run(struct crowd *crowd)
{
    bool is_ready = false;

    for (size_t i = 0; i < crowd->count; i++)
        crowd->guests[i] = (struct guest){.fd = -1, .manner = (enum manner)(i % MANNERS)};
    while (!is_over) {
        look(crowd);
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
    crowd.guests = calloc(crowd.count, sizeof(*crowd.guests));
    crowd.polls = calloc(crowd.count, sizeof(*crowd.polls));
    if (!crowd.guests || !crowd.polls)
        return 1;
    (void)sigaction(SIGTERM, &action, NULL);
    run(&crowd);
    for (size_t i = 0; i < crowd.count; i++) {
        if (crowd.guests[i].fd >= 0)
            (void)close(crowd.guests[i].fd);
    }
    free(crowd.guests);
    free(crowd.polls);
    return 0;
}
