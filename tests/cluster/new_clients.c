/*
 * new_clients: a flood of datagrams, each from another client: another address in 127.64.0.0/10,
 * and after each 4 million another port.
 *
 *   new_clients TO:PORT FIRST COUNT RATE [TIMES]     RATE: a second; 0: as fast as possible
 *
 * TIMES: datagrams of each client, 1 by default; 20 ms apart, so that most come after a reply.
 *
 * Sends from the clients FIRST to FIRST + COUNT - 1. One socket, whose source address is set for
 * each datagram by IP_PKTINFO. Prints the number sent, and the milliseconds that it took.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "headless/base/address.h"
#include "headless/base/clock.h"

#define NETWORK UINT32_C(0x7f400000) /* 127.64.0.0 */
#define CLIENTS (UINT32_C(1) << 22)
#define BATCH   64
#define PAUSE   (20 * NS_PER_MS)

struct message {
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct in_pktinfo))];
};

static void fail(const char *what)
{
    (void)fprintf(stderr, "new_clients: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int open_socket(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        fail("socket");
    return fd;
}

static void set_source(struct msghdr *header, struct message *message, uint64_t client)
{
    struct in_pktinfo info = {.ipi_spec_dst.s_addr = htonl(NETWORK + (uint32_t)(client % CLIENTS))};
    struct cmsghdr *cmsg;

    header->msg_control = message->control;
    header->msg_controllen = sizeof(message->control);
    cmsg = CMSG_FIRSTHDR(header);
    cmsg->cmsg_level = IPPROTO_IP;
    cmsg->cmsg_type = IP_PKTINFO;
    cmsg->cmsg_len = CMSG_LEN(sizeof(info));
    memcpy(CMSG_DATA(cmsg), &info, sizeof(info));
}

/* Sends one datagram from each client; none of another 4 million. */
static void send_batch(int fd, const struct sockaddr_storage *to, uint64_t first, unsigned count)
{
    static struct message messages[BATCH];
    static char payload[] = "new client";
    struct iovec part = {.iov_base = payload, .iov_len = sizeof(payload) - 1};
    struct mmsghdr headers[BATCH] = {0};
    unsigned sent = 0;

    for (unsigned i = 0; i < count; i++) {
        headers[i].msg_hdr.msg_name = (void *)(uintptr_t)to;
        headers[i].msg_hdr.msg_namelen = sizeof(struct sockaddr_in);
        headers[i].msg_hdr.msg_iov = &part;
        headers[i].msg_hdr.msg_iovlen = 1;
        set_source(&headers[i].msg_hdr, &messages[i], first + i);
    }
    while (sent < count) {
        int n = sendmmsg(fd, headers + sent, count - sent, 0);

        if (n < 0 && errno != ECONNREFUSED && errno != EINTR)
            fail("sendmmsg");
        sent += n > 0 ? (unsigned)n : 0;
    }
}

static void send_times(int fd, const struct sockaddr_storage *to, uint64_t first, unsigned count,
                       unsigned long times)
{
    const struct timespec pause = clock_to_timespec(PAUSE);

    for (unsigned long i = 0; i < times; i++) {
        if (i > 0)
            (void)nanosleep(&pause, NULL);
        send_batch(fd, to, first, count);
    }
}

/* Sleeps until the next batch is due. */
static void keep_pace(uint64_t start_ns, uint64_t sent, uint64_t rate)
{
    uint64_t due_ns = rate ? start_ns + sent * NS_PER_SEC / rate : 0, now_ns = clock_now_ns();
    struct timespec pause;

    if (due_ns <= now_ns)
        return;
    pause = clock_to_timespec(due_ns - now_ns);
    (void)nanosleep(&pause, NULL);
}

int main(int argc, char **argv)
{
    struct sockaddr_storage sa;
    struct address to;
    uint64_t first, count, rate, sent = 0, start_ns = clock_now_ns();
    unsigned long times = argc == 6 ? strtoul(argv[5], NULL, 10) : 1;
    int fd = -1;

    if (argc < 5 || argc > 6 || address_parse(argv[1], 0, &to) || to.family != ADDRESS_V4) {
        (void)fputs("usage: new_clients TO:PORT FIRST COUNT RATE [TIMES]\n", stderr);
        return 2;
    }
    first = strtoull(argv[2], NULL, 10);
    count = strtoull(argv[3], NULL, 10);
    rate = strtoull(argv[4], NULL, 10);
    (void)address_to_sockaddr(&to, AF_INET, &sa);
    while (sent < count) {
        uint64_t of_port = CLIENTS - (first + sent) % CLIENTS;
        unsigned n = BATCH;

        if (fd < 0 || of_port == CLIENTS)
            fd = open_socket(); /* the former one stays open, so that its port is not used again */
        n = of_port < n ? (unsigned)of_port : n;
        n = count - sent < n ? (unsigned)(count - sent) : n;
        send_times(fd, &sa, first + sent, n, times);
        sent += n;
        keep_pace(start_ns, sent, rate);
    }
    (void)printf("sent %llu in %llu ms\n", (unsigned long long)sent,
                 (unsigned long long)((clock_now_ns() - start_ns) / NS_PER_MS));
    return 0;
}
