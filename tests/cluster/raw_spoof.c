/*
 * raw_spoof: sends an IPv4 UDP datagram with any source address and port, with its own headers.
 *
 *   raw_spoof SOURCE_IP:PORT TO_IP:PORT TEXT [COUNT]
 *
 * Refuses destinations outside 127/8. Exit code: 0 sent, 1 failed, 2 usage, 77 not permitted (raw
 * sockets need CAP_NET_RAW).
 */
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "headless/base/address.h"

#define PAYLOAD_MAX        1024
#define EXIT_NOT_PERMITTED 77

struct packet {
    struct iphdr ip;
    struct udphdr udp;
    char payload[PAYLOAD_MAX];
};

/* The kernel fills in the IP checksum and total length; a UDP checksum of 0 means none. */
static size_t build(struct packet *p, const struct address *from, const struct address *to,
                    const char *text)
{
    size_t length = strlen(text);

    memset(p, 0, sizeof(*p));
    p->ip.version = 4;
    p->ip.ihl = sizeof(p->ip) / 4;
    p->ip.ttl = 64;
    p->ip.protocol = IPPROTO_UDP;
    memcpy(&p->ip.saddr, from->ip, 4);
    memcpy(&p->ip.daddr, to->ip, 4);
    p->udp.source = htons(from->port);
    p->udp.dest = htons(to->port);
    p->udp.len = htons((uint16_t)(sizeof(p->udp) + length));
    memcpy(p->payload, text, length);
    return sizeof(p->ip) + sizeof(p->udp) + length;
}

int main(int argc, char **argv)
{
    struct address from, to;
    struct sockaddr_storage sa;
    struct packet packet;
    socklen_t sa_length;
    size_t length;
    long count;
    int fd;

    if (argc < 4 || argc > 5 || address_parse(argv[1], 0, &from) ||
        address_parse(argv[2], 0, &to) || from.family != ADDRESS_V4 || to.family != ADDRESS_V4 ||
        !address_is_loopback(&to) || strlen(argv[3]) > PAYLOAD_MAX) {
        (void)fputs("usage: raw_spoof SOURCE_IP:PORT TO_IP:PORT TEXT [COUNT]\n", stderr);
        return 2;
    }
    count = argc == 5 ? strtol(argv[4], NULL, 10) : 1;
    fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    if (fd < 0) {
        perror("raw_spoof: socket");
        return errno == EPERM || errno == EACCES ? EXIT_NOT_PERMITTED : 1;
    }
    length = build(&packet, &from, &to, argv[3]);
    to.port = 0; /* a raw socket has no port */
    sa_length = address_to_sockaddr(&to, AF_INET, &sa);
    while (count-- > 0) {
        if (sendto(fd, &packet, length, 0, (struct sockaddr *)&sa, sa_length) < 0) {
            perror("raw_spoof: sendto");
            return 1;
        }
    }
    (void)close(fd);
    return 0;
}
