/*
 * hostile: sends the datagrams of a tape (tape.h) with any source, altered, repeated, fast.
 *
 *   hostile [OPTION...] TAPE TO_IP:PORT      sends those recorded for this address, to it
 *   hostile [OPTION...] -i TAPE FROM_IP:PORT refuses those recorded from this address and port:
 *                                            ICMP port unreachable to FROM_IP, in the name of
 *                                            their destination
 *
 *   -a            all datagrams of the tape, whatever their destination
 *   -s IP[:PORT]  the source (default: that on the tape); port 0: as on the tape
 *   -n COUNT      only the first COUNT on the tape (at most 256); -o: the last ones
 *   -w BYTE       only those with this byte at offset 3, which is the type
 *   -m CHANGE     altered; except with open, its counter is raised first, otherwise it would be a
 *                 replay: counter (only that), tag, body, key, suite, to, from, cluster, version,
 *                 magic, cut, open (marks it as not sealed)
 *   -k COUNT      number to send, from the first again after the last (default: each once)
 *   -r RATE       a second (default: as fast as possible)
 *
 * Prints "sent COUNT BYTES MILLISECONDS", the bytes being payload. Needs CAP_NET_RAW. Refuses
 * destinations outside 127/8 and 10.77/16, where tests have their pods. Exit code: 0 sent, 1
 * failed, 2 usage.
 */
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "headless/base/bytes.h"
#include "headless/base/clock.h"
#include "headless/secure/seal.h"
#include "tape.h"

#define PACKETS_MAX  256
#define BATCH        64
#define QUOTED_MAX   128 /* bytes of payload quoted in the ICMP error */
#define COUNTER_LEAP (UINT64_C(1) << 40)

struct packet {
    size_t length;
    uint8_t bytes[sizeof(struct iphdr) * 2 + sizeof(struct icmphdr) + TAPE_BYTES_MAX + 8];
};

struct plan {
    struct address there, source;
    bool is_refusal, takes_all, takes_last;
    long only_first, only_type; /* -1: no limit */
    const char *change;
    uint64_t count, rate; /* 0: each once; unlimited */
};

static struct packet packets[PACKETS_MAX];
static size_t packet_count, payload_bytes[PACKETS_MAX];

static void usage(void)
{
    (void)fputs("usage: hostile [OPTION...] TAPE IP:PORT; see its source\n", stderr);
    exit(2);
}

/* ---- altering ---- */

/* A frame's counter is in its header, a peer message's in its seal block; the receiver vice versa.
 */
static bool is_frame(const struct tape_datagram *datagram)
{
    return datagram->payload[1] == 'd';
}

static uint8_t *counter_of(struct tape_datagram *datagram)
{
    return datagram->payload + (is_frame(datagram) ? 32 : SEAL_HEADER_BYTES + 8);
}

static uint8_t *receiver_of(struct tape_datagram *datagram)
{
    return datagram->payload + (is_frame(datagram) ? SEAL_HEADER_BYTES + 8 : 24);
}

static uint8_t *place_of(struct tape_datagram *datagram, const char *change)
{
    uint8_t *payload = datagram->payload;
    const struct {
        const char *change;
        uint8_t *place;
    } places[] = {
        {"tag", payload + datagram->head.length - 1},
        {"body", payload + SEAL_HEADER_BYTES + SEAL_BLOCK_BYTES},
        {"key", payload + SEAL_HEADER_BYTES + 3},
        {"suite", payload + SEAL_HEADER_BYTES + 4},
        {"to", receiver_of(datagram) + 7},
        {"from", payload + 16},
        {"cluster", payload + 8},
        {"version", payload + 2},
        {"magic", payload},
    };

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (strcmp(places[i].change, change) == 0)
            return places[i].place;
    }
    usage();
    return NULL;
}

static void alter(struct tape_datagram *datagram, const char *change)
{
    uint8_t *counter = counter_of(datagram);

    if (datagram->head.length < SEAL_HEADER_BYTES + SEAL_BYTES)
        return;
    if (strcmp(change, "open") == 0) {
        datagram->payload[is_frame(datagram) ? 4 : 7] = 0;
        return;
    }
    (void)put_be64(counter, get_be64(counter) + COUNTER_LEAP);
    if (strcmp(change, "counter") == 0)
        return;
    if (strcmp(change, "cut") == 0)
        datagram->head.length = SEAL_HEADER_BYTES + SEAL_BYTES - 1;
    else
        *place_of(datagram, change) ^= 0x80;
}

/* ---- packets ---- */

static uint16_t checksum(const uint8_t *bytes, size_t length)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < length; i++)
        sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons((uint16_t)~sum);
}

static uint8_t *put_ip(uint8_t *out, const uint8_t source[static 4], const uint8_t target[static 4],
                       uint8_t protocol, size_t length)
{
    struct iphdr ip = {.version = 4,
                       .ihl = sizeof(ip) / 4,
                       .ttl = 64,
                       .protocol = protocol,
                       .tot_len = htons((uint16_t)(sizeof(ip) + length))};

    memcpy(&ip.saddr, source, 4);
    memcpy(&ip.daddr, target, 4);
    memcpy(out, &ip, sizeof(ip));
    return out + sizeof(ip);
}

/* A UDP checksum of 0 means that there is none. */
static uint8_t *put_udp(uint8_t *out, const struct tape_head *head)
{
    const struct udphdr udp = {.source = htons(head->source_port),
                               .dest = htons(head->target_port),
                               .len = htons((uint16_t)(sizeof(udp) + head->length))};

    memcpy(out, &udp, sizeof(udp));
    return out + sizeof(udp);
}

static void build(struct packet *packet, const struct tape_datagram *datagram)
{
    const struct tape_head *head = &datagram->head;
    uint8_t *next = put_ip(packet->bytes, head->source, head->target, IPPROTO_UDP,
                           sizeof(struct udphdr) + head->length);

    next = put_udp(next, head);
    memcpy(next, datagram->payload, head->length);
    packet->length = (size_t)(next - packet->bytes) + head->length;
}

static void build_refusal(struct packet *packet, const struct tape_datagram *datagram)
{
    const struct tape_head *head = &datagram->head;
    size_t quoted = head->length < QUOTED_MAX ? head->length : QUOTED_MAX;
    size_t inner = sizeof(struct iphdr) + sizeof(struct udphdr);
    struct icmphdr icmp = {.type = ICMP_DEST_UNREACH, .code = ICMP_PORT_UNREACH};
    uint8_t *begin = put_ip(packet->bytes, head->target, head->source, IPPROTO_ICMP,
                            sizeof(icmp) + inner + quoted);
    uint8_t *next = put_ip(begin + sizeof(icmp), head->source, head->target, IPPROTO_UDP,
                           sizeof(struct udphdr) + head->length);

    next = put_udp(next, head);
    memcpy(next, datagram->payload, quoted);
    memcpy(begin, &icmp, sizeof(icmp));
    icmp.checksum = checksum(begin, sizeof(icmp) + inner + quoted);
    memcpy(begin, &icmp, sizeof(icmp));
    packet->length = (size_t)(next - packet->bytes) + quoted;
}

/* ---- the tape ---- */

static bool is_wanted(const struct plan *plan, const struct tape_datagram *datagram)
{
    const struct tape_head *head = &datagram->head;
    const struct address end = plan->is_refusal ? tape_address(head->source, head->source_port)
                                                : tape_address(head->target, head->target_port);

    if (plan->only_type >= 0 && (head->length < 4 || datagram->payload[3] != plan->only_type))
        return false;
    return plan->takes_all || address_equal(&end, &plan->there);
}

static void take(const struct plan *plan, struct tape_datagram *datagram, size_t index)
{
    struct tape_head *head = &datagram->head;

    payload_bytes[index] = head->length;
    if (plan->is_refusal) {
        build_refusal(&packets[index], datagram);
        return;
    }
    memcpy(head->target, plan->there.ip, 4);
    head->target_port = plan->there.port;
    if (address_is_set(&plan->source))
        memcpy(head->source, plan->source.ip, 4);
    if (plan->source.port)
        head->source_port = plan->source.port;
    if (plan->change)
        alter(datagram, plan->change);
    build(&packets[index], datagram);
}

static void read_tape(const struct plan *plan, const char *path)
{
    size_t room = plan->only_first >= 0 && plan->only_first < PACKETS_MAX ? (size_t)plan->only_first
                                                                          : PACKETS_MAX;
    static struct tape_datagram datagram;
    FILE *file = fopen(path, "re");
    size_t n = 0;

    if (!file) {
        perror("hostile: tape");
        exit(1);
    }
    while ((n < room || plan->takes_last) && tape_read(file, &datagram)) {
        if (is_wanted(plan, &datagram))
            take(plan, &datagram, n++ % room);
    }
    (void)fclose(file);
    packet_count = n < room ? n : room;
}

/* ---- sending ---- */

/* Send count packets from number on. Returns the number that the kernel accepted. */
static unsigned send_some(int fd, const struct sockaddr_in *to, uint64_t number, unsigned count)
{
    struct mmsghdr messages[BATCH] = {0};
    struct iovec pieces[BATCH];
    int n;

    for (unsigned i = 0; i < count; i++) {
        struct packet *packet = &packets[(number + i) % packet_count];

        pieces[i] = (struct iovec){packet->bytes, packet->length};
        messages[i].msg_hdr = (struct msghdr){.msg_name = (void *)(uintptr_t)to,
                                              .msg_namelen = sizeof(*to),
                                              .msg_iov = &pieces[i],
                                              .msg_iovlen = 1};
    }
    n = sendmmsg(fd, messages, count, 0);
    if (n < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR) {
        perror("hostile: sendmmsg");
        exit(1);
    }
    return n < 0 ? 0 : (unsigned)n;
}

static void pace(const struct plan *plan, uint64_t began_ns, uint64_t sent)
{
    uint64_t due_ns = plan->rate ? began_ns + sent * NS_PER_SEC / plan->rate : 0;
    const struct timespec due = clock_to_timespec(due_ns);

    if (due_ns > clock_now_ns())
        (void)clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &due, NULL);
}

static void send_all(const struct plan *plan, int fd)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    uint64_t count = plan->count ? plan->count : packet_count, sent = 0, bytes = 0;
    uint64_t began_ns = clock_now_ns(), most = plan->rate && plan->rate < 10000 ? 1 : BATCH;

    memcpy(&to.sin_addr, plan->there.ip, 4);
    while (packet_count && sent < count) {
        uint64_t left = count - sent;
        unsigned n = send_some(fd, &to, sent, (unsigned)(left < most ? left : most));

        for (unsigned i = 0; i < n; i++)
            bytes += payload_bytes[sent++ % packet_count];
        pace(plan, began_ns, sent);
    }
    printf("sent %llu %llu %llu\n", (unsigned long long)sent, (unsigned long long)bytes,
           (unsigned long long)((clock_now_ns() - began_ns) / NS_PER_MS));
}

static void take_option(struct plan *plan, int option)
{
    switch (option) {
    case 'i':
        plan->is_refusal = true;
        break;
    case 'a':
        plan->takes_all = true;
        break;
    case 'o':
        plan->takes_last = true;
        break;
    case 's':
        if (address_parse(optarg, 0, &plan->source) || plan->source.family != ADDRESS_V4)
            usage();
        break;
    case 'n':
        plan->only_first = strtol(optarg, NULL, 10);
        break;
    case 'w':
        plan->only_type = strtol(optarg, NULL, 10);
        break;
    case 'm':
        plan->change = optarg;
        break;
    case 'k':
        plan->count = strtoull(optarg, NULL, 10);
        break;
    case 'r':
        plan->rate = strtoull(optarg, NULL, 10);
        break;
    default:
        usage();
    }
}

static bool is_permitted(const struct address *there)
{
    return there->family == ADDRESS_V4 &&
           (address_is_loopback(there) || (there->ip[0] == 10 && there->ip[1] == 77));
}

int main(int argc, char **argv)
{
    struct plan plan = {.only_first = -1, .only_type = -1};
    int option, fd, room = 1 << 22;

    while ((option = getopt(argc, argv, "iaos:n:w:m:k:r:")) != -1)
        take_option(&plan, option);
    if (argc - optind != 2 || address_parse(argv[optind + 1], 0, &plan.there) ||
        !is_permitted(&plan.there) || plan.only_first == 0)
        usage();
    read_tape(&plan, argv[optind]);
    fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    if (fd < 0) {
        perror("hostile: socket");
        return 1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
    send_all(&plan, fd);
    (void)close(fd);
    return 0;
}
