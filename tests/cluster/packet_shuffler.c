/*
 * packet_shuffler: a network without loss that duplicates and reorders packets.
 *
 *   packet_shuffler QUEUE DOUBLED% DELAYED%
 *
 * Takes packets from an NFQUEUE of the output hook. Duplicates DOUBLED percent, with the copy
 * marked 1, so that the rule can accept it; delays DELAYED percent by 1 to 20 ms, so that later
 * ones overtake them. At SIGTERM it accepts all packets and prints its counts. Needs root.
 */
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>

#include "headless/base/clock.h"

#define KEPT_MAX     1024
#define DELAY_MAX_MS 20
#define PACKET_MAX   65536
#define MARK         1

struct kept {
    uint32_t id;
    uint64_t due_ns; /* 0: no packet */
};

struct shuffler {
    struct nfq_q_handle *queue;
    int raw_fd;
    long doubled_percent, delayed_percent;
    struct kept kept[KEPT_MAX];
    unsigned seen, doubled, delayed;
};

static volatile sig_atomic_t is_over;

static void end(int signal)
{
    (void)signal;
    is_over = 1;
}

static bool falls(long percent)
{
    return random() % 100 < percent;
}

static void send_copy(struct shuffler *shuffler, const uint8_t *packet, size_t length)
{
    struct sockaddr_in to = {.sin_family = AF_INET};

    if (length < sizeof(struct iphdr))
        return;
    memcpy(&to.sin_addr, packet + offsetof(struct iphdr, daddr), sizeof(to.sin_addr));
    shuffler->doubled += sendto(shuffler->raw_fd, packet, length, 0, (struct sockaddr *)&to,
                                sizeof(to)) == (ssize_t)length;
}

static bool keep(struct shuffler *shuffler, uint32_t id)
{
    for (size_t i = 0; i < KEPT_MAX; i++) {
        if (shuffler->kept[i].due_ns)
            continue;
        shuffler->kept[i].id = id;
        shuffler->kept[i].due_ns =
            clock_now_ns() + (1 + (uint64_t)random() % DELAY_MAX_MS) * NS_PER_MS;
        shuffler->delayed++;
        return true;
    }
    return false;
}

static int take(struct nfq_q_handle *queue, struct nfgenmsg *message, struct nfq_data *data,
                void *self)
{
    struct shuffler *shuffler = self;
    struct nfqnl_msg_packet_hdr *header = nfq_get_msg_packet_hdr(data);
    uint32_t id = header ? ntohl(header->packet_id) : 0;
    uint8_t *packet;
    int length = nfq_get_payload(data, &packet);

    (void)message;
    shuffler->seen++;
    if (length > 0 && falls(shuffler->doubled_percent))
        send_copy(shuffler, packet, (size_t)length);
    if (falls(shuffler->delayed_percent) && keep(shuffler, id))
        return 0;
    return nfq_set_verdict(queue, id, NF_ACCEPT, 0, NULL);
}

static void release(struct shuffler *shuffler, bool all)
{
    uint64_t now_ns = clock_now_ns();

    for (size_t i = 0; i < KEPT_MAX; i++) {
        struct kept *kept = &shuffler->kept[i];

        if (kept->due_ns && (all || now_ns >= kept->due_ns)) {
            (void)nfq_set_verdict(shuffler->queue, kept->id, NF_ACCEPT, 0, NULL);
            kept->due_ns = 0;
        }
    }
}

static int open_raw(void)
{
    const int mark = MARK;
    int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0) {
        perror("packet_shuffler: raw socket");
        exit(1);
    }
    return fd;
}

static void run(struct nfq_handle *handle, struct shuffler *shuffler)
{
    static char buffer[PACKET_MAX] __attribute__((aligned(16)));
    struct pollfd entry = {.fd = nfq_fd(handle), .events = POLLIN};
    ssize_t n;

    while (!is_over) {
        if (poll(&entry, 1, 1) > 0) {
            n = recv(entry.fd, buffer, sizeof(buffer), MSG_DONTWAIT);
            if (n > 0)
                (void)nfq_handle_packet(handle, buffer, (int)n);
        }
        release(shuffler, false);
    }
    release(shuffler, true);
}

int main(int argc, char **argv)
{
    static struct shuffler shuffler;
    struct nfq_handle *handle = nfq_open();

    if (argc != 4 || !handle) {
        (void)fprintf(stderr, "usage: packet_shuffler QUEUE DOUBLED%% DELAYED%%, as root\n");
        return 2;
    }
    shuffler.raw_fd = open_raw();
    shuffler.doubled_percent = strtol(argv[2], NULL, 10);
    shuffler.delayed_percent = strtol(argv[3], NULL, 10);
    shuffler.queue =
        nfq_create_queue(handle, (uint16_t)strtoul(argv[1], NULL, 10), take, &shuffler);
    if (!shuffler.queue || nfq_set_mode(shuffler.queue, NFQNL_COPY_PACKET, PACKET_MAX - 1) < 0) {
        perror("packet_shuffler: queue");
        return 1;
    }
    (void)signal(SIGTERM, end);
    (void)fputs("ready\n", stderr);
    run(handle, &shuffler);
    (void)printf("%u seen, %u doubled, %u delayed\n", shuffler.seen, shuffler.doubled,
                 shuffler.delayed);
    (void)nfq_destroy_queue(shuffler.queue);
    (void)nfq_close(handle);
    (void)close(shuffler.raw_fd);
    return 0;
}
