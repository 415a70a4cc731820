/*
 * udp_ask: a client. Sends datagrams to one address from one connected socket, waits for as many
 * replies, prints them. The kernel drops replies from other addresses.
 *
 *   udp_ask [-s IP[:PORT]] [-t MS] [-k COUNT] [-z BYTES] [-o TOS] [-e] [-n] [-r] [-p] TO:PORT [TEXT | -]
 *
 *   TEXT   the payload; "-" reads it from standard input, any bytes; omitted: empty
 *   -s     source address, and port
 *   -t     timeout of each reply in ms (default 10000)
 *   -k     send COUNT datagrams "TEXT 1", "TEXT 2" ...
 *   -z     the payload is BYTES bytes of a pattern instead
 *   -o     send with this TOS byte (as in 0xb9), and print that of each reply before it: "2e TEXT"
 *   -e     each reply must equal its datagram, in order; prints nothing
 *   -n     wait for no reply
 *   -r     after the replies, wait until the timeout for more, and count them too
 *   -p     end when the datagram is refused (ICMP port unreachable); otherwise that is ignored
 *
 * Exit code: 0 all replies came, 1 not all, 2 usage, 3 a reply differs, 4 a system call failed,
 * 5 refused.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "headless/base/address.h"
#include "headless/base/clock.h"
#include "tos.h"

#define PAYLOAD_MAX 65536

enum {
    ASK_ANSWERED = 0,
    ASK_SILENCE = 1,
    ASK_USAGE = 2,
    ASK_DIFFERS = 3,
    ASK_ERROR = 4,
    ASK_REFUSED = 5
};

struct asking {
    int fd;
    struct address to, source;
    int timeout_ms;
    unsigned long count, bytes;
    int tos; /* -1: the default */
    bool is_series, is_pattern, compare, no_wait, stay, ends_refused;
    const char *text;
    char input[PAYLOAD_MAX];
    size_t input_length;
};

static void usage(void)
{
    (void)fputs(
        "usage: udp_ask [-s IP[:PORT]] [-t MS] [-k COUNT] [-z BYTES] [-o TOS] [-e] [-n] [-r] [-p] "
        "TO:PORT [TEXT | -]\n",
        stderr);
    exit(ASK_USAGE);
}

static void fail(const char *what)
{
    (void)fprintf(stderr, "udp_ask: %s: %s\n", what, strerror(errno));
    exit(ASK_ERROR);
}

static void read_arguments(struct asking *a, int argc, char **argv)
{
    int option;

    while ((option = getopt(argc, argv, "s:t:k:z:o:enrp")) != -1) {
        switch (option) {
        case 's':
            if (address_parse(optarg, 0, &a->source))
                usage();
            break;
        case 't':
            a->timeout_ms = atoi(optarg);
            break;
        case 'k':
            a->is_series = true;
            a->count = strtoul(optarg, NULL, 10);
            break;
        case 'z':
            a->is_pattern = true;
            a->bytes = strtoul(optarg, NULL, 10);
            break;
        case 'o':
            a->tos = (int)strtol(optarg, NULL, 0);
            break;
        case 'e':
            a->compare = true;
            break;
        case 'n':
            a->no_wait = true;
            break;
        case 'r':
            a->stay = true;
            break;
        case 'p':
            a->ends_refused = true;
            break;
        default:
            usage();
        }
    }
    if (argc - optind < 1 || argc - optind > 2 || address_parse(argv[optind], 0, &a->to) ||
        a->bytes > PAYLOAD_MAX)
        usage();
    if (argc - optind == 2)
        a->text = argv[optind + 1];
    if (strcmp(a->text, "-") == 0)
        a->input_length = fread(a->input, 1, sizeof(a->input), stdin);
}

static void connect_socket(struct asking *a)
{
    struct sockaddr_storage sa;
    int family = a->to.family == ADDRESS_V6 ? AF_INET6 : AF_INET;
    int bytes = 4 << 20;
    socklen_t length;

    a->fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (a->fd < 0)
        fail("socket");
    (void)setsockopt(a->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    if (a->tos >= 0 && tos_prepare(a->fd, family, a->tos))
        fail("setsockopt");
    if (address_is_set(&a->source)) {
        length = address_to_sockaddr(&a->source, family, &sa);
        if (bind(a->fd, (struct sockaddr *)&sa, length) < 0)
            fail("bind");
    }
    length = address_to_sockaddr(&a->to, family, &sa);
    if (connect(a->fd, (struct sockaddr *)&sa, length) < 0)
        fail("connect");
}

/* The payload of the number-th datagram, from 1. */
static size_t compose(const struct asking *a, unsigned long number, char out[static PAYLOAD_MAX])
{
    if (a->is_pattern) {
        for (size_t i = 0; i < a->bytes; i++)
            out[i] = (char)(i * 7 + i / 251 + number);
        return a->bytes;
    }
    if (strcmp(a->text, "-") == 0) {
        memcpy(out, a->input, a->input_length);
        return a->input_length;
    }
    return (size_t)(a->is_series ? snprintf(out, PAYLOAD_MAX, "%s %lu", a->text, number)
                                 : snprintf(out, PAYLOAD_MAX, "%s", a->text));
}

static void ask(const struct asking *a, unsigned long number)
{
    static char payload[PAYLOAD_MAX];
    size_t length = compose(a, number, payload);

    /* An ICMP error for an earlier datagram is reported here, and this one is not sent. */
    if (send(a->fd, payload, length, 0) < 0 && send(a->fd, payload, length, 0) < 0)
        fail("send");
}

/* True if a reply came in time. */
static bool receive_reply(const struct asking *a, unsigned long number)
{
    static char reply[PAYLOAD_MAX], expected[PAYLOAD_MAX];
    struct pollfd pfd = {.fd = a->fd, .events = POLLIN};
    uint64_t end_ns = clock_now_ns() + (uint64_t)a->timeout_ms * NS_PER_MS;
    struct sockaddr_storage from;
    uint64_t now_ns;
    ssize_t n = -1;
    int tos = -1;

    while (n < 0 && (now_ns = clock_now_ns()) < end_ns) {
        errno = 0;
        if (poll(&pfd, 1, (int)((end_ns - now_ns) / NS_PER_MS) + 1) > 0)
            n = tos_receive(a->fd, reply, sizeof(reply), MSG_DONTWAIT, &from,
                            &tos); /* may fail: ICMP error */
        if (n < 0 && errno == ECONNREFUSED && a->ends_refused)
            exit(ASK_REFUSED);
    }
    if (n < 0)
        return false;
    if (!a->compare) {
        if (a->tos >= 0)
            (void)printf("%02x ", (unsigned)tos);
        (void)fwrite(reply, 1, (size_t)n, stdout);
        if (n > 0 && reply[n - 1] != '\n')
            (void)putchar('\n');
    } else if ((size_t)n != compose(a, number, expected) ||
               memcmp(reply, expected, (size_t)n) != 0) {
        (void)fprintf(stderr, "udp_ask: reply %lu (%zd bytes) differs from its datagram\n", number,
                      n);
        exit(ASK_DIFFERS);
    }
    return true;
}

int main(int argc, char **argv)
{
    static struct asking a = {.fd = -1, .timeout_ms = 10000, .count = 1, .tos = -1, .text = ""};
    unsigned long heard = 0;

    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* a test may read the replies while more come */
    read_arguments(&a, argc, argv);
    connect_socket(&a);
    for (unsigned long i = 1; i <= a.count; i++)
        ask(&a, i);
    if (a.no_wait)
        return ASK_ANSWERED;
    while (heard < a.count && receive_reply(&a, heard + 1))
        heard++;
    while (a.stay && receive_reply(&a, heard + 1))
        heard++;
    (void)fflush(stdout);
    return heard >= a.count ? ASK_ANSWERED : ASK_SILENCE;
}
