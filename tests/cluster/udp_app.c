/*
 * udp_app: a UDP server that reports its datagrams. Stands in for a pod's app, and for a leader
 * outside the cluster.
 *
 *   udp_app LISTEN:PORT echo|source|proxy|tos|quiet|burst|transfer|call [DIRECTORY]
 *
 *   echo     returns each datagram
 *   source   replies with "from IP:PORT PAYLOAD"
 *   proxy    reads a PROXY v2 header, replies with "client IP:PORT asked IP:PORT PAYLOAD", or
 *            "no header"
 *   tos      replies with TOS byte 0x2e and "tos XX PAYLOAD", XX being the TOS byte of the datagram
 *   quiet    sends no reply
 *   burst    sends no reply, but after a datagram of another sender 1,000 datagrams to the first
 *            sender; then writes "sent"
 *   transfer replies to each datagram from a new port with "new PAYLOAD", and to the datagrams that
 *            arrive there with "more PAYLOAD", until one is "end": the ports of TFTP
 *   call     as source; and sends "called" from its port to IP:PORT after a datagram "call IP:PORT",
 *            whose reply, which begins with "from", it does not reply to
 *
 * With DIRECTORY the reply to the n-th datagram (quiet: the datagram) is also written to
 * DIRECTORY/n, which appears complete. Writes "listening" to standard error. SIGTERM ends it.
 */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "headless/base/address.h"
#include "headless/wire/proxy.h"
#include "tos.h"

#define PAYLOAD_MAX 65536
#define REPLY_TOS   0x2e

enum mode {
    MODE_ECHO,
    MODE_SOURCE,
    MODE_PROXY,
    MODE_TOS,
    MODE_QUIET,
    MODE_BURST,
    MODE_TRANSFER,
    MODE_CALL,
    MODE_COUNT
};
static const char *const mode_names[MODE_COUNT] = {"echo",  "source", "proxy",    "tos",
                                                   "quiet", "burst",  "transfer", "call"};

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int listen_on(const struct address *at, enum mode mode)
{
    struct sockaddr_storage sa;
    int family = at->family == ADDRESS_V6 ? AF_INET6 : AF_INET;
    int bytes = 4 << 20;
    socklen_t length = address_to_sockaddr(at, family, &sa);
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        fail("udp_app: socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    if (mode == MODE_TOS && tos_prepare(fd, family, REPLY_TOS))
        fail("udp_app: setsockopt");
    if (bind(fd, (struct sockaddr *)&sa, length) < 0)
        fail("udp_app: bind");
    return fd;
}

static void save(const char *directory, unsigned long number, const char *payload, size_t length)
{
    char path[PATH_MAX], hidden[PATH_MAX];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%lu", directory, number);
    (void)snprintf(hidden, sizeof(hidden), "%s/.%lu", directory, number);
    file = fopen(hidden, "w");
    if (!file)
        fail("udp_app: fopen");
    (void)fwrite(payload, 1, length, file);
    if (fclose(file) != 0 || rename(hidden, path) != 0)
        fail("udp_app: rename");
}

/* Compose the reply in out; returns its length. */
static size_t compose(enum mode mode, const uint8_t *datagram, size_t length,
                      const struct address *source, int tos, char out[static PAYLOAD_MAX])
{
    char first[ADDRESS_TEXT_MAX], second[ADDRESS_TEXT_MAX];
    struct address client, asked;
    int header = 0;
    size_t used = 0;

    if (mode == MODE_PROXY) {
        header = proxy_parse_header(datagram, length, &client, &asked);
        if (header < 0)
            return (size_t)snprintf(out, PAYLOAD_MAX, "no header");
        used = (size_t)snprintf(out, PAYLOAD_MAX, "client %s asked %s ",
                                address_format(&client, first), address_format(&asked, second));
    } else if (mode == MODE_SOURCE || mode == MODE_CALL) {
        used = (size_t)snprintf(out, PAYLOAD_MAX, "from %s ", address_format(source, first));
    } else if (mode == MODE_TOS) {
        used = (size_t)snprintf(out, PAYLOAD_MAX, "tos %02x ", (unsigned)tos);
    }
    length -= (size_t)header;
    if (length > PAYLOAD_MAX - used)
        length = PAYLOAD_MAX - used;
    memcpy(out + used, datagram + header, length);
    return used + length;
}

static void burst(int fd, const struct address *source)
{
    static struct address first;
    struct sockaddr_storage to;
    socklen_t length;

    if (!address_is_set(&first))
        first = *source;
    if (address_equal(&first, source))
        return;
    length = address_to_sockaddr(&first, first.family == ADDRESS_V6 ? AF_INET6 : AF_INET, &to);
    for (int i = 0; i < 1000; i++)
        (void)sendto(fd, "burst", 5, 0, (struct sockaddr *)&to, length);
    (void)fputs("sent\n", stderr);
}

static void call(int fd, const char *payload, size_t length)
{
    static const char word[] = "call ";
    char text[ADDRESS_TEXT_MAX] = "";
    struct sockaddr_storage sa;
    struct address to;
    socklen_t bytes;

    if (length <= sizeof(word) - 1 || length - sizeof(word) + 1 >= sizeof(text) ||
        memcmp(payload, word, sizeof(word) - 1) != 0)
        return;
    memcpy(text, payload + sizeof(word) - 1, length - sizeof(word) + 1);
    if (address_parse(text, 0, &to) != 0)
        return;
    bytes = address_to_sockaddr(&to, to.family == ADDRESS_V6 ? AF_INET6 : AF_INET, &sa);
    (void)sendto(fd, "called", 6, 0, (struct sockaddr *)&sa, bytes);
}

/* A process for each transfer, on a port of its own. */
static void transfer(const struct address *at, const struct sockaddr_storage *to,
                     const uint8_t *payload, size_t length)
{
    const struct address new_port = address_with_port(*at, 0);
    socklen_t to_length =
        to->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    static char text[PAYLOAD_MAX];
    static uint8_t received[PAYLOAD_MAX];
    const char *word = "new";
    int fd, made;

    if (fork() != 0)
        return;
    fd = listen_on(&new_port, MODE_TRANSFER);
    if (connect(fd, (const struct sockaddr *)to, to_length) < 0)
        fail("udp_app: connect");
    for (;;) {
        ssize_t n;

        made = snprintf(text, sizeof(text), "%s %.*s", word, (int)length, (const char *)payload);
        (void)send(fd, text, (size_t)made, 0);
        if (length == 3 && memcmp(payload, "end", 3) == 0)
            exit(0);
        n = recv(fd, text, sizeof(text), 0);
        if (n < 0)
            exit(1);
        length = (size_t)n;
        memcpy(received, text, length);
        payload = received;
        word = "more";
    }
}

int main(int argc, char **argv)
{
    static uint8_t datagram[PAYLOAD_MAX];
    static char reply[PAYLOAD_MAX];
    struct address at;
    enum mode mode = MODE_ECHO;
    int fd;

    (void)signal(SIGCHLD, SIG_IGN); /* ended transfers leave no process behind */
    while (argc >= 3 && mode < MODE_COUNT && strcmp(argv[2], mode_names[mode]) != 0)
        mode++;
    if (argc < 3 || argc > 4 || mode == MODE_COUNT || address_parse(argv[1], 0, &at)) {
        (void)fputs("usage: udp_app LISTEN:PORT echo|source|proxy|tos|quiet|burst|transfer|call "
                    "[DIRECTORY]\n",
                    stderr);
        return 2;
    }
    fd = listen_on(&at, mode);
    (void)fputs("listening\n", stderr);
    for (unsigned long number = 1;; number++) {
        struct sockaddr_storage from = {0};
        struct address source;
        size_t length;
        int tos;
        ssize_t n = tos_receive(fd, datagram, sizeof(datagram), 0, &from, &tos);

        if (n < 0)
            fail("udp_app: recvmsg");
        address_from_sockaddr((struct sockaddr *)&from, &source);
        length = compose(mode, datagram, (size_t)n, &source, tos, reply);
        if (argc == 4)
            save(argv[3], number, reply, length);
        if (mode == MODE_CALL && n > 4 && memcmp(datagram, "from", 4) == 0)
            continue;
        if (mode == MODE_CALL)
            call(fd, (const char *)datagram, (size_t)n);
        if (mode == MODE_BURST)
            burst(fd, &source);
        else if (mode == MODE_TRANSFER)
            transfer(&at, &from, datagram, (size_t)n);
        else if (mode != MODE_QUIET)
            (void)sendto(fd, reply, length, 0, (struct sockaddr *)&from,
                         at.family == ADDRESS_V6 ? sizeof(struct sockaddr_in6)
                                                 : sizeof(struct sockaddr_in));
    }
}
