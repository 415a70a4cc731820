/*
 * frame_send: sends relay frames that no pod sends.
 *
 *   frame_send -s IP[:PORT] [OPTION...] TO:PORT [TEXT]
 *
 *   -s IP[:PORT]   the sender's address; frames count as a member's only from a member's address
 *   -c NAME        cluster (default headless)
 *   -T TYPE        1 DATA (default), 2 REPLY, or any other number
 *   -H HOPS -V VERSION -e TERM -g TAG
 *   -C IP:PORT     the record's client (default 127.0.0.1:40000)
 *   -L IP:PORT     the record's local address: the one that the client addressed (default TO)
 *   -I IP          an ingress address in the record
 *   -n RECORDS     number of records in the frame (default 1)
 *   -l DELTA       add this to the length field of the last record
 *   -x BYTES       send only this number of bytes of the frame
 *   -p BYTES       append this number of bytes 0xff, which are no end record
 *   -k COUNT       send it this number of times, each with its own sequence
 *   -f SEED        in each of these flip one bit at a position derived from the seed
 *
 * Refuses destinations that are not loopback. Exit code: 0 sent, 1 failed, 2 usage.
 */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "headless/wire/frame.h"

#define FRAME_MAX 65536

struct making {
    struct address source, to, client, local, ingress;
    const char *cluster, *text;
    struct frame_header header;
    uint8_t version;
    uint64_t tag;
    unsigned long records, count, junk;
    long length_delta, cut, seed; /* cut, seed: -1 none */
};

static void usage(void)
{
    (void)fputs("usage: frame_send -s IP[:PORT] [OPTION...] TO:PORT [TEXT]; see its source\n",
                stderr);
    exit(2);
}

static void take_address(struct address *out)
{
    if (address_parse(optarg, 0, out))
        usage();
}

static void take_option(struct making *m, int option)
{
    unsigned long long number = strtoull(optarg, NULL, 0);

    switch (option) {
    case 's':
        take_address(&m->source);
        break;
    case 'c':
        m->cluster = optarg;
        break;
    case 'T':
        m->header.type = (uint8_t)number;
        break;
    case 'H':
        m->header.hops = (uint8_t)number;
        break;
    case 'V':
        m->version = (uint8_t)number;
        break;
    case 'e':
        m->header.term = number;
        break;
    case 'g':
        m->tag = number;
        break;
    case 'C':
        take_address(&m->client);
        break;
    case 'L':
        take_address(&m->local);
        break;
    case 'I':
        take_address(&m->ingress);
        break;
    case 'n':
        m->records = number;
        break;
    case 'l':
        m->length_delta = strtol(optarg, NULL, 0);
        break;
    case 'x':
        m->cut = (long)number;
        break;
    case 'p':
        m->junk = number;
        break;
    case 'k':
        m->count = number;
        break;
    case 'f':
        m->seed = (long)number;
        break;
    default:
        usage();
    }
}

/* Returns the bytes of the frame. */
static size_t make(const struct making *m, uint64_t sequence, uint8_t out[static FRAME_MAX])
{
    struct frame_header header = m->header;
    struct record record = {.client = m->client,
                            .local = m->local,
                            .tag = m->tag,
                            .ingress = m->ingress,
                            .length = (uint16_t)strlen(m->text)};
    size_t bytes = FRAME_HEADER_BYTES;

    header.sequence = sequence;
    header.cluster = frame_cluster_id(m->cluster);
    frame_put_header(out, &header);
    out[2] = m->version;
    for (unsigned long i = 0; i < m->records; i++) {
        uint8_t *start = out + bytes;

        bytes += record_put_header(start, &record);
        memcpy(out + bytes, m->text, record.length);
        bytes += record.length;
        if (i + 1 == m->records && m->length_delta) {
            long wrong = record.length + m->length_delta;

            start[0] = (uint8_t)(wrong >> 8);
            start[1] = (uint8_t)wrong;
        }
    }
    memset(out + bytes, 0xff, m->junk);
    bytes += m->junk;
    return m->cut >= 0 && (size_t)m->cut < bytes ? (size_t)m->cut : bytes;
}

static void flip_one_bit(uint8_t *frame, size_t bytes, long seed, unsigned long number)
{
    uint8_t key[crypto_shorthash_KEYBYTES] = {0};
    uint8_t hash[crypto_shorthash_BYTES];
    uint64_t place;

    memcpy(key, &seed, sizeof(seed));
    (void)crypto_shorthash(hash, (const uint8_t *)&number, sizeof(number), key);
    memcpy(&place, hash, sizeof(place));
    place %= bytes * 8;
    frame[place / 8] = (uint8_t)(frame[place / 8] ^ 1U << place % 8);
}

static int open_socket(const struct making *m)
{
    struct sockaddr_storage sa;
    int family = m->to.family == ADDRESS_V6 ? AF_INET6 : AF_INET;
    socklen_t length = address_to_sockaddr(&m->source, family, &sa);
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || !length || bind(fd, (struct sockaddr *)&sa, length) < 0) {
        perror("frame_send: socket, bind");
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv)
{
    static uint8_t frame[FRAME_MAX];
    struct making m = {
        .cluster = "headless",
        .text = "frame",
        .header = {.type = FRAME_DATA, .hops = 1, .instance = 0x1122334455667788, .term = 1},
        .version = FRAME_VERSION,
        .records = 1,
        .count = 1,
        .cut = -1,
        .seed = -1,
    };
    struct sockaddr_storage to;
    socklen_t to_length;
    int option, fd;

    (void)address_parse("127.0.0.1:40000", 0, &m.client);
    while ((option = getopt(argc, argv, "s:c:T:H:V:e:g:C:L:I:n:l:x:p:k:f:")) != -1)
        take_option(&m, option);
    if (optind >= argc || address_parse(argv[optind], 0, &m.to) || !address_is_loopback(&m.to) ||
        !address_is_set(&m.source) || sodium_init() < 0)
        usage();
    if (optind + 1 < argc)
        m.text = argv[optind + 1];
    if (!address_is_set(&m.local))
        m.local = m.to;
    if (m.records * (RECORD_HEADER_MAX + strlen(m.text)) + m.junk > FRAME_MAX - 100)
        usage();
    fd = open_socket(&m);
    to_length = address_to_sockaddr(&m.to, m.to.family == ADDRESS_V6 ? AF_INET6 : AF_INET, &to);
    for (unsigned long i = 1; i <= m.count; i++) {
        size_t bytes = make(&m, i, frame);

        if (m.seed >= 0)
            flip_one_bit(frame, bytes, m.seed, i);
        if (sendto(fd, frame, bytes, 0, (struct sockaddr *)&to, to_length) < 0) {
            perror("frame_send: sendto");
            return 1;
        }
    }
    (void)close(fd);
    return 0;
}
