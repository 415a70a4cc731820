/*
 * frame_unpack: parses relay frames and forwards the payload of each record.
 *
 *   frame_unpack LISTEN:PORT TO:PORT
 *
 * For senders of frames other than headlessd: headlessd's own parser must accept their frames (of
 * the cluster "headless"). Ends with exit code 1 at the first invalid one, otherwise at SIGTERM.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

#include "headless/base/address.h"
#include "headless/wire/frame.h"

#define DATAGRAM_MAX 65536
#define RCVBUF       (4 * 1024 * 1024) /* requested; the kernel may grant less */

static volatile sig_atomic_t stopping;

static void stop(int signal_number)
{
    (void)signal_number;
    stopping = 1;
}

/* A bound or a connected IPv4 socket, or -1. */
static int open_socket(const char *text, int (*attach)(int, const struct sockaddr *, socklen_t))
{
    const struct timeval wait = {.tv_usec = 100000};
    const int rcvbuf = RCVBUF;
    struct sockaddr_storage sa;
    struct address address;
    socklen_t length;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || address_parse(text, 0, &address))
        return -1;
    length = address_to_sockaddr(&address, AF_INET, &sa);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    return attach(fd, (struct sockaddr *)&sa, length) ? -1 : fd;
}

/* False: no valid frame. */
static bool unpack(const uint8_t *frame, size_t length, int out)
{
    struct frame_header header;
    struct frame_reader reader;
    struct record record;
    size_t records;

    if (frame_open(frame, length, frame_cluster_id("headless"), &header, &records, &reader))
        return false;
    while (frame_next(&reader, &record)) {
        if (send(out, record.payload, record.length, 0) < 0)
            perror("frame_unpack: send");
    }
    return true;
}

int main(int argc, char **argv)
{
    const struct sigaction action = {.sa_handler = stop};
    static uint8_t buffer[DATAGRAM_MAX];
    int in = argc == 3 ? open_socket(argv[1], bind) : -1;
    int out = argc == 3 ? open_socket(argv[2], connect) : -1;

    if (in < 0 || out < 0) {
        (void)fputs("usage: frame_unpack LISTEN:PORT TO:PORT\n", stderr);
        return 2;
    }
    (void)fprintf(stderr, "listening on %s\n", argv[1]);
    (void)sigaction(SIGTERM, &action, NULL);
    while (!stopping) {
        ssize_t n = recv(in, buffer, sizeof(buffer), 0);

        if (n >= 0 && !unpack(buffer, (size_t)n, out)) {
            (void)fprintf(stderr, "frame_unpack: %zd bytes that are no frame\n", n);
            return 1;
        }
    }
    return 0;
}
