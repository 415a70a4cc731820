/*
 * session_app: a UDP server with state for each client, and pushes, as the app of one pod.
 *
 *   session_app LISTEN:PORT NAME
 *
 *   hello       the sender is known from now on; reply: "NAME welcome"
 *   subscribe   the same, and the sender gets a push "NAME push TICK" each 20 ms
 *   slow TEXT   as every other TEXT, with the reply 200 ms later
 *   bye         the sender is not known any more; reply: "NAME bye"
 *   TEXT        from a known sender: reply "NAME TEXT"; from others: "NAME unknown"
 *
 * TICK is the system's clock in units of 20 ms, so that the pushes of several apps with one TICK are
 * the same event. Writes "listening" to standard error. SIGTERM ends it.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "headless/base/address.h"
#include "headless/base/clock.h"

#define CLIENTS_MAX 256
#define TICK_NS     (20 * NS_PER_MS)
#define TEXT_MAX    256

struct known {
    struct sockaddr_in address;
    bool is_subscribed;
};

static struct known clients[CLIENTS_MAX];
static size_t client_count;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static struct known *find(const struct sockaddr_in *from)
{
    for (size_t i = 0; i < client_count; i++) {
        if (clients[i].address.sin_addr.s_addr == from->sin_addr.s_addr &&
            clients[i].address.sin_port == from->sin_port)
            return &clients[i];
    }
    return NULL;
}

static struct known *know(const struct sockaddr_in *from)
{
    struct known *client = find(from);

    if (client)
        return client;
    if (client_count == CLIENTS_MAX) {
        (void)fputs("session_app: too many clients\n", stderr);
        exit(1);
    }
    client = &clients[client_count++];
    *client = (struct known){.address = *from};
    return client;
}

static void say(int fd, const struct sockaddr_in *to, const char *text)
{
    (void)sendto(fd, text, strlen(text), 0, (const struct sockaddr *)to, sizeof(*to));
}

static void handle(int fd, const char *name, const struct sockaddr_in *from, const char *text)
{
    struct known *client = find(from);
    const char *reply = client ? text : "unknown";
    char out[2 * TEXT_MAX];

    if (strcmp(text, "hello") == 0 || strcmp(text, "subscribe") == 0) {
        know(from)->is_subscribed |= text[0] == 's';
        reply = "welcome";
    } else if (strncmp(text, "slow ", 5) == 0) {
        (void)usleep(200 * 1000);
    } else if (client && strcmp(text, "bye") == 0) {
        *client = clients[--client_count];
    }
    (void)snprintf(out, sizeof(out), "%s %s", name, reply);
    say(fd, from, out);
}

static void push(int fd, const char *name, uint64_t tick)
{
    char out[2 * TEXT_MAX];

    (void)snprintf(out, sizeof(out), "%s push %llu", name, (unsigned long long)tick);
    for (size_t i = 0; i < client_count; i++) {
        if (clients[i].is_subscribed)
            say(fd, &clients[i].address, out);
    }
}

static int listen_on(const char *text)
{
    struct sockaddr_storage sa;
    struct address at;
    socklen_t length;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || address_parse(text, 0, &at))
        fail("session_app: socket");
    length = address_to_sockaddr(&at, AF_INET, &sa);
    if (bind(fd, (struct sockaddr *)&sa, length) < 0)
        fail("session_app: bind");
    return fd;
}

int main(int argc, char **argv)
{
    uint64_t tick = clock_now_ns() / TICK_NS;
    struct pollfd pfd = {.events = POLLIN};

    if (argc != 3) {
        (void)fputs("usage: session_app LISTEN:PORT NAME\n", stderr);
        return 2;
    }
    pfd.fd = listen_on(argv[1]);
    (void)fputs("listening\n", stderr);
    for (;;) {
        struct sockaddr_in from;
        socklen_t length = sizeof(from);
        char text[TEXT_MAX];
        ssize_t n = -1;

        if (poll(&pfd, 1, 5) > 0)
            n = recvfrom(pfd.fd, text, sizeof(text) - 1, MSG_DONTWAIT, (struct sockaddr *)&from,
                         &length);
        if (n > 0) { /* an empty datagram is a health check */
            text[n] = '\0';
            handle(pfd.fd, argv[2], &from, text);
        }
        if (clock_now_ns() / TICK_NS != tick)
            push(pfd.fd, argv[2], tick = clock_now_ns() / TICK_NS);
    }
}
