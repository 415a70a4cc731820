/*
 * wiretap: records the datagrams that pass an interface.
 *
 *   wiretap INTERFACE FILE PORT...
 *
 * Writes the unfragmented datagrams to one of these UDP ports to a tape (tape.h), each at once.
 * Writes "listening" to standard error when it records; ends at SIGTERM. Exit code: 0, 1 failed, 2
 * usage.
 */
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tape.h"

#define PORTS_MAX 4

static volatile sig_atomic_t stopped;

static void stop(int number)
{
    (void)number;
    stopped = 1;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int open_tap(const char *interface)
{
    struct sockaddr_ll at = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_ALL),
                             .sll_ifindex = (int)if_nametoindex(interface)};
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ALL)), room = 1 << 22;

    if (fd < 0 || !at.sll_ifindex || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
        die("wiretap: socket, bind");
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
    return fd;
}

/* Parse an unfragmented UDP datagram in an IPv4 packet. */
static bool take_apart(const uint8_t *packet, size_t length, struct tape_datagram *ret_datagram)
{
    struct tape_head *head = &ret_datagram->head;
    struct udphdr udp;
    struct iphdr ip;

    if (length < sizeof(ip) + sizeof(udp))
        return false;
    memcpy(&ip, packet, sizeof(ip));
    if (ip.version != 4 || ip.ihl * 4U != sizeof(ip) || ip.protocol != IPPROTO_UDP ||
        (ntohs(ip.frag_off) & ~IP_DF) != 0)
        return false;
    memcpy(&udp, packet + sizeof(ip), sizeof(udp));
    if (ntohs(udp.len) < sizeof(udp) || sizeof(ip) + ntohs(udp.len) > length ||
        ntohs(udp.len) - sizeof(udp) > TAPE_BYTES_MAX)
        return false;
    memcpy(head->source, &ip.saddr, 4);
    memcpy(head->target, &ip.daddr, 4);
    head->source_port = ntohs(udp.source);
    head->target_port = ntohs(udp.dest);
    head->length = (uint16_t)(ntohs(udp.len) - sizeof(udp));
    memcpy(ret_datagram->payload, packet + sizeof(ip) + sizeof(udp), head->length);
    return true;
}

int main(int argc, char **argv)
{
    const struct sigaction action = {.sa_handler = stop}; /* no SA_RESTART: recv returns */
    static struct tape_datagram datagram;
    static uint8_t packet[65536];
    FILE *file;
    int fd;

    if (argc < 4 || argc > 3 + PORTS_MAX) {
        (void)fputs("usage: wiretap INTERFACE FILE PORT...\n", stderr);
        return 2;
    }
    (void)sigaction(SIGTERM, &action, NULL);
    file = fopen(argv[2], "we");
    if (!file)
        die("wiretap: file");
    fd = open_tap(argv[1]);
    (void)fputs("listening\n", stderr);
    while (!stopped) {
        ssize_t n = recv(fd, packet, sizeof(packet), 0);
        bool is_wanted = false;

        if (n <= 0 || !take_apart(packet, (size_t)n, &datagram))
            continue;
        for (int i = 3; i < argc; i++)
            is_wanted |= strtol(argv[i], NULL, 10) == datagram.head.target_port;
        if (is_wanted && (!tape_write(file, &datagram) || fflush(file)))
            die("wiretap: write");
    }
    return fclose(file) ? 1 : 0;
}
