/*
 * order_app: an app that records its datagrams in order. Echoes each one.
 *
 *   order_app LISTEN:PORT FILE
 *
 * Writes a line for each datagram of udp_stream, its sequence, and the events of app.notify about
 * the order unchanged, where these are sent to the same port. The file is complete when the process
 * ends, at SIGTERM. Writes "listening" to standard error, and at the end the number of datagrams
 * dropped at its socket.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "headless/net/udp.h"

#define PAYLOAD_MAX  65536
#define RCVBUF_BYTES (64 << 20)
#define ORDER_EVENT  "{\"order\":"

static volatile sig_atomic_t stopped;

static void stop(int number)
{
    (void)number;
    stopped = 1;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int listen_on(const char *text)
{
    struct sigaction action = {.sa_handler = stop};
    struct timeval look = {.tv_usec = 100000}; /* a signal may arrive just before the wait */
    struct sockaddr_storage sa;
    struct address at;
    int bytes = RCVBUF_BYTES, fd;
    socklen_t length;

    if (address_parse(text, 0, &at)) {
        (void)fprintf(stderr, "order_app: \"%s\" is no address\n", text);
        exit(2);
    }
    length = address_to_sockaddr(&at, at.family == ADDRESS_V6 ? AF_INET6 : AF_INET, &sa);
    fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail("order_app: socket");
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &look, sizeof(look));
    if (bind(fd, (struct sockaddr *)&sa, length) < 0)
        fail("order_app: bind");
    (void)sigaction(SIGTERM, &action, NULL);
    return fd;
}

/* A datagram of udp_stream has run and sequence. */
static void write_down(FILE *file, const char *datagram, size_t length)
{
    uint64_t head[2];

    if (length >= sizeof(ORDER_EVENT) && memcmp(datagram, ORDER_EVENT, strlen(ORDER_EVENT)) == 0) {
        (void)fprintf(file, "%.*s\n", (int)length, datagram);
    } else if (length >= sizeof(head) && datagram[0] != '{') {
        memcpy(head, datagram, sizeof(head));
        (void)fprintf(file, "%" PRIu64 "\n", head[1]);
    }
}

int main(int argc, char **argv)
{
    static char datagram[PAYLOAD_MAX];
    FILE *file;
    int fd;

    if (argc != 3) {
        (void)fputs("usage: order_app LISTEN:PORT FILE\n", stderr);
        return 2;
    }
    file = fopen(argv[2], "w");
    if (!file)
        fail("order_app: fopen");
    fd = listen_on(argv[1]);
    (void)fputs("listening\n", stderr);
    for (;;) {
        struct sockaddr_storage from;
        socklen_t from_length = sizeof(from);
        bool is_last = stopped; /* after the signal, record the pending datagrams */
        ssize_t n = recvfrom(fd, datagram, sizeof(datagram), is_last ? MSG_DONTWAIT : 0,
                             (struct sockaddr *)&from, &from_length);

        if (n < 0 && is_last)
            break;
        if (n < 0)
            continue; /* a signal, the timeout, or an ICMP error for a reply */
        write_down(file, datagram, (size_t)n);
        if (datagram[0] != '{')
            (void)sendto(fd, datagram, (size_t)n, 0, (struct sockaddr *)&from, from_length);
    }
    if (fclose(file) != 0)
        fail("order_app: fclose");
    (void)fprintf(stderr, "dropped %llu\n", (unsigned long long)udp_kernel_drops(fd));
    return 0;
}
